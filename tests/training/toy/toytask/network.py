"""The network of about a hundred parameters."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from toytask.config import ToyConfig

__all__ = ['ToyNetwork', 'build']


class ToyNetwork(nn.Module):
    """
    Four filters of 5x5 and what is made of them.

    Parameters
    ----------
    n_classes : int
        Outputs.
    maps : bool
        Whether there is an output for each pixel; else of the brightest one.
    """

    def __init__(self, n_classes: int, *, maps: bool) -> None:
        super().__init__()
        self.maps = maps
        self.filters = nn.Conv2d(1, 4, 5, padding=2)
        self.head = nn.Conv2d(4, n_classes, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (N, C) logits, or (N, C, ny, nx)."""
        features = torch.relu(self.filters(frames))
        if not self.maps:
            features = features.amax((2, 3), keepdim=True)
        logits: torch.Tensor = self.head(features)
        return logits if self.maps else logits.flatten(1)

    def add(self, offsets: np.ndarray) -> None:
        """Add the offsets of a calibration to the logits."""
        with torch.no_grad():
            self.head.bias.add_(torch.tensor(offsets))


def build(config: ToyConfig) -> ToyNetwork:
    """Build the network of a configuration, with fresh parameters."""
    return ToyNetwork(len(config.classes), maps=config.kind == 'maps')
