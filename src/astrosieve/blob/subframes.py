"""
Subframes of an image, by which WFC3 ISR 2021-08 says where a blob is.

A subframe is a square of 256 pixels. They are counted along rows, from the first pixel
of the image as it is given: of an image of 1014 or 1024 pixels number 0 holds its first
pixel, 3 the end of the first row, 15 the last pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ['SIDE', 'subframe_boxes', 'subframe_numbers']

SIDE = 256
"""Pixels along a side of a subframe."""


def _counts(shape: tuple[int, int]) -> tuple[int, int]:
    return -(-shape[0] // SIDE), -(-shape[1] // SIDE)


def subframe_numbers(x: ArrayLike, y: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """
    Return the subframes that hold positions.

    Parameters
    ----------
    x, y : (N,) array_like
        Positions, pixels, 0-based.
    shape : (int, int)
        Of the image, (ny, nx).

    Returns
    -------
    numbers : (N,) int `~numpy.ndarray`
        Positions beyond the image count to the nearest subframe.
    """
    rows, columns = _counts(shape)
    row, column = (
        np.clip(np.floor((np.asarray(value) + 0.5) / SIDE).astype(int), 0, n - 1)
        for value, n in ((y, rows), (x, columns))
    )
    return row * columns + column


def subframe_boxes(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """
    Return rows and columns of each subframe, by its number.

    Parameters
    ----------
    shape : (int, int)
        Of the image, (ny, nx); at least 256 each.

    Returns
    -------
    boxes : list of (slice, slice)
        All of 256x256 pixels: the last of a row or column ends where the image does,
        and shares pixels with the one before.
    """
    ny, nx = shape
    rows, columns = _counts(shape)
    starts_y = [min(row * SIDE, ny - SIDE) for row in range(rows)]
    starts_x = [min(column * SIDE, nx - SIDE) for column in range(columns)]
    return [
        (slice(y, y + SIDE), slice(x, x + SIDE)) for y in starts_y for x in starts_x
    ]
