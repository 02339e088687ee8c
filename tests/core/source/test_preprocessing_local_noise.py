"""The preprocessing 'local-noise-2': three scales in units of the local noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.images.background import measure_mesh
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.models.registry import load_model
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import (
    Batch,
    LocalNoise,
    fit_image,
    get_preprocessing,
)
from astrosieve.source.widths import averaged, width_hypotheses

IMAGES = ('cutouts', 'wide', 'far')
SIDES = {'cutouts': 1, 'wide': 3, 'far': 9}


@pytest.fixture
def image(star_field) -> np.ndarray:
    return star_field.data


@pytest.fixture
def xy(star_field) -> np.ndarray:
    """Positions of all that is in the field."""
    return np.vstack([star_field.stars, star_field.hits, star_field.spikes])


def prepare(
    image: np.ndarray, xy: Any, mask: np.ndarray | None = None, fwhm: float = 2.4
) -> Batch:
    """Return the inputs for positions, as training and inference make them."""
    image = np.ascontiguousarray(image, dtype=np.float32)
    spoilt = spoilt_pixels(image, mask=mask)
    fitted = get_preprocessing('local-noise-2').fit(image, spoilt=spoilt, fwhm=fwhm)
    return fitted(np.asarray(xy, dtype=float).reshape(-1, 2))


def names(bits: int) -> set[str]:
    return set(CLASS_FLAGS.decode(bits))


def finite(batch: Batch) -> bool:
    return all(bool(np.isfinite(value).all()) for value in batch.inputs.values())


def assert_same(one: Batch, other: Batch, tolerance: float) -> None:
    """Fail where images differ by more than a share of the noise and of the value."""
    for name in IMAGES:
        expected = pytest.approx(one.inputs[name], rel=tolerance, abs=tolerance)
        assert other.inputs[name] == expected, name
    assert np.array_equal(other.flags, one.flags)


@pytest.mark.parametrize(
    ('fwhm', 'apparent'), [(1.4, 1.67), (1.9, 2.01), (3.0, 3.0), (5.0, 5.0)]
)
def test_width_of_the_first_version(
    image: np.ndarray, xy: np.ndarray, fwhm: float, apparent: float
) -> None:
    """Its networks are told what 3x3 pixels seem to say; all else is the same."""
    given = MeasuredImage.of(image, fwhm=fwhm, estimates_fwhm=False)
    first, second = (
        fit_image(get_preprocessing(name), given)(xy)
        for name in ('local-noise-1', 'local-noise-2')
    )
    assert first.inputs['fwhm'] == pytest.approx(apparent, abs=1e-6)
    assert second.inputs['fwhm'] == pytest.approx(fwhm)
    for name in IMAGES:
        assert np.array_equal(first.inputs[name], second.inputs[name])


def test_shapes_and_types(image: np.ndarray, xy: np.ndarray) -> None:
    """Four float32 inputs in the stated order and of the stated shapes."""
    preprocessing = get_preprocessing('local-noise-2')
    assert isinstance(preprocessing, LocalNoise)
    assert preprocessing.needs_fwhm
    batch = prepare(image, xy)
    assert list(batch.inputs) == list(preprocessing.shapes) == [*IMAGES, 'fwhm']
    for name, shape in preprocessing.shapes.items():
        assert batch.inputs[name].shape == (len(xy), *shape)
        assert batch.inputs[name].dtype == np.float32
    assert (batch.inputs['fwhm'] == np.float32(2.4)).all()
    assert batch.valid.all()
    assert not batch.flags.any()
    cutouts = batch.inputs['cutouts'][:, 0]
    assert (cutouts[:, 5, 5] > cutouts.mean(axis=(1, 2))).all()


def test_fill_is_sky(image: np.ndarray) -> None:
    """Nothing but sky is 0 at each scale."""
    fitted = LocalNoise().fit(image, fwhm=2.0)
    assert fitted.fill == {'cutouts': 0, 'wide': 0, 'far': 0}


@pytest.mark.parametrize('fwhm', [0.0, -2.0, float('nan')])
def test_impossible_width(fwhm: float, image: np.ndarray) -> None:
    """A width that cannot be is refused."""
    with pytest.raises(ValueError, match=f'fwhm must be positive.*got {fwhm}'):
        LocalNoise().fit(image, fwhm=fwhm)


def test_unknown_width(image: np.ndarray, xy: np.ndarray) -> None:
    """What is not known is NaN, and stands for several widths when it is asked."""
    inputs = LocalNoise().fit(image)(xy).inputs
    assert np.isnan(inputs['fwhm']).all()
    assumed = width_hypotheses(inputs)
    widths = [np.unique(each['fwhm']).tolist() for each in assumed]
    assert widths == [[np.float32(w)] for w in (1.6, 2.1, 2.8, 3.7)]
    assert all(each['far'] is inputs['far'] for each in assumed)
    known = LocalNoise().fit(image, fwhm=2.0)(xy).inputs
    assert width_hypotheses(known) == [known]
    mixed = {'fwhm': np.array([[2.5], [np.nan]], dtype=np.float32)}
    assert [each['fwhm'][0, 0] for each in width_hypotheses(mixed)] == [2.5] * 4
    assert width_hypotheses({'cutouts': known['cutouts']})[0].keys() == {'cutouts'}


def test_unknown_width_averages_the_probabilities(
    image: np.ndarray, xy: np.ndarray, scales_model: Path
) -> None:
    """Each row has the mean of what it has at each assumed width."""
    model = load_model(scales_model)
    inputs = LocalNoise().fit(image)(xy).inputs
    parts = [model.predict(each) for each in width_hypotheses(inputs)]
    found = averaged(model.predict, inputs)
    assert found == pytest.approx(np.mean(parts, axis=0))
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.ptp(parts, axis=0).max() > 1e-4


def test_pixels_follow_their_formula(image: np.ndarray, xy: np.ndarray) -> None:
    """Each pixel is (v - sky) / noise, with the mesh's values at the central pixel."""
    x, y = np.rint(xy[0]).astype(int)
    level, noise = measure_mesh(image).at(np.array([x]), np.array([y]))
    expected = (image[y - 5 : y + 6, x - 5 : x + 6] - level) / noise
    found = prepare(image, xy[:1]).inputs['cutouts'][0, 0]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize('name', ['wide', 'far'])
def test_means_follow_their_formula(name: str) -> None:
    """Means over blocks of the image's own grid, in units of the noise of a mean."""
    side = SIDES[name]
    x = np.arange(252)
    image = np.random.default_rng(0).normal(100 + 0.02 * x, 4, (252, 252))
    image = image.astype(np.float32)
    image[110:140, 90:120] += 30
    at = (104, 121)
    level, noise = measure_mesh(image).at(np.array(at[:1]), np.array(at[1:]))
    blocks = image.astype(float).reshape(252 // side, side, 252 // side, side)
    row, column = at[1] // side, at[0] // side
    means = blocks.mean(axis=(1, 3))[row - 5 : row + 6, column - 5 : column + 6]
    found = prepare(image, [at]).inputs[name][0, 0]
    assert found == pytest.approx((means - level) / (noise / side), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize('name', IMAGES)
def test_empty_sky_has_unit_noise(name: str) -> None:
    """At each scale the sky scatters by about 1 about 0."""
    image = np.random.default_rng(1).normal(500, 7, (400, 400))
    steps = np.arange(55, 345, 29)
    xy = np.column_stack([each.ravel() for each in np.meshgrid(steps, steps)])
    values = prepare(image, xy).inputs[name]
    assert values.std() == pytest.approx(1, abs=0.25)
    assert abs(values.mean()) < 0.25


def test_a_constant_sky_changes_nothing(image: np.ndarray, xy: np.ndarray) -> None:
    """A pedestal or a subtracted sky leaves the inputs alone but for rounding."""
    expected = prepare(image, xy)
    for sky in (30.0, -200.0, 3000.0):
        assert_same(expected, prepare(image + np.float32(sky), xy), 2e-3)


def test_a_scale_factor_changes_nothing(image: np.ndarray, xy: np.ndarray) -> None:
    """Electrons, DN and rates give the same inputs."""
    expected = prepare(image, xy)
    for factor in (0.125, 1.5, 1 / 1230, 1e-19, 1e12):
        assert_same(expected, prepare(image * np.float32(factor), xy), 1e-4)


def test_rows_do_not_see_each_other(image: np.ndarray, xy: np.ndarray) -> None:
    """Another order of positions gives the same rows in that order."""
    order = np.random.default_rng(2).permutation(len(xy))
    expected, found = prepare(image, xy), prepare(image, xy[order])
    for name in IMAGES:
        assert np.array_equal(found.inputs[name], expected.inputs[name][order])


def test_the_image_stays_as_it_is(image: np.ndarray, xy: np.ndarray) -> None:
    """What is subtracted is subtracted from copies."""
    before = image.copy()
    mask = np.zeros(image.shape, dtype=bool)
    mask[50, 50] = True
    prepare(image, xy, mask)
    assert np.array_equal(image, before)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_pixels_without_value_are_sky(
    value: float, image: np.ndarray, xy: np.ndarray
) -> None:
    """They are 0 in the cutout and left out of the means; the flag says so."""
    x, y = np.rint(xy[0]).astype(int)
    image[y + 3, x - 2] = value
    batch = prepare(image, xy)
    assert names(batch.flags[0]) == {'non_finite'}
    assert batch.valid[0]
    assert batch.inputs['cutouts'][0, 0, 8, 3] == 0
    assert finite(batch)


def test_masked_pixels_are_left_out_of_the_means() -> None:
    """A mean is of the usable pixels; a block without any is sky."""
    image = np.random.default_rng(3).normal(0, 1, (132, 132)).astype(np.float32)
    image[66:69, 66:69] = [[8, 16, 24], [32, 1e6, 48], [56, 64, 72]]
    mask = np.zeros(image.shape, dtype=bool)
    mask[67, 67] = True
    mask[69:72, 66:69] = True
    at = np.array([[66.0, 62.0]])
    batch = prepare(image, at, mask)
    level, noise = measure_mesh(image, spoilt=mask.astype(np.uint8)).at(*at.T)
    wide = batch.inputs['wide'][0, 0]  # its middle is the block of rows 60 to 62
    assert wide[7, 5] == pytest.approx((40 - level[0]) / noise[0] * 3, rel=1e-4)
    assert wide[8, 5] == 0
    assert batch.inputs['cutouts'][0, 0, 10, 6] == 0
    assert names(batch.flags[0]) == {'masked'}


def test_what_is_under_the_mask_does_not_matter(
    image: np.ndarray, xy: np.ndarray
) -> None:
    """Light under the mask changes no input, at no scale."""
    x, y = np.rint(xy[0]).astype(int)
    mask = np.zeros(image.shape, dtype=bool)
    mask[y, x + 4] = True
    one = prepare(image, xy, mask)
    image[y, x + 4] = 1e6
    assert_same(one, prepare(image, xy, mask), 0)


def test_masked_centre_unscores(image: np.ndarray, xy: np.ndarray) -> None:
    """A detection on an unusable pixel has no verdict."""
    x, y = np.rint(xy[0]).astype(int)
    mask = np.zeros(image.shape, dtype=bool)
    mask[y, x] = True
    batch = prepare(image, xy, mask)
    assert not batch.valid[0]
    assert batch.valid[1:].all()
    assert names(batch.flags[0]) == {'unscored', 'masked', 'invalid_center'}


@pytest.mark.parametrize(
    ('x', 'y', 'expected'),
    [
        (5.0, 60.0, set()),
        (3.0, 60.0, {'edge'}),
        (60.0, 123.0, {'edge'}),
        (2.0, 60.0, {'edge', 'too_few_pixels', 'unscored'}),
        (119.0, 127.0, {'edge', 'too_few_pixels', 'unscored'}),
        (-0.6, 60.0, {'outside', 'unscored'}),
        (119.5, 60.0, {'outside', 'unscored'}),
        (60.0, 1e9, {'outside', 'unscored'}),
        (np.nan, 60.0, {'bad_position', 'unscored'}),
        (60.0, -np.inf, {'bad_position', 'unscored'}),
    ],
)
def test_positions_at_and_beyond_the_edge(
    x: float, y: float, expected: set[str], image: np.ndarray
) -> None:
    """The row keeps its place; its flags say how it stands; its inputs are finite."""
    for spoilt in (False, True):  # with and without unusable pixels elsewhere
        if spoilt:
            image[30, 30] = np.nan
        batch = prepare(image, [[x, y], [60, 60]])
        assert names(batch.flags[0]) == expected
        assert batch.valid.tolist() == ['unscored' not in expected, True]
        assert finite(batch)


def test_beyond_the_edge_is_sky(image: np.ndarray) -> None:
    """What lies off the image is 0 at each scale."""
    inputs = prepare(image, [[3, 60]]).inputs
    assert (inputs['cutouts'][0, 0, :, :2] == 0).all()
    assert (inputs['wide'][0, 0, :, :4] == 0).all()
    assert (inputs['far'][0, 0, :, :5] == 0).all()
    for name, first in (('cutouts', 2), ('wide', 4), ('far', 5)):
        assert (inputs[name][0, 0, 5, first:] != 0).any()


def test_no_positions(image: np.ndarray) -> None:
    """Nothing in, arrays of no rows out."""
    batch = prepare(image, [])
    assert batch.inputs['far'].shape == (0, 1, 11, 11)
    assert batch.inputs['fwhm'].shape == (0, 1)
    assert batch.flags.shape == batch.valid.shape == (0,)


@pytest.mark.parametrize('value', [0.0, 7.0, -1e6])
def test_image_of_one_value(value: float) -> None:
    """Without noise there is no verdict, and no warning of a division."""
    batch = prepare(np.full((40, 40), value), [[20, 20]])
    assert names(batch.flags[0]) == {'unscored', 'no_contrast'}
    assert not batch.valid[0]
    assert finite(batch)


@pytest.mark.parametrize('mask_all', [False, True])
def test_no_usable_pixel(mask_all: bool, image: np.ndarray, xy: np.ndarray) -> None:
    """An image of NaN, and one masked throughout: each row says why."""
    if mask_all:
        batch = prepare(image, xy, np.ones(image.shape, dtype=bool))
    else:
        batch = prepare(np.full(image.shape, np.nan), xy)
    reason = 'masked' if mask_all else 'non_finite'
    assert not batch.valid.any()
    for flags in batch.flags:
        assert {'unscored', 'no_contrast', 'invalid_center', reason} <= names(flags)
    assert finite(batch)


@pytest.mark.parametrize('shape', [(1, 1), (3, 3), (1, 30), (10, 10)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    """An image smaller than a cutout gives rows without verdict, no error."""
    image = np.random.default_rng(0).normal(size=shape)
    batch = prepare(image, [[0, 0], [shape[1] - 1, shape[0] - 1], [50, 50]])
    assert not batch.valid.any()
    assert finite(batch)


@pytest.mark.parametrize('shape', [(0, 0), (0, 5), (5, 0)])
def test_empty_images(shape: tuple[int, int]) -> None:
    """An image without a pixel has positions outside only."""
    batch = prepare(np.empty(shape), [[0, 0]])
    assert {'outside', 'unscored'} <= names(batch.flags[0])
    assert finite(batch)


@pytest.mark.parametrize('value', [3e38, -3.4e38])
def test_enormous_pixels(value: float, image: np.ndarray, xy: np.ndarray) -> None:
    """Fill values near float32's limit count as a million noises, without warning."""
    x, y = np.rint(xy[0]).astype(int)
    image[y + 2 : y + 5, x : x + 3] = value
    batch = prepare(image, xy)
    assert finite(batch)
    assert np.abs(batch.inputs['cutouts']).max() == 1e6
