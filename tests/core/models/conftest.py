"""Models of a task that there is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / 'data'


@pytest.fixture
def toy_model() -> Path:
    """ONNX file of a network that tells three kinds of fruit, by rows (N, 3)."""
    return DATA / 'fruit.onnx'


@pytest.fixture
def maps_model() -> Path:
    """ONNX file of a network that gives two maps, (N, 2, ny, nx)."""
    return DATA / 'fruit-maps.onnx'


@pytest.fixture
def toy_weights(toy_model: Path, install_weights: Callable[[Path, str], Path]) -> Path:
    """Folder that stands for the shipped weights: 'fruit', alias 'market'."""
    return install_weights(toy_model, 'market')
