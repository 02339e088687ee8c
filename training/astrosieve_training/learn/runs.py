"""Finished trainings in folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve_training.learn.loop import save_state
from astrosieve_training.settings import ConfigError, build_dataclass

__all__ = ['load_network', 'read_run', 'run_kind', 'write_run']


_Config = TypeVar('_Config')
_Network = TypeVar('_Network', bound=nn.Module)


def write_run(folder: Path, network: nn.Module, content: Mapping[str, Any]) -> None:
    """
    Write what the steps after a training need.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Gets ``network.pt`` and ``run.json``.
    network : `torch.nn.Module`
        The network.
    content : mapping
        What JSON takes: configuration, calibration, summary.
    """
    save_state(network.state_dict(), folder / 'network.pt')
    with atomic_path(folder / 'run.json', overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding='utf-8')


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """
    Return the content and the parameters of a finished training.

    Raises
    ------
    ConfigError
        If there is none in the folder.
    """
    try:
        content = json.loads((folder / 'run.json').read_text(encoding='utf-8'))
        state = torch.load(folder / 'network.pt', weights_only=True)
    except (OSError, ValueError) as error:
        msg = f'{folder}: holds no finished training ({error}); run the step train'
        raise ConfigError(msg) from error
    return content, state


def run_kind(folder: Path) -> str | None:
    """Return the ``kind`` in the configuration of a training; None where none is."""
    try:
        content, _ = read_run(folder)
    except ConfigError:
        return None
    kind = content['config'].get('kind')
    return None if kind is None else str(kind)


def load_network(
    folder: Path, config_type: type[_Config], build: Callable[[_Config], _Network]
) -> tuple[_Config, _Network, dict[str, Any]]:
    """
    Return the network of a finished training.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the training.
    config_type : type
        Dataclass of its configuration.
    build : callable
        Returns the network of a configuration.

    Returns
    -------
    config : object
        The configuration.
    network : `torch.nn.Module`
        With its parameters, for inference.
    content : dict
        What else was written.

    Raises
    ------
    ConfigError
        If there is no finished training in the folder.
    """
    content, state = read_run(folder)
    config: _Config = build_dataclass(config_type, content.pop('config'), '')
    network = build(config)
    network.load_state_dict(state)
    return config, network.eval(), content
