"""
Figures taken from the models' cards: of the first page, and of that of the papers.

``python docs/front_page.py`` writes them between the markers of the tables ``front``,
one for each task, in README.md and docs/index.md, and ``papers``, beside those that
were published, in docs/papers/index.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from astrosieve.markdown import markdown_table
from astrosieve.models.registry import load_model

ROOT = Path(__file__).parents[1]
TASKS = {
    'source': (
        'cosmic rays called stars, where 99.5 % of the stars are kept',
        'unseen cameras',
        'cosmic rays called stars',
        'random forest',
    ),
    'contaminant': (
        'average precision of pixels of cosmic rays',
        'cosmic_ray',
        'contaminant',
        '',
    ),
    'blob': (
        'subframes with a blob of 5 to 20 % that are found',
        'simulated differences',
        'subframes with a blob of 5 to 20 %',
        'matched filter',
    ),
    'frametype': (
        'frames of unseen spectrographs that are right',
        'simulated spectrographs',
        'right',
        'forest',
    ),
    'transient': (
        'real candidates kept where 2 % of the bogus are',
        'unseen surveys',
        'kept at 2 % false',
        'random forest',
    ),
}
"""
Of each task: what is measured, on which sample, in which column, beside what; beside
the best that stands there, where nothing is named.
"""
PUBLISHED = {
    ('ISR 2024-14', 'source-isr2024', 'Omega Cen-like'): (
        ('stars right', '94 %', 'source-isr2024', 'stars right'),
        ('cosmic rays called stars', 'under 1 %', 'source-isr2024',
         'cosmic rays called stars'),
        ('spikes called stars', 'under 1 %', 'source-isr2024', 'spikes called stars'),
        ('stars in the list of stars', 'over 96 %', 'source-isr2024',
         'purity of the star list'),
    ),
    ('ISR 2021-08', 'blob-isr2021', 'right 25 % of images'): (
        ('subframes with a blob right', '94 %', '', 'with a blob, right'),
        ('subframes without right', '88 %', '', 'without, right'),
    ),
    ('Jankov & Prochaska 2018', 'frametype', 'simulated spectrographs'): (
        ('frames right', '98.2 %', 'frametype', 'right'),
        ('frames called another type', '0.9 %', 'frametype', 'of another type'),
        ('frames unknown', '0.8 %', 'frametype', 'unknown'),
    ),
    ('Negm 2021', 'transient-negm2021', 'three bands'): (
        *(
            (name, figure, f'{name}, beside the published', 'measured')
            for name, figure in (
                ('accuracy', '92.4 %'), ('recall', '96.5 %'), ('precision', '94.9 %'),
                ('F1', '95.7 %'),
            )
        ),
    ),
    ('du Buisson et al. 2015', 'transient-negm2021', 'three bands'): (
        ('area under the ROC, random forest', '0.97', 'random forest',
         'area under the ROC'),
    ),
}  # fmt: skip
"""
Of each paper, the model in whose card, and the sample on which, it is repeated: what it
states, the figure, and the row, by its second cell, and column of the card's tables.
"""


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip('|').split('|')]


def _number(cell: str) -> float:
    try:
        return float(cell.split()[0])
    except ValueError:
        return float('-inf')


def figures(task: str) -> tuple[str, str, str]:
    """Return the figure of a task's model, that of another method, and its name."""
    card = load_model(task).card
    _, sample, column, other = TASKS[task]
    head, _, *rows = map(_cells, card.metrics['tables'])
    rows = [row for row in rows if sample in row[0]]
    at = head.index(column)
    if not other:  # methods stand beside each other, some by name in their cell
        cells = [pair for pair in zip(rows[0], head, strict=True) if pair[1] != column]
        cell, name = max(cells[1:], key=lambda pair: _number(pair[0]))
        figure, _, told = cell.partition(' ')
        return rows[0][at], figure, told.strip('()') or name
    by = {row[1]: row[at] for row in reversed(rows) if len(row) > at}
    return by[card.name], by[other], other


def front_table() -> str:
    """Return the table of the first page."""
    return '\n'.join(
        markdown_table(
            ('task', 'measured', 'astrosieve', 'beside it'),
            [
                (task, what, ours, f'{theirs}: {figure}')
                for task, (what, *_) in TASKS.items()
                for ours, figure, theirs in [figures(task)]
            ],
        )
    )


def _rows(model: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the tables in a card, by the heads of their columns."""
    head: list[str] = []
    for line in load_model(model).card.metrics['tables']:
        cells = _cells(line) if line.startswith('|') else []
        if head and cells:
            yield dict(zip(head, cells, strict=True))
        head = cells and (head or cells)


def _measured(model: str, sample: str, second: str, column: str) -> tuple[str, str]:
    """Return a cell of the tables in a card, and of what; any second cell is ''."""
    return next(
        (row[column], f'{model}, {cells[0]}')
        for row in _rows(model)
        if column in row
        and sample in (cells := list(row.values()))[0]
        and second in ('', cells[1])
    )


def paper_table() -> str:
    """Return what papers state, beside what is measured here."""
    return '\n'.join(
        markdown_table(
            ('paper', 'what', 'published', 'here', 'card, sample'),
            [
                (paper, what, figure, *_measured(model, sample, second, column))
                for (paper, model, sample), stated in PUBLISHED.items()
                for what, figure, second, column in stated
            ],
        )
    )


TABLES = {
    'front': (front_table, (ROOT / 'README.md', ROOT / 'docs' / 'index.md')),
    'papers': (paper_table, (ROOT / 'docs' / 'papers' / 'index.md',)),
}
"""Of each table: what makes it, and the pages that have it."""


def write(name: str, path: Path) -> None:
    """Write a table into a page."""
    begin, end = (f'<!-- table:{name} {edge} -->' for edge in ('begin', 'end'))
    before, rest = path.read_text(encoding='utf-8').split(begin)
    after = rest.split(end)[1]
    text = f'{before}{begin}\n\n{TABLES[name][0]()}\n\n{end}{after}'
    path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    for name, (_, pages) in TABLES.items():
        for page in pages:
            write(name, page)
