"""The summary page of a run: failures first, classes, what was doubtful."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.commands.remote import is_url
from astrosieve.commands.runs.folder import ROWS, Subject, read_log
from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import read_chips
from astrosieve.images.stretch import grey
from astrosieve.pages import encoded, grey_png, page_text, save_page

__all__ = ['write_summary']

_NAMES = ('class_name', 'frame_type')
_POSITIONS = (('x_centroid', 'y_centroid'), ('x', 'y'))
_BINS = np.linspace(0, 1, 21)
_DOUBTS, _OF_ONE = 24, 3
_HALF, _SIDE = 20, 96  # pixels of a picture: about a position, or of a whole image
_LISTED = 200


@dataclass
class _Seen:
    """What was found in all inputs, counted part by part."""

    rows: int = 0
    looked_at: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    sure: np.ndarray = field(default_factory=lambda: np.zeros(len(_BINS) - 1, int))
    doubts: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)

    def add(self, part: Any) -> None:
        """Count the rows of an input, in a table of Arrow."""
        self.rows += len(part)
        for name in _NAMES:
            if name in part.column_names:
                self.classes.update(part[name].to_pylist())
        p = [part[name] for name in part.column_names if name.startswith('p_')]
        if not len(part) or not p:
            return
        best = np.nan_to_num(np.array(p, float), nan=-1).max(axis=0)
        if len(p) == 1:  # of yes and no the likelier
            best = np.where(best < 0, best, np.maximum(best, 1 - best))
        scored = np.flatnonzero(best >= 0)
        self.sure += np.histogram(best[scored], _BINS)[0]
        for row in scored[np.argsort(best[scored], kind='stable')][:_OF_ONE]:
            said = part.slice(row, 1).to_pylist()[0]
            # The largest is in front, and leaves first; of equal ones the last.
            self.looked_at += 1
            heapq.heappush(self.doubts, (-best[row], -self.looked_at, said))
            if len(self.doubts) > _DOUBTS:
                heapq.heappop(self.doubts)


def write_summary(folder: Path) -> Path:
    """
    Write the page of a run.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the run.

    Returns
    -------
    path : `~pathlib.Path`
        The page, ``summary.html``: one file, which needs no other and no network.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    subject = Subject.of(folder)
    last: dict[str, dict[str, Any]] = {}
    for event in read_log(folder):
        if 'input' in event:
            last[event['input']] = dict(event)
    failed = [each for each in last.values() if each['event'] == 'failed']
    seen = _Seen()
    for part in _parts(folder):
        seen.add(part)
    warned = Counter(text for each in last.values() for text in each['warnings'])
    slow = sorted(last.values(), key=lambda each: -each['seconds'])
    seconds = sum(each['seconds'] for each in last.values())
    title = f'{subject.command}: {folder.name}'
    data = {
        'summary': (
            f'{len(last)} images, {len(last) - len(failed)} done, {len(failed)} '
            f'failed; {seen.rows} rows; {seconds:.0f} s of work. '
            f'{subject.model or "No model"}, astrosieve {subject.version}'
        ),
        'failures': [[each['input'], each['error']] for each in failed[:_LISTED]],
        'warnings': warned.most_common(_LISTED),
        'classes': seen.classes.most_common(),
        'sure': seen.sure.tolist(),
        'slow': [[each['input'], each['seconds']] for each in slow[:10]],
        'options': f'Options: {json.dumps(subject.options)}' if subject.options else '',
        'doubts': [_shown(*each) for each in sorted(seen.doubts, reverse=True)],
    }
    path = folder / 'summary.html'
    save_page(page_text(__package__, title=title, data=data), path, overwrite=True)
    return path


def _parts(folder: Path) -> Iterator[Any]:
    """Yield the rows of each input, as far as they are looked at."""
    from pyarrow import dataset

    wanted = {'file', 'extver', 'id', *_NAMES, *sum(_POSITIONS, ())}
    for part in dataset.dataset(folder / ROWS, format='parquet').get_fragments():
        names = [
            name
            for name in part.physical_schema.names
            if name in wanted or name.startswith('p_')
        ]
        yield part.to_table(columns=names)


def _shown(sure: float, order: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a row."""
    name = next((row[each] for each in _NAMES if each in row), '')
    number = f' {row["id"]}' if 'id' in row else ''
    return {
        'name': f'{Path(row["file"]).name}{number}',
        'said': f'{name} {abs(sure):.2f}'.strip(),
        'picture': _picture(row),
    }


def _picture(row: dict[str, Any]) -> str:
    """Return pixels about a row's position as a picture, empty where there are none."""
    if is_url(row['file']):
        return ''
    try:
        chip = next(
            each
            for each in read_chips(row['file'])
            if each.extver == row.get('extver', each.extver)
        )
    except (AstrosieveError, StopIteration):
        return ''
    pair = next((each for each in _POSITIONS if each[0] in row), None)
    if pair is None:
        step = max(max(chip.sci.shape) // _SIDE, 1)
        pixels = chip.sci[::step, ::step]
    else:
        x, y = (round(row[name]) for name in pair)
        rows, columns = (slice(max(n - _HALF, 0), n + _HALF + 1) for n in (y, x))
        pixels = chip.sci[rows, columns]
    if not pixels.size:
        return ''
    levels = np.nan_to_num(255 * grey(pixels)).astype(np.uint8)
    return f'data:image/png;base64,{encoded(grey_png(levels[::-1]))}'
