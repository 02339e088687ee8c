"""Rules by which probabilities become flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astrosieve.contaminant import CLASSES
from astrosieve.contaminant.flags import (
    CORE_POINT,
    FAINT_POINT,
    LINE_POINT,
    OPERATING_POINT,
    Rules,
    around,
    bits_of,
    either,
    foremost,
    line_sums,
    mask_type,
)
from astrosieve.exceptions import ModelError
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.registry import Model

SIDE = 160
TRAIL, SPIKE = (CLASSES.names.index(name) for name in ('satellite_trail', 'spike'))


def line(slope: float, width: float = 2.0) -> np.ndarray:
    """Return which pixels lie along a line through the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    turn = np.arctan(slope)
    return np.abs(y * np.cos(turn) - x * np.sin(turn)) < width


def rules(model: Model, faint: float) -> Rules:
    """Return those of a model that flags trails from a half on, or in lines."""
    name = CLASSES.names[TRAIL]
    points = {
        OPERATING_POINT: OperatingPoint(dict.fromkeys(CLASSES.names, 0.5), 'p', {}, ''),
        LINE_POINT: OperatingPoint({name: 8.0}, 'expected pixels', {}, ''),
        FAINT_POINT: OperatingPoint({name: faint}, 'p', {}, ''),
    }
    return Rules(replace(model.card, operating_points=points))


def test_around() -> None:
    """Of each plane on its own, as by hand; zero beyond the edges."""
    planes = np.random.default_rng(3).random((2, 6, 9))
    wide = np.pad(planes, ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (5, 5), (1, 2))
    np.testing.assert_allclose(around(np.add, planes), windows.sum((-2, -1)))
    np.testing.assert_allclose(around(np.maximum, planes), windows.max((-2, -1)))
    assert around(np.maximum, np.ones((1, 1))) == 1


def test_either() -> None:
    """Of two that know nothing of each other; never more than one."""
    one, other = np.array([0.5, 1.0, 0.0]), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(either(one, other), [0.75, 1.0, 0.2])


def test_a_hit_that_may_be_a_hot_pixel_is_no_star(model: Model) -> None:
    """What is likely either way is as sure as what is likely one way."""
    hit, hot = (CLASSES.names.index(name) for name in ('cosmic_ray', 'hot_pixel'))
    points = {
        OPERATING_POINT: OperatingPoint(dict.fromkeys(CLASSES.names, 0.5), 'p', {}, ''),
        CORE_POINT: OperatingPoint({'cosmic_ray': 0.9}, 'p', {}, ''),
    }
    planes = np.zeros((len(CLASSES.names), 20, 20), np.float32)
    planes[hit, 5, 5], planes[hit, 15, 15] = 0.7, 0.7
    planes[hot, 5, 5], planes[hot, 15, 15] = 0.4, 0.8
    mask = Rules(replace(model.card, operating_points=points)).mask(planes)
    flagged = (mask & bits_of(CLASSES.names)['cosmic_ray']) != 0
    assert [tuple(at) for at in np.argwhere(flagged)] == [(15, 15)]


def test_a_hit_reaches_four_pixels_from_where_it_is_sure(model: Model) -> None:
    """Two from the sure pixel to its like, and two from that on."""
    hit = CLASSES.names.index('cosmic_ray')
    points = {
        OPERATING_POINT: OperatingPoint(dict.fromkeys(CLASSES.names, 0.5), 'p', {}, ''),
        CORE_POINT: OperatingPoint({'cosmic_ray': 0.9}, 'p', {}, ''),
    }
    planes = np.zeros((len(CLASSES.names), 9, 20), np.float32)
    planes[hit, 4, 5:16] = 0.6
    planes[hit, 4, 5] = 0.95
    planes[hit, 4, 8] = 0.3
    mask = Rules(replace(model.card, operating_points=points)).mask(planes)
    flagged = (mask & bits_of(CLASSES.names)['cosmic_ray']) != 0
    assert np.flatnonzero(flagged.any(axis=0)).tolist() == [5, 6, 7, 9]


def test_foremost() -> None:
    """Where no other class is likelier; of equal ones each is."""
    planes = np.array([[[0.2, 0.3, 0.0]], [[0.1, 0.3, 0.4]]])
    assert foremost(planes, 0).tolist() == [[True, True, False]]
    assert foremost(planes, 1).tolist() == [[False, True, True]]


@pytest.mark.parametrize('slope', [0.3, 1.0, -0.6, 8.0])
def test_sums_along_lines(slope: float) -> None:
    """Most of 100 pixels of a line add up, at any angle; a few of others."""
    where = line(slope)
    plane = 0.1 * where
    sums = line_sums(plane, np.ones_like(where))
    assert sums.dtype == np.float32
    middle = slice(60, 100)
    inner = where[middle, middle]
    assert np.median(sums[middle, middle][inner]) > 0.1 * 4 * 100 * 0.5
    assert sums.max() < 0.1 * 4 * 100 * 1.3
    assert np.median(sums[:40, :40][~line(slope, 20)[:40, :40]]) < 4
    some = line_sums(plane, where)
    np.testing.assert_array_equal(some, np.where(where, sums, 0))


def test_rows_and_columns_are_no_lines() -> None:
    """What lies along them adds up in the part that another direction crosses."""
    for where in (line(0.0), line(0.0).T):
        assert line_sums(0.1 * where, where).max() < 0.5 * 0.1 * 4 * 100


@pytest.mark.parametrize('shape', [(1, 1), (3, 250), (61, 7)])
def test_sums_of_small_images(shape: tuple[int, int]) -> None:
    """Of any shape, with zero beyond the edges."""
    sums = line_sums(np.full(shape, 0.5), np.ones(shape, bool))
    assert sums.shape == shape
    assert (sums > 0).all()
    assert not line_sums(np.full(shape, 0.5), np.zeros(shape, bool)).any()


def test_faint_pixels_of_a_line_are_flagged(model: Model) -> None:
    """Where they add up, and no other class is likelier; alone they are not."""
    bit = bits_of(CLASSES.names)['satellite_trail']
    planes = np.zeros((len(CLASSES.names), SIDE, SIDE), np.float32)
    where = line(0.7)
    planes[TRAIL][where] = 0.2
    planes[TRAIL, 20, 140] = 0.2
    planes[TRAIL, 10, 150] = 0.6
    planes[SPIKE, :, :60] = 0.3
    mask = rules(model, 0.1).mask(planes)
    flagged = (mask & bit) != 0
    assert mask.dtype == mask_type(bits_of(CLASSES.names))
    assert flagged[:, 60:][where[:, 60:]].mean() > 0.9
    assert not flagged[:, :60].any()
    assert not flagged[20, 140]
    assert flagged[10, 150]
    assert flagged.sum() == flagged[where].sum() + 1
    plain = rules(model, 0.3).mask(planes)
    assert np.count_nonzero(plain & bit) == 1


def test_a_card_without_thresholds_is_refused(model: Model) -> None:
    """By name, before anything is computed."""
    bare = replace(model.card, operating_points={})
    with pytest.raises(ModelError, match='best'):
        Rules(bare)
