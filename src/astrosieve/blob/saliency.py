"""Which pixels a blob was found by: parts are covered, and the answer asked again."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np

from astrosieve.blob.find import find_blobs
from astrosieve.exceptions import AstrosieveError
from astrosieve.models.registry import Model

__all__ = ['HALF', 'saliency', 'saliency_levels']

HALF = 32
"""Half of the side of the picture, pixels."""
_AROUND = 64  # half of the side of what the network sees
_SMALLEST = 8  # side of what is covered, pixels, and 5/2 of the radius at least
_LEAST = 0.01  # probability that a blob which is not found any more has, at most
_SAME = 8.0  # pixels within which it is the same blob


def saliency(
    data: np.ndarray,
    x: float,
    y: float,
    radius: float,
    *,
    model: Model | str = 'blob',
) -> np.ndarray:
    """
    Return by how much a blob's probability falls where parts of it are covered.

    Squares a little larger than the blob are set to zero, half a square apart; the
    gradient of the network is not needed.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        Difference image.
    x, y, radius : float
        The blob, pixels.
    model : `~astrosieve.models.registry.Model` or str, optional
        The network.

    Returns
    -------
    fall : (64, 64) float32 `~numpy.ndarray`
        Fall of the logit of ``p_blob`` about the rounded position, mean over the
        squares that cover a pixel. Zero beyond the image.
    """
    column, row = round(x), round(y)
    top, left = max(row - _AROUND, 0), max(column - _AROUND, 0)
    cutout = data[top : row + _AROUND, left : column + _AROUND]
    at = (x - left, y - top)
    whole = _logit(cutout, at, model)
    fall = np.zeros((2 * HALF, 2 * HALF), dtype=np.float32)
    times = np.zeros_like(fall)
    patch = max(round(2.5 * radius), _SMALLEST)
    starts = range(-HALF - patch // 2, HALF, max(patch // 2, 6))
    for dy, dx in product(starts, starts):
        y0, x0 = row - top + dy, column - left + dx
        box = tuple(slice(max(k, 0), max(k + patch, 0)) for k in (y0, x0))
        if not cutout[box].size:
            continue
        covered = cutout.copy()
        covered[box] = np.where(np.isnan(covered[box]), np.nan, 0)
        there = tuple(
            slice(max(k + HALF, 0), max(k + HALF + patch, 0)) for k in (dy, dx)
        )
        fall[there] += whole - _logit(covered, at, model)
        times[there] += 1
    rows, columns = (
        (k - HALF + np.arange(2 * HALF) >= 0) & (k - HALF + np.arange(2 * HALF) < n)
        for k, n in zip((row, column), data.shape, strict=True)
    )
    return fall / np.maximum(times, 1) * np.outer(rows, columns)


def _logit(cutout: np.ndarray, at: tuple[float, float], model: Model | str) -> float:
    """Return the logit of the blob at a position."""
    p = _LEAST
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of what is cut out of an image
        try:
            blobs = find_blobs(cutout, model=model, min_probability=_LEAST)
        except AstrosieveError:  # nothing is left to look at
            blobs = None
    if blobs is not None and len(blobs):
        away = np.hypot(np.asarray(blobs['x']) - at[0], np.asarray(blobs['y']) - at[1])
        near = np.asarray(blobs['p_blob'], dtype=float)[away < _SAME]
        p = float(np.clip(near.max(initial=_LEAST), _LEAST, 1 - 1e-6))
    return float(np.log(p / (1 - p)))


def saliency_levels(fall: np.ndarray) -> np.ndarray:
    """Return grey levels of a map, the first row on top, white what counts most."""
    top = max(float(fall.max(initial=0)), 1e-6)
    return np.rint(255 * np.clip(fall[::-1] / top, 0, 1)).astype(np.uint8)
