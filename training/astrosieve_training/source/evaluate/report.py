"""What was found of a network, and the report on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.evaluate.baselines import Forest
from astrosieve_training.source.evaluate.judged import (
    BINS,
    Judged,
    Rival,
    judge,
    judge_set,
)
from astrosieve_training.source.evaluate.limits import (
    ABSOLUTE_LIMITS,
    CALIBRATION_LIMITS,
    EXTENDED_COMPLETENESS,
    FAINT_LIMIT,
    RELATIVE_FLOOR,
    relative_limits,
)

__all__ = ['FAINT', 'HITS', 'MEASURED', 'SATURATED', 'TABLES', 'WIDTHS', 'Judgement']

HITS, WIDTHS = 'Hits by detector', 'Stated widths of the PSF'
SATURATED, FAINT = 'Saturated stars', 'Faint galaxies'
MEASURED = 'Measured widths of the PSF'
TABLES = {
    'source-hits': HITS,
    'source-widths': WIDTHS,
    'source-saturated': SATURATED,
    'source-faint': FAINT,
    'source-measured': MEASURED,
}
"""Tables of the docs, and the parts of the report that they hold."""

_USED_TODAY = ('DAOStarFinder cuts', 'astroscrappy, tuned')
_SUMMARY_NOTE = (
    'Networks and the forest at the threshold that keeps 99.5 % of the stars of S/N 10 '
    'and more (PSF FWHM 1.4 to 4 pixels), the others as they decide; cosmic rays, '
    'spikes, bad pixels and resolved galaxies of S/N 20 and more; uncontested '
    'detections; 95 % Wilson intervals and counts.'
)


@dataclass
class Judgement:
    """
    What the judge found.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model judged.
    sets : dict
        Results by set and finder, see
        `~astrosieve_training.source.evaluate.judged.judge_set`.
    judged : dict
        The detections behind them.
    notes : dict of str to str
        What each set is.
    held_back : tuple of str
        Sets of cameras that were kept from the training.
    real : list of str
        Sets that are real frames.
    factors : dict of str to float
        Methods whose leaks set limits, see
        `~astrosieve_training.source.evaluate.limits.relative_limits`.
    sections : list of `~astrosieve_training.judge.report.Section`
        Further parts.
    checks : list of `~astrosieve_training.judge.limits.Limit`
        Limits of these parts.
    """

    model: Model
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: dict[str, dict[str, Judged]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()
    real: list[str] = field(default_factory=list)
    factors: Mapping[str, float] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    checks: list[Limit] = field(default_factory=list)

    def add_set(
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

    def add_check(
        self, heading: str, lines: list[str], limits: Sequence[Limit]
    ) -> None:
        """Add a further part, and its limits."""
        self.sections.append(Section(heading, lines))
        self.checks += limits

    @property
    def first(self) -> dict[str, dict[str, Any]]:
        """The results of each set with its first finder, which limits are for."""
        return {name: next(iter(each.values())) for name, each in self.sets.items()}

    @property
    def first_judged(self) -> dict[str, Judged]:
        """The detections behind `first`."""
        return {name: next(iter(each.values())) for name, each in self.judged.items()}

    def leaks(self, name: str) -> dict[str, Share]:
        """Return the model's leaks on a set."""
        found = self.first[name].get('leaks', {})
        mine: dict[str, Share] = found.get(self.model.card.name, {})
        return mine

    def summary_table(self, *, short: bool = False) -> list[str]:
        """
        Return the table for card and docs: the first finder of each set.

        Parameters
        ----------
        short : bool, optional
            Whether only what a README has room for: the model on each set of stars
            and cosmic rays whose camera was not held back, and on the first set what
            people use today.
        """
        head = ['sample', 'method', 'stars kept (S/N >= 10)']
        head += [f'{CLASSES.plural(name)} called stars' for name in ABSOLUTE_LIMITS]
        return markdown_table(
            head,
            [
                [
                    f'{name} ({next(iter(self.sets[name]))})',
                    method,
                    *(table.get(key, '-') for key in ('star', *ABSOLUTE_LIMITS)),
                ]
                for name, results in self.first.items()
                for method, table in _compared(results).items()
                if not short or self._matters(name, method, table)
            ],
        )

    def _matters(self, name: str, method: str, table: Mapping[str, Share]) -> bool:
        """Return whether a row of the table stands in a README too."""
        if method == self.model.card.name:
            return name not in self.held_back and {'star', 'cosmic_ray'} <= {*table}
        return name == next(iter(self.sets)) and method in _USED_TODAY

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """Yield all limits, each with the sample that it is measured on."""
        for name, results in self.first.items():
            if self.leaks(name):
                for limit in self._leak_limits(name, results):
                    yield name, limit
        for name, results in self.first.items():
            error = results['calibration'].get('error')
            if error is not None:
                strict = name not in (*self.held_back, *self.real)
                entry = Number(error, results['calibration']['n'])
                most = CALIBRATION_LIMITS[0 if strict else 1]
                yield name, Limit('expected calibration error', entry, most)
        for name in self.held_back:
            for limit in self._held_back_limits(name):
                yield name, limit
        for limit in self.checks:
            yield 'further checks', limit

    def _leak_limits(self, name: str, results: dict[str, Any]) -> Iterator[Limit]:
        """Yield the limits on what is called a star in a set."""
        own, mine = self.model.card.name, self.leaks(name)
        for key, most in ABSOLUTE_LIMITS.items():
            if key in mine:
                yield Limit(f'{CLASSES.plural(key)} called stars', mine[key], most)
        yield from relative_limits(mine, results['leaks'], self.factors)
        for key, rest in (('faint', ''), ('faint_sharp', ', extended left out')):
            if results[key][own]:
                what = f'leak at S/N 5 to 10, 97 % of the stars kept{rest}'
                yield Limit(what, results[key][own], FAINT_LIMIT)
        on = results.get('on_extended')
        if on and on.n:
            what = 'stars of S/N 20 on nebulae and galaxies kept'
            yield Limit(what, on, EXTENDED_COMPLETENESS, least=True)

    def _held_back_limits(self, name: str) -> Iterator[Limit]:
        """Yield the limits that the first set sets for one of cameras held back."""
        usual = next((each for each in self.sets if each not in self.held_back), '')
        reference = self.leaks(usual) if usual else {}
        for key, entry in self.leaks(name).items():
            if key not in ABSOLUTE_LIMITS:
                continue
            what = f'{CLASSES.plural(key)}: twice the leak of {usual or "no other set"}'
            if key in reference:
                most = max(2 * reference[key].high, RELATIVE_FLOOR)
                yield Limit(f'{what} (upper end)', entry, most)
            else:
                yield Limit(f'{what}, where none was measured', entry, np.nan)

    def report(self, figures: Sequence[Path] = ()) -> Report:
        """Return the report, which shows figures too."""
        sets = [
            Section(name, self._set_lines(name, by_finder))
            for name, by_finder in self.sets.items()
        ]
        own = self.model.card.name
        return Report(
            self.model,
            summary=[*self.summary_table(), '', _SUMMARY_NOTE],
            short=[*self.summary_table(short=True), '', _SUMMARY_NOTE],
            limits=list(self.limits()),
            sections=[*self.sections, *sets],
            numbers={
                'notes': self.notes,
                'sections': {each.heading: each.lines for each in self.sections},
                'sets': self.sets,
            },
            scope='uncontested detections, unless said otherwise',
            measured={
                name: {
                    finder: {
                        method: table
                        for method, table in results['decisions'].items()
                        if method.startswith(own)
                    }
                    for finder, results in by_finder.items()
                }
                for name, by_finder in self.sets.items()
            },
            operating_points=self._operating_points(),
            binding=bool(self.checks),
            figures=list(figures),
        )

    def _set_lines(self, name: str, by_finder: dict[str, Any]) -> list[str]:
        lines = [f'{self.notes[name]}.']
        for finder, results in by_finder.items():
            lines += ['', f'### {name}: detections of {finder}', '']
            lines += _set_tables(results)
        return lines

    def _operating_points(self) -> dict[str, OperatingPoint]:
        """
        Return the card's thresholds, with what was measured at them here.

        On the first set and finder, which chose neither thresholds nor parameters.
        """
        card = self.model.card
        name, by_finder = next(iter(self.sets.items()))
        finder, results = next(iter(by_finder.items()))
        points = {}
        for key, point in card.operating_points.items():
            table = results['decisions'][f'{card.name}, {key}']
            star, purity = table.get('star'), table.get('purity')
            if not star or not purity or not star.n or not purity.n:
                points[key] = point  # no star here, or none kept
                continue
            points[key] = replace(
                point,
                measured={'completeness': star, 'purity': purity},
                sample=(
                    f'{name}, uncontested detections of {finder}: {self.notes[name]}'
                ),
            )
        return points


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
    yield from markdown_table(
        ('called star', *classes, 'purity'),
        [
            (method, *(table.get(c, '-') for c in (*classes, 'purity')))
            for method, table in results['decisions'].items()
        ],
    )
    yield ''
    others = list(next(iter(results['confusion'].values())))
    yield from markdown_table(
        ('truth \\ prediction', *others),
        [
            (name, *(row[other] for other in others))
            for name, row in results['confusion'].items()
        ],
    )
    yield ''
    if 'leak_at_completeness' in results:
        rest = [name for name in classes if name != 'star']
        yield from markdown_table(
            ('stars kept', 'method', 'threshold', *rest, 'purity'),
            [
                (
                    wanted,
                    method,
                    f'{table["threshold"]:.4f}',
                    *(table.get(c, '-') for c in (*rest, 'purity')),
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
        rest = [name for name in classes if name in REPORT_CLASSES]
        yield from markdown_table(
            (BINS[column][0], *(f'{c} called star' for c in rest)),
            [
                (
                    f'{row["from"]:g} to {row["to"]:g}',
                    *(row.get(c, '-') for c in rest),
                )
                for row in found
            ],
        )
        yield ''
    if results['contested']:
        listed = '; '.join(
            f'{name} {entry}' for name, entry in results['contested'].items()
        )
        yield f'Contested detections called stars, by largest component: {listed}.'
    yield f'Detections that could not be scored: {results["unscored"]}.'
