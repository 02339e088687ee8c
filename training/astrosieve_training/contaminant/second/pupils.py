"""Diffraction images of telescopes in space, their spikes apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from astrosieve_training.contaminant.second.fields import moffat
from astrosieve_training.contaminant.second.instruments import SpaceOptics
from astrosieve_training.contaminant.second.sampling import (
    OVERSAMPLING,
    SIDE,
    fine_grid,
)

__all__ = ['diffraction_image']

_WAVELENGTHS = 11  # across the filter
_WAVEFRONT = 0.06  # waves: root of the summed squares of the aberrations
_TYPICAL = (0.5, 1, 1, 0.7, 0.7, 0.3, 0.5)  # of the aberrations, relative to each other
_SCATTERED = 0.015  # share of the light


def _arm(x: np.ndarray, y: np.ndarray, degrees: float, half: float) -> np.ndarray:
    """Return where a strut from the middle outwards hides the pupil."""
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    return (np.abs(y * cos - x * sin) < half) & (x * cos + y * sin > 0)


def _hst(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Return HST's pupil: a cross of vanes, and the pads that hold the mirror."""
    square = x**2 + y**2
    pupil = (square < 1) & (square > 0.33**2)
    pupil &= (np.abs(x) > half) & (np.abs(y) > half)
    for degrees in (90, 210, 330):
        pad_x = 0.9 * math.cos(math.radians(degrees))
        pad_y = 0.9 * math.sin(math.radians(degrees))
        pupil &= (x - pad_x) ** 2 + (y - pad_y) ** 2 > 0.07**2
    return pupil


def _euclid(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Return Euclid's pupil: three struts."""
    square = x**2 + y**2
    pupil = (square < 1) & (square > 0.36**2)
    for degrees in (20, 140, 260):
        pupil &= ~_arm(x, y, degrees, 1.2 * half)
    return pupil


def _jwst(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Return JWST's pupil: 18 hexagons with gaps between, three struts."""
    pupil = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    pitch, inner = 0.4, 0.196  # from flat to flat, and half of a mirror's own
    for i in range(-2, 3):
        for j in range(-2, 3):
            if abs(i + j) > 2 or i == j == 0:
                continue
            up = np.abs(y - pitch * (i + j / 2))  # flats above and below
            aside = np.abs(x - pitch * j * np.sqrt(3) / 2)
            pupil |= (up < inner) & (up / 2 + aside * np.sqrt(3) / 2 < inner)
    for degrees in (90, 240, 300):
        pupil &= ~_arm(x, y, degrees, 0.8 * half)
    return pupil


_Pupil = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
_PUPILS: dict[str, tuple[_Pupil, tuple[float, ...]]] = {
    'hst': (_hst, (0, 90)),
    'euclid': (_euclid, (110, 50, 170)),
    'jwst': (_jwst, (30, 90, 150, 0)),
}
"""And the directions of their spikes, degrees; each has two arms."""


def _phase(x: np.ndarray, y: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Return defocus, astigmatism, coma, spherical aberration and trefoil, radians."""
    square = x**2 + y**2
    shapes = (
        2 * square - 1,
        x**2 - y**2,
        2 * x * y,
        (3 * square - 2) * x,
        (3 * square - 2) * y,
        6 * square**2 - 6 * square + 1,
        (x**2 - 3 * y**2) * x,
    )
    total = np.zeros_like(square)
    for term, shape in zip(terms, shapes, strict=True):
        total += term * shape
    return total


def _add_monochromatic(
    image: np.ndarray,
    work: np.ndarray,
    optics: SpaceOptics,
    scale: float,
    terms: np.ndarray,
    wave: float,
) -> None:
    """
    Add the Fraunhofer image at one wavelength, its middle in the corner.

    The pupil's diameter in samples sets the wavelength, and its phase goes with the
    inverse of that. All wavelengths have the same light.
    """
    pupil_of, _ = _PUPILS[optics.pupil]
    diameter = SIDE / (OVERSAMPLING * scale * wave)
    half = int(0.62 * diameter) + 2
    at = np.arange(-half, half + 1, dtype=np.float32) / np.float32(diameter / 2)
    across, down = at[None], at[:, None]
    turn = math.radians(optics.angle)
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = cos * across + sin * down, cos * down - sin * across
    pupil = pupil_of(x, y, max(0.022, 1.5 / diameter))
    work[:] = 0
    field = np.exp(1j * _phase(x[pupil], y[pupil], terms / wave))
    work[: len(at), : len(at)][pupil] = field / math.sqrt(len(field))
    work[: len(at)] = fft.fft(work[: len(at)], axis=1, overwrite_x=True)
    parts = fft.fft(work, axis=0, overwrite_x=True).view(np.float32)
    parts *= parts
    image += parts[:, ::2]
    image += parts[:, 1::2]


def _spikes(image: np.ndarray, optics: SpaceOptics, scale: float) -> np.ndarray:
    """
    Return the part of a star's light that is in its spikes.

    Those are what exceeds 1.25 times the median of the ring, in narrow sectors about
    the directions across struts and edges, outside of the innermost rings.
    """
    grid = fine_grid()
    values = image.ravel()[grid.order]
    medians = np.array(
        [
            np.median(values[start:stop]) if stop > start else 0.0
            for start, stop in zip(grid.edges[:-1], grid.edges[1:], strict=True)
        ]
    )
    smooth = gaussian_filter1d(medians, 1.0).astype(np.float32)
    narrow = 1.6 * OVERSAMPLING * max(1.0, scale)
    wide = np.maximum(narrow, 0.035 * grid.radius)
    near = np.zeros(image.shape, bool)
    for degrees in _PUPILS[optics.pupil][1]:
        turn = math.radians(degrees + optics.angle)
        near |= np.abs(grid.y * math.cos(turn) - grid.x * math.sin(turn)) < wide
    near &= grid.radius > 3.2 * scale * OVERSAMPLING
    spikes = np.zeros_like(image)
    spikes[near] = np.clip(image[near] - 1.25 * smooth[grid.rings[near]], 0, None)
    return spikes


def diffraction_image(
    rng: np.random.Generator, optics: SpaceOptics
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw a star as a telescope in space shows it.

    The pupil with its struts and small aberrations, over all wavelengths of a filter,
    blurred by the pointing; scattered light lies around.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws the aberrations, and the wavelength within 5 %.
    optics : `~astrosieve_training.contaminant.second.instruments.SpaceOptics`
        Of the telescope.

    Returns
    -------
    body, spikes : 2D float32 `~numpy.ndarray`
        Shares of the light on the fine grid, 1 together.
    """
    grid = fine_grid()
    scale = float(optics.scale * rng.uniform(0.95, 1.05))
    terms = rng.normal(0, 1, len(_TYPICAL)) * np.array(_TYPICAL)
    terms *= 2 * np.pi * _WAVEFRONT / np.sqrt((terms**2).sum())
    image = np.zeros((SIDE, SIDE), np.float32)
    work = np.zeros((SIDE, SIDE), np.complex64)
    waves = np.linspace(1 - optics.band, 1 + optics.band, _WAVELENGTHS)
    for wave in map(float, waves):
        _add_monochromatic(image, work, optics, scale, terms.astype(np.float32), wave)
    image = gaussian_filter(fft.fftshift(image), optics.jitter * OVERSAMPLING)
    image *= grid.taper
    image *= (1 - _SCATTERED) / image.sum()
    around = moffat(grid.radius, 14 * scale * OVERSAMPLING, 1.5)
    around *= grid.taper
    around *= _SCATTERED / around.sum()
    image += around
    spikes = _spikes(image, optics, scale)
    image -= spikes
    return image, spikes
