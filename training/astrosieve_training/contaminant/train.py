"""Training: crops of simulated images; calibration on whole ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.preprocessing import get_preprocessing
from astrosieve.contaminant.surroundings import Lines, Regions
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.registry import Model
from astrosieve_training.contaminant import losses, networks
from astrosieve_training.contaminant.calibrate import calibrate
from astrosieve_training.contaminant.config import ContaminantConfig
from astrosieve_training.contaminant.datasets import Images, simulated_images
from astrosieve_training.learn import loop
from astrosieve_training.learn.losses import BinaryLoss, Loss
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.learn.warm_start import (
    begun,
    given_parameters,
    read_warm_start,
)
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['Run', 'build_network', 'calibrate_run', 'fit', 'load_run', 'train']

_SETTLING, _BATCH = 64, 8  # images, and how many at a time, that statistics are of
_HIT, _OBJECT = CLASSES.names.index('cosmic_ray'), CLASSES.names.index('object')


State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        What was asked for.
    network : `torch.nn.Module`
        Its logits calibrated but for the temperatures.
    temperatures : tuple of float
        Divide the logits of each class.
    shares : tuple of float
        Of the pixels that have a class, for which probabilities hold.
    points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        Thresholds, and what else is asked of flags.
    options : dict of str to Any
        Of the card.
    summary : dict
        Losses and counts.
    """

    config: ContaminantConfig
    network: nn.Module
    temperatures: tuple[float, ...]
    shares: tuple[float, ...]
    points: dict[str, OperatingPoint]
    options: dict[str, Any]
    summary: dict[str, Any]


def build_network(config: ContaminantConfig) -> nn.Module:
    """Build the network of a configuration, with fresh parameters."""
    planes = get_preprocessing(config.network.preprocessing).shapes['image'][0]
    return networks.build(config.network, planes, len(CLASSES))


def _loss(config: ContaminantConfig, training: Images) -> Loss:
    if config.loss.weighting == 'pixel':
        return BinaryLoss(torch.ones(len(CLASSES)))
    return losses.MapLoss(
        training.shares[:-1],
        power=config.loss.power,
        dice=config.loss.dice,
        alike={(_HIT, _OBJECT): config.loss.objects},
    )


def fit(
    config: ContaminantConfig,
    folder: Path,
    stages: Stages,
    *,
    start: Path | Model | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """
    Train a network, and choose its best epoch; nothing is calibrated.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps what an interrupted training goes on from.
    stages : `~astrosieve_training.stages.Stages`
        Keeps the simulated images.
    start, say : optional
        As for `train`.

    Returns
    -------
    network : `torch.nn.Module`
        That of the best epoch, or the average of it and of the start.
    summary : dict
        Losses and counts.
    """
    say = say or (lambda text: None)
    warm = None if start is None else read_warm_start(start)
    say('simulating')
    training, validation = (
        simulated_images(config, which, stages, name)
        for name, which in (
            ('training', config.training),
            ('validation', config.validation),
        )
    )
    say('training')
    states = [
        loop.train_run(
            partial(begun, partial(build_network, config), warm, training, config.seed),
            training,
            validation,
            _loss(config, training),
            config.train,
            seed=config.seed,
            number=number,
            path=folder / f'run-{number:02d}.pt',
            key=digest(
                config, warm.key if warm else {}, code_version(networks, losses)
            ),
            predict=partial(loop.predict_logits, chunk_size=config.train.batch_size),
        )
        for number in range(config.train.runs)
    ]
    best = min(states, key=lambda state: state.best_loss)
    network = build_network(config)
    network.load_state_dict(best.best)
    told = warm.told if warm else ''
    if config.average < 1 and warm is not None:
        build = partial(build_network, config)
        before = given_parameters(build, warm, training, config.seed)
        network.load_state_dict(_averaged(best.best, before, config.average))
        _settle(network, training)
        told += f' and averaged with it ({1 - config.average:.0%} of that)'
    summary = {
        'images': len(training),
        'shares': dict(zip(CLASSES.names, training.shares.tolist(), strict=False)),
        'epoch': best.best_epoch,
        'seconds': best.seconds,
        'history': best.history,
        'begun_with': told,
    }
    return network.eval(), summary


def _averaged(learnt: State, before: State, share: float) -> dict[str, torch.Tensor]:
    """
    Return the average of what was learnt and what that began with.

    Networks of one descent lie in one valley of the loss, and their average makes up
    for what the last training forgot (Wortsman et al. 2022, ICML 162, 23965). A
    residual block that was not there before added nothing.
    """
    averaged = {}
    for name, value in learnt.items():
        known = before.get(name)
        if (
            known is not None
            and known.shape == value.shape
            and known.is_floating_point()
        ):
            averaged[name] = torch.lerp(known, value, share)
        elif name.rpartition('.')[0].endswith('.norm') and value.is_floating_point():
            averaged[name] = share * value
        else:
            averaged[name] = value
    return averaged


def _settle(network: nn.Module, images: Images) -> None:
    """Let batch normalisations measure what they see now, on some whole images."""
    layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    usual = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # all batches count alike
    network.train()
    with torch.no_grad():
        for first in range(0, min(_SETTLING, len(images)), _BATCH):
            planes = images.planes[first : first + _BATCH].astype(np.float32)
            network(torch.from_numpy(planes))
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum
    network.eval()


def train(
    config: ContaminantConfig,
    folder: Path,
    *,
    images: Path | None = None,
    start: Path | Model | None = None,
    say: Callable[[str], None] | None = None,
) -> Run:
    """
    Train a network, choose its best epoch, and calibrate it.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.
    images : `~pathlib.Path`, optional
        Keeps the simulated images, for several trainings; in ``folder`` by default.
    start : `~pathlib.Path` or `~astrosieve.models.registry.Model`, optional
        Folder of a finished training, or a model, whose parameters this one begins
        with where names and shapes agree. The summary, and the card, say so.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    run : `Run`
    """
    stages = Stages(images or folder / 'images', tidy=False)
    network, summary = fit(config, folder, stages, start=start, say=say)
    return _calibrated(config, network, summary, folder, stages, say)


def calibrate_run(
    run: Run,
    config: ContaminantConfig,
    folder: Path,
    *,
    images: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Run:
    """
    Calibrate the network of a finished training anew.

    Parameters
    ----------
    run : `Run`
        The training.
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        Says on which images, and of which classes the surroundings count; of the
        same network.
    folder, images, say
        As for `train`.

    Returns
    -------
    run : `Run`
        Of the configuration, with the same network.

    Raises
    ------
    ConfigError
        If the configuration has another network.
    """
    if config.network != run.config.network:
        msg = (
            f'{config.name} {config.version} has another network than the training of '
            f'{run.config.name} {run.config.version}; train it'
        )
        raise ConfigError(msg)
    stages = Stages(images or folder / 'images', tidy=False)
    return _calibrated(config, run.network, run.summary, folder, stages, say)


def _calibrated(
    config: ContaminantConfig,
    network: nn.Module,
    summary: Mapping[str, Any],
    folder: Path,
    stages: Stages,
    say: Callable[[str], None] | None,
) -> Run:
    if say is not None:
        say('calibrating')
    calibrating = simulated_images(config, config.calibrating, stages, 'calibrating')
    given = {Regions: config.regions, Lines: config.lines}
    about = {kind: names for kind, names in given.items() if names}
    found = calibrate(network, calibrating, config.seed, about)
    run = Run(
        config,
        network,
        temperatures=found.temperatures,
        shares=found.shares,
        points=found.points,
        options=found.options,
        summary={**summary, 'matthews': found.matthews},
    )
    _save(run, folder)
    return run


def _save(run: Run, folder: Path) -> None:
    content = {
        'config': asdict(run.config),
        'temperatures': run.temperatures,
        'shares': run.shares,
        'points': {name: asdict(point) for name, point in run.points.items()},
        'options': run.options,
        'summary': run.summary,
    }
    write_run(folder, run.network, content)


def load_run(folder: Path) -> Run:
    """
    Return a finished training.

    Raises
    ------
    ConfigError
        If there is none in the folder.
    """
    config, network, content = load_network(folder, ContaminantConfig, build_network)
    return Run(
        config=config,
        network=network,
        temperatures=tuple(content['temperatures']),
        shares=tuple(content['shares']),
        points={
            name: OperatingPoint.from_dict(each)
            for name, each in content['points'].items()
        },
        options=content.get('options', {}),
        summary=content['summary'],
    )
