"""The network of WFC3 ISR 2021-08 (Dauphin, Medina & McCullough)."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from astrosieve.blob.subframes import SIDE

__all__ = ['Architecture', 'SubframeNetwork', 'build']

_KERNEL = 5  # pixels
_NOISE, _SAMPLE = 1.25, 16  # spread of the inputs and how many set the first biases
_QUIET = 0.9  # share of the cells that noise leaves at zero at first


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


@torch.no_grad()
def _quieten(layers: nn.Sequential) -> None:
    """Give convolutions pooled outputs of unit spread, of which few are above zero."""
    signal = _NOISE * torch.randn(_SAMPLE, 1, SIDE, SIDE)
    for convolution, pool, cut in zip(*(layers[n::3] for n in range(3)), strict=True):
        pooled = pool(convolution(signal)).transpose(0, 1).flatten(1)
        spread = pooled.std(1)
        convolution.weight /= spread[:, None, None, None]
        convolution.bias -= pooled.quantile(_QUIET, dim=1)
        convolution.bias /= spread
        signal = cut(pool(convolution(signal)))


def build(chosen: Architecture) -> SubframeNetwork:
    """
    Build the network, with fresh parameters.

    The largest of sixteen values of noise is positive. With torch's own parameters all
    inputs of the dense layer are, so that Adam's first steps, of one size for all of
    its 4096 weights, add up: within ten steps no neuron is above zero for any input,
    and nothing is learnt for epochs. So the convolutions begin with unit spread (after
    Mishkin & Matas 2016, arXiv:1511.06422) and with biases that keep noise at zero.
    """
    network = SubframeNetwork(chosen)
    _quieten(network.seen)
    return network
