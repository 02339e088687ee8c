"""Detectors: bleeding, transfer, faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astrosieve.images.instruments import instrument
from astrosieve_training.simulate import detector, load_camera

BITS = instrument('WFC3', 'UVIS').dq.written  # of the demo camera


def test_bleeding_conserves_charge() -> None:
    """What leaves a full pixel arrives in its column."""
    image = np.full((200, 20), 10.0)
    image[100:103, 7] = (5e4, 1e6, 2e4)
    image[40, 12] = 3e5
    kept, moved = detector.bleed(image, 4e4)
    total = kept + moved
    np.testing.assert_allclose(total.sum(axis=0), image.sum(axis=0), rtol=1e-12)
    assert total.max() <= 4e4 * (1 + 1e-12)
    assert (moved[:, [0, 6, 8]] == 0).all()
    rows = np.flatnonzero(moved[:, 7])
    assert rows.min() < 95
    assert rows.max() > 108
    assert abs((rows.min() + rows.max()) / 2 - 101) < 2


def test_bleeding_at_an_edge_turns_back() -> None:
    """Charge that reaches the end of a column goes the other way."""
    image = np.zeros((100, 3))
    image[2, 1] = 2e5
    kept, moved = detector.bleed(image, 1e4)
    assert (kept + moved).sum() == pytest.approx(2e5)


def test_nothing_bleeds_below_full_well() -> None:
    """An unsaturated image stays as it is."""
    image = np.full((10, 10), 100.0)
    kept, moved = detector.bleed(image, 1e4)
    assert np.array_equal(kept, image)
    assert not moved.any()


@pytest.mark.parametrize('direction', [1, -1])
def test_trails_point_away_from_the_register(direction: int) -> None:
    """Deferred charge comes later in readout, and only later."""
    deferred = np.zeros((200, 3))
    deferred[100, 1] = 50.0
    out = detector.trail(deferred, direction)
    assert out.sum() == pytest.approx(50, rel=0.01)
    before = out[:101] if direction == 1 else out[100:]
    assert not before.any()
    assert out[100 + direction, 1] == out.max()


def test_small_packets_lose_a_larger_share() -> None:
    """The share falls with the charge and grows with the distance."""
    image = np.array([[100.0, 10000.0]] * 3)
    share = detector.cte_fractions(image, 0.05, np.array([0.0, 0.5, 1.0]))
    assert (share[0] == 0).all()
    assert share[2, 0] > share[2, 1]
    assert share[2, 0] > share[1, 0]


def test_faults_follow_the_camera() -> None:
    """Their numbers are those asked for; most are marked, not all."""
    camera = replace(load_camera('demo'), bad_columns=0.0, hot_fraction=0.01)
    rng = np.random.default_rng(1)
    defects = detector.make_defects(camera, (400, 400), rng)
    hot = defects.rate > 0.3 * camera.hot_rate
    assert 0.005 < hot.mean() < 0.02
    marked = (defects.dq[hot] & (BITS['hot'] | BITS['unstable'])) != 0
    assert 0.7 < marked.mean() < 1.0
    assert (defects.response < 0.6).any()


def test_bad_columns() -> None:
    """Bad columns lie along y."""
    camera = replace(load_camera('demo'), bad_columns=50.0)
    defects = detector.make_defects(camera, (400, 400), np.random.default_rng(2))
    columns = (defects.columns > 0).sum(axis=0)
    assert (columns > 0).sum() > 10
    assert (defects.dq & BITS['bad']).any()


def test_flat_is_flat() -> None:
    """The residual has the size asked for."""
    flat = detector.flat_field((300, 300), 0.01, np.random.default_rng(3))
    assert flat.mean() == pytest.approx(1, abs=0.02)
    assert 0.008 < np.diff(flat, axis=0).std() / np.sqrt(2) < 0.012
