"""
The judge: a model beside its baselines, on the same detections.

Simulated exposures that served for nothing else, and real frames whose truth
comes from other exposures. Completeness is the share of true stars called
stars, leak the share of another class that is; both with counts and 95 %
Wilson intervals. Contested detections are counted apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.calibration import reweight
from astrosieve.cards import OperatingPoint
from astrosieve.exceptions import OutputError
from astrosieve.markers import CLASSES
from astrosieve.metrics import (
    expected_calibration_error,
    threshold_at_completeness,
    wilson_interval,
)
from astrosieve.registry import Model, load_model
from astrosieve_training.baselines import Forest, cut_decisions, measure_all
from astrosieve_training.config import SourceConfig
from astrosieve_training.datasets import (
    DetectionSet,
    detection_set,
    join,
    label_numbers,
    simulated_set,
)
from astrosieve_training.label.frames import (
    RealFrame,
    data_folder,
    hrc_47tuc,
    ngc1261,
    pluto,
)

__all__ = [
    'BINS',
    'Judged',
    'Report',
    'evaluate',
    'judge',
    'judge_set',
    'roc_curve',
    'share',
]

BINS: dict[str, tuple[str, tuple[float, ...]]] = {
    'snr': ('S/N in 3x3 pixels', (0, 5, 10, 20, 50, 100, 1000, np.inf)),
    'fwhm': ('PSF FWHM, pixels', (0, 1.6, 1.8, 2.0, 2.2, 2.6, np.inf)),
    'crowding': ('stars of S/N 10 within 10 pixels', (0, 1, 2, 4, 8, np.inf)),
    'distance_to_bright': (
        'distance to a bright star, pixels',
        (0, 5, 10, 20, 40, 80, np.inf),
    ),
    'saturated': ('saturated', (0, 1, 2)),
}
"""Columns by which results are split: what they are called, and edges of the bins."""

_COMPLETENESS = (0.95, 0.99, 0.995)
_MARKS = ('<!-- table:source begin -->', '<!-- table:source end -->')


def share(k: int, n: int) -> dict[str, Any]:
    """
    Return a share with its counts and its interval.

    Parameters
    ----------
    k, n : int
        Successes and trials.

    Returns
    -------
    share : dict
        ``k``, ``n``, ``share`` (None for no trial), ``low``, ``high`` (95 %
        Wilson interval).
    """
    low, high = wilson_interval(k, n)
    value = int(k) / int(n) if n else None
    return {
        'k': int(k), 'n': int(n), 'share': value,
        'low': float(low), 'high': float(high),
    }  # fmt: skip


def roc_curve(scores: np.ndarray, star: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the ROC of stars against the rest.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Higher means more like a star.
    star : (N,) bool `~numpy.ndarray`
        Truth.

    Returns
    -------
    leak, completeness : 1D `~numpy.ndarray`
        Shares of the others and of the stars kept, one point per distinct score,
        from (0, 0) to (1, 1).
    """
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else ranked > 0
    right = np.cumsum(star[order])[last]
    wrong = np.cumsum(~star[order])[last]
    completeness = np.append(0, right) / max(int(star.sum()), 1)
    leak = np.append(0, wrong) / max(int((~star).sum()), 1)
    return leak, completeness


def _decision_table(called_star: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return completeness and leak per true class, and purity of the star list."""
    table: dict[str, Any] = {}
    for name in CLASSES:
        members = labels == name
        if members.any():
            table[name] = share((called_star & members).sum(), members.sum())
    star = labels == 'star'
    if star.any() and not star.all():  # else purity says nothing
        table['purity'] = share((called_star & star).sum(), called_star.sum())
    return table


@dataclass(frozen=True)
class Judged:
    """
    Detections with what each method makes of them.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        The truth.
    probabilities : (N, C) `~numpy.ndarray`
        The model's.
    classes : tuple of str
        The model's.
    decisions : dict of str to (N,) bool `~numpy.ndarray`
        Called a star, by method; the model's own first.
    scores : dict of str to (N,) `~numpy.ndarray`
        Continuous scores of the methods that have one.
    """

    rows: Table
    probabilities: np.ndarray
    classes: tuple[str, ...]
    decisions: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]


def _rates_at(
    scores: np.ndarray, labels: np.ndarray, completeness: Sequence[float]
) -> dict[str, Any]:
    """Return the leak at thresholds that keep given shares of the stars."""
    found = {}
    for wanted in completeness:
        threshold = threshold_at_completeness(scores[labels == 'star'], wanted)
        table = _decision_table(scores >= threshold, labels)
        found[f'{wanted:.1%}'] = {'threshold': threshold, **table}
    return found


def _binned(
    rows: Table, labels: np.ndarray, called_star: np.ndarray
) -> dict[str, list[dict[str, Any]]]:
    """Return completeness and leak of the model in bins."""
    found: dict[str, list[dict[str, Any]]] = {}
    for column, (_, edges) in BINS.items():
        if column not in rows.colnames:
            continue
        values = np.asarray(rows[column], dtype=float)
        found[column] = []
        for low, high in pairwise(edges):
            inside = (values >= low) & (
                (values < high) | np.isinf(values) & np.isinf(high)
            )
            if inside.any():
                table = _decision_table(called_star[inside], labels[inside])
                found[column].append({'from': low, 'to': high, **table})
    return found


def _calibration(
    judged: Judged, labels: np.ndarray, prior: dict[str, float]
) -> dict[str, Any]:
    """Return the calibration error for the mix of classes of the set."""
    numbers = label_numbers(Table({'label': labels}), judged.classes)
    known = numbers >= 0
    if len(np.unique(numbers[known])) < 2:
        return {}
    counts = np.bincount(numbers[known], minlength=len(judged.classes))
    factors = {
        name: max(count, 0.5) / counts.sum() / prior[name]
        for name, count in zip(judged.classes, counts, strict=True)
    }
    carried = reweight(judged.probabilities[known], judged.classes, factors=factors)
    return {
        'n': int(known.sum()),
        'error': expected_calibration_error(carried, numbers[known]),
        'error_for_mix_of_card': expected_calibration_error(
            judged.probabilities[known], numbers[known]
        ),
    }


def judge_set(judged: Judged, prior: dict[str, float]) -> dict[str, Any]:
    """
    Measure one set of detections.

    Parameters
    ----------
    judged : `Judged`
        The detections.
    prior : dict of str to float
        Mix of classes for which the model's probabilities hold.

    Returns
    -------
    results : dict
        ``counts``, ``unscored``, ``decisions`` (by method: completeness or leak of
        each true class, and purity), ``confusion``, ``leak_at_completeness``,
        ``roc_area``, ``calibration``, ``bins``, ``contested``.
    """
    valid = np.asarray(judged.rows['valid'], dtype=bool)
    contested = np.asarray(judged.rows['contested'], dtype=bool)
    every = np.asarray(judged.rows['label'], dtype=str)
    use = valid & ~contested
    labels = every[use]
    star = labels == 'star'
    predicted = judged.probabilities[use].argmax(axis=1)
    first = next(iter(judged.decisions))
    part = Judged(
        judged.rows[use], judged.probabilities[use], judged.classes,
        {k: v[use] for k, v in judged.decisions.items()},
        {k: v[use] for k, v in judged.scores.items()},
    )  # fmt: skip
    aside = valid & contested
    results: dict[str, Any] = {
        'counts': {n: int((labels == n).sum()) for n in CLASSES if (labels == n).any()},
        'unscored': int((~valid).sum()),
        'decisions': {
            method: _decision_table(called, labels)
            for method, called in part.decisions.items()
        },
        'confusion': {
            name: {
                other: int((predicted[labels == name] == i).sum())
                for i, other in enumerate(judged.classes)
            }
            for name in CLASSES
            if (labels == name).any()
        },
        'bins': _binned(part.rows, labels, part.decisions[first]),
        'calibration': _calibration(part, labels, prior),
        'contested': {
            name: share(
                (judged.decisions[first] & aside & (every == name)).sum(),
                (aside & (every == name)).sum(),
            )
            for name in CLASSES
            if (aside & (every == name)).any()
        },
    }
    if star.any() and not star.all():
        results['leak_at_completeness'] = {
            method: _rates_at(scores, labels, _COMPLETENESS)
            for method, scores in part.scores.items()
        }
        results['roc_area'] = {}
        for method, scores in part.scores.items():
            leak, completeness = roc_curve(scores, star)
            area = np.trapezoid(completeness, leak)
            results['roc_area'][method] = float(area)
    return results


def judge(
    model: Model, detections: DetectionSet, forest: Forest | None = None
) -> Judged:
    """
    Ask the model and its baselines about detections.

    Parameters
    ----------
    model : `~astrosieve.registry.Model`
        The model.
    detections : `~astrosieve_training.datasets.DetectionSet`
        With the columns of `~astrosieve_training.baselines.measure_all`.
    forest : `~astrosieve_training.baselines.Forest`, optional
        A trained forest.

    Returns
    -------
    judged : `Judged`
    """
    classes = model.card.classes
    star = classes.index('star')
    probabilities = model.predict(detections.inputs)
    decisions = {model.card.name: probabilities.argmax(axis=1) == star}
    for name, point in model.card.operating_points.items():
        decisions[f'{model.card.name}, {name}'] = (
            probabilities[:, star] >= point.threshold
        )
    scores = {model.card.name: probabilities[:, star]}
    if forest is not None:
        guesses = forest.predict(detections.rows)
        number = forest.classes.index('star')
        decisions['random forest'] = guesses.argmax(axis=1) == number
        scores['random forest'] = guesses[:, number]
    decisions.update(cut_decisions(detections.rows))
    return Judged(detections.rows, probabilities, classes, decisions, scores)


@dataclass
class Report:
    """
    What the judge found.

    Parameters
    ----------
    model : `~astrosieve.registry.Model`
        The model judged.
    sets : dict
        Results by set and finder, see `judge_set`.
    judged : dict
        The detections behind them.
    notes : dict of str to str
        What each set is.
    """

    model: Model
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: dict[str, dict[str, Judged]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, note: str, detections: DetectionSet, forest: Forest | None
    ) -> None:
        """Judge a set, finder by finder."""
        self.notes[name] = note
        self.sets[name], self.judged[name] = {}, {}
        finders = np.asarray(detections.rows['finder'])
        for finder in dict.fromkeys(finders.tolist()):
            judged = judge(self.model, detections[finders == finder], forest)
            self.judged[name][finder] = judged
            self.sets[name][finder] = judge_set(judged, self.model.card.class_prior)

    def summary_table(self) -> list[str]:
        """Return the table for README and card: the first finder of each set."""
        card = self.model.card
        lines = [
            '| sample | method | stars right | cosmic rays called stars '
            '| spikes called stars | purity of the star list |',
            '| --- | --- | --- | --- | --- | --- |',
        ]
        for name, by_finder in self.sets.items():
            finder, results = next(iter(by_finder.items()))
            for method, table in results['decisions'].items():
                if method.startswith(f'{card.name}, '):
                    continue
                cells = [
                    _cell(table.get('star')),
                    _cell(table.get('cosmic_ray')),
                    _cell(table.get('spike')),
                    _cell(table.get('purity')),
                ]
                lines.append(f'| {name} ({finder}) | {method} | {" | ".join(cells)} |')
        return lines

    def markdown(self) -> str:
        """Return the whole report as Markdown."""
        card = self.model.card
        lines = [
            f'# {card.name} {card.version}, judged',
            '',
            f'SHA-256 {card.sha256}. Shares with their 95 % Wilson intervals and '
            'counts; uncontested detections, unless said otherwise.',
            '',
            *self.summary_table(),
        ]
        for name, by_finder in self.sets.items():
            lines += ['', f'## {name}', '', f'{self.notes[name]}.']
            for finder, results in by_finder.items():
                lines += ['', f'### {name}: detections of {finder}', '']
                lines += _set_tables(results)
        return '\n'.join(lines) + '\n'

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, as JSON takes them."""
        card = self.model.card
        return {
            'model': card.name,
            'version': card.version,
            'sha256': card.sha256,
            'notes': self.notes,
            'sets': _plain(self.sets),
        }

    def write(self, folder: Path) -> list[Path]:
        """
        Write the report.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Gets ``NAME-judge.json``, ``NAME-judge.md`` and figures.

        Returns
        -------
        paths : list of `~pathlib.Path`
            What was written.
        """
        from astrosieve_training.figures import draw_judgement

        folder.mkdir(parents=True, exist_ok=True)
        stem = f'{self.model.card.name}-judge'
        paths = []
        for suffix, text in (
            ('json', json.dumps(self.as_dict(), indent=1) + '\n'),
            ('md', self.markdown()),
        ):
            path = folder / f'{stem}.{suffix}'
            with atomic_path(path, overwrite=True) as temporary:
                temporary.write_text(text, encoding='utf-8')
            paths.append(path)
        return paths + draw_judgement(self, folder)

    def update(self, readme: Path | None = None) -> list[Path]:
        """
        Write tables and operating points into the card, and tables into a README.

        The thresholds stay; their completeness and purity become those of the first
        set and finder, which chose neither thresholds nor parameters.

        Parameters
        ----------
        readme : `~pathlib.Path`, optional
            File with the two markers; what is between them is replaced.

        Returns
        -------
        paths : list of `~pathlib.Path`
            What was changed. The manifest follows the card.
        """
        from astrosieve_training.export import write_model

        card, folder = self.model.card, self.model.path.parent
        decisions = {
            name: {
                finder: {
                    method: table
                    for method, table in results['decisions'].items()
                    if method.startswith(card.name)
                }
                for finder, results in by_finder.items()
            }
            for name, by_finder in self.sets.items()
        }
        metrics = {
            **card.metrics,
            'tables': self.summary_table(),
            'judge': _plain(_rounded(decisions)),
        }
        write_model(
            folder,
            replace(card, metrics=metrics, operating_points=self._operating_points()),
        )
        paths = [folder / f'{card.name}-{card.version}.json', folder / 'manifest.json']
        if readme is not None:
            replace_between(readme, self.summary_table())
            paths.append(readme)
        return paths

    def _operating_points(self) -> dict[str, OperatingPoint]:
        """Return the card's thresholds, with what was measured at them here."""
        card = self.model.card
        name, by_finder = next(iter(self.sets.items()))
        finder, results = next(iter(by_finder.items()))
        points = {}
        for key, point in card.operating_points.items():
            table = results['decisions'][f'{card.name}, {key}']
            star, purity = table.get('star'), table.get('purity')
            if not star or not purity or not star['n'] or not purity['n']:
                points[key] = point  # no star here, or none kept
                continue
            points[key] = OperatingPoint(
                threshold=point.threshold,
                completeness=star['share'],
                completeness_interval=(star['low'], star['high']),
                purity=purity['share'],
                purity_interval=(purity['low'], purity['high']),
                sample=(
                    f'{name}, uncontested detections of {finder}: {self.notes[name]}; '
                    f'{star["n"]} stars, {purity["n"]} kept'
                ),
            )
        return points


def replace_between(path: Path, lines: Sequence[str]) -> None:
    """
    Replace what stands between the two markers of a text file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    lines : sequence of str
        What shall stand there.

    Raises
    ------
    OutputError
        If the markers are not there, once each and in order.
    """
    text = path.read_text(encoding='utf-8')
    begin, end = (text.find(mark) for mark in _MARKS)
    if not 0 <= begin < end or any(text.count(mark) != 1 for mark in _MARKS):
        msg = f"{path}: needs the lines '{_MARKS[0]}' and '{_MARKS[1]}', in this order"
        raise OutputError(msg)
    head = text[: begin + len(_MARKS[0])]
    body = '\n'.join(lines)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(f'{head}\n\n{body}\n\n{text[end:]}', encoding='utf-8')


def _plain(value: Any) -> Any:
    """Return values that JSON can hold: infinity becomes None."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def _cell(entry: dict[str, Any] | None) -> str:
    """Return a share as a table shows it."""
    if not entry or not entry['n']:
        return '-'
    return (
        f'{entry["share"]:.2%} ({entry["low"]:.2%} to {entry["high"]:.2%}; '
        f'{entry["k"]}/{entry["n"]})'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f'| {" | ".join(head)} |',
        f'|{" --- |" * len(head)}',
        *(f'| {" | ".join(row)} |' for row in rows),
    ]


def _set_tables(results: dict[str, Any]) -> Iterator[str]:
    """Yield the Markdown lines of one set."""
    classes = list(results['counts'])
    yield from _table(
        ('called star', *classes, 'purity'),
        [
            (method, *(_cell(table.get(c)) for c in (*classes, 'purity')))
            for method, table in results['decisions'].items()
        ],
    )
    yield ''
    others = list(next(iter(results['confusion'].values())))
    yield from _table(
        ('truth \\ prediction', *others),
        [
            (name, *(str(row[other]) for other in others))
            for name, row in results['confusion'].items()
        ],
    )
    yield ''
    if 'leak_at_completeness' in results:
        rest = [name for name in classes if name != 'star']
        yield from _table(
            ('stars kept', 'method', 'threshold', *rest, 'purity'),
            [
                (
                    wanted,
                    method,
                    f'{table["threshold"]:.4f}',
                    *(_cell(table.get(c)) for c in (*rest, 'purity')),
                )
                for method, found in results['leak_at_completeness'].items()
                for wanted, table in found.items()
            ],
        )
        areas = ', '.join(f'{k} {v:.5f}' for k, v in results['roc_area'].items())
        yield from ('', f'Area under the ROC (stars against the rest): {areas}.', '')
    if results['calibration']:
        yield (
            f'Expected calibration error {results["calibration"]["error"]:.4f} with '
            f'the mix of classes here as prior, '
            f"{results['calibration']['error_for_mix_of_card']:.4f} with the card's "
            f'({results["calibration"]["n"]} detections).'
        )
        yield ''
    for column, found in results['bins'].items():
        rest = [name for name in classes if name in ('star', 'cosmic_ray', 'spike')]
        yield from _table(
            (BINS[column][0], *(f'{c} called star' for c in rest)),
            [
                (
                    f'{row["from"]:g} to {row["to"]:g}',
                    *(_cell(row.get(c)) for c in rest),
                )
                for row in found
            ],
        )
        yield ''
    if results['contested']:
        listed = '; '.join(
            f'{name} {_cell(entry)}' for name, entry in results['contested'].items()
        )
        yield f'Contested detections called stars, by largest component: {listed}.'
    yield f'Detections that could not be scored: {results["unscored"]}.'


def _real_set(
    frame: RealFrame, config: SourceConfig, preprocessing: str
) -> DetectionSet:
    detections = detection_set(
        frame.chip,
        frame.label,
        finders=config.judge.finders,
        preprocessing=preprocessing,
        exposure=frame.name,
        camera=frame.name,
        scene='real',
        fwhm=frame.fwhm,
        measure=measure_all,
    )
    x, y = np.asarray(detections.rows['x']), np.asarray(detections.rows['y'])
    return detections[frame.within(x, y)]


def train_forest(
    config: SourceConfig, preprocessing: str, cache: Path, *, progress: bool = True
) -> Forest:
    """
    Train the random forest on what the configuration's network was trained on.

    Parameters
    ----------
    config : `~astrosieve_training.config.SourceConfig`
        The configuration.
    preprocessing : str
        Name of the preprocessing.
    cache : `~pathlib.Path`
        Folder of the cache.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    forest : `~astrosieve_training.baselines.Forest`
    """
    from astrosieve_training.baselines import measure_columns

    parts = [
        simulated_set(
            config.training,
            finders=config.finders,
            preprocessing=preprocessing,
            folder=cache,
            measure=measure_columns,
            progress=progress,
        )
    ]
    folder = data_folder()
    if config.real.ngc1261 and folder is not None:
        frame = ngc1261(folder, 'left')
        real = detection_set(
            frame.chip,
            frame.label,
            finders=config.finders,
            preprocessing=preprocessing,
            exposure=frame.name,
            camera=frame.name,
            scene='real',
            fwhm=frame.fwhm,
            measure=measure_columns,
        )
        x, y = np.asarray(real.rows['x']), np.asarray(real.rows['y'])
        parts.append(real[frame.within(x, y)])
    rng = np.random.default_rng([config.seed, 4])
    forest = Forest(config.network.classes, seed=config.seed)
    return forest.fit(join(parts), rng=rng, ratio=config.train.balance or 1e9)


def evaluate(
    model: str,
    config: SourceConfig,
    folder: Path,
    *,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """
    Judge a model.

    Parameters
    ----------
    model : str
        Name, or path of an ONNX file.
    config : `~astrosieve_training.config.SourceConfig`
        Its section ``judge`` says on what.
    folder : `~pathlib.Path`
        Gets the cache; see `Report.write` for the rest.
    progress : bool, optional
        Whether to show progress.
    say : callable, optional
        Told what is left out, and why.

    Returns
    -------
    report : `Report`
    """
    loaded = load_model(model, threads=2)
    preprocessing = loaded.card.preprocessing
    cache = folder / 'cache'
    report = Report(loaded)
    forest = train_forest(config, preprocessing, cache, progress=progress)
    for exposures in config.judge.sets:
        detections = simulated_set(
            exposures,
            finders=config.judge.finders,
            preprocessing=preprocessing,
            folder=cache,
            measure=measure_all,
            progress=progress,
        )
        times = ', '.join(f'{t:g} s' for t in exposures.exptimes) or "the camera's"
        note = (
            f'{exposures.n} simulated exposures, seeds {exposures.seeds.start} to '
            f'{exposures.seeds.stop - 1}; cameras {", ".join(exposures.cameras)}; '
            f'scenes {", ".join(exposures.scenes)}; exposure time {times}'
        )
        report.add(exposures.name, note, detections, forest)
    real = data_folder()
    if config.judge.real and real is None:
        say('the real frames were not found and are left out; set ASTROSIEVE_DATA')
    if config.judge.real and real is not None:
        for frame in (ngc1261(real, 'right'), hrc_47tuc(real), pluto(real)):
            detections = _real_set(frame, config, preprocessing)
            report.add(frame.name, f'Truth: {frame.note}', detections, forest)
    return report
