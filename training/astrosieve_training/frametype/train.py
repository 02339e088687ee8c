"""Training: on simulated frames, then with real ones among them; calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import nn

from astrosieve.frametype.classes import UNKNOWN
from astrosieve.frametype.classify import decide
from astrosieve.frametype.preprocessing import FLIPS
from astrosieve.models.calibration import softmax
from astrosieve.models.metrics import (
    expected_calibration_error,
    threshold_at_completeness,
)
from astrosieve.models.registry import Model
from astrosieve_training.frametype import networks
from astrosieve_training.frametype.config import FrameConfig
from astrosieve_training.frametype.datasets import (
    Frames,
    joined,
    real_frames,
    simulated_frames,
)
from astrosieve_training.frametype.networks.statistics import Statistics
from astrosieve_training.frametype.networks.trees import fit_trees
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import fit_scaling
from astrosieve_training.learn.losses import ClassLoss
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.learn.warm_start import begun, read_warm_start
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest, module_of

__all__ = [
    'Run',
    'folds',
    'load_run',
    'predict_flips',
    'told_untuned',
    'train',
]

_CHUNK = 64  # frames at a time: the first layers of frametype-spit are large
_SPREAD = 2.0  # expected of the calibration's parameters
_SHARES = np.linspace(0, 1, 21)  # of the trees
_CAUGHT = 0.9  # of the frames that are none of the types, to be called unknown


@dataclass(frozen=True)
class Run:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.frametype.config.FrameConfig`
        What was asked for.
    network : `torch.nn.Module`
        With its trees; its logits calibrated but for the temperature.
    temperature : float
        Divides the logits.
    least : float
        Probability of 'unknown' from which a flip votes so.
    summary : dict
        Losses, calibration, counts, and what real frames were told by networks that
        had not seen their camera, or their night.
    """

    config: FrameConfig
    network: nn.Module
    temperature: float
    least: float
    summary: dict[str, Any]

    def flips(self, frames: Frames) -> np.ndarray:
        """Return the probabilities of the four flips of frames, (N, 4, C)."""
        predict = partial(loop.predict_logits, self.network, chunk_size=_CHUNK)
        logits = predict_flips(predict, frames)
        p = softmax(logits.reshape(-1, logits.shape[2]), self.temperature)
        return p.reshape(logits.shape)


def predict_flips(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray], frames: Frames
) -> np.ndarray:
    """Return what a function of inputs gives for the four flips, (N, 4, C)."""
    inputs, _, _ = frames.batch(np.arange(len(frames)), None)
    return np.stack(
        [
            predict({
                name: np.ascontiguousarray(each)
                for name, each in frames.prepare.flip(inputs, y, x).items()
            })
            for y, x in FLIPS
        ],
        axis=1,
    )  # fmt: skip


def folds(real: Frames) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """
    Split real frames: each camera left out in turn, then each half of the nights.

    Returns
    -------
    folds : dict of str to (mask, mask)
        What is learnt from, and what is judged. Of the nights, every second of a
        camera is judged in one fold, the others in the next; cameras of one night are
        in no fold.
    """
    found = {}
    for camera in dict.fromkeys(real.origin.tolist()):
        left = real.origin == camera
        found[f'camera {camera}'] = (~left, left)
    half = np.full(len(real), -1)
    for camera in dict.fromkeys(real.origin.tolist()):
        members = real.origin == camera
        nights = np.unique(real.night[members])
        if len(nights) > 1:
            place = np.searchsorted(nights, real.night)
            half[members] = place[members] % 2
    for number in (0, 1):
        if (half == number).any():
            found[f'nights {number + 1}'] = (half != number, half == number)
    return found


def _splits(real: Frames) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the folds of real frames, and first none learnt from, all judged."""
    everybody = np.ones(len(real), bool)
    return {'simulated frames alone': (~everybody, everybody), **folds(real)}


def told_untuned(
    flips: Callable[[Frames], np.ndarray],
    classes: tuple[str, ...],
    least: float,
    real: Frames,
) -> list[dict[str, Any]]:
    """
    Return what a network that learnt from no real frame says of them, by fold.

    Parameters
    ----------
    flips : callable
        Gives the network's probabilities of the four flips of frames, (N, 4, C).
    classes : tuple of str
        Their classes.
    least : float
        As of a `Run`.
    real : `~astrosieve_training.frametype.datasets.Frames`
        The frames.

    Returns
    -------
    records : list of dict
        One for each frame of each fold.
    """
    return [
        record
        for name, (_, left) in _splits(real).items()
        for record in _told(name, flips, classes, least, real.take(left))
    ]


State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Work:
    """What all loops of a training share."""

    config: FrameConfig
    folder: Path
    training: Frames
    validation: Frames
    jobs: int
    key: Any = None  # of what the members begin with
    beginnings: list[State] | None = None  # of each

    def build(self, number: int) -> nn.Module:
        """Build a member, with what it begins with."""
        network = networks.build(self.config)
        if self.beginnings:
            network.load_state_dict(self.beginnings[number], strict=False)
        return network

    def run(
        self, name: str, examples: Frames, starts: list[State] | None = None
    ) -> list[State]:
        """Return the parameters of each member: the best, of a tuning the last."""
        config = self.config
        weights = torch.ones(len(config.classes))
        version = code_version(networks, module_of(networks.build(config)))
        if config.repeated:
            examples = examples.balanced(config.seed)
        else:
            counts = np.bincount(examples.target, minlength=len(weights))
            weights *= torch.tensor(counts.mean() / np.maximum(counts, 1))
        states = Parallel(n_jobs=self.jobs)(
            delayed(loop.train_run)(
                partial(self.build, number),
                examples,
                self.validation,
                ClassLoss(weights),
                config.tune if starts else config.train,
                seed=config.seed,
                number=number,
                path=self.folder / f'{name}-{number:02d}.pt',
                key=digest(config.classes, config.preprocessing, version, self.key),
                start=starts[number] if starts else None,
            )
            for number in range(config.train.runs)
        )
        # Real frames are what a tuning is for; simulated ones do not choose its epoch.
        return [each.network if starts else each.best for each in states]

    def tuned(self, name: str, real: Frames, starts: list[State]) -> list[State]:
        """Return parameters after real frames were shown among simulated ones."""
        few = len(self.training) // self.config.tune_part
        rows = np.random.default_rng(self.config.seed).permutation(len(self.training))
        examples = joined([self.training.take(rows[:few]), real])
        return self.run(name, examples, starts)


def train(
    config: FrameConfig,
    folder: Path,
    real: Path | None = None,
    *,
    start: Path | Model | None = None,
    jobs: int = -1,
) -> Run:
    """
    Train a network.

    Parameters
    ----------
    config : `~astrosieve_training.frametype.config.FrameConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.
    real : `~pathlib.Path`, optional
        Folder of real frames, see
        `~astrosieve_training.frametype.datasets.real_frames`.
    start : `~pathlib.Path` or `~astrosieve.models.registry.Model`, optional
        A finished training, or a model, whose networks these begin with; its trees are
        left behind, and new ones grown.
    jobs : int, optional
        Spectrographs, and members of the network, done side by side; -1 for as many as
        there are cores.

    Returns
    -------
    run : `Run`
    """
    stages = Stages(folder / 'frames', tidy=False)
    sets = {
        name: simulated_frames(
            config, getattr(config, name), stages, name, decidable=True, jobs=jobs
        )
        for name in ('training', 'validation', 'calibrating')
    }
    work = _Work(config, folder, sets['training'], sets['validation'], jobs)
    warm = None if start is None else read_warm_start(start)
    if warm is not None:
        whole = begun(
            partial(networks.build, config, whole=True), warm, work.training,
            config.seed,
        )  # fmt: skip
        members = networks.member_states(whole.state_dict(), config.train.runs)
        work = replace(work, key=warm.key, beginnings=members)
    states = work.run('run', work.training)
    network = networks.build(config, whole=True)
    grown = _grown(config, sets['training'], stages)
    if grown:
        _load(network, states, grown)
        grown['share'] = torch.tensor(_share(network, sets['calibrating']))
    calibrated = partial(_calibrated, config, network, grown, sets['calibrating'])
    summary: dict[str, Any] = {
        'counts': {name: len(each) for name, each in sets.items()},
        'spectrographs': {n: len(set(each.origin)) for n, each in sets.items()},
        'real': [],
        'begun_with': warm.told if warm else '',
    }
    told_by = Run(config, network, *calibrated(states), {})
    if real is not None:
        frames = real_frames(config, real)
        windows = frames.take(np.zeros(len(frames), bool))
        if config.real:
            windows = real_frames(config, real, windows=config.real)
            summary['counts']['real'] = len(frames)
        for name, (learnt, left) in _splits(frames).items():
            seen = windows.take(np.isin(windows.path, frames.path[learnt]))
            if len(seen):
                mine = work.tuned(name.replace(' ', '-'), seen, states)
                told_by = Run(config, network, *calibrated(mine), {})
            summary['real'] += _told(
                name, told_by.flips, config.classes, told_by.least, frames.take(left)
            )
        if len(windows):
            states = work.tuned('tuned', windows, states)
            told_by = Run(config, network, *calibrated(states), {})
    run = replace(told_by, summary=summary)
    p = run.flips(sets['calibrating']).mean(axis=1)
    target = sets['calibrating'].target
    summary['calibration_error'] = expected_calibration_error(p, target)
    _save(run, folder)
    return run


def _grown(config: FrameConfig, frames: Frames, stages: Stages) -> State:
    """Return the parameters of the trees, grown on simulated frames alone."""
    if not config.trees.rounds:
        return {}
    version = code_version(module_of(fit_trees), module_of(Statistics))
    arrays = stages.arrays(
        'trees',
        digest(config.trees, config.classes, config.seed, frames.key, version),
        lambda: fit_trees(
            _statistics(frames), frames.target, len(config.classes), config.trees,
            seed=config.seed,
        ),
    )  # fmt: skip
    return {f'trees.{name}': torch.from_numpy(each) for name, each in arrays.items()}


def _statistics(frames: Frames) -> np.ndarray:
    look = Statistics().eval()
    parts = []
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(frames)), len(frames) // 256 + 1):
            inputs, _, _ = frames.batch(rows, None)
            parts.append(look(*loop.tensors(inputs)).numpy())
    return np.concatenate(parts)


def _load(network: nn.Module, states: list[State], grown: State) -> None:
    network.load_state_dict({**networks.joined_states(states), **grown})


def _share(network: nn.Module, frames: Frames) -> float:
    """Return the trees' part of the mean that tells frames best that none has seen."""
    logits = []
    for share in (0.0, 1.0):
        network.get_buffer('share').fill_(share)
        flips = predict_flips(partial(loop.predict_logits, network), frames)
        logits.append(flips.mean(axis=1))
    counts = np.bincount(frames.target, minlength=logits[0].shape[1])
    even = np.full(len(counts), 1 / len(counts))
    rows, losses = np.arange(len(frames)), []
    for share in _SHARES:
        mixed = (1 - share) * logits[0] + share * logits[1]
        temperature, offsets = fit_scaling(mixed, frames.target, even, spread=_SPREAD)
        p = softmax(mixed + offsets, temperature)[rows, frames.target]
        losses.append(-(np.log(p) / counts[frames.target]).sum())
    return float(_SHARES[int(np.argmin(losses))])


def _calibrated(
    config: FrameConfig,
    network: nn.Module,
    grown: State,
    frames: Frames,
    states: list[State],
) -> tuple[float, float]:
    """
    Load parameters, set the logits right.

    Returns
    -------
    temperature, least : float
        Of a `Run`.
    """
    _load(network, states, grown)
    logits = predict_flips(partial(loop.predict_logits, network), frames)
    flat = logits.reshape(-1, logits.shape[2])
    shares = np.full(flat.shape[1], 1 / flat.shape[1])
    labels = np.repeat(frames.target, len(FLIPS))
    temperature, offsets = fit_scaling(flat, labels, shares, spread=_SPREAD)
    network.get_buffer('offsets').copy_(torch.from_numpy(offsets))
    if UNKNOWN not in config.classes:
        return temperature, 1.0
    none = config.classes.index(UNKNOWN)
    p = softmax(flat + offsets, temperature)[labels == none, none]
    return temperature, threshold_at_completeness(p, _CAUGHT)


def _told(
    fold: str,
    flips: Callable[[Frames], np.ndarray],
    classes: tuple[str, ...],
    least: float,
    frames: Frames,
) -> list[dict[str, Any]]:
    """Return what a network says of frames, one record each."""
    records = []
    for each, label, camera, night, file, header in zip(
        flips(frames), frames.target, frames.origin, frames.night, frames.path,
        frames.header, strict=True,
    ):  # fmt: skip
        frame_type, votes = decide(each, classes, least=least)
        records.append(
            {
                'fold': fold,
                'file': str(file),
                'camera': str(camera),
                'night': str(night),
                'label': classes[label],
                'header_type': str(header),
                'frame_type': frame_type,
                'votes': votes,
                'p': dict(zip(classes, each.mean(axis=0).tolist(), strict=True)),
            }
        )
    return records


def _save(run: Run, folder: Path) -> None:
    content = {
        'config': asdict(run.config),
        'temperature': run.temperature,
        'least': run.least,
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
    config, network, content = load_network(folder, FrameConfig, _whole)
    return Run(
        config, network, content['temperature'], content['least'], content['summary']
    )


def _whole(config: FrameConfig) -> nn.Module:
    """Build a network of all its members, and its trees."""
    return networks.build(config, whole=True)
