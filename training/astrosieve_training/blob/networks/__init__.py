"""Networks, by the kind that a configuration names."""

from __future__ import annotations

from importlib import import_module

from torch import nn

from astrosieve_training.blob.config import BlobConfig

__all__ = ['build', 'shift_logit']


def build(config: BlobConfig) -> nn.Module:
    """
    Build the network of a configuration, with fresh parameters.

    Its last layer is a convolution of 1x1, and called ``marks``: the first output is
    the logit of a blob.
    """
    module = import_module(f'astrosieve_training.blob.networks.{config.kind}')
    network: nn.Module = module.build(config)
    return network


def shift_logit(network: nn.Module, offset: float) -> None:
    """Add the offset of a calibration to the logit of blobs."""
    import torch

    marks = network.get_submodule('marks')
    assert isinstance(marks, nn.Conv2d)
    assert marks.bias is not None
    with torch.no_grad():
        marks.bias[0] += offset
