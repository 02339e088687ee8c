"""Images for a network that compares pixels with their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from astrosieve.models.registry import Model, load_model


@pytest.fixture(scope='session')
def model(pixels_model: Path) -> Model:
    """The network."""
    return load_model(pixels_model)


def sky(shape: tuple[int, int] = (150, 210), seed: int = 1) -> np.ndarray:
    """Return noise of 5 with a hit at (40, 50), a hole at (60, 70), a star."""
    image = np.random.default_rng(seed).normal(0, 5, shape)
    image[40, 50] += 2000
    image[60, 70] -= 2000
    y, x = np.ogrid[: shape[0], : shape[1]]
    image += 3e4 * np.exp(-((y - 100) ** 2 + (x - 120) ** 2) / 18)
    return image.astype(np.float32)


@pytest.fixture(name='sky')
def sky_() -> Callable[..., np.ndarray]:
    """What makes images."""
    return sky


@pytest.fixture
def image() -> np.ndarray:
    """An image of 150x210 pixels."""
    return sky()
