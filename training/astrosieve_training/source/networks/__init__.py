"""Architectures by name; each module holds one."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from astrosieve.exceptions import ModelError
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.versions import digest

if TYPE_CHECKING:
    from torch import nn

    from astrosieve_training.source.config import NetworkConfig

__all__ = ['build_network', 'network_version']

_MODULES = {'isr2024': 'isr2024', 'multiscale': 'multiscale'}


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
    if config.kind not in _MODULES:
        near = difflib.get_close_matches(config.kind, _MODULES, n=1, cutoff=0.4)
        hint = f'; did you mean {near[0]!r}?' if near else ''
        msg = f'no network {config.kind!r}{hint} Known: {", ".join(_MODULES)}'
        raise ModelError(msg)
    module = import_module(f'{__name__}.{_MODULES[config.kind]}')
    network: nn.Module = module.build(
        config, shapes=get_preprocessing(config.preprocessing).shapes
    )
    return network


@cache
def network_version() -> str:
    """Return a hash of the code of all architectures."""
    paths = sorted(Path(__file__).parent.glob('*.py'))
    return digest(*[path.read_text(encoding='utf-8') for path in paths])
