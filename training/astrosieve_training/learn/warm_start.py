"""Warm starts: what a training begins with, in place of chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.models.registry import Model
from astrosieve_training.learn.examples import Examples
from astrosieve_training.learn.reading import fill_from_onnx, fit_statistics
from astrosieve_training.learn.runs import read_run
from astrosieve_training.settings import ConfigError

__all__ = ['WarmStart', 'begun', 'begun_with', 'given_parameters', 'read_warm_start']

_ROWS = 32  # of what is learnt from, that batch normalisations are fitted to

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class WarmStart:
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
        whose names and shapes agree, and returns their names.
    """

    told: str
    key: Any
    fill: Callable[[nn.Module, Inputs], set[str]]


def read_warm_start(given: Path | Model) -> WarmStart:
    """
    Return what a training begins with.

    Parameters
    ----------
    given : `~pathlib.Path` or `~astrosieve.models.registry.Model`
        Folder of a finished training, or a model.

    Returns
    -------
    start : `WarmStart`

    Raises
    ------
    ConfigError
        If there is no finished training in the folder.
    """
    return _of_model(given) if isinstance(given, Model) else _of_run(given)


def begun(
    build: Callable[[], nn.Module],
    start: WarmStart | None,
    examples: Examples,
    seed: int,
) -> nn.Module:
    """
    Build a network, with the parameters that it begins with.

    Parameters
    ----------
    build : callable
        Returns a network with fresh parameters.
    start : `WarmStart` or None
        None leaves these as they are.
    examples : `~astrosieve_training.learn.examples.Examples`
        What it will learn from.
    seed : int
        Draws some of them.

    Returns
    -------
    network : `torch.nn.Module`

    Raises
    ------
    ConfigError, ModelError
        If the start has no layer of this network.
    """
    network = build()
    if start is not None:
        start.fill(network, _some(examples, seed))
    return network


def given_parameters(
    build: Callable[[], nn.Module], start: WarmStart, examples: Examples, seed: int
) -> dict[str, torch.Tensor]:
    """Return the parameters that a start gives to a network, as `begun` does."""
    network = build()
    names = start.fill(network, _some(examples, seed))
    return {n: each for n, each in network.state_dict().items() if n in names}


def _some(examples: Examples, seed: int) -> Inputs:
    """Return some of what is learnt from, drawn by seed."""
    rng = np.random.default_rng([seed, 6])
    inputs, _, _ = examples.batch(rng.permutation(len(examples))[:_ROWS], rng)
    return inputs


def begun_with(told: str) -> str:
    """Return what a card adds of the start of a training; nothing if it had none."""
    return f', begun with {told}' if told else ''


def _of_run(folder: Path) -> WarmStart:
    content, parameters = read_run(folder)

    def fill(network: nn.Module, inputs: Inputs) -> set[str]:
        state = network.state_dict()
        known = {
            name: value
            for name, value in parameters.items()
            if name in state and value.shape == state[name].shape
        }
        if not any(value.ndim > 1 for value in known.values()):
            raise ConfigError(f'{folder}: its network shares no layer with this one')
        network.load_state_dict({**state, **known})
        return set(known)

    config = content['config']
    told = f'a training of {config["name"]} {config["version"]}'
    return WarmStart(told, content, fill)


def _of_model(model: Model) -> WarmStart:
    card = model.card

    def fill(network: nn.Module, inputs: Inputs) -> set[str]:
        layers = fill_from_onnx(network, model.path, card.name, strict=False)
        fit_statistics(network, inputs)
        return {n for n in network.state_dict() if n.rpartition('.')[0] in layers}

    return WarmStart(f'{card.name} {card.version}', card.sha256, fill)
