"""Real pixels in simulated images: the right ones, and those for judging kept apart."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve_training.contaminant.simulate import real
from astrosieve_training.contaminant.simulate.instruments import draw_instrument
from astrosieve_training.data_folder import data_folder

pytestmark = pytest.mark.skipif(data_folder() is None, reason='no real data')


def test_hits_for_judging_are_others() -> None:
    """No stamp of a real hit is in images of both sides."""
    rng = np.random.default_rng(1)
    thick = draw_instrument(rng, 'lsst_thick')
    sides = []
    for judged in (False, True):
        drawn = (real.hit_templates(rng, thick, judged=judged) for _ in range(20))
        sides.append(
            {stamp.tobytes() for each in drawn if each for stamp in each.stamps}
        )
    assert not sides[0] & sides[1]
    assert len(sides[0]) > len(sides[1]) > 50


def test_boxes_of_defects_lie_inside() -> None:
    """Boxes are cut at the edges; nearly every part has some."""
    rng = np.random.default_rng(2)
    for judged in (False, True):
        found = 0
        for _ in range(20):
            boxes = real.defect_boxes(rng, (100, 120), judged=judged)
            assert boxes is not None
            assert (boxes[:, 2:] > 0).all()
            assert (boxes[:, :2] >= 0).all()
            assert (boxes[:, :2] + boxes[:, 2:] <= (120, 100)).all()
            found += len(boxes) > 0
        assert found >= 18


def test_hot_pixels_of_a_chip_are_few_and_positive() -> None:
    """A part of the dark has hot pixels, one in twenty at most."""
    excess = real.hot_pixels(np.random.default_rng(3), (128, 128))
    assert excess is not None
    assert 0 < (excess > 0).mean() < 0.05
    assert excess.min() == 0


def test_ir_array_has_dead_pixels() -> None:
    """A few in each part of the array."""
    rng = np.random.default_rng(4)
    for _ in range(4):
        dead = real.ir_defects(rng, (256, 256))
        assert dead is not None
        assert 0 < dead.mean() < 0.2


def test_parts_larger_than_the_array_are_not_there() -> None:
    """What does not fit is simulated instead."""
    assert real.hot_pixels(np.random.default_rng(5), (2000, 2000)) is None
    assert real.ir_defects(np.random.default_rng(5), (2000, 2000)) is None
