"""What goes wrong with whole images."""

import numpy as np
import pytest

pytest.importorskip('scipy')

from scipy.ndimage import label

from astrosieve_training.contaminant.simulate.failures import (
    OVERSAMPLING,
    Blur,
    draw_failure,
    draw_harmless,
    pupil_image,
)
from astrosieve_training.contaminant.simulate.instruments import draw_instrument
from astrosieve_training.contaminant.simulate.profiles import draw_profile


def spreads(kernel: np.ndarray) -> np.ndarray:
    """Return the standard deviations along the axes of a kernel, pixels."""
    at = (np.arange(len(kernel)) - len(kernel) // 2) / OVERSAMPLING
    y, x = np.meshgrid(at, at, indexing='ij')
    places = np.stack([x.ravel(), y.ravel()])
    least, most = np.linalg.eigvalsh(np.cov(places, aweights=kernel.ravel()))
    return np.sqrt([max(least, 0), most])


@pytest.mark.parametrize('fwhm', [1.3, 3.0, 6.0])
def test_failures_show(fwhm: float) -> None:
    """Trails are as long as one of 1.5 FWHM, doubles as far apart, discs as wide."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        blur = draw_failure(rng, fwhm, 80)
        assert blur.kernel.sum() == pytest.approx(1, abs=1e-6)
        assert spreads(blur.kernel)[1] > 0.4 * fwhm
        assert blur.reach < 80 * OVERSAMPLING


def test_harmless_blur_is_round() -> None:
    """It has no name, and an axis is at least 0.8 times the other."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        blur = draw_harmless(rng, 2.0)
        short, long = spreads(blur.kernel)
        assert blur.names == ()
        assert short > 0.78 * long


def test_pupil_has_its_radius() -> None:
    """Without what bends it the image of a pupil ends at the radius."""
    rng = np.random.default_rng(5)
    kernel = np.mean([spreads(pupil_image(rng, 8.0)).mean() for _ in range(20)])
    assert 3.5 < kernel < 5


def test_doubled_star_is_there_twice() -> None:
    """A profile and an image are blurred alike; light is kept."""
    rng = np.random.default_rng(6)
    kernel = np.zeros((101, 101))
    kernel[50, [5, 95]] = 0.5
    blur = Blur(('doubled',), kernel)
    profile = draw_profile(rng, draw_instrument(rng, 'ztf')).blurred_by(blur)
    image = np.zeros((64, 64), np.float32)
    profile.add(image, 32, 32, 1e4, 1e-3)
    assert label(image > 0.3 * image.max())[1] == 2
    sharp = np.zeros((64, 64), np.float32)
    assert profile.sharp is not None
    profile.sharp.add(sharp, 32, 32, 1e4, 1e-3)
    np.testing.assert_allclose(profile.blurred(sharp), image, atol=2e-3 * sharp.max())
