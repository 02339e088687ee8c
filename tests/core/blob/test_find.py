"""Difference images in, blobs out, with a model that looks at means of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import Table

from astrosieve.blob import BLOB_FLAGS, DifferenceError, find_blobs
from astrosieve.blob.find import COLUMNS, flags_of, known_places
from astrosieve.blob.marks import FEATURES, Marks
from astrosieve.exceptions import CatalogError, ModelError, OutOfDomainWarning
from astrosieve.models.registry import Model

Draw = Callable[..., np.ndarray]
THREE = ((100.0, 60.0, 0.15), (30.0, 180.0, 0.15), (200.0, 120.0, 0.15))


def test_columns(model: Model, drawn: Draw) -> None:
    """Where, how large, how deep, and the error of each."""
    table = find_blobs(drawn(), model=model)
    assert tuple(table.colnames) == COLUMNS
    assert len(table) == 1
    blob = table[0]
    assert abs(blob['x'] - 100) < 3
    assert abs(blob['y'] - 60) < 3
    assert blob['radius'] == pytest.approx(5)
    assert blob['depth'] == pytest.approx(7.5 * 0.02, rel=0.1)
    assert 0.5 <= blob['p_blob'] <= 1
    assert blob['subframe'] == 0
    assert blob['x_err'] == blob['y_err'] == pytest.approx(4)
    assert blob['radius_err'] == pytest.approx(5)
    assert blob['depth_err'] == pytest.approx(blob['depth'] / 2)  # as the card says
    assert blob['flags'] == 0
    assert table['x'].unit == u.pix
    assert table.meta['model'] == 'means 1.0'
    assert table.meta['hash'] == model.card.sha256
    assert table.meta['known'] == 0
    assert table.meta['warnings'] == ''


def test_nothing(model: Model, drawn: Draw) -> None:
    """No blob: no row, and all columns; nor are negative spots blobs."""
    for blobs in ((), ((100.0, 60.0, -0.2),)):
        table = find_blobs(drawn(blobs), model=model)
        assert tuple(table.colnames) == COLUMNS
        assert len(table) == 0


def test_sorted_by_probability(model: Model, drawn: Draw) -> None:
    """The likeliest comes first."""
    faint = [(x, y, 0.08 + 0.03 * n) for n, (x, y, _) in enumerate(THREE)]
    table = find_blobs(drawn(faint), model=model, min_probability=0.01)
    assert len(table) == 3
    assert (np.diff(table['p_blob']) <= 0).all()


def test_scale_and_offset_change_nothing(model: Model, drawn: Draw) -> None:
    """Of the probability; the depth is in the image's unit, and strange ones warn."""
    expected = find_blobs(drawn(THREE), model=model)
    assert len(expected) == 3
    with pytest.warns(OutOfDomainWarning, match='not a difference'):
        found = find_blobs(drawn(THREE) * 500 + 40, model=model)
    for name in ('x', 'y', 'p_blob'):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3)
    np.testing.assert_allclose(found['depth'], expected['depth'] * 500, rtol=1e-3)
    assert 'not a difference' in found.meta['warnings']


def test_strips_change_nothing(model: Model, drawn: Draw) -> None:
    """A high image is done in strips; blobs where they meet are found once."""
    places = [(128.0, float(y), 0.15) for y in range(30, 1100, 40)]
    table = find_blobs(drawn(places, (1114, 256)), model=model)
    assert len(table) == len(places)
    assert np.sort(table['y']) == pytest.approx([y for _, y, _ in places], abs=3)
    assert table['subframe'].max() == 4


def test_masks(model: Model, drawn: Draw) -> None:
    """What mask, NaN or DQ exclude is not seen; known blobs' bit is no reason."""
    data = drawn(THREE)
    box = np.s_[50:71, 90:111]
    mask = np.zeros(data.shape, bool)
    mask[box] = True
    hole = data.copy()
    hole[box] = np.nan
    for hidden in (
        find_blobs(data, mask=mask, model=model),
        find_blobs(hole, model=model),
        find_blobs(np.ma.array(data, mask=mask), model=model),
        find_blobs(CCDData(data, unit='', mask=mask), model=model),
        find_blobs(data, dq=np.where(mask, 16, 0), model=model),
    ):
        assert len(hidden) == 2
    assert len(find_blobs(data, dq=np.where(mask, 512, 0), model=model)) == 3


def test_reference_pixels(model: Model, drawn: Draw) -> None:
    """Of 1024x1024 pixels the border does not count; positions stay the image's."""
    data = drawn(((500.0, 300.0, 0.15),), (1024, 1024))
    data[:5] = data[:, -5:] = 3.0
    table = find_blobs(data, model=model)
    assert len(table) == 1
    assert abs(table['x'][0] - 500) < 3
    assert table['subframe'][0] == 5


def test_known(model: Model, drawn: Draw) -> None:
    """Known blobs are left out: within their radius, or three pixels."""
    data = drawn(THREE)
    everything = find_blobs(data, model=model)
    first = everything[0]
    away = {'x': [first['x'] + 6], 'y': [first['y']]}
    assert len(find_blobs(data, known=away, model=model)) == 3
    wide = find_blobs(data, known={**away, 'radius': [7.0]}, model=model)
    assert len(wide) == 2
    assert wide.meta['known'] == 1
    again = find_blobs(data, known=everything, model=model)
    assert len(again) == 0
    assert again.meta['known'] == 3


def test_known_places() -> None:
    """Masked rows are nowhere; what is missing is named."""
    known = Table({'x': [1.0, 2.0], 'y': [3.0, 4.0], 'radius': [1.0, 8.0]}, masked=True)
    assert known_places(known)[:, 2].tolist() == [3.0, 8.0]
    known['x'].mask[0] = True
    assert known_places(known).tolist() == [[2.0, 4.0, 8.0]]
    with pytest.raises(CatalogError, match=r'columns x and y .* has ra, dec'):
        known_places(Table({'ra': [1.0], 'dec': [2.0]}))
    with pytest.raises(CatalogError, match='must hold numbers'):
        known_places({'x': ['a'], 'y': [2.0]})


def test_edge(model: Model, drawn: Draw) -> None:
    """A blob that reaches beyond the image is found, and said to be at its edge."""
    table = find_blobs(drawn(((2.0, 60.0, 0.25),)), model=model)
    assert [BLOB_FLAGS.decode(bits) for bits in table['flags']] == [['edge']]


def test_flags() -> None:
    """At the edge, close to another, on lost pixels."""
    x, y = np.array([2.0, 50, 58, 100]), np.array([40.0, 40, 40, 60])
    rest = {n: np.ones(4) for n in ('logit', 'depth', 'x_err', 'radius_err')}
    marks = Marks(x=x, y=y, radius=np.full(4, 5.0), depth_err=np.ones(4), **rest)
    signal = np.zeros((80, 120), np.float32)
    signal[58:, 90:] = np.nan
    bits = flags_of(marks, signal)
    assert [BLOB_FLAGS.decode(each) for each in bits] == [
        ['edge'], ['close'], ['close'], ['spoilt'],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('bad', 'error', 'message'),
    [
        (lambda d: d[0], ValueError, 'must be a 2D image'),
        (lambda d: np.stack([d, d]), ValueError, r'Pass one plane, as data\[0\]'),
        (lambda d: d.astype(complex), ValueError, 'must hold real numbers'),
        (lambda d: 'image.fits', TypeError, 'open the file'),
        (lambda d: d[:63], DifferenceError, 'at least 64x64 are'),
        (lambda d: d * np.nan, DifferenceError, 'only 0.0% of the pixels'),
        (np.zeros_like, DifferenceError, 'all usable pixels are 0;'),
        (lambda d: d * u.electron, DifferenceError, 'image is in electron; a diff'),
    ],
)
def test_bad_images(
    bad: Callable[[np.ndarray], Any],
    error: type[Exception],
    message: str,
    model: Model,
    drawn: Draw,
) -> None:
    """Each is refused with cause and cure."""
    with pytest.raises(error, match=message):
        find_blobs(bad(drawn()), model=model)


def test_bad_planes_and_options(model: Model, drawn: Draw) -> None:
    """Planes of another shape, flags that are none, shares that cannot be."""
    data = drawn()
    with pytest.raises(ValueError, match='mask must have the shape'):
        find_blobs(data, mask=np.zeros((3, 3), bool), model=model)
    with pytest.raises(ValueError, match='dq must be an integer array'):
        find_blobs(data, dq=np.zeros(data.shape), model=model)
    for share in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match='min_probability must be'):
            find_blobs(data, model=model, min_probability=share)


def test_percent_and_huge_values(model: Model, drawn: Draw) -> None:
    """Percents are fractions; a value near the largest float spoils nothing else."""
    data = drawn()
    percent = find_blobs(data * 100 * u.percent, model=model)
    assert percent['depth'][0] == pytest.approx(7.5 * 0.02, rel=0.1)
    data[150, 200] = 3e38
    data[20, 20] = -3e38
    assert abs(find_blobs(data, model=model)['x'][0] - 100) < 3


def test_least_depth(model: Model, drawn: Draw) -> None:
    """What loses less light than the card says is not reported."""
    options = {**model.card.options, 'least_depth': 0.2}
    shallow = Model(replace(model.card, options=options), model.path)
    assert len(find_blobs(drawn(), model=shallow)) == 0


def test_weights(model: Model, drawn: Draw) -> None:
    """The card's weights of logit, size and errors make the probability."""

    def logits(offset: float) -> np.ndarray:
        weights = dict.fromkeys(FEATURES, 0.0) | {'logit': 0.1, 'offset': offset}
        options = {**model.card.options, 'weights': weights}
        weighed = Model(replace(model.card, options=options), model.path)
        found = find_blobs(drawn(), model=weighed, min_probability=0.1)
        p = np.asarray(found['p_blob'], float)
        return np.log(p / (1 - p))

    scale = float(np.ravel(model.card.temperature)[0])
    assert logits(0.25)[0] == pytest.approx(logits(0.0)[0] + 0.25 / scale, rel=1e-3)
    assert (np.diff(logits(0.25)) <= 0).all()


def test_a_model_of_subframes(model: Model, drawn: Draw) -> None:
    """One that does not say where is refused by name."""
    other = Model(replace(model.card, name='whole', options={}), model.path)
    with pytest.raises(ModelError, match='whole does not say where blobs are'):
        find_blobs(drawn(), model=other)
