"""Measures of scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import auc, roc_curve

__all__ = ['Curve', 'roc']


@dataclass(frozen=True)
class Curve:
    """
    A ROC, one point per distinct score, from (0, 0) to (1, 1).

    Parameters
    ----------
    leak, completeness : 1D `~numpy.ndarray`
        Shares of the others and of the members kept.
    """

    leak: np.ndarray
    completeness: np.ndarray

    @property
    def area(self) -> float:
        """Area under the curve."""
        return float(auc(self.leak, self.completeness))


def roc(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """
    Return the ROC of a class against the rest.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Higher means more like a member.
    positive : (N,) bool `~numpy.ndarray`
        What is a member; something must be, and something not.

    Returns
    -------
    curve : `Curve`
    """
    leak, completeness, _ = roc_curve(positive, scores, drop_intermediate=False)
    return Curve(leak, completeness)
