"""
Cosmic rays: charged particles that cross a slab of silicon.

A flux that is isotropic reaches a surface with a distribution of angles proportional
to cos(theta) sin(theta). Each particle loses energy along its straight path by steps
with the straggling of Landau, sets free delta electrons, and may stop. Slow electrons,
from Compton scattering in the telescope or from radioactivity near the detector, wander
by multiple scattering and leave worms and points. The charge then spreads on its way to
the gates by an amount that grows with the distance, and is collected in pixels.

References
----------
Landau straggling: Particle Data Group, Passage of particles through matter, eq. 34.12.
Hit rates are about one per second and square centimetre, so that 1.5 to 3 % of the
pixels are hit in 1,000 s (ACS and WFC3 Instrument Handbooks, 'Cosmic Rays'; Miles,
Deustua, Tancredi et al. 2021, ApJ 918, 86). On the ground, at sea level: about
one muon per minute and square centimetre (Particle Data Group, Cosmic rays).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from astrosieve_training.simulate.detector import Slab

__all__ = [
    'CosmicRayHits',
    'CosmicRayTemplates',
    'cosmic_ray_image',
    'expected_hits',
    'sample_directions',
]


# Silicon: electrons set free per keV, Landau's xi in keV per micrometre for a singly
# charged particle at beta = 1, mean excitation energy in keV.
_ELECTRONS_PER_KEV = 1 / 0.00365


_XI = 0.0178


_EXCITATION = 0.173


# Energy above which a delta electron travels far enough to be followed by itself, keV.
_DELTA_CUT = 25.0


# How much farther the charge of the field-free layer spreads.
_TAIL_WIDTH = 2.6


# Shares of primary particles, worms and points.
_SHARES = {'orbit': (0.80, 0.15, 0.05), 'ground': (0.50, 0.38, 0.12)}


_KINDS = ('primary', 'worm', 'point')


@dataclass(frozen=True)
class CosmicRayHits:
    """
    What was added to an image.

    Attributes
    ----------
    image : 2D float32 `~numpy.ndarray`
        Electrons.
    x, y : (N,) `~numpy.ndarray`
        Centre of charge of each hit, pixels; NaN for those that left no charge inside
        the image.
    electrons : (N,) `~numpy.ndarray`
        Charge inside the image.
    length : (N,) `~numpy.ndarray`
        Distance between the ends of the track seen from above, pixels.
    theta : (N,) `~numpy.ndarray`
        Angle to the surface's normal, radians; NaN for electrons and templates.
    kind : (N,) `~numpy.ndarray` of str
        ``'primary'``, ``'worm'``, ``'point'`` or ``'template'``.
    """

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    electrons: np.ndarray
    length: np.ndarray
    theta: np.ndarray
    kind: np.ndarray


def expected_hits(
    shape: tuple[int, int], pixel_um: float, rate: float, exptime: float
) -> float:
    """
    Return the mean number of hits in an exposure.

    Parameters
    ----------
    shape : (int, int)
        Pixels, (ny, nx).
    pixel_um : float
        Pixel pitch, micrometres.
    rate : float
        Hits per second and square centimetre.
    exptime : float
        Seconds.

    Returns
    -------
    n : float
        Area times time times rate: 25,500 for a chip of WFC3/UVIS in 1,230 s.
    """
    return shape[0] * shape[1] * (pixel_um * 1e-4) ** 2 * rate * exptime


def sample_directions(
    n: int, rng: np.random.Generator, *, muons: bool = False, tilt: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw directions of particles that cross a plane.

    Parameters
    ----------
    n : int
        How many.
    rng : `~numpy.random.Generator`
        Source of chance.
    muons : bool, optional
        Whether the flux falls with the square of the cosine of the zenith distance, as
        on the ground. Default: isotropic.
    tilt : float, optional
        Degrees between the plane's normal and the zenith, for muons.

    Returns
    -------
    cos_theta, phi : (N,) `~numpy.ndarray`
        Cosine of the angle to the normal, in (0, 1], and azimuth.
    """
    # p(theta) ~ cos(theta) sin(theta) gives p(mu) ~ mu.
    cos_theta = np.sqrt(np.maximum(rng.random(n), 1e-12))
    phi = rng.uniform(0, 2 * np.pi, n)
    if not muons or n == 0:
        return cos_theta, phi
    angle = np.deg2rad(tilt)
    kept: list[np.ndarray] = []
    found = 0
    while True:
        sin_theta = np.sqrt(1 - cos_theta**2)
        zenith = cos_theta * np.cos(angle) + sin_theta * np.cos(phi) * np.sin(angle)
        accepted = rng.random(len(cos_theta)) < zenith**2
        kept.append(np.stack([cos_theta, phi])[:, accepted])
        found += int(accepted.sum())
        if found >= n:
            both = np.concatenate(kept, axis=1)[:, :n]
            return both[0], both[1]
        cos_theta = np.sqrt(np.maximum(rng.random(4 * n), 1e-12))
        phi = rng.uniform(0, 2 * np.pi, 4 * n)


def _landau(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from the standard Landau distribution, mode at -0.223."""
    u = rng.uniform(-np.pi / 2, np.pi / 2, n)
    w = rng.exponential(size=n)
    half = np.pi / 2 + u
    # Chambers, Mallows and Stuck for index 1; scale pi/2 and shift make it Landau's.
    x = half * np.tan(u) - np.log(np.pi / 2 * w * np.cos(u) / half)
    return x + np.log(np.pi / 2)


def _species(
    n: int, rng: np.random.Generator, *, muons: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return charge squared and kinetic energy per nucleon in GeV."""
    if muons:
        return np.ones(n), np.exp(rng.normal(np.log(3.0), 1.0, n)) * 9
    z2 = rng.choice([1.0, 4.0, 36.0, 64.0], size=n, p=[0.935, 0.06, 0.003, 0.002])
    # Above the geomagnetic cut-off of a low orbit the spectrum is hard; protons set
    # free in the telescope and trapped ones fill in below.
    energy = 1.5 * (np.maximum(rng.random(n), 1e-6) ** (-1 / 1.4))
    slow = rng.random(n) < 0.08
    energy[slow] = np.exp(rng.uniform(np.log(0.015), np.log(1.0), slow.sum()))
    return z2, energy


def _beta2(energy: np.ndarray) -> np.ndarray:
    gamma = 1 + energy / 0.938
    return 1 - 1 / gamma**2


def _loss(xi: np.ndarray, beta2: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the energy lost in steps of Landau width ``xi``, keV."""
    gamma2 = 1 / (1 - beta2)
    log_term = np.log(2 * 511.0 * beta2 * gamma2 / _EXCITATION)
    # The density effect takes away what relativity adds beyond beta gamma = 3.
    density = np.maximum(np.log(beta2 * gamma2 / 9.0), 0) * 0.85
    mode = xi * (log_term + np.log(xi / _EXCITATION) + 0.2 - beta2 - density)
    # Atomic binding widens the distribution in thin layers.
    binding = np.sqrt(xi * 0.45) * rng.normal(size=len(xi))
    loss = mode + xi * (_landau(len(xi), rng) + 0.223) + binding
    return np.clip(loss, 0.15 * mode.clip(0), None)


@dataclass
class _Charge:
    """Points of charge: position in pixels, height in the slab, electrons, hit."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    electrons: np.ndarray
    hit: np.ndarray


def _tracks(
    n: int,
    shape: tuple[int, int],
    slab: Slab,
    rng: np.random.Generator,
    *,
    muons: bool,
    tilt: float,
) -> tuple[_Charge, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """Return the charge of straight tracks, their lengths, angles, and deltas."""
    cos_theta, phi = sample_directions(n, rng, muons=muons, tilt=tilt)
    z2, energy = _species(n, rng, muons=muons)
    margin = 60.0
    x0 = rng.uniform(-margin, shape[1] + margin, n)
    y0 = rng.uniform(-margin, shape[0] + margin, n)
    upward = rng.random(n) < 0.5
    sin_theta = np.sqrt(1 - cos_theta**2)
    path = slab.thickness_um / cos_theta
    # A track longer than the chip leaves it: follow 4,000 micrometres at most.
    path = np.minimum(path, 4000.0)
    step = min(0.25 * slab.pixel_um, 0.3 * slab.thickness_um)
    count = np.maximum(np.ceil(path / step).astype(int), 2)
    owner = np.repeat(np.arange(n), count)
    first = np.cumsum(count) - count
    k = np.arange(count.sum()) - first[owner]
    ds = (path / count)[owner]
    s = (k + 0.5) * ds
    beta2 = _beta2(energy)
    xi = _XI * z2[owner] * ds / beta2[owner]
    loss = _loss(xi, beta2[owner], rng)
    # A particle stops when its energy (per nucleon times mass number) is used up.
    mass = np.where(z2 > 1, 2 * np.sqrt(z2), 1.0)
    budget = energy * mass * 1e6
    spent = np.cumsum(np.minimum(loss, 2e4))
    spent -= (spent[first] - loss[first].clip(max=2e4))[owner]
    alive = spent <= budget[owner]
    # Energetic deltas leave the track and are followed by themselves.
    excess = loss - np.maximum(xi * 12, 2.0)
    delta = np.flatnonzero(alive & (excess > _DELTA_CUT))
    delta_energy = np.minimum(excess[delta], 600.0)
    loss[delta] -= excess[delta]
    direction = np.where(upward, 1.0, -1.0)[owner]
    start = np.where(direction > 0, 0.0, slab.thickness_um)
    z = start + direction * s * cos_theta[owner]
    ux = np.cos(phi)[owner] * sin_theta[owner]
    uy = np.sin(phi)[owner] * sin_theta[owner]
    x = x0[owner] + s * ux / slab.pixel_um
    y = y0[owner] + s * uy / slab.pixel_um
    charge = _Charge(
        x[alive], y[alive], z[alive], loss[alive] * _ELECTRONS_PER_KEV, owner[alive]
    )
    length = path * sin_theta / slab.pixel_um
    deltas = (x[delta], y[delta], z[delta], delta_energy, owner[delta])
    return charge, length, np.arccos(cos_theta), deltas


def _electrons(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    energy: np.ndarray,
    hit: np.ndarray,
    slab: Slab,
    rng: np.random.Generator,
) -> _Charge:
    """Follow slow electrons by steps until they stop or leave the slab."""
    n = len(x)
    x, y, z, energy = (np.array(a, dtype=float) for a in (x, y, z, energy))
    hit = np.asarray(hit)
    mu = rng.uniform(-1, 1, n)
    phi = rng.uniform(0, 2 * np.pi, n)
    sin = np.sqrt(1 - mu**2)
    u = np.stack([sin * np.cos(phi), sin * np.sin(phi), mu])
    parts: list[tuple[np.ndarray, ...]] = []
    step = 2.0
    for _ in range(400):
        if not len(x):
            break
        # Stopping power of silicon for electrons, keV per micrometre: 1.06 at 100 keV,
        # 0.6 at 250 keV, 0.37 at 1 MeV (NIST ESTAR), and the rise below.
        power = 0.35 + 0.72 * (energy / 100.0) ** -0.75
        lost = np.minimum(energy, power * step * rng.gamma(6.0, 1 / 6.0, len(x)))
        parts.append((x.copy(), y.copy(), z.copy(), lost * _ELECTRONS_PER_KEV, hit))
        energy = energy - lost
        # Highland's angle for one step; radiation length of silicon 93,700 um.
        mc2 = 511.0
        total = energy + mc2
        p_beta = np.maximum((total**2 - mc2**2) / total, 1e-3)
        angle = 13600.0 / p_beta * np.sqrt(step / 93700.0) * 0.75
        kick = rng.normal(size=(3, len(x))) * np.minimum(angle, 1.2)
        u = u + kick
        u /= np.sqrt((u**2).sum(axis=0))
        x = x + u[0] * step / slab.pixel_um
        y = y + u[1] * step / slab.pixel_um
        z = z + u[2] * step
        keep = (energy > 0.3) & (z > 0) & (z < slab.thickness_um)
        x, y, z, energy, hit = (a[keep] for a in (x, y, z, energy, hit))
        u = u[:, keep]
    if not parts:
        empty = np.zeros(0)
        return _Charge(empty, empty, empty, empty, np.zeros(0, int))
    return _Charge(*(np.concatenate(a) for a in zip(*parts, strict=True)))


def _collect(
    charge: _Charge, shape: tuple[int, int], slab: Slab, image: np.ndarray
) -> None:
    """Spread points of charge by diffusion and add them to the image."""
    depth = np.clip(charge.z / slab.thickness_um, 0, 1)
    sigma = slab.diffusion_um * np.maximum(np.sqrt(depth), 0.25) / slab.pixel_um
    reach = 3
    near = (charge.x > -3) & (charge.x < shape[1] + 2)
    near &= (charge.y > -3) & (charge.y < shape[0] + 2)
    x, y, sigma, electrons = (
        a[near] for a in (charge.x, charge.y, sigma, charge.electrons)
    )
    edges = np.arange(-reach, reach + 2) - 0.5
    if slab.tail_share > 0:
        tail = slab.tail_share
        x, y, sigma, electrons = (
            np.concatenate([x, x]), np.concatenate([y, y]),
            np.concatenate([sigma, _TAIL_WIDTH * sigma]),
            np.concatenate([(1 - tail) * electrons, tail * electrons]),
        )  # fmt: skip
    for start in range(0, len(x), 100_000):
        part = slice(start, start + 100_000)
        xi = np.floor(x[part] + 0.5).astype(int)
        yi = np.floor(y[part] + 0.5).astype(int)
        width = np.maximum(sigma[part], 1e-3)[:, None]
        wx = np.diff(ndtr((edges - (x[part] - xi)[:, None]) / width), axis=1)
        wy = np.diff(ndtr((edges - (y[part] - yi)[:, None]) / width), axis=1)
        values = wy[:, :, None] * wx[:, None, :] * electrons[part, None, None]
        span = np.arange(-reach, reach + 1)
        rows = np.broadcast_to((yi[:, None] + span)[:, :, None], values.shape)
        cols = np.broadcast_to((xi[:, None] + span)[:, None, :], values.shape)
        good = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        flat = rows[good] * shape[1] + cols[good]
        np.add.at(image.reshape(-1), flat, values[good])


class CosmicRayTemplates:
    """
    Real hits, cut out of real frames, to be used instead of simulated ones.

    Parameters
    ----------
    stamps : list of 2D array_like
        Electrons of one hit each, zero outside it.
    source : str, optional
        Where they come from.
    """

    def __init__(self, stamps: list[np.ndarray], source: str = '') -> None:
        if not stamps:
            msg = 'stamps is empty; no hits were found'
            raise ValueError(msg)
        self.stamps = [np.asarray(s, np.float32) for s in stamps]
        self.source = source

    def __len__(self) -> int:
        return len(self.stamps)

    @classmethod
    def from_data(cls, folder: Path, source: str) -> CosmicRayTemplates:
        """
        Read the hits of one of the real frames.

        Parameters
        ----------
        folder : `~pathlib.Path`
            The data directory, with ``hst`` and ``others`` below it.
        source : str
            ``'wfpc2'`` (NGC 4151 cut-outs), ``'uvis'`` (Pluto) or ``'lsst'`` (darks).
            Frames that serve for evaluation are not among them.

        Returns
        -------
        templates : `CosmicRayTemplates`
            Electrons.
        """
        from astrosieve_training.simulate.real_hits import real_hits

        return cls(real_hits(folder, source).stamps, source)

    def add(
        self,
        image: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """
        Add one template at each position, mirrored and turned at random.

        Parameters
        ----------
        image : 2D `~numpy.ndarray`
            Changed in place.
        x, y : (N,) array_like
            Centres.
        rng : `~numpy.random.Generator`
            Source of chance.

        Returns
        -------
        x, y, electrons, length : (N,) `~numpy.ndarray`
            Of what fell inside the image.
        """
        out = np.full((4, len(x)), np.nan)
        choice = rng.integers(len(self.stamps), size=len(x))
        turn = rng.integers(8, size=len(x))
        for i, (k, t) in enumerate(zip(choice, turn, strict=True)):
            stamp = np.rot90(self.stamps[k], t % 4)
            if t >= 4:
                stamp = stamp[:, ::-1]
            h, w = stamp.shape
            row = int(np.floor(y[i] - h / 2 + 1))
            col = int(np.floor(x[i] - w / 2 + 1))
            a, b = max(0, -row), max(0, -col)
            inside = stamp[a : max(0, image.shape[0] - row), :]
            inside = inside[:, b : max(0, image.shape[1] - col)]
            if inside.size == 0 or inside.sum() <= 0:
                out[2, i] = 0
                continue
            y0, x0 = max(row, 0), max(col, 0)
            image[y0 : y0 + inside.shape[0], x0 : x0 + inside.shape[1]] += inside
            total = inside.sum()
            out[0, i] = x0 + (inside.sum(axis=0) @ np.arange(inside.shape[1])) / total
            out[1, i] = y0 + (inside.sum(axis=1) @ np.arange(inside.shape[0])) / total
            out[2, i] = total
            out[3, i] = max(h, w)
        return out[0], out[1], out[2], out[3]


def cosmic_ray_image(
    shape: tuple[int, int],
    slab: Slab,
    rng: np.random.Generator,
    *,
    rate: float,
    exptime: float,
    site: str = 'orbit',
    tilt: float = 35.0,
    templates: CosmicRayTemplates | None = None,
    template_share: float = 0.0,
) -> CosmicRayHits:
    """
    Simulate the hits of an exposure.

    Parameters
    ----------
    shape : (int, int)
        Pixels, (ny, nx).
    slab : `Slab`
        The detector.
    rng : `~numpy.random.Generator`
        Source of chance.
    rate : float
        Hits per second and square centimetre.
    exptime : float
        Seconds.
    site : str, optional
        ``'orbit'``: an isotropic flux of protons and ions, a few slow electrons.
        ``'ground'``: muons, and as many electrons set free by radioactivity.
    tilt : float, optional
        Degrees between the detector's normal and the zenith, for the ground.
    templates : `CosmicRayTemplates`, optional
        Real hits.
    template_share : float, optional
        Share of the hits that are real ones.

    Returns
    -------
    hits : `CosmicRayHits`
        The image and the truth of each hit.
    """
    if site not in ('orbit', 'ground'):
        msg = f"site must be 'orbit' or 'ground'; got {site!r}"
        raise ValueError(msg)
    n = int(rng.poisson(expected_hits(shape, slab.pixel_um, rate, exptime)))
    n_template = int(rng.binomial(n, template_share)) if templates is not None else 0
    n -= n_template
    n_primary, n_worm, n_point = rng.multinomial(n, _SHARES[site])
    # Tracks start in a margin around the image too, so that their density inside is
    # that of the area they start in.
    area = (shape[0] + 120) * (shape[1] + 120) / (shape[0] * shape[1])
    n_started = round(n_primary * area)
    charge, length, theta, deltas = _tracks(
        n_started, shape, slab, rng, muons=site == 'ground', tilt=tilt
    )
    n_slow = n_worm + n_point
    worm_energy = np.exp(rng.uniform(np.log(60.0), np.log(900.0), n_worm))
    point_energy = np.exp(rng.uniform(np.log(1.0), np.log(40.0), n_point))
    slow = _electrons(
        rng.uniform(-0.5, shape[1] - 0.5, n_slow),
        rng.uniform(-0.5, shape[0] - 0.5, n_slow),
        rng.uniform(0, slab.thickness_um, n_slow),
        np.concatenate([worm_energy, point_energy]),
        n_started + np.arange(n_slow),
        slab,
        rng,
    )
    x0, y0, z0, energy, parent = deltas
    curls = _electrons(x0, y0, z0, energy, parent, slab, rng)
    image = np.zeros(shape)
    parts = (charge, slow, curls)
    for part in parts:
        _collect(part, shape, slab, image)
    total = n_started + n_slow
    x, y, electrons = _moments(parts, shape, total)
    lengths = np.concatenate([length, np.full(n_slow, np.nan)])
    thetas = np.concatenate([theta, np.full(n_slow, np.nan)])
    kind = np.repeat(_KINDS, (n_started, n_worm, n_point)).astype('U8')
    if n_template and templates is not None:
        extra = templates.add(
            image,
            rng.uniform(0, shape[1], n_template),
            rng.uniform(0, shape[0], n_template),
            rng,
        )
        x, y, electrons, lengths = (
            np.concatenate(pair)
            for pair in zip((x, y, electrons, lengths), extra, strict=True)
        )
        thetas = np.concatenate([thetas, np.full(n_template, np.nan)])
        kind = np.concatenate([kind, np.full(n_template, 'template')])
    inside = electrons > 0
    return CosmicRayHits(
        image.astype(np.float32),
        x[inside], y[inside], electrons[inside], lengths[inside], thetas[inside],
        kind[inside],
    )  # fmt: skip


def _moments(
    parts: tuple[_Charge, ...], shape: tuple[int, int], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the centre of charge and the charge inside the image of each hit."""
    sums = np.zeros((3, n))
    for part in parts:
        inside = (part.x >= -0.5) & (part.x < shape[1] - 0.5)
        inside &= (part.y >= -0.5) & (part.y < shape[0] - 0.5)
        hit, q = part.hit[inside], part.electrons[inside]
        sums[0] += np.bincount(hit, q, n)
        sums[1] += np.bincount(hit, q * part.x[inside], n)
        sums[2] += np.bincount(hit, q * part.y[inside], n)
    with np.errstate(invalid='ignore', divide='ignore'):
        return sums[1] / sums[0], sums[2] / sums[0], sums[0]
