"""Networks to go on from: the weights of a model, read back from its ONNX file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrosieve.exceptions import ModelError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model, load_model
from astrosieve_training.learn.parity import ExportError, check_parity
from astrosieve_training.learn.reading import fill_from_onnx, fit_statistics
from astrosieve_training.settings import ConfigError, build_dataclass
from astrosieve_training.source.config import NetworkConfig, list_configs, load_config
from astrosieve_training.source.train.parity import inputs_of

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

__all__ = ['Start', 'load_start', 'network_of', 'with_statistics']


@dataclass(frozen=True)
class Start:
    """
    A trained network to go on from.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        Of the model.
    network : `~astrosieve_training.source.config.NetworkConfig`
        Its form.
    state : dict of str to `torch.Tensor`
        Its parameters; the logits are those of the ONNX file.
    difference : float
        Largest difference between torch and onnxruntime.
    """

    card: ModelCard
    network: NetworkConfig
    state: dict[str, Any]
    difference: float

    @property
    def label(self) -> str:
        """Name and version."""
        return f'{self.card.name} {self.card.version}'


def network_of(card: ModelCard) -> NetworkConfig:
    """
    Return the form of a model's network.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        Says it under ``metrics['network']``; of the models that come with the package
        the configuration of that name does.

    Returns
    -------
    network : `~astrosieve_training.source.config.NetworkConfig`

    Raises
    ------
    ModelError
        If neither says it, or the card contradicts it.
    """
    if 'network' in card.metrics:
        try:
            network = build_dataclass(NetworkConfig, card.metrics['network'], 'network')
        except ConfigError as error:
            msg = f'card of {card.name}: {error}; a newer astrosieve may know it'
            raise ModelError(msg) from error
    elif card.task == 'source' and card.name in list_configs():
        network = load_config(card.name).network
    else:
        msg = (
            f'the card of {card.name} does not say how its network is built '
            "(metrics['network']); only networks that astrosieve-train has exported "
            'can be trained further'
        )
        raise ModelError(msg)
    for key in ('classes', 'preprocessing'):
        if getattr(network, key) != getattr(card, key):
            msg = (
                f'the card of {card.name} has the {key} {getattr(card, key)}, its '
                f'network {getattr(network, key)}; export the model again'
            )
            raise ModelError(msg)
    return network


def _read(model: Model) -> tuple[NetworkConfig, nn.Module]:
    from astrosieve_training.source.networks import build_network

    network = network_of(model.card)
    built = build_network(network)
    fill_from_onnx(built, model.path, model.card.name)
    return network, built.eval()


def load_start(name: str | Path) -> Start:
    """
    Read a trained network.

    Parameters
    ----------
    name : str or path-like
        Name of a model, or the path of its ONNX file with its card beside it.

    Returns
    -------
    start : `Start`

    Raises
    ------
    ModelError
        If there is no such model, its network is not known, or torch does not give
        what onnxruntime gives.
    """
    import torch

    from astrosieve.models.session import OnnxSession

    model = load_model(name, task='source', threads=1)
    network, built = _read(model)
    inputs = inputs_of(network.preprocessing)
    session = OnnxSession(model.path.read_bytes, name=str(model.path), threads=1)
    with torch.inference_mode():
        logits = built(*map(torch.from_numpy, inputs.values())).numpy()
    try:
        difference = check_parity(session.run(inputs), logits)
    except ExportError as error:
        msg = (
            f'{model.card.name}: its weights read into torch do not give what its ONNX '
            f'file gives ({error}); it is another network than its card says'
        )
        raise ModelError(msg) from error
    return Start(model.card, network, built.state_dict(), difference)


def with_statistics(start: Start, inputs: dict[str, np.ndarray]) -> Start:
    """
    Return a start whose batch normalisations know what they see.

    Parameters
    ----------
    start : `Start`
        As from `load_start`.
    inputs : dict of str to `~numpy.ndarray`
        Some hundreds of rows of the training.

    Returns
    -------
    start : `Start`
        See `~astrosieve_training.learn.reading.fit_statistics`.
    """
    from astrosieve_training.source.networks import build_network

    network = build_network(start.network)
    network.load_state_dict(start.state)
    fit_statistics(network, inputs)
    return replace(start, state=network.state_dict())
