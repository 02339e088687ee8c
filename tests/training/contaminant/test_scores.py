"""Scores counted image by image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('sklearn')

from sklearn.metrics import average_precision_score, roc_auc_score

from astrosieve_training.contaminant.scores import Tally


@pytest.fixture
def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Return scores and truth of rare members, half of them easy."""
    rng = np.random.default_rng(3)
    has = rng.random((400, 500)) < 0.02
    logit = rng.normal(-4, 1.5, has.shape) + has * rng.choice([1, 5], has.shape)
    return (1 / (1 + np.exp(-logit))).astype(np.float32), has


def test_average_precision(pixels: tuple[np.ndarray, np.ndarray]) -> None:
    """That of sklearn, of all images together, without the pixels not known."""
    scores, has = pixels
    known = np.ones_like(has)
    known[:, :7] = False
    tally = Tally()
    for half in (slice(0, 200), slice(200, 400)):
        tally.add(scores[half], has[half], known[half])
    expected = average_precision_score(has[known], scores[known])
    assert tally.average_precision() == pytest.approx(expected, abs=1e-3)
    assert tally.n == has[known].sum()


def test_roc(pixels: tuple[np.ndarray, np.ndarray]) -> None:
    """The area is that of sklearn, half where a score says nothing, else unknown."""
    scores, has = pixels
    everything = np.ones_like(has)
    tally = Tally()
    tally.add(scores, has, everything)
    expected = roc_auc_score(has.ravel(), scores.ravel())
    assert tally.roc_area() == pytest.approx(expected, abs=1e-3)
    others, members = tally.roc()
    assert others[0] == members[0] == 0
    assert others[-1] == members[-1] == 1
    even = Tally()
    even.add(np.zeros_like(scores), has, everything)
    assert even.roc_area() == 0.5
    none = Tally()
    none.add(scores, np.zeros_like(has), everything)
    assert np.isnan(none.roc_area())


def test_a_mask_is_a_score() -> None:
    """Of a mask the precision counts for what is found, the share for the rest."""
    mask, has = np.zeros((2, 10, 10))
    mask[:2], has[1:3] = 1, 1
    tally = Tally()
    tally.add(mask, has > 0, np.ones((10, 10), bool))
    assert tally.average_precision() == pytest.approx(0.5 * 0.5 + 0.5 * 0.2)


def test_found_at_a_false_share(pixels: tuple[np.ndarray, np.ndarray]) -> None:
    """No more others are kept than allowed; at the threshold the same are found."""
    scores, has = pixels
    tally = Tally()
    tally.add(scores, has, np.ones_like(has))
    found, threshold = tally.found(0.01), tally.threshold(0.01)
    assert (scores[~has] >= threshold).mean() <= 0.01
    assert (scores[has] >= threshold).mean() == pytest.approx(found.value, abs=0.01)
    assert tally.at(threshold)[0].value == pytest.approx(found.value, abs=1e-9)


def test_calibration_error() -> None:
    """Nearly none where probabilities hold; their excess where they do not."""
    rng = np.random.default_rng(4)
    p = rng.uniform(0.05, 0.95, (300, 300))
    right, wrong = Tally(), Tally()
    known = np.ones(p.shape, bool)
    right.add(p, rng.random(p.shape) < p, known)
    wrong.add(p, rng.random(p.shape) < 0.5 * p, known)
    assert right.calibration_error() < 0.01
    assert wrong.calibration_error() == pytest.approx(0.25, abs=0.01)
