"""Measures of a classifier, with their intervals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    'confusion_matrix',
    'expected_calibration_error',
    'threshold_at_completeness',
    'wilson_interval',
]


def wilson_interval(
    k: ArrayLike, n: ArrayLike, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the interval of a share (Wilson 1927, JASA 22, 209).

    Parameters
    ----------
    k, n : array_like of int
        Successes and trials.
    confidence : float, optional
        Two-sided confidence.

    Returns
    -------
    low, high : `~numpy.ndarray`
        Ends of the interval; 0 and 1 where there was no trial.
    """
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    trials = np.maximum(n, 1)
    share = k / trials
    spread = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    centre = share + z**2 / (2 * trials)
    low = np.where(n > 0, ((centre - spread) / scale).clip(0, 1), 0.0)
    high = np.where(n > 0, ((centre + spread) / scale).clip(0, 1), 1.0)
    return low, high


def confusion_matrix(
    labels: np.ndarray, predicted: np.ndarray, n_classes: int
) -> np.ndarray:
    """
    Count pairs of label and prediction.

    Parameters
    ----------
    labels, predicted : (N,) int `~numpy.ndarray`
        Class numbers.
    n_classes : int
        Number of classes.

    Returns
    -------
    matrix : (n_classes, n_classes) int `~numpy.ndarray`
        Rows are labels, columns predictions.
    """
    pairs = np.asarray(labels) * n_classes + np.asarray(predicted)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def threshold_at_completeness(scores: np.ndarray, completeness: float) -> float:
    """
    Return the threshold that keeps a share of the true members.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Scores of the true members.
    completeness : float
        Share to keep.

    Returns
    -------
    threshold : float
        The largest with ``mean(scores >= threshold) >= completeness``; NaN
        where there are no scores.
    """
    if not len(scores):
        return float('nan')
    ordered = np.sort(scores)
    return float(ordered[int(np.floor((1 - completeness) * len(ordered) + 1e-9))])


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, n_bins: int = 15
) -> float:
    """
    Return the expected calibration error of the predicted class.

    Parameters
    ----------
    probabilities : (N, C) `~numpy.ndarray`
        Class probabilities.
    labels : (N,) int `~numpy.ndarray`
        True class numbers.
    n_bins : int, optional
        Bins of equal width in confidence (Guo et al. 2017, ICML 70, 1321).

    Returns
    -------
    error : float
        Mean of |accuracy - confidence| over the bins, weighted by their counts.
    """
    confidence = probabilities.max(axis=1).astype(float)
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    index = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(index, right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / max(len(labels), 1))
