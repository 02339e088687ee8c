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

from astrosieve.classes import ClassSet, words
from astrosieve.commands.remote import is_url
from astrosieve.commands.runs.folder import ROWS, Subject, read_log
from astrosieve.commands.runs.sheet import NAMES, POSITIONS, contact_sheet, named
from astrosieve.exceptions import AstrosieveError
from astrosieve.flags import FlagSet
from astrosieve.images.exposures import read_chips
from astrosieve.pages import page_text, save_page
from astrosieve.pages.thumbnails import grey_url, thumbnail

__all__ = ['summary_page', 'write_summary']

_BINS = np.linspace(0, 1, 21)
_DOUBTS, _OF_ONE = 24, 3
_FLAGS = 'class_flags'
_SIDE = 96  # pixels of the picture of a whole image
_RIVAL = 0.1  # probability of a class that competes
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
        for name in NAMES:
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
    path = folder / 'summary.html'
    save_page(summary_page(folder), path, overwrite=True)
    return path


def summary_page(
    folder: Path, *, classes: ClassSet | None = None, flags: FlagSet | None = None
) -> str:
    """
    Return the page of a run.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the run.
    classes : `~astrosieve.classes.ClassSet`, optional
        Of the task: the images are shown too, with what was found in them.
    flags : `~astrosieve.flags.FlagSet`, optional
        The bits of the column of flags, which are then said.

    Returns
    -------
    page : str
        HTML.

    Raises
    ------
    OutputError
        If the folder holds no run.
    """
    subject = Subject.of(folder)
    last: dict[str, dict[str, Any]] = {}
    begun: list[dict[str, Any]] = []
    for event in read_log(folder):
        if 'input' in event:
            last[event['input']] = dict(event)
        elif event['event'] == 'begin':
            begun.append(dict(event))
    failed = [each for each in last.values() if each['event'] == 'failed']
    seen = _Seen()
    for part in _parts(folder):
        seen.add(part)
    warned = Counter(text for each in last.values() for text in each['warnings'])
    slow = sorted(last.values(), key=lambda each: -each['seconds'])
    seconds = sum(each['seconds'] for each in last.values())
    data = {
        'summary': (
            f'{len(last)} images, {len(last) - len(failed)} done, {len(failed)} '
            f'failed; {seen.rows} rows; {seconds:.0f} s of work. '
            f'{subject.model or "No model"}, astrosieve {subject.version}'
        ),
        'failures': [[each['input'], each['error']] for each in failed[:_LISTED]],
        'warnings': warned.most_common(_LISTED),
        'classes': [(words(name), n) for name, n in seen.classes.most_common()],
        'sure': seen.sure.tolist(),
        'slow': [[each['input'], each['seconds']] for each in slow[:10]],
        'made': _made(subject, begun),
        'doubts': [_shown(each, flags) for each in sorted(seen.doubts, reverse=True)],
        'sheet': None if classes is None else contact_sheet(folder, classes),
    }
    title = f'{subject.command}: {folder.absolute().name}'
    return page_text(__package__, title=title, data=data)


def _made(subject: Subject, begun: list[dict[str, Any]]) -> list[list[str]]:
    """Return with what a run was made."""
    python = ', '.join(sorted({str(each.get('python', '')) for each in begun}))
    given = [
        ('command', f'astrosieve {subject.command}'),
        ('options', json.dumps(subject.options) if subject.options else ''),
        ('model', subject.model),
        ('SHA-256', subject.sha256),
        ('software', f'astrosieve {subject.version}, Python {python}'),
        ('begun', ', '.join(each['time'][:19] for each in begun[:5])),
    ]
    return [[name, value] for name, value in given if value]


def _parts(folder: Path) -> Iterator[Any]:
    """Yield the rows of each input, as far as they are looked at."""
    from pyarrow import dataset

    wanted = {'file', 'extver', 'id', _FLAGS, *NAMES, *sum(POSITIONS, ())}
    for part in dataset.dataset(folder / ROWS, format='parquet').get_fragments():
        names = [
            name
            for name in part.physical_schema.names
            if name in wanted or name.startswith('p_')
        ]
        yield part.to_table(columns=names)


def _shown(
    doubt: tuple[float, int, dict[str, Any]], flags: FlagSet | None
) -> dict[str, Any]:
    """Return what the page shows of a row."""
    sure, _, row = doubt
    p = {words(name[2:]): row[name] for name in row if name.startswith('p_')}
    rivals = sorted(p.items(), key=lambda each: -each[1])
    number = f' {row["id"]}' if 'id' in row else ''
    bits = row.get(_FLAGS, 0) or 0
    return {
        'name': f'{Path(row["file"]).name}{number}',
        'said': f'{words(named(row))} {abs(sure):.2f}'.strip(),
        'rivals': [each for each in rivals[:3] if each[1] >= _RIVAL][1:],
        'flags': [
            [each.name, each.description] for each in flags or () if bits & each.value
        ],
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
    pair = next((each for each in POSITIONS if each[0] in row), None)
    if pair is not None:
        return thumbnail(chip.sci, *(row[name] for name in pair))
    step = max(max(chip.sci.shape) // _SIDE, 1)
    return grey_url(chip.sci[::step, ::step])
