"""Measures of a classifier."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from astrosieve.models.metrics import (
    Share,
    calibration_error_by_chance,
    confusion_matrix,
    expected_calibration_error,
    threshold_at_completeness,
    wilson_interval,
)


@pytest.mark.parametrize('confidence', [0.95, 0.68])
@pytest.mark.parametrize(('k', 'n'), [(0, 10), (10, 10), (1, 1), (94, 100), (3, 7000)])
def test_wilson_agrees_with_scipy(k: int, n: int, confidence: float) -> None:
    """The interval is that of scipy's binomial test."""
    expected = binomtest(k, n).proportion_ci(confidence, method='wilson')
    low, high = wilson_interval(k, n, confidence=confidence)
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)


def test_wilson_of_nothing() -> None:
    """Without a trial nothing is known; arrays work row by row."""
    low, high = wilson_interval([0, 5], [0, 10])
    assert (low[0], high[0]) == (0, 1)
    assert low[1] == pytest.approx(1 - high[1])


def test_share_has_counts_and_interval() -> None:
    """Value and ends are those of the counts; so are text and dict."""
    share = Share(8, 10)
    low, high = wilson_interval(8, 10)
    assert (share.value, share.low, share.high) == (0.8, low, high)
    assert share.as_dict() == {'k': 8, 'n': 10, 'share': 0.8, 'low': low, 'high': high}
    assert str(Share(1, 4)) == '25.00% (4.56% to 69.94%; 1/4)'
    assert str(Share(0, 7)).startswith('0.00% (0.00% to ')


def test_share_of_nothing() -> None:
    """Without a trial nothing is known, and a table shows a dash."""
    share = Share(0, 0)
    assert np.isnan(share.value)
    assert share.as_dict() == {'k': 0, 'n': 0, 'share': None, 'low': 0, 'high': 1}
    assert str(share) == '-'


def test_share_counts_members_that_are_hit() -> None:
    """Hits outside the members do not count; counts are plain integers."""
    hits = np.array([True, True, False, True])
    members = np.array([True, False, True, True])
    share = Share.of(hits, members)
    assert share == Share(2, 3)
    assert type(share.k) is type(share.n) is int


@pytest.mark.parametrize(('k', 'n'), [(3, 2), (-1, 2), (0, -1)])
def test_share_refuses_impossible_counts(k: int, n: int) -> None:
    """The message states the rule and the counts."""
    with pytest.raises(ValueError, match=f'0 <= k <= n; got k = {k}, n = {n}'):
        Share(k, n)


def test_confusion_matrix() -> None:
    """Rows are labels, columns predictions, all classes have theirs."""
    matrix = confusion_matrix(np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0]), 3)
    assert matrix.tolist() == [[1, 0, 1], [1, 2, 0], [0, 0, 0]]


def test_confusion_matrix_of_nothing() -> None:
    """No rows, no counts."""
    none = np.empty(0, dtype=int)
    assert confusion_matrix(none, none, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize('completeness', [0.01, 0.5, 0.9, 0.94, 0.99, 1.0])
@pytest.mark.parametrize('n', [1, 2, 7, 100, 1000])
def test_threshold_is_the_largest_that_is_complete(n: int, completeness: float) -> None:
    """It keeps the share; the next larger score does not."""
    scores = np.random.default_rng(n).uniform(size=n)
    threshold = threshold_at_completeness(scores, completeness)
    assert (scores >= threshold).mean() >= completeness - 1e-9
    assert (scores > threshold).mean() < completeness


def test_threshold_of_nothing() -> None:
    """Without scores there is no threshold."""
    assert np.isnan(threshold_at_completeness(np.empty(0), 0.9))


def test_calibration_error_of_perfect_and_overconfident() -> None:
    """Right at the stated rate is 0; wrong at full confidence is the gap."""
    probabilities = np.tile([0.75, 0.25], (8, 1))
    labels = np.array([0, 0, 0, 1] * 2)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0)
    sure = np.tile([1.0, 0.0], (8, 1))
    assert expected_calibration_error(sure, labels) == pytest.approx(0.25)


def test_calibration_error_is_weighted_by_counts() -> None:
    """Bins count by their rows, and gaps of different bins do not cancel."""
    probabilities = np.array([[1.0, 0.0]] * 3 + [[0.6, 0.4]])
    labels = np.array([0, 0, 1, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(
        (1 + 0.4) / 4
    )


def test_calibration_error_of_nothing() -> None:
    """No rows, no error."""
    none = np.empty((0, 2)), np.empty(0, dtype=int)
    assert expected_calibration_error(*none) == 0


def test_calibration_error_by_chance() -> None:
    """One bin of n cases is off by a binomial's mean deviation; many cases by less."""
    few, many = (np.tile([0.7, 0.3], (n, 1)) for n in (50, 5000))
    mean, spread = calibration_error_by_chance(few, n_draws=2000)
    sigma = np.sqrt(0.7 * 0.3 / 50)
    assert mean == pytest.approx(sigma * np.sqrt(2 / np.pi), rel=0.05)
    assert spread == pytest.approx(sigma * np.sqrt(1 - 2 / np.pi), rel=0.05)
    assert calibration_error_by_chance(many)[0] == pytest.approx(mean / 10, rel=0.2)
    assert np.isnan(calibration_error_by_chance(np.empty((0, 2)))).all()
