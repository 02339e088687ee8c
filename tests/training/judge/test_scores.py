"""Measures of scores, on numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('sklearn')

from astrosieve.models.metrics import Share
from astrosieve_training.judge.scores import binned, rates_at, roc, shares


def test_roc_runs_from_corner_to_corner_and_sees_ties() -> None:
    """A perfect score has area 1, equal scores one step only."""
    member = np.array([True, True, False, False])
    assert roc(np.array([0.9, 0.8, 0.2, 0.1]), member).area == 1
    curve = roc(np.full(4, 0.5), member)
    assert curve.leak.tolist() == [0, 1]
    assert curve.completeness.tolist() == [0, 1]
    assert curve.area == 0.5


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_roc_has_a_point_for_each_score(dtype: type) -> None:
    """Shares of both kinds at and above each of the scores, none left out."""
    rng = np.random.default_rng(0)
    scores = np.round(rng.random(500), 2).astype(dtype)
    member = rng.random(500) < scores
    curve = roc(scores, member)
    at = np.unique(scores)[::-1]
    assert curve.leak[1:] == pytest.approx([(scores[~member] >= s).mean() for s in at])
    kept = [(scores[member] >= s).mean() for s in at]
    assert curve.completeness[1:] == pytest.approx(kept)
    pairs = scores[member][:, None] - scores[~member]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert curve.area == pytest.approx(expected, abs=1e-12)


def test_groups_without_members_have_no_share() -> None:
    """Each group that there is has its own."""
    fruit = np.array(['apple', 'apple', 'pear'])
    groups = {name: fruit == name for name in ('apple', 'pear', 'plum')}
    found = shares(np.array([True, False, False]), groups)
    assert found == {'apple': Share(1, 2), 'pear': Share(0, 1)}


def test_rates_at_a_completeness() -> None:
    """The members set the threshold; all groups are measured there."""
    scores = np.array([*range(100), 4, 5, 6, 99], dtype=float)
    apple = np.arange(104) < 100
    threshold, found = rates_at(scores, apple, 0.95, {'apple': apple, 'pear': ~apple})
    assert threshold == 5
    assert found == {'apple': Share(95, 100), 'pear': Share(3, 4)}
    threshold, found = rates_at(scores, apple & False, 0.95, {'pear': ~apple})
    assert np.isnan(threshold)
    assert found == {'pear': Share(0, 4)}


def test_bins_hold_each_value_once() -> None:
    """Lower ends belong to a bin, infinity to the last; empty bins are left out."""
    values = np.array([0.0, 1.0, 1.9, 50.0, np.inf])
    found = [(low, high, inside.sum()) for low, high, inside in binned(
        values, (0, 1, 2, 3, np.inf)
    )]  # fmt: skip
    assert found == [(0, 1, 1), (1, 2, 2), (3, np.inf, 2)]
