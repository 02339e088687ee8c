"""A network that looks at many sources, and says what they have in common."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from astrosieve.contaminant.verdict.judge import VERDICTS
from astrosieve.contaminant.verdict.preprocessing import SCALES, SIZE, STACKS
from astrosieve_training.contaminant.verdict.config import VerdictConfig

__all__ = ['Shape', 'VerdictNetwork', 'build']

_HEADS = 3  # of the attention
_RINGS = (0.0, 0.5, 1.6, 2.6, 4.0, 6.0, 9.0, 13.0)  # pixels
_WAVES = (1, 2, 3, 4)  # around a ring
_APERTURES = ((6.0, 0.3), (6.0, 0.1), (14.0, 0.15), (14.0, 0.4))
"""Pixels, and the least brightness that counts, of moments."""
_LITTLE = 1e-3


class Shape(nn.Module):
    """
    Describes cutouts by numbers that do not change when these are turned.

    The mean and the highest of rings, the strength of waves around them, and second
    moments within apertures. Nothing here is learnt.
    """

    means: torch.Tensor
    waves: torch.Tensor
    second: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
        away, turn = np.hypot(x, y).ravel(), np.arctan2(y, x).ravel()
        rings = [(away >= low) & (away < high) for low, high in pairwise(_RINGS)]
        means = np.stack([ring / ring.sum() for ring in rings])
        waves = [
            means[n] * wave(k * turn)
            for wave in (np.cos, np.sin)
            for n in range(1, len(rings))
            for k in _WAVES
        ]
        second = np.stack([np.ones(SIZE**2), away**2, (x**2 - y**2).ravel(),
                           2 * (x * y).ravel()])  # fmt: skip
        for name, basis in (('means', means), ('waves', np.stack(waves)),
                            ('second', second)):  # fmt: skip
            self.register_buffer(name, torch.tensor(basis.T, dtype=torch.float32))
        self.places = [np.flatnonzero(ring).tolist() for ring in rings[1:]]
        for n, (radius, _) in enumerate(_APERTURES):
            within = torch.tensor(away < radius, dtype=torch.float32)
            self.register_buffer(f'within{n}', within)

    @property
    def size(self) -> int:
        """How many numbers describe a plane."""
        n = len(_RINGS) - 1
        return n + (n - 1) * len(_WAVES) + (n - 1) + 3 * len(_APERTURES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return what describes images (..., SIZE, SIZE), (..., size)."""
        flat = images.flatten(-2)
        cosine, sine = (flat @ self.waves).chunk(2, dim=-1)
        highest = [flat[..., places].amax(-1, keepdim=True) for places in self.places]
        found = [
            flat @ self.means, torch.sqrt(cosine**2 + sine**2 + _LITTLE**2), *highest
        ]  # fmt: skip
        for n, (_, least) in enumerate(_APERTURES):
            light = torch.relu(flat - least) * getattr(self, f'within{n}')
            total, size, plus, cross = (light @ self.second).unbind(-1)
            size = size / (total + _LITTLE)
            longer = torch.sqrt(plus**2 + cross**2 + _LITTLE**2) / (total + _LITTLE)
            found.append(
                torch.stack(
                    [torch.log1p(total), torch.log1p(size), longer / (size + 0.1)], -1
                )
            )
        return torch.cat(found, dim=-1)


class VerdictNetwork(nn.Module):
    """
    Looks at each source by itself, weighs them by attention, and judges all of them.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        Widths.
    """

    def __init__(self, config: VerdictConfig) -> None:
        super().__init__()
        n, width = len(SCALES), config.width
        self.shape = Shape()
        self.plain = nn.BatchNorm1d(2 * self.shape.size + 1)
        self.scale = nn.Parameter(0.1 * torch.randn(n, 1, width))
        self.source = nn.Linear(2 * self.shape.size + 1, width)
        self.mix = nn.Linear(width, width)
        self.attention = nn.Linear(width, _HEADS)
        common = n * STACKS * self.shape.size + 2 * n
        self.common = nn.Sequential(
            nn.BatchNorm1d(common),
            nn.Dropout(config.dropout),
            nn.Linear(common, config.dense),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.judge = nn.Sequential(
            nn.Linear((_HEADS + 2) * width + config.dense, config.dense),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.last = nn.Linear(config.dense, len(VERDICTS))

    def forward(
        self, cutouts: torch.Tensor, stacks: torch.Tensor, numbers: torch.Tensor
    ) -> torch.Tensor:
        """Return the logits (N, C)."""
        n = len(SCALES)
        rows, images = cutouts.shape[0], cutouts.shape[1]
        counts, signals = numbers[:, : 2 * n], numbers[:, 2 * n :]
        each = torch.cat([self.shape(cutouts).flatten(2), signals[:, :, None]], dim=2)
        each = self.source(self.plain(each.flatten(0, 1)))
        each = each.unflatten(0, (rows, n, images // n)) + self.scale
        each = torch.relu(self.mix(torch.relu(each))).flatten(1, 2)
        there = (signals > 0).to(each.dtype)[:, :, None]
        weights = torch.softmax(self.attention(each) - 1e4 * (1 - there), dim=1)
        looked = (weights.transpose(1, 2) @ each).flatten(1)
        share = there / there.sum(1, keepdim=True).clamp(min=1)
        mean = (share * each).sum(1)
        spread = (share * (each - mean[:, None]) ** 2).sum(1)
        common = torch.cat([self.shape(stacks).flatten(1), counts], dim=1)
        all_ = torch.cat([looked, mean, spread, self.common(common)], dim=1)
        logits: torch.Tensor = self.last(self.judge(all_))
        return logits


def build(config: VerdictConfig) -> VerdictNetwork:
    """Build the network of a configuration, with fresh parameters."""
    return VerdictNetwork(config)
