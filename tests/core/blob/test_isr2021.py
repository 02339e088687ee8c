"""The published preprocessing of differences."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from astrosieve.blob.preprocessing.isr2021 import ZScaleClip, zscale_limits


def difference(seed: int, shape: tuple[int, int] = (300, 280)) -> np.ndarray:
    """Return noise of 1 % with outliers and missing pixels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 0.01, shape).astype(np.float32)
    image.flat[rng.integers(image.size, size=200)] = 3
    image.flat[rng.integers(image.size, size=200)] = np.nan
    return image


@pytest.mark.parametrize('seed', range(5))
def test_limits_are_those_of_ginga(seed: int) -> None:
    """To the last bit, of the thousand points that its menu offers."""
    cuts = pytest.importorskip('ginga.AutoCuts')
    ginga = cuts.ZScale(logging.getLogger('test'), num_points=1000)
    image = difference(seed, (1014, 1014) if seed else (200, 417))
    expected = ginga.calc_cut_levels_data(image)
    assert zscale_limits(image) == tuple(map(float, expected))


def test_image_is_clipped_standardised_and_filled() -> None:
    """Mean 0, spread 1; outliers at the limit, missing pixels and borders at zero."""
    image = difference(1)
    image[2, 100] = 5
    image[100, 100], image[120:140, 90:110] = 5, 0.1
    spoilt = np.zeros(image.shape, np.uint8)
    spoilt[200, 50] = 1
    image[200, 50] = 7
    found = ZScaleClip().prepare(image, spoilt)
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(0, abs=1e-3)
    assert found.std() == pytest.approx(1, rel=1e-4)
    assert found[130, 100] == found[100, 100] == found.max()
    assert 2 < found.max() < 5
    for place in ((2, 100), (200, 50), tuple(np.argwhere(np.isnan(image))[0])):
        assert abs(found[place]) < 0.1


def test_pedestal_and_scale_change_nothing() -> None:
    """The same difference in percent, about another level, looks the same."""
    image = difference(2)
    found = ZScaleClip().prepare(image)
    np.testing.assert_allclose(ZScaleClip().prepare(100 * image + 3), found, atol=2e-3)


def test_nothing_gives_zeros() -> None:
    """Neither a constant nor an image without a pixel ends in NaN."""
    assert not ZScaleClip().prepare(np.full((300, 300), 0.5)).any()
    assert not ZScaleClip().prepare(np.full((300, 300), np.nan)).any()


def test_inputs_are_standardised_one_by_one() -> None:
    """A subframe's own level and spread are of no account; shapes are the card's."""
    prepare = ZScaleClip()
    subframes = np.random.default_rng(3).normal(0, 1, (3, 256, 256))
    inputs = prepare(subframes)
    again = prepare(subframes * np.array([1, 2, 0.3])[:, None, None] - 1)
    np.testing.assert_allclose(again['image'], inputs['image'], atol=1e-5)
    assert inputs['image'].shape == (3, *prepare.shapes['image'])
    assert set(prepare.meanings) == set(prepare.shapes)
