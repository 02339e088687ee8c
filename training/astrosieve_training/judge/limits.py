"""Limits that a model has to hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from astrosieve.models.metrics import (
    Share,
    calibration_error_by_chance,
    expected_calibration_error,
)

__all__ = ['Limit', 'Number', 'calibration_limit']


@dataclass(frozen=True)
class Number:
    """
    A number that is no share, and on how much it rests.

    As text it is what tables show: ``0.0123 (50)``, and a dash for nothing.

    Parameters
    ----------
    value : float
        The number.
    n : int
        How many cases it was measured on.
    """

    value: float
    n: int

    @property
    def low(self) -> float:
        """The number: it has no interval."""
        return self.value

    @property
    def high(self) -> float:
        """The number: it has no interval."""
        return self.value

    def __str__(self) -> str:
        return f'{self.value:.4f} ({self.n})' if self.n else '-'

    def as_dict(self) -> dict[str, Any]:
        """Return the values in the form of a `~astrosieve.models.metrics.Share`."""
        value = self.value
        return {'k': None, 'n': self.n, 'share': value, 'low': value, 'high': value}


@dataclass(frozen=True)
class Limit:
    """
    One limit and what was measured.

    Parameters
    ----------
    what : str
        What is limited.
    measured : `~astrosieve.models.metrics.Share` or `Number`
        A share over no trial holds no limit.
    limit : float
        Largest share, or smallest where ``least`` is true. NaN where it cannot be
        known, which nothing holds; ``what`` then says why.
    least : bool
        Whether the share must reach the limit.
    """

    what: str
    measured: Share | Number
    limit: float
    least: bool = False

    @property
    def rule(self) -> str:
        """The limit in words."""
        if math.isnan(self.limit):
            return 'not known'
        side = 'at least' if self.least else 'at most'
        percent = isinstance(self.measured, Share)
        return f'{side} {self.limit:.2%}' if percent else f'{side} {self.limit:g}'

    @property
    def found(self) -> str:
        """What was measured, in words."""
        return str(self.measured) if self.measured.n else 'none in the sample'

    @property
    def holds(self) -> bool:
        """Whether something was measured, and its 95 % interval does not exclude it."""
        if not self.measured.n:
            return False
        if self.least:
            return self.measured.high >= self.limit
        return self.measured.low <= self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return the limit, and whether it holds, as JSON takes them."""
        return {
            'what': self.what,
            'measured': self.measured.as_dict(),
            'limit': self.limit,
            'least': self.least,
            'holds': self.holds,
        }


def calibration_limit(
    probabilities: np.ndarray, labels: np.ndarray, most: float
) -> Limit:
    """
    Return the limit on a calibration error, beside what exact probabilities would have.

    Parameters
    ----------
    probabilities, labels
        As for `~astrosieve.models.metrics.expected_calibration_error`.
    most : float
        The limit.
    """
    mean, spread = calibration_error_by_chance(probabilities)
    error = expected_calibration_error(probabilities, labels)
    what = f'calibration error (of exact probabilities {mean:.3f} +- {spread:.3f})'
    return Limit(what, Number(error, len(labels)), most)
