"""The log: what was logged stays, whatever happens to its files."""

from __future__ import annotations

import base64
import errno
import json
import os
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from astrosieve.blob.log import Log
from astrosieve.commands.folders import InUseError
from astrosieve.exceptions import AstrosieveWarning, OutputError

PICTURE = b'a picture'


def image(number: int) -> dict[str, Any]:
    """Return what is logged of an image with one new blob."""
    blob = {
        'id': number, 'new': True, 'x': 10.0 * number, 'y': 5.0, 'radius': 4.0,
        'depth': 0.1, 'p_blob': 0.9, 'subframe': 0,
        'saliency': base64.b64encode(PICTURE).decode(),
    }  # fmt: skip
    return {
        'kind': 'image', 'file': f'i{number}.fits', 'digest': str(number),
        'mjd': 57000.0 + number, 'filter': 'F153M', 'status': 'searched',
        'subframes': [{'subframe': 0, 'p_blob': 0.9, 'n_blobs': 1}], 'blobs': [blob],
    }  # fmt: skip


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / 'blobs.sqlite')) as connection:
        return connection.execute(query).fetchall()


def filled(folder: Path, n: int = 3) -> list[dict[str, Any]]:
    """Log some images and reports, and return the records."""
    with Log(folder) as log:
        for number in range(1, n + 1):
            log.append(image(number))
            log.append({'kind': 'reported', 'id': number, 'notify': False})
        assert log.sync()
        return log.records


def test_tables(tmp_path: Path) -> None:
    """Images, subframes and blobs, with probability and saliency, can be asked for."""
    records = filled(tmp_path)
    assert rows(tmp_path, 'SELECT file, mjd FROM image') == [
        ('i1.fits', 57001.0), ('i2.fits', 57002.0), ('i3.fits', 57003.0)
    ]  # fmt: skip
    assert rows(tmp_path, 'SELECT p_blob, n_blobs FROM subframe') == [(0.9, 1)] * 3
    found = rows(tmp_path, 'SELECT id, x, p_blob, saliency FROM blob')
    assert found == [(k, 10.0 * k, 0.9, PICTURE) for k in (1, 2, 3)]
    reported = rows(tmp_path, 'SELECT reported FROM blob')
    assert [when for (when,) in reported] == [r['logged'] for r in records[1::2]]


def test_it_goes_on(tmp_path: Path) -> None:
    """Opened again it has all that was logged; nothing is warned of."""
    records = filled(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with Log(tmp_path) as log:
            assert log.records == records
            assert log.append(image(4))['seq'] == 7


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second one is told, and the first is not disturbed; then it may."""
    with Log(tmp_path) as log:
        with pytest.raises(InUseError, match='another watch keeps the log'):
            Log(tmp_path)
        log.append(image(1))
    with Log(tmp_path) as log:
        assert len(log.records) == 1


@pytest.mark.parametrize('how', ['rubbish', 'half', 'hole', 'empty', 'other tables'])
def test_a_damaged_database(tmp_path: Path, how: str) -> None:
    """It is moved aside and made anew from the journal: the same rows as before."""
    records = filled(tmp_path, 40)
    before = rows(tmp_path, 'SELECT * FROM blob')
    path = tmp_path / 'blobs.sqlite'
    content = path.read_bytes()
    if how == 'other tables':
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute('CREATE TABLE record (number INTEGER)')
    else:
        hole = content[:4096] + bytes(len(content) - 4096)
        path.write_bytes(
            {'rubbish': b'not a database' * 999, 'half': content[: len(content) // 2],
             'hole': hole, 'empty': b''}[how]
        )  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        with Log(tmp_path) as log:
            assert log.records == records
    assert rows(tmp_path, 'SELECT * FROM blob') == before
    if how != 'empty':
        assert ['is damaged' in str(each.message) for each in said] == [True]
        assert (tmp_path / 'blobs.sqlite.damaged-1').exists()


def test_a_locked_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds it, all goes into the journal; then it catches up."""
    monkeypatch.setattr('astrosieve.blob.log._PATIENCE', 0.05)
    filled(tmp_path, 1)
    with Log(tmp_path) as log:
        with closing(sqlite3.connect(tmp_path / 'blobs.sqlite')) as other:
            other.execute('BEGIN EXCLUSIVE')
            log.append(image(2))
            with pytest.warns(AstrosieveWarning, match=r'is behind .*locked'):
                assert not log.sync()
        assert log.sync()
    assert len(rows(tmp_path, 'SELECT * FROM blob')) == 2
    assert not list(tmp_path.glob('*damaged*'))


def test_a_torn_line(tmp_path: Path) -> None:
    """A line that was cut off while it was written is dropped, the others stay."""
    records = filled(tmp_path)
    (tmp_path / 'blobs.sqlite').unlink()
    journal = tmp_path / 'blobs.jsonl'
    journal.write_bytes(journal.read_bytes() + b'{"seq": 7, "kind": "ima')
    with pytest.warns(AstrosieveWarning, match='1 lines could not be read'):
        log = Log(tmp_path)
    with log:
        assert log.records == records
        log.append(image(4))
    with Log(tmp_path) as log:
        assert [each['seq'] for each in log.records] == [*range(1, 8)]


@pytest.mark.parametrize('how', ['gone', 'rubbish', 'middle'])
def test_a_damaged_journal(tmp_path: Path, how: str) -> None:
    """What the journal lost the database still has."""
    records = filled(tmp_path)
    journal = tmp_path / 'blobs.jsonl'
    lines = journal.read_bytes().splitlines(keepends=True)
    if how == 'gone':
        journal.unlink()
    else:
        lines[2:4] = [b'\0\xff rubbish\n']
        journal.write_bytes(b'\xff' * 500 if how == 'rubbish' else b''.join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        with Log(tmp_path) as log:
            assert log.records == records
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    assert kept == records


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a record that had no room is left; the next one is logged."""
    with Log(tmp_path) as log:
        log.append(image(1))
        before = log.journal.read_bytes()

        def full(number: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, 'fsync', full)
            with pytest.raises(OutputError, match='No space left on device'):
                log.append(image(2))
        assert log.journal.read_bytes() == before
        assert len(log.records) == 1
        assert log.append(image(2))['seq'] == 2


def test_the_clock_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of the log never do, and it is said."""
    with Log(tmp_path) as log:
        first = log.append(image(1))['logged']
        monkeypatch.setattr(time, 'time', lambda: first - 5000)
        with pytest.warns(AstrosieveWarning, match='clock has gone back'):
            assert log.append(image(2))['logged'] == first


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(OutputError, match=r'blobs.lock: cannot be written'):
        Log(tmp_path / 'missing')
