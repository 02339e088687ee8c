"""What the pixels far around one say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from astrosieve.contaminant import CLASSES, segment_contaminants
from astrosieve.contaminant.segment import segment_parts
from astrosieve.contaminant.surroundings import Cells, Surroundings, features
from astrosieve.exceptions import ModelError
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model

_OBJECT = CLASSES.names.index('object')


def told(model: Model, **stated: Any) -> Model:
    """Return a model whose card states what surroundings say."""
    options = {**model.card.options, 'surroundings': stated}
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
    whole, banded = Cells(2, shape), Cells(2, shape)
    whole.add(0, p)
    for first in range(0, shape[0], 13):
        banded.add(first, p[:, first : first + 13])
    assert np.allclose(whole.means(), banded.means())
    assert whole.means().shape == (2, -(-shape[0] // 32), -(-shape[1] // 32))
    assert np.allclose(whole.means()[:, -1, -1], p[:, (shape[0] - 1) // 32 * 32 :, (
        shape[1] - 1) // 32 * 32 :].mean((1, 2)))  # fmt: skip


def test_between_cells() -> None:
    """Values change evenly from middle to middle, and stay beyond the last ones."""
    cells = Cells(1, (160, 128))
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
    found = features(means, slice(0, 40))
    assert found.shape == (1, 40, 20, 5)
    assert np.allclose(found[0, 0], logit(0.2), atol=1e-5)
    assert np.allclose(found[0, 39, 0, 0], logit(0.2 + 0.5 * 10 * 10 / 256), atol=1e-5)
    assert np.allclose(found[0, 39, 0, 1:], logit([0.2, 0.2, 0.7, 0.7]), atol=1e-5)
    assert np.array_equal(found[:, 32:], np.repeat(found[:, 32:33], 8, axis=1))
    assert np.array_equal(features(means, slice(20, 33)), found[:, 20:33])
    assert features(np.zeros((3, 1, 2)), slice(0, 1)).shape == (3, 1, 2, 5)


def test_nothing_is_asked_of_a_model_that_states_nothing(model: Model) -> None:
    """Its rows are there at once."""
    about = Surroundings.of(model.card)
    assert not len(about.numbers)
    assert about.stated(CLASSES.names) == {}
    assert Cells(0, (900, 50)).needed(slice(0, 100)) == 100


@pytest.mark.parametrize(
    'stated',
    [
        {'dust': {'scale': 1, 'weights': [0] * 6}},
        {'fringe': {'scale': 1, 'weights': [0] * 5}},
        {'fringe': {'scale': 'much', 'weights': [0] * 6}},
        {'fringe': {'weights': [0] * 6}},
        {'fringe': 3},
    ],
)
def test_damaged_cards(stated: dict[str, Any], model: Model) -> None:
    """One error says what is expected."""
    with pytest.raises(ModelError, match="'surroundings' of model pixels must have a"):
        segment_contaminants(np.eye(40), model=told(model, **stated))


def test_a_card_states_what_was_fitted(model: Model) -> None:
    """There and back."""
    stated = {'fringe': {'scale': 0.5, 'weights': [1.0, 0, -2, 3, 4.25, 5]}}
    about = Surroundings.of(told(model, **stated).card)
    assert about.stated(CLASSES.names) == {'surroundings': stated}


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
