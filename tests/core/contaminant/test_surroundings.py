"""What the pixels far around one say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from astrosieve.contaminant import CLASSES, segment_contaminants
from astrosieve.contaminant.segment import segment_parts
from astrosieve.contaminant.surroundings import Lines, Regions, stated_by
from astrosieve.contaminant.surroundings.cells import Cells
from astrosieve.exceptions import ModelError
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model

_OBJECT = CLASSES.names.index('object')


def told(model: Model, option: str = 'surroundings', /, **stated: Any) -> Model:
    """Return a model whose card states what surroundings say."""
    options = {**model.card.options, option: stated}
    return Model(replace(model.card, options=options), model.path)


@pytest.fixture
def wide() -> np.ndarray:
    """Noise of 5, and of 6000 in the middle of 640x720 pixels."""
    image = np.random.default_rng(8).normal(0, 5, (640, 720)).astype(np.float32)
    image[200:420, 250:480] += np.random.default_rng(9).normal(6000, 6000, (220, 230))
    return image


@pytest.mark.parametrize('shape', [(1, 1), (31, 33), (64, 320), (77, 500)])
def test_cells(shape: tuple[int, int]) -> None:
    """They are means of 32x32 pixels, in whatever bands these come."""
    p = np.random.default_rng(4).random((2, *shape))
    whole, banded = Cells(2, shape, 32), Cells(2, shape, 32)
    whole.add(0, p)
    for first in range(0, shape[0], 13):
        banded.add(first, p[:, first : first + 13])
    assert np.allclose(whole.means(), banded.means())
    assert whole.means().shape == (2, -(-shape[0] // 32), -(-shape[1] // 32))
    assert np.allclose(whole.means()[:, -1, -1], p[:, (shape[0] - 1) // 32 * 32 :, (
        shape[1] - 1) // 32 * 32 :].mean((1, 2)))  # fmt: skip


def test_between_cells() -> None:
    """Values change evenly from middle to middle, and stay beyond the last ones."""
    cells = Cells(1, (160, 128), 32)
    values = np.add.outer(10.0 * np.arange(5), np.arange(4))[None]
    rows = slice(50, 150)
    nodes = cells.nodes(rows)
    assert (nodes.start, nodes.stop) == (1, 5)
    found = cells.between(values[:, nodes], rows)[0]
    y = np.clip((np.arange(50, 150) - 15.5) / 32, 0, 4)
    x = np.clip((np.arange(128) - 15.5) / 32, 0, 3)
    assert np.allclose(found, np.add.outer(10 * y, x), atol=1e-4)


def test_features() -> None:
    """Mean and quantiles of the 16x16 cells about; at edges of the nearest ones."""
    means = np.full((1, 40, 20), 0.2)
    means[0, 30:, :10] = 0.7
    found = Regions.features(means, slice(0, 40))
    assert found.shape == (1, 40, 20, 5)
    assert np.allclose(found[0, 0], logit(0.2), atol=1e-5)
    assert np.allclose(found[0, 39, 0, 0], logit(0.2 + 0.5 * 10 * 10 / 256), atol=1e-5)
    assert np.allclose(found[0, 39, 0, 1:], logit([0.2, 0.2, 0.7, 0.7]), atol=1e-5)
    assert np.array_equal(found[:, 32:], np.repeat(found[:, 32:33], 8, axis=1))
    assert np.array_equal(Regions.features(means, slice(20, 33)), found[:, 20:33])
    assert Regions.features(np.zeros((3, 1, 2)), slice(0, 1)).shape == (3, 1, 2, 5)


def test_nothing_is_asked_of_a_model_that_states_nothing(model: Model) -> None:
    """Nor does a card say so of what was not fitted."""
    assert stated_by(model.card) == []
    for kind in (Regions, Lines):
        assert kind.of(model.card).stated(CLASSES.names) == {}


@pytest.mark.parametrize(('option', 'n'), [('surroundings', 6), ('lines', 5)])
def test_damaged_cards(option: str, n: int, model: Model) -> None:
    """One error says what is expected."""
    for stated in (
        {'dust': {'scale': 1, 'weights': [0] * n}},
        {'fringe': {'scale': 1, 'weights': [0] * (n - 1)}},
        {'fringe': {'scale': 'much', 'weights': [0] * n}},
        {'fringe': {'weights': [0] * n}},
        {'fringe': 3},
    ):
        match = f"'{option}' of model pixels must have a scale and {n} weights"
        with pytest.raises(ModelError, match=match):
            segment_contaminants(np.eye(40), model=told(model, option, **stated))


def test_a_card_states_what_was_fitted(model: Model) -> None:
    """There and back; each kind of its own classes."""
    stated = {'fringe': {'scale': 0.5, 'weights': [1.0, 0, -2, 3, 4.25, 5]}}
    trails = {'satellite_trail': {'scale': 0.9, 'weights': [1.0, 2.0, -3.0, 0.5, 0]}}
    regions, lines = stated_by(told(told(model, **stated), 'lines', **trails).card)
    assert regions.stated(CLASSES.names) == {'surroundings': stated}
    assert lines.stated(CLASSES.names) == {'lines': trails}


def line(slope: float, shape: tuple[int, int]) -> np.ndarray:
    """Return which cells lie along a line through the middle."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    turn = np.arctan(slope)
    away = (y - shape[0] // 2) * np.cos(turn) - (x - shape[1] // 2) * np.sin(turn)
    return np.abs(away) < 0.8


@pytest.mark.parametrize('slope', [0.3, 1.0, -0.6, 8.0])
def test_lines(slope: float) -> None:
    """Along one, cells are as likely as it is; beside it and beyond its ends less."""
    where = line(slope, (60, 70))
    means = np.where(where, 0.2, 1e-4)[None]
    found = Lines.features(means, slice(0, 60))[0]
    best, every, best_faint, every_faint = np.moveaxis(found, -1, 0)
    faintest = -5.0
    middle = np.s_[22:38, 27:43]
    assert np.median(best[middle][where[middle]]) > 0.6 * logit(0.2) + 0.4 * faintest
    assert np.median(every[middle][where[middle]]) < 0.2 * logit(0.2) + 0.8 * faintest
    assert (best >= every - 1e-4).all()
    assert (best_faint >= every_faint - 1e-4).all()
    some = best_faint[middle][where[middle]]
    assert np.median(some) > 0.6 * -4 + 0.4 * -8  # no more than that counts
    assert best_faint.max() <= -4 + 1e-5
    assert (best < 0.9 * faintest).mean() > 0.5


def test_parts_of_lines() -> None:
    """Rows asked for alone are those of the whole; beyond the edges nothing counts."""
    means = np.random.default_rng(2).random((2, 50, 37)) ** 3
    whole = Lines.features(means, slice(0, 50))
    for rows in (slice(0, 1), slice(7, 20), slice(30, 50)):
        assert np.allclose(Lines.features(means, rows), whole[:, rows], atol=1e-5)
        part = means.copy()
        part[:, Lines.reach(50, rows) :] = 0.9
        assert np.allclose(Lines.features(part, rows), whole[:, rows], atol=1e-5)
    even = Lines.features(np.full((1, 3, 40), 0.2), slice(0, 3))
    assert np.allclose(even, [logit(0.2)] * 2 + [-4] * 2, atol=1e-5)
    sure = Lines.features(np.full((1, 1, 1), 0.999), slice(0, 1))
    assert np.allclose(sure, [0, 0, -4, -4], atol=1e-5)  # as sure as a half


def test_faint_lines_are_believed(wide: np.ndarray, model: Model) -> None:
    """What a class is likely to be all along a line is likelier than what is alone."""
    y, x = np.mgrid[:640, :720]
    trail = np.abs(y - 0.55 * x - 60) < 2
    wide += 900.0 * trail
    plain = segment_contaminants(wide, model=model).probability('object')
    weights = {'object': {'scale': 1.0, 'weights': [3.0, 1.0, 0, 0, 0]}}
    asked = segment_contaminants(wide, model=told(model, 'lines', **weights))
    p, before = asked.probability('object').astype(float), plain.astype(float)
    some = (before > 1e-3) & (before < 0.9)
    change = logit(p[some].clip(1e-6, 1 - 1e-6)) - logit(before[some])
    assert (change[trail[some]]).mean() > change[~trail[some]].mean()
    assert (asked.where('object') == (p >= asked.thresholds['object'])).mean() > 0.999


def test_regions_and_lines_at_once(wide: np.ndarray, model: Model) -> None:
    """Each changes its own classes, in tiles as in the whole."""
    of_regions = {'object': {'scale': 0.8, 'weights': [-1, 0.6, 0.1, 0, 0, 0.1]}}
    of_lines = {'cosmic_ray': {'scale': 0.9, 'weights': [1.0, 0.5, -0.4, 0.1, 0]}}
    plain = segment_contaminants(wide, model=model)
    one, other = told(model, **of_regions), told(model, 'lines', **of_lines)
    both = told(one, 'lines', **of_lines)
    hit = CLASSES.names.index('cosmic_ray')
    image = MeasuredImage.of(wide)
    (found,) = segment_parts(image, both)
    for asked, changed in ((one, _OBJECT), (other, hit)):
        p = segment_contaminants(wide, model=asked).probabilities
        assert np.array_equal(found.probabilities[changed], p[changed])
        assert not np.array_equal(p[changed], plain.probabilities[changed])
    parts = [part.probabilities for part in segment_parts(image, both, tile=64)]
    joined = np.concatenate(parts, axis=1)
    assert np.allclose(joined, found.probabilities, atol=1e-3)


def test_odds_change_with_what_is_around(wide: np.ndarray, model: Model) -> None:
    """As the card says; other classes stay as they are."""
    y, x = np.ogrid[:640, :720]
    wide += 3e4 * np.exp(-((y - 335) ** 2 + (x - 367) ** 2) / 18).astype(np.float32)
    plain = segment_contaminants(wide, model=model)
    weights = [2, 0.6, 0, 0.2, 0, 0.1]
    found = segment_contaminants(
        wide, model=told(model, object={'scale': 0.8, 'weights': weights})
    )
    others = np.arange(15) != _OBJECT
    assert np.array_equal(found.probabilities[others], plain.probabilities[others])
    p = plain.probability('object').astype(float)
    cells = p.reshape(20, 32, -1)[:, :, :704].reshape(20, 32, 22, 32).mean((1, 3))
    cells = np.column_stack([cells, p.reshape(20, 32, -1)[:, :, 704:].mean((1, 2))])
    window = cells[2:18, 3:19].ravel()  # of the cell of (335, 367)
    levels = [window.mean(), *np.quantile(window, [0.1, 0.5, 0.9, 0.99])]
    added = weights[0] + logit(np.clip(levels, 1e-4, 1 - 1e-4)) @ weights[1:]
    near = np.s_[330:341, 362:373]
    before, after = p[near], found.probability('object')[near].astype(float)
    some = (before > 1e-3) & (before < 0.99)  # of which 16 bits hold enough
    assert some.sum() > 5
    change = logit(after[some]) - 0.8 * logit(before[some])
    assert np.allclose(change, added, atol=0.05)
    assert abs(added) > 1
    limit = found.thresholds['object']
    sure = found.probability('object') >= limit
    assert (found.where('object') == sure).mean() > 0.999
    assert (found.where('object') != plain.where('object')).any()


def test_tiles_do_not_show(wide: np.ndarray, model: Model) -> None:
    """Cut in whatever way, the map is that of the whole, row after row."""
    asked = told(model, object={'scale': 0.8, 'weights': [-1, 0.6, 0.1, 0, 0, 0.1]})
    image = MeasuredImage.of(wide)
    (whole,) = segment_parts(image, asked)
    for tile in (64, 160, 320):
        parts = list(segment_parts(image, asked, tile=tile))
        assert parts[0].rows.start == 0
        assert [each.rows.stop for each in parts[:-1]] == [
            each.rows.start for each in parts[1:]
        ]
        joined = np.concatenate([part.probabilities for part in parts], axis=1)
        assert np.allclose(joined, whole.probabilities, atol=1e-3)
        mask = np.concatenate([part.mask for part in parts])
        assert (mask != whole.mask).mean() < 1e-4


def test_a_prior_comes_on_top(wide: np.ndarray, model: Model) -> None:
    """It multiplies the odds that the surroundings leave."""
    asked = told(model, object={'scale': 0.8, 'weights': [-1, 0.6, 0.1, 0, 0, 0.1]})
    before = segment_contaminants(wide, model=asked)
    found = segment_contaminants(wide, model=asked, prior={'object': 0.3})
    usual = model.card.class_prior['object']
    factor = 0.3 / 0.7 * (1 - usual) / usual
    p = before.probability('object').astype(float)
    expected = p * factor / (p * factor + 1 - p)
    assert np.allclose(found.probability('object'), expected, atol=2e-3)


def test_lost_pixels(wide: np.ndarray, model: Model) -> None:
    """Nothing is said of them, and hardly anything changes about them."""
    asked = told(model, object={'scale': 0.8, 'weights': [-1, 0.6, 0.1, 0, 0, 0.1]})
    before = segment_contaminants(wide, model=asked)
    wide[300, 100] = np.nan
    found = segment_contaminants(wide, model=asked)
    assert np.argwhere(np.isnan(found.probabilities[_OBJECT])).tolist() == [[300, 100]]
    assert found.mask[300, 100] == 0
    change = np.abs(found.probability('object') - before.probability('object'))
    change[298:303, 98:103] = 0
    assert np.nanmax(change) < 5e-3
