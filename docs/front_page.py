"""
The figures of the first page, one for each task, taken from the models' cards.

``python docs/front_page.py`` writes them into README.md and docs/index.md, between the
markers of the table ``front``.
"""

from __future__ import annotations

import re
from pathlib import Path

from astrosieve.markdown import markdown_table
from astrosieve.models.registry import load_model

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / 'README.md', ROOT / 'docs' / 'index.md')
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
        'best of the others',
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
"""Of each task: what is measured, on which sample, in which column, beside what."""


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip('|').split('|')]


def figures(task: str) -> tuple[str, str, str]:
    """Return the figure of a task's model, that of another method, and its name."""
    card = load_model(task).card
    _, sample, column, other = TASKS[task]
    head, _, *rows = map(_cells, card.metrics['tables'])
    rows = [row for row in rows if sample in row[0]]
    at = head.index(column)
    if other in head:  # methods stand beside each other
        figure, name = re.fullmatch(
            r'(.*) \((.*)\)', rows[0][head.index(other)]
        ).groups()
        return rows[0][at], figure, name
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


def write(path: Path) -> None:
    """Write the table into a page."""
    begin, end = (f'<!-- table:front {edge} -->' for edge in ('begin', 'end'))
    before, rest = path.read_text(encoding='utf-8').split(begin)
    after = rest.split(end)[1]
    text = f'{before}{begin}\n\n{front_table()}\n\n{end}{after}'
    path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    for page in PAGES:
        write(page)
