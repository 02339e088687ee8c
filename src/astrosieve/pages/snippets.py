"""Pieces of HTML for notebooks: pictures with what they show, nothing to fetch."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ['SIDE', 'beside', 'table', 'text']

SIDE = 420
"""Pixels of the screen of the longest side of a picture."""


def text(value: object) -> str:
    """Return text, of which nothing is markup."""
    return html.escape(str(value))


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """
    Return a table.

    Parameters
    ----------
    rows : sequence of sequence of str
        Cells, as HTML; all but the first two of a row are numbers.
    head : sequence of str, optional
        Names of the columns.

    Returns
    -------
    content : str
    """

    def line(cells: Sequence[str], tag: str) -> str:
        aligned = ('left', 'left', *('right' for _ in cells[2:]))
        return ''.join(
            f'<{tag} style="text-align:{side};padding:1px 8px">{cell}</{tag}>'
            for cell, side in zip(cells, aligned, strict=False)
        )

    lines = [line(head, 'th')] if head else []
    lines += [line(row, 'td') for row in rows]
    body = ''.join(f'<tr>{each}</tr>' for each in lines)
    return f'<table style="border-collapse:collapse;font-size:13px">{body}</table>'


def beside(picture: str, *parts: str) -> str:
    """Return a picture, and parts beside it, or below where there is no room."""
    told = ''.join(f'<div>{part}</div>' for part in parts)
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:8px 20px;align-items:flex-start">'
        f'<div style="flex:0 1 {SIDE}px">{picture}</div><div>{told}</div></div>'
    )
