"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
import torch
from torch import nn

from astrosieve.frametype.preprocessing import get_preprocessing
from astrosieve_training.frametype.config import FrameConfig

__all__ = ['build', 'joined_states', 'shift_logits']

_FIRST = 'members.0.'


def build(
    config: FrameConfig,
    shapes: dict[str, tuple[int, ...]] | None = None,
    *,
    members: int = 1,
) -> nn.Module:
    """
    Build the network of a configuration, with fresh parameters.

    Its members' logits are averaged. The last layer of each is linear, and called
    ``last``.
    """
    module = import_module(f'astrosieve_training.frametype.networks.{config.kind}')
    shapes = shapes or get_preprocessing(config.preprocessing).shapes
    network: nn.Module = module.build(len(config.classes), shapes, members)
    return network


def joined_states(
    states: Sequence[dict[str, torch.Tensor]],
) -> dict[str, torch.Tensor]:
    """Return the parameters of a network whose members have been trained alone."""
    return {
        name.replace(_FIRST, f'members.{i}.', 1): each
        for i, state in enumerate(states)
        for name, each in state.items()
    }


def shift_logits(network: nn.Module, offsets: np.ndarray) -> None:
    """Add the offsets of a calibration to the logits."""
    with torch.no_grad():
        for name, module in network.named_modules():
            if name.split('.')[-1] == 'last':
                assert isinstance(module, nn.Linear)
                module.bias.add_(torch.tensor(offsets, dtype=module.bias.dtype))
