"""The network of Negm (2021)."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ['NegmNetwork', 'build']

_FILTERS = (32, 64, 128)


class NegmNetwork(nn.Module):
    """
    Three convolutions of 3x3 with pooling, a dense layer of 128, one of the classes.

    Parameters
    ----------
    n_classes : int
        Outputs.
    shape : tuple of int
        Of the stamps: bands, rows, columns.
    dropout : float
        Before the dense layer and after it; 0 in the first of the two variants.
    """

    def __init__(self, n_classes: int, shape: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        before, side = shape[0], shape[1]
        layers: list[nn.Module] = []
        for after in _FILTERS:
            layers += [
                nn.Conv2d(before, after, 3, padding=1),
                nn.MaxPool2d(2),
                nn.ReLU(),  # after the pooling it gives the same, in less time
            ]
            before, side = after, side // 2
        self.seen = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(before * side**2, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.last = nn.Linear(128, n_classes)

    def forward(self, stamps: torch.Tensor) -> torch.Tensor:
        """Return (N, C) logits."""
        logits: torch.Tensor = self.last(self.dense(self.seen(stamps)))
        return logits


def build(
    n_classes: int, shapes: dict[str, tuple[int, ...]], dropout: float
) -> NegmNetwork:
    """Build the network."""
    return NegmNetwork(n_classes, shapes['stamps'], dropout)
