"""Cutouts about positions, by a strided view of the image."""

from __future__ import annotations

import numpy as np

__all__ = ['extract_cutouts', 'pixel_indices']


def pixel_indices(xy: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """
    Return the pixels that positions fall on.

    Parameters
    ----------
    xy : (N, 2) `~numpy.ndarray`
        Positions ``(x, y)``, 0-based, first pixel's centre at 0.
    shape : (ny, nx)
        Shape of the image.

    Returns
    -------
    ix, iy : (N,) int64 `~numpy.ndarray`
        Nearest pixel; -1 where the position is not finite or lies outside.
    finite, inside : (N,) bool `~numpy.ndarray`
        Whether the position is finite, and whether it lies on the image.
    """
    finite = np.isfinite(xy).all(axis=1)
    nearest = np.floor(np.where(finite[:, None], xy, -1.0) + 0.5)
    inside = finite & (nearest >= 0).all(axis=1)
    inside &= (nearest[:, 0] < shape[1]) & (nearest[:, 1] < shape[0])
    nearest = np.where(inside[:, None], nearest, -1).astype(np.int64)
    return nearest[:, 0], nearest[:, 1], finite, inside


def extract_cutouts(
    image: np.ndarray,
    ix: np.ndarray,
    iy: np.ndarray,
    size: int,
    *,
    fill: float,
) -> np.ndarray:
    """
    Cut squares out of an image.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Any dtype.
    ix, iy : (N,) int `~numpy.ndarray`
        Central pixels. Cutouts of pixels outside are all ``fill``.
    size : int
        Side of the cutouts, odd.
    fill : float
        Value of what lies beyond the image.

    Returns
    -------
    cutouts : (N, size, size) `~numpy.ndarray`
        Copies, of the image's dtype.
    """
    if size < 1 or size % 2 == 0:
        msg = f'size must be odd and positive; got {size}'
        raise ValueError(msg)
    ny, nx = image.shape
    half = size // 2
    left, low = ix - half, iy - half
    whole = (left >= 0) & (low >= 0) & (left + size <= nx) & (low + size <= ny)
    cutouts = np.empty((len(ix), size, size), dtype=image.dtype)
    if whole.any():
        view = np.lib.stride_tricks.sliding_window_view(image, (size, size))
        cutouts[whole] = view[low[whole], left[whole]]
    if not image.size:
        cutouts[:] = fill
    elif not whole.all():
        part = ~whole
        steps = np.arange(size)
        rows = low[part, None] + steps
        columns = left[part, None] + steps
        there = ((rows >= 0) & (rows < ny))[:, :, None]
        there = there & ((columns >= 0) & (columns < nx))[:, None, :]
        rows, columns = rows.clip(0, ny - 1), columns.clip(0, nx - 1)
        values = image[rows[:, :, None], columns[:, None, :]]
        cutouts[part] = np.where(there, values, np.asarray(fill, image.dtype))
    return cutouts
