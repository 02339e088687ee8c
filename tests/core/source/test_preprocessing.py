"""From image and positions to the inputs of a network."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.exceptions import ModelError
from astrosieve.images.pixels import sample_pixels, spoilt_pixels
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import Batch, ZScaleLog, get_preprocessing

NAME = 'zscale-log-1'
F = CLASS_FLAGS


@pytest.fixture
def image(star_field) -> np.ndarray:
    return star_field.data.astype(np.float32)


@pytest.fixture
def xy(star_field) -> np.ndarray:
    """Positions of all that is in the field."""
    return np.vstack([star_field.stars, star_field.hits, star_field.spikes])


def prepare(image: np.ndarray, xy: np.ndarray, mask: np.ndarray | None = None) -> Batch:
    """Return the inputs for positions, as training and inference make them."""
    image = np.ascontiguousarray(image, dtype=np.float32)
    prep = get_preprocessing(NAME)
    return prep.fit(image, spoilt=spoilt_pixels(image, mask=mask))(np.asarray(xy))


def cutouts(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    return prepare(image, xy).inputs['cutouts']


def names(bits: int) -> set[str]:
    return set(CLASS_FLAGS.decode(bits))


def test_shape_and_range(image: np.ndarray, xy: np.ndarray) -> None:
    """Cutouts are (N, 1, 11, 11), float32, in [0, 1], with the peak in the middle."""
    batch = prepare(image, xy)
    values = batch.inputs['cutouts']
    assert values.shape == (len(xy), 1, 11, 11)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 1
    assert (values[:, 0, 5, 5] > values[:, 0].mean(axis=(1, 2))).all()
    assert batch.valid.all()
    assert not batch.flags.any()


def test_follows_its_formula(image: np.ndarray, xy: np.ndarray) -> None:
    """The value is log(1 + clip((v - z1) / (z2 - z1), 0, 100)) / log(101)."""
    from astropy.visualization import ZScaleInterval

    low, high = ZScaleInterval(n_samples=image.size).get_limits(image)
    x, y = np.rint(xy[0]).astype(int)
    scaled = (image[y - 5 : y + 6, x - 5 : x + 6] - low) / (high - low)
    expected = np.log1p(scaled.clip(0, 100)) / np.log(101)
    assert np.allclose(cutouts(image, xy)[0, 0], expected, atol=2e-3)


def test_a_constant_sky_changes_nothing(image: np.ndarray, xy: np.ndarray) -> None:
    """A pedestal, positive or negative, small or large, leaves the input alone."""
    expected = cutouts(image, xy)
    for sky in (30.0, 1000.0, -200.0, -1000.0, 20000.0):
        assert np.allclose(cutouts(image + sky, xy), expected, atol=2e-3), sky


def test_a_scale_factor_changes_nothing(image: np.ndarray, xy: np.ndarray) -> None:
    """Electrons, DN and rates give the same input; powers of two to the bit."""
    expected = cutouts(image, xy)
    for factor in (1.5, 1 / 1230, 1e-19, 1e12):
        assert np.allclose(cutouts(image * factor, xy), expected, atol=1e-4), factor
    assert np.array_equal(cutouts(image * 0.125, xy), expected)


def test_order_of_positions_changes_nothing(image: np.ndarray, xy: np.ndarray) -> None:
    """Rows do not see each other."""
    order = np.random.default_rng(2).permutation(len(xy))
    assert np.array_equal(cutouts(image, xy[order]), cutouts(image, xy)[order])


def test_dead_pixels_elsewhere_change_little(image: np.ndarray, xy: np.ndarray) -> None:
    """A few NaN pixels far away leave the limits, and so the input, close by."""
    spoilt = image.copy()
    spoilt[2, 2:20] = np.nan
    assert np.allclose(cutouts(spoilt, xy), cutouts(image, xy), atol=0.02)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_bad_pixels_take_the_sky(
    value: float, image: np.ndarray, xy: np.ndarray
) -> None:
    """A pixel without value counts as sky; the flag says so; the row is scored."""
    x, y = np.rint(xy[0]).astype(int)
    image[y + 3, x - 2] = value
    batch = prepare(image, xy)
    assert names(batch.flags[0]) == {'non_finite'}
    assert batch.valid[0]
    replaced = batch.inputs['cutouts'][0, 0, 8, 3]
    sky = image.copy()
    sky[y + 3, x - 2] = np.nanmedian(np.where(np.isfinite(image), image, np.nan))
    assert replaced == pytest.approx(cutouts(sky, xy)[0, 0, 8, 3], abs=0.01)
    assert np.isfinite(batch.inputs['cutouts']).all()


def test_masked_pixels_take_the_sky(image: np.ndarray, xy: np.ndarray) -> None:
    """What is under the mask does not matter."""
    x, y = np.rint(xy[0]).astype(int)
    mask = np.zeros(image.shape, dtype=bool)
    mask[y, x + 4] = True
    one = prepare(image, xy, mask)
    image[y, x + 4] = 1e6
    other = prepare(image, xy, mask)
    assert names(one.flags[0]) == {'masked'}
    assert np.array_equal(one.inputs['cutouts'], other.inputs['cutouts'])


def test_masked_centre_unscores(image: np.ndarray, xy: np.ndarray) -> None:
    """A detection on an unusable pixel has no verdict."""
    x, y = np.rint(xy[0]).astype(int)
    mask = np.zeros(image.shape, dtype=bool)
    mask[y, x] = True
    batch = prepare(image, xy, mask)
    assert not batch.valid[0]
    assert batch.valid[1:].all()
    assert names(batch.flags[0]) == {'unscored', 'masked', 'invalid_center'}


def test_too_many_unusable_pixels_unscore(image: np.ndarray, xy: np.ndarray) -> None:
    """Up to a quarter of the cutout may be filled, and not a pixel more."""
    x, y = np.rint(xy[0]).astype(int)
    mask = np.zeros(image.shape, dtype=bool)
    rows, columns = np.divmod(np.arange(30), 11)
    mask[y - 5 + rows, x - 5 + columns] = True
    assert prepare(image, xy, mask).valid[0]
    mask[y - 3, x + 3] = True
    batch = prepare(image, xy, mask)
    assert not batch.valid[0]
    assert names(batch.flags[0]) == {'unscored', 'masked', 'too_few_pixels'}


@pytest.mark.parametrize(
    ('x', 'y', 'expected', 'valid'),
    [
        (5.0, 60.0, set(), True),
        (4.0, 60.0, {'edge'}, True),
        (3.0, 60.0, {'edge'}, True),
        (2.0, 60.0, {'edge', 'too_few_pixels', 'unscored'}, False),
        (0.0, 0.0, {'edge', 'too_few_pixels', 'unscored'}, False),
        (119.0, 60.0, {'edge', 'too_few_pixels', 'unscored'}, False),
        (60.0, 123.0, {'edge'}, True),
        (-0.5, 60.0, {'edge', 'too_few_pixels', 'unscored'}, False),
        (-0.6, 60.0, {'outside', 'unscored'}, False),
        (119.5, 60.0, {'outside', 'unscored'}, False),
        (60.0, 1e9, {'outside', 'unscored'}, False),
        (np.nan, 60.0, {'bad_position', 'unscored'}, False),
        (60.0, np.inf, {'bad_position', 'unscored'}, False),
    ],
)
def test_positions_at_and_beyond_the_edge(
    x: float, y: float, expected: set[str], valid: bool, image: np.ndarray
) -> None:
    """The row keeps its place; its flags say how it stands."""
    for spoilt in (False, True):  # with and without unusable pixels elsewhere
        if spoilt:
            image[30, 30] = np.nan
        batch = prepare(image, [[x, y]])
        assert names(batch.flags[0]) == expected
        assert batch.valid[0] == valid
        assert np.isfinite(batch.inputs['cutouts']).all()


@pytest.mark.parametrize('shape', [(1, 1), (3, 3), (1, 30), (10, 10)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    """An image smaller than a cutout gives rows without verdict, no error."""
    image = np.random.default_rng(0).normal(size=shape)
    batch = prepare(image, [[0, 0], [shape[1] - 1, shape[0] - 1], [50, 50]])
    assert not batch.valid.any()
    assert (batch.flags & F.unscored != 0).all()


@pytest.mark.parametrize('shape', [(0, 0), (0, 5), (5, 0)])
def test_empty_images(shape: tuple[int, int]) -> None:
    """An image without a pixel has positions outside only."""
    batch = prepare(np.empty(shape), [[0, 0]])
    assert {'outside', 'unscored'} <= names(batch.flags[0])


@pytest.mark.parametrize('value', [0.0, 7.0, -1e6])
def test_image_of_one_value(value: float) -> None:
    """Without contrast there is no verdict, and no warning of a division."""
    batch = prepare(np.full((40, 40), value), [[20, 20]])
    assert names(batch.flags[0]) == {'unscored', 'no_contrast'}
    assert np.isfinite(batch.inputs['cutouts']).all()


def test_image_without_noise() -> None:
    """A lone star on a sky without noise is not 'of one value'."""
    image = np.zeros((60, 60))
    image[29:32, 29:32] = [[1, 5, 1], [5, 20, 5], [1, 5, 1]]
    batch = prepare(image, [[30, 30]])
    assert batch.valid[0]
    assert batch.inputs['cutouts'][0, 0, 5, 5] > batch.inputs['cutouts'][0, 0, 4, 5] > 0


def test_all_masked(image: np.ndarray, xy: np.ndarray) -> None:
    """Nothing is left to scale by, and every row says so."""
    batch = prepare(image, xy, np.ones(image.shape, dtype=bool))
    assert not batch.valid.any()
    assert {'unscored', 'masked', 'invalid_center', 'no_contrast'} <= names(
        batch.flags[0]
    )


def test_all_nan(image: np.ndarray, xy: np.ndarray) -> None:
    """An image of NaN is an image without a usable pixel."""
    batch = prepare(np.full_like(image, np.nan), xy)
    assert not batch.valid.any()
    assert np.isfinite(batch.inputs['cutouts']).all()


def test_no_positions(image: np.ndarray) -> None:
    """No positions, no rows."""
    assert cutouts(image, np.empty((0, 2))).shape == (0, 1, 11, 11)


def test_spoilt_pixels_says_why(image: np.ndarray) -> None:
    """Each reason has its bit; several add up; None where all is well."""
    assert spoilt_pixels(image) is None
    assert spoilt_pixels(image, mask=np.zeros(image.shape, dtype=bool)) is None
    image[1, 1] = np.nan
    mask = np.zeros(image.shape, dtype=bool)
    lost = mask.copy()
    mask[1, 1] = lost[1, 1] = lost[2, 2] = True
    spoilt = spoilt_pixels(image, mask=mask, no_signal=lost)
    assert spoilt is not None
    assert names(spoilt[1, 1]) == {'masked', 'non_finite', 'no_signal'}
    assert names(spoilt[2, 2]) == {'no_signal'}
    assert np.count_nonzero(spoilt) == 2


def test_infinities_of_both_signs_are_seen() -> None:
    """Plus and minus infinity do not hide each other in a sum."""
    image = np.zeros((9, 9), dtype=np.float32)
    image[2, 3], image[4, 5] = np.inf, -np.inf
    spoilt = spoilt_pixels(image)
    assert spoilt is not None
    assert np.argwhere(spoilt).tolist() == [[2, 3], [4, 5]]


def test_large_pixels_are_finite() -> None:
    """Pixels near float32's limit do not count as infinite."""
    assert spoilt_pixels(np.full((9, 9), 3e38, dtype=np.float32)) is None


class TestSample:
    """An even sample of the usable pixels."""

    def test_small_images_are_taken_whole(self) -> None:
        """Below the size asked for every usable pixel is taken, in order."""
        image = np.arange(12.0).reshape(3, 4)
        spoilt = np.zeros((3, 4), dtype=np.uint8)
        spoilt[1, 1] = 16
        assert sample_pixels(image, 100).tolist() == list(range(12))
        assert 5.0 not in sample_pixels(image, 100, spoilt=spoilt)

    def test_no_column_is_preferred(self) -> None:
        """The step shares no factor with the width: every column is seen."""
        columns = np.tile(np.arange(100.0), (100, 1))
        sample = sample_pixels(columns, 1000)
        assert 500 < len(sample) <= 1000
        assert set(sample) == set(range(100))

    def test_non_finite_pixels_are_left_out(self) -> None:
        """Also where nobody said that they are spoilt."""
        image = np.array([[1.0, np.nan], [np.inf, 4.0]])
        assert sample_pixels(image, 10).tolist() == [1.0, 4.0]

    def test_little_usable_area(self) -> None:
        """Where most is masked the rest is sampled more densely."""
        image = np.random.default_rng(6).normal(size=(200, 200))
        spoilt = np.ones(image.shape, dtype=np.uint8)
        spoilt[:20, :20] = 0
        assert len(sample_pixels(image, 400, spoilt=spoilt)) > 300


def test_unknown_preprocessing_names_the_known() -> None:
    """A card from the future is refused with a reason."""
    with pytest.raises(ModelError, match=rf"'soup-9' is not known .*known: {NAME}"):
        get_preprocessing('soup-9')
    assert isinstance(get_preprocessing(NAME), ZScaleLog)
