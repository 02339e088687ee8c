"""What a network is to say of each cell, and how far it is from it."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from astrosieve.blob.marks import OUTPUTS, STRIDE

__all__ = ['MEASURED', 'MarkLoss', 'targets']

MEASURED = ('x', 'y', 'radius', 'depth')
"""Columns of the truth: pixels, pixels, logarithm of pixels, logarithm of noise."""

_SMEARED = 0.7  # standard deviation of the mark of a centre, cells
_REACH = 1.5  # how far from the centre a blob is measured, cells
_DIPS = 0.3  # how much dips count
_UNTOLD = 2.0  # how far about a place nothing is asked, cells
_NEARLY = np.float32(1 - 1e-6)  # the mark of a cell that counts neither way
_RANGE = (-9.0, 5.0)  # of logarithms of variances


def targets(
    blobs: np.ndarray, dips: np.ndarray, grown: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the target of a window.

    Parameters
    ----------
    blobs : (N, 4) `~numpy.ndarray`
        Columns of `MEASURED`.
    dips : (M, 2) `~numpy.ndarray`
        x and y.
    grown : (K, 2) `~numpy.ndarray`
        x and y of older blobs that became deeper. The network, which sees the image in
        units of its noise, cannot tell them from new ones; a limit of the depth does.
        About them nothing is asked of it.
    shape : (int, int)
        Of the window, pixels.

    Returns
    -------
    target : (6, cells, cells) float32 `~numpy.ndarray`
        Marks of blobs and dips, 1 in the cell of a centre and less about it, all but 1
        where they do not count; dx, dy, radius and depth of the nearest blob.
    weight : (1, cells, cells) float32 `~numpy.ndarray`
        How much these four count.
    """
    ny, nx = (n // STRIDE for n in shape)
    target = np.zeros((6, ny, nx), np.float32)
    weight = np.zeros((1, ny, nx), np.float32)
    rows, columns = np.mgrid[:ny, :nx]
    nearest = np.full((ny, nx), np.inf)
    for x, y in (grown[:, :2] - (STRIDE - 1) / 2) / STRIDE:
        target[:2, np.hypot(columns - x, rows - y) < _UNTOLD] = _NEARLY
    for plane, places in ((0, blobs), (1, dips)):
        for place in places:
            x, y = (place[:2] - (STRIDE - 1) / 2) / STRIDE
            away = np.hypot(columns - x, rows - y)
            mark = np.exp(-(away**2) / (2 * _SMEARED**2))
            at = round(float(y)), round(float(x))
            if 0 <= at[0] < ny and 0 <= at[1] < nx:
                mark[at] = 1
            np.maximum(target[plane], mark, out=target[plane], casting='same_kind')
            if plane == 0:
                own = (away < _REACH) & (away < nearest)
                nearest[own] = away[own]
                weight[0][own] = mark[own]
                target[2][own], target[3][own] = (columns - x)[own], (rows - y)[own]
                target[4][own], target[5][own] = place[2:]
    target[2:4] *= -1
    return target, weight


class MarkLoss:
    """
    Focal loss of marks (Zhou et al. 2019, arXiv:1904.07850), Gaussians of the rest.

    Parameters
    ----------
    measuring : float
        How much position, radius and depth count beside the marks.
    """

    def __init__(self, measuring: float) -> None:
        self.measuring = measuring

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the loss per blob."""
        assert weight is not None
        marks = self._marks(logits[:, 0], target[:, 0])
        marks = marks + _DIPS * self._marks(logits[:, 1], target[:, 1])
        return marks + self.measuring * self._measured(logits, target[:, 2:], weight)

    plain = __call__

    def accuracy(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the share of the centres whose mark is more likely than not."""
        centres = target[:, 0] == 1
        found = (logits[:, 0] > 0) & centres
        return found.sum().double() / centres.sum().clamp(min=1)

    @staticmethod
    def _marks(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        centres = target == 1
        yes, no = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        p = torch.sigmoid(logits)
        each = torch.where(centres, (1 - p) ** 2 * yes, (1 - target) ** 4 * p**2 * no)
        return -each.sum() / centres.sum().clamp(min=1)

    @staticmethod
    def _measured(
        outputs: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        named = dict(zip(OUTPUTS, outputs.unbind(1), strict=True))
        missed = [
            (named[name] - truth) ** 2
            for name, truth in zip(OUTPUTS[2:6], target.unbind(1), strict=True)
        ]
        squares = (missed[0] + missed[1], missed[2], missed[3])
        each = torch.zeros_like(squares[0])
        for name, square, n in zip(OUTPUTS[6:], squares, (2, 1, 1), strict=True):
            variance = named[name].clamp(*_RANGE)
            each = each + (square * torch.exp(-variance) + n * variance) / 2
        counts = weight[:, 0]
        return (each * counts).sum() / counts.sum().clamp(min=1)
