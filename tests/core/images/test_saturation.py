"""Groups of saturated pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from astrosieve.images.background import measure_background
from astrosieve.images.instruments import instrument
from astrosieve.images.saturation import Plateaus, find_plateaus

_FULL = 60_000.0


@pytest.fixture
def sky() -> np.ndarray:
    """Noise, and stars that fill no pixel."""
    rng = np.random.default_rng(1)
    image = rng.normal(100, 5, (120, 140))
    for x, y, peak in ((20.3, 20.1, 900), (100.2, 20.4, 15_000), (70.0, 90.0, 41_000)):
        image += peak * _star(image, x, y)
    return image.astype(np.float32)


def _star(image: np.ndarray, x: float, y: float, fwhm: float = 2.5) -> np.ndarray:
    rows, columns = np.indices(image.shape)
    square = (columns - x) ** 2 + (rows - y) ** 2
    return np.exp(-4 * np.log(2) * square / fwhm**2)


def _filled(image: np.ndarray, x: float, y: float, bleed: int = 0) -> np.ndarray:
    """Return the image with a star of 20 times the full well."""
    full = np.minimum(image + 20 * _FULL * _star(image, x, y), _FULL)
    if bleed:
        full[round(y) - bleed : round(y) + bleed + 1, round(x)] = _FULL
    return full.astype(np.float32)


def _plateaus(image: np.ndarray, dq: np.ndarray | None = None, **more: Any) -> Plateaus:
    background = measure_background(image)
    meaning = instrument().dq
    return find_plateaus(image, background=background, dq=dq, dq_bits=meaning, **more)


@pytest.mark.parametrize('told', [True, False])
@pytest.mark.parametrize('turned', [False, True])
def test_bleeding_stars(sky: np.ndarray, *, told: bool, turned: bool) -> None:
    """Each gives one, at its middle, with bleeds left out along either axis."""
    stars = np.array([(40.3, 60.2), (110.0, 75.0)])
    image = _filled(_filled(sky, *stars[0], bleed=25), *stars[1])
    if turned:
        image, stars = image.T.copy(), stars[:, ::-1]
    dq = np.where(image >= _FULL, 256, 0) if told else None
    found = _plateaus(image, dq)
    at = np.column_stack([found.x, found.y])
    order = np.argsort(at[:, 0]) if not turned else np.argsort(at[:, 1])
    assert np.abs(at[order] - stars).max() < 0.5
    assert np.array_equal(found.pixels, np.flatnonzero(image >= _FULL))
    assert (found.core < 0).sum() > 35  # of 51 pixels of bleed


def test_bled_into_each_other(sky: np.ndarray) -> None:
    """Two cores that a bleed joins are two."""
    image = _filled(_filled(sky, 50, 40), 50.2, 70)
    image[40:71, 50] = _FULL
    found = _plateaus(image)
    assert np.allclose(found.x, 50, atol=0.5)
    assert np.allclose(np.sort(found.y), [40, 70], atol=0.5)


def test_touching_corners(sky: np.ndarray) -> None:
    """Pixels that touch by a corner are one group, in any order of the rows."""
    dq = np.zeros(sky.shape, int)
    dq[[10, 11, 12, 11], [10, 11, 10, 9]] = 256
    dq[[0, 119], [0, 139]] = 256
    found = _plateaus(sky, dq)
    assert sorted(zip(found.x, found.y, strict=True)) == [
        (0, 0), (10, 11), (139, 119),
    ]  # fmt: skip


@pytest.mark.parametrize('fwhm', [1.5, 2.5, 6.0, 9.0])
def test_no_plateau(sky: np.ndarray, fwhm: float) -> None:
    """Bright stars that fill no pixel have none, of any width; nor has a hit."""
    image = sky.copy()
    for number in range(5):
        x, y = 15 + 27.3 * number, 30.4 + 11.7 * number
        image += np.float32(_FULL * (1 - number / 20)) * _star(image, x, y, fwhm)
    image[100, 20:28] += np.float32([3, 5, 4, 6, 5, 3, 7, 4]) * 4000
    assert len(_plateaus(image.astype(np.float32))) == 0


def test_flat_field(sky: np.ndarray) -> None:
    """A flat field that spreads the full well by some percent hides no plateau."""
    image = _filled(_filled(sky, 40.3, 60.2), 110.0, 75.0)
    image *= np.random.default_rng(2).normal(1, 0.015, image.shape).astype(np.float32)
    found = _plateaus(image)
    at = np.column_stack([found.x, found.y])[np.argsort(found.x)]
    assert np.abs(at - [(40.3, 60.2), (110, 75)]).max() < 0.6


def test_lost_pixels(sky: np.ndarray) -> None:
    """What is masked or not finite is no plateau, and ends no histogram."""
    image = _filled(sky, 40.3, 60.2)
    image[80:84, 80:84] = 1e9
    image[5] = np.inf
    spoilt = (~np.isfinite(image) | (image > 1e8)).astype(np.uint8)
    found = _plateaus(np.where(np.isfinite(image), image, np.nan), spoilt=spoilt)
    assert np.allclose([found.x, found.y], [[40.3], [60.2]], atol=0.5)


@pytest.mark.parametrize('value', [0.0, 7.0, np.nan])
@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (30, 30)])
def test_nothing(value: float, shape: tuple[int, int]) -> None:
    """Images of one value, of none, of one pixel have none."""
    found = _plateaus(np.full(shape, value, np.float32))
    assert len(found) == 0
    near, core = found.near(np.array([(0.0, 0.0), (np.nan, 3.0), (1e30, -5.0)]))
    assert not near.any()
    assert (core == -1).all()


def test_near(sky: np.ndarray) -> None:
    """What lies within a pixel of one that is saturated, and of a core."""
    image = _filled(sky, 40, 60, bleed=20)
    found = _plateaus(image)
    at = np.array([(40, 60), (40, 80.6), (40, 82), (42, 75), (41.2, 75), (-1, 60)])
    near, core = found.near(at)
    assert near.tolist() == [True, True, False, False, True, False]
    assert core.tolist() == [0, -1, -1, -1, -1, -1]


def test_wide(sky: np.ndarray) -> None:
    """Of an image that is saturated all over there is one, in its middle."""
    found = _plateaus(sky, np.full(sky.shape, 256))
    assert (found.x, found.y) == (69.5, 59.5)


@pytest.mark.parametrize('told', [True, False])
def test_light_about(sky: np.ndarray, *, told: bool) -> None:
    """A star has light about its core, also one that has bled; charge alone none."""
    image = _filled(_filled(sky, 40, 60, bleed=20), 110.2, 75.3)
    image[20:60, 75:77] = _FULL  # a hit that has bled
    found = _plateaus(image, np.where(image >= _FULL, 256, 0) if told else None)
    order = np.argsort(found.x)
    assert found.dark[order].tolist() == [False, True, False]
    assert (found.halo[order][[0, 2]] > 0.1).all()


def test_light_about_is_unknown(sky: np.ndarray) -> None:
    """Without pixels about it nothing is said of a group."""
    whole = _plateaus(sky, np.full(sky.shape, 256))
    assert np.isnan(whole.halo).all()
    dq, spoilt = np.zeros(sky.shape, int), np.zeros(sky.shape, np.uint8)
    dq[50:53, 50:53], spoilt[48:55, 48:55] = 256, 1
    spoilt[50:53, 50:53] = 0
    alone = _plateaus(sky, dq, spoilt=spoilt)
    assert np.isnan(alone.halo).all()
    assert not alone.dark.any()
