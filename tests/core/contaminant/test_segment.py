"""Maps of arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty

import astrosieve
from astrosieve.contaminant import CLASSES, Contaminants, segment_contaminants
from astrosieve.contaminant.flags import (
    CLUSTER_POINT,
    CORE_POINT,
    OPERATING_POINT,
    around,
    bits_of,
)
from astrosieve.contaminant.priors import expected_shares
from astrosieve.contaminant.segment import segment_parts
from astrosieve.exceptions import AstrosieveWarning, ModelError
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.registry import Model


def same(one: Contaminants, other: Contaminants, within: float = 2e-3) -> bool:
    """Return whether two maps agree."""
    return np.array_equal(one.mask, other.mask) and np.allclose(
        one.probabilities, other.probabilities, atol=within, equal_nan=True
    )


def test_a_map(image: np.ndarray, model: Model) -> None:
    """A plane for each class, a bit where it reaches its own threshold."""
    found = segment_contaminants(image, model=model)
    assert found.classes == CLASSES.names
    assert found.probabilities.shape == (15, *image.shape)
    assert found.mask.shape == image.shape
    assert found.mask.dtype == np.int16
    assert list(found.bits.values()) == [1 << n for n in range(15)]
    hits = found.where('cosmic_ray')
    assert hits[40, 50]
    assert hits.sum() < 5
    assert found.where('bad_pixel')[60, 70]
    assert found.probability('object')[100, 120] > 0.99
    assert not found.where('fringe', 'bleed').any()
    sure = found.probability('object') >= 0.9
    assert (found.where('object') == sure).mean() > 0.999
    assert found.meta['model'] == 'pixels 1.0'
    assert found.meta['hash'] == model.card.sha256
    assert 'Contaminants 15 classes, 150x210' in repr(found)
    with pytest.raises(ValueError, match="no class 'ray'; there are cosmic_ray"):
        found.where('ray')
    assert astrosieve.segment_contaminants is segment_contaminants


@pytest.mark.parametrize('tile', [64, 1024])
def test_a_class_may_have_to_be_sure_nearby(
    tile: int, image: np.ndarray, model: Model
) -> None:
    """
    Flagged is what reaches the threshold within two pixels of a surer one, and within
    two pixels of that.
    """
    image[40, 52], image[40, 53], image[20, 30] = 60, 60, 60
    plain = segment_contaminants(image, model=model)
    hits = plain.probability('cosmic_ray').astype(float)
    assert 0.05 < hits[40, 53] < hits[20, 30] < 0.9 * hits[40, 50]
    best = model.card.operating_points[OPERATING_POINT]
    limits = {**best.threshold, 'cosmic_ray': 0.05}
    sure = {'cosmic_ray': (hits[20, 30] + hits[40, 50]) / 2}
    points = {
        OPERATING_POINT: replace(best, threshold=limits),
        CORE_POINT: OperatingPoint(sure, 'p', {}, ''),
    }
    mask = _mask_of(image, model, points, tile)
    found = (mask & plain.bits['cosmic_ray']) != 0
    assert found[40, 50]
    assert found[40, 52]
    assert found[40, 53]
    assert not found[20, 30]
    others = ~plain.bits['cosmic_ray']
    assert np.array_equal(mask & others, plain.mask & others)


@pytest.mark.parametrize('tile', [64, 1024])
def test_or_several_may_be_likely_nearby(
    tile: int, image: np.ndarray, model: Model
) -> None:
    """Flagged is, too, what has so many expected pixels in the 5x5 about it."""
    image[38:43:4, 48:53:4], image[40, 50], image[20, 30] = 60, 60, 60
    plain = segment_contaminants(image, model=model)
    hits = plain.probability('cosmic_ray').astype(float)
    about = around(np.add, hits)
    assert about[20, 30] < 0.8 * about[40, 50]
    assert hits[20, 30] < 0.99
    best = model.card.operating_points[OPERATING_POINT]
    limits = {**best.threshold, 'cosmic_ray': 0.05}
    many = {'cosmic_ray': 0.9 * about[40, 50]}
    points = {
        OPERATING_POINT: replace(best, threshold=limits),
        CORE_POINT: OperatingPoint({'cosmic_ray': 0.99}, 'p', {}, ''),
        CLUSTER_POINT: OperatingPoint(many, 'expected pixels', {}, ''),
    }
    found = (_mask_of(image, model, points, tile) & plain.bits['cosmic_ray']) != 0
    assert found[40, 50]
    assert not found[20, 30]


def _mask_of(
    image: np.ndarray, model: Model, points: dict[str, OperatingPoint], tile: int
) -> np.ndarray:
    asked = Model(replace(model.card, operating_points=points), model.path)
    parts = segment_parts(MeasuredImage.of(image), asked, tile=tile)
    return np.concatenate([part.mask for part in parts])


@pytest.mark.parametrize(
    'convert',
    [
        lambda data: data.astype(np.float64),
        lambda data: data.astype('>f4'),
        lambda data: data * u.electron,
        lambda data: NDData(data),
        lambda data: CCDData(data, unit='adu', uncertainty=StdDevUncertainty(data**0)),
        lambda data: np.ma.array(data, mask=False),
        lambda data: data[:, ::-1][:, ::-1],
    ],
    ids=['double', 'swapped', 'quantity', 'nddata', 'ccddata', 'masked', 'strided'],
)
def test_all_kinds_of_arrays(convert, image: np.ndarray, model: Model) -> None:
    """They say the same."""
    expected = segment_contaminants(image, model=model)
    assert same(segment_contaminants(convert(image), model=model), expected)


@pytest.mark.parametrize('scale', [1e-3, 0.4, 7e3])
@pytest.mark.parametrize('pedestal', [0, 1000, -250])
def test_units_do_not_matter(
    scale: float, pedestal: float, image: np.ndarray, model: Model
) -> None:
    """Electrons, rates, data numbers, bias: the same map to 1 %."""
    expected = segment_contaminants(image, model=model)
    found = segment_contaminants(
        scale * (image.astype(float) + pedestal), unit='DN/s', gain=2.0, model=model
    )
    assert np.allclose(found.probabilities, expected.probabilities, atol=0.01)
    assert (found.mask != expected.mask).mean() < 1e-3


def test_whole_numbers(image: np.ndarray, model: Model) -> None:
    """Integers, of either sign or none."""
    expected = segment_contaminants(np.round(image), model=model)
    assert same(
        segment_contaminants(np.round(image).astype(np.int32), model=model), expected
    )
    unsigned = np.round(image + 3000).astype(np.uint16)
    found = segment_contaminants(unsigned, model=model)
    assert np.allclose(found.probabilities, expected.probabilities, atol=0.01)


def test_what_is_not_usable(image: np.ndarray, model: Model) -> None:
    """Nothing is said of it; it spoils only itself."""
    before = segment_contaminants(image, model=model)
    spoilt = image.copy()
    spoilt[10, 20], spoilt[10, 30] = np.nan, np.inf
    mask = np.zeros(image.shape, bool)
    mask[40, 50] = True
    dq = np.zeros(image.shape, np.int16)
    dq[60, 70] = 4
    dq[20, 20] = 8192
    found = segment_contaminants(spoilt, mask=mask, dq=dq, model=model)
    lost = np.isnan(found.probabilities).all(axis=0)
    assert np.argwhere(lost).tolist() == [[10, 20], [10, 30], [40, 50], [60, 70]]
    assert np.isnan(found.probabilities).sum() == 4 * 15
    assert not found.mask[lost].any()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    near = np.min([np.hypot(y - v, x - w) for v, w in np.argwhere(lost)], axis=0) < 2
    changed = np.abs(found.probabilities - before.probabilities).max(axis=0) > 0.02
    assert not changed[~near].any()
    masked = np.ma.array(image, mask=mask)
    found = segment_contaminants(masked, model=model)
    assert np.isnan(found.probabilities[:, 40, 50]).all()


def test_tiles_do_not_show(model: Model) -> None:
    """Tiled in whatever way, the map is that of the whole."""
    image = np.random.default_rng(3).normal(0, 5, (333, 401)).astype(np.float32)
    image += 20 * np.sin(np.arange(401) / 30)
    measured = MeasuredImage.of(image)
    whole = list(segment_parts(measured, model))
    assert [part.rows for part in whole] == [slice(0, 333)]
    for tile in (64, 96, 160):
        parts = list(segment_parts(measured, model, tile=tile))
        assert len(parts) > 2
        edges = [(part.rows.start, part.rows.stop) for part in parts]
        assert [first for first, _ in edges[1:]] == [last for _, last in edges[:-1]]
        joined = np.concatenate([part.probabilities for part in parts], axis=1)
        assert np.allclose(joined, whole[0].probabilities, atol=1e-3)
        assert np.array_equal(
            np.concatenate([part.mask for part in parts]), whole[0].mask
        )


@pytest.mark.parametrize('shape', [(1, 1), (1, 300), (300, 1), (7, 11), (33, 31)])
def test_small_images(shape: tuple[int, int], model: Model) -> None:
    """One row, one column, one pixel, smaller than a tile, odd."""
    data = np.random.default_rng(1).normal(0, 1, shape)
    found = segment_contaminants(data, model=model)
    assert found.probabilities.shape == (15, *shape)
    assert np.isfinite(found.probabilities).all()


def test_nothing_usable(model: Model) -> None:
    """NaN everywhere, and a warning."""
    with pytest.warns(AstrosieveWarning, match='no pixel of the image is usable'):
        found = segment_contaminants(np.full((40, 50), np.nan), model=model)
    assert np.isnan(found.probabilities).all()
    assert not found.mask.any()


@pytest.mark.parametrize(
    ('data', 'said', 'match'),
    [
        (np.zeros((3, 20, 20)), {}, r'2D image; got shape \(3, 20, 20\). Pass one'),
        (np.zeros(20), {}, '2D image'),
        (np.zeros((20, 20), complex), {}, 'real numbers'),
        (np.zeros((20, 20)), {'mask': np.zeros((20, 21), bool)}, 'mask must have'),
        (np.zeros((20, 20)), {'dq': np.zeros((20, 20))}, 'dq must be an integer'),
        (np.zeros((20, 20)), {'gain': -1}, 'gain must be a positive number'),
        (np.zeros((20, 20)), {'unit': 'parsnip'}, 'not understood'),
        (np.zeros((20, 20)), {'prior': {'cosmic_ray': 2}}, 'between 0 and 1'),
        (np.zeros((20, 20)), {'prior': {'ghost': 0.1}}, 'prior names ghost'),
    ],
)
def test_bad_input(data, said: dict, match: str, model: Model) -> None:
    """Cause and cure are said."""
    with pytest.raises(ValueError, match=match):
        segment_contaminants(data, model=model, **said)


def test_names_are_no_images(model: Model) -> None:
    """A path is not opened behind the user's back."""
    with pytest.raises(TypeError, match='open the file with'):
        segment_contaminants(Path('a_flc.fits'), model=model)  # type: ignore[arg-type]


def test_models_of_other_tasks(image: np.ndarray) -> None:
    """Are refused."""
    with pytest.raises(ModelError, match="is for task 'source', not 'contaminant'"):
        segment_contaminants(image, model='source')


class TestPriors:
    """Expected shares change odds by odds."""

    def test_odds(self, image: np.ndarray, model: Model) -> None:
        """Multiplied by those of the prior over those of the training."""
        before = segment_contaminants(image, model=model)
        after = segment_contaminants(image, model=model, prior={'cosmic_ray': 0.2})
        p, q = (
            each.probability('cosmic_ray').astype(float) for each in (before, after)
        )
        known = (p > 0.01) & (p < 0.9)
        assert known.any()
        p, q = p[known], q[known]
        odds = p / (1 - p) * (0.2 / 0.8) / (0.02 / 0.98)
        assert q == pytest.approx(odds / (1 + odds), rel=0.02)
        others = [n for n, name in enumerate(CLASSES) if name != 'cosmic_ray']
        assert np.array_equal(before.probabilities[others], after.probabilities[others])
        assert after.where('cosmic_ray').sum() >= before.where('cosmic_ray').sum()
        assert after.meta['prior'] == {'cosmic_ray': 0.2}

    def test_rates(self, model: Model) -> None:
        """Are multiplied by the exposure time."""
        rate = {'cosmic_ray': 2e-5 / u.s}
        shares = expected_shares(rate, model.card, 10 * u.min)
        assert shares == {'cosmic_ray': pytest.approx(0.012)}
        with pytest.raises(ValueError, match='exposure time is not known'):
            expected_shares(rate, model.card)
        with pytest.raises(ValueError, match='is in m; give a share'):
            expected_shares({'cosmic_ray': 2 * u.m}, model.card)

    def test_defects(self, model: Model) -> None:
        """Share their prior as the card's classes do; what is said itself stands."""
        shares = expected_shares({'defects': 0.01, 'bad_row': 1e-4}, model.card)
        assert shares == {
            'hot_pixel': pytest.approx(0.002),
            'bad_pixel': pytest.approx(0.002),
            'hot_column': pytest.approx(0.002),
            'bad_column': pytest.approx(0.002),
            'bad_row': 1e-4,
        }
        with pytest.raises(ValueError, match='prior of defects must be a share'):
            expected_shares({'defects': 3}, model.card)


def test_bits_stay() -> None:
    """A class has its bit whatever the model has; strangers follow."""
    assert bits_of(('object', 'cosmic_ray', 'ring')) == {
        'object': 1 << 13,
        'cosmic_ray': 1,
        'ring': 1 << 15,
    }
