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
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.models.calibration import reweight, softmax
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import (
    expected_calibration_error,
    threshold_at_completeness,
)
from astrosieve.models.registry import Model, load_model
from astrosieve.source.classes import CLASSES
from astrosieve_training.source.config import ExposureSet, FinderConfig, SourceConfig
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    Measure,
    detection_set,
    join,
    label_numbers,
    simulated_set,
)
from astrosieve_training.source.datasets.real.frames import (
    RealFrame,
    data_folder,
    hrc_47tuc,
    ngc1261,
    pluto,
)
from astrosieve_training.source.evaluate.baselines import (
    Forest,
    cut_decisions,
    measure_all,
)
from astrosieve_training.source.evaluate.checks import (
    check_domain,
    check_phases,
    check_scan,
)
from astrosieve_training.source.evaluate.limits import (
    ABSOLUTE_LIMITS,
    CALIBRATION_LIMITS,
    COMPLETENESS,
    EXTENDED_COMPLETENESS,
    FAINT_LIMIT,
    RELATIVE_FLOOR,
    Limit,
    cell,
    faint_leak,
    leaks,
    members,
    relative_limits,
    scalar,
    share,
    stars_on_extended,
)

__all__ = [
    'BINS',
    'Judged',
    'Report',
    'evaluate',
    'judge',
    'judge_set',
    'roc_curve',
]

BINS: dict[str, tuple[str, tuple[float, ...]]] = {
    'snr': ('S/N in 3x3 pixels', (0, 5, 10, 20, 50, 100, 1000, np.inf)),
    'fwhm': ('PSF FWHM, pixels', (0, 1.4, 1.6, 1.8, 2.0, 2.5, 3, 4, np.inf)),
    'crowding': ('stars of S/N 10 within 10 pixels', (0, 1, 2, 4, 8, np.inf)),
    'distance_to_bright': (
        'distance to a bright star, pixels',
        (0, 5, 10, 20, 40, 80, np.inf),
    ),
    'saturated': ('saturated', (0, 1, 2)),
}
"""Columns by which results are split: what they are called, and edges of the bins."""

_COMPLETENESS = (0.95, 0.99, 0.995)
_PLURALS = {
    'cosmic_ray': 'cosmic rays',
    'spike': 'spikes',
    'bad_pixel': 'bad pixels',
    'extended': 'resolved galaxies',
}
_SUMMARY_NOTE = (
    'Networks and the forest at the threshold that keeps 99.5 % of the stars of S/N 10 '
    'and more (PSF FWHM 1.4 to 4 pixels), the others as they decide; cosmic rays, '
    'spikes, bad pixels and resolved galaxies of S/N 20 and more; uncontested '
    'detections; 95 % Wilson intervals and counts.'
)


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
        Continuous scores of the methods that have one; the model's own first.
    """

    rows: Table
    probabilities: np.ndarray
    classes: tuple[str, ...]
    decisions: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]


@dataclass(frozen=True)
class Rival:
    """
    Another network that is asked about the same detections.

    Parameters
    ----------
    name : str
        What tables call it.
    preprocessing : str
        Of its inputs.
    classes : tuple of str
        Its classes.
    predict : callable
        Takes inputs, returns (N, C) probabilities.
    """

    name: str
    preprocessing: str
    classes: tuple[str, ...]
    predict: Callable[[dict[str, np.ndarray]], np.ndarray]


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
        ``roc_area``, ``calibration``, ``bins``, ``contested``, and ``leaks``,
        ``faint`` (by method) and ``on_extended``, see `astrosieve_training.source.evaluate.limits`.
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
    results.update(_at_the_limits(judged))
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


def _at_the_limits(judged: Judged) -> dict[str, Any]:
    """Return leaks at the completeness for which there are limits."""
    if 'psf_fwhm' not in judged.rows.colnames:
        return {}
    rows = judged.rows
    groups = members(rows)
    found: dict[str, Any] = {
        'leaks': {name: leaks(each, rows) for name, each in judged.scores.items()},
        'faint': {name: faint_leak(each, rows) for name, each in judged.scores.items()},
        'faint_sharp': {
            name: faint_leak(each, rows, without='extended')
            for name, each in judged.scores.items()
        },
        'decided': {
            name: {
                key: share(int((called & group).sum()), int(group.sum()))
                for key, group in groups.items()
                if group.any()
            }
            for name, called in judged.decisions.items()
        },
    }
    scores = next(iter(judged.scores.values()))
    if groups['star'].any() and 'extended_snr' in rows.colnames:
        threshold = threshold_at_completeness(scores[groups['star']], COMPLETENESS)
        found['on_extended'] = stars_on_extended(scores, rows, threshold)
    return found


def judge(
    model: Model,
    detections: DetectionSet,
    forest: Forest | None = None,
    rivals: Sequence[tuple[Rival, dict[str, np.ndarray]]] = (),
) -> Judged:
    """
    Ask the model and its baselines about detections.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        With the columns of `~astrosieve_training.source.evaluate.baselines.measure_all`.
    forest : `~astrosieve_training.source.evaluate.baselines.Forest`, optional
        A trained forest.
    rivals : sequence of (`Rival`, dict), optional
        Other networks, each with its inputs for the same detections.

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
    for rival, inputs in rivals:
        guesses = rival.predict(inputs)
        number = rival.classes.index('star')
        decisions[rival.name] = guesses.argmax(axis=1) == number
        scores[rival.name] = guesses[:, number]
    decisions.update(cut_decisions(detections.rows))
    return Judged(detections.rows, probabilities, classes, decisions, scores)


@dataclass
class Report:
    """
    What the judge found.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model judged.
    sets : dict
        Results by set and finder, see `judge_set`.
    judged : dict
        The detections behind them.
    notes : dict of str to str
        What each set is.
    held_back : tuple of str
        Sets of cameras that were kept from the training.
    real : list of str
        Sets that are real frames.
    sections : dict of str to list of str
        Further parts, Markdown, by their headings.
    checks : list of `~astrosieve_training.source.evaluate.limits.Limit`
        Limits of these parts.
    """

    model: Model
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: dict[str, dict[str, Judged]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()
    real: list[str] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=dict)
    checks: list[Limit] = field(default_factory=list)

    def add(
        self,
        name: str,
        note: str,
        detections: DetectionSet,
        forest: Forest | None,
        rivals: Sequence[tuple[Rival, DetectionSet]] = (),
    ) -> None:
        """Judge a set, finder by finder."""
        self.notes[name] = note
        self.sets[name], self.judged[name] = {}, {}
        finders = np.asarray(detections.rows['finder'])
        for finder in dict.fromkeys(finders.tolist()):
            rows = finders == finder
            judged = judge(
                self.model,
                detections[rows],
                forest,
                [(rival, theirs[rows].inputs) for rival, theirs in rivals],
            )
            self.judged[name][finder] = judged
            self.sets[name][finder] = judge_set(judged, self.model.card.class_prior)

    def summary_table(self) -> list[str]:
        """Return the table for README and card: the first finder of each set."""
        head = ['sample', 'method', 'stars kept (S/N >= 10)']
        head += [f'{_PLURALS[name]} called stars' for name in ABSOLUTE_LIMITS]
        rows = []
        for name, by_finder in self.sets.items():
            finder, results = next(iter(by_finder.items()))
            for method, table in _compared(results).items():
                cells = [cell(table.get(key)) for key in ('star', *ABSOLUTE_LIMITS)]
                rows.append([f'{name} ({finder})', method, *cells])
        return list(_table(head, rows))

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """Yield all limits, each with the sample that it is measured on."""
        own = self.model.card.name
        first = {name: next(iter(each.values())) for name, each in self.sets.items()}
        for name, results in first.items():
            found = results.get('leaks', {})
            mine = found.get(own)
            if not mine:
                continue
            for key, limit in ABSOLUTE_LIMITS.items():
                if key in mine:
                    yield name, Limit(f'{_PLURALS[key]} called stars', mine[key], limit)
            for each in relative_limits(mine, found):
                yield name, each
            for key, rest in (('faint', ''), ('faint_sharp', ', extended left out')):
                if results[key][own]:
                    what = f'leak at S/N 5 to 10, 97 % of the stars kept{rest}'
                    yield name, Limit(what, results[key][own], FAINT_LIMIT)
            on = results.get('on_extended')
            if on and on['n']:
                what = 'stars of S/N 20 on nebulae and galaxies kept'
                yield name, Limit(what, on, EXTENDED_COMPLETENESS, least=True)
        for name, results in first.items():
            error = results['calibration'].get('error')
            if error is not None:
                strict = name not in (*self.held_back, *self.real)
                limit = CALIBRATION_LIMITS[0 if strict else 1]
                entry = scalar(error, results['calibration']['n'])
                yield name, Limit('expected calibration error', entry, limit)
        usual = [name for name in first if name not in self.held_back]
        reference = first[usual[0]].get('leaks', {}).get(own, {}) if usual else {}
        for name in self.held_back:
            for key, entry in first[name].get('leaks', {}).get(own, {}).items():
                if key in ABSOLUTE_LIMITS and key in reference:
                    limit = max(2 * reference[key]['high'], RELATIVE_FLOOR)
                    what = f'{_PLURALS[key]}: twice the leak of {usual[0]} (upper end)'
                    yield name, Limit(what, entry, limit)
        for each in self.checks:
            yield 'further checks', each

    def limits_table(self) -> list[str]:
        """Return a table of all limits and whether they hold."""
        rows = [
            [
                name,
                limit.what,
                cell(limit.measured),
                limit.rule,
                'yes' if limit.holds else '**no**',
            ]
            for name, limit in self.limits()
        ]
        return list(_table(('sample', 'what', 'measured', 'limit', 'holds'), rows))

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
            '',
            _SUMMARY_NOTE,
            '',
            '## Limits',
            '',
            *self.limits_table(),
        ]
        for heading, section in self.sections.items():
            lines += ['', f'## {heading}', '', *section]
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
            'limits': [
                {'sample': name, **asdict(limit), 'holds': limit.holds}
                for name, limit in self.limits()
            ],
            'sections': self.sections,
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
        from astrosieve_training.source.evaluate.figures import draw_judgement

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
        from astrosieve_training.source.export import write_model

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
            'tables': self.card_lines(),
            'judge': _plain(_rounded(decisions)),
        }
        write_model(
            folder,
            replace(card, metrics=metrics, operating_points=self._operating_points()),
        )
        paths = [folder / f'{card.name}-{card.version}.json', folder / 'manifest.json']
        if readme is not None:
            replace_between(readme, self.readme_lines())
            paths.append(readme)
        return paths

    def card_lines(self) -> list[str]:
        """Return what the card shows."""
        lines = [*self.summary_table(), '', _SUMMARY_NOTE]
        return [*lines, '', *self.limits_table()] if self.checks else lines

    def readme_lines(self) -> list[str]:
        """Return what a README shows: the table, and which limits do not hold."""
        lines = [*self.summary_table(), '', _SUMMARY_NOTE]
        limits = list(self.limits())
        broken = [
            f'{limit.what} ({name}): {cell(limit.measured)}, {limit.rule}'
            for name, limit in limits
            if not limit.holds
        ]
        if self.checks:
            held = f'Of {len(limits)} limits {len(limits) - len(broken)} hold'
            rest = f'; not: {"; ".join(broken)}' if broken else ''
            lines += ['', f'{held}{rest}.']
        return lines

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


def replace_between(path: Path, lines: Sequence[str], table: str = 'source') -> None:
    """
    Replace what stands between the two markers of a text file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    lines : sequence of str
        What shall stand there.
    table : str, optional
        Name of the table, which the markers hold.

    Raises
    ------
    OutputError
        If the markers are not there, once each and in order.
    """
    text = path.read_text(encoding='utf-8')
    marks = [f'<!-- table:{table} {where} -->' for where in ('begin', 'end')]
    begin, end = (text.find(mark) for mark in marks)
    if not 0 <= begin < end or any(text.count(mark) != 1 for mark in marks):
        msg = f"{path}: needs the lines '{marks[0]}' and '{marks[1]}', in this order"
        raise OutputError(msg)
    head = text[: begin + len(marks[0])]
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f'| {" | ".join(head)} |',
        f'|{" --- |" * len(head)}',
        *(f'| {" | ".join(row)} |' for row in rows),
    ]


def _compared(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return leaks by method: at one completeness where there are scores."""
    scored = results.get('leaks', {})
    found = {name: each for name, each in scored.items() if each}
    for name, table in results.get('decided', {}).items():
        if not any(name.startswith(f'{other}, ') for other in scored):
            found.setdefault(name, table)
    return found


def _set_tables(results: dict[str, Any]) -> Iterator[str]:
    """Yield the Markdown lines of one set."""
    classes = list(results['counts'])
    yield from _table(
        ('called star', *classes, 'purity'),
        [
            (method, *(cell(table.get(c)) for c in (*classes, 'purity')))
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
                    *(cell(table.get(c)) for c in (*rest, 'purity')),
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
                    *(cell(row.get(c)) for c in rest),
                )
                for row in found
            ],
        )
        yield ''
    if results['contested']:
        listed = '; '.join(
            f'{name} {cell(entry)}' for name, entry in results['contested'].items()
        )
        yield f'Contested detections called stars, by largest component: {listed}.'
    yield f'Detections that could not be scored: {results["unscored"]}.'


def _real_set(
    frame: RealFrame,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    measure: Measure | None,
) -> DetectionSet:
    detections = detection_set(
        frame.chip,
        frame.label,
        finders=finders,
        preprocessing=preprocessing,
        exposure=frame.name,
        camera=frame.name,
        scene='real',
        fwhm=frame.fwhm,
        measure=measure,
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
    config : `~astrosieve_training.source.config.SourceConfig`
        The configuration.
    preprocessing : str
        Name of the preprocessing.
    cache : `~pathlib.Path`
        Folder of the cache.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    forest : `~astrosieve_training.source.evaluate.baselines.Forest`
    """
    from astrosieve_training.source.evaluate.baselines import measure_columns

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
        parts.append(_real_set(frame, config.finders, preprocessing, measure_columns))
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
    config : `~astrosieve_training.source.config.SourceConfig`
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
    judging = config.judge
    report = Report(loaded, held_back=judging.held_back)
    forest = train_forest(config, preprocessing, cache, progress=progress)
    other = config.rival()
    rivals = [] if other is None else [_train_rival(other, folder)]
    for exposures in judging.sets:
        make = partial(
            simulated_set,
            exposures,
            finders=judging.finders,
            folder=cache,
            progress=progress,
        )
        report.add(
            exposures.name,
            _note(exposures),
            make(preprocessing=preprocessing, measure=measure_all),
            forest,
            [(rival, make(preprocessing=rival.preprocessing)) for rival in rivals],
        )
    real = data_folder()
    if judging.real and real is None:
        say('the real frames were not found and are left out; set ASTROSIEVE_DATA')
    if judging.real and real is not None:
        for frame in (ngc1261(real, 'right'), hrc_47tuc(real), pluto(real)):
            make_real = partial(_real_set, frame, judging.finders)
            report.real.append(frame.name)
            report.add(
                frame.name,
                f'Truth: {frame.note}',
                make_real(preprocessing, measure_all),
                forest,
                [(each, make_real(each.preprocessing, None)) for each in rivals],
            )
    if judging.phases is not None:
        section, limits = check_phases(loaded, judging.phases, cache, folder)
        report.sections['Positions'] = section
        report.checks += limits
    if judging.scan is not None:
        section, limits = check_scan(loaded, judging.scan, cache, folder)
        report.sections['Every pixel'] = section
        report.checks += limits
    if judging.unusual is not None:
        section, limits = check_domain(loaded, judging.unusual, cache)
        report.sections['Images unlike those of the training'] = section
        report.checks += limits
    return report


def _note(exposures: ExposureSet) -> str:
    times = ', '.join(f'{t:g} s' for t in exposures.exptimes) or "the camera's"
    if exposures.vary:
        times += ', varied, as are the densities of the scenes'
    return (
        f'{exposures.n} simulated exposures, seeds {exposures.seeds.start} to '
        f'{exposures.seeds.stop - 1}; cameras '
        f'{", ".join(dict.fromkeys(exposures.cameras))}; '
        f'scenes {", ".join(dict.fromkeys(exposures.scenes))}; exposure time {times}'
    )


def _train_rival(config: SourceConfig, folder: Path) -> Rival:
    """Train another network, on exposures from the same cache."""
    from astrosieve_training.source.train.runs import predict_logits, train

    run = train(config, folder / 'rival', cache=folder / 'cache', progress=False)

    def predict(inputs: dict[str, np.ndarray]) -> np.ndarray:
        logits = predict_logits(run.network, inputs) + run.calibration.offsets
        return softmax(logits.astype(np.float32), run.calibration.temperature)

    network = config.network
    return Rival(config.name, network.preprocessing, network.classes, predict)
