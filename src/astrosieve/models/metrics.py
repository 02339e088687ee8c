"""Measures of a classifier, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    'Share',
    'calibration_error_by_chance',
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


@dataclass(frozen=True)
class Share:
    """
    A share with its counts and its 95 % interval (Wilson).

    As text it is what tables show: ``25.00% (4.56% to 69.94%; 1/4)``, and a dash
    where nothing was counted.

    Parameters
    ----------
    k, n : int
        Successes and trials.

    Raises
    ------
    ValueError
        If there are more successes than trials, or fewer than none.

    Examples
    --------
    >>> from astrosieve.models.metrics import Share
    >>> share = Share(1, 4)
    >>> share.value, round(share.low, 4), round(share.high, 4)
    (0.25, 0.0456, 0.6994)
    """

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n < 2**63:
            msg = f'a share counts 0 <= k <= n; got k = {self.k}, n = {self.n}'
            raise ValueError(msg)

    @classmethod
    def of(cls, hits: np.ndarray, members: np.ndarray) -> Share:
        """Count, of two masks of one shape, how many members are hit."""
        return cls(int((hits & members).sum()), int(members.sum()))

    @property
    def value(self) -> float:
        """The share; NaN for no trial."""
        return self.k / self.n if self.n else float('nan')

    @property
    def low(self) -> float:
        """Lower end of the interval; 0 for no trial."""
        return float(wilson_interval(self.k, self.n)[0])

    @property
    def high(self) -> float:
        """Upper end of the interval; 1 for no trial."""
        return float(wilson_interval(self.k, self.n)[1])

    def __str__(self) -> str:
        if not self.n:
            return '-'
        interval = f'{self.low:.2%} to {self.high:.2%}'
        return f'{self.value:.2%} ({interval}; {self.k}/{self.n})'

    def as_dict(self) -> dict[str, Any]:
        """
        Return counts, share and interval, as JSON takes them.

        Returns
        -------
        values : dict
            ``k``, ``n``, ``share`` (None for no trial), ``low``, ``high``.
        """
        return {
            'k': self.k,
            'n': self.n,
            'share': self.value if self.n else None,
            'low': self.low,
            'high': self.high,
        }


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


def calibration_error_by_chance(
    probabilities: np.ndarray, *, n_bins: int = 15, n_draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """
    Return the calibration error that exact probabilities would have by chance alone.

    The fewer the cases, the larger it is (Kumar, Liang & Ma 2019, NeurIPS 32, 3787).

    Parameters
    ----------
    probabilities : (N, C) `~numpy.ndarray`
        Class probabilities; labels are drawn from them.
    n_bins : int, optional
        As for `expected_calibration_error`.
    n_draws : int, optional
        How often labels are drawn.
    seed : int, optional
        Decides the labels.

    Returns
    -------
    mean, spread : float
        Of the errors of all draws; NaN where there are no probabilities.
    """
    if not len(probabilities):
        return float('nan'), float('nan')
    rng = np.random.default_rng(seed)
    limits = probabilities.astype(float).cumsum(axis=1)
    limits /= limits[:, -1:]
    errors = [
        expected_calibration_error(
            probabilities, (rng.random((len(limits), 1)) > limits).sum(1), n_bins=n_bins
        )
        for _ in range(n_draws)
    ]
    return float(np.mean(errors)), float(np.std(errors))
