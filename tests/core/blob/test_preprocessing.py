"""Differences in units of their noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from astrosieve.blob.preprocessing import LocalNoise, get_preprocessing
from astrosieve.exceptions import ModelError


def test_signal(drawn: Callable[..., np.ndarray]) -> None:
    """Noise has a width of one; neither slope nor a blob changes level and noise."""
    data = drawn(((100.0, 100.0, 0.3),), (320, 320))
    data += np.linspace(0, 0.3, 320, dtype=np.float32)
    spoilt = np.zeros(data.shape, np.uint8)
    spoilt[40:44] = 1
    prepared = LocalNoise().prepare(data, spoilt)
    assert np.isnan(prepared.signal[40:44]).all()
    inner = prepared.signal[150:300, 30:290]
    assert inner.std() == pytest.approx(1, abs=0.1)
    assert abs(inner.mean()) < 0.1
    assert prepared.signal[100, 100] == pytest.approx(15, abs=3)


def test_planes() -> None:
    """Clipped, compressed, usable; what is not usable is zero in all of them."""
    signal = np.array([[[4.0, np.nan], [1e6, -20.0]]], np.float32)
    image = LocalNoise()(signal)['image']
    assert image.dtype == np.float32
    assert image[0, 0].tolist() == [[1.0, 0.0], [3.0, -3.0]]
    assert image[0, 1, 0, 0] == pytest.approx(np.arcsinh(2) / 4)
    assert image[0, :, 0, 1].tolist() == [0, 0, 0]
    assert image[0, 2].tolist() == [[1, 0], [1, 1]]


def test_by_name() -> None:
    """The name is versioned; another is told to need another version of us."""
    assert isinstance(get_preprocessing('difference-1'), LocalNoise)
    with pytest.raises(ModelError, match='may need a newer astrosieve'):
        get_preprocessing('difference-9')
