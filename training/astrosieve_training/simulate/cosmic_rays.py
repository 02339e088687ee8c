"""
Cosmic rays: charged particles that cross a slab of silicon.

Primary particles leave straight tracks; slow electrons, from Compton scattering in the
telescope or from radioactivity near the detector, leave worms and points. Their charge
spreads on its way to the gates by an amount that grows with the distance, and is
collected in pixels.

References
----------
Hit rates are about one per second and square centimetre, so that 1.5 to 3 % of the
pixels are hit in 1,000 s (ACS and WFC3 Instrument Handbooks, 'Cosmic Rays'; Miles,
Deustua, Tancredi et al. 2021, ApJ 918, 86). On the ground, at sea level: about
one muon per minute and square centimetre (Particle Data Group, Cosmic rays).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.fields import log_uniform
from astrosieve_training.simulate.particles import (
    Charge,
    slow_electrons,
    straight_tracks,
)

__all__ = [
    'CosmicRayHits',
    'CosmicRayTemplates',
    'cosmic_ray_image',
    'expected_hits',
    'heavy_particles',
]

_TAIL_WIDTH = 2.6  # how much farther the charge of the field-free layer spreads

# Shares of primary particles, worms and points.
_SHARES = {'orbit': (0.80, 0.15, 0.05), 'ground': (0.50, 0.38, 0.12)}
_KINDS = ('primary', 'worm', 'point')

_PER_MEV = 2.7e5  # electrons in silicon
_PARTS = 3000  # of a heavy particle's charge


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
        ``'primary'``, ``'worm'``, ``'point'``, ``'heavy'`` or ``'template'``.
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


def _collect(
    charge: Charge, shape: tuple[int, int], slab: Slab, image: np.ndarray
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
    charge, length, theta, deltas = straight_tracks(
        n_started, shape, slab, rng, muons=site == 'ground', tilt=tilt
    )
    n_slow = n_worm + n_point
    worm_energy = np.exp(rng.uniform(np.log(60.0), np.log(900.0), n_worm))
    point_energy = np.exp(rng.uniform(np.log(1.0), np.log(40.0), n_point))
    slow = slow_electrons(
        rng.uniform(-0.5, shape[1] - 0.5, n_slow),
        rng.uniform(-0.5, shape[0] - 0.5, n_slow),
        rng.uniform(0, slab.thickness_um, n_slow),
        np.concatenate([worm_energy, point_energy]),
        n_started + np.arange(n_slow),
        slab,
        rng,
    )
    x0, y0, z0, energy, parent = deltas
    curls = slow_electrons(x0, y0, z0, energy, parent, slab, rng)
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


def heavy_particles(
    shape: tuple[int, int], n: int, rng: np.random.Generator
) -> CosmicRayHits:
    """
    Simulate what alpha particles and heavy nuclei leave in silicon.

    A tenth of a MeV to six within so few micrometres that the charge drives itself
    apart, to a round blob as wide as stars and without their wings (Estrada et al.
    2011, arXiv:1105.3229); of nuclei that pass aslant a short thick track.

    Parameters
    ----------
    shape : (int, int)
        Pixels, (ny, nx).
    n : int
        How many.
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    hits : `CosmicRayHits`
        The image and the truth of each hit that left charge inside it.
    """
    ny, nx = shape
    image = np.zeros(shape, np.float32)
    found = np.full((4, n), np.nan)
    for i in range(n):
        energy, radius = log_uniform(rng, 0.1, 6), log_uniform(rng, 0.5, 2.5)
        length = log_uniform(rng, 1, 25) if rng.random() < 0.3 else 0.0
        turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.8, 1)
        along = rng.normal(0, radius, _PARTS) + length * rng.uniform(-0.5, 0.5, _PARTS)
        across = rng.normal(0, radius * ratio, _PARTS)
        x = rng.uniform(0, nx) + along * np.cos(turn) - across * np.sin(turn)
        y = rng.uniform(0, ny) + along * np.sin(turn) + across * np.cos(turn)
        at = np.rint([y, x]).astype(int)
        inside = ((at >= 0) & (at < [[ny], [nx]])).all(axis=0)
        part = energy * _PER_MEV / _PARTS
        np.add.at(image, tuple(at[:, inside]), part)
        found[2:, i] = part * inside.sum(), length
        if inside.any():
            found[:2, i] = x[inside].mean(), y[inside].mean()
    x, y, electrons, length = found[:, found[2] > 0]
    return CosmicRayHits(
        image, x, y, electrons, length, np.full(len(x), np.nan),
        np.full(len(x), 'heavy'),
    )  # fmt: skip


def _moments(
    parts: tuple[Charge, ...], shape: tuple[int, int], n: int
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
