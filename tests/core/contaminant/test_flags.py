"""Rules by which probabilities become flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astrosieve.contaminant import CLASSES
from astrosieve.contaminant.flags import (
    CORE_POINT,
    OPERATING_POINT,
    Rules,
    around,
    bits_of,
    either,
)
from astrosieve.exceptions import ModelError
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.registry import Model


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


def test_a_card_without_thresholds_is_refused(model: Model) -> None:
    """By name, before anything is computed."""
    bare = replace(model.card, operating_points={})
    with pytest.raises(ModelError, match='best'):
        Rules(bare)
