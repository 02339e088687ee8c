"""The watch: each new image of a folder is compared with those before it."""

from __future__ import annotations

import base64
import json
import math
import shlex
import subprocess
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.blob.exposures import Examined, examine
from astrosieve.blob.frames import N_REFERENCES, Frame, observed, read_frame
from astrosieve.blob.log import Log, Record
from astrosieve.blob.page import difference_png, watch_page
from astrosieve.blob.saliency import saliency, saliency_levels
from astrosieve.blob.subframes import SIDE
from astrosieve.commands.folders import State, file_states, settle
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, OutputError
from astrosieve.images.exposures import read_header, root_name
from astrosieve.models.registry import Model
from astrosieve.pages import grey_png, save_page

__all__ = ['FEWEST', 'Watch']

FEWEST = 3
"""References without which an image is not compared, but only kept for later ones."""
_SUFFIXES = ('.fits', '.fit', '.fts', '.fits.gz', '.fits.fz', '.fit.gz')
_SAME = 3.0  # pixels within which blobs of two images are one, at least
_TRIES = 2
_KEPT = 40  # images that are kept in memory
_NOTIFY = 60.0  # seconds that a command may take
_NUMBERS = (
    *('x', 'y', 'radius', 'depth', 'p_blob'),
    *('x_err', 'y_err', 'radius_err', 'depth_err'),
)


@dataclass
class Watch:
    """
    A folder that is looked after.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where images arrive.
    output : `~pathlib.Path`
        Folder of the log, the pictures and the pages.
    log : `~astrosieve.blob.log.Log`
        Its log.
    report : callable
        Called once for each new blob, with a dict for JSON.
    trouble : callable
        Called with a file and what is wrong with it.
    model : `~astrosieve.models.registry.Model` or str
        The network.
    known : `~astropy.table.Table`, optional
        Blobs that are not new.
    references : tuple of `~pathlib.Path`
        Images that count as references beside those of the folder.
    n_references : int
        How many are asked for.
    since : float
        Images that were begun before, MJD, are references only.
    notify : str, optional
        Command that gets each new blob as JSON on its standard input.
    """

    folder: Path
    output: Path
    log: Log
    report: Callable[[dict[str, Any]], None]
    trouble: Callable[[Path, str], None]
    model: Model | str = 'blob'
    known: Table | None = None
    references: tuple[Path, ...] = ()
    n_references: int = N_REFERENCES
    since: float = -math.inf
    notify: str | None = None
    _cache: OrderedDict[Path, tuple[State, Frame]] = field(default_factory=OrderedDict)
    _states: dict[Path, State] = field(default_factory=dict)
    _failed: dict[Path, int] = field(default_factory=dict)
    _told: dict[Path, str] = field(default_factory=dict)
    _said: set[int] = field(default_factory=set)
    _notified: set[int] = field(default_factory=set)
    _page_due: bool = False

    def scan(self, *, wait: bool = False) -> int:
        """
        Look at the images that have arrived.

        Parameters
        ----------
        wait : bool, optional
            Whether to wait until files have been the same for half a second; else
            those that have changed since the last call are left for the next.

        Returns
        -------
        failed : int
            How many files could not be looked at.
        """
        try:
            if wait:
                self._settled()
                settle()
            ready = self._in_order(self._settled())
        except OSError as error:
            self._complain(self.folder, f'cannot be read ({error.strerror or error})')
            return 1
        failed = self._reported()
        for path, state in ready:
            try:
                self._look_at(path, state)
            except OutputError as error:  # a full disk is no fault of the image
                failed += 1
                self._complain(path, str(error))
            except (AstrosieveError, ValueError, OSError, MemoryError) as error:
                failed += 1
                # A writer that pauses looks like a damaged file: it has a second try.
                tries = self._failed[path] = self._failed.get(path, 0) + 1
                if wait or tries == _TRIES:
                    self._complain(path, str(error) or type(error).__name__)
            else:
                self._told.pop(path, None)
                failed += self._reported()
        if self._page_due:
            self._write_page()
        return failed

    def _complain(self, path: Path, text: str) -> None:
        """Say what is wrong, once as long as it is so."""
        if self._told.get(path) != text:
            self.trouble(path, text)
        self._told[path] = text

    # Files

    def _settled(self) -> dict[Path, State]:
        """Return the files that are new to the log, and were the same before."""
        done = {(r['file'], *r['state']) for r in self.log.records if 'state' in r}
        before = self._states
        self._states = file_states(self.folder, _SUFFIXES)
        ready = {}
        for path, state in self._states.items():
            if before.get(path) != state:
                self._failed.pop(path, None)
            elif (path.name, *state) not in done and self._failed.get(path, 0) < _TRIES:
                ready[path] = state
        return ready

    def _in_order(self, ready: dict[Path, State]) -> list[tuple[Path, State]]:
        """Return files by the date of their exposure, so that references come first."""
        dates = {}
        for path in ready:
            try:
                dates[path] = observed(read_header(path))
            except AstrosieveError:
                dates[path] = math.nan
        order = sorted(ready, key=lambda p: (np.nan_to_num(dates[p], nan=np.inf), p))
        return [(path, ready[path]) for path in order]

    def _frame(self, path: Path) -> Frame:
        """Read an image, or take it from memory."""
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns)
        kept = self._cache.get(path)
        if kept is None or kept[0] != state:
            kept = (state, read_frame(path))
        self._cache[path] = kept
        self._cache.move_to_end(path)
        while len(self._cache) > _KEPT:
            self._cache.popitem(last=False)
        return kept[1]

    def _candidates(self, frame: Frame) -> list[Frame]:
        """Return images before another: the last of the log's, and those given."""
        before = [
            each
            for each in self.log.records
            if each['kind'] == 'image'
            and each['filter'] == frame.filter_name
            and each['digest'] != frame.digest
            and each['mjd'] is not None
            and not each['mjd'] >= frame.date
        ]
        before.sort(key=lambda each: each['mjd'])
        places = [self.folder / each['file'] for each in before]
        candidates: list[Frame] = []
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstrosieveWarning)  # said when they came
            for path in [*reversed(places), *self.references]:
                if len(candidates) >= self.n_references and path not in self.references:
                    continue
                try:
                    candidates.append(self._frame(path))
                except (AstrosieveError, OSError):  # moved away since
                    continue
        return [
            each
            for each in candidates
            if each.filter_name == frame.filter_name and each.date < frame.date
        ]

    # Images

    def _look_at(self, path: Path, state: State) -> None:
        """Look for blobs in an image, log what was found, and report it."""
        said: list[str] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always', AstrosieveWarning)
            frame = self._frame(path)
            record: Record = {
                'kind': 'image',
                'file': path.name,
                'state': list(state),
                'digest': frame.digest,
                'mjd': None if math.isnan(frame.date) else frame.date,
                'filter': frame.filter_name,
                'status': 'reference',
            }
            copy_of = self._logged(frame.digest)
            if copy_of is not None:
                record |= {'kind': 'copy', 'of': copy_of['file']}
            elif not frame.date < self.since:
                frame.require_image()
                candidates = self._candidates(frame)
                if len(candidates) >= FEWEST:
                    record |= self._searched(frame, candidates)
                else:
                    said.append(f'{len(candidates)} images before it are too few')
        said += [str(each.message) for each in caught]
        record['warnings'] = '; '.join(said)
        self.log.append(record)
        for text in said:
            warnings.warn(
                text if path.name in text else f'{path.name}: {text}',
                AstrosieveWarning,
                stacklevel=3,
            )
        self._page_due = True
        self.log.sync()

    def _logged(self, digest: str) -> Record | None:
        images = (each for each in self.log.records if each['kind'] == 'image')
        return next((each for each in images if each['digest'] == digest), None)

    def _searched(self, frame: Frame, candidates: list[Frame]) -> Record:
        """Return what the log says of an image in which blobs were looked for."""
        found = examine(
            frame,
            candidates,
            model=self.model,
            known=self.known,
            n_references=self.n_references,
        )
        difference = found.difference
        picture = self.output / 'pictures' / f'{root_name(frame.path)}.png'
        picture.parent.mkdir(exist_ok=True)
        with atomic_path(picture, overwrite=True) as temporary:
            temporary.write_bytes(difference_png(difference))
        blobs = self._matched(found)
        return {
            'status': 'searched',
            'n_references': difference.n_references,
            'level': difference.level,
            'noise': difference.noise,
            'shift_x': difference.shift[1],
            'shift_y': difference.shift[0],
            'picture': picture.name,
            'subframes': _subframes(blobs, difference.data.shape),
            'blobs': blobs,
        }

    def _matched(self, found: Examined) -> list[Record]:
        """
        Return the blobs of an image: those that earlier images had have their id.

        Two of one image are two, however much they overlap.
        """
        earlier = [
            (blob['id'], blob['x'], blob['y'], blob['radius'])
            for each in self.log.records
            for blob in each.get('blobs', ())
        ]
        last = max((number for number, *_ in earlier), default=0)
        blobs = []
        for row in found.blobs:
            values = {name: float(row[name]) for name in _NUMBERS}
            x, y = values['x'], values['y']
            same = [
                (math.hypot(x - x0, y - y0), number)
                for number, x0, y0, radius in earlier
                if math.hypot(x - x0, y - y0)
                <= max(_SAME, (radius + values['radius']) / 2)
            ]
            blob: Record = {'id': min(same)[1] if same else last + 1, 'new': not same}
            if not same:
                last += 1
                fall = saliency(
                    found.difference.data, x, y, values['radius'], model=self.model
                )
                png = grey_png(saliency_levels(fall))
                blob['saliency'] = base64.b64encode(png).decode('ascii')
            known = {name: v for name, v in values.items() if math.isfinite(v)}
            blobs.append({**blob, **known, 'subframe': int(row['subframe'])})
        return blobs

    # Reports

    def _reported(self) -> int:
        """Report what the log does not call reported; return whether that failed."""
        try:
            self._report_left()
        except OutputError as error:
            self._complain(self.log.journal, str(error))
            return 1
        self._told.pop(self.log.journal, None)
        return 0

    def _report_left(self) -> None:
        """Report new blobs, and tell the command of them."""
        events = self._events()
        done = {r['id'] for r in self.log.records if r['kind'] == 'reported'}
        for number in [each for each in events if each not in done]:
            if number not in self._said:
                self.report(events[number])
                self._said.add(number)
            asked = self.notify is not None
            self.log.append({'kind': 'reported', 'id': number, 'notify': asked})
            self._page_due = True
        told = {r['id'] for r in self.log.records if r['kind'] == 'notified'}
        asked_for = [r['id'] for r in self.log.records if r.get('notify')]
        for number in asked_for if self.notify is not None else []:
            if number not in told and number not in self._notified:
                self._notified.add(number)
                problem = _run(str(self.notify), json.dumps(events[number]))
                if problem:
                    name = self.folder / events[number]['file']
                    self.trouble(name, f'blob {number} is reported, but {problem}')
                # Once: what failed may have been half of it.
                self.log.append({'kind': 'notified', 'id': number, 'problem': problem})
        self.log.sync()

    def _events(self) -> dict[int, dict[str, Any]]:
        """Return what is reported of each new blob, by its number."""
        return {
            blob['id']: {
                'event': 'new blob',
                **{k: v for k, v in blob.items() if k not in ('new', 'saliency')},
                'file': image['file'],
                'mjd': image['mjd'],
            }
            for image in self.log.records
            for blob in image.get('blobs', ())
            if blob['new']
        }

    def _write_page(self) -> None:
        """Write the page of the day."""
        last = self.log.records[-1]['logged']
        day = time.strftime('%Y-%m-%d', time.gmtime(last))
        try:
            text = watch_page(self.log.records, day, self.output / 'pictures')
            save_page(text, self.output / f'{day}.html', overwrite=True)
        except (AstrosieveError, OSError) as error:
            self.trouble(self.output / f'{day}.html', str(error))
        else:
            self._page_due = False


def _subframes(blobs: list[Record], shape: tuple[int, ...]) -> list[Record]:
    """Return for each subframe the highest probability and the number of blobs."""
    n = math.prod(-(-side // SIDE) for side in shape)
    held: list[list[float]] = [[] for _ in range(n)]
    for blob in blobs:
        held[blob['subframe']].append(blob['p_blob'])
    return [
        {'subframe': k, 'p_blob': max(p, default=0.0), 'n_blobs': len(p)}
        for k, p in enumerate(held)
    ]


def _run(command: str, text: str) -> str | None:
    """Run a command with a text on its standard input; return what went wrong."""
    try:
        done = subprocess.run(
            shlex.split(command),
            input=text,
            text=True,
            capture_output=True,
            timeout=_NOTIFY,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f'{command} could not be run ({error})'
    if done.returncode:
        said = ' '.join(done.stderr.split())[:200]
        return f'{command} ended with {done.returncode}{f" ({said})" if said else ""}'
    return None
