"""Scores of maps, counted image by image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astrosieve.models.metrics import Share

__all__ = ['Tally', 'squashed']

_BINS = 4096  # of a score, evenly in its logit
_END = 14.0  # largest logit that is told from larger ones


def squashed(score: np.ndarray, middle: float) -> np.ndarray:
    """Return a positive score, such as a signal over noise, within 0 and 1."""
    score = np.maximum(score, 0)
    return score / (score + middle)


def _bins(scores: np.ndarray) -> np.ndarray:
    p = np.clip(np.asarray(scores, dtype=np.float32), 1e-7, 1 - 1e-6)
    place = (np.log(p / (1 - p)) + _END) * (_BINS / (2 * _END))
    return np.clip(place.astype(np.int64), 0, _BINS - 1)


def _scores() -> np.ndarray:
    """Return the score in the middle of each bin."""
    logit = (np.arange(_BINS) + 0.5) * (2 * _END / _BINS) - _END
    return np.asarray(1 / (1 + np.exp(-logit)))


@dataclass(frozen=True)
class Tally:
    """
    How many pixels that have a class, and that do not, have which score.

    Parameters
    ----------
    counts : (2, bins) int64 `~numpy.ndarray`
        Of pixels without and with the class; the highest scores last.
    """

    counts: np.ndarray = field(
        default_factory=lambda: np.zeros((2, _BINS), dtype=np.int64)
    )

    def add(self, scores: np.ndarray, has: np.ndarray, known: np.ndarray) -> None:
        """
        Count an image.

        Parameters
        ----------
        scores : `~numpy.ndarray`
            Within 0 and 1.
        has : bool `~numpy.ndarray`
            Truth.
        known : bool `~numpy.ndarray`
            Which pixels count.
        """
        bins = _bins(scores[known])
        for number, members in enumerate((~has[known], has[known])):
            self.counts[number] += np.bincount(bins[members], minlength=_BINS)

    @property
    def n(self) -> int:
        """Pixels that have the class."""
        return int(self.counts[1].sum())

    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is kept, of others and of members, at falling thresholds."""
        others, members = np.cumsum(self.counts[:, ::-1], axis=1)
        return others, members

    def average_precision(self) -> float:
        """Return the mean of precision over recall; NaN where nothing has the class."""
        others, members = self._kept()
        if not members[-1]:
            return float('nan')
        precision = members / np.maximum(others + members, 1)
        return float((self.counts[1, ::-1] * precision).sum() / members[-1])

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """Return shares of others and of members that are kept, both rising from 0."""
        others, members = (
            np.concatenate([[0.0], each / max(int(each[-1]), 1)])
            for each in self._kept()
        )
        return others, members

    def roc_area(self) -> float:
        """Return the area under the ROC curve; NaN where one of both is missing."""
        if not self.counts.sum(axis=1).all():
            return float('nan')
        others, members = self.roc()
        return float((np.diff(others) * (members[1:] + members[:-1])).sum() / 2)

    def found(self, false: float) -> Share:
        """Return the share of members found where that of others is at most this."""
        others, members = self._kept()
        allowed = np.flatnonzero(others <= false * others[-1])
        kept = int(members[allowed[-1]]) if len(allowed) else 0
        return Share(kept, int(members[-1]))

    def threshold(self, false: float) -> float:
        """Return the lowest score at which few others are kept."""
        others, _ = self._kept()
        allowed = np.flatnonzero(others <= false * others[-1])
        if not len(allowed):
            return 1.0
        low = _BINS - 1 - int(allowed[-1])
        return float(1 / (1 + np.exp(_END - low * (2 * _END / _BINS))))

    def at(self, threshold: float) -> tuple[Share, Share]:
        """Return completeness and purity at a threshold."""
        kept = _scores() >= threshold
        false, right = (int(each[kept].sum()) for each in self.counts)
        return Share(right, self.n), Share(right, right + false)

    def calibration_error(self, least: float = 0.0, n_bins: int = 15) -> float:
        """
        Return how far probabilities are from the shares that they state.

        Parameters
        ----------
        least : float, optional
            Lowest probability of pixels that count.
        n_bins : int, optional
            Bins of equal width (Guo et al. 2017, ICML 70, 1321).
        """
        scores = _scores()
        counted = scores >= least
        total = self.counts.sum(0)
        index = np.minimum((scores * n_bins).astype(int), n_bins - 1)[counted]
        gaps = (self.counts[1] - scores * total)[counted]
        sums = np.bincount(index, gaps, minlength=n_bins)
        return float(np.abs(sums).sum() / max(total[counted].sum(), 1))

    def reliability(self, n_bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Return mean score and share of members, of the bins that have pixels."""
        scores = _scores()
        total = self.counts.sum(0)
        index = np.minimum((scores * n_bins).astype(int), n_bins - 1)
        sums = [
            np.bincount(index, each, minlength=n_bins)
            for each in (scores * total, self.counts[1], total)
        ]
        full = sums[2] > 0
        return sums[0][full] / sums[2][full], sums[1][full] / sums[2][full]
