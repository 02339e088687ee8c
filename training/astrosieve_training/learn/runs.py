"""Finished trainings in folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve_training.learn.loop import save_state
from astrosieve_training.settings import ConfigError

__all__ = ['read_run', 'write_run']


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
