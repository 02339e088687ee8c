"""Training: crops of simulated images; calibration on whole ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.preprocessing import get_preprocessing
from astrosieve.contaminant.segment import around
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.contaminant import losses, networks
from astrosieve_training.contaminant.config import ContaminantConfig
from astrosieve_training.contaminant.datasets import (
    Images,
    simulated_images,
    unpacked,
)
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import fit_sigmoids
from astrosieve_training.learn.losses import BinaryLoss, Loss
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.learn.warm_start import begun, read_warm_start
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['Run', 'best_matthews', 'build_network', 'fit', 'load_run', 'train']

_PIXELS = 40_000  # of a class, and as many without it, that are calibrated with
_CHUNK = 4  # images that a network is shown at a time
_SPREAD = 2.0  # expected of the calibration's parameters
_HIT, _OBJECT = CLASSES.names.index('cosmic_ray'), CLASSES.names.index('object')
_CORES = 0.01  # of stars' cores that may be flagged as cosmic rays, by each rule
_ABOUT = 7  # pixels along a side: of a core, and those within two of it
_BRIGHT = np.arcsinh(5) / 3  # in the first plane: stars of which cores are counted
_KNOWN = 0.3  # Matthews coefficient: a class that is known less is flagged where likely


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
    point : `~astrosieve.models.cards.OperatingPoint`
        The thresholds of the best Matthews coefficients.
    core, cluster : `~astrosieve.models.cards.OperatingPoint`
        What a hit must reach near each of its pixels, in one or in many together, so
        that few stars are flagged.
    summary : dict
        Losses and counts.
    """

    config: ContaminantConfig
    network: nn.Module
    temperatures: tuple[float, ...]
    shares: tuple[float, ...]
    point: OperatingPoint
    core: OperatingPoint
    cluster: OperatingPoint
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
        That of the best epoch.
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
    summary = {
        'images': len(training),
        'shares': dict(zip(CLASSES.names, training.shares.tolist(), strict=False)),
        'epoch': best.best_epoch,
        'seconds': best.seconds,
        'history': best.history,
        'begun_with': warm.told if warm else '',
    }
    return network.eval(), summary


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
    if say is not None:
        say('calibrating')
    calibrating = simulated_images(config, config.calibrating, stages, 'calibrating')
    run = _calibrated(config, network, calibrating, summary)
    _save(run, folder)
    return run


@dataclass(frozen=True)
class _Sample:
    """Pixels that have a class and others, drawn evenly of each, and the true share."""

    logit: np.ndarray
    has: np.ndarray
    share: float


def _cores(
    planes: np.ndarray, truth: np.ndarray, ignore: np.ndarray, logits: np.ndarray
) -> np.ndarray:
    """Return (N, 7, 7) logits of hits about the centres of stars that have none."""
    from scipy.ndimage import maximum_filter

    bright = planes[:, 0].astype(np.float32)
    core = (bright == maximum_filter(bright, (1, 5, 5))) & (bright > _BRIGHT)
    others = [number for number in range(len(CLASSES)) if number != _OBJECT]
    spoilt = truth[:, others].any(1) | ignore[:, _HIT]
    core &= truth[:, _OBJECT] & ~maximum_filter(spoilt, (1, _ABOUT, _ABOUT))
    half = _ABOUT // 2
    wide = np.pad(
        logits[:, _HIT], ((0, 0), (half, half), (half, half)), constant_values=-np.inf
    )
    about = np.lib.stride_tricks.sliding_window_view(wide, (_ABOUT, _ABOUT), (1, 2))
    cores: np.ndarray = about[core]
    return cores


def _core_points(
    p: np.ndarray, least: float, images: int
) -> tuple[OperatingPoint, OperatingPoint]:
    """
    Return what few cores of stars reach: in one pixel, and in many together.

    Parameters
    ----------
    p : (N, 7, 7) `~numpy.ndarray`
        Probabilities of hits about the centres of stars.
    least : float
        At which pixels are flagged.
    images : int
        That they are of.
    """
    inner = slice(_ABOUT // 2 - 1, _ABOUT // 2 + 2)
    core = np.s_[:, inner, inner]
    flagged = p[core] >= least

    def point(how: np.ufunc, on: str, most: float) -> OperatingPoint:
        reached = np.where(flagged, around(how, p)[core], 0).max(axis=(1, 2))
        sure = float(np.quantile(reached, 1 - _CORES)) if len(p) else 0.0
        sure = round(min(max(sure, least), most), 4)
        return OperatingPoint(
            {CLASSES.names[_HIT]: sure},
            on,
            {
                'cores of stars flagged': Share.of(
                    reached >= sure, np.ones(len(p), bool)
                )
            },
            f'{images} simulated images',
        )

    return (
        point(np.maximum, 'p', 1 - 1e-4),
        point(np.add, 'expected pixels of 5x5', np.inf),
    )


def _samples(
    network: nn.Module, images: Images, seed: int
) -> tuple[list[_Sample], np.ndarray]:
    """Return a sample of each class, and the logits of hits about stars' centres."""
    rng = np.random.default_rng([seed, 5])
    shares = images.shares[:-1]
    size = images.truth.size
    rates = [(_PIXELS / (size * (1 - s)), _PIXELS / (size * s)) for s in shares]
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in shares]
    cores = []
    for first in range(0, len(images), _CHUNK):
        rows = slice(first, first + _CHUNK)
        inputs = {'image': images.planes[rows].astype(np.float32)}
        logits = loop.predict_logits(network, inputs)
        truth, ignore = unpacked(images.truth[rows]), unpacked(images.ignore[rows])
        cores.append(_cores(images.planes[rows], truth, ignore, logits))
        for number, rate in enumerate(rates):
            has = truth[:, number]
            kept = rng.random(has.shape, np.float32) < np.where(has, rate[1], rate[0])
            kept &= ~ignore[:, number]
            found[number].append((logits[:, number][kept], has[kept]))
    pairs = [[np.concatenate(each) for each in zip(*f, strict=True)] for f in found]
    samples = [
        _Sample(logit, has, float(share))
        for (logit, has), share in zip(pairs, shares, strict=True)
    ]
    return samples, np.concatenate(cores)


def best_matthews(
    scores: np.ndarray, has: np.ndarray, share: float
) -> tuple[float, float]:
    """
    Return the threshold of the best Matthews coefficient, and the coefficient.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Kept is what has ``score >= threshold``.
    has : (N,) bool `~numpy.ndarray`
        Truth; some must be true, and some not.
    share : float
        Of what is true outside of the sample.
    """
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # all of equal score are kept
    right = (np.cumsum(has[order]) / has.sum())[last]
    false = (np.cumsum(~has[order]) / (~has).sum())[last]
    kept = share * right + (1 - share) * false
    covariance = share * (1 - share) * (right - false)
    spread = np.sqrt(share * (1 - share) * kept * (1 - kept))
    matthews = np.divide(covariance, spread, out=np.zeros_like(kept), where=spread > 0)
    best = int(np.argmax(matthews))
    return float(ranked[last][best]), float(matthews[best])


def _calibrated(
    config: ContaminantConfig, network: nn.Module, images: Images, summary: dict
) -> Run:
    """Set probabilities and thresholds right, on images not seen before."""
    samples, cores = _samples(network, images, config.seed)
    temperatures, offsets = np.ones(len(samples)), np.zeros(len(samples))
    limits: dict[str, float] = {}
    measured: dict[str, Share] = {}
    coefficients: dict[str, float] = {}
    for number, (name, each) in enumerate(zip(CLASSES.names, samples, strict=True)):
        if not 0 < each.has.sum() < len(each.has):
            limits[name] = 0.5  # nothing to fit with
            continue
        scale, offset = fit_sigmoids(
            each.logit[:, None],
            each.has[:, None].astype(int),
            np.array([each.share]),
            spread=_SPREAD,
        )
        temperatures[number], offsets[number] = scale[0], offset[0]
        p = 1 / (1 + np.exp(-(each.logit.astype(float) + offset[0]) / scale[0]))
        threshold, coefficients[name] = best_matthews(p, each.has, each.share)
        if coefficients[name] < _KNOWN:
            threshold = max(threshold, 0.5)
        limits[name] = round(min(max(threshold, 1e-4), 1 - 1e-4), 4)
        measured[name] = Share.of(p >= limits[name], each.has)
    networks.shift_logits(network, offsets)
    p = 1 / (1 + np.exp(-(cores + offsets[_HIT]) / temperatures[_HIT]))
    core, cluster = _core_points(p, limits[CLASSES.names[_HIT]], len(images))
    point = OperatingPoint(
        limits, 'p', measured, f'{len(images)} simulated images, found pixels'
    )
    return Run(
        config,
        network.eval(),
        tuple(round(float(each), 6) for each in temperatures),
        tuple(float(f'{each.share:.4g}') for each in samples),
        point,
        core,
        cluster,
        {**summary, 'matthews': coefficients},
    )


def _save(run: Run, folder: Path) -> None:
    content = {
        'config': asdict(run.config),
        'temperatures': run.temperatures,
        'shares': run.shares,
        'point': asdict(run.point),
        'core': asdict(run.core),
        'cluster': asdict(run.cluster),
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
        point=OperatingPoint.from_dict(content['point']),
        core=OperatingPoint.from_dict(content['core']),
        cluster=OperatingPoint.from_dict(content['cluster']),
        summary=content['summary'],
    )
