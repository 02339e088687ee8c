"""Measures of scores."""

from __future__ import annotations

import numpy as np

__all__ = ['roc_curve']


def roc_curve(scores: np.ndarray, star: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the ROC of stars against the rest.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Higher means more like a star.
    star : (N,) bool `~numpy.ndarray`
        Truth.

    Returns
    -------
    leak, completeness : 1D `~numpy.ndarray`
        Shares of the others and of the stars kept, one point per distinct score,
        from (0, 0) to (1, 1).
    """
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else ranked > 0
    right = np.cumsum(star[order])[last]
    wrong = np.cumsum(~star[order])[last]
    completeness = np.append(0, right) / max(int(star.sum()), 1)
    leak = np.append(0, wrong) / max(int((~star).sum()), 1)
    return leak, completeness
