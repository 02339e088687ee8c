"""
Types of frames in PypeIt files.

A PypeIt file lists the frames of a set-up in a table between ``data read`` and
``data end``, with their types in PypeIt's own words. Only these words are changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError

__all__ = ['PypeItFileError', 'write_types']

_NAMES: Mapping[str, tuple[str, ...]] = {
    'bias': ('bias',),
    'dark': ('dark',),
    'arc': ('arc', 'tilt'),
    'flat': ('pixelflat', 'illumflat', 'trace'),
    'science': ('science',),
    'standard': ('standard',),
}
# Other words of PypeIt for the same frames, which stay where they stand.
_MORE: Mapping[str, tuple[str, ...]] = {
    'flat': ('lampoffflats', 'slitless_pixflat', 'scattlight'),
    'science': ('sky', 'align'),
}


class PypeItFileError(AstrosieveError, ValueError):
    """A file that is no PypeIt file."""


def _table_lines(lines: list[str], path: Path) -> tuple[int, list[int]]:
    """Return the line of the column names, and those of the frames."""
    marks = [line.strip().lower() for line in lines]
    try:
        begin, end = marks.index('data read'), marks.index('data end')
    except ValueError:
        msg = f"{path}: has no lines 'data read' and 'data end'; is it a PypeIt file?"
        raise PypeItFileError(msg) from None
    rows = [i for i in range(begin + 1, end) if '|' in lines[i]]
    if not rows or 'filename' not in [c.strip() for c in lines[rows[0]].split('|')]:
        msg = f"{path}: the table has no column 'filename'"
        raise PypeItFileError(msg)
    return rows[0], rows[1:]


def _words(present: str, frame_type: str) -> str:
    """Return the types of a frame: those that stand there where they fit."""
    names = _NAMES[frame_type]
    written = [word.strip() for word in present.split(',')]
    fits = {*names, *_MORE.get(frame_type, ())}
    return present.strip() if fits & set(written) else ','.join(names)


def write_types(path: str | Path, table: Table) -> int:
    """
    Write or correct the column ``frametype`` of a PypeIt file.

    Parameters
    ----------
    path : path-like
        The file, which is changed.
    table : `~astropy.table.Table`
        ``file`` and ``frame_type`` of frames, as `astrosieve frametype` writes it.
        What is unknown, and what is not in the table, stays as it is.

    Returns
    -------
    written : int
        Frames whose types were changed.

    Raises
    ------
    PypeItFileError
        If the file is none of PypeIt.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    except ValueError as error:
        msg = f'{path}: is no text in UTF-8 ({error}); is it a PypeIt file?'
        raise PypeItFileError(msg) from error
    head, rows = _table_lines(lines, path)
    whole = (
        [not each for each in table['extension']]
        if 'extension' in table.colnames
        else slice(None)
    )
    types = dict(zip(table['file'][whole], table['frame_type'][whole], strict=True))
    names = [cell.strip() for cell in lines[head].split('|')]
    at = names.index('filename')
    missing = 'frametype' not in names
    column = at + 1 if missing else names.index('frametype')
    written = 0
    for i in (head, *rows):
        cells = lines[i].split('|')
        if missing:
            width = len('frametype')
            cells.insert(column, f' {("frametype" if i == head else "None"):>{width}} ')
        name = cells[at].strip().lstrip('#').strip()
        kind = str(types.get(Path(name).name, ''))
        if i != head and kind in _NAMES and column < len(cells):
            words = _words(cells[column], kind)
            written += words != cells[column].strip()
            cells[column] = f' {words:>{max(len(cells[column]) - 2, 0)}} '
        lines[i] = '|'.join(cells)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(''.join(lines), encoding='utf-8')
    return written
