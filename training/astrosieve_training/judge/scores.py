"""Measures of scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from astrosieve.models.metrics import Share, threshold_at_completeness

__all__ = ['Curve', 'binned', 'rates_at', 'roc', 'shares']


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
        from sklearn.metrics import auc

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
    from sklearn.metrics import roc_curve

    leak, completeness, _ = roc_curve(positive, scores, drop_intermediate=False)
    return Curve(leak, completeness)


def shares(chosen: np.ndarray, groups: Mapping[str, np.ndarray]) -> dict[str, Share]:
    """
    Return the share of each group that is chosen.

    Parameters
    ----------
    chosen : bool `~numpy.ndarray`
        Of any shape.
    groups : dict of str to bool `~numpy.ndarray`
        Members by name, arrays of that shape.

    Returns
    -------
    shares : dict of str to `~astrosieve.models.metrics.Share`
        Of the groups that have members.
    """
    return {
        name: Share.of(chosen, group) for name, group in groups.items() if group.any()
    }


def rates_at(
    scores: np.ndarray,
    positive: np.ndarray,
    completeness: float,
    groups: Mapping[str, np.ndarray],
) -> tuple[float, dict[str, Share]]:
    """
    Measure what is kept where a share of the members is.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Higher means more like a member.
    positive : (N,) bool `~numpy.ndarray`
        The members, which set the threshold.
    completeness : float
        Share of them that is kept.
    groups : dict of str to (N,) bool `~numpy.ndarray`
        Whose shares are measured.

    Returns
    -------
    threshold : float
        The largest that keeps as many; NaN without members.
    shares : dict of str to `~astrosieve.models.metrics.Share`
        See `shares`.
    """
    threshold = threshold_at_completeness(scores[positive], completeness)
    return threshold, shares(scores >= threshold, groups)


def binned(
    values: np.ndarray, edges: Sequence[float]
) -> Iterator[tuple[float, float, np.ndarray]]:
    """
    Yield the bins that hold values.

    Parameters
    ----------
    values : (N,) `~numpy.ndarray`
        What is sorted into bins.
    edges : sequence of float
        Ends of the bins. The lower end is in a bin, the upper only where both are
        infinite.

    Yields
    ------
    low, high : float
        Ends of a bin.
    inside : (N,) bool `~numpy.ndarray`
        The values in it.
    """
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values < high) | np.isinf(values) & np.isinf(high))
        if inside.any():
            yield low, high, inside
