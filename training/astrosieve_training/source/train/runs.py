"""
Training of a network: several runs, each resumable after each epoch.

A run depends on the configuration, its seed and its number alone. After each
epoch its state is written; an interrupted run goes on from there and gives the
same parameters as one that was never interrupted (same torch, same threads).
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.source.preprocessing import width_hypotheses
from astrosieve_training.learn.loop import predict_logits, save_state, train_run
from astrosieve_training.source.config import SourceConfig
from astrosieve_training.source.datasets.examples import TrainingData, prepare
from astrosieve_training.source.networks import build_network
from astrosieve_training.source.train.operating_points import Calibration, calibrate

if TYPE_CHECKING:
    from astrosieve_training.source.train.warm_start import Start

__all__ = ['Run', 'load_run', 'train']


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
        `~astrosieve_training.source.train.labelled.prepare_labels` makes; by default
        what the configuration simulates.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        Model to go on from.

    Returns
    -------
    run : `Run`
    """
    from tqdm import trange

    build_network(config.network)  # what cannot be is refused before the work
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    if data is None:
        data = prepare(config, cache or folder / 'cache', progress=progress)
    origin = data.origin
    prepared = time.perf_counter() - started
    states = [
        train_run(
            data.training, data.validation, config, number,
            folder / f'run-{number:02d}.pt', start=start, rehearsal=data.rehearsal,
            data_key=origin.key if origin else '',
        )
        for number in trange(
            config.train.runs, desc='runs', disable=None if progress else True
        )
    ]  # fmt: skip
    best = min(range(len(states)), key=lambda i: states[i]['best_loss'])
    network = build_network(config.network)
    network.load_state_dict(states[best]['best'])
    calibration = calibrate(
        predict_logits(network, data.calibrating.inputs),
        data.calibrating,
        predict_logits(network, data.holdout.inputs),
        data.holdout,
        classes=config.network.classes,
        settings=config.calibration,
        sample=origin.sample if origin else None,
        spread=_SPREAD if origin else np.inf,
    )
    summary = {
        'counts': data.counts,
        'fwhm_range': data.fwhm_range,
        'domain': data.domain,
        'best_run': best,
        'seconds_prepare': prepared,
        'runs': [
            {k: s[k] for k in ('best_loss', 'best_epoch', 'seconds', 'history')}
            for s in states
        ],
        'calibration': asdict(calibration),
    }
    if origin is not None:
        summary['origin'] = asdict(origin)
    save_state({'network': network.state_dict()}, folder / 'best.pt')
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
        If the training is not there or not finished.
    """
    from astrosieve_training.source.config import config_from_dict

    try:
        values = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
        summary = json.loads((folder / 'summary.json').read_text(encoding='utf-8'))
        saved = torch.load(folder / 'best.pt', weights_only=True)
    except (OSError, ValueError) as error:
        msg = f'{folder}: no finished training there ({error}); run the step train'
        raise OutputError(msg) from error
    config = config_from_dict(values)
    network = build_network(config.network)
    network.load_state_dict(saved['network'])
    network.eval()
    return Run(config, network, Calibration.from_dict(summary['calibration']), summary)
