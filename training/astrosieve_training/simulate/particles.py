"""
Charged particles in silicon: where they set how many electrons free.

A flux that is isotropic reaches a surface with a distribution of angles proportional
to cos(theta) sin(theta). Each particle loses energy along its straight path by steps
with the straggling of Landau, sets free delta electrons, and may stop. Slow electrons
wander by multiple scattering.

References
----------
Landau straggling: Particle Data Group, Passage of particles through matter, eq. 34.12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve_training.simulate.detector import Slab

__all__ = ['Charge', 'sample_directions', 'slow_electrons', 'straight_tracks']

# Silicon: electrons set free per keV, Landau's xi in keV per micrometre for a singly
# charged particle at beta = 1, mean excitation energy in keV.
_ELECTRONS_PER_KEV = 1 / 0.00365
_XI = 0.0178
_EXCITATION = 0.173
_DELTA_CUT = 25.0  # keV, above which a delta electron is followed by itself


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
class Charge:
    """Points of charge: position in pixels, height in the slab, electrons, hit."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    electrons: np.ndarray
    hit: np.ndarray


def straight_tracks(
    n: int,
    shape: tuple[int, int],
    slab: Slab,
    rng: np.random.Generator,
    *,
    muons: bool,
    tilt: float,
) -> tuple[Charge, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
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
    charge = Charge(
        x[alive], y[alive], z[alive], loss[alive] * _ELECTRONS_PER_KEV, owner[alive]
    )
    length = path * sin_theta / slab.pixel_um
    deltas = (x[delta], y[delta], z[delta], delta_energy, owner[delta])
    return charge, length, np.arccos(cos_theta), deltas


def slow_electrons(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    energy: np.ndarray,
    hit: np.ndarray,
    slab: Slab,
    rng: np.random.Generator,
) -> Charge:
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
        return Charge(empty, empty, empty, empty, np.zeros(0, int))
    return Charge(*(np.concatenate(a) for a in zip(*parts, strict=True)))
