"""Tests of folders in which files arrive."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from astrosieve.commands import folders
from astrosieve.exceptions import OutputError


@pytest.mark.parametrize(
    'heard', [pytest.param(True, marks=pytest.mark.watchfiles), False]
)
def test_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: bool) -> None:
    """With watchfiles and without, a look is due after some time at the latest."""
    monkeypatch.setattr(folders, '_SETTLED', 0.01)
    monkeypatch.setattr(folders, 'find_spec', lambda name: heard or None)
    start = time.monotonic()
    due = folders.changes(tmp_path, 0.1)
    for _ in range(4):
        next(due)
    assert time.monotonic() - start < 30
    due.close()


def test_states(tmp_path: Path) -> None:
    """Files by name, without hidden ones and those of other suffixes."""
    for name in ('b.avro', 'a.AVRO', '.c.avro', 'd.txt'):
        (tmp_path / name).write_text(name)
    states = folders.file_states(tmp_path, ('.avro',))
    assert [path.name for path in states] == ['a.AVRO', 'b.avro']
    assert states[tmp_path / 'b.avro'][0] == 6


def test_one_holds(tmp_path: Path) -> None:
    """Others are told; when it lets go they may."""
    first = folders.hold(tmp_path / 'x.lock', 'somebody writes here')
    with pytest.raises(folders.InUseError, match='somebody writes here'):
        folders.hold(tmp_path / 'x.lock', 'somebody writes here')
    first.close()
    folders.hold(tmp_path / 'x.lock', 'somebody writes here').close()
    with pytest.raises(OutputError, match='cannot be written'):
        folders.hold(tmp_path / 'none' / 'x.lock', '')
