"""Coordinates, random fields and profiles that several phenomena share."""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = ['coordinates', 'moffat', 'random_field', 'step']


def coordinates(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(y, x)`` of the pixels, a column and a row to be broadcast."""
    ny, nx = shape
    return np.arange(ny, dtype=float)[:, None], np.arange(nx, dtype=float)[None]


def moffat(radius: np.ndarray, fwhm: float, beta: float) -> np.ndarray:
    """Return a Moffat profile of height 1."""
    profile = radius / float(fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1)))
    profile *= profile  # in place: on the fine grid each copy takes time
    profile += 1
    profile **= -beta
    return profile


def step(distance: np.ndarray, softness: float) -> np.ndarray:
    """Return 1 where the distance to an edge is well below 0, and 0 well above."""
    return 1 / (1 + np.exp(np.clip(distance / softness, -50, 50)))


def random_field(
    rng: np.random.Generator, shape: tuple[int, int], slope: float, lowest: float = 0.0
) -> np.ndarray:
    """
    Return a Gaussian random field with a power law for its spectrum.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws it.
    shape : (int, int)
        Of the image, (ny, nx).
    slope : float
        By which power of the frequency its power falls.
    lowest : float, optional
        Frequency, cycles per pixel, below which it stops rising.

    Returns
    -------
    field : 2D float32 `~numpy.ndarray`
        Of mean 0 and standard deviation 1.
    """
    side = 2 * max(shape)  # twice the image, so that its edges do not match
    frequency = np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    weight = ((frequency + lowest) ** (-slope / 2)).astype(np.float32)
    noise = rng.standard_normal((side, side), dtype=np.float32)
    field = fft.irfft2(fft.rfft2(noise) * weight, (side, side))[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / field.std())
