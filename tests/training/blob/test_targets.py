"""What a network is to say of cells, and its loss."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('torch')

import torch

from astrosieve.blob.marks import OUTPUTS, read_marks
from astrosieve_training.blob.targets import MarkLoss, targets

BLOB = np.array([[41.0, 22.5, np.log(6.0), np.log(9.0)]])
NONE = np.empty((0, 2))


def outputs_of(target: np.ndarray) -> np.ndarray:
    """Return the outputs of a network that is always right."""
    made = np.zeros((len(OUTPUTS), *target.shape[1:]), np.float32)
    made[:2] = np.where(target[:2] == 1, 8.0, -8.0)
    made[2:6] = target[2:]
    made[6:] = -5
    return made


def test_target_is_read_back() -> None:
    """What the target says of a blob is the blob, from each cell that counts."""
    target, weight = targets(BLOB, NONE, NONE, (64, 96))
    assert target.shape == (6, 16, 24)
    assert (target[0] == 1).sum() == 1
    assert target[1].max() == 0
    marks = read_marks(outputs_of(target), 0)
    assert [marks.x[0], marks.y[0]] == pytest.approx([41.0, 22.5], abs=1e-5)
    assert [marks.radius[0], marks.depth[0]] == pytest.approx([6, 9], rel=1e-5)
    made = outputs_of(target)
    made[0] = -8
    for row, column in np.argwhere(weight[0] > 0):
        made[0, row, column] = 5
        marks = read_marks(made, 0)
        assert [marks.x[0], marks.y[0]] == pytest.approx([41.0, 22.5], abs=1e-5)
        made[0, row, column] = -8


def test_each_cell_measures_the_nearest() -> None:
    """Of two blobs side by side; dips are marked and not measured."""
    pair = np.array([[40.0, 20, 1.0, 2.0], [48.0, 20, 3.0, 4.0]])
    target, weight = targets(pair, np.array([[10.0, 50.0]]), NONE, (64, 96))
    row = round((20 - 1.5) / 4)
    assert target[4, row, round((40 - 1.5) / 4)] == 1
    assert target[4, row, round((48 - 1.5) / 4)] == 3
    assert (target[1] == 1).sum() == 1
    assert weight[0, round((50 - 1.5) / 4), round((10 - 1.5) / 4)] == 0


def test_beyond_the_window() -> None:
    """A centre beyond the edge is no centre here, but keeps its place."""
    target, weight = targets(np.array([[-3.0, 30, 1, 2]]), NONE, NONE, (64, 64))
    assert (target[0] < 1).all()
    assert target[0].max() > 0.2
    row, column = np.unravel_index(np.argmax(weight[0]), weight[0].shape)
    assert column == 0
    assert 4 * (column + target[2, row, column]) + 1.5 == pytest.approx(-3)


def test_loss() -> None:
    """Right is better than nothing, nothing better than wrong; errors are learnt."""
    target, weight = (torch.from_numpy(each[None]) for each in targets(
        BLOB, NONE, NONE, (64, 96)
    ))  # fmt: skip
    loss = MarkLoss(0.1)
    right = torch.from_numpy(outputs_of(target[0].numpy())[None])
    nothing = right.clone()
    nothing[:, 0] = -8
    wrong = nothing.clone()
    wrong[:, 0, 1, 1] = 8
    values = [float(loss(each, target, weight)) for each in (right, nothing, wrong)]
    assert values == sorted(values)
    assert float(loss.accuracy(right, target, weight)) == 1
    assert float(loss.accuracy(nothing, target, weight)) == 0
    off = right.clone()
    off[:, 4] += 1
    sure, unsure = off.clone(), off.clone()
    unsure[:, OUTPUTS.index('var_radius')] = 0
    assert float(loss(unsure, target, weight)) < float(loss(sure, target, weight))


def test_windows_without_blobs() -> None:
    """Their loss is finite, and lower the less is marked."""
    target, weight = (torch.from_numpy(each[None]) for each in targets(
        np.empty((0, 4)), NONE, NONE, (32, 32)
    ))  # fmt: skip
    loss = MarkLoss(0.1)
    low, high = (torch.full((1, len(OUTPUTS), 8, 8), each) for each in (-6.0, 0.0))
    assert 0 <= float(loss(low, target, weight)) < float(loss(high, target, weight))


def test_deeper_ones_do_not_count() -> None:
    """An older blob that became deeper may be marked or not; the loss is the same."""
    target, weight = (torch.from_numpy(each[None]) for each in targets(
        BLOB, NONE, np.array([[20.0, 44.0]]), (64, 96)
    ))  # fmt: skip
    assert (target[0, 0] == 1).sum() == 1
    loss = MarkLoss(0.1)
    right = torch.from_numpy(outputs_of(target[0].numpy())[None])
    marked, wrong = right.clone(), right.clone()
    marked[:, :2, round((44 - 1.5) / 4), round((20 - 1.5) / 4)] = 8
    wrong[:, 0, 1, 20] = 8
    least = float(loss(right, target, weight))
    assert float(loss(marked, target, weight)) == pytest.approx(least, abs=1e-6)
    assert float(loss(wrong, target, weight)) > least + 1
