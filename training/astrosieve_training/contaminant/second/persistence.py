"""What an array remembers of light of earlier exposures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from astrosieve_training.contaminant.second.fields import coordinates
from astrosieve_training.contaminant.second.trails import draw_trail

__all__ = ['draw_persistence']

Shape = tuple[int, int]


def _blob(shape: Shape, x: float, y: float, radius: float, power: float) -> np.ndarray:
    """Return a star of another exposure, flat within: what was full remembers alike."""
    rows, columns = coordinates(shape)
    return 1 / (1 + (np.hypot(columns - x, rows - y) / radius) ** power)


def _blobs(rng: np.random.Generator, shape: Shape, fwhm: float) -> np.ndarray:
    """Return 4 to 9 stars of another field."""
    ny, nx = shape
    total = np.zeros(shape)
    for _ in range(rng.integers(4, 10)):
        x, y = rng.uniform(0, nx), rng.uniform(0, ny)
        radius = rng.uniform(1.2, 4.5) * max(1.0, fwhm / 2)
        total += rng.uniform(0.12, 1) ** 1.3 * _blob(shape, x, y, radius, 5)
    return total


def _dithers(rng: np.random.Generator, shape: Shape, fwhm: float) -> np.ndarray:
    """Return stars of four earlier dithers of the same field, the older the fainter."""
    ny, nx = shape
    total = np.zeros(shape)
    step_x, step_y = rng.uniform(-25, 25, 2)
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(0, nx), rng.uniform(0, ny)
        radius = rng.uniform(1.5, 5) * max(1.0, fwhm / 2.5)
        for age in range(4):
            jitter_x, jitter_y = rng.normal(0, 1, 2)
            total += 0.6**age * _blob(
                shape, x + age * step_x + jitter_x, y + age * step_y + jitter_y,
                radius, 4.5,
            )  # fmt: skip
    return total


def _spectra(rng: np.random.Generator, shape: Shape, fwhm: float) -> np.ndarray:
    """Return grism spectra, first orders nearly along the rows with their zeroth."""
    ny, nx = shape
    rows, columns = coordinates(shape)
    total = np.zeros(shape)
    for _ in range(rng.integers(3, 7)):
        x, y = rng.uniform(-20, 0.8 * nx), rng.uniform(0, ny)
        length, width = rng.uniform(90, 150), rng.uniform(0.9, 1.8)
        bright = rng.uniform(0.25, 1)
        away = columns - x
        slit = np.exp(-0.5 * ((rows - y - 0.006 * away) / width) ** 2)
        ends = (np.tanh(away / 4) - np.tanh((away - length) / 4)) / 2
        color = 0.55 + 0.45 * np.sin(2.6 * np.clip(away / length, 0, 1))
        total += bright * slit * ends * color
        zeroth = (away + 1.2 * length) ** 2 / 9 + (rows - y) ** 2 / 4
        total += bright * np.exp(-0.5 * zeroth)
    return total


def _trail(rng: np.random.Generator, shape: Shape, fwhm: float) -> np.ndarray:
    """Return a satellite of an earlier exposure."""
    strength = np.exp(rng.normal(0, 0.2))
    return np.clip(draw_trail(rng, shape, 'steady', 1.3 * fwhm) * strength, 0, 1)


_KINDS: dict[str, Callable[[np.random.Generator, Shape, float], np.ndarray]] = {
    'blobs': _blobs,
    'dithers': _dithers,
    'spectra': _spectra,
    'trail': _trail,
}


def draw_persistence(
    rng: np.random.Generator, shape: Shape, kind: str, fwhm: float
) -> np.ndarray:
    """
    Draw persistence of one kind.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Of the image.
    kind : str
        'blobs', 'dithers', 'spectra' or 'trail'.
    fwhm : float
        Of a star, pixels.

    Returns
    -------
    charge : 2D `~numpy.ndarray`
        About 1 where it is strong.
    """
    return _KINDS[kind](rng, shape, fwhm)
