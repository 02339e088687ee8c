"""Candidates of cells."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.blob.marks import FEATURES, OUTPUTS, read_marks


def outputs(*cells: tuple[int, int, float]) -> np.ndarray:
    """Return outputs with logits in some cells."""
    made = np.zeros((len(OUTPUTS), 20, 30))
    made[:2] = -9
    made[4] = np.log(6)
    for row, column, logit in cells:
        made[0, row, column] = logit
    return made


def test_place() -> None:
    """A cell's middle and the offset from it; the logarithms undone."""
    made = outputs((5, 7, 2.0))
    made[2:, 5, 7] = 0.25, -0.5, np.log(3), np.log(40), np.log(0.01), -2, -4
    marks = read_marks(made, 0)
    assert len(marks) == 1
    assert (marks.x[0], marks.y[0]) == (4 * 7 + 1.5 + 1, 4 * 5 + 1.5 - 2)
    assert (marks.radius[0], marks.depth[0]) == pytest.approx((3, 40))
    assert marks.x_err[0] == pytest.approx(0.4)
    assert marks.radius_err[0] == pytest.approx(np.exp(-1))
    assert marks.depth_err[0] == pytest.approx(np.exp(-2))


def test_largest_of_neighbours() -> None:
    """Beside a likelier cell none is a candidate; those below the least are none."""
    marks = read_marks(outputs((5, 7, 2.0), (6, 8, 1.9), (12, 3, 3.0), (15, 9, -1)), 0)
    assert marks.logit.tolist() == [3.0, 2.0]
    assert len(read_marks(outputs((0, 0, 1.0), (19, 29, 1.0)), 0)) == 2


def test_same_place() -> None:
    """Two cells that mean one place are one; two blobs side by side stay two."""
    made = outputs((5, 7, 2.0), (5, 9, 1.0))
    assert len(read_marks(made, 0)) == 2
    made[2, 5, 7], made[2, 5, 9] = 1, -0.6
    assert read_marks(made, 0).logit.tolist() == [2.0]


def test_weighed() -> None:
    """Size counts beside the logit, by its logarithm; the likeliest come first."""
    made = outputs((5, 7, 2.0), (12, 3, 1.5))
    made[4, 12, 3] = np.log(12)
    weights = dict.fromkeys(FEATURES, 0.0) | {'logit': 1.0, 'radius': 2.0}
    marks = read_marks(made, 0).weighed({**weights, 'offset': -3.0})
    assert marks.radius == pytest.approx([12, 6])
    assert marks.logit == pytest.approx([-1.5 + np.log(144), -1 + np.log(36)])
