"""The judge of networks for frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from astrosieve.figures import SHARES
from astrosieve.frametype.classes import CLASSES, UNKNOWN
from astrosieve.frametype.classify import decide
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.frametype.baselines import (
    LOOKED_AT,
    forest_types,
    header_types,
)
from astrosieve_training.frametype.config import FrameConfig
from astrosieve_training.frametype.datasets import (
    Frames,
    joined,
    real_frames,
    simulated_frames,
)
from astrosieve_training.frametype.train import (
    Run,
    folds,
    predict_flips,
    told_untuned,
)
from astrosieve_training.judge.figures import draw_reliability, figure_file
from astrosieve_training.judge.limits import Limit, Number, calibration_limit
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.learn.reading import changed_model
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages

__all__ = ['Judged', 'balanced', 'judge', 'matrix']

_PAIRS = (('science', 'standard'), ('bias', 'dark'), ('arc', 'science'))
_PUBLISHED = '98.2 % right, 0.9 % wrong, 0.8 % unknown by the vote of four flips'


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
    family, kind : (N,) str `~numpy.ndarray` or None
        Of simulated frames: the layout, and what was exposed.
    """

    sample: str
    by: str
    truth: np.ndarray
    types: np.ndarray
    family: np.ndarray | None = None
    kind: np.ndarray | None = None

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


def _types(p: np.ndarray, classes: tuple[str, ...], least: float) -> np.ndarray:
    return np.array([decide(each, classes, least=least)[0] for each in p])


def judge(
    model: Model,
    config: FrameConfig,
    folder: Path,
    *,
    run: Run | None = None,
    real: Path | None = None,
    spit: Run | None = None,
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
        The training. One that showed its networks real frames keeps what those said of
        cameras and nights that they had not seen; without it the real frames are left
        out. Any other is not asked.
    real : `~pathlib.Path`, optional
        Folder of real frames, for the forest and the headers.
    spit : `~astrosieve_training.frametype.train.Run`, optional
        The training of the published network, judged on the same frames.
    jobs : int, optional
        Spectrographs simulated side by side; -1 for as many as there are cores.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`

    Raises
    ------
    ConfigError
        If the configuration's networks saw real frames, and there is no training.
    """
    if config.real and run is None:
        msg = (
            f'{config.name} learnt from real frames; what it says of those that it did '
            'not see is kept by its training: give the folder of that'
        )
        raise ConfigError(msg)
    stages = Stages(folder / 'frames', tidy=False)
    shown = simulated_frames(config, config.judged, stages, 'judged', jobs=jobs)
    frames, contested = shown.decidable, shown.take(shown.contested != '')
    p = predict_flips(model.predict, frames)
    sample = f'{len(set(frames.origin))} simulated spectrographs'
    least = model.card.options.get('least_unknown', 1.0)
    simulated = _simulated(sample, config.name, p, frames, config, least)
    learnt = simulated_frames(
        config, config.training, stages, 'training', decidable=True, only=LOOKED_AT,
        jobs=jobs,
    )  # fmt: skip
    forest = forest_types(learnt, frames, config.classes)
    everyone = [simulated, replace(simulated, by='forest', types=forest)]
    limits = _simulated_limits(simulated, p, frames)
    aside: list[Section] = []
    if len(contested):
        flips = predict_flips(model.predict, contested)
        doubtful = _simulated(
            f'{sample}, contested', config.name, flips, contested, config, least
        )
        everyone.append(doubtful)
        aside = [Section('Contested frames', _contested(doubtful, contested))]
    if config.trees.rounds:
        everyone += _alone(model, sample, p, frames, config)
    asked = partial(predict_flips, model.predict)
    if records := _records(config, run, asked, least, real):
        found = _real(records, config)
        everyone += found
        limits += _real_limits(found)
    if real is not None:
        everyone += _real_baselines(config, learnt, real_frames(config, real))
    published: list[Section] = []
    if spit is not None:
        own = spit.config
        seen = simulated_frames(
            own, own.judged, stages, 'judged-spit', decidable=True, jobs=jobs
        )
        theirs_p = spit.flips(seen)
        theirs = [
            _simulated(
                f'{sample}, five types', own.name, theirs_p, seen, own, spit.least
            ),
            *_real(_records(own, spit, spit.flips, spit.least, real), own),
        ]
        everyone += theirs
        published = [_published(theirs_p, seen)]
    sections = [
        Section('Of others than their own names', _pairs(everyone)),
        Section('By layout of the spectrograph', _by(simulated, 'family')),
        Section('By what was exposed', _by(simulated, 'kind')),
        *aside,
        *published,
        *(
            Section(f'{each.sample}: {each.by}', matrix(each))
            for each in everyone
        ),
    ]  # fmt: skip
    figures = [folder / f'{config.name}-{w}.png' for w in ('reliability', 'confusion')]
    _draw_calibration(p.mean(axis=1), frames.target, figures[0])
    left_out = [each for each in everyone if each.sample == 'real, cameras left out']
    _draw_confusion([simulated, *left_out[:1]], figures[1])
    return Report(
        model,
        _summary(everyone),
        limits,
        sections,
        {'right': {f'{e.sample}, {e.by}': balanced(e).value for e in everyone}},
        measured={f'{e.sample}, {e.by}': e.share() for e in everyone},
        figures=figures,
        short=_summary([e for e in everyone if _belongs_in_short(e)]),
    )


def _belongs_in_short(judged: Judged) -> bool:
    return judged.sample in ('real', 'real, cameras left out') or (
        'simulated spectrographs' in judged.sample
    )


def _simulated(
    sample: str,
    by: str,
    p: np.ndarray,
    frames: Frames,
    config: FrameConfig,
    least: float,
) -> Judged:
    """Return what the flips' probabilities say of simulated frames."""
    return Judged(
        sample,
        by,
        np.array(config.classes)[frames.target],
        _types(p, config.classes, least),
        frames.family,
        frames.header,
    )


def _alone(
    model: Model, sample: str, p: np.ndarray, frames: Frames, config: FrameConfig
) -> list[Judged]:
    """
    Return what networks and trees say by themselves, and together (``p``).

    None has a threshold for 'unknown', as the forest has none.
    """
    told = {'networks and trees, no threshold': p}
    for by, share in (('networks alone', 0.0), ('trees alone', 1.0)):
        with TemporaryDirectory() as folder:
            part = changed_model(model, Path(folder), {'offsets': 0.0, 'share': share})
            told[by] = predict_flips(part.predict, frames)
    return [
        _simulated(sample, by, each, frames, config, 1.0) for by, each in told.items()
    ]


def _simulated_limits(
    judged: Judged, p: np.ndarray, frames: Frames
) -> list[tuple[str, Limit]]:
    caught = judged.share(judged.truth == UNKNOWN)
    right = balanced(judged, apart=('bias', 'dark'))
    return [
        (judged.sample, Limit('right, balanced, bias and dark apart', right, 0.99,
                              least=True)),
        (judged.sample, calibration_limit(p.mean(axis=1), frames.target, 0.03)),
        (judged.sample, Limit('caught as unknown', caught, 0.9, least=True)),
    ]  # fmt: skip


def _by(judged: Judged, column: str) -> list[str]:
    """Return a table of what is right by layout, or by what was exposed."""
    groups = getattr(judged, column)
    good = judged.truth != UNKNOWN
    if column == 'family':
        names = sorted(set(groups.tolist()))
        rows = [(name, judged.share(good & (groups == name))) for name in names]
        return markdown_table(('layout', 'right'), rows)
    pairs = sorted(set(zip(judged.truth.tolist(), groups.tolist(), strict=True)))
    return markdown_table(
        ('truth', 'exposed', 'right'),
        [
            (truth, kind, judged.share((judged.truth == truth) & (groups == kind)))
            for truth, kind in pairs
        ],
    )


def _contested(judged: Judged, frames: Frames) -> list[str]:
    """Return a table of frames that show no more than another type does."""
    groups = sorted(set(zip(judged.truth.tolist(), frames.contested.tolist(),
                            strict=True)))  # fmt: skip
    rows = []
    for truth, twin in groups:
        members = (judged.truth == truth) & (frames.contested == twin)
        called = Share.of(judged.types == twin, members)
        rows.append((truth, twin, judged.share(members), called))
    return markdown_table(
        ('truth', 'looks like', 'called so', 'called like that'), rows
    )


def _published(p: np.ndarray, frames: Frames) -> Section:
    """Return what the published network says of single flips."""
    right = p.argmax(axis=2) == frames.target[:, None]
    single = Share(int(right.sum()), right.size)
    lines = markdown_table(
        ('', 'published', 'here'),
        [('right, a flipped image', '98.7 %', single), ('by the vote', _PUBLISHED, '')],
    )
    return Section('The published network', lines)


def _records(
    config: FrameConfig,
    run: Run | None,
    flips: Callable[[Frames], np.ndarray],
    least: float,
    real: Path | None,
) -> list[dict[str, Any]]:
    """
    Return what networks said of real frames that they had not seen.

    Those that went on with other real frames left it with their training; one that
    learnt from none is asked now, with the preprocessing as it is now.
    """
    if run is not None and (config.real or real is None):
        records: list[dict[str, Any]] = run.summary['real']
        return records
    if real is None:
        return []
    return told_untuned(flips, config.classes, least, real_frames(config, real))


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


def _draw_calibration(p: np.ndarray, target: np.ndarray, path: Path) -> None:
    """Draw how often the named class is right, against its probability."""
    with figure_file(path, size=(3.5, 3.5)) as (_, axes):
        axis = axes[0, 0]
        draw_reliability(axis, p.max(axis=1), p.argmax(axis=1) == target)
        axis.set(xlabel='probability', ylabel='share right')


def _draw_confusion(everyone: list[Judged], path: Path) -> None:
    """Draw which type is called which, as shares of the true ones."""
    with figure_file(path, columns=len(everyone), size=(4.2, 4.0)) as (_, axes):
        for axis, judged in zip(axes[0], everyone, strict=True):
            names = CLASSES.ordered([*judged.truth.tolist(), *judged.types.tolist()])
            shares = np.array(
                [
                    [
                        ((judged.truth == row) & (judged.types == column)).sum()
                        / max((judged.truth == row).sum(), 1)
                        for column in names
                    ]
                    for row in names
                ]
            )
            axis.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
            for (y, x), share in np.ndenumerate(shares):
                if share > 0:
                    ink = 'white' if share > 0.6 else 'black'
                    axis.text(x, y, f'{100 * share:.0f}', ha='center', va='center',
                              color=ink, fontsize=7)  # fmt: skip
            axis.set_xticks(range(len(names)), names, rotation=60, fontsize=7)
            axis.set_yticks(range(len(names)), names, fontsize=7)
            axis.set(xlabel='called', ylabel='truth', title=judged.sample)
            axis.title.set_fontsize(8)
