"""How the odds of classes change with what lies about a pixel, as a card states it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from astrosieve.contaminant.surroundings.cells import Cells
from astrosieve.exceptions import ModelError
from astrosieve.models.calibration import sigmoid
from astrosieve.models.cards import ModelCard

__all__ = ['Fitted']


@dataclass(frozen=True, eq=False)
class Fitted(ABC):
    """
    How the surroundings of a pixel change the odds of some classes.

    The logit of a class is multiplied by a number, and what is added is linear in
    `features` of the cells about; both are fitted when a model is calibrated.

    Parameters
    ----------
    numbers : (n,) int `~numpy.ndarray`
        Of the classes, among those of the model.
    scale : (n,) `~numpy.ndarray`
        Of the logits of each class.
    weights : (n, 1 + F) `~numpy.ndarray`
        What is added for each, and for each of the F features.
    """

    option: ClassVar[str]
    """Of a card."""
    cell: ClassVar[int]
    """Pixels along a side of what is averaged."""
    n_features: ClassVar[int]

    numbers: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    scale: np.ndarray = field(default_factory=lambda: np.ones(0))
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    @abstractmethod
    def features(cls, means: np.ndarray, rows: slice) -> np.ndarray:
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
        features : (n, m, mx, F) float32 `~numpy.ndarray`
        """

    @classmethod
    @abstractmethod
    def reach(cls, n: int, rows: slice) -> int:
        """Return the end of the rows of cells, of n, that are looked at for some."""

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """
        Return what a model's card states; nothing changes where that is nothing.

        Raises
        ------
        ModelError
            If it is not of the model's classes, or not of the right length.
        """
        stated: Mapping[str, Mapping[str, Any]] = card.options.get(cls.option, {})
        try:
            numbers = np.array([card.classes.index(name) for name in stated], int)
            scale = np.array([each['scale'] for each in stated.values()], float)
            weights = np.array([each['weights'] for each in stated.values()], float)
            weights = weights.reshape(len(stated), 1 + cls.n_features)
        except (AttributeError, KeyError, TypeError, ValueError):
            msg = (
                f'option {cls.option!r} of model {card.name} must have a scale and '
                f'{1 + cls.n_features} weights for classes of the model'
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
        return {self.option: found} if found else {}

    def cells(self, shape: tuple[int, int]) -> Cells:
        """Return cells of an image, for the classes."""
        return Cells(len(self.numbers), shape, self.cell)

    def needed(self, cells: Cells, rows: slice) -> int:
        """Return how many rows of the image the surroundings of some reach to."""
        return cells.until(self.reach(cells.rows, cells.nodes(rows)))

    def settled(self, logits: np.ndarray, cells: Cells, rows: slice) -> np.ndarray:
        """
        Return the probabilities of rows of an image.

        Parameters
        ----------
        logits : (n, ny, nx) `~numpy.ndarray`
            Of the classes, in the rows.
        cells : `~astrosieve.contaminant.surroundings.cells.Cells`
            That know the rows that are `needed`.
        rows : slice
            Of the image.

        Returns
        -------
        probabilities : (n, ny, nx) float32 `~numpy.ndarray`
        """
        found = self.features(cells.means(), cells.nodes(rows))
        added = np.einsum('nyxf,nf->nyx', found, self.weights[:, 1:])
        added += self.weights[:, :1, None]
        scale = self.scale.astype(np.float32)[:, None, None]
        return sigmoid(scale * logits + cells.between(added, rows))
