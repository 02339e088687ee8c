"""A network that looks at many sources, and says what they have in common."""

from __future__ import annotations

import torch
from torch import nn

from astrosieve.contaminant.verdict.judge import VERDICTS
from astrosieve.contaminant.verdict.preprocessing import SCALES
from astrosieve_training.contaminant.verdict.config import VerdictConfig

__all__ = ['VerdictNetwork', 'build']

_SIZE = 4  # pixels of what the convolutions leave of a cutout
_HEADS = 3  # of the attention


def _eye(filters: tuple[int, ...], width: int) -> nn.Sequential:
    """Return what describes a cutout of two planes."""
    layers: list[nn.Module] = []
    before = 2
    for number, after in enumerate(filters):
        size, stride = (5, 2) if number == 0 else (3, 1 if number == 1 else 2)
        layers += [
            nn.Conv2d(before, after, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
        before = after
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(before * _SIZE**2, width), nn.ReLU()
    )


class VerdictNetwork(nn.Module):
    """
    Looks at each source by itself, weighs them by attention, and judges all of them.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        Filters and widths.
    """

    def __init__(self, config: VerdictConfig) -> None:
        super().__init__()
        n, width = len(SCALES), config.width
        self.source = _eye(config.filters, width)
        self.stack = _eye(config.filters, width)
        self.scale = nn.Parameter(0.1 * torch.randn(n, 1, width))
        self.signal = nn.Linear(1, width)
        self.mix = nn.Linear(width, width)
        self.attention = nn.Linear(width, _HEADS)
        seen = (_HEADS + 2) * width + n * width + n
        self.judge = nn.Sequential(
            nn.Linear(seen, config.dense), nn.ReLU(), nn.Dropout(0.2)
        )
        self.last = nn.Linear(config.dense, len(VERDICTS))

    def forward(
        self, cutouts: torch.Tensor, stacks: torch.Tensor, numbers: torch.Tensor
    ) -> torch.Tensor:
        """Return the logits (N, C)."""
        n = len(SCALES)
        rows, images = cutouts.shape[0], cutouts.shape[1]
        counts, signals = numbers[:, :n], numbers[:, n:]
        each = self.source(cutouts.flatten(0, 1)).unflatten(0, (rows, images))
        each = each.unflatten(1, (n, images // n)) + self.scale
        each = each.flatten(1, 2) + self.signal(signals[:, :, None])
        each = torch.relu(self.mix(torch.relu(each)))
        there = (signals > 0).to(each.dtype)[:, :, None]
        weights = self.attention(each) - 1e4 * (1 - there)
        weights = torch.softmax(weights, dim=1)
        looked = (weights.transpose(1, 2) @ each).flatten(1)
        share = there / there.sum(1, keepdim=True).clamp(min=1)
        mean = (share * each).sum(1)
        spread = (share * (each - mean[:, None]) ** 2).sum(1)
        common = self.stack(stacks.unflatten(1, (n, 2)).flatten(0, 1))
        common = common.unflatten(0, (rows, n)).flatten(1)
        all_ = torch.cat([looked, mean, spread, common, counts], dim=1)
        logits: torch.Tensor = self.last(self.judge(all_))
        return logits


def build(config: VerdictConfig) -> VerdictNetwork:
    """Build the network of a configuration, with fresh parameters."""
    return VerdictNetwork(config)
