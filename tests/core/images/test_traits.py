"""What an image says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.traits import measure_traits


def white(seed: int = 0, shape: tuple[int, int] = (256, 256)) -> np.ndarray:
    """Return independent noise on a sky."""
    return np.random.default_rng(seed).normal(100, 5, shape).astype(np.float32)


def crowded(fwhm: float, seed: int = 0) -> np.ndarray:
    """Return a field of 600 sampled stars, with noise that is independent."""
    image = white(seed).astype(float)
    rng = np.random.default_rng([seed, 1])
    sigma = fwhm / 2.3548
    y, x = np.indices(image.shape)
    for flux in 10 ** rng.uniform(2, 5, 600):
        x0, y0 = rng.uniform(0, 256, 2)
        part = (
            slice(max(0, int(y0) - 9), int(y0) + 10),
            slice(max(0, int(x0) - 9), int(x0) + 10),
        )
        radius2 = (x[part] - x0) ** 2 + (y[part] - y0) ** 2
        profile = np.exp(-radius2 / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        image[part] += flux * profile
    return image.astype(np.float32)


def smoothed(image: np.ndarray) -> np.ndarray:
    """Return an image convolved with a Gaussian of sigma 0.7 pixels."""
    weights = np.exp(-(np.arange(-4, 5) ** 2) / (2 * 0.7**2))
    weights /= weights.sum()
    for axis in (0, 1):
        shifts = [np.roll(image, step, axis) for step in range(-4, 5)]
        image = np.tensordot(weights, shifts, axes=1)
    return image.astype(np.float32)


def shifted(image: np.ndarray) -> np.ndarray:
    """Return an image shifted by half a pixel along x, by linear interpolation."""
    return (image + np.roll(image, 1, axis=1)) / 2


def ratio(image: np.ndarray, **options: Any) -> float:
    found = measure_traits(image, **options).noise_ratio
    assert found is not None
    return found


class TestNoiseRatio:
    """Noise at the finest scale against the next one."""

    @pytest.mark.parametrize('seed', range(3))
    def test_independent_noise(self, seed: int) -> None:
        """Is 1 to a few percent, whatever the field."""
        assert ratio(white(seed)) == pytest.approx(1, abs=0.03)

    @pytest.mark.parametrize('fwhm', [1.6, 2.5])
    def test_sampled_stars_do_not_count(self, fwhm: float) -> None:
        """A crowded field is no smoothed one."""
        assert ratio(crowded(fwhm)) == pytest.approx(1, abs=0.06)

    @pytest.mark.parametrize('change', [smoothed, shifted])
    @pytest.mark.parametrize('fwhm', [0.0, 2.0])
    def test_resampled_and_smoothed(
        self, fwhm: float, change: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Noise that neighbours share is far from 1, with and without stars."""
        assert ratio(change(crowded(fwhm) if fwhm else white())) < 0.8

    def test_sky_and_scale_change_nothing(self) -> None:
        """A pedestal, a subtracted sky and another unit leave it alone."""
        image = crowded(2.0)
        expected = ratio(image)
        for other in (image - 100, image + 1000, image * 1e-3, image * 4096):
            assert ratio(other.astype(np.float32)) == pytest.approx(expected, abs=0.01)

    def test_unusable_pixels_do_not_count(self) -> None:
        """Bad pixels are left out, whatever they hold; NaN also where unsaid."""
        image = white()
        bad = np.random.default_rng(5).random(image.shape) < 0.05
        expected = ratio(image, spoilt=bad.astype(np.uint8))
        assert expected == pytest.approx(1, abs=0.05)
        image[bad] = 1e5
        assert ratio(image, spoilt=bad.astype(np.uint8)) == expected
        image[bad] = np.nan
        assert ratio(image) == expected
        assert ratio(image, spoilt=spoilt_pixels(image)) == expected

    @pytest.mark.parametrize(
        'image',
        [
            np.zeros((0, 0)),
            np.zeros((1, 900)),
            np.random.default_rng(0).normal(size=(24, 32)),  # 192 blocks
            np.full((64, 64), 3.0),
            np.full((64, 64), np.nan),
        ],
    )
    def test_nothing_to_measure(self, image: np.ndarray) -> None:
        """Tiny, flat and empty images have none, and give no warning."""
        assert measure_traits(image.astype(np.float32)).noise_ratio is None

    def test_little_is_enough(self) -> None:
        """A few hundred blocks of 2x2 pixels of sky will do."""
        assert ratio(white(shape=(60, 60))) == pytest.approx(1, abs=0.15)


def test_unusable_share() -> None:
    """Masked pixels, NaN and pixels without signal, each counted once."""
    image = white(shape=(20, 20))
    assert measure_traits(image).unusable == 0
    image[:2] = np.nan
    mask = np.zeros(image.shape, dtype=bool)
    mask[1:4] = True
    spoilt = spoilt_pixels(image, mask=mask, no_signal=mask[::-1])
    traits = measure_traits(image, spoilt=spoilt, fwhm=2.5)
    assert traits.unusable == pytest.approx(7 / 20)
    assert traits.fwhm == 2.5
    assert measure_traits(np.empty((0, 5))).unusable == 0


class TestNoiseless:
    """Share of the sky in which neighbours do not differ."""

    @pytest.mark.parametrize('step', [0.0, 1.0, 4.0])
    def test_noise(self, step: float) -> None:
        """Noise, also in steps of nearly its size, has few equal neighbours."""
        image = white()
        if step:
            image = np.round(image / step) * step
        share = measure_traits(image).noiseless
        assert share is not None
        assert share < 0.3

    def test_none(self) -> None:
        """Stars on a sky of one value, or of planes: most are equal."""
        stars = crowded(2.0) - white()
        for sky in (7.0, np.linspace(1, 2, 256)[:, None]):
            image = np.where(stars > 3, stars, 0) + np.broadcast_to(sky, stars.shape)
            share = measure_traits(image.astype(np.float32)).noiseless
            assert share is not None
            assert share > 0.45

    def test_borders_of_zeros(self) -> None:
        """What a drizzled image fills with zeros does not count."""
        image = white() - 100
        image[:, :140] = 0
        share = measure_traits(image).noiseless
        assert share is not None
        assert share < 0.02

    def test_too_little(self) -> None:
        """Nothing is said of a small image."""
        assert measure_traits(white(shape=(20, 20))).noiseless is None
