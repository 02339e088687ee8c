"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ['markdown_table']


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
