"""Profiles of blobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from astrosieve_training.blob.profiles import (
    Shape,
    draw_profile,
    fit_shape,
    measured,
    real_stamps,
)
from astrosieve_training.data_folder import data_folder

needs_data = pytest.mark.skipif(data_folder() is None, reason='no real data')


def test_disc_has_its_radius_depth_and_place() -> None:
    """A sharp disc loses half of its depth at its radius, all about its middle."""
    y, x = np.indices((41, 41)) - 20
    found = measured(0.3 * Shape(6.0, steepness=12)(x - 0.4, y + 0.3), 'disc')
    assert found.radius == pytest.approx(6.0, rel=0.03)
    assert (found.x, found.y) == (
        pytest.approx(0.4, abs=0.02),
        pytest.approx(-0.3, abs=0.02),
    )
    assert found.image.max() == pytest.approx(1, abs=0.01)


def test_hole_takes_light_loss_from_the_middle() -> None:
    """A doughnut is less deep in the middle than on its ring."""
    shape = Shape(6.0, steepness=5, hole=0.8, hole_radius=0.3)
    middle, ring = shape(np.array([0.0, 4.0]), np.zeros(2))
    assert middle == pytest.approx(0.2, abs=0.01)
    assert ring > 0.8


def test_drawn_profiles_are_those_of_the_issue() -> None:
    """Radii fill 2.5 to 14 pixels, nearly; kinds are many; a seed decides."""
    drawn = [draw_profile(np.random.default_rng(seed)) for seed in range(300)]
    radii = np.array([each.radius for each in drawn])
    assert radii.min() > 1.5
    assert radii.max() < 20
    assert np.ptp(radii) > 8
    assert {'gaussian', 'disc', 'doughnut', 'long', 'merged', 'satellite'} == {
        each.kind for each in drawn
    }
    assert all(each.image.min() >= 0 for each in drawn)
    again = draw_profile(np.random.default_rng(7))
    assert np.array_equal(again.image, drawn[7].image)


def test_shape_of_a_clipped_cutout_is_found() -> None:
    """Where the core of a cutout was clipped, its edge gives the radius."""
    y, x = np.indices((18, 18), dtype=float)
    truth = Shape(5.5, steepness=4)
    cutout = -0.5 + 9 * truth(x - 8.7, y - 8.2)
    cutout += np.random.default_rng(1).normal(0, 0.5, cutout.shape)
    shape, (_, _, x0, y0) = fit_shape(np.clip(cutout, -3.04, 2.96))
    assert shape.radius == pytest.approx(5.5, rel=0.12)
    assert (x0, y0) == (pytest.approx(8.7, abs=0.3), pytest.approx(8.2, abs=0.3))


@needs_data
def test_real_blobs_are_split_for_good() -> None:
    """Six of the eighteen are held back; none is in both parts."""
    training, judged = real_stamps('training'), real_stamps('judged')
    assert (len(training.names), len(judged.names)) == (12, 6)
    assert not set(training.names) & set(judged.names)
    radii = [shape.radius for shape in training.shapes + judged.shapes]
    assert 2 < min(radii) < max(radii) < 8
    drawn = [training.draw(np.random.default_rng(seed)) for seed in range(40)]
    assert all(each.kind == 'real' and 1.2 < each.radius < 13 for each in drawn)


def test_without_the_data_folder_there_are_no_real_blobs(tmp_path: Path) -> None:
    """The caller goes on with analytic profiles alone."""
    assert real_stamps('training', tmp_path) is None
