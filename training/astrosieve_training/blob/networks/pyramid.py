"""A pyramid: down to 1/16 of the resolution for the surroundings, back up to 1/4."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from astrosieve.blob.marks import OUTPUTS
from astrosieve_training.blob.config import BlobConfig

__all__ = ['Pyramid', 'build']

_RARE = -4.6  # logit of a cell before anything is learnt: one of a hundred


def _layer(
    before: int, after: int, size: int = 3, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            before, after, size, stride=stride, dilation=dilation,
            padding=dilation * (size // 2), bias=False,
        ),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )  # fmt: skip


class Pyramid(nn.Module):
    """
    Fully convolutional; rows and columns must be multiples of 16.

    Parameters
    ----------
    filters : tuple of int
        At 1/2, 1/4, 1/8 and 1/16 of the resolution.
    planes : int
        Of the inputs.
    """

    def __init__(self, filters: tuple[int, int, int, int], planes: int = 3) -> None:
        super().__init__()
        half, quarter, eighth, last = filters
        self.down_2 = _layer(planes, half, 5, stride=2)
        self.down_4 = nn.Sequential(
            _layer(half, quarter, stride=2), _layer(quarter, quarter)
        )
        self.down_8 = nn.Sequential(
            _layer(quarter, eighth, stride=2), _layer(eighth, eighth)
        )
        self.down_16 = nn.Sequential(
            _layer(eighth, last, stride=2),
            _layer(last, last, dilation=2),
            _layer(last, last),
        )
        self.up_8 = nn.Sequential(
            _layer(last + eighth, eighth, 1), _layer(eighth, eighth)
        )
        self.up_4 = nn.Sequential(
            _layer(eighth + quarter, quarter, 1),
            _layer(quarter, quarter),
            _layer(quarter, quarter),
        )
        self.marks = nn.Conv2d(quarter, len(OUTPUTS), 1)
        assert self.marks.bias is not None
        with torch.no_grad():
            self.marks.weight *= 0.1
            self.marks.bias.zero_()
            self.marks.bias[:2] = _RARE

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, 9, ny / 4, nx / 4) outputs."""
        quarter = self.down_4(self.down_2(image))
        eighth = self.down_8(quarter)
        wide = functional.interpolate(self.down_16(eighth), scale_factor=2.0)
        eighth = self.up_8(torch.cat([wide, eighth], 1))
        wide = functional.interpolate(eighth, scale_factor=2.0)
        marks: torch.Tensor = self.marks(self.up_4(torch.cat([wide, quarter], 1)))
        return marks


def build(config: BlobConfig) -> Pyramid:
    """Build the network."""
    return Pyramid(config.filters)
