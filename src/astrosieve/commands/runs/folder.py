"""A folder in which work on many inputs is kept, and goes on where it ended."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from astropy.table import Column, Table

from astrosieve import __version__
from astrosieve.atomic import atomic_path
from astrosieve.commands.folders import hold
from astrosieve.commands.remote import Input, Remote
from astrosieve.commands.work import Answer, Done, Task
from astrosieve.exceptions import OutputError
from astrosieve.images.exposures import root_name
from astrosieve.tables.catalogs import plain_sky, write_catalog

__all__ = ['ROWS', 'TABLES', 'Kept', 'Run', 'Subject', 'identity', 'read_log']

TABLES = 'tables'
"""Folder of a table per input."""
ROWS = 'rows'
"""Folder of the data set of all rows."""
LOG = 'log.jsonl'
"""File of what happened, a JSON text in each line."""
ABOUT = 'run.json'
"""File of what is done in a run."""
_FORMAT = 'astrosieve-run-1'
_SKY = ('sky_centroid_ra', 'sky_centroid_dec')


def identity(source: Input) -> str:
    """Return the name by which a run knows an input: its address, or its full path."""
    return source.url if isinstance(source, Remote) else str(source.absolute())


@dataclass(frozen=True)
class Subject:
    """
    What is done in a run; all of it is done in the same way.

    Parameters
    ----------
    command : str
        Name of the command.
    options : dict
        Its options, as they were given.
    model, sha256 : str
        Name and version of the model, and the hash of its file.
    cwd : str
        Folder from which paths in the options are seen.
    version : str
        Of astrosieve.
    """

    command: str
    options: dict[str, Any]
    model: str = ''
    sha256: str = ''
    cwd: str = ''
    version: str = __version__

    def as_dict(self) -> dict[str, Any]:
        """Return what stands in the run's file."""
        return {'format': _FORMAT, **asdict(self)}

    @classmethod
    def of(cls, folder: Path) -> Subject:
        """
        Return what is done in a folder.

        Raises
        ------
        OutputError
            If it holds no run, or one of another version's form.
        """
        path = folder / ABOUT
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            if content.pop('format') != _FORMAT:
                raise KeyError('format')
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f'{path}: no run can be read from it ({error}); name another folder'
            raise OutputError(msg) from error


@dataclass(frozen=True)
class Kept:
    """
    Keeps what was found in an input, where it was found.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the run.
    """

    folder: Path

    def __call__(self, task: Task, answer: Answer) -> dict[str, int]:
        """Write rows, and return which files of the input there are, of what size."""
        root = root_name(task.path)
        plan = task.plan if isinstance(task.plan, dict) else {}
        paths = [path for path in plan.values() if path is not None]
        if answer.rows is not None:
            if not paths:
                paths = [self.folder / TABLES / f'{root}.ecsv']
                write_catalog(answer.rows, paths[0], overwrite=True)
            part = self.folder / ROWS / f'image={quote(root, safe="")}' / 'rows.parquet'
            part.parent.mkdir(parents=True, exist_ok=True)
            rows = _with_file(answer.rows, identity(task.path))
            write_catalog(rows, part, overwrite=True)
            paths.append(part)
        return {
            str(path.absolute().relative_to(self.folder)): path.stat().st_size
            for path in paths
            if path.exists()  # an option may be given for nothing
        }


def _with_file(rows: Table, name: str) -> Table:
    """Return rows with the columns that all inputs have, whatever is in them."""
    table = plain_sky(rows)
    table.add_column(Column(np.full(len(table), name), name='file'), index=0)
    if 'x_centroid' in table.colnames:
        for each in _SKY:
            if each not in table.colnames:  # no WCS
                table[each] = np.full(len(table), np.nan)
    return table


class Run:
    """
    A run that is going on; no other process can write to its folder meanwhile.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder; it is made where it is missing.
    subject : `Subject`
        What is done.

    Raises
    ------
    InUseError
        If another process is at work in it.
    OutputError
        If it holds another run, or cannot be written.
    """

    def __init__(self, folder: Path, subject: Subject) -> None:
        self.folder = folder.absolute()
        self.subject = subject
        if find_spec('pyarrow') is None:
            msg = "a run needs pyarrow: pip install 'astrosieve[batch]'"
            raise OutputError(msg)
        for each in (TABLES, ROWS):
            _made(self.folder / each)
        self._lock = hold(
            self.folder / 'lock',
            'another process is at work on this run; wait for its end, or name another '
            'folder',
        )
        try:
            self._claim()
        except OutputError:
            self._lock.close()
            raise
        self.keep = Kept(self.folder)
        self._cut()
        self._done = {
            each['input']: each['files']
            for each in read_log(self.folder)
            if each['event'] == 'done'
        }
        self._log = (self.folder / LOG).open('a', encoding='utf-8')

    def _claim(self) -> None:
        """Write what is done here, or hold it against what was."""
        path = self.folder / ABOUT
        if path.exists():
            before, now = Subject.of(self.folder).as_dict(), self.subject.as_dict()
            other = [key for key in now if key != 'cwd' and before[key] != now[key]]
            if other:
                was, is_ = before[other[0]], now[other[0]]
                msg = (
                    f'{self.folder}: holds a run of another {other[0]}: {was}, not '
                    f'{is_}. Name another folder'
                )
                raise OutputError(msg)
        else:
            with atomic_path(path) as temporary:
                text = json.dumps(self.subject.as_dict(), indent=2)
                temporary.write_text(text, encoding='utf-8')

    def _cut(self) -> None:
        """Take away what an end in the middle has left."""
        for each in (TABLES, ROWS):
            for path in (self.folder / each).rglob('.*'):
                path.unlink(missing_ok=True)
        log = self.folder / LOG
        if log.exists():
            content = log.read_bytes()
            whole = content.rfind(b'\n') + 1
            if whole < len(content):
                os.truncate(log, whole)

    def left(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks whose results are not there, whole."""
        roots = Counter(root_name(each.path) for each in tasks)
        twice = [root for root, n in roots.items() if n > 1]
        if twice:
            msg = (
                f'several images are called {twice[0]}: a run keeps each by its name. '
                'Give them to several runs'
            )
            raise OutputError(msg)
        return [each for each in tasks if not self._whole(identity(each.path))]

    def _whole(self, name: str) -> bool:
        files = self._done.get(name)
        if files is None:
            return False
        for path, size in files.items():
            try:
                if (self.folder / path).stat().st_size != size:
                    return False
            except OSError:
                return False
        return True

    def begin(self, *, inputs: int, left: int) -> None:
        """Log that work begins."""
        self._write(
            'begin',
            inputs=inputs,
            left=left,
            model=self.subject.model,
            sha256=self.subject.sha256,
            version=__version__,
            python=platform.python_version(),
            host=socket.gethostname(),
        )

    def record(self, source: Input, done: Done) -> None:
        """Log what came of an input."""
        said: dict[str, Any] = {
            'input': identity(source),
            'seconds': round(done.seconds, 3),
            'warnings': list(done.warnings),
        }
        if done.error is None:
            self._write('done', **said, found=done.answer.data, files=done.files)
        else:
            text = str(done.error) or type(done.error).__name__
            self._write('failed', **said, error=text, kind=type(done.error).__name__)

    def _write(self, event: str, **said: Any) -> None:
        time = datetime.now(UTC).isoformat(timespec='milliseconds')
        line = _as_json({'time': time, 'event': event, **said})
        try:
            self._log.write(f'{line}\n')
            self._log.flush()
            os.fsync(self._log.fileno())
        except OSError as error:
            msg = f'{self.folder / LOG}: cannot be written ({error.strerror})'
            raise OutputError(msg) from error

    def close(self) -> None:
        """Let others in."""
        with suppress(OSError):  # what could not be written was said
            self._log.close()
        self._lock.close()


def _as_json(content: Mapping[str, Any]) -> str:
    """Return a JSON text; what is not a number there is null."""
    text = json.dumps(content, default=str)
    return json.dumps(json.loads(text, parse_constant=lambda name: None))


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f'{folder}: the folder cannot be made ({error.strerror})'
        raise OutputError(msg) from error


def read_log(folder: Path) -> Iterator[Mapping[str, Any]]:
    """
    Yield what a run has logged.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the run.

    Yields
    ------
    event : dict
        ``time``, ``event`` and what belongs to it; a last line that is not whole is
        left out.
    """
    try:
        with (folder / LOG).open(encoding='utf-8') as lines:
            for line in lines:
                if line.endswith('\n'):
                    yield json.loads(line)
    except FileNotFoundError:
        return
