"""The judge of networks for frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.frametype.classes import CLASSES, UNKNOWN
from astrosieve.frametype.classify import decide
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share, expected_calibration_error
from astrosieve.models.registry import Model
from astrosieve_training.frametype.baselines import forest_types, header_types
from astrosieve_training.frametype.config import FrameConfig
from astrosieve_training.frametype.datasets import (
    Frames,
    joined,
    real_frames,
    simulated_frames,
)
from astrosieve_training.frametype.train import Run, folds, predict_flips
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.stages import Stages

__all__ = ['Judged', 'balanced', 'judge', 'matrix']

_PAIRS = (('science', 'standard'), ('bias', 'dark'), ('arc', 'science'))


@dataclass(frozen=True)
class Judged:
    """
    What frames are, and what they were called.

    Parameters
    ----------
    sample : str
        Which frames.
    by : str
        Who called them so.
    truth, types : (N,) str `~numpy.ndarray`
        Classes.
    """

    sample: str
    by: str
    truth: np.ndarray
    types: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Where they were called what they are."""
        return self.truth == self.types

    def share(self, members: np.ndarray | None = None) -> Share:
        """Return the share that is right, of some."""
        chosen = np.ones(len(self.truth), bool) if members is None else members
        return Share.of(self.right, chosen)

    @property
    def missed(self) -> Share:
        """Frames of a type that were called unknown."""
        return Share.of(self.types == UNKNOWN, self.truth != UNKNOWN)

    @property
    def confused(self) -> Share:
        """Frames that were called another type than theirs."""
        return Share.of(~self.right & (self.types != UNKNOWN), self.truth != '')

    def pair(self, first: str, second: str) -> Share:
        """Return the share of two types that is called by the other's name."""
        wrong = (self.truth == first) & (self.types == second)
        wrong |= (self.truth == second) & (self.types == first)
        return Share.of(wrong, (self.truth == first) | (self.truth == second))


def balanced(judged: Judged, *, apart: Sequence[str] = ()) -> Number:
    """Return the mean over the classes of the share that is right; some left apart."""
    names = [name for name in np.unique(judged.truth) if name not in apart]
    each = [judged.share(judged.truth == name).value for name in names]
    n = int(np.isin(judged.truth, names).sum())
    return Number(float(np.mean(each)) if each else float('nan'), n)


def matrix(judged: Judged) -> list[str]:
    """Return a table of truth against answer."""
    rows = CLASSES.ordered(judged.truth.tolist())
    columns = CLASSES.ordered([*rows, *judged.types.tolist()])
    cells = [
        (
            row,
            *(
                int(((judged.truth == row) & (judged.types == column)).sum())
                for column in columns
            ),
            judged.share(judged.truth == row),
        )
        for row in rows
    ]
    return markdown_table(('truth', *columns, 'right'), cells)


def _types(p: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    return np.array([decide(each, classes)[0] for each in p])


def judge(
    model: Model,
    config: FrameConfig,
    folder: Path,
    *,
    run: Run | None = None,
    real: Path | None = None,
    jobs: int = -1,
) -> Report:
    """
    Judge a model on spectrographs that it has not seen, and on real frames.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    config : `~astrosieve_training.frametype.config.FrameConfig`
        Says what is simulated.
    folder : `~pathlib.Path`
        Keeps frames and figures.
    run : `~astrosieve_training.frametype.train.Run`, optional
        The training, which keeps what networks said of the real frames of cameras and
        nights that were left out.
    real : `~pathlib.Path`, optional
        Folder of real frames, for the forest and the headers.
    jobs : int, optional
        Spectrographs simulated side by side; -1 for as many as there are cores.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    stages = Stages(folder / 'frames', tidy=False)
    frames = simulated_frames(config, config.judged, stages, 'judged', jobs=jobs)
    p = predict_flips(model.predict, frames)
    truth = np.array(config.classes)[frames.target]
    sample = f'{len(set(frames.origin))} simulated spectrographs'
    simulated = Judged(sample, config.name, truth, _types(p, config.classes))
    error = expected_calibration_error(p.mean(axis=1), frames.target)
    apart = ('bias', 'dark')
    limits = [
        (sample, Limit('right, balanced, bias and dark apart',
                       balanced(simulated, apart=apart), 0.99, least=True)),
        (sample, Limit('calibration error', Number(error, len(truth)), 0.03)),
    ]  # fmt: skip
    if UNKNOWN in config.classes:
        caught = simulated.share(truth == UNKNOWN)
        limits.append((sample, Limit('caught as unknown', caught, 0.9, least=True)))
    learnt = simulated_frames(config, config.training, stages, 'training', jobs=jobs)
    everyone = [
        simulated,
        Judged(sample, 'forest', truth, forest_types(learnt, frames, config.classes)),
    ]
    if run is not None and run.summary['real']:
        found = _real(run.summary['real'], config)
        everyone += found
        limits += _real_limits(found)
    if real is not None:
        everyone += _real_baselines(config, learnt, real_frames(config, real))
    sections = [
        Section('Of others than their own names', _pairs(everyone)),
        *(
            Section(f'{each.sample}: {each.by}', matrix(each))
            for each in everyone
        ),
    ]  # fmt: skip
    figure = folder / f'{config.name}-reliability.png'
    _draw_reliability(p.mean(axis=1), frames.target, figure)
    return Report(
        model,
        _summary(everyone),
        limits,
        sections,
        {'right': {f'{e.sample}, {e.by}': balanced(e).value for e in everyone}},
        measured={f'{e.sample}, {e.by}': e.share() for e in everyone},
        figures=[figure],
    )


def _real(records: list[dict[str, Any]], config: FrameConfig) -> list[Judged]:
    """Return what networks said of real frames: by fold, and cameras together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in records:
        fold = str(each['fold'])
        kind = 'nights left out' if fold.startswith('nights') else fold
        groups.setdefault(f'real, {kind}', []).append(each)
        if fold.startswith('camera'):
            groups.setdefault('real, cameras left out', []).append(each)
    return [
        Judged(
            sample,
            config.name,
            np.array([each['label'] for each in some]),
            np.array([each['frame_type'] for each in some]),
        )
        for sample, some in groups.items()
    ]


def _real_limits(found: list[Judged]) -> list[tuple[str, Limit]]:
    limits = []
    for each in found:
        if each.sample == 'real, nights left out':
            limits.append((each.sample, Limit('right', each.share(), 0.99, least=True)))
        if each.sample.startswith('real, camera'):
            right = balanced(each)
            limits += [
                (each.sample, Limit('right, balanced', right, 0.95, least=True)),
                (each.sample, Limit('unknown', each.missed, 0.04)),
            ]
    return limits


def _real_baselines(config: FrameConfig, learnt: Frames, real: Frames) -> list[Judged]:
    """Return what headers and forests say of the same real frames."""
    names = np.array(config.classes)
    found = [Judged('real', 'headers', names[real.target], header_types(real))]
    for with_simulated, by in ((False, 'forest of real frames'), (True, 'forest')):
        truth, types = [], []
        for name, (others, left) in folds(real).items():
            if name.startswith('camera'):
                judged, seen = real.take(left), real.take(others)
                seen = joined([learnt, seen]) if with_simulated else seen
                truth.append(names[judged.target])
                types.append(forest_types(seen, judged, config.classes))
        found.append(
            Judged(
                'real, cameras left out',
                by,
                np.concatenate(truth),
                np.concatenate(types),
            )
        )
    return found


def _summary(everyone: list[Judged]) -> list[str]:
    return markdown_table(
        ('frames', 'by', 'right, balanced', 'right', 'unknown', 'of another type'),
        [
            (e.sample, e.by, balanced(e), e.share(), e.missed, e.confused)
            for e in everyone
        ],
    )


def _pairs(everyone: list[Judged]) -> list[str]:
    head = [f'{first} and {second}' for first, second in _PAIRS]
    return markdown_table(
        ('frames', 'by', *head),
        [
            (each.sample, each.by, *(each.pair(*pair) for pair in _PAIRS))
            for each in everyone
        ],
    )


def _draw_reliability(p: np.ndarray, target: np.ndarray, path: Path) -> None:
    """Draw how often the named class is right, against its probability."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == target
    edges = np.linspace(0, 1, 11)
    place = np.digitize(confidence, edges[1:-1])
    there = [number for number in range(10) if (place == number).any()]
    with figure_file(path, size=(3.5, 3.5)) as (_, axes):
        axis = axes[0, 0]
        axis.plot([0, 1], [0, 1], color='#9aa0a6')
        axis.plot(
            [confidence[place == n].mean() for n in there],
            [right[place == n].mean() for n in there],
            'o-',
        )
        axis.set(xlabel='probability', ylabel='share right')
