"""The network of SPIT (Jankov & Prochaska 2018)."""

from __future__ import annotations

import torch
from torch import nn

from astrosieve_training.frametype.config import FrameConfig
from astrosieve_training.settings import ConfigError

__all__ = ['SpitNetwork', 'build']


class SpitNetwork(nn.Module):
    """
    Two convolutions of 5x5 with pooling, a dense layer of 128, one of the classes.

    Parameters
    ----------
    n_classes : int
        Outputs.
    shape : tuple of int
        Of the image: channels, rows, columns.
    """

    def __init__(self, n_classes: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, ny, nx = shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 36, 5, padding='same'),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(36, 64, 5, padding='same'),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * (ny // 4) * (nx // 4), 128),
            nn.ReLU(),
        )
        self.last = nn.Linear(128, n_classes)
        self.register_buffer('offsets', torch.zeros(n_classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, C) logits."""
        logits: torch.Tensor = self.last(self.layers(image)) + self.offsets
        return logits


def build(
    config: FrameConfig, shapes: dict[str, tuple[int, ...]], *, whole: bool = False
) -> SpitNetwork:
    """Build the network; it is whole as it is."""
    if config.train.runs > 1 or config.trees.rounds:
        msg = 'the network of SPIT is one: train.runs must be 1, trees.rounds 0'
        raise ConfigError(msg)
    return SpitNetwork(len(config.classes), shapes['image'])
