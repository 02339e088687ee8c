"""The network of WFC3 ISR 2021-08 (Dauphin, Medina & McCullough)."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from astrosieve.blob.subframes import SIDE

__all__ = ['Architecture', 'SubframeNetwork', 'build']

_KERNEL = 5  # pixels


class Architecture(Protocol):
    """What there is to choose."""

    @property
    def filters(self) -> tuple[int, ...]:
        """Of the convolutions."""

    @property
    def pooling(self) -> int:
        """Pixels along a side of which the largest is kept."""

    @property
    def dense(self) -> int:
        """Neurons of the dense layer."""

    @property
    def dropout(self) -> tuple[float, float]:
        """Before the dense layer, and after it."""


class SubframeNetwork(nn.Module):
    """
    Convolutions of 5x5 with pooling, a dense layer, and one of the two classes.

    Parameters
    ----------
    chosen : `Architecture`
        The report's has filters 8 and 16, pooling 4, 128 neurons, dropout 0.15
        and 0.3.
    """

    def __init__(self, chosen: Architecture) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, side = 1, SIDE
        for after in chosen.filters:
            layers += [
                nn.Conv2d(before, after, _KERNEL, padding=_KERNEL // 2),
                nn.MaxPool2d(chosen.pooling),
                nn.ReLU(),  # after the pooling it gives the same, in half the time
            ]
            before, side = after, side // chosen.pooling
        self.seen = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Dropout(chosen.dropout[0]),
            nn.Flatten(),
            nn.Linear(before * side**2, chosen.dense),
            nn.ReLU(),
            nn.Dropout(chosen.dropout[1]),
        )
        self.last = nn.Linear(chosen.dense, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, 2) logits: of a blob, of none."""
        logits: torch.Tensor = self.last(self.dense(self.seen(image)))
        return logits


def build(chosen: Architecture) -> SubframeNetwork:
    """Build the network, with fresh parameters."""
    return SubframeNetwork(chosen)
