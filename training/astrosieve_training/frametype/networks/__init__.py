"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import torch
from torch import nn

from astrosieve.frametype.preprocessing import get_preprocessing
from astrosieve_training.frametype.config import FrameConfig

__all__ = ['build', 'joined_states', 'member_states']

_FIRST = 'members.0.'
_OF_NO_MEMBER = ('layers.', 'last.')  # of the network of SPIT, which is one


def build(
    config: FrameConfig,
    shapes: dict[str, tuple[int, ...]] | None = None,
    *,
    whole: bool = False,
) -> nn.Module:
    """
    Build a network of a configuration, with fresh parameters.

    It has what is trained at once: one member. A whole one has all of them, whose
    logits are averaged, and the trees. Either adds its ``offsets`` to the logits.
    """
    module = import_module(f'astrosieve_training.frametype.networks.{config.kind}')
    shapes = shapes or get_preprocessing(config.preprocessing).shapes
    network: nn.Module = module.build(config, shapes, whole=whole)
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


def member_states(
    state: dict[str, torch.Tensor], number: int
) -> list[dict[str, torch.Tensor]]:
    """Return what each of the members has learnt, of a whole network's parameters."""
    return [
        {
            name.replace(f'members.{i}.', _FIRST, 1): each
            for name, each in state.items()
            if name.startswith((f'members.{i}.', *_OF_NO_MEMBER))
        }
        for i in range(number)
    ]
