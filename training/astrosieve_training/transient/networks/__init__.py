"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from torch import nn

from astrosieve.transient.preprocessing import get_preprocessing
from astrosieve_training.transient.config import TransientConfig

__all__ = ['build', 'shift_logits']


def build(config: TransientConfig) -> nn.Module:
    """
    Build the network of a configuration, with fresh parameters.

    Its last layer is linear, and called ``last``.
    """
    module = import_module(f'astrosieve_training.transient.networks.{config.kind}')
    shapes = get_preprocessing(config.preprocessing).shapes
    network: nn.Module = module.build(len(config.classes), shapes, config.dropout)
    return network


def shift_logits(network: nn.Module, offsets: np.ndarray) -> None:
    """Add the offsets of a calibration to the logits."""
    import torch

    last = network.get_submodule('last')
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.add_(torch.tensor(offsets, dtype=last.bias.dtype))
