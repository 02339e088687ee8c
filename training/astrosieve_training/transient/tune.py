"""Going on with a trained network, by the labels of a survey."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from astrosieve.models.calibration import softmax
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve.transient.classes import REAL, is_real
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import thresholds
from astrosieve_training.learn.reading import fill_from_onnx
from astrosieve_training.settings import ConfigError, build_dataclass
from astrosieve_training.transient import networks
from astrosieve_training.transient.config import TransientConfig, load_config
from astrosieve_training.transient.datasets import Examples, p_real, truly_real
from astrosieve_training.transient.losses import RealLoss
from astrosieve_training.transient.train import POINTS, Run, save_run
from astrosieve_training.versions import digest

__all__ = ['config_of', 'tuned', 'tuned_scores']

_VALIDATION = 0.3  # of the labels
_FEWEST = 20  # labels


def config_of(model: Model) -> TransientConfig:
    """
    Return the form of a model's network.

    Raises
    ------
    ConfigError
        If its card does not say it.
    """
    card = model.card
    if 'network' not in card.metrics:
        msg = (
            f'the card of {card.name} does not say how its network is built; only '
            'networks that astrosieve-train has exported can be trained further'
        )
        raise ConfigError(msg)
    known = {
        'name': f'{card.name}-tuned', 'training': {'seed': 0},
        'preprocessing': card.preprocessing, 'classes': list(card.classes),
        'seed': card.seed, **card.metrics['network'],
    }  # fmt: skip
    config: TransientConfig = build_dataclass(TransientConfig, known, '')
    return replace(config, tune=load_config('transient').tune)


def _read(model: Model, config: TransientConfig) -> nn.Module:
    network = networks.build(config)
    fill_from_onnx(network, model.path, model.card.name)
    return network


def _as_real(examples: Examples) -> Examples:
    real = truly_real(examples.facts.label).astype(np.int64)
    return replace(examples, target=real)


def _split(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """Return examples to learn from, and some to choose the epoch by, of both kinds."""
    rng = np.random.default_rng([seed, 30])
    aside = np.zeros(len(examples), bool)
    for which in (0, 1):
        rows = rng.permutation(np.flatnonzero(examples.target == which))
        aside[rows[: round(_VALIDATION * len(rows))]] = True
    return examples.take(~aside), examples.take(aside)


def _tuned(
    model: Model, config: TransientConfig, examples: Examples, folder: Path
) -> tuple[nn.Module, Examples, loop.RunState]:
    network = _read(model, config)
    learnt, aside = _split(_as_real(examples), config.seed)
    if min(np.bincount(learnt.target, minlength=2)) < 2 or len(learnt) < _FEWEST:
        msg = f'{len(examples)} labels are too few; give {2 * _FEWEST}, of both kinds'
        raise ConfigError(msg)
    temperature = model.card.temperature
    assert isinstance(temperature, float)
    state = loop.train_run(
        partial(networks.build, config),
        learnt,
        aside,
        RealLoss(is_real(config.classes), temperature),
        config.tune,
        seed=config.seed,
        number=0,
        path=folder / 'tuned-00.pt',
        key=digest(config, model.card.sha256),
        start=network.state_dict(),
    )
    network.load_state_dict(state.best)
    return network.eval(), aside, state


def tuned(
    model: Model, config: TransientConfig, examples: Examples, folder: Path
) -> Run:
    """
    Go on with a model's network, by labels.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        Where it begins.
    config : `~astrosieve_training.transient.config.TransientConfig`
        Of the model, see `config_of`; its ``tune`` is the loop.
    examples : `~astrosieve_training.transient.datasets.Examples`
        With labels; 30 % of them choose the epoch and the operating points.
    folder : `~pathlib.Path`
        Gets the training.

    Returns
    -------
    run : `~astrosieve_training.transient.train.Run`
    """
    network, aside, state = _tuned(model, config, examples, folder)
    card = model.card
    assert isinstance(card.temperature, float)
    batch, target, _ = aside.batch(np.arange(len(aside)), None)
    p = softmax(loop.predict_logits(network, batch), card.temperature)
    score, real = p_real(p, config.classes), target == 1
    points = {
        name: OperatingPoint(
            round(threshold, 5),
            f'p_{REAL}',
            {
                'completeness': Share.of(score >= threshold, real),
                'purity': Share.of(real, score >= threshold),
            },
            f'{len(aside)} labelled candidates',
        )
        for name, threshold in thresholds(score, real, POINTS).items()
    }
    summary = {
        'counts': {
            'training': len(examples) - len(aside),
            'validation': len(aside), 'calibrating': len(aside),
        },
        'unlabelled': 0, 'epoch': state.best_epoch, 'epochs': len(state.history),
        'history': state.history, 'seconds': state.seconds,
        'calibration_error': float('nan'), 'from': f'{card.name} {card.version}',
    }  # fmt: skip
    run = Run(
        config, network, card.temperature, dict(card.class_prior), points, summary
    )
    save_run(run, folder)
    return run


def tuned_scores(
    model: Model, examples: Examples, judged: Examples, n: int, folder: Path
) -> np.ndarray:
    """
    Return ``p_real`` of candidates, by a model that went on with some labels.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        Where it begins.
    examples : `~astrosieve_training.transient.datasets.Examples`
        To be labelled, of which ``n`` are taken at random.
    judged : `~astrosieve_training.transient.datasets.Examples`
        To be scored.
    n : int
        How many labels.
    folder : `~pathlib.Path`
        Keeps the training's state.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(model)
    rows = np.random.default_rng([config.seed, n]).permutation(len(examples))[:n]
    network, _, _ = _tuned(model, config, examples.take(rows), folder)
    assert isinstance(model.card.temperature, float)
    batch, _, _ = judged.batch(np.arange(len(judged)), None)
    p = softmax(loop.predict_logits(network, batch), model.card.temperature)
    return p_real(p, config.classes)
