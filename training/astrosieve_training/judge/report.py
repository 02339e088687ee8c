"""Reports: tables as Markdown, in files, cards and READMEs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.markdown import markdown_table
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.learn.shipping import write_model

__all__ = ['Report', 'Section', 'plain', 'replace_between', 'slug']

_DIGITS = 5  # of numbers in a card


def slug(name: str) -> str:
    """Return a name as it may stand in a file's."""
    return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')


def replace_between(path: Path, table: str, lines: Sequence[str]) -> None:
    """
    Replace what stands between the two markers of a text file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    table : str
        Name of the table, which the markers hold.
    lines : sequence of str
        What shall stand there.

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


def plain(value: Any, digits: int | None = None) -> Any:
    """
    Return values as JSON holds them.

    Parameters
    ----------
    value : object
        Shares, numbers and limits in dicts and lists.
    digits : int, optional
        Decimals that are kept; all by default.

    Returns
    -------
    value : object
        Infinity and NaN become None.
    """
    if isinstance(value, Share | Number | Limit):
        value = value.as_dict()
    if isinstance(value, Mapping):
        return {key: plain(each, digits) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, digits) for each in value]
    if isinstance(value, float):
        if not np.isfinite(value):
            return None
        return value if digits is None else round(value, digits)
    return value


@dataclass(frozen=True)
class Section:
    """
    A part of a report.

    Parameters
    ----------
    heading : str
        What it is called.
    lines : list of str
        Markdown.
    """

    heading: str
    lines: list[str]


@dataclass(frozen=True)
class Report:
    """
    What was found of a model, as it is written.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model judged.
    summary : list of str
        Markdown, for the card and the docs too.
    limits : list of tuple
        Name of a sample, and a `~astrosieve_training.judge.limits.Limit` on it.
    sections : list of `Section`
        The rest of the report.
    numbers : dict
        What the JSON file holds beside the limits, see `plain`.
    scope : str
        What holds of all numbers, in words.
    measured : dict
        What the card keeps of the numbers.
    operating_points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        What was measured anew of the card's; others stay as they are.
    binding : bool
        Whether card and README show which limits hold.
    figures : list of `~pathlib.Path`
        What was drawn.
    short : list of str
        Of the summary what a README has room for; all of it where it is empty.
    """

    model: Model
    summary: list[str]
    limits: list[tuple[str, Limit]]
    sections: list[Section]
    numbers: dict[str, Any]
    scope: str = ''
    measured: dict[str, Any] = field(default_factory=dict)
    operating_points: dict[str, OperatingPoint] = field(default_factory=dict)
    binding: bool = True
    figures: list[Path] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    def limits_table(self) -> list[str]:
        """Return a table of all limits and whether they hold."""
        return markdown_table(
            ('sample', 'what', 'measured', 'limit', 'holds'),
            [
                (
                    sample,
                    limit.what,
                    limit.found,
                    limit.rule,
                    'yes' if limit.holds else '**no**',
                )
                for sample, limit in self.limits
            ],
        )

    def markdown(self) -> str:
        """Return the whole report as Markdown."""
        card = self.model.card
        scope = f'; {self.scope}' if self.scope else ''
        lines = [
            f'# {card.name} {card.version}, judged',
            '',
            f'SHA-256 {card.sha256}. Shares with their 95 % Wilson intervals and '
            f'counts{scope}.',
            '',
            *self.summary,
            '',
            '## Limits',
            '',
            *self.limits_table(),
        ]
        for section in self.sections:
            lines += ['', f'## {section.heading}', '', *section.lines]
        return '\n'.join(lines) + '\n'

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, as JSON takes them."""
        card = self.model.card
        content: dict[str, Any] = plain(
            {
                'model': card.name,
                'version': card.version,
                'sha256': card.sha256,
                'limits': [
                    {'sample': sample, **limit.as_dict()}
                    for sample, limit in self.limits
                ],
                **self.numbers,
            }
        )
        return content

    def write(self, folder: Path) -> list[Path]:
        """
        Write the report.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Gets ``NAME-judge.json`` and ``NAME-judge.md``.

        Returns
        -------
        paths : list of `~pathlib.Path`
            What was written, and the figures.
        """
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for suffix, text in (
            ('json', json.dumps(self.as_dict(), indent=1) + '\n'),
            ('md', self.markdown()),
        ):
            path = folder / f'{self.model.card.name}-judge.{suffix}'
            with atomic_path(path, overwrite=True) as temporary:
                temporary.write_text(text, encoding='utf-8')
            paths.append(path)
        return paths + self.figures

    def update_card(self) -> list[Path]:
        """
        Write tables, numbers and operating points into the card.

        Returns
        -------
        paths : list of `~pathlib.Path`
            What was changed. The manifest follows the card.
        """
        card, folder = self.model.card, self.model.path.parent
        metrics = {
            **card.metrics,
            'tables': self.card_lines(),
            'judge': plain(self.measured, _DIGITS),
        }
        points = card.operating_points | self.operating_points
        write_model(folder, replace(card, metrics=metrics, operating_points=points))
        return [folder / f'{card.name}-{card.version}.json', folder / 'manifest.json']

    def update_readme(self, path: Path, table: str) -> None:
        """
        Write the tables into a README or a page of the docs, see `replace_between`.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file. With the markers of ``table-all`` it gets what the card shows,
            else the short table.
        table : str
            Name of the table.
        """
        if f'<!-- table:{table}-all begin -->' in path.read_text(encoding='utf-8'):
            replace_between(path, f'{table}-all', self.card_lines())
        else:
            replace_between(path, table, self.readme_lines())

    def update_sections(self, path: Path, tables: Mapping[str, str]) -> None:
        """
        Write parts of the report into a page of the docs, see `replace_between`.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file.
        tables : dict of str to str
            Headings of `sections` by the name of the table that is to hold them. What
            the page has no markers of is left out.
        """
        text = path.read_text(encoding='utf-8')
        for section in self.sections:
            for table, heading in tables.items():
                if heading == section.heading and f'<!-- table:{table} begin' in text:
                    replace_between(path, table, section.lines)

    def card_lines(self) -> list[str]:
        """Return what the card and the docs show."""
        return (
            [*self.summary, '', *self.limits_table()] if self.binding else self.summary
        )

    def readme_lines(self) -> list[str]:
        """Return what a README shows: what matters, and which limits do not hold."""
        lines = self.short or self.summary
        if not self.binding:
            return lines
        broken = [
            f'{limit.what} ({sample}): {limit.found}, {limit.rule}'
            for sample, limit in self.limits
            if not limit.holds
        ]
        n = len(self.limits)
        rest = f'; not: {"; ".join(broken)}' if broken else ''
        return [*lines, '', f'Of {n} limits {n - len(broken)} hold{rest}.']
