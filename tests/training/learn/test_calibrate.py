"""From logits to probabilities that hold."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve_training.learn.calibrate import fit_scaling


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
