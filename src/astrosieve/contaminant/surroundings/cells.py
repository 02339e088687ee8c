"""What is said of an image, in means of its cells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ['Cells', 'clipped_logits']

_SUREST = 1e-6  # probability of a pixel, or one less it, that counts at most


def clipped_logits(p: np.ndarray, least: float = _SUREST) -> np.ndarray:
    """Return the logits of probabilities that are neither 0 nor 1 to this."""
    p = np.clip(p.astype(np.float32), least, 1 - least)
    logits: np.ndarray = np.log(p / (1 - p))
    return logits


class Cells:
    """
    Mean probabilities of the cells of an image, which come some rows after the other.

    Parameters
    ----------
    n : int
        Classes.
    shape : (int, int)
        Of the image.
    size : int
        Pixels along a side of what is averaged.
    """

    def __init__(self, n: int, shape: tuple[int, int], size: int) -> None:
        cells = [-(-each // size) for each in shape]
        self._size = size
        self._shape = shape
        self._sums = np.zeros((n, *cells))
        sizes = [np.bincount(np.arange(each) // size) for each in shape]
        self._sizes = np.outer(*sizes)

    def add(self, first: int, p: np.ndarray) -> None:
        """
        Add rows.

        Parameters
        ----------
        first : int
            Number of the first of them.
        p : (n, ny, nx) `~numpy.ndarray`
            Probabilities, of whole rows.
        """
        (ny, nx), size = p.shape[1:], self._size
        edges = [first, *range((first // size + 1) * size, first + ny, size)]
        columns = np.arange(0, nx, size)
        for low, high in pairwise([*edges, first + ny]):
            rows = p[:, low - first : high - first].sum(axis=1, dtype=np.float64)
            self._sums[:, low // size] += np.add.reduceat(rows, columns, axis=1)

    def means(self) -> np.ndarray:
        """Return the mean of each cell, (n, my, mx)."""
        means: np.ndarray = self._sums / self._sizes
        return means

    @property
    def rows(self) -> int:
        """How many rows of cells there are."""
        n: int = self._sums.shape[1]
        return n

    def nodes(self, rows: slice) -> slice:
        """Return the rows of cells whose middles enclose rows of the image."""
        middle = (self._size - 1) / 2
        low, high = ((at - middle) / self._size for at in (rows.start, rows.stop - 1))
        last = self.rows - 1
        first, end = (
            int(np.clip(at, 0, last)) for at in (np.floor(low), np.ceil(high))
        )
        return slice(first, end + 1)

    def until(self, row: int) -> int:
        """Return how many rows of the image the cells before a row of them hold."""
        return min(row * self._size, self._shape[0])

    def between(self, values: np.ndarray, rows: slice) -> np.ndarray:
        """
        Return values of cells' middles in the pixels between.

        Parameters
        ----------
        values : (n, m, mx) `~numpy.ndarray`
            Of the rows of cells `nodes` gives.
        rows : slice
            Of the image.

        Returns
        -------
        values : (n, ny, nx) float32 `~numpy.ndarray`
        """
        middle = (self._size - 1) / 2
        y, x = (
            (np.arange(each.start, each.stop) - middle) / self._size
            for each in (rows, slice(0, self._shape[1]))
        )
        beside = _interpolated(values.astype(np.float32), x, 2)
        return _interpolated(beside, y - self.nodes(rows).start, 1)


def _interpolated(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """Return values between those along an axis of three; at its ends these hold."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = at.astype(int)
    share = (at - low).astype(np.float32).reshape(-1, *(1,) * (2 - axis))
    high = np.minimum(low + 1, last)
    below, above = (values.take(each, axis) for each in (low, high))
    return np.asarray(below + share * (above - below))
