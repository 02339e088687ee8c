"""The frames of a night as a table, as text, and as a page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.frametype.classes import CLASSES, UNKNOWN
from astrosieve.frametype.classify import TypedFrame

__all__ = ['Row', 'contact_sheet', 'frame_table', 'night_rows', 'summary_lines']


@dataclass(frozen=True)
class Row:
    """
    A frame of a night, typed or not.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    frame : `~astrosieve.frametype.classify.TypedFrame` or None
        What it is; None where it could not be typed.
    reason : str
        Why not.
    """

    path: Path
    frame: TypedFrame | None
    reason: str = ''

    @property
    def name(self) -> str:
        """File, and extension where it is one of several."""
        extension = self.frame.extension if self.frame else ''
        return f'{self.path.name}[{extension}]' if extension else self.path.name

    @property
    def frame_type(self) -> str:
        """Type; 'unknown' where it could not be typed."""
        return self.frame.frame_type if self.frame else UNKNOWN

    @property
    def rank(self) -> int:
        """Place in the summary: disagreements, not typed, unknown, the rest."""
        if self.frame is None or self.reason:
            return 1
        if not self.frame.agrees:
            return 0
        return 2 if self.frame.frame_type == UNKNOWN else 3


def night_rows(path: Path, frames: Sequence[TypedFrame]) -> list[Row]:
    """Return the rows of a file."""
    return [Row(path, frame, frame.reason) for frame in frames]


def frame_table(rows: Sequence[Row], classes: Sequence[str]) -> Table:
    """
    Return a table of frames.

    Parameters
    ----------
    rows : sequence of `Row`
        Frames.
    classes : sequence of str
        The model's classes, for the columns ``p_<type>``.

    Returns
    -------
    table : `~astropy.table.Table`
        ``file``, ``extension``, ``frame_type``, ``p_<type>`` (NaN where a frame could
        not be typed), ``votes`` for that type, ``header_type``, ``agrees``, ``reason``.
    """
    frames = [row.frame for row in rows]
    table = Table()
    table['file'] = [row.path.name for row in rows]
    table['extension'] = [each.extension if each else '' for each in frames]
    table['frame_type'] = [row.frame_type for row in rows]
    for name in classes:
        p = [each.probabilities[name] if each else np.nan for each in frames]
        table[f'p_{name}'] = np.array(p, dtype=np.float32)
    votes = [max(each.votes.values()) if each else 0 for each in frames]
    table['votes'] = np.array(votes, dtype=np.int16)
    table['header_type'] = [each.header_type if each else '' for each in frames]
    table['agrees'] = np.array([each is None or each.agrees for each in frames], bool)
    table['reason'] = [row.reason for row in rows]
    return table


def _said(row: Row) -> str:
    if row.frame is None or row.reason:
        return row.reason
    best = max(row.frame.probabilities.values())
    votes, cast = max(row.frame.votes.values()), sum(row.frame.votes.values())
    text = f'p = {best:.2f}, {votes} of {cast} votes'
    if not row.frame.agrees:
        return f'the header says {row.frame.header_type}; {text}'
    return text


def summary_lines(rows: Sequence[Row]) -> list[str]:
    """Return the night as text, disagreements first."""
    ordered = sorted(rows, key=lambda row: row.rank)
    width = max((len(row.name) for row in rows), default=0)
    lines = [
        f'{"*" if row.rank < 2 else " "} {row.name:<{width}}  {row.frame_type:<8}  '
        f'{_said(row)}'
        for row in ordered
    ]
    types = [row.frame_type for row in rows]
    counts = [f'{types.count(name)} {name}' for name in CLASSES.ordered(types)]
    wrong = sum(row.rank == 0 for row in rows)
    lines.append(f'{len(rows)} frames: {", ".join(counts)}; {wrong} disagree')
    return lines


def _picture(pixels: np.ndarray) -> str:
    """Return a thumbnail as the address of a picture that the page itself holds."""
    from astropy.visualization import ZScaleInterval
    from matplotlib import image

    low, high = ZScaleInterval().get_limits(pixels)
    buffer = io.BytesIO()
    image.imsave(
        buffer, pixels, vmin=low, vmax=max(high, low + 1e-30), cmap='gray',
        origin='lower', format='png',
    )  # fmt: skip
    return f'data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'


_STYLE = (
    'body{font:14px sans-serif;margin:1em;background:#fff;color:#202428}'
    'main{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:1em}'
    'figure{margin:0;padding:.5em;border:1px solid #c8ccd0;overflow-wrap:anywhere}'
    'figure.off{border:2px solid #d55e00;background:#fff4ec}'
    'img{width:100%;height:160px;object-fit:contain;background:#000}'
    'b{font-size:110%}'
)


def contact_sheet(rows: Sequence[Row], title: str) -> str:
    """
    Return a page with a thumbnail of each frame, disagreements first.

    Parameters
    ----------
    rows : sequence of `Row`
        Frames.
    title : str
        Of the page.

    Returns
    -------
    page : str
        HTML, which needs no other file.
    """
    parts = []
    for row in sorted(rows, key=lambda row: row.rank):
        pixels = row.frame.thumbnail if row.frame else None
        picture = '' if pixels is None else f'<img alt="" src="{_picture(pixels)}">'
        mark = ' class="off"' if row.rank < 2 else ''
        parts.append(
            f'<figure{mark}>{picture}<figcaption><b>{html.escape(row.frame_type)}</b> '
            f'{html.escape(row.name)}<br>{html.escape(_said(row))}</figcaption></figure>'
        )
    name, last = html.escape(title), summary_lines(rows)[-1]
    body = '\n'.join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>{name}</title><style>{_STYLE}</style></head>\n<body><h1>{name}</h1>'
        f'<p>{html.escape(last)}</p>\n<main>\n{body}\n</main></body></html>\n'
    )
