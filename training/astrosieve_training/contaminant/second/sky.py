"""Light that covers much of an image: the sky, nebulae, fringes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from astrosieve_training.contaminant.second.fields import (
    coordinates,
    random_field,
    step,
)

__all__ = ['draw_fringes', 'draw_nebula', 'draw_sky']

Shape = tuple[int, int]


def draw_sky(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw how bright the sky is over the image: 1, with a slope and slow waves."""
    ny, nx = shape
    y, x = coordinates(shape)
    turn, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.01, 0.12)
    along = (x - nx / 2) * np.cos(turn) + (y - ny / 2) * np.sin(turn)
    return 1 + slope * along / max(shape) + 0.015 * random_field(rng, shape, 5)


def _filigree(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return thin ridges: where a random field changes its sign."""
    field = random_field(rng, shape, 2.8, 0.004)
    return np.clip(1 - np.abs(field) / 0.35, 0, None) ** 1.5


def _extent(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return where there is a nebula, between 0 and 1."""
    return step(0.25 - 1.3 * random_field(rng, shape, 5), 1 / 2.2)


def _emission(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return glowing gas with ridges, and dust before it."""
    clouds = np.exp(0.75 * random_field(rng, shape, 3.2))
    dust = step(1.1 - random_field(rng, shape, 3), 0.2)
    glow = _extent(rng, shape) * clouds * (1 + 1.4 * _filigree(rng, shape))
    return glow * (1 - 0.75 * dust)


def _cirrus(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return wisps of dust that reflects the Galaxy's light."""
    haze = 0.25 * np.exp(0.5 * random_field(rng, shape, 3.2))
    where = np.clip(random_field(rng, shape, 4) + 0.8, 0, None)
    return _extent(rng, shape) ** 2 * (haze + _filigree(rng, shape) * where)


def _shell(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return a planetary nebula: a shell, its filling, a halo."""
    ny, nx = shape
    side = min(shape)
    rows, columns = coordinates(shape)
    x, y = nx * rng.uniform(0.35, 0.65), ny * rng.uniform(0.35, 0.65)
    radius = side * rng.uniform(0.2, 0.33)
    dx, dy = columns - x, rows - y
    clouds = random_field(rng, shape, 3.2)
    away = np.hypot(dx, dy / rng.uniform(0.75, 1)) * (1 + 0.07 * clouds)
    width = 0.07 * side * (away < radius) + 0.025 * side
    uneven = 1 + 0.5 * np.cos(np.arctan2(dy, dx) - rng.uniform(0, 6))
    shell = np.exp(-0.5 * ((away - radius) / width) ** 2) * uneven
    filling = 0.35 * (1 + 0.3 * clouds) * step(away - radius, 0.02 * side)
    halo = 0.06 * np.exp(-away / (0.8 * radius)) * np.exp(0.4 * clouds)
    return shell * (1 + _filigree(rng, shape)) + filling + halo


def _filaments(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return four shocks, sharp on one side, as remnants of supernovae have them."""
    ny, nx = shape
    side = min(shape)
    y, x = coordinates(shape)
    total = np.zeros(shape)
    start = rng.uniform(0, np.pi)
    for _ in range(4):
        turn = start + rng.normal(0, 0.25)
        cos, sin = np.cos(turn), np.sin(turn)
        along = (x - nx / 2) * cos + (y - ny / 2) * sin
        away = (y - ny / 2) * cos - (x - nx / 2) * sin + rng.normal(0, 0.25) * side
        away = away + 0.04 * side * random_field(rng, shape, 4.5)
        width = rng.uniform(1.5, 6)
        behind = np.exp(-np.maximum(away, 0) / (6 * width))
        before = np.exp(-0.5 * (away / width) ** 2)
        ends = np.exp(-0.5 * ((along - rng.normal(0, 0.2) * side) / (0.35 * side)) ** 2)
        total += rng.uniform(0.4, 1) * np.where(away > 0, behind, before) * ends
    return total * np.exp(0.35 * random_field(rng, shape, 3.2))


def _reflection(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return dust about a star."""
    ny, nx = shape
    y, x = coordinates(shape)
    away = np.hypot(x - nx * rng.uniform(0.25, 0.75), y - ny * rng.uniform(0.25, 0.75))
    clouds = np.exp(0.5 * random_field(rng, shape, 3.2))
    return (
        np.exp(-away / (0.14 * min(shape))) * clouds * (1 + 0.6 * _filigree(rng, shape))
    )


_NEBULAE: dict[str, Callable[[np.random.Generator, Shape], np.ndarray]] = {
    'emission': _emission,
    'cirrus': _cirrus,
    'shell': _shell,
    'filaments': _filaments,
    'reflection': _reflection,
}


def draw_nebula(rng: np.random.Generator, shape: Shape, kind: str) -> np.ndarray:
    """
    Draw a nebula.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Of the image.
    kind : str
        'emission', 'cirrus', 'shell', 'filaments' or 'reflection'.

    Returns
    -------
    light : 2D `~numpy.ndarray`
        1 where it is bright, 0 where it is faintest.
    """
    light = _NEBULAE[kind](rng, shape)
    light = np.clip(light - np.percentile(light, 3), 0, None)
    return light / np.percentile(light, 99.5)


def draw_fringes(
    rng: np.random.Generator, shape: Shape, waves: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw the interference of sky lines in a detector of uneven thickness.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Of the image.
    waves : float
        Number over the image, for the strongest of four lines.

    Returns
    -------
    fringes, envelope : 2D `~numpy.ndarray`
        Of mean about 0, and their amplitude, 1 in the median.
    """
    y, x = (at / max(shape) - 0.5 for at in coordinates(shape))
    thickness = random_field(rng, shape, 5.5)
    thickness = thickness / np.ptp(thickness) + rng.normal(0, 0.35) * (x**2 + y**2)
    thickness = thickness + rng.normal(0, 0.25) * x + rng.normal(0, 0.25) * y
    thickness = waves * thickness / np.ptp(thickness)
    lines = zip(
        (1, 0.7, 0.45, 0.3), (1, 1.045, 0.93, 1.12), rng.uniform(0, 6, 4), strict=True
    )
    fringes = np.zeros(shape)
    for strength, frequency, phase in lines:
        fringes += strength * np.cos(2 * np.pi * frequency * thickness + phase)
    fringes += 0.15 * np.sin(2 * fringes)
    envelope = np.sqrt(2 * gaussian_filter(fringes**2, max(shape) / 14))
    usual = np.median(envelope)
    return fringes / usual, envelope / usual
