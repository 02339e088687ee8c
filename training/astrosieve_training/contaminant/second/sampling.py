"""The fine grid on which stars are drawn, and what an image's pixels take of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ['OVERSAMPLING', 'REACH', 'SIDE', 'Grid', 'cutout', 'fine_grid']

OVERSAMPLING = 4  # samples a pixel
SIDE = 2048  # samples
REACH = 252  # pixels: how far from a star its light is drawn


@dataclass(frozen=True, eq=False)
class Grid:
    """
    Coordinates of the samples, in samples from the middle, and their order by radius.

    Parameters
    ----------
    y, x : (SIDE, 1), (1, SIDE) float32 `~numpy.ndarray`
        Rows and columns.
    radius : 2D float32 `~numpy.ndarray`
        Distance to the middle.
    taper : 2D float32 `~numpy.ndarray`
        1 within, 0 at the edge: lets light end softly before the grid does.
    rings : 2D int32 `~numpy.ndarray`
        Radius in half pixels, rounded down.
    order : 1D int32 `~numpy.ndarray`
        Flat indices, innermost ring first.
    edges : 1D `~numpy.ndarray`
        Where in that order each ring begins, and the last one ends.
    """

    y: np.ndarray
    x: np.ndarray
    radius: np.ndarray
    taper: np.ndarray
    rings: np.ndarray
    order: np.ndarray
    edges: np.ndarray


@cache
def fine_grid() -> Grid:
    """Return the grid, made on first use."""
    at = np.arange(SIDE, dtype=np.float32) - SIDE // 2
    y, x = at[:, None], at[None]
    radius = np.hypot(x, y)
    outer = np.clip((radius / (SIDE / 2 - 12) - 0.75) / 0.25, 0, 1)
    taper = (1 + np.cos(np.float32(np.pi) * outer)) / 2
    rings = (radius / OVERSAMPLING * 2).astype(np.int32)
    order = np.argsort(rings.ravel(), kind='stable').astype(np.int32)
    edges = np.concatenate([[0], np.cumsum(np.bincount(rings.ravel()))])
    return Grid(y, x, radius, taper, rings, order, edges)


def cutout(
    plane: np.ndarray, x: float, y: float, reach: int, shape: tuple[int, int]
) -> tuple[np.ndarray, tuple[slice, slice]] | None:
    """
    Return what pixels take of a star on the fine grid.

    Parameters
    ----------
    plane : (SIDE, SIDE) `~numpy.ndarray`
        A star in the middle.
    x, y : float
        Where it is in the image, rounded to a sample.
    reach : int
        Pixels to each side, `REACH` at most.
    shape : (int, int)
        Of the image.

    Returns
    -------
    pixels, where : 2D `~numpy.ndarray`, (slice, slice)
        Sums over the pixels' samples, and the part of the image that they are in; None
        where the star does not touch the image.
    """
    column, row = round(x), round(y)
    left, right = max(column - reach, 0), min(column + reach + 1, shape[1])
    bottom, top = max(row - reach, 0), min(row + reach + 1, shape[0])
    if left >= right or bottom >= top:
        return None
    # A pixel's middle lies between its second and its third sample.
    before = (OVERSAMPLING - 1) / 2
    a = SIDE // 2 + round((bottom - y) * OVERSAMPLING - before)
    b = SIDE // 2 + round((left - x) * OVERSAMPLING - before)
    height, width = top - bottom, right - left
    samples = plane[a : a + OVERSAMPLING * height, b : b + OVERSAMPLING * width]
    blocks = samples.reshape(height, OVERSAMPLING, width, OVERSAMPLING)
    return blocks.sum((1, 3)), (slice(bottom, top), slice(left, right))
