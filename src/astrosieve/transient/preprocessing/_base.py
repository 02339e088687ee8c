"""Stamps of candidates, and what is measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from astrosieve.models.inputs import Batch, Preprocessing

__all__ = ['Kind', 'Levels', 'StampPreprocessing', 'Stamps', 'measure_levels']

Kind = Literal['triplet', 'bands']

_NO_PIXEL = 1e30  # what is as large stands for a pixel without a value
_SAMPLE = 4000  # pixels that tell level and noise well enough
_QUARTILE = 0.67449  # standard deviations between the quartile of noise and its median
_MEAN_DEVIATION = 0.79788  # mean deviation of noise, standard deviations


@dataclass(frozen=True, eq=False)
class Stamps:
    """
    Stamps of one size about candidates.

    Parameters
    ----------
    planes : (N, 3, ny, nx) float32 `~numpy.ndarray`
        Of a triplet science, template, difference; else differences in three bands.
        Any unit and pedestal, of each plane its own. NaN where a pixel is not usable,
        everywhere where a plane is missing. The candidate is at (ny // 2, nx // 2),
        or within 2 pixels of it.
    kind : {'triplet', 'bands'}
        Which.
    fwhm : (N,) `~numpy.ndarray`, optional
        FWHM of the PSF, pixels; NaN where it is not known, and is measured.
    white : float, optional
        Largest value that pixels of pictures can have, 255 of those of 8 bits.
    """

    planes: np.ndarray
    kind: Kind = 'triplet'
    fwhm: np.ndarray | None = None
    white: float | None = None

    def __len__(self) -> int:
        return len(self.planes)


@dataclass(frozen=True, eq=False)
class Levels:
    """
    Level and noise of planes.

    Parameters
    ----------
    usable : (N, B, ny, nx) bool `~numpy.ndarray`
        Pixels that have a value.
    there : (N, B) bool `~numpy.ndarray`
        Planes that hold something: pixels which are not all the same.
    level, noise : (N, B) float32 `~numpy.ndarray`
        Median, and standard deviation; 0 and 1 of planes that are missing.
    """

    usable: np.ndarray
    there: np.ndarray
    level: np.ndarray
    noise: np.ndarray

    def signal(self, planes: np.ndarray) -> np.ndarray:
        """Return planes over their noise, 0 where pixels are not usable."""
        signal = planes - self.level[..., None, None]
        signal[~(self.usable & self.there[..., None, None])] = 0
        signal /= self.noise[..., None, None]
        return signal


class StampPreprocessing(Preprocessing, Protocol):
    """What turns stamps into the inputs of a network."""

    def __call__(self, stamps: Stamps) -> Batch:
        """Return the inputs, a row for each candidate."""


def _quartiles(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return the three quartiles of rows of (M, n) values, (M, 3); NaN of none."""
    found = np.full((len(values), 3), np.nan, dtype=np.float32)
    inside = np.where(usable, values, np.inf)
    inside.sort(axis=1)
    last = usable.sum(axis=1) - 1
    some = last >= 0
    at = (np.array([0.25, 0.5, 0.75]) * last[some, None]).astype(int)
    found[some] = np.take_along_axis(inside[some], at, axis=1)
    return found


def measure_levels(stamps: Stamps) -> Levels:
    """
    Measure level and noise of each plane.

    The noise is the distance of the median from the lower quartile, which sources
    move little; of differences, which have sources of both signs, half of that between
    the quartiles.

    Parameters
    ----------
    stamps : `Stamps`
        Stamps.

    Returns
    -------
    levels : `Levels`
    """
    planes = stamps.planes
    n, n_planes = planes.shape[:2]
    flat = planes.reshape(n * n_planes, np.prod(planes.shape[2:], dtype=int))
    usable = np.abs(flat) < _NO_PIXEL
    step = max(flat.shape[1] // _SAMPLE, 1)
    low, middle, high = _quartiles(flat[:, ::step], usable[:, ::step]).T
    differs = np.ones((n, n_planes), dtype=bool)
    if stamps.kind == 'triplet':
        differs[:, :2] = False
    width = np.where(differs.ravel(), (high - low) / 2, middle - low)
    noise = width / _QUARTILE
    # Of pixels of few levels, as pictures have them, the quartiles are often the same.
    for row in np.flatnonzero(~(noise > 0) & np.isfinite(middle)):
        inside = flat[row, usable[row]].astype(np.float64)
        noise[row] = np.abs(inside - middle[row]).mean() / _MEAN_DEVIATION
    there = np.isfinite(noise) & (noise > 0)
    level = np.where(there, middle, 0).astype(np.float32)
    noise = np.where(there, noise, 1).astype(np.float32)
    shape = (n, n_planes)
    return Levels(
        usable.reshape(planes.shape),
        there.reshape(shape),
        level.reshape(shape),
        noise.reshape(shape),
    )
