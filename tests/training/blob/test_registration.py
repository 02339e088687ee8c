"""Differences of simulated sequences of the monitor: dips go, new blobs stay."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.blob.difference import Difference, make_difference
from astrosieve.images.instruments import WFC3_IR
from astrosieve_training.blob.simulate import SimulatedImage, simulate_monitor

SHAPE = (512, 512)


@pytest.fixture(scope='module')
def images() -> list[SimulatedImage]:
    return simulate_monitor(5, 16, shape=SHAPE, n_new=2)


def difference(images: list[SimulatedImage], *, register: bool) -> Difference:
    """Return the difference of the last image."""
    bits = WFC3_IR.dq.no_signal | WFC3_IR.dq.saturated | WFC3_IR.dq.hot
    masks = [(each.dq & bits) != 0 for each in images]
    return make_difference(
        images[-1].data,
        [each.data for each in images[:-1]],
        mask=masks[-1],
        reference_masks=masks[:-1],
        register=register,
    )


def around(blobs, factor: float) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.zeros(SHAPE, bool)
    for blob in blobs:
        reach = factor * blob['radius']
        inside |= np.hypot(x - blob['x'], y - blob['y']) < reach
    return inside


def test_the_shift_is_that_of_the_mirror(images: list[SimulatedImage]) -> None:
    """Against the median of the references, within a fifth of a pixel."""
    done = difference(images, register=True)
    expected = np.subtract(
        images[-1].shift, np.median([each.shift for each in images[:-1]], axis=0)
    )
    assert np.hypot(*(np.array(done.shift) - expected)) < 0.2


def test_new_blobs_stay(images: list[SimulatedImage]) -> None:
    """What registration takes away beside older blobs is nothing of the new ones."""
    plain, done = (difference(images, register=each) for each in (False, True))
    last = images[-1]
    fresh = last.blobs[last.blobs['since'] == last.date]
    core = around(fresh, 0.7) & ~done.mask
    assert core.any()
    assert done.data[core].mean() == pytest.approx(plain.data[core].mean(), rel=0.02)
    rest = around(last.known, 2) & ~around(last.blobs, 3) & ~done.mask
    before, after = (
        np.square(np.clip(each.data[rest], -0.2, 0.2)).mean() for each in (plain, done)
    )
    assert after < before
