"""What the pixels far around one say of classes that fill regions of an image."""

from __future__ import annotations

import numpy as np

from astrosieve.contaminant.surroundings.cells import clipped_logits
from astrosieve.contaminant.surroundings.fitted import Fitted

__all__ = ['Regions']

_WINDOW = 16  # cells along a side of what counts as the surroundings
_QUANTILES = (0.1, 0.5, 0.9, 0.99)  # of the cells of a window
_SUREST = 1e-4  # probability of a cell, or one less it, that counts at most


class Regions(Fitted):
    """
    What fills a region is likelier where there is more of it.

    A network sees some two hundred pixels about each; of fringes, nebulae and ghosts
    it finds parts that are likely. Features are the logits of the mean of the 16x16
    cells about each, at the edges of the nearest ones that there are, and of their
    quantiles.
    """

    option = 'surroundings'
    cell = 32
    n_features = 1 + len(_QUANTILES)

    @classmethod
    def features(cls, means: np.ndarray, rows: slice) -> np.ndarray:
        n, my, mx = means.shape
        tall, wide = min(_WINDOW, my), min(_WINDOW, mx)
        starts, columns = _starts(my)[rows], _starts(mx)
        views = np.lib.stride_tricks.sliding_window_view(means, (tall, wide), (1, 2))
        firsts, which = np.unique(starts, return_inverse=True)
        found = []
        for first in firsts:
            windows = views[:, first].reshape(n, views.shape[2], tall * wide)
            mean = windows.mean(axis=2)
            ranked = np.quantile(windows, _QUANTILES, axis=2)
            found.append(np.stack([mean, *ranked], axis=2)[:, columns])
        return clipped_logits(np.stack(found, axis=1)[:, which], _SUREST)

    @classmethod
    def reach(cls, n: int, rows: slice) -> int:
        return int(_starts(n)[rows][-1]) + _WINDOW


def _starts(n: int) -> np.ndarray:
    """Return the first cell of each one's window along an axis of n cells."""
    return np.clip(np.arange(n) - _WINDOW // 2, 0, max(n - _WINDOW, 0))
