"""Training: windows of simulated images; calibration on whole ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from torch import nn

from astrosieve.blob.find import network_marks
from astrosieve.blob.marks import FEATURES, LEAST, Marks
from astrosieve.blob.preprocessing import get_preprocessing
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.blob import networks, targets
from astrosieve_training.blob.config import BlobConfig, ImageSet
from astrosieve_training.blob.images import (
    prepared_image,
    simulated_image,
    simulated_windows,
)
from astrosieve_training.blob.matching import match
from astrosieve_training.learn import loop
from astrosieve_training.learn.reading import fill_from_onnx
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.learn.warm_start import (
    WarmStart,
    begun,
    begun_with,
    read_warm_start,
)
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['Candidates', 'Run', 'candidates', 'load_run', 'train']

_FALSE = 0.03  # false blobs an image at the operating point
_PROBABLE = 0.3  # lowest threshold
_NORMAL = 0.6827  # share within one standard deviation


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.blob.config.BlobConfig`
        What was asked for.
    network : `torch.nn.Module`
        As it was in the best epoch.
    weights : dict of str to float
        By which `~astrosieve.blob.marks.Marks.weighed` makes probabilities.
    share : float
        Of candidates that are blobs, for which probabilities hold.
    point : `~astrosieve.models.cards.OperatingPoint`
        At which blobs are reported.
    errors : dict of str to float
        What stated errors of position, radius and depth are multiplied by.
    summary : dict
        What it learnt from in words, ``training_data``; losses and counts.
    """

    config: BlobConfig
    network: nn.Module
    weights: dict[str, float]
    share: float
    point: OperatingPoint
    errors: dict[str, float]
    summary: dict[str, Any]


def train(
    config: BlobConfig,
    folder: Path,
    *,
    trained: Path | Model | None = None,
    start: Path | Model | None = None,
) -> Run:
    """
    Train a network, choose its best epoch, and calibrate it.

    Parameters
    ----------
    config : `~astrosieve_training.blob.config.BlobConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.
    trained : `~pathlib.Path` or `~astrosieve.models.registry.Model`, optional
        A finished training, or a model, whose network is taken as it is, and
        calibrated anew.
    start : `~pathlib.Path` or `~astrosieve.models.registry.Model`, optional
        A finished training, or a model, whose parameters this one begins with where
        names and shapes agree. The summary, and the card, say so.

    Returns
    -------
    run : `Run`
    """
    if trained is None:
        warm = None if start is None else read_warm_start(start)
        network, summary = _trained(config, folder, warm)
    elif isinstance(trained, Model):
        network, summary = _read(trained, config)
    else:
        before = load_run(trained)
        network, summary = before.network, before.summary
    run = _calibrated(config, network, summary)
    _save(run, folder)
    return run


def _read(model: Model, config: BlobConfig) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a model, and what its card says that it learnt from."""
    network = networks.build(config)
    fill_from_onnx(network, model.path, model.card.name)
    return network.eval(), {'training_data': model.card.training_data}


def _trained(
    config: BlobConfig, folder: Path, start: WarmStart | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the best network, and what it learnt from, losses and counts."""
    stages = Stages(folder / 'images', tidy=False)
    training, validation = (
        simulated_windows(config, which, stages, name)
        for name, which in (
            ('training', config.training),
            ('validation', config.validation),
        )
    )
    states = [
        loop.train_run(
            partial(
                begun, partial(networks.build, config), start, training, config.seed
            ),
            training,
            validation,
            targets.MarkLoss(config.measuring),
            config.train,
            seed=config.seed,
            number=number,
            path=folder / f'run-{number:02d}.pt',
            key=digest(
                config, start.key if start else {}, code_version(networks, targets)
            ),
            predict=partial(loop.predict_logits, chunk_size=16),
        )
        for number in range(config.train.runs)
    ]
    best = min(states, key=lambda state: state.best_loss)
    network = networks.build(config)
    network.load_state_dict(best.best)
    ny, nx = config.shape
    return network, {
        'training_data': (
            f'{config.training.images} simulated differences of {ny}x{nx} pixels with '
            f'{len(training.blobs)} blobs{begun_with(start.told if start else "")}'
        ),
        'windows': len(training),
        'epoch': best.best_epoch,
        'history': best.history,
    }


@dataclass(frozen=True)
class Candidates:
    """
    What a network marks on an image, beside the truth.

    Parameters
    ----------
    marks : `~astrosieve.blob.marks.Marks`
        Candidates.
    noise : (N,) `~numpy.ndarray`
        Of the image, where they are.
    truth : `~astropy.table.Table`
        True blobs of the image.
    blob : (N,) int `~numpy.ndarray`
        Which true blob a candidate is; -1 for none.
    """

    marks: Marks
    noise: np.ndarray
    truth: Table
    blob: np.ndarray


def candidates(
    config: BlobConfig,
    which: ImageSet,
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
) -> Iterator[Candidates]:
    """Yield the candidates of simulated images."""
    prepare = get_preprocessing(config.preprocessing)
    for seed in which.seeds:
        made = simulated_image(config, seed)
        prepared = prepared_image(made, prepare)
        marks = network_marks(predict, prepare, prepared.signal, LEAST)
        _, noise = prepared.mesh.at(marks.x, marks.y)
        deep = marks.depth * noise >= config.least_depth
        marks, noise = marks.take(deep), noise[deep]
        blob = match(marks.x, marks.y, made.blobs)
        yield Candidates(marks, noise, made.blobs, blob)


def _calibrated(config: BlobConfig, network: nn.Module, summary: dict[str, Any]) -> Run:
    """Set probabilities, errors and the threshold right, on images not seen before."""
    from sklearn.linear_model import LogisticRegression

    predict = partial(loop.predict_logits, network)
    found = list(candidates(config, config.calibrating, predict))
    features = np.concatenate([each.marks.features for each in found])
    real = np.concatenate([each.blob >= 0 for each in found])
    if not 0 < real.sum() < len(real):
        msg = (
            f'{real.sum()} of {len(real)} candidates of the calibrating images are '
            'blobs: nothing to calibrate with. Give more images, or more epochs'
        )
        raise ConfigError(msg)
    fitted = LogisticRegression(max_iter=1000).fit(features, real)
    values = (*fitted.coef_[0].tolist(), *fitted.intercept_.tolist())
    weights = dict(zip((*FEATURES, 'offset'), values, strict=True))
    p = fitted.predict_proba(features)[:, 1]
    threshold = _threshold(p, real, len(found))
    n_blobs = sum(len(each.truth) for each in found)
    kept = p >= threshold
    point = OperatingPoint(
        threshold,
        'p_blob',
        {
            'completeness': Share(int((kept & real).sum()), n_blobs),
            'purity': Share.of(real, kept),
        },
        f'{len(found)} simulated differences',
    )
    errors = _widened(found, p, threshold)
    share = float(real.mean())
    return Run(config, network, weights, share, point, errors, summary)


def _threshold(p: np.ndarray, real: np.ndarray, n_images: int) -> float:
    """Return the lowest threshold with few false blobs an image."""
    false = np.sort(p[~real])[::-1]
    allowed = int(_FALSE * n_images)
    lowest = float(false[allowed]) * 1.001 if len(false) > allowed else 0.0
    return round(min(max(lowest, _PROBABLE), 0.99), 4)


def _widened(found: list[Candidates], p: np.ndarray, least: float) -> dict[str, float]:
    """Return the factors by which two thirds of the stated errors are as stated."""
    pulls: dict[str, list[np.ndarray]] = {'position': [], 'radius': [], 'depth': []}
    first = 0
    for each in found:
        own = p[first : first + len(each.marks)]
        first += len(each.marks)
        rows = np.flatnonzero((own >= least) & (each.blob >= 0))
        marks, truth = each.marks.take(rows), each.truth[each.blob[rows]]
        missed = np.concatenate([marks.x - truth['x'], marks.y - truth['y']])
        pulls['position'].append(missed / np.tile(marks.x_err, 2))
        pulls['radius'].append((marks.radius / truth['radius'] - 1) / marks.radius_err)
        depth = marks.depth * each.noise[rows] / truth['depth'] - 1
        pulls['depth'].append(depth / marks.depth_err)
    wide = {name: np.abs(np.concatenate(each)) for name, each in pulls.items()}
    return {
        name: round(float(np.quantile(each, _NORMAL)), 4) if len(each) else 1.0
        for name, each in wide.items()
    }


def _save(run: Run, folder: Path) -> None:
    content = {
        'config': asdict(run.config),
        'weights': run.weights,
        'share': run.share,
        'point': asdict(run.point),
        'errors': run.errors,
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
    config, network, content = load_network(folder, BlobConfig, networks.build)
    point = OperatingPoint.from_dict(content.pop('point'))
    return Run(config=config, network=network, point=point, **content)
