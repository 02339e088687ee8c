"""
The network of Paillassa, Bertin & Bouy (2019, ASP Conf. Ser. 523, 99).

It is like SegNet (Badrinarayanan, Kendall & Cipolla 2017, IEEE TPAMI 39, 2481).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from astrosieve_training.contaminant.config import NetworkConfig

__all__ = ['SegNet', 'build']


_TILT = 1e-4  # far above the rounding of a runtime, and below what matters


def _layers(before: int, middle: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, middle, 3, padding=1),
        nn.ELU(),
        nn.Conv2d(middle, after, 3, padding=1),
        nn.ELU(),
    )


def _tilted(x: torch.Tensor) -> torch.Tensor:
    """Return an image in which the first of four equal pixels is the largest."""
    ny, nx = x.shape[2:]
    tilt = x.new_tensor([[3.0, 2.0], [1.0, 0.0]]) * _TILT
    return x + tilt.repeat(ny // 2, nx // 2)


def _unpooled(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return an image twice as large, of zeros but where the largest had been."""
    n, channels, ny, nx = x.shape
    whole = x.new_zeros((n, channels, 4 * ny * nx))
    whole = whole.scatter(2, places.flatten(2), x.flatten(2))
    return whole.view(n, channels, 2 * ny, 2 * nx)


class SegNet(nn.Module):
    """
    Fully convolutional; rows and columns must be multiples of 32.

    Parameters
    ----------
    filters : tuple of int
        Before each pooling, and after each unpooling.
    planes, classes : int
        Of the inputs and of the outputs.
    """

    def __init__(self, filters: tuple[int, ...], planes: int, classes: int) -> None:
        super().__init__()
        pairs = list(pairwise((planes, *filters)))
        self.down = nn.ModuleList(_layers(a, b, b) for a, b in pairs)
        pairs = list(pairwise((filters[0], *filters)))
        self.up = nn.ModuleList(_layers(b, b, a) for a, b in pairs)
        self.maps = nn.Conv2d(filters[0], classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, classes, ny, nx) logits."""
        x, places = image, []
        for down in self.down:
            x, each = functional.max_pool2d(_tilted(down(x)), 2, return_indices=True)
            places.append(each)
        for up, each in zip(reversed(self.up), reversed(places), strict=True):
            x = up(_unpooled(x, each))
        maps: torch.Tensor = self.maps(x)
        return maps


def build(config: NetworkConfig, planes: int, classes: int) -> SegNet:
    """Build the network."""
    return SegNet(config.filters, planes, classes)
