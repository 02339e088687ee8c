"""Subframes of 256 pixels."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.blob import CLASSES, SIDE, subframe_boxes, subframe_numbers


def test_classes() -> None:
    """Blobs, dips, and subframes without."""
    assert CLASSES.names == ('blob', 'dip', 'no_blob')


@pytest.mark.parametrize('side', [1014, 1024])
def test_sixteen(side: int) -> None:
    """A grid of 4x4, whichever the image; its boxes cover every pixel."""
    boxes = subframe_boxes((side, side))
    assert len(boxes) == 16
    seen = np.zeros((side, side), int)
    for box in boxes:
        assert seen[box].shape == (SIDE, SIDE)
        seen[box] += 1
    assert seen.min() == 1


def test_numbers() -> None:
    """Counted along rows; a position is in the box of its number; edges count too."""
    shape = (1014, 1014)
    x = np.array([0.0, 255.4, 255.6, 1013, 0, 700, 1013.4, -0.5, 1020])
    y = np.array([0.0, 0, 0, 0, 256, 500, 1013.4, -0.5, 1020])
    numbers = subframe_numbers(x, y, shape)
    assert numbers.tolist() == [0, 0, 1, 3, 4, 6, 15, 0, 15]
    boxes = subframe_boxes(shape)
    for each_x, each_y, number in zip(x[:7], y[:7], numbers, strict=False):
        rows, columns = boxes[number]
        assert rows.start - 0.5 <= each_y < rows.stop
        assert columns.start - 0.5 <= each_x < columns.stop
    assert subframe_numbers(300, 10, (256, 600)) == 1
