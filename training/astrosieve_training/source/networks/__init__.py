"""Architectures by name; each module holds one."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from astrosieve.exceptions import ModelError
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.settings import not_known

if TYPE_CHECKING:
    from torch import nn

    from astrosieve_training.source.config import NetworkConfig

__all__ = ['build_network', 'network_module']


def network_module(kind: str) -> ModuleType:
    """
    Return the module of an architecture.

    Raises
    ------
    ModelError
        If there is no such architecture.
    """
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    if kind not in known:
        msg = not_known('no network', kind, known)
        raise ModelError(msg)
    return import_module(f'{__name__}.{kind}')


def build_network(config: NetworkConfig) -> nn.Module:
    """
    Build a network with fresh parameters.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.NetworkConfig`
        Its ``kind`` names the architecture, its ``preprocessing`` the inputs.

    Returns
    -------
    network : `torch.nn.Module`
        Takes the inputs in the preprocessing's order, returns (N, C) logits.

    Raises
    ------
    ModelError
        If there is no such architecture.
    """
    network: nn.Module = network_module(config.kind).build(
        config, shapes=get_preprocessing(config.preprocessing).shapes
    )
    return network
