"""Which of the blobs that were found are true ones."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

__all__ = ['match']

_NEAR = 3.0  # pixels: nearer than this is the same, however small the blob


def match(x: np.ndarray, y: np.ndarray, truth: Table) -> np.ndarray:
    """
    Match blobs one to one, the likeliest first, each to the nearest that is left.

    Parameters
    ----------
    x, y : (N,) `~numpy.ndarray`
        Found, the likeliest first; pixels.
    truth : `~astropy.table.Table`
        ``x``, ``y`` and ``radius`` of the true ones; within the radius, or within 3
        pixels where that is more, one is found.

    Returns
    -------
    numbers : (N,) int `~numpy.ndarray`
        Rows of the truth; -1 for none.
    """
    numbers = np.full(len(x), -1)
    if not len(truth):
        return numbers
    columns = [np.asarray(truth[name], dtype=float) for name in ('x', 'y', 'radius')]
    away = np.hypot(
        np.asarray(x)[:, None] - columns[0], np.asarray(y)[:, None] - columns[1]
    )
    away[away > np.maximum(columns[2], _NEAR)] = np.inf
    for row in range(len(x)):
        nearest = int(np.argmin(away[row]))
        if np.isfinite(away[row, nearest]):
            numbers[row] = nearest
            away[:, nearest] = np.inf
    return numbers
