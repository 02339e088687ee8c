"""
The log of the watch: a journal of JSON lines, and a database made from it.

What has happened is appended to the journal, a line for each image that was looked at
and for each blob that was reported, and is on the disk before anything else is done.
The SQLite database holds the same in tables, for those who ask. It is brought up to
date from the journal; damaged it is moved aside and made anew, and locked by another
program it is left alone until it is free. What the journal has lost is taken back
from it.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from astrosieve.commands.folders import hold
from astrosieve.exceptions import AstrosieveWarning, OutputError

__all__ = ['Log']

Record = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS image (
    seq INTEGER PRIMARY KEY, file TEXT, digest TEXT, mjd REAL, filter TEXT,
    logged REAL, status TEXT, n_references INTEGER, level REAL, noise REAL,
    shift_x REAL, shift_y REAL, warnings TEXT);
CREATE TABLE IF NOT EXISTS subframe (
    image INTEGER REFERENCES image (seq), subframe INTEGER, p_blob REAL,
    n_blobs INTEGER, PRIMARY KEY (image, subframe));
CREATE TABLE IF NOT EXISTS blob (
    image INTEGER REFERENCES image (seq), id INTEGER, new INTEGER, x REAL, y REAL,
    radius REAL, depth REAL, p_blob REAL, x_err REAL, y_err REAL, radius_err REAL,
    depth_err REAL, subframe INTEGER, saliency BLOB, reported REAL);
CREATE INDEX IF NOT EXISTS blob_id ON blob (id);
"""
_BACKWARDS = 60.0  # seconds by which a clock may go back unnoticed
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_PATIENCE = 2.0  # seconds for which another program's lock is waited for


class Log:
    """
    The log of one folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where ``blobs.jsonl``, ``blobs.sqlite`` and ``blobs.lock`` are.

    Raises
    ------
    InUseError
        If another watch has opened it.
    OutputError
        If it cannot be written.

    Attributes
    ----------
    records : list of dict
        All that has been logged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / 'blobs.jsonl'
        self.database = folder / 'blobs.sqlite'
        held = 'another watch keeps the log in this folder'
        self._lock = hold(folder / 'blobs.lock', held)
        try:
            self.records = self._restored()
            self.sync()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others open the log."""
        self._lock.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # Journal

    def _restored(self) -> list[Record]:
        """Return the records of the journal, with those that only the database has."""
        found: dict[int, Record] = {}
        broken = 0
        if self.journal.exists():
            for line in self.journal.read_bytes().splitlines():
                record = _parsed(line)
                if record is None:
                    broken += bool(line.strip())
                else:
                    found.setdefault(record['seq'], record)
        with_text = len(found)
        for record in self._in_database():
            found.setdefault(record['seq'], record)
        records = [found[seq] for seq in sorted(found)]
        if broken or len(found) > with_text:
            if broken:
                aside = _aside(self.journal)
                _warn(
                    f'{self.journal}: {broken} lines could not be read; kept as '
                    f'{aside.name}, the others are in use'
                )
            lines = ''.join(_line(each) for each in records)
            temporary = self.journal.with_suffix('.new')
            temporary.write_text(lines, encoding='utf-8')
            temporary.replace(self.journal)
        return records

    def append(self, record: Record) -> Record:
        """
        Log something; when this returns it is on the disk.

        Parameters
        ----------
        record : dict
            What JSON holds; ``kind`` says what it is.

        Returns
        -------
        record : dict
            With ``seq`` and ``logged``, seconds since 1970, which never go back.

        Raises
        ------
        OutputError
            If the disk is full, or the journal cannot be written; nothing of the
            record is left in it.
        """
        seq = self.records[-1]['seq'] + 1 if self.records else 1
        record = {'seq': seq, 'logged': self._now(), **record}
        content = _line(record).encode()
        try:
            with self.journal.open('ab', buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    if file.write(content) != len(content):
                        msg = 'the disk is full'
                        raise OSError(msg)
                    os.fsync(file.fileno())
                except BaseException:
                    file.truncate(size)
                    raise
        except OSError as error:
            msg = f'{self.journal}: cannot be written ({error.strerror or error})'
            raise OutputError(msg) from error
        self.records.append(record)
        return record

    def _now(self) -> float:
        last = self.records[-1]['logged'] if self.records else 0.0
        now = time.time()
        if now < last - _BACKWARDS:
            _warn('the clock has gone back; the log goes on from its last time')
        return max(now, last)

    # Database

    def _in_database(self) -> Iterator[Record]:
        """Yield the records of the database, as far as it can be read."""
        if not self.database.exists():
            return
        with suppress(sqlite3.Error), closing(self._open()) as connection:
            for (text,) in connection.execute('SELECT text FROM record'):
                record = _parsed(str(text).encode())
                if record is not None:
                    yield record

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, timeout=_PATIENCE)

    def sync(self) -> bool:
        """
        Bring the database up to date.

        Returns
        -------
        done : bool
            `False` where another program has locked it, or the disk is full: what is
            missing comes with the next call.
        """
        try:
            self._fill()
        except sqlite3.DatabaseError as error:
            # Whoever else holds it, and a disk without room, let go again.
            if getattr(error, 'sqlite_errorcode', 0) & 0xFF in _PASSING:
                _warn(f'{self.database}: is behind ({error}); nothing is lost')
                return False
            aside = _aside(self.database)
            _warn(
                f'{self.database}: is damaged ({error}); kept as {aside.name}, and '
                'made anew from the journal'
            )
            self._fill()
        return True

    def _fill(self) -> None:
        with closing(self._open()) as connection:
            if not self.database.stat().st_size:
                connection.executescript(_TABLES)
            (state,) = connection.execute('PRAGMA quick_check(1)').fetchone()
            if state != 'ok':
                raise sqlite3.DatabaseError(state)
            connection.executescript(_TABLES)
            with connection:
                (last,) = connection.execute('SELECT max(seq) FROM record').fetchone()
                for record in self.records:
                    if record['seq'] > (last or 0):
                        _insert(connection, record)


def _line(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + '\n'


def _parsed(line: bytes) -> Record | None:
    """Return the record of a line, None where it holds none."""
    try:
        record = json.loads(line)
        if isinstance(record['seq'], int) and record['kind'] and record['logged']:
            return dict(record)
    except (ValueError, TypeError, KeyError):
        pass
    return None


def _aside(path: Path) -> Path:
    """Move a damaged file aside, and return where it is."""
    number = 1
    while (aside := path.with_name(f'{path.name}.damaged-{number}')).exists():
        number += 1
    path.replace(aside)
    for suffix in ('-journal', '-wal', '-shm'):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def _warn(text: str) -> None:
    warnings.warn(text, AstrosieveWarning, stacklevel=3)


def _insert(connection: sqlite3.Connection, record: Record) -> None:
    """Put a record into its tables."""
    seq = record['seq']
    connection.execute('INSERT INTO record VALUES (?, ?)', (seq, json.dumps(record)))
    if record['kind'] == 'reported':
        connection.execute(
            'UPDATE blob SET reported = ? WHERE id = ? AND new',
            (record['logged'], record['id']),
        )
    if record['kind'] != 'image':
        return
    columns: tuple[str, ...] = (
        *('seq', 'file', 'digest', 'mjd', 'filter', 'logged', 'status'),
        *('n_references', 'level', 'noise', 'shift_x', 'shift_y', 'warnings'),
    )
    _put(connection, 'image', columns, [record])
    subframes = ({**each, 'image': seq} for each in record.get('subframes', ()))
    _put(connection, 'subframe', ('image', 'subframe', 'p_blob', 'n_blobs'), subframes)
    columns = (
        *('image', 'id', 'new', 'x', 'y', 'radius', 'depth', 'p_blob', 'x_err'),
        *('y_err', 'radius_err', 'depth_err', 'subframe', 'saliency'),
    )
    blobs = (
        {
            **each,
            'image': seq,
            'saliency': base64.b64decode(each.get('saliency') or '') or None,
        }
        for each in record.get('blobs', ())
    )
    _put(connection, 'blob', columns, blobs)


def _put(
    connection: sqlite3.Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Iterable[Record],
) -> None:
    marks = ', '.join('?' * len(columns))
    connection.executemany(
        f'INSERT INTO {table} ({", ".join(columns)}) VALUES ({marks})',
        [[row.get(name) for name in columns] for row in rows],
    )
