"""From logits to probabilities that hold."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve_training.learn.calibrate import (
    Aim,
    fit_scaling,
    fit_sigmoids,
    thresholds,
)


def test_scaling_recovers_temperature_and_shares() -> None:
    """Overconfident logits of another mix are set right."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (20_000, 3))
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1)
    shift = np.array([1.0, 0.0, -1.0])
    temperature, offsets = fit_scaling(
        2 * (true + shift), labels, np.bincount(labels) / len(labels)
    )
    assert temperature == pytest.approx(2, abs=0.1)
    assert offsets == pytest.approx(-2 * shift, abs=0.15)


def test_scaling_leaves_absent_classes_alone() -> None:
    """Their offset is 0, the others are what they are without them."""
    rng = np.random.default_rng(2)
    labels = rng.integers(2, size=400)
    logits = rng.normal(0, 1, (400, 3))
    logits[np.arange(400), labels] += 1.0
    logits[:, 0] += 0.7
    shares = np.ones(3) / 3
    temperature, offsets = fit_scaling(logits, labels, shares)
    assert offsets[2] == 0
    assert offsets[:2].sum() == pytest.approx(0, abs=1e-9)
    assert offsets[0] < -0.1
    alone, same = fit_scaling(logits[:, :2], labels, shares[:2])
    assert temperature == pytest.approx(alone)
    assert np.allclose(offsets[:2], same)


def test_scaling_of_few_that_are_told_apart_is_finite() -> None:
    """Without an expectation the temperature would go to nothing."""
    labels = np.arange(40) % 2
    logits = np.where(np.arange(2) == labels[:, None], 3.0, -3.0)
    free, _ = fit_scaling(logits, labels, np.ones(2) / 2)
    held, offsets = fit_scaling(logits, labels, np.ones(2) / 2, spread=1.0)
    assert free < 0.5 * held
    assert 0.5 < held < 1.0
    assert np.allclose(offsets, 0, atol=1e-4)


@pytest.mark.parametrize('maps', [False, True])
def test_sigmoids_recover_temperature_and_shares(maps: bool) -> None:
    """Each class by itself: overconfident logits of another share are set right."""
    rng = np.random.default_rng(3)
    true = rng.normal(-1, 2, (40_000, 2))
    labels = (rng.random(true.shape) < 1 / (1 + np.exp(-true))).astype(int)
    logits = true * [2.0, 0.5] + [1.0, 0.0]
    shares = labels.mean(axis=0)
    if maps:  # 400 maps of 10 x 10
        logits, labels = (
            np.moveaxis(each.reshape(400, 10, 10, 2), 3, 1) for each in (logits, labels)
        )
    temperatures, offsets = fit_sigmoids(logits, labels, shares)
    assert temperatures == pytest.approx([2, 0.5], rel=0.05)
    assert offsets == pytest.approx([-1, 0], abs=0.06)
    _, rarer = fit_sigmoids(logits, labels, np.array([0.01, 0.01]))
    assert (rarer < offsets - 1).all()


def test_sigmoids_leave_out_what_is_ignored() -> None:
    """Labels of -1 are not there; a class that is nowhere stays as it is."""
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (500, 2))
    labels = (logits + rng.normal(0, 2, logits.shape) > 0).astype(int)
    labels[:, 1] = 0
    shares = np.array([0.3, 0.3])
    alone = fit_sigmoids(logits[:300], labels[:300], shares)
    labels[300:] = -1
    found = fit_sigmoids(logits, labels, shares)
    assert np.array_equal(found, alone)
    assert found[0][1] == 1
    assert found[1][1] == 0


class TestThresholds:
    """Each reaches what it aims at."""

    rng = np.random.default_rng(5)
    positive = rng.random(4000) < 0.2
    # Few values, so that many are equal.
    scores = np.round(rng.normal(positive * 2.0, 1.0) * 4) / 4

    def measured(self, threshold: float) -> tuple[float, float, float]:
        """Return purity, completeness, share of the negatives kept."""
        kept = self.scores >= threshold
        right = (kept & self.positive).sum()
        false = (kept & ~self.positive).sum() / (~self.positive).sum()
        return right / kept.sum(), right / self.positive.sum(), false

    def test_aims_are_reached(self) -> None:
        """And the next score does not reach them."""
        aims = {
            'pure': Aim('purity', 0.9),
            'complete': Aim('completeness', 0.95),
            'clean': Aim('false positives', 0.01),
            'best': Aim('f1'),
        }
        found = thresholds(self.scores, self.positive, aims)
        assert list(found) == list(aims)
        assert set(found.values()) <= set(self.scores)
        step = 0.25
        assert self.measured(found['pure'])[0] >= 0.9
        assert self.measured(found['pure'] - step)[0] < 0.9
        assert self.measured(found['complete'])[1] >= 0.95
        assert self.measured(found['complete'] + step)[1] < 0.95
        assert self.measured(found['clean'])[2] <= 0.01
        assert self.measured(found['clean'] - step)[2] > 0.01

        def f1(threshold: float) -> float:
            purity, completeness, _ = self.measured(threshold)
            return 2 * purity * completeness / (purity + completeness)

        assert f1(found['best']) == max(f1(score) for score in np.unique(self.scores))

    def test_what_cannot_be_reached(self) -> None:
        """The highest score; and without anything to find there is no threshold."""
        positive = np.array([False, True, True, False])
        scores = np.array([0.9, 0.8, 0.3, 0.1])
        found = thresholds(scores, positive, {'pure': Aim('purity', 0.99)})
        assert found == {'pure': 0.9}
        with pytest.raises(ValueError, match='none of the scores is of a positive'):
            thresholds(scores, np.zeros(4, dtype=bool), {'best': Aim('f1')})
