"""Tests of what networks see of stamps."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.preprocessing import Stamps, get_preprocessing
from astrosieve.transient.preprocessing._base import measure_levels

NOISE = 5.0


def source(
    n: int, *, flux: float, fwhm: float = 2.5, at: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Return a Gaussian about the centre of n x n pixels, or beside it."""
    y, x = np.mgrid[:n, :n] - n // 2
    sigma = fwhm / 2.3548
    return flux * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * sigma**2))


def triplet(
    n: int = 63, *, fwhm: float = 2.5, at: tuple[int, int] = (0, 0), seed: int = 1
) -> np.ndarray:
    """Return science, template, difference of a new source beside a star."""
    rng = np.random.default_rng(seed)
    far = (at[0] - 9, at[1] + 6)
    new = source(n, flux=60 * NOISE, fwhm=fwhm, at=at)
    star = source(n, flux=200 * NOISE, fwhm=fwhm, at=far)
    wide = rng.normal(0, NOISE, (3, n + 8, n + 8))
    noise = wide[:, 4 - at[0] : 4 - at[0] + n, 4 - at[1] : 4 - at[1] + n]
    planes = np.stack([100 + star + new, 40 + star, new]) + noise
    return planes.astype(np.float32)[None]


def seen(planes: np.ndarray, **kwargs: object) -> np.ndarray:
    batch = get_preprocessing('stamps-1')(Stamps(planes, **kwargs))
    return batch.inputs['stamps']


def flags_of(planes: np.ndarray, **kwargs: object) -> tuple[set[str], bool]:
    batch = get_preprocessing('stamps-1')(Stamps(planes, **kwargs))
    return set(STAMP_FLAGS.decode(batch.flags[0])), bool(batch.valid[0])


@pytest.mark.parametrize('side', [21, 31, 63, 64, 101])
@pytest.mark.parametrize('kind', ['triplet', 'bands'])
def test_inputs_have_one_size(side: int, kind: str) -> None:
    """Whatever the size of the stamps, the network sees as many pixels."""
    prepare = get_preprocessing('stamps-1')
    batch = prepare(Stamps(triplet(side), kind=kind))
    for name, shape in prepare.shapes.items():
        assert batch.inputs[name].shape == (1, *shape)
        assert batch.inputs[name].dtype == np.float32
        assert np.isfinite(batch.inputs[name]).all()
    assert batch.valid.all()
    assert batch.inputs['told'][0, 0] == (kind == 'bands')


@pytest.mark.parametrize('factor', [1e-12, 0.3, 1e9])
def test_neither_factor_nor_pedestal_counts(factor: float) -> None:
    """Each plane may have a unit and a zero point of its own."""
    planes = triplet()
    changed = planes * np.float32(factor)
    changed[:, 1] *= 3
    changed[:, 0] += 50 * factor
    np.testing.assert_allclose(seen(changed), seen(planes), atol=2e-3)


@pytest.mark.parametrize('at', [(2, 0), (-1, 1), (0, -2), (1, 1)])
def test_a_candidate_off_centre_looks_the_same(at: tuple[int, int]) -> None:
    """Up to 2 pixels: the peak of the difference is brought to the centre."""
    there, moved = seen(triplet()), seen(triplet(at=at))
    np.testing.assert_allclose(moved[:, :9], there[:, :9], atol=0.03)


def test_the_order_of_bands_does_not_count() -> None:
    """Whatever the colour: the brightest band comes first."""
    bands = triplet()[:, [2, 2, 2]] * np.float32([1, 2, 3])[:, None, None]
    bands[:, :] += triplet(seed=5) - 100
    expected = seen(bands, kind='bands')
    for order in ([2, 0, 1], [1, 0, 2]):
        found = seen(bands[:, order], kind='bands')
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_fading_source_is_turned() -> None:
    """Its difference is negative in some surveys, positive in others."""
    planes = triplet()
    turned = planes.copy()
    turned[:, 2] *= -1
    np.testing.assert_allclose(seen(turned), seen(planes), atol=1e-5)


def test_noise_is_the_unit_whatever_the_sources() -> None:
    """They hold beside a galaxy; values of 1e38 are no pixels."""
    planes = triplet()
    planes[:, :2] += source(63, flux=60 * NOISE, fwhm=7)
    planes[:, 1, :, 54:] = -3.4e38
    levels = measure_levels(Stamps(planes))
    np.testing.assert_allclose(levels.noise, NOISE, rtol=0.15)
    np.testing.assert_allclose(levels.level, [[100, 40, 0]], atol=0.3 * NOISE)
    assert not levels.usable[0, 1, :, 54:].any()


def test_wide_psfs_are_binned() -> None:
    """A PSF of 6.4 pixels looks as wide as one of 3.2, told or measured."""
    prepare = get_preprocessing('stamps-1')
    for fwhm in (np.array([6.4]), np.array([np.nan]), None):
        batch = prepare(Stamps(triplet(101, fwhm=6.4), fwhm=fwhm))
        size = 2 ** batch.inputs['told'][0, 4]
        assert size == pytest.approx(2, rel=0.15)
        profile = batch.inputs['stamps'][0, 5, 15]
        wide = (profile > 0.5).sum()
        assert 3 <= wide <= 4
    batch = prepare(Stamps(triplet(101, fwhm=2.5)))
    assert batch.inputs['told'][0, 4] == 0


def test_planes_that_are_missing_are_told() -> None:
    """NaN or one value all over: the network knows, and so does the table."""
    for number, name in enumerate(('science', 'template', 'difference')):
        for value in (np.nan, 7.0):
            planes = triplet()
            planes[:, number] = value
            batch = get_preprocessing('stamps-1')(Stamps(planes))
            assert batch.valid.all()
            assert STAMP_FLAGS.decode(batch.flags[0]) == [f'no_{name}']
            expected = [0, 1, 1, 1]
            expected[1 + number] = 0
            assert batch.inputs['told'][0, :4].tolist() == expected
            assert not batch.inputs['stamps'][0, number].any()
            assert batch.inputs['stamps'][0, 9].all()


def test_what_cannot_be_scored_says_why() -> None:
    """Blank stamps, masked centres and stamps of a few pixels are not valid."""
    planes = triplet()
    planes[:, 0] = planes[:, 2] = np.nan
    names, valid = flags_of(planes)
    assert 'blank' in names
    assert not valid
    planes = triplet()
    planes[:, :, 27:37, 27:37] = np.nan
    assert flags_of(planes) == ({'masked', 'partly_masked'}, False)
    assert flags_of(triplet(63)[:, :, :10]) == ({'too_small'}, False)
    planes = triplet()
    planes[:, :, :, 34:] = np.nan
    assert flags_of(planes) == ({'partly_masked'}, True)


def test_masked_pixels_are_filled_and_told() -> None:
    """They are 0 in each plane, and in the plane of usable pixels."""
    planes = triplet()
    planes[:, 1, 20:25, 30:32] = np.nan
    image = seen(planes)[0]
    assert (image[9] == 0).sum() == 10
    assert not image[1][image[9] == 0].any()


def test_an_empty_batch_is_one() -> None:
    """No candidates, no rows."""
    for name in ('stamps-1', 'negm2021-1'):
        batch = get_preprocessing(name)(Stamps(np.empty((0, 3, 63, 63), np.float32)))
        assert [len(each) for each in batch.inputs.values()].count(0)
        assert len(batch.flags) == len(batch.valid) == 0


def test_the_published_network_sees_grey_levels() -> None:
    """Pictures over their white; others 10 times the noise about the middle grey."""
    prepare = get_preprocessing('negm2021-1')
    levels = np.random.default_rng(1).integers(0, 256, (2, 3, 69, 69))
    batch = prepare(Stamps(levels.astype(np.float32), kind='bands', white=255))
    np.testing.assert_allclose(batch.inputs['stamps'], levels / 255, atol=1e-6)
    planes = triplet()
    image = prepare(Stamps(planes)).inputs['stamps']
    assert image.shape == (1, 3, 69, 69)
    inside = image[0, 2, 3:66, 3:66]
    assert inside.std() == pytest.approx(0.05, rel=0.6)
    assert inside[31, 31] == 1
    assert (image[0, :, :3] == 0.5).all()
    large = prepare(Stamps(triplet(101))).inputs['stamps']
    assert large[0, 2, 34, 34] == 1
    assert not prepare(Stamps(np.full_like(planes, np.nan))).valid.any()
