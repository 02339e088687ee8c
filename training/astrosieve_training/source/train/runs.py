"""Training of a network for sources: several runs, the best of them calibrated."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import ModelError, OutputError
from astrosieve.source.widths import width_hypotheses
from astrosieve_training.learn import loop
from astrosieve_training.learn.losses import ClassLoss
from astrosieve_training.source.config import SourceConfig, config_from_dict
from astrosieve_training.source.datasets.examples import (
    Examples,
    TrainingData,
    prepare,
)
from astrosieve_training.source.networks import build_network, network_module
from astrosieve_training.source.train import augment, memory
from astrosieve_training.source.train.operating_points import Calibration, calibrate
from astrosieve_training.source.train.predict import averaged_logits
from astrosieve_training.source.train.warm_start import Start, with_statistics
from astrosieve_training.versions import code_version, digest

__all__ = ['Run', 'load_run', 'train', 'train_network']

_TOLD = ('best_loss', 'best_epoch', 'seconds', 'history')  # of each run
_STATISTICS = 2048  # examples that a network to go on from is fitted to
_SPREAD = 1.0  # of the calibration on few labels, see `fit_scaling`


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        What was asked for.
    network : `torch.nn.Module`
        Parameters of the lowest validation loss of all runs, in evaluation mode.
    calibration : `~astrosieve_training.source.train.operating_points.Calibration`
        Temperature, class shares, operating points.
    summary : dict
        Histories of all runs, counts, times.
    """

    config: SourceConfig
    network: nn.Module
    calibration: Calibration
    summary: dict[str, Any]


def _built(config: SourceConfig, start: Start | None) -> nn.Module:
    """Build a network, with the parameters of a model if there is one."""
    network = build_network(config.network)
    if start is not None:
        network.load_state_dict(start.state)
    return network


def train_network(
    training: Examples,
    validation: Examples,
    config: SourceConfig,
    number: int,
    path: Path,
    *,
    start: Start | None = None,
    rehearsal: Examples | None = None,
    tuned: bool = True,
) -> loop.RunState:
    """
    Train a configuration's network once.

    Parameters
    ----------
    training, validation : `~astrosieve_training.source.datasets.examples.Examples`
        To learn from, and to choose the best parameters by.
    config : `~astrosieve_training.source.config.SourceConfig`
        Network, training, seed.
    number : int
        Of the run.
    path : `~pathlib.Path`
        File of its state.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        To go on from, in place of fresh parameters.
    rehearsal : `~astrosieve_training.source.datasets.examples.Examples`, optional
        What else a network that goes on is shown, see
        `~astrosieve_training.source.config.TuneConfig`.
    tuned : bool, optional
        Whether a network that goes on is held to what it was, its batch normalisation
        too, as where labels are few; otherwise it only begins with its parameters.

    Returns
    -------
    state : `~astrosieve_training.learn.loop.RunState`
    """
    settings = config.train
    code = code_version(network_module(config.network.kind), loop, augment, memory)
    key = [config.network, settings, code]
    if start is not None:
        key += [start.network, config.tune, rehearsal.key if rehearsal else '']
        key += [start.card.sha256, tuned]
    held = start if tuned else None
    counts = np.bincount(training.labels, minlength=len(config.network.classes))
    weights = (counts.max() / np.maximum(counts, 1)) ** settings.class_weight
    return loop.train_run(
        partial(_built, config, start),
        augment.Augmented(training, settings),
        augment.Augmented(validation, settings),
        ClassLoss(torch.tensor(weights, dtype=torch.float32), settings.focal),
        settings,
        seed=config.seed,
        number=number,
        path=path,
        key=digest(*key),
        start=held.state if held else None,
        extra_loss=memory.Memory(held, rehearsal, config) if held else None,
        predict=averaged_logits,
    )


def train(
    config: SourceConfig,
    folder: Path,
    *,
    cache: Path | None = None,
    progress: bool = True,
    data: TrainingData | None = None,
    start: Start | None = None,
) -> Run:
    """
    Train a network: data, runs, calibration.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        The configuration.
    folder : `~pathlib.Path`
        Gets ``config.json``, ``cache/``, ``run-NN.pt``, ``best.pt``,
        ``examples.npz`` (inputs for the export to compare on) and
        ``summary.json``. What is there already with the same settings is not
        done again.
    cache : `~pathlib.Path`, optional
        Folder for the detections of each exposure; by default ``cache/``.
    progress : bool, optional
        Whether to show progress.
    data : `TrainingData`, optional
        What to learn from, such as
        `~astrosieve_training.source.train.datasets.prepare_datasets` makes; by default
        what the configuration simulates.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        Model to go on from.

    Returns
    -------
    run : `Run`

    Raises
    ------
    ModelError
        If the model to go on from is of another form than the configuration's.
    """
    from tqdm import trange

    build_network(config.network)  # what cannot be is refused before the work
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    if data is None:
        data = prepare(config, cache or folder / 'cache', progress=progress)
    if start is not None and data.origin is None:
        start = _adapted(start, config, data)
    origin = data.origin
    prepared = time.perf_counter() - started
    states = [
        train_network(
            data.training, data.validation, config, number,
            folder / f'run-{number:02d}.pt', start=start, rehearsal=data.rehearsal,
            tuned=data.origin is not None,
        )
        for number in trange(
            config.train.runs, desc='runs', disable=None if progress else True
        )
    ]  # fmt: skip
    best = min(range(len(states)), key=lambda i: states[i].best_loss)
    network = build_network(config.network)
    network.load_state_dict(states[best].best)
    calibration = calibrate(
        averaged_logits(network, data.calibrating.inputs),
        data.calibrating,
        averaged_logits(network, data.holdout.inputs),
        data.holdout,
        classes=config.network.classes,
        settings=config.calibration,
        sample=origin.sample if origin else None,
        spread=_SPREAD if origin else np.inf,
    )
    summary = {
        'counts': data.counts,
        'domain': data.domain,
        'best_run': best,
        'seconds_prepare': prepared,
        'runs': [
            {
                k: getattr(s, k)
                for k in ('best_loss', 'best_epoch', 'seconds', 'history')
            }
            for s in states
        ],
        'calibration': asdict(calibration),
    }
    if origin is not None:
        summary['origin'] = asdict(origin)
    elif start is not None:
        summary['start'] = {
            key: getattr(start.card, key) for key in ('name', 'version', 'sha256')
        }
    loop.save_state({'network': network.state_dict()}, folder / 'best.pt')
    rows = np.random.default_rng([config.seed, 3]).permutation(len(data.holdout))[:2048]
    with (
        atomic_path(folder / 'examples.npz', overwrite=True) as temporary,
        temporary.open('wb') as file,
    ):
        inputs = width_hypotheses(data.holdout[rows].inputs)[0]
        np.savez_compressed(file, **inputs)  # type: ignore[arg-type]
    for name, content in (('config', asdict(config)), ('summary', summary)):
        with atomic_path(folder / f'{name}.json', overwrite=True) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    return Run(config, network, calibration, summary)


def _adapted(start: Start, config: SourceConfig, data: TrainingData) -> Start:
    """Return a start for what a configuration simulates."""
    wanted = replace(config.network, preprocessing=start.network.preprocessing)
    if wanted != start.network:
        msg = (
            f'{start.label} has the network {start.network}, the configuration '
            f'{config.network}: only one of the same form can be gone on from'
        )
        raise ModelError(msg)
    rows = np.random.default_rng([config.seed, 5]).permutation(len(data.training))
    some = data.training[rows[:_STATISTICS]]
    return with_statistics(start, width_hypotheses(some.inputs)[0])


def load_run(folder: Path) -> Run:
    """
    Load a finished training.

    Parameters
    ----------
    folder : `~pathlib.Path`
        As `train` leaves it.

    Returns
    -------
    run : `Run`

    Raises
    ------
    OutputError
        If the training is not there, not finished, or of an older version.
    """
    try:
        values = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
        summary = json.loads((folder / 'summary.json').read_text(encoding='utf-8'))
        calibration = Calibration.from_dict(summary['calibration'])
        saved = torch.load(folder / 'best.pt', weights_only=True)
    except OSError as error:
        msg = f'{folder}: no finished training there ({error!r}); run the step train'
        raise OutputError(msg) from error
    except (ValueError, KeyError) as error:
        msg = (
            f'{folder}: damaged, or of another version of astrosieve ({error!r}); run '
            'the step train again'
        )
        raise OutputError(msg) from error
    config = config_from_dict(values)
    network = build_network(config.network)
    network.load_state_dict(saved['network'])
    network.eval()
    return Run(config, network, calibration, summary)
