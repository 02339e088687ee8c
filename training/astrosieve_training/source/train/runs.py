"""
Training of a network: several runs, each resumable after each epoch.

A run depends on the configuration, its seed and its number alone. After each
epoch its state is written; an interrupted run goes on from there and gives the
same parameters as one that was never interrupted (same torch, same threads).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.models.calibration import softmax
from astrosieve.source.preprocessing import width_hypotheses
from astrosieve_training.source.config import (
    ConfigError,
    SourceConfig,
    TrainConfig,
    digest,
)
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    balance,
    detection_set,
    label_numbers,
    simulated_set,
)
from astrosieve_training.source.datasets.real.frames import data_folder, ngc1261
from astrosieve_training.source.networks import build_network, network_version
from astrosieve_training.source.train.operating_points import Calibration, calibrate

if TYPE_CHECKING:
    from astrosieve_training.source.config import ExposureSet
    from astrosieve_training.source.train.warm_start import Start

__all__ = [
    'Examples',
    'Origin',
    'Run',
    'TrainingData',
    'balance_examples',
    'count_labels',
    'domain_of',
    'load_run',
    'make_examples',
    'predict_logits',
    'prepare',
    'split_examples',
    'train',
    'train_run',
]


# How far an image may be from the training exposures before it counts as unlike them.
_RATIO_MARGIN = 0.05
_MAX_UNUSABLE = 0.25
_SPREAD = 1.0  # of the calibration on few labels, see `fit_scaling`
_WARM = 0.15  # share of the steps in which the rate of 'one-cycle' rises


@dataclass(frozen=True)
class Examples:
    """
    What a network learns from.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        float32 arrays of N rows, by the name of the network's input.
    labels : (N,) int64 `~numpy.ndarray`
        Numbers of the classes.
    fill : (N,) float32 `~numpy.ndarray`
        Value of a filled pixel in each cutout.
    fwhm : (N,) float32 `~numpy.ndarray`
        True width of the PSF, pixels; NaN where it is not known.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    fill: np.ndarray
    fwhm: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: np.ndarray) -> Examples:
        return Examples(
            {name: value[index] for name, value in self.inputs.items()},
            self.labels[index],
            self.fill[index],
            self.fwhm[index],
        )


@dataclass(frozen=True)
class Origin:
    """
    Where labels come from that no simulator gave.

    Parameters
    ----------
    description, training_data, split : str
        For the card.
    sample : str
        What the operating points are measured on.
    limits : tuple of str
        For the card.
    key : str
        Hash of the data, by which an interrupted run knows its own.
    start : dict of str to str
        Name, version and SHA-256 of the model that was trained on; empty for none.
    """

    description: str
    training_data: str
    split: str
    sample: str
    limits: tuple[str, ...] = ()
    key: str = ''
    start: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingData:
    """
    Everything a training needs.

    Parameters
    ----------
    training, validation : `Examples`
        To learn from, and to choose the best parameters by.
    calibrating, holdout : `~astrosieve_training.source.datasets.detections.DetectionSet`
        Whole exposures: to calibrate on, and to measure operating points on.
    counts : dict
        Number of cutouts by set and class.
    fwhm_range : tuple of float
        PSF widths of the training exposures.
    domain : dict of str to tuple of float
        Limits of other traits of the training exposures, see
        `~astrosieve.models.domain.ImageTraits`.
    origin : `Origin` or None
        Where the labels come from; None where they are the simulator's truth.
    rehearsal : `Examples` or None
        What a network that was trained before is shown again.
    """

    training: Examples
    validation: Examples
    calibrating: DetectionSet
    holdout: DetectionSet
    counts: dict[str, dict[str, int]]
    fwhm_range: tuple[float, float]
    domain: dict[str, tuple[float, float]]
    origin: Origin | None = None
    rehearsal: Examples | None = None


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


def make_examples(detections: DetectionSet, config: SourceConfig) -> Examples:
    """
    Return the detections that the network can learn from.

    Parameters
    ----------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        Labelled detections.
    config : `~astrosieve_training.source.config.SourceConfig`
        Classes, and the smallest share of the largest component.

    Returns
    -------
    examples : `Examples`
        Scored and uncontested ones whose class the network has.
    """
    classes = config.network.classes
    labels = label_numbers(detections.rows, classes)
    good = detections.usable & (labels >= 0)
    good &= np.asarray(detections.rows['share']) >= config.train.min_share
    chosen = detections[good]
    return Examples(
        chosen.inputs,
        labels[good].astype(np.int64),
        np.asarray(chosen.rows['fill'], dtype=np.float32),
        np.asarray(chosen.rows['psf_fwhm'], dtype=np.float32),
    )


def _joined(parts: list[Examples]) -> Examples:
    return Examples(
        {
            name: np.concatenate([part.inputs[name] for part in parts])
            for name in parts[0].inputs
        },
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.fill for part in parts]),
        np.concatenate([part.fwhm for part in parts]),
    )


def balance_examples(
    training: Examples,
    validation: Examples,
    config: SourceConfig,
    rng: np.random.Generator,
) -> tuple[Examples, Examples]:
    """
    Thin out the classes that are too frequent, where whole exposures are split.

    Parameters
    ----------
    training, validation : `Examples`
        Of different exposures.
    config : `~astrosieve_training.source.config.SourceConfig`
        Limits.
    rng : `~numpy.random.Generator`
        Decides what stays.

    Returns
    -------
    training, validation : `Examples`
    """
    kept, _ = balance(
        training.labels,
        rng,
        ratio=config.train.balance,
        largest=config.train.max_per_class,
    )
    kept_validation, _ = balance(validation.labels, rng, ratio=config.train.balance)
    return training[kept], validation[kept_validation]


def split_examples(
    examples: Examples, config: SourceConfig, rng: np.random.Generator
) -> tuple[Examples, Examples]:
    """
    Split cutouts as published: dealt one by one, the excess goes to validation.

    Parameters
    ----------
    examples : `Examples`
        All cutouts.
    config : `~astrosieve_training.source.config.SourceConfig`
        Shares.
    rng : `~numpy.random.Generator`
        Deals.

    Returns
    -------
    training, validation : `Examples`
        Neighbours in the sky, even two detections of one star, may be on either
        side: what is measured on the validation half is too good.
    """
    order = rng.permutation(len(examples))
    n_validation = round(config.train.validation_share * len(order))
    validation, training = order[:n_validation], order[n_validation:]
    kept, excess = balance(
        examples.labels[training],
        rng,
        ratio=config.train.balance,
        largest=config.train.max_per_class,
    )
    validation = np.concatenate([validation, training[excess]])
    return examples[training[kept]], examples[validation]


def real_examples(config: SourceConfig) -> DetectionSet | None:
    """
    Return the labelled detections of the real frames that are for training.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        Whether, and by which finders.

    Returns
    -------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet` or None
        None where the configuration wants none.

    Raises
    ------
    OutputError
        If the frames are not there.
    """
    if not config.real.ngc1261:
        return None
    folder = data_folder()
    if folder is None:
        msg = (
            'the real frames were not found; set ASTROSIEVE_DATA to the folder that '
            'holds hst/, or set real.ngc1261 = false in the configuration'
        )
        raise OutputError(msg)
    frame = ngc1261(folder, 'left')
    detections = detection_set(
        frame.chip,
        frame.label,
        finders=config.finders,
        preprocessing=config.network.preprocessing,
        exposure=frame.name,
        camera='wfpc2-pc-f336w',
        scene='ngc1261',
        fwhm=frame.fwhm,
    )
    x, y = np.asarray(detections.rows['x']), np.asarray(detections.rows['y'])
    return detections[frame.within(x, y)]


def count_labels(labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    """Return the number of members of each class."""
    return {name: int((labels == i).sum()) for i, name in enumerate(classes)}


def domain_of(ratios: np.ndarray) -> dict[str, tuple[float, float]]:
    """
    Return the limits within which an image is like those of a training.

    Parameters
    ----------
    ratios : (N,) `~numpy.ndarray`
        ``noise_ratio`` of the image of each detection, NaN where it is not known.

    Returns
    -------
    domain : dict of str to tuple of float
        See `~astrosieve.models.domain.ImageTraits`.
    """
    domain = {'unusable': (0.0, _MAX_UNUSABLE)}
    if np.isfinite(ratios).any():
        low, high = np.nanquantile(ratios, [0.005, 0.995])
        margins = float(low) - _RATIO_MARGIN, float(high) + _RATIO_MARGIN
        domain = {'noise_ratio': margins, **domain}
    return domain


def prepare(
    config: SourceConfig, cache: Path, *, progress: bool = True
) -> TrainingData:
    """
    Simulate, detect, label, and split.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        The configuration.
    cache : `~pathlib.Path`
        Folder for the detections of each exposure.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    data : `TrainingData`

    Raises
    ------
    ConfigError
        If the configuration has no exposures, which are then to come from datasets.
    """
    for exposures in (config.training, config.validation, config.calibrating):
        if not exposures.n:
            msg = (
                f'the configuration {config.name} simulates no exposures: it is for '
                'datasets of labels. Give --dataset, or another --config'
            )
            raise ConfigError(msg)

    def simulated(exposures: ExposureSet) -> DetectionSet:
        return simulated_set(
            exposures,
            finders=config.finders,
            preprocessing=config.network.preprocessing,
            folder=cache,
            progress=progress,
        )

    sky = simulated(config.training)
    holdout = simulated(config.validation)
    calibrating = simulated(config.calibrating)
    rng = np.random.default_rng([config.seed, 1])
    examples = make_examples(sky, config)
    real = real_examples(config)
    if real is not None:
        real_part = make_examples(real, config)
        repeated = [real_part] * config.real.repeat
    else:
        repeated = []
    if config.train.split == 'cutout':
        training, validation = split_examples(
            _joined([examples, *repeated]), config, rng
        )
    else:
        training, validation = balance_examples(
            examples, make_examples(holdout, config), config, rng
        )
        training = _joined([training, *repeated])
    classes = config.network.classes
    widths = np.asarray(sky.rows['fwhm'])
    counts = {
        'training': count_labels(training.labels, classes),
        'validation': count_labels(validation.labels, classes),
    }
    if real is not None:
        counts['of these real'] = count_labels(real_part.labels, classes)
    return TrainingData(
        training,
        validation,
        calibrating,
        holdout,
        counts,
        (float(np.nanmin(widths)), float(np.nanmax(widths))),
        domain_of(np.asarray(sky.rows['noise_ratio'])),
    )


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's generator, and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _turned(
    inputs: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return each row's images in one of the eight orientations, all the same."""
    kind = rng.integers(8, size=len(next(iter(inputs.values()))))
    turned = dict(inputs)
    for name, images in inputs.items():
        if images.ndim != 4:
            continue
        turned[name] = np.empty_like(images)
        for number in range(8):
            part = np.rot90(images[kind == number], number % 4, axes=(2, 3))
            turned[name][kind == number] = part[..., ::-1] if number >= 4 else part
    return turned


def _spoil(examples: Examples, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the cutouts, some with pixels filled as unusable ones are."""
    cutouts = examples.inputs['cutouts'].copy()
    size = cutouts.shape[-1]
    half = size // 2
    for i in np.flatnonzero(rng.random(len(cutouts)) < share):
        bad = np.zeros((size, size), dtype=bool)
        kind = rng.integers(3)
        if kind == 0:  # scattered pixels
            bad.ravel()[rng.integers(size * size, size=rng.integers(1, 9))] = True
        elif kind == 1:  # a bad column
            bad[:, rng.integers(size)] = True
        else:  # beyond the edge of the image
            bad[: rng.integers(1, 4)] = True
            bad = np.rot90(bad, int(rng.integers(4)))
        bad[half, half] = False
        cutouts[i, 0][bad] = examples.fill[i]
    return cutouts


def _told_widths(
    examples: Examples, jitter: float, rng: np.random.Generator
) -> np.ndarray:
    """Return widths of the PSF: half, and those not measured, true and jittered."""
    measured = examples.inputs['fwhm']
    factors = np.exp(rng.normal(0, jitter, len(examples)))
    true = (examples.fwhm * factors).astype(np.float32)[:, None]
    share = 0.5 if jitter else 0.0
    use = (rng.random(len(examples)) < share)[:, None] | np.isnan(measured)
    return np.where(use & np.isfinite(true), true, measured)


def _one_hypothesis(
    inputs: dict[str, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return widths of the PSF; where none is known, one that is then assumed."""
    widths = [each['fwhm'] for each in width_hypotheses(inputs)]
    if len(widths) == 1:
        return widths[0]
    number = rng.integers(len(widths), size=len(widths[0]))
    drawn: np.ndarray = np.stack(widths)[number, np.arange(len(number))]
    return drawn


def _augmented(
    examples: Examples, settings: TrainConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return inputs as an epoch of training sees them."""
    inputs = dict(examples.inputs)
    if settings.spoil:
        inputs['cutouts'] = _spoil(examples, settings.spoil, rng)
    if 'fwhm' in inputs:
        inputs['fwhm'] = _told_widths(examples, settings.fwhm_jitter, rng)
        inputs['fwhm'] = _one_hypothesis(inputs, rng)
    return _turned(inputs, rng) if settings.augment else inputs


def _tensors(inputs: dict[str, np.ndarray]) -> list[torch.Tensor]:
    """Return inputs in the network's order, as torch computes them fastest."""
    return [
        torch.from_numpy(value).contiguous(memory_format=torch.channels_last)
        if value.ndim == 4
        else torch.from_numpy(value)
        for value in inputs.values()
    ]


def predict_logits(
    network: nn.Module, inputs: dict[str, np.ndarray], *, chunk_size: int = 1024
) -> np.ndarray:
    """
    Run a network as it is in evaluation.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, in the order of the network's arguments.
    chunk_size : int, optional
        Rows at a time.

    Returns
    -------
    logits : (N, C) float32 `~numpy.ndarray`
    """
    network.eval()
    parts = [
        _run(network, each, chunk_size=chunk_size) for each in width_hypotheses(inputs)
    ]
    if len(parts) == 1:
        return parts[0]
    # Logits of which the softmax is the mean of the probabilities.
    mean = np.mean([softmax(each) for each in parts], axis=0)
    return np.log(np.maximum(mean, 1e-30)).astype(np.float32)


def _run(
    network: nn.Module, inputs: dict[str, np.ndarray], *, chunk_size: int
) -> np.ndarray:
    n = len(next(iter(inputs.values())))
    with torch.inference_mode():
        parts = [
            network(
                *(torch.from_numpy(v[i : i + chunk_size]) for v in inputs.values())
            ).numpy()
            for i in range(0, n, chunk_size)
        ]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


def _evaluate(network: nn.Module, examples: Examples) -> tuple[float, float]:
    """Return loss and accuracy."""
    logits = torch.from_numpy(predict_logits(network, examples.inputs))
    labels = torch.from_numpy(examples.labels)
    loss = nn.functional.cross_entropy(logits, labels).item()
    return loss, float((logits.argmax(1) == labels).float().mean())


def _save(state: dict[str, Any], path: Path) -> None:
    with atomic_path(path, overwrite=True) as temporary:
        torch.save(state, temporary)


def _load(path: Path, key: str) -> dict[str, Any] | None:
    """Return a saved state if it is whole and made with the same settings."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except FileNotFoundError:
        return None
    except Exception:  # torch has no common base for damaged files
        path.unlink()
        return None
    return state if state.get('key') == key else None


class _Loss:
    """Cross-entropy with class weights; focal where its power is not 0."""

    def __init__(self, weights: torch.Tensor, focal: float) -> None:
        self.weights = weights
        self.focal = focal

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        each = nn.functional.cross_entropy(logits, labels, reduction='none')
        weights = self.weights[labels]
        if self.focal:
            each = each * (1 - torch.exp(-each)) ** self.focal
        return (weights * each).sum() / weights.sum()


class _Memory:
    """
    What holds a network to the one that it started from.

    Parameters
    ----------
    start : `~astrosieve_training.source.train.warm_start.Start`
        That network.
    rehearsal : `Examples` or None
        Detections of classes that have no labels.
    config : `~astrosieve_training.source.config.SourceConfig`
        Weights in the loss.
    """

    def __init__(
        self, start: Start, rehearsal: Examples | None, config: SourceConfig
    ) -> None:
        self.settings = config.tune
        self.train = config.train
        self.rehearsal = rehearsal
        self.members: list[np.ndarray] = []
        if rehearsal is not None:
            labels = rehearsal.labels
            self.members = [np.flatnonzero(labels == n) for n in np.unique(labels)]
        self.start = start.state
        self.teacher = build_network(start.network)
        self.teacher.load_state_dict(start.state)
        self.teacher.eval()

    def __call__(self, network: nn.Module, rng: np.random.Generator) -> torch.Tensor:
        """Return what is to be added to the loss of labelled detections."""
        settings = self.settings
        loss = torch.zeros(())
        if self.rehearsal is not None:
            # Each class as often as the others.
            number = rng.integers(len(self.members), size=settings.rehearsal_batch)
            rows = [rng.choice(self.members[each]) for each in number]
            part = self.rehearsal[np.array(rows)]
            inputs = _tensors(_augmented(part, self.train, rng))
            with torch.no_grad():
                known = torch.softmax(self.teacher(*inputs), 1)
            forgotten = nn.functional.cross_entropy(network(*inputs), known)
            loss = loss + settings.rehearsal_weight * forgotten
        if settings.stay:
            moved = [
                ((value - self.start[name]) ** 2).sum()
                for name, value in network.named_parameters()
            ]
            loss = loss + settings.stay * torch.stack(moved).sum()
        return loss


def _rate(schedule: str, done: float) -> float:
    """Return the learning rate over its highest, after a share of all steps."""
    if schedule == 'constant':
        return 1.0
    if done < _WARM:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / _WARM)) / 2
    return (1 + math.cos(math.pi * (done - _WARM) / (1 - _WARM))) / 2


def train_run(
    training: Examples,
    validation: Examples,
    config: SourceConfig,
    number: int,
    path: Path,
    *,
    start: Start | None = None,
    rehearsal: Examples | None = None,
    data_key: str = '',
) -> dict[str, Any]:
    """
    Train once, from fresh parameters or from those of a model.

    The batch normalisation of a model stays as it is.

    Parameters
    ----------
    training, validation : `Examples`
        To learn from, and to choose the best parameters by.
    config : `~astrosieve_training.source.config.SourceConfig`
        Network, training, seed.
    number : int
        Of the run; with the seed it decides everything random.
    path : `~pathlib.Path`
        State after the last epoch; an existing one with the same settings and
        data is gone on with.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        To go on from, in place of fresh parameters.
    rehearsal : `Examples`, optional
        What else a network that goes on is shown, see
        `~astrosieve_training.source.config.TuneConfig`.
    data_key : str, optional
        Hash of the training and validation data, where there is one.

    Returns
    -------
    state : dict
        ``best`` (parameters of the lowest validation loss), ``best_loss``,
        ``best_epoch`` (0 where none was better than ``start``), ``history`` (a dict
        per epoch), ``seconds``.
    """
    settings = config.train
    tuned: list[Any] = [start.card.sha256, config.tune] if start is not None else []
    if rehearsal is not None:
        tuned.append(float(rehearsal.inputs['cutouts'].sum(dtype=np.float64)))
    named = [data_key] if data_key else []
    key = digest(
        config.network,
        settings,
        config.seed,
        number,
        len(training),
        float(training.inputs['cutouts'].sum(dtype=np.float64)),
        torch.__version__,
        network_version(),
        *named,
        *tuned,
    )
    torch.set_num_threads(settings.threads)
    entropy = np.random.SeedSequence([config.seed, number]).generate_state(1)
    with _torch_seed(int(entropy[0])):
        network = build_network(config.network)
    memory = None
    if start is not None:
        network.load_state_dict(start.state)
        memory = _Memory(start, rehearsal, config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    counts = np.bincount(training.labels, minlength=len(config.network.classes))
    weights = (counts.max() / np.maximum(counts, 1)) ** settings.class_weight
    criterion = _Loss(torch.tensor(weights, dtype=torch.float32), settings.focal)
    steps = -(-len(training) // settings.batch_size)
    state = _load(path, key)
    if state is None:
        state = {
            'key': key,
            'history': [],
            'best_loss': float('inf'),
            'best_epoch': 0,
            'best': {k: v.clone() for k, v in network.state_dict().items()},
            'seconds': 0.0,
        }
        if start is not None:
            state['best_loss'], _ = _evaluate(network, validation)
    else:
        network.load_state_dict(state['network'])
        optimizer.load_state_dict(state['optimizer'])
    for epoch in range(len(state['history']) + 1, settings.epochs + 1):
        started = time.perf_counter()
        rng = np.random.default_rng([config.seed, 2, number, epoch])
        order = rng.permutation(len(training))
        loss_sum, right = 0.0, 0
        network.train(start is None)
        for step in range(steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            if len(rows) < 2:  # batch normalisation needs two
                continue
            part = training[rows]
            inputs = _tensors(_augmented(part, settings, rng))
            labels = torch.from_numpy(part.labels)
            done = ((epoch - 1) * steps + step) / (settings.epochs * steps)
            for group in optimizer.param_groups:
                group['lr'] = settings.learning_rate * _rate(settings.schedule, done)
            optimizer.zero_grad()
            logits = network(*inputs)
            loss = criterion(logits, labels)
            loss_sum += loss.item() * len(labels)
            if memory is not None:
                loss = loss + memory(network, rng)
            loss.backward()
            optimizer.step()
            right += int((logits.argmax(1) == labels).sum())
        valid_loss, valid_accuracy = _evaluate(network, validation)
        state['history'].append(
            {
                'epoch': epoch,
                'loss': loss_sum / len(training),
                'accuracy': right / len(training),
                'validation_loss': valid_loss,
                'validation_accuracy': valid_accuracy,
            }
        )
        if valid_loss < state['best_loss']:
            state['best_loss'], state['best_epoch'] = valid_loss, epoch
            state['best'] = {
                k: v.detach().clone() for k, v in network.state_dict().items()
            }
        state['network'] = network.state_dict()
        state['optimizer'] = optimizer.state_dict()
        state['seconds'] += time.perf_counter() - started
        _save(state, path)
    return state


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
        `~astrosieve_training.source.train.labelled.prepare_labels` makes; by default what the
        configuration simulates.
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
    _save({'network': network.state_dict()}, folder / 'best.pt')
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
