"""Which classes hold in a pixel: thresholds, and what must lie about it besides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.exceptions import ModelError
from astrosieve.models.cards import ModelCard

__all__ = [
    'CLUSTER_POINT',
    'CORE_POINT',
    'LOOKALIKES',
    'OPERATING_POINT',
    'Rules',
    'around',
    'bits_of',
    'either',
    'hysteresis',
    'mask_type',
    'thresholds_of',
]

OPERATING_POINT = 'best'
"""The operating point of a card at which a class holds: a threshold for each."""
CORE_POINT = 'core'
"""
What a class, or one of `LOOKALIKES`, must reach within two pixels of what is flagged,
where it is stated.
"""
CLUSTER_POINT = 'cluster'
"""Or how many of the 5x5 pixels must be expected to have either."""

LOOKALIKES = {'cosmic_ray': 'hot_pixel'}
"""Of what a class is told with less certainty than of anything else."""


def bits_of(classes: tuple[str, ...]) -> dict[str, int]:
    """
    Return the value of each class's bit in a mask.

    Bit n is that of class n of `~astrosieve.contaminant.CLASSES`, whatever the model;
    classes of other people's models have those that follow.
    """
    others = [name for name in classes if name not in CLASSES]
    order = (*CLASSES, *others)
    return {name: 1 << order.index(name) for name in classes}


def mask_type(bits: dict[str, int]) -> np.dtype:
    """Return the smallest type of signed integers that FITS has for bits."""
    return np.dtype(np.int16 if max(bits.values()) < 1 << 15 else np.int32)


def thresholds_of(card: ModelCard) -> dict[str, float]:
    """
    Return the thresholds of a model, by class.

    Raises
    ------
    ModelError
        If the card does not state them.
    """
    given = card.operating_point(OPERATING_POINT).threshold
    if not isinstance(given, dict) or {*given} != {*card.classes}:
        msg = (
            f'operating point {OPERATING_POINT!r} of model {card.name} must have a '
            'threshold for each class'
        )
        raise ModelError(msg)
    return {name: given[name] for name in card.classes}


def around(how: np.ufunc, planes: np.ndarray) -> np.ndarray:
    """
    Reduce the 5x5 pixels about each one.

    Parameters
    ----------
    how : `~numpy.ufunc`
        Of two arguments, such as `numpy.maximum`.
    planes : (..., ny, nx) `~numpy.ndarray`
        Beyond their edges they are taken to be zero.

    Returns
    -------
    reduced : (..., ny, nx) `~numpy.ndarray`
    """
    for axis in (-2, -1):
        edge = [(2, 2) if each == axis else (0, 0) for each in range(-planes.ndim, 0)]
        wide = np.moveaxis(np.pad(planes, edge), axis, 0)
        n = planes.shape[axis]
        planes = np.moveaxis(reduce(how, (wide[k : k + n] for k in range(5))), 0, axis)
    return planes


def either(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the probabilities that one of two classes holds, or both."""
    union: np.ndarray = one + other - one * other
    return union


def hysteresis(
    p: np.ndarray, both: np.ndarray, limit: float, core: float, cluster: float
) -> np.ndarray:
    """
    Return where a class holds of which one pixel near must be sure, or many likely.

    Parameters
    ----------
    p, both : (ny, nx) `~numpy.ndarray`
        Probabilities of the class, and of it or of what looks like it.
    limit : float
        What a pixel must reach.
    core : float
        What the largest of ``both`` in the 5x5 pixels about one that holds must reach.
    cluster : float
        Or their sum.

    Returns
    -------
    holds : (ny, nx) bool `~numpy.ndarray`
        What reaches the limit within two pixels of one that is so, too: a hysteresis
        that goes no farther.
    """
    holds: np.ndarray = p >= limit
    if holds.any():
        sure = around(np.maximum, both) >= core
        sure |= around(np.add, both) >= cluster
        holds &= around(np.maximum, holds & sure)
    return holds


@dataclass(frozen=True)
class Rules:
    """
    By which a model's probabilities become flags.

    A class holds where it reaches its threshold. Where the card states `CORE_POINT`,
    one pixel near must be sure as well, or many likely (`CLUSTER_POINT`): a hit has
    either, but the core of a narrow star, which may look like a faint hit, has neither.
    A hit that may be a hot pixel is no star, and as sure. What is within two pixels of
    one that holds so, and reaches the threshold, is of the same hit.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        Of the model.

    Raises
    ------
    ModelError
        If the card does not state a threshold for each class.
    """

    card: ModelCard

    def __post_init__(self) -> None:
        _ = self.thresholds

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each class."""
        return thresholds_of(self.card)

    @cached_property
    def bits(self) -> dict[str, int]:
        """Value of each class's bit."""
        return bits_of(self.card.classes)

    @cached_property
    def kind(self) -> np.dtype:
        """Type of the masks."""
        return mask_type(self.bits)

    @property
    def sure(self) -> tuple[str, ...]:
        """Classes that the model is asked to be sure of."""
        return tuple(self._stated(CORE_POINT))

    def mask(self, probabilities: np.ndarray) -> np.ndarray:
        """
        Return the bits of the classes that hold.

        Parameters
        ----------
        probabilities : (C, ny, nx) `~numpy.ndarray`
            Of each class.

        Returns
        -------
        mask : (ny, nx) integer `~numpy.ndarray`
            See `bits_of`.
        """
        cores, clusters = (self._stated(name) for name in (CORE_POINT, CLUSTER_POINT))
        mask = np.zeros(probabilities.shape[1:], self.kind)
        for number, (name, limit) in enumerate(self.thresholds.items()):
            p = probabilities[number]
            if name in cores:
                both = self._with_lookalike(probabilities, number)
                holds = hysteresis(
                    p, both, limit, cores[name], clusters.get(name, np.inf)
                )
            else:
                holds = p >= limit
            mask |= self.kind.type(self.bits[name]) * holds
        return mask

    def restate(self, mask: np.ndarray, name: str, p: np.ndarray) -> None:
        """
        Set anew where a class holds of which only the threshold is asked.

        Parameters
        ----------
        mask : (ny, nx) integer `~numpy.ndarray`
            Changed in place.
        name : str
            Of the class.
        p : (ny, nx) `~numpy.ndarray`
            Its probabilities.
        """
        bit = self.kind.type(self.bits[name])
        mask &= ~bit
        mask |= bit * (p >= self.thresholds[name])

    def _with_lookalike(self, probabilities: np.ndarray, number: int) -> np.ndarray:
        """Return the probabilities of a class or of what looks like it."""
        classes = self.card.classes
        p: np.ndarray = probabilities[number]
        alike = LOOKALIKES.get(classes[number])
        if alike in classes:
            p = either(p, probabilities[classes.index(alike)])
        return p

    def _stated(self, name: str) -> dict[str, float]:
        point = self.card.operating_points.get(name)
        return (
            {**point.threshold} if point and isinstance(point.threshold, dict) else {}
        )
