"""Images as networks see them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astrosieve.contaminant.preprocessing import Levels, get_preprocessing
from astrosieve.exceptions import ModelError
from astrosieve.images.measured import MeasuredImage

PLANES = get_preprocessing('contrast-1')


def sky(shape: tuple[int, int] = (200, 230), seed: int = 1) -> np.ndarray:
    """Return noise of 5 with some bright pixels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 5, shape)
    image.flat[:: max(image.size // 40, 1)] += 10 ** rng.uniform(1, 4)
    return image


def seen(data: np.ndarray, **said: np.ndarray) -> tuple[Levels, np.ndarray]:
    """Return levels and all planes of an image."""
    levels = PLANES.levels(MeasuredImage.of(data, **said))
    ny, nx = levels.sci.shape
    return levels, PLANES.planes(levels, (slice(0, ny), slice(0, nx)))


def test_planes() -> None:
    """Contrast, contrast of the bright, level, fraction of the ceiling, usable."""
    data = sky()
    data[:, 115:] += 40
    data[20, 30:40] = 5e4
    mask = np.zeros(data.shape, bool)
    mask[50, 60] = True
    levels, planes = seen(data, mask=mask)
    assert planes.shape == (5, *data.shape)
    assert planes.dtype == np.float32
    assert levels.noise == pytest.approx(5, rel=0.1)
    below, above = np.percentile(np.sinh(3 * planes[0, 100:, :90]), [16, 84])
    assert above - below == pytest.approx(2, rel=0.1)
    assert planes[0, 20, 35] == pytest.approx(np.arcsinh(1e4) / 3, rel=0.01)
    assert planes[1, 20, 35] == pytest.approx(np.arcsinh(1e4 / 32) / 3, rel=0.01)
    steps = np.sinh(3 * planes[2])
    assert steps[100, 200] - steps[100, 20] == pytest.approx(8, rel=0.1)
    assert planes[3, 20, 30:40] == pytest.approx(1)
    assert abs(np.median(planes[3, 60:, :100])) < 0.01
    assert planes[:, 50, 60] == pytest.approx([0, 0, planes[2, 50, 60], 0, 0], abs=0.01)
    assert (planes[4] == 0).sum() == 1


@pytest.mark.parametrize('scale', [1e-18, 1 / 700, 0.37, 3.0, 1e4])
@pytest.mark.parametrize('pedestal', [0.0, 500.0, -3000.0])
def test_units_and_pedestals_change_nothing(scale: float, pedestal: float) -> None:
    """Electrons per second, data numbers, any level: the planes are the same."""
    data = np.round(sky())
    _, expected = seen(data)
    _, planes = seen(scale * (data + pedestal))
    np.testing.assert_allclose(planes, expected, rtol=0, atol=1e-4)


def test_a_nan_spoils_only_itself() -> None:
    """Its neighbours are seen as before, but for what one pixel adds to a mesh."""
    data = sky()
    _, before = seen(data)
    data[77, 88] = np.nan
    _, planes = seen(data)
    assert np.isfinite(planes).all()
    far = np.abs(planes - before).max(axis=0) > 0.02
    assert far.sum() == 1
    assert planes[4].sum() == data.size - 1


@pytest.mark.parametrize('noise', [0.2, 0.3, 0.5, 1.0, 4.0])
def test_noise_of_whole_numbers(noise: float) -> None:
    """Rounding counts as noise, and never makes it nothing."""
    data = np.round(np.random.default_rng(2).normal(1000, noise, (256, 256)))
    levels, _ = seen(data)
    expected = np.hypot(noise, 1 / np.sqrt(12))
    assert levels.noise == pytest.approx(expected, rel=0.25)


def test_noise_of_a_crowded_field() -> None:
    """Sharp stars on one pixel of sixty raise it by half at most."""
    rng = np.random.default_rng(3)
    data = rng.normal(0, 5, (256, 256))
    y, x = rng.integers(2, 254, (2, 1000))
    flux = 10 ** rng.uniform(2, 5, 1000)
    for dy, dx in np.ndindex(3, 3):
        share = np.exp(-((dy - 1) ** 2 + (dx - 1) ** 2) / (2 * 0.75**2)) / 3.5
        np.add.at(data, (y + dy - 1, x + dx - 1), flux * share)
    levels, _ = seen(data)
    assert 4.5 < levels.noise < 7.5


def test_half_of_the_frame_is_dead() -> None:
    """The other half gives the noise, and at the dead one's edge nothing explodes."""
    data = sky()
    data[:, :115] = 0
    levels, planes = seen(data)
    assert levels.noise == pytest.approx(5, rel=0.1)
    assert levels.mesh.noise.min() > 4
    assert np.abs(planes[:, 1:, 140:]).max() < 5


def test_drizzled_noise() -> None:
    """Correlation of neighbours does not hide the noise: pixels two apart differ."""
    data = np.random.default_rng(4).normal(0, 5, (256, 257))
    data = (data[:, 1:] + data[:, :-1]) / 2
    levels, _ = seen(data)
    assert levels.noise == pytest.approx(data.std(), rel=0.1)


@pytest.mark.parametrize(
    'data',
    [
        np.zeros((1, 1)),
        np.full((64, 70), np.nan),
        np.full((3, 3), np.inf),
        np.full((40, 64), -7.0),
        sky((1, 300)),
        sky((300, 1)),
        sky((5, 7)),
        np.where(sky((64, 64)) > 8, 1e38, -1e38),
    ],
    ids=lambda data: f'{data.shape} {data.flat[0]:.3g}',
)
def test_odd_images(data: np.ndarray) -> None:
    """Tiny, without noise, without a usable pixel, too large: planes are finite."""
    levels, planes = seen(data)
    assert planes.shape == (5, *data.shape)
    assert np.isfinite(planes).all()
    assert levels.noise > 0
    assert levels.ceiling > levels.sky


def test_boxes() -> None:
    """A box holds what the whole has; beyond the image all planes are zero."""
    levels, whole = seen(sky())
    planes = PLANES.planes(levels, (slice(160, 224), slice(-32, 64)))
    assert planes.shape == (5, 64, 96)
    assert np.array_equal(planes[:, :40, 32:], whole[:, 160:, :64])
    assert not planes[:, 40:].any()
    assert not planes[:, :, :32].any()


def test_ceiling() -> None:
    """A plateau of a few pixels is one; nothing is, close above the noise."""
    data = sky()
    assert seen(np.clip(data, None, 20))[0].ceiling > 400
    data[5, 5:30] = 3e4
    data[9, 9] = 1e9
    levels, planes = seen(data)
    assert levels.ceiling == 3e4
    assert planes[3, 9, 9] == 1.5
    lower = replace(levels, ceiling=1.5e4)
    assert PLANES.planes(lower, (slice(5, 6), slice(5, 6)))[3, 0, 0] == 1.5


def test_by_name() -> None:
    """The name is versioned; another is told to need another version of us."""
    assert PLANES.name == 'contrast-1'
    with pytest.raises(ModelError, match='may need a newer astrosieve'):
        get_preprocessing('contrast-9')
