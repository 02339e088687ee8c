"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from torch import nn

from astrosieve_training.contaminant.config import NetworkConfig

__all__ = ['build', 'shift_logits']


def build(config: NetworkConfig, planes: int, classes: int) -> nn.Module:
    """
    Build the network of a configuration, with fresh parameters.

    It takes images (N, planes, ny, nx), rows and columns multiples of 32, and returns
    logits (N, classes, ny, nx). Its last layer is a convolution, and called ``maps``.
    """
    module = import_module(f'astrosieve_training.contaminant.networks.{config.kind}')
    network: nn.Module = module.build(config, planes, classes)
    return network


def shift_logits(network: nn.Module, offsets: np.ndarray) -> None:
    """Add the offsets of a calibration, one of each class, to the logits."""
    import torch

    maps = network.get_submodule('maps')
    assert isinstance(maps, nn.Conv2d)
    assert maps.bias is not None
    each = np.repeat(offsets, len(maps.bias) // len(offsets))
    with torch.no_grad():
        maps.bias += torch.from_numpy(each).to(maps.bias)
