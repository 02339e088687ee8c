"""A residual network for stamps about the candidate's peak."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ['StampNetwork', 'build']

_FILTERS = (20, 32, 56, 80)  # at 1, 1/2, 1/4 and 1/8 of the resolution


def _layer(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """Two convolutions, and what went in."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _layer(filters, filters),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(image + self.layers(image))


class StampNetwork(nn.Module):
    """
    Four resolutions, of which the last is averaged; the middle is looked at apart.

    Parameters
    ----------
    n_classes : int
        Outputs.
    planes, told : int
        Of the stamps, and numbers beside them.
    dropout : float
        Share of the dense layer's inputs left out in training.
    """

    def __init__(self, n_classes: int, planes: int, told: int, dropout: float) -> None:
        super().__init__()
        full, half, quarter, eighth = _FILTERS
        self.full_size = _layer(planes, full)
        self.down_2 = nn.Sequential(_layer(full, half, 2), _Residual(half))
        self.down_4 = nn.Sequential(_layer(half, quarter, 2), _Residual(quarter))
        self.down_8 = nn.Sequential(_layer(quarter, eighth, 2), _Residual(eighth))
        self.dense = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * eighth + half + quarter + told, 96),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.last = nn.Linear(96, n_classes)

    def forward(self, stamps: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Return (N, C) logits."""
        half = self.down_2(self.full_size(stamps))
        quarter = self.down_4(half)
        eighth = self.down_8(quarter)
        seen = [
            eighth.mean((2, 3)),
            eighth.amax((2, 3)),
            half[:, :, 7:9, 7:9].mean((2, 3)),
            quarter[:, :, 3:5, 3:5].mean((2, 3)),
            told,
        ]
        logits: torch.Tensor = self.last(self.dense(torch.cat(seen, 1)))
        return logits


def build(
    n_classes: int, shapes: dict[str, tuple[int, ...]], dropout: float
) -> StampNetwork:
    """Build the network."""
    return StampNetwork(n_classes, shapes['stamps'][0], shapes['told'][0], dropout)
