"""
What shines into a spectrograph: lamps, skies, stars, galaxies and nebulae.

A source is a spectrum on a grid of wavelengths (Angstrom, rising), per Angstrom, not
yet smeared by the instrument.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from astrosieve_training.simulate.spectra.chance import log_uniform
from astrosieve_training.simulate.spectra.tables import (
    SKY_GRID,
    STAR_GRID,
    THAR_GRID,
    TRANSMISSION_GRID,
    lines,
    names,
    table,
)

__all__ = [
    'LAMPS',
    'arc_lamps',
    'black_body',
    'comb',
    'diodes',
    'extinction',
    'galaxy',
    'line_spectrum',
    'nebula',
    'night_sky',
    'quasar',
    'random_star',
    'telluric',
    'twilight',
    'wobble',
]

# What is burnt together in practice.
LAMPS: tuple[tuple[str, ...], ...] = (
    ('Ne',), ('Ar',), ('Xe',), ('He', 'Ne'), ('Ne', 'Ar'), ('Hg', 'Cd'), ('Cu', 'Ar'),
    ('He', 'Ar'), ('Hg', 'Ar'), ('Cu', 'Ne', 'Ar'), ('He', 'Ne', 'Ar'),
    ('Hg', 'Cd', 'Zn'), ('He', 'Hg', 'Cd'), ('Hg', 'Ne', 'Ar'),
    ('Ne', 'Ar', 'Kr', 'Xe'),
    ('Hg', 'Cd', 'Zn', 'Ne', 'Ar'), ('Fe', 'Ar'), ('Fe', 'Ne', 'Ar'), ('ThAr',),
)  # fmt: skip
_NEBULAR = np.array([
    [3728.3, 1.0], [3869.9, 0.3], [4341.7, 0.45], [4364.4, 0.08], [4862.7, 1.0],
    [4960.3, 1.0], [5008.2, 3.0], [5877.2, 0.12], [6302.0, 0.1], [6549.9, 0.25],
    [6564.6, 2.9], [6585.3, 0.75], [6679.9, 0.04], [6718.3, 0.4], [6732.7, 0.32],
    [7137.8, 0.15], [9071.1, 0.4], [9533.2, 1.0], [10833.3, 0.8], [12821.6, 0.15],
    [18756.1, 0.35], [21661.2, 0.03],
])  # fmt: skip
_METALS = np.array([  # wavelength, width, depth at 5800 K
    [3934.8, 9, 0.85], [3969.6, 9, 0.8], [4227.9, 2, 0.45], [4305, 12, 0.4],
    [4384.8, 3, 0.3], [5168, 5, 0.3], [5173.5, 4, 0.35], [5185, 4, 0.4],
    [5271, 4, 0.25], [5328, 3, 0.2], [5891.6, 2, 0.4], [5897.6, 2, 0.35],
    [8500.4, 4, 0.35], [8544.4, 5, 0.45], [8664.5, 5, 0.4], [4861, 4, 0.25],
    [6564.6, 4, 0.35], [3580, 30, 0.3], [3730, 25, 0.35], [3830, 20, 0.4],
])  # fmt: skip
_MOLECULES = np.array([  # band head, tail, depth at 3400 K: MgH, CaH, TiO, VO
    [4761, 120, 0.45], [4954, 150, 0.9], [5167, 170, 1.0], [5448, 150, 0.55],
    [5847, 120, 0.45], [6158, 170, 0.75], [6382, 60, 0.3], [6651, 170, 0.95],
    [6750, 130, 0.25], [7053, 200, 0.85], [7334, 120, 0.2], [7589, 180, 0.7],
    [7851, 160, 0.2], [8206, 120, 0.25], [8432, 200, 0.8], [8859, 220, 0.7],
])  # fmt: skip
_ALKALIS = np.array([  # wavelength, width, depth at 3400 K: Na, K
    [5894, 11, 1.2], [7667, 6, 0.5], [7701, 6, 0.45], [8190, 7, 0.45],
])  # fmt: skip
_HEADS = (1.0, 1.005, 1.0105)  # of a band, in units of the first
_TELLURIC = np.array([  # band head, tail, depth: O2 and water
    [6278, 12, 0.06], [6868, 14, 0.5], [6885, 25, 0.25], [7594, 12, 0.75],
    [7612, 30, 0.55], [7185, 45, 0.15], [7240, 30, 0.12], [8160, 40, 0.12],
    [8228, 45, 0.18], [8975, 70, 0.25], [9120, 90, 0.25], [9350, 110, 0.55],
    [9480, 90, 0.4],
])  # fmt: skip


def line_spectrum(
    wave: np.ndarray, where: np.ndarray, strength: np.ndarray
) -> np.ndarray:
    """
    Put lines on a grid.

    Parameters
    ----------
    wave : (N,) `~numpy.ndarray`
        Angstrom, rising.
    where, strength : (M,) `~numpy.ndarray`
        Wavelength and total of each line; those outside the grid are left out.

    Returns
    -------
    spectrum : (N,) `~numpy.ndarray`
        Each line shared between its two neighbours, so that its centre is kept.
    """
    position = np.interp(where, wave, np.arange(len(wave)), left=-1, right=-1)
    good = (position >= 0) & (position < len(wave) - 1)
    position, strength = position[good], strength[good]
    low = position.astype(int)
    share = position - low
    out = np.bincount(low, strength * (1 - share), len(wave))
    return out + np.bincount(low + 1, strength * share, len(wave))


def _rebin(wave: np.ndarray, grid: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Average a spectrum over the steps of another grid; its ends go on."""
    good = np.isfinite(flux)
    grid, flux = grid[good], flux[good]
    area = np.concatenate(
        [[0.0], np.cumsum(np.diff(grid) * (flux[1:] + flux[:-1]) / 2)]
    )
    middle = (wave[1:] + wave[:-1]) / 2
    edges = np.concatenate(
        [[2 * wave[0] - middle[0]], middle, [2 * wave[-1] - middle[-1]]]
    )
    inside = np.interp(edges, grid, area)
    inside += np.minimum(edges - grid[0], 0) * flux[0]
    inside += np.maximum(edges - grid[-1], 0) * flux[-1]
    return np.diff(inside) / np.diff(edges)


def _log_planck(wave: np.ndarray | float, temperature: float) -> np.ndarray:
    # The blue end of a lamp falls below the smallest float.
    x = np.minimum(1.4388e8 / (wave * temperature), 700)
    return -4 * np.log(wave) - np.log(np.expm1(x))


def black_body(wave: np.ndarray, temperature: float) -> np.ndarray:
    """Return photons per Angstrom of a black body, 1 at most."""
    log = _log_planck(wave, temperature)
    return np.exp(log - log.max())


def arc_lamps(
    wave: np.ndarray, elements: tuple[str, ...], rng: np.random.Generator
) -> np.ndarray:
    """
    Return the lines of lamps that burn together.

    Parameters
    ----------
    wave : (N,) `~numpy.ndarray`
        Angstrom.
    elements : tuple of str
        Names of line lists, as in ``LAMPS``.
    rng : `~numpy.random.Generator`
        Draws the strengths of the lamps, and scatters those of their lines: lists give
        what some other lamp and detector saw.

    Returns
    -------
    spectrum : (N,) `~numpy.ndarray`
        The brightest line is 1.
    """
    out = np.zeros(len(wave))
    for element in elements:
        where, strength = lines(element)
        strength = strength / np.percentile(strength, 97)
        strength = np.minimum(strength, 4.0) ** rng.uniform(0.7, 1.1)
        strength = strength * rng.lognormal(0, 0.35, len(where))
        spectrum = line_spectrum(wave, where, strength)
        if element == 'ThAr' and rng.random() < 0.5:
            spectrum = _rebin(wave, THAR_GRID, table('thar')) * np.gradient(wave)
            spectrum[(wave < THAR_GRID[0]) | (wave > THAR_GRID[-1])] = 0
        spectrum = spectrum / np.gradient(wave)
        if spectrum.max() > 0:
            out += spectrum / spectrum.max() * rng.lognormal(0, 0.7)
    return out / max(out.max(), 1e-30)


def comb(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the lines of an etalon or a comb, the brightest about 1."""
    count = int(np.exp(rng.uniform(np.log(30), np.log(400))))
    where = 1 / np.linspace(1 / wave[-1], 1 / wave[0], count)
    strength = wobble(where, rng, 5, 0.3)
    out = line_spectrum(wave, where, strength) / np.gradient(wave)
    return out / max(out.max(), 1e-30)


def diodes(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the humps of one or several light-emitting diodes, 1 at most."""
    out = np.zeros(len(wave))
    for _ in range(rng.integers(1, 6)):
        centre = rng.uniform(wave[0], wave[-1])
        width = rng.uniform(60, 500)
        out += rng.uniform(0.2, 1) * np.exp(-0.5 * ((wave - centre) / width) ** 2)
    return out / max(out.max(), 1e-30)


def night_sky(
    wave: np.ndarray, rng: np.random.Generator, *, moon: float = 0.0
) -> np.ndarray:
    """
    Return a night sky: continuum, airglow, OH, and in some places street lamps.

    Parameters
    ----------
    wave : (N,) `~numpy.ndarray`
        Angstrom.
    rng : `~numpy.random.Generator`
        Draws the site and how bright its lines are.
    moon : float, optional
        Scattered sunlight, in units of the dark continuum at 5500 Angstrom.

    Returns
    -------
    spectrum : (N,) `~numpy.ndarray`
        The dark continuum in the visible is about 1.
    """
    sky = _rebin(wave, SKY_GRID, table('sky/paranal'))
    smooth = np.minimum(sky, 3.0)
    sky = smooth + (sky - smooth) * rng.lognormal(0, 0.4)
    other = str(rng.choice(names('sky')))
    if other != 'paranal' and rng.random() < 0.6:
        flux = table(f'sky/{other}')
        seen = SKY_GRID[np.isfinite(flux)]
        inside = (wave > seen[0]) & (wave < seen[-1])
        sky[inside] = _rebin(wave, SKY_GRID, flux)[inside]
    red = wave > 9900
    if red.any():
        where, strength = lines('OH-red')
        far = where > 9900
        strength = 400 * strength[far] / np.percentile(strength[far], 95)
        oh = line_spectrum(wave, where[far], strength) / np.gradient(wave)
        sky[red] = 1.0 + oh[red] + 60 * black_body(wave, 280.0)[red]
    if rng.random() < 0.25:  # street lamps: mercury and sodium
        where = np.array([4047.7, 4359.6, 5462.3, 5771.2, 5792.3, 5684, 5891.6, 5897.6])
        strength = rng.lognormal(1.5, 1.0, len(where)) * 10
        sky += line_spectrum(wave, where, strength) / np.gradient(wave)
    return sky + moon * twilight(wave)


def telluric(wave: np.ndarray, airmass: float, water: float = 1.0) -> np.ndarray:
    """Return the transmission of oxygen and water in the air."""
    depth = np.zeros(len(wave))
    for i, (head, tail, strength) in enumerate(_TELLURIC):
        amount = strength * (water if i > 4 else 1.0)
        away = np.where(wave >= head, (wave - head) / tail, (head - wave) / 4.0)
        depth += amount * np.exp(-away)
    out = np.exp(-depth * airmass**0.6)
    red = wave > 9600
    out[red] *= _rebin(wave, TRANSMISSION_GRID, table('transmission'))[red]
    return out


def extinction(wave: np.ndarray, site: str, airmass: float) -> np.ndarray:
    """Return the transmission of the air above a site, without its bands."""
    curve = table(f'extinction/{site}')
    return 10 ** (-0.4 * airmass * np.interp(wave, curve[:, 0], curve[:, 1]))


def _absorption(wave: np.ndarray, temperature: float) -> np.ndarray:
    """Return what metals leave of a continuum."""
    cool = np.clip((7500 - temperature) / 1700, 0.05, 2.0)
    depth = np.zeros(len(wave))
    for where, width, strength in _METALS:
        depth += strength * cool / (1 + ((wave - where) / width) ** 2)
    where, strength = lines('Fe')
    blend = line_spectrum(wave, where, (strength / strength.max()) ** 0.3)
    depth += 0.5 * cool * blend / np.gradient(wave)
    return np.exp(-depth)


def _molecules(
    wave: np.ndarray, temperature: float, rng: np.random.Generator
) -> np.ndarray:
    """Return what bands of molecules, and alkalis' wings, leave below 4100 K."""
    strength = np.clip((4100 - temperature) / 700, 0, 1.7) * rng.lognormal(0, 0.3)
    depth = np.zeros(len(wave))
    for head, tail, deep in _MOLECULES:
        deep *= rng.lognormal(0, 0.3) / len(_HEADS)
        for start in head * np.array(_HEADS):
            away = wave - start
            depth += deep * np.where(away >= 0, np.exp(-np.abs(away) / tail), 0)
    for where, width, deep in _ALKALIS:
        deep *= rng.lognormal(0, 0.4)
        depth += deep / (1 + ((wave - where) / width) ** 2)
    return np.exp(-strength * depth)


def _cool_star(
    wave: np.ndarray, temperature: float, rng: np.random.Generator
) -> np.ndarray:
    light = black_body(wave, temperature) * _absorption(wave, temperature)
    return light * _molecules(wave, temperature, rng)


def random_star(
    wave: np.ndarray,
    rng: np.random.Generator,
    *,
    hot: float = 0.75,
    coolest: float = 2900.0,
    warmest: float = 7500.0,
) -> np.ndarray:
    """
    Return a star, about 1 on average.

    Parameters
    ----------
    wave : (N,) `~numpy.ndarray`
        Angstrom.
    rng : `~numpy.random.Generator`
        Draws which.
    hot : float, optional
        Chance of a spectrophotometric standard rather than a cooler star.
    coolest, warmest : float, optional
        Kelvin, of the cooler stars.
    """
    if rng.random() < hot:
        name = str(rng.choice(names('star')))
        photons = table(f'star/{name}') * STAR_GRID  # tables are in energy
        flux = _rebin(wave, STAR_GRID, photons)
        red = wave > STAR_GRID[-1]
        flux[red] *= (STAR_GRID[-1] / wave[red]) ** 3
    else:
        flux = _cool_star(wave, log_uniform(rng, coolest, warmest), rng)
    return np.maximum(flux, 0) / np.mean(flux)


def twilight(wave: np.ndarray) -> np.ndarray:
    """Return scattered sunlight, 1 at 5500 Angstrom."""
    flux = np.exp(_log_planck(wave, 5780) - _log_planck(5500.0, 5780))
    flux *= _absorption(wave, 5780) * telluric(wave, 1.2)
    return flux * (5500 / wave) ** 2


def galaxy(wave: np.ndarray, z: float, rng: np.random.Generator) -> np.ndarray:
    """Return an old or young galaxy, without emission, about 1 on average."""
    rest = wave / (1 + z)
    old = _cool_star(rest, rng.uniform(4300, 6500), rng)
    flux = old + rng.uniform(0, 1) * black_body(rest, 11000)
    step = 1 - rng.uniform(0.1, 0.5) * (rest < 4000)
    return flux * step / np.mean(flux * step)


def nebula(wave: np.ndarray, z: float, rng: np.random.Generator) -> np.ndarray:
    """Return the lines of ionised gas; the brightest on the grid is 1."""
    strength = _NEBULAR[:, 1] * rng.lognormal(0, 0.6, len(_NEBULAR))
    out = line_spectrum(wave, _NEBULAR[:, 0] * (1 + z), strength) / np.gradient(wave)
    return out / max(out.max(), 1e-30)


def quasar(wave: np.ndarray, z: float, rng: np.random.Generator) -> np.ndarray:
    """Return a power law with broad lines, about 1 on average."""
    flux = (wave / 5500) ** rng.uniform(-1.5, 0.5)
    where = np.array([1216, 1549, 1909, 2800, 4341, 4862, 5008, 6564]) * (1 + z)
    height = np.array([3, 1.2, 0.7, 0.7, 0.3, 0.7, 0.4, 1.5]) * rng.lognormal(0, 0.4, 8)
    for centre, peak in zip(where, height, strict=True):
        width = centre * rng.uniform(0.003, 0.012)
        flux = flux * (1 + peak * np.exp(-0.5 * ((wave - centre) / width) ** 2))
    forest = wave < 1216 * (1 + z)
    flux[forest] *= rng.uniform(0.3, 1.0, forest.sum())
    return flux / np.mean(flux)


def wobble(x: np.ndarray, rng: np.random.Generator, n: int, size: float) -> np.ndarray:
    """Return a smooth curve about 1 through n random knots."""
    knots = np.linspace(x.min(), x.max(), n)
    return np.maximum(CubicSpline(knots, 1 + size * rng.standard_normal(n))(x), 0.02)
