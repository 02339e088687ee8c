"""Images in which all stars are trailed."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.background import measure_background
from astrosieve.images.trails import Trail, common_trail


def found(image: np.ndarray, spoilt: np.ndarray | None = None) -> Trail | None:
    background = measure_background(image, spoilt=spoilt)
    return common_trail(image, background=background, spoilt=spoilt)


def field(length: float, angles: np.ndarray, *, width: float = 0.8) -> np.ndarray:
    """Return 300x300 pixels with a line of light for each angle, degrees."""
    rng = np.random.default_rng(2)
    image = rng.normal(100, 3, (300, 300))
    y, x = np.mgrid[:300, :300]
    for angle in np.deg2rad(angles):
        x0, y0 = rng.uniform(30, 270, 2)
        along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        beyond = np.maximum(np.abs(along) - length / 2, 0)
        image += 200 * np.exp(-(across**2 + beyond**2) / (2 * width**2))
    return image.astype(np.float32)


@pytest.mark.parametrize(('length', 'angle'), [(12.0, 30.0), (25.0, 118.0)])
def test_parallel_trails(length: float, angle: float) -> None:
    """Their length and direction, and how many they are."""
    trail = found(field(length, np.full(25, angle)))
    assert trail is not None
    assert trail.length == pytest.approx(length, rel=0.3)
    assert trail.angle == pytest.approx(angle, abs=3)
    assert 15 <= trail.number <= trail.total <= 30


def test_hits_in_all_directions() -> None:
    """Tracks are as long, but not parallel."""
    angles = np.random.default_rng(3).uniform(0, 180, 40)
    assert found(field(12.0, angles)) is None


def test_round_stars() -> None:
    """No trails, with a few real ones among many stars neither."""
    assert found(field(0.0, np.zeros(60), width=2.0)) is None
    assert found(field(0.0, np.zeros(3))) is None
    stars = field(0.0, np.zeros(60), width=2.0)
    assert found(np.maximum(stars, field(12.0, np.full(3, 45.0)))) is None


def test_pixels_that_are_not_usable() -> None:
    """Bad columns are parallel too, and are no trails where they are masked."""
    image = field(0.0, np.zeros(5), width=2.0)
    image[40:60, ::15] += 500
    spoilt = np.zeros(image.shape, dtype=np.uint8)
    spoilt[:, ::15] = 1
    assert found(image) is not None
    assert found(image, spoilt) is None
