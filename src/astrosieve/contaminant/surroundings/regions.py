"""What the pixels far around one say of classes that fill regions of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from astrosieve.exceptions import ModelError
from astrosieve.models.calibration import sigmoid
from astrosieve.models.cards import ModelCard

__all__ = ['CELL', 'Cells', 'Surroundings', 'clipped_logits', 'features']

CELL = 32
"""Pixels along a side of what is averaged."""
_WINDOW = 16  # cells along a side of what counts as the surroundings
_QUANTILES = (0.1, 0.5, 0.9, 0.99)  # of the cells of a window
_SUREST = 1e-6  # probability of a pixel, or one less it, that counts at most
_SUREST_CELL = 1e-4  # the same of cells
_OPTION = 'surroundings'  # of a card


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
    """

    def __init__(self, n: int, shape: tuple[int, int]) -> None:
        cells = [-(-each // CELL) for each in shape]
        self._shape = shape
        self._sums = np.zeros((n, *cells))
        sizes = [np.bincount(np.arange(each) // CELL) for each in shape]
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
        ny, nx = p.shape[1:]
        edges = [first, *range((first // CELL + 1) * CELL, first + ny, CELL)]
        columns = np.arange(0, nx, CELL)
        for low, high in pairwise([*edges, first + ny]):
            rows = p[:, low - first : high - first].sum(axis=1, dtype=np.float64)
            self._sums[:, low // CELL] += np.add.reduceat(rows, columns, axis=1)

    def means(self) -> np.ndarray:
        """Return the mean of each cell, (n, my, mx)."""
        means: np.ndarray = self._sums / self._sizes
        return means

    def nodes(self, rows: slice) -> slice:
        """Return the rows of cells whose middles enclose rows of the image."""
        middle = (CELL - 1) / 2
        low, high = ((at - middle) / CELL for at in (rows.start, rows.stop - 1))
        last = self._sums.shape[1] - 1
        first, end = (
            int(np.clip(at, 0, last)) for at in (np.floor(low), np.ceil(high))
        )
        return slice(first, end + 1)

    def needed(self, rows: slice) -> int:
        """Return how many rows of the image their surroundings reach to."""
        if not len(self._sums):
            return rows.stop
        reach = _starts(self._sums.shape[1])[self.nodes(rows)][-1] + _WINDOW
        return min(int(reach) * CELL, self._shape[0])

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
        middle = (CELL - 1) / 2
        y, x = (
            (np.arange(each.start, each.stop) - middle) / CELL
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


def _starts(n: int) -> np.ndarray:
    """Return the first cell of each one's window along an axis of n cells."""
    return np.clip(np.arange(n) - _WINDOW // 2, 0, max(n - _WINDOW, 0))


def features(means: np.ndarray, rows: slice) -> np.ndarray:
    """
    Return what is known of the surroundings of cells.

    Parameters
    ----------
    means : (n, my, mx) `~numpy.ndarray`
        Mean probabilities of all cells.
    rows : slice
        Of cells.

    Returns
    -------
    features : (n, m, mx, 5) float32 `~numpy.ndarray`
        Logits of the mean of the 16x16 cells about each, at the edges of the nearest
        ones that there are, and of their quantiles.
    """
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
    return clipped_logits(np.stack(found, axis=1)[:, which], _SUREST_CELL)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """
    How the surroundings of a pixel change the odds of classes that fill regions.

    A network sees some two hundred pixels about each; of fringes, nebulae and ghosts
    it finds parts that are likely, and likelier where there are more of them. The
    logit of a class is multiplied by a number, and what is added is linear in
    `features`; both are fitted when a model is calibrated.

    Parameters
    ----------
    numbers : (n,) int `~numpy.ndarray`
        Of the classes, among those of the model.
    scale : (n,) `~numpy.ndarray`
        Of the logits of each class.
    weights : (n, 6) `~numpy.ndarray`
        What is added for each, and for each of the features.
    """

    numbers: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    scale: np.ndarray = field(default_factory=lambda: np.ones(0))
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 6)))

    @classmethod
    def of(cls, card: ModelCard) -> Surroundings:
        """
        Return what a model's card states; nothing changes where that is nothing.

        Raises
        ------
        ModelError
            If it is not of the model's classes, or not of the right length.
        """
        stated: Mapping[str, Mapping[str, Any]] = card.options.get(_OPTION, {})
        try:
            numbers = np.array([card.classes.index(name) for name in stated], int)
            scale = np.array([each['scale'] for each in stated.values()], float)
            weights = np.array([each['weights'] for each in stated.values()], float)
            weights = weights.reshape(len(stated), 2 + len(_QUANTILES))
        except (AttributeError, KeyError, TypeError, ValueError):
            msg = (
                f'option {_OPTION!r} of model {card.name} must have a scale and '
                f'{2 + len(_QUANTILES)} weights for classes of the model'
            )
            raise ModelError(msg) from None
        return cls(numbers, scale, weights)

    def stated(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return the options by which a card states it."""
        each = zip(self.numbers, self.scale, self.weights, strict=True)
        found = {
            classes[number]: {
                'scale': round(float(scale), 4),
                'weights': [round(float(weight), 4) for weight in weights],
            }
            for number, scale, weights in each
        }
        return {_OPTION: found} if found else {}

    def settled(self, logits: np.ndarray, cells: Cells, rows: slice) -> np.ndarray:
        """
        Return the probabilities of rows of an image.

        Parameters
        ----------
        logits : (n, ny, nx) `~numpy.ndarray`
            Of the classes, in the rows.
        cells : `Cells`
            That know the rows that are `Cells.needed`.
        rows : slice
            Of the image.

        Returns
        -------
        probabilities : (n, ny, nx) float32 `~numpy.ndarray`
        """
        found = features(cells.means(), cells.nodes(rows))
        added = np.einsum('nyxf,nf->nyx', found, self.weights[:, 1:])
        added += self.weights[:, :1, None]
        scale = self.scale.astype(np.float32)[:, None, None]
        return sigmoid(scale * logits + cells.between(added, rows))
