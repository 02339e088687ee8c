"""The report on a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.atomic import atomic_path
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.judge.limits import Limit, cell, scalar
from astrosieve_training.judge.report import (
    markdown_table,
    plain,
    replace_between,
    rounded,
)
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

__all__ = ['Report']


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
    checks : list of `~astrosieve_training.judge.limits.Limit`
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
        return markdown_table(head, rows)

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
        return markdown_table(('sample', 'what', 'measured', 'limit', 'holds'), rows)

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
            'sets': plain(self.sets),
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
        from astrosieve_training.learn.shipping import write_model

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
            'judge': plain(rounded(decisions)),
        }
        write_model(
            folder,
            replace(card, metrics=metrics, operating_points=self._operating_points()),
        )
        paths = [folder / f'{card.name}-{card.version}.json', folder / 'manifest.json']
        if readme is not None:
            replace_between(readme, 'source', self.readme_lines())
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
            points[key] = replace(
                point,
                measured={
                    'completeness': Share(star['k'], star['n']),
                    'purity': Share(purity['k'], purity['n']),
                },
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
            (method, *(cell(table.get(c)) for c in (*classes, 'purity')))
            for method, table in results['decisions'].items()
        ],
    )
    yield ''
    others = list(next(iter(results['confusion'].values())))
    yield from markdown_table(
        ('truth \\ prediction', *others),
        [
            (name, *(str(row[other]) for other in others))
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
        yield from markdown_table(
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
