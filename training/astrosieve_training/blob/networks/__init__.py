"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from importlib import import_module

from torch import nn

from astrosieve_training.blob.config import BlobConfig

__all__ = ['build']


def build(config: BlobConfig) -> nn.Module:
    """Build the network of a configuration, with fresh parameters."""
    module = import_module(f'astrosieve_training.blob.networks.{config.kind}')
    network: nn.Module = module.build(config)
    return network
