"""What a training begins with, in place of chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from astrosieve.models.registry import Model
from astrosieve_training.learn.reading import fill_from_onnx, fit_statistics
from astrosieve_training.learn.runs import read_run
from astrosieve_training.settings import ConfigError

__all__ = ['Start', 'start_of']

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Start:
    """
    A network whose parameters another one begins with.

    Parameters
    ----------
    told : str
        What it is in words, for the card.
    key : Any
        Tells it from others.
    fill : callable
        Takes a network, and some of what that will learn from; sets the parameters
        whose names and shapes agree.
    """

    told: str
    key: Any
    fill: Callable[[nn.Module, Inputs], None]


def start_of(given: Path | Model) -> Start:
    """
    Return what a training begins with.

    Parameters
    ----------
    given : `~pathlib.Path` or `~astrosieve.models.registry.Model`
        Folder of a finished training, or a model.

    Returns
    -------
    start : `Start`
        Its ``fill`` raises ConfigError or ModelError if no layer agrees.

    Raises
    ------
    ConfigError
        If there is no finished training in the folder.
    """
    return _of_model(given) if isinstance(given, Model) else _of_run(given)


def _of_run(folder: Path) -> Start:
    content, parameters = read_run(folder)

    def fill(network: nn.Module, inputs: Inputs) -> None:
        state = network.state_dict()
        known = {
            name: value
            for name, value in parameters.items()
            if name in state and value.shape == state[name].shape
        }
        if not any(value.ndim > 1 for value in known.values()):
            raise ConfigError(f'{folder}: its network shares no layer with this one')
        network.load_state_dict({**state, **known})

    config = content['config']
    told = f'a training of {config["name"]} {config["version"]}'
    return Start(told, content, fill)


def _of_model(model: Model) -> Start:
    card = model.card

    def fill(network: nn.Module, inputs: Inputs) -> None:
        fill_from_onnx(network, model.path, card.name, strict=False)
        fit_statistics(network, inputs)

    return Start(f'{card.name} {card.version}', card.sha256, fill)
