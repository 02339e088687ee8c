"""Training on simulated candidates, with unlabelled alerts beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.models.calibration import softmax
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share, expected_calibration_error
from astrosieve.transient.classes import REAL, is_real
from astrosieve_training.learn import loop
from astrosieve_training.learn.augment import turned
from astrosieve_training.learn.calibrate import Aim, fit_scaling, thresholds
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.stages import Stages
from astrosieve_training.transient import losses, networks
from astrosieve_training.transient.config import TransientConfig
from astrosieve_training.transient.datasets import (
    Alerts,
    Examples,
    p_real,
    read_alerts,
    simulated_sets,
    truly_real,
)
from astrosieve_training.transient.labelled import published_sets
from astrosieve_training.transient.networks import negm2021, stamps
from astrosieve_training.versions import code_version, digest

__all__ = ['POINTS', 'Agreement', 'Run', 'calibrated', 'load_run', 'probabilities',
           'save_run', 'train']  # fmt: skip

POINTS = {
    'balanced': Aim('false positives', 0.02),
    'complete': Aim('completeness', 0.995),
    'pure': Aim('purity', 0.995),
}
"""What thresholds on ``p_real`` reach on the candidates they are fitted on."""

_SPREAD = 2.0  # expected of the calibration's parameters
_UNLABELLED = 16  # alerts shown at each step


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.transient.config.TransientConfig`
        What was asked for.
    network : `torch.nn.Module`
        Its logits calibrated but for the temperature.
    temperature : float
        Divides the logits.
    prior : dict of str to float
        Share of each class for which probabilities hold.
    points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        Thresholds on ``p_real``.
    summary : dict
        Losses and counts.
    """

    config: TransientConfig
    network: nn.Module
    temperature: float
    prior: dict[str, float]
    points: dict[str, OperatingPoint]
    summary: dict[str, Any]


class Agreement:
    """
    What is added to the loss for alerts without labels.

    The answer to an alert is to be the same however it is turned, and not undecided.

    Parameters
    ----------
    alerts : `~astrosieve_training.transient.datasets.Alerts`
        Their stamps; nothing else of them is looked at.
    weight : float
        How much it counts.
    real : list of bool
        Which classes are real.
    """

    def __init__(self, alerts: Alerts, weight: float, real: list[bool]) -> None:
        self.alerts, self.weight = alerts, weight
        self.real = torch.tensor(real)

    def __call__(self, network: nn.Module, rng: np.random.Generator) -> torch.Tensor:
        """Return how much the answers to some alerts differ, and are undecided."""
        rows = rng.choice(len(self.alerts.table), _UNLABELLED, replace=False)
        inputs = turned(self.alerts.batch(np.tile(rows, 2)), rng)
        answers = network(*loop.tensors(inputs)).softmax(1)[:, self.real].sum(1)
        one, other = answers.chunk(2)
        middle = ((one + other) / 2).clamp(1e-4, 1 - 1e-4)
        undecided = -(middle * middle.log() + (1 - middle) * (1 - middle).log())
        return self.weight * (4 * (one - other) ** 2 + 0.2 * undecided).mean()


def class_weights(target: np.ndarray, n: int) -> torch.Tensor:
    """Return how much classes count: rare ones more, by the root of their number."""
    counts = np.maximum(np.bincount(target, minlength=n), 1)
    weights = 1 / np.sqrt(counts)
    return torch.tensor(weights * len(target) / (weights * counts).sum()).float()


def train(
    config: TransientConfig,
    folder: Path,
    real: Path | None = None,
    *,
    published: Path | None = None,
    jobs: int = -1,
) -> Run:
    """
    Train a network, choose its best epoch, and calibrate it.

    Parameters
    ----------
    config : `~astrosieve_training.transient.config.TransientConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.
    real : `~pathlib.Path`, optional
        Folder of real alerts, whose stamps alone are used, where the configuration says
        so.
    published : `~pathlib.Path`, optional
        Labelled stamps of the SDSS-II Supernova Survey, in place of simulated ones.
    jobs : int, optional
        Fields that are simulated side by side; -1 for as many as there are cores.

    Returns
    -------
    run : `Run`
    """
    stages = Stages(folder / 'fields', tidy=False)
    names = ('training', 'validation', 'calibrating')
    if published is None:
        sets = simulated_sets(config, stages, names, jobs=jobs)
    else:
        whole = published_sets(published, config)
        sets = {name: whole[name] for name in names}
    agreement, seen = None, ''
    if config.unlabelled and real is not None:
        alerts = read_alerts(real, config.preprocessing)
        agreement = Agreement(alerts, config.unlabelled, is_real(config.classes))
        seen = alerts.key
    target = sets['training'].target
    loss = losses.KindLoss(
        class_weights(target, len(config.classes)),
        is_real(config.classes),
        config.binary,
    )
    states = [
        loop.train_run(
            partial(networks.build, config),
            sets['training'],
            sets['validation'],
            loss,
            config.train,
            seed=config.seed,
            number=number,
            path=folder / f'run-{number:02d}.pt',
            key=digest(config, code_version(networks, stamps, negm2021, losses), seen),
            extra_loss=agreement,
        )
        for number in range(config.train.runs)
    ]
    best = min(states, key=lambda state: state.best_loss)
    network = networks.build(config)
    network.load_state_dict(best.best)
    summary = {
        'counts': {name: len(each) for name, each in sets.items()},
        'classes': {
            name: int((target == number).sum())
            for number, name in enumerate(config.classes)
        },
        'unlabelled': 0 if agreement is None else len(agreement.alerts.table),
        'epoch': best.best_epoch,
        'epochs': len(best.history),
        'history': best.history,
        'seconds': best.seconds,
    }
    run = calibrated(config, network, sets['calibrating'], summary)
    save_run(run, folder)
    return run


def probabilities(
    network: nn.Module, temperature: float, examples: Examples
) -> np.ndarray:
    """Return a network's probabilities of the classes, (N, C)."""
    parts = [
        loop.predict_logits(network, examples.batch(rows, None)[0])
        for rows in np.array_split(
            np.arange(len(examples)), max(1, len(examples) // 4096)
        )
    ]
    return softmax(np.concatenate(parts), temperature)


def calibrated(
    config: TransientConfig,
    network: nn.Module,
    examples: Examples,
    summary: dict[str, Any],
) -> Run:
    """Set probabilities and thresholds right, on candidates not seen before."""
    batch, target, _ = examples.batch(np.arange(len(examples)), None)
    logits = loop.predict_logits(network, batch)
    real = np.array(is_real(config.classes))
    counts = np.bincount(target, minlength=len(real)) + 1.0  # no class has no share
    shares = np.zeros(len(real))
    for some, total in ((real, config.prior), (~real, 1 - config.prior)):
        shares[some] = total * counts[some] / counts[some].sum()
    temperature, offsets = fit_scaling(logits, target, shares, spread=_SPREAD)
    networks.shift_logits(network, offsets)
    p = softmax(logits + offsets.astype(np.float32), temperature)
    score, positive = p_real(p, config.classes), truly_real(examples.facts.label)
    found = thresholds(score, positive, POINTS)
    points = {
        name: OperatingPoint(
            round(threshold, 5),
            f'p_{REAL}',
            {
                'completeness': Share.of(score >= threshold, positive),
                'purity': Share.of(positive, score >= threshold),
            },
            f'{len(examples)} simulated candidates',
        )
        for name, threshold in found.items()
    }
    binary = np.column_stack([1 - score, score])
    error = expected_calibration_error(binary, positive.astype(int))
    prior = dict(zip(config.classes, shares.round(6).tolist(), strict=True))
    about = {**summary, 'calibration_error': error}
    return Run(config, network.eval(), temperature, prior, points, about)


def save_run(run: Run, folder: Path) -> None:
    """Write a finished training."""
    content = {
        'config': asdict(run.config),
        'temperature': run.temperature,
        'prior': run.prior,
        'points': {name: asdict(point) for name, point in run.points.items()},
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
    config, network, content = load_network(folder, TransientConfig, networks.build)
    points = {
        name: OperatingPoint.from_dict(each)
        for name, each in content.pop('points').items()
    }
    return Run(config=config, network=network, points=points, **content)
