"""Scores of candidates beside the truth, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from astrosieve.models.metrics import Share, expected_calibration_error
from astrosieve_training.judge.limits import Number
from astrosieve_training.judge.scores import Curve, roc

__all__ = ['Judged']

_FALSE = 0.02  # share of the bogus at which completeness is compared


@dataclass(frozen=True)
class Judged:
    """
    Scores of candidates, and what is real.

    Parameters
    ----------
    sample, by : str
        Which candidates, and who scored them.
    score : (N,) `~numpy.ndarray`
        Higher for real ones.
    real : (N,) bool `~numpy.ndarray`
        The truth.
    threshold : float
        Kept is what has at least this score.
    probable : bool
        Whether scores are probabilities.
    """

    sample: str
    by: str
    score: np.ndarray
    real: np.ndarray
    threshold: float
    probable: bool = True

    @property
    def kept(self) -> np.ndarray:
        """What is called real."""
        kept: np.ndarray = self.score >= self.threshold
        return kept

    @property
    def curve(self) -> Curve:
        """The ROC."""
        return roc(self.score, self.real)

    @property
    def auc(self) -> Number:
        """Area under the ROC."""
        return Number(self.curve.area, len(self.real))

    @property
    def complete(self) -> Share:
        """Real ones kept where 2 % of the bogus are."""
        bogus = np.sort(self.score[~self.real])[::-1]
        least = bogus[int(_FALSE * len(bogus))]
        return Share.of(self.score > least, self.real)

    @property
    def accuracy(self) -> Share:
        """What is called what it is."""
        return Share.of(self.kept == self.real, np.ones(len(self.real), bool))

    @property
    def recall(self) -> Share:
        """Real ones kept."""
        return Share.of(self.kept, self.real)

    @property
    def precision(self) -> Share:
        """Real ones of what is kept."""
        return Share.of(self.real, self.kept)

    @property
    def false(self) -> Share:
        """Bogus ones kept."""
        return Share.of(self.kept, ~self.real)

    @property
    def f1(self) -> Number:
        """Harmonic mean of precision and recall."""
        wrong = int((self.kept != self.real).sum())
        right = int((self.kept & self.real).sum())
        return Number(2 * right / max(2 * right + wrong, 1), len(self.real))

    @property
    def error(self) -> Number:
        """Calibration error of ``p_real``; none of scores that are no probabilities."""
        both = np.column_stack([1 - self.score, self.score])
        error = expected_calibration_error(both, self.real.astype(int))
        return Number(error, len(self.real) * self.probable)

    def of(self, rows: np.ndarray, sample: str) -> Judged:
        """Return some of the candidates, as a sample."""
        return replace(
            self, sample=sample, score=self.score[rows], real=self.real[rows]
        )
