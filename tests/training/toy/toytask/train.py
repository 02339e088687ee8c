"""Training and calibration."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from astrosieve.models.calibration import ACTIVATIONS
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import (
    Aim,
    fit_scaling,
    fit_sigmoids,
    thresholds,
)
from astrosieve_training.learn.losses import BinaryLoss, ClassLoss
from astrosieve_training.versions import code_version, digest
from toytask import network
from toytask.config import ToyConfig
from toytask.dataset import Frames, make_frames

__all__ = ['Run', 'train']


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~toytask.config.ToyConfig`
        What was asked for.
    network : `torch.nn.Module`
        The best of all runs, its logits calibrated but for the temperature.
    temperature : float or tuple of float
        Divides the logits.
    prior : dict of str to float
        Mix of classes for which the probabilities hold.
    points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        Thresholds with what they keep.
    """

    config: ToyConfig
    network: nn.Module
    temperature: float | tuple[float, ...]
    prior: dict[str, float]
    points: dict[str, OperatingPoint]


def train(config: ToyConfig, folder: Path) -> Run:
    """Train as often as configured, and calibrate the best."""
    folder.mkdir(parents=True, exist_ok=True)
    training, validation, calibrating = (
        make_frames(config.kind, n, seed)
        for seed, n in enumerate((config.n, config.n // 2, config.n // 2))
    )
    weights = torch.ones(len(config.classes))
    states = [
        loop.train_run(
            partial(network.build, config),
            training,
            validation,
            ClassLoss(weights) if config.kind == 'frames' else BinaryLoss(weights),
            config.train,
            seed=config.seed,
            number=number,
            path=folder / f'run-{number:02d}.pt',
            key=digest(config, code_version(network, sys.modules[__name__])),
        )
        for number in range(config.train.runs)
    ]
    built = network.build(config)
    built.load_state_dict(min(states, key=lambda state: state.best_loss).best)
    return _calibrated(config, built, calibrating)


def _calibrated(config: ToyConfig, built: network.ToyNetwork, frames: Frames) -> Run:
    """Set a network right on frames that it has not seen."""
    inputs, target, weight = frames.batch(np.arange(len(frames)), None)
    logits = loop.predict_logits(built, inputs)
    temperature: float | tuple[float, ...]
    if config.kind == 'frames':
        truth = (target[:, None] == np.arange(len(config.classes))).astype(int)
        shares = np.full(len(config.classes), 1 / len(config.classes))
        temperature, offsets = fit_scaling(logits, target, shares)
    else:
        assert weight is not None
        truth = np.where(weight > 0, target, -1).astype(int)
        shares = (truth == 1).sum(axis=(0, 2, 3)) / (truth[:, 0] >= 0).sum()
        temperatures, offsets = fit_sigmoids(logits, truth, shares)
        temperature = tuple(temperatures.tolist())
    built.add(offsets)
    logits = loop.predict_logits(built, inputs)
    p = np.moveaxis(ACTIVATIONS[config.activation](logits, temperature), 1, 0)
    known = np.moveaxis(truth, 1, 0)
    found, measured = {}, {}
    for name, score, each in zip(config.classes, p, known, strict=True):
        score, positive = score[each >= 0], each[each >= 0] == 1
        found[name] = thresholds(score, positive, {'best': Aim('f1')})['best']
        kept = score >= found[name]
        measured[f'completeness of {name}'] = Share.of(kept, positive)
        measured[f'purity of {name}'] = Share.of(positive, kept)
    sample = f'{len(frames)} simulated frames'
    points = {'best': OperatingPoint(found, 'p_<class>', measured, sample)}
    prior = dict(zip(config.classes, shares.tolist(), strict=True))
    return Run(config, built, temperature, prior, points)
