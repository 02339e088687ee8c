"""The scores of a stream: a database, so that each candidate is scored once."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.commands.folders import State, hold
from astrosieve.exceptions import OutputError
from astrosieve.transient.classes import REAL

__all__ = ['Row', 'Store', 'read_scores', 'rows_table']

Row = dict[str, Any]
"""What is known of a candidate, by the columns of the table ``score``."""

_COLUMNS = (
    *('id', 'object', 'mjd', 'file', 'p_real', 'class_name', 'p', 'flags', 'reason'),
    *('model', 'scored'),
)
_TABLES = """
CREATE TABLE IF NOT EXISTS score (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE, object TEXT, mjd REAL, file TEXT,
    p_real REAL, class_name TEXT, p TEXT, flags INTEGER, reason TEXT, model TEXT,
    scored REAL, said INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS score_object ON score (object);
CREATE INDEX IF NOT EXISTS score_said ON score (said) WHERE NOT said;
CREATE TABLE IF NOT EXISTS file (
    name TEXT, size INTEGER, changed INTEGER, n INTEGER, problem TEXT,
    PRIMARY KEY (name, size, changed));
"""
_INSERT = (
    f'INSERT OR REPLACE INTO score ({", ".join(_COLUMNS)}) VALUES '
    f'({", ".join("?" * len(_COLUMNS))})'
)
_AT_ONCE = 500  # of the variables of a query


class Store:
    """
    The scores of one stream.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where ``transients.sqlite`` is, and its lock.

    Raises
    ------
    InUseError
        If another stream writes there.
    OutputError
        If the database is damaged, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / 'transients.sqlite'
        held = 'another stream writes its scores into this folder'
        self._lock = hold(folder / 'transients.lock', held)
        try:
            with self._told():
                self._database = sqlite3.connect(self.path)
                self._database.row_factory = sqlite3.Row
                self._database.executescript(_TABLES)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()
        self._lock.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # full, locked, gone
            msg = f'{self.path}: cannot be written ({error})'
            raise OutputError(msg) from error
        except sqlite3.DatabaseError as error:
            msg = (
                f'{self.path}: is damaged ({error}); move it away, and all that is in '
                'the folder is scored anew'
            )
            raise OutputError(msg) from error

    def files(self) -> set[tuple[str, int, int]]:
        """Return name, size and time of change of the files that are done."""
        with self._told():
            found = self._database.execute('SELECT name, size, changed FROM file')
            return {tuple(row) for row in found}

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some candidates that have a score."""
        found: set[str] = set()
        with self._told():
            for first in range(0, len(ids), _AT_ONCE):
                some = ids[first : first + _AT_ONCE]
                marks = ', '.join('?' * len(some))
                rows = self._database.execute(
                    f'SELECT id FROM score WHERE id IN ({marks}) AND p_real NOTNULL',
                    some,
                )
                found |= {row['id'] for row in rows}
        return found

    def add(
        self, rows: Iterable[Row], files: Iterable[tuple[Path, State, int, str]] = ()
    ) -> None:
        """
        Keep scores, and which files are done, all or nothing of it.

        Parameters
        ----------
        rows : iterable of dict
            Candidates; one that had no score before is replaced.
        files : iterable of tuple
            Path, state, number of candidates, and what was wrong with it.
        """
        files = list(files)
        with self._told(), self._database:
            # What an earlier look at a file, half-written, could not read.
            self._database.executemany(
                'DELETE FROM score WHERE file = ? AND p_real IS NULL AND reason IN '
                '(SELECT problem FROM file WHERE name = ?)',
                [(path.name, path.name) for path, *_ in files],
            )
            self._database.executemany(
                _INSERT, [[row[name] for name in _COLUMNS] for row in rows]
            )
            self._database.executemany(
                'INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)',
                [(path.name, *state, n, problem) for path, state, n, problem in files],
            )

    def unsaid(self) -> list[Row]:
        """Return the candidates that were not said yet, in order."""
        with self._told():
            found = self._database.execute('SELECT * FROM score WHERE NOT said')
            return sorted(map(dict, found), key=lambda row: row['seq'])

    def mark_said(self, rows: Iterable[Row]) -> None:
        """Remember that candidates were said."""
        with self._told(), self._database:
            self._database.executemany(
                'UPDATE score SET said = 1 WHERE seq = ?',
                [(row['seq'],) for row in rows],
            )

    def of_objects(self, objects: Iterable[str]) -> list[Row]:
        """Return all candidates of some objects."""
        found: list[Row] = []
        with self._told():
            for name in objects:
                rows = self._database.execute(
                    'SELECT * FROM score WHERE object = ? ORDER BY seq', [name]
                )
                found += map(dict, rows)
        return found


def read_scores(path: str | Path) -> Table:
    """
    Read the scores of a stream, also while it runs.

    Parameters
    ----------
    path : path-like
        Its folder, or the database in it.

    Returns
    -------
    table : `~astropy.table.Table`
        As `~astrosieve.transient.score.score_table` makes it, with the file of each.

    Raises
    ------
    OutputError
        If there is no such database.
    """
    path = Path(path)
    path = path / 'transients.sqlite' if path.is_dir() else path
    try:
        database = sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro', uri=True)
        database.row_factory = sqlite3.Row
        try:
            rows = [*map(dict, database.execute('SELECT * FROM score ORDER BY seq'))]
        finally:
            database.close()
    except sqlite3.Error as error:
        msg = f'{path}: no scores of a stream can be read from it ({error})'
        raise OutputError(msg) from error
    return rows_table(rows)


def rows_table(rows: Sequence[Row]) -> Table:
    """Return rows of the database as a table."""
    table = Table()
    for name in ('file', 'id', 'object'):
        table[name] = np.array([row[name] for row in rows], dtype=str)
    table['mjd'] = _numbers([row['mjd'] for row in rows], float)
    table[f'p_{REAL}'] = _numbers([row['p_real'] for row in rows])
    table['class_name'] = np.array([row['class_name'] for row in rows], dtype=str)
    shares = [json.loads(row['p']) for row in rows]
    for name in dict.fromkeys(name for each in shares for name in each if name != REAL):
        table[f'p_{name}'] = _numbers([each.get(name) for each in shares])
    table['flags'] = np.array([row['flags'] for row in rows], dtype=np.int32)
    table['reason'] = np.array([row['reason'] for row in rows], dtype=str)
    return table


def _numbers(values: Iterable[float | None], dtype: type = np.float32) -> np.ndarray:
    return np.array([math.nan if v is None else v for v in values], dtype=dtype)
