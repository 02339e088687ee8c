"""Reports: tables as Markdown, in files, cards and READMEs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError

__all__ = ['markdown_table', 'plain', 'replace_between', 'rounded', 'slug']


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


def plain(value: Any) -> Any:
    """Return values that JSON can hold: infinity becomes None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def rounded(value: Any) -> Any:
    """Return values with the digits that a card shows."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """
    Return a table.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable of sequence
        Cells, which `str` turns into text.

    Returns
    -------
    lines : list of str
        Markdown.
    """
    return [
        f'| {" | ".join(head)} |',
        f'|{" --- |" * len(head)}',
        *(f'| {" | ".join(map(str, row))} |' for row in rows),
    ]
