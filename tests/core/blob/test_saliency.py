"""What a blob was found by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from astrosieve.blob.saliency import saliency, saliency_levels
from astrosieve.models.registry import Model

Draw = Callable[..., np.ndarray]


def test_a_blob_is_found_by_itself(model: Model, drawn: Draw) -> None:
    """Covering the blob costs it its probability; covering what is around nothing."""
    data = drawn()
    fall = saliency(data, 100, 60, 5, model=model)
    assert fall.shape == (64, 64)
    assert fall[28:36, 28:36].min() > 1
    away = np.hypot(*(np.indices(fall.shape) - 31.5)) > 20
    assert np.abs(fall[away]).max() < 0.2 * fall.max()
    levels = saliency_levels(fall)
    assert levels.dtype == np.uint8
    assert levels.max() == 255
    top = np.unravel_index(levels.argmax(), levels.shape)
    assert np.hypot(top[0] - 31.5, top[1] - 31.5) < 10


def test_at_the_edge(model: Model, drawn: Draw) -> None:
    """Beyond the image, and where nothing is known, nothing counts."""
    data = drawn(((4.0, 198.0, 0.15),))
    data[150:160, 20:30] = np.nan
    kept = data.copy()
    fall = saliency(data, 4, 198, 5, model=model)
    assert np.isfinite(fall).all()
    assert (fall[40:] == 0).all()
    np.testing.assert_array_equal(data, kept)


def test_nothing_there(model: Model, drawn: Draw) -> None:
    """Where there is no blob nothing falls, and the picture is black."""
    fall = saliency(drawn(()), 100, 60, 5, model=model)
    assert np.abs(fall).max() < 3
    assert saliency_levels(np.zeros((64, 64))).max() == 0
