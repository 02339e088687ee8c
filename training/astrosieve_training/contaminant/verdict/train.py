"""Training of the network that judges whole images, and its calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from astrosieve.contaminant.verdict.judge import VERDICTS
from astrosieve.models.calibration import sigmoid
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve_training.contaminant.verdict import network as networks
from astrosieve_training.contaminant.verdict.config import VerdictConfig
from astrosieve_training.contaminant.verdict.datasets import (
    Judgeable,
    simulated_sources,
)
from astrosieve_training.contaminant.verdict.network import VerdictNetwork, build
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import Aim, fit_sigmoids, thresholds
from astrosieve_training.learn.losses import BinaryLoss
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = [
    'FALSE',
    'VerdictRun',
    'clearly',
    'load_run',
    'measured_at',
    'train',
]

FALSE = 0.01
"""Share of the images that have not failed, of which it may be said."""

_CHUNK = 64  # images that are looked at together
_SPREAD = 2.0  # expected of the calibration's parameters


@dataclass(frozen=True)
class VerdictRun:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        What was asked for.
    network : `~astrosieve_training.contaminant.verdict.network.VerdictNetwork`
        Its logits calibrated but for the temperatures.
    temperatures : tuple of float
        Divide the logits of each class.
    point : `~astrosieve.models.cards.OperatingPoint`
        The thresholds.
    summary : dict
        Losses and counts.
    """

    config: VerdictConfig
    network: VerdictNetwork
    temperatures: tuple[float, ...]
    point: OperatingPoint
    summary: dict[str, Any]


def train(
    config: VerdictConfig,
    folder: Path,
    *,
    images: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> VerdictRun:
    """
    Train a network, choose its best epoch, and calibrate it.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.
    images : `~pathlib.Path`, optional
        Keeps what was simulated, for several trainings; in ``folder`` by default.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    run : `VerdictRun`
    """
    say = say or (lambda text: None)
    stages = Stages(images or folder / 'images', tidy=False)
    say('simulating')
    training, validation, calibrating = (
        simulated_sources(config, {n: getattr(config, n) for n in names}, stages)
        for names in (('training', 'small'), ('validation',), ('calibrating',))
    )
    say('training')
    states = [
        loop.train_run(
            partial(build, config),
            training,
            validation,
            BinaryLoss(torch.ones(len(VERDICTS))),
            config.train,
            seed=config.seed,
            number=number,
            path=folder / f'run-{number:02d}.pt',
            key=digest(config, code_version(networks)),
            predict=partial(loop.predict_logits, chunk_size=_CHUNK),
        )
        for number in range(config.train.runs)
    ]
    best = min(states, key=lambda state: state.best_loss)
    network = build(config)
    network.load_state_dict(best.best)
    summary = {
        'images': len(training),
        'failed': training.target.mean(axis=0).tolist(),
        'epoch': best.best_epoch,
        'seconds': best.seconds,
        'history': best.history,
    }
    run = _calibrated(config, network, calibrating, summary)
    write_run(
        folder,
        run.network,
        {
            'config': asdict(config),
            'temperatures': run.temperatures,
            'point': asdict(run.point),
            'summary': run.summary,
        },
    )
    return run


def _calibrated(
    config: VerdictConfig, network: VerdictNetwork, images: Judgeable, summary: dict
) -> VerdictRun:
    """Set probabilities and thresholds right, on images not seen before."""
    rows = np.arange(len(images))
    logits = loop.predict_logits(network, images.inputs(rows), chunk_size=_CHUNK)
    labels = np.where(images.weight > 0, images.target, -1).astype(int)
    temperatures, offsets = fit_sigmoids(
        logits, labels, np.full(len(VERDICTS), config.shares), spread=_SPREAD
    )
    with torch.no_grad():
        network.last.bias.add_(torch.from_numpy(offsets).to(network.last.bias))
    scales = tuple(round(float(each), 6) for each in temperatures)
    p = sigmoid(logits + offsets.astype(np.float32), scales)
    clear = clearly(images)
    limits: dict[str, float] = {}
    for number, name in enumerate(VERDICTS):
        known = clear[:, number]
        truth = labels[known, number] == 1
        if not truth.any():
            limits[name] = 0.5  # nothing to fit with
            continue
        aims = {name: Aim('false positives', FALSE)}
        limit = thresholds(p[known, number], truth, aims)[name]
        limits[name] = round(min(max(limit, 1e-4), 1 - 1e-4), 4)
    point = OperatingPoint(
        limits, 'p', measured_at(limits, p, images), f'{len(images)} simulated images'
    )
    return VerdictRun(config, network.eval(), scales, point, summary)


def clearly(images: Judgeable) -> np.ndarray:
    """Return which truths can be told, (N, C): of failures where stars are enough."""
    told = np.repeat(images.enough[:, None], images.failed.shape[1], axis=1)
    return np.column_stack([told, images.weight[:, -1] > 0])


def measured_at(
    limits: dict[str, float], p: np.ndarray, images: Judgeable
) -> dict[str, Share]:
    """
    Return what holds at thresholds.

    Parameters
    ----------
    limits : dict of str to float
        Thresholds, by verdict.
    p : (N, C) `~numpy.ndarray`
        Probabilities.
    images : `Judgeable`
        The truth.

    Returns
    -------
    measured : dict of str to `~astrosieve.models.metrics.Share`
        Of the images that can be told: share of those that have failed which is found,
        and of those that have not which is said to.
    """
    clear, target = clearly(images), images.target > 0
    measured = {}
    for number, name in enumerate(VERDICTS):
        known, truth = clear[:, number], target[:, number]
        said = p[:, number] >= limits[name]
        measured[f'{name} found'] = Share.of(said, known & truth)
        measured[f'{name} false'] = Share.of(said, known & ~truth)
    return measured


def load_run(folder: Path) -> VerdictRun:
    """
    Return a finished training.

    Raises
    ------
    ConfigError
        If there is none in the folder.
    """
    config, network, content = load_network(folder, VerdictConfig, build)
    return VerdictRun(
        config,
        network,
        tuple(content['temperatures']),
        OperatingPoint.from_dict(content['point']),
        content['summary'],
    )
