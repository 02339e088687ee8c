"""Output files that are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from astrosieve.atomic import atomic_path, protected, replacing
from astrosieve.exceptions import ExposureError, OutputError


def test_writes_the_file_and_nothing_else(tmp_path: Path) -> None:
    """The file appears at the end, with the permissions of any new file."""
    path = tmp_path / 'out.ecsv'
    with atomic_path(path) as temporary:
        temporary.write_text('whole')
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert temporary.name.endswith('out.ecsv')
    other = tmp_path / 'other'
    other.touch()
    assert path.read_text() == 'whole'
    assert path.stat().st_mode == other.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ['other', 'out.ecsv']


def fail_halfway(path: Path) -> None:
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text('half')
        raise ZeroDivisionError


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """An error within goes through; no file is left, whole or half."""
    with pytest.raises(ZeroDivisionError):
        fail_halfway(tmp_path / 'out.ecsv')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('changing', [atomic_path, replacing])
def test_errors_of_what_is_read(changing: Any, tmp_path: Path) -> None:
    """What is wrong with an input is not said of the output."""
    path = tmp_path / 'out.fits'
    if changing is replacing:
        path.write_text('old')
    error = ExposureError('a.fits: it is empty')
    with pytest.raises(ExposureError, match=r'^a\.fits: it is empty$'), changing(path):
        raise error


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """What was there stays when writing fails."""
    path = tmp_path / 'out.ecsv'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError):
        fail_halfway(path)
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk(tmp_path: Path) -> None:
    """The system's reason is in the message."""
    path = tmp_path / 'out.ecsv'
    with (
        pytest.raises(OutputError, match=r'out\.ecsv: cannot be written \(No space'),
        atomic_path(path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_kept(tmp_path: Path) -> None:
    """Without overwrite an existing file is an error that says what to give."""
    path = tmp_path / 'out.ecsv'
    path.write_text('old')
    with (
        pytest.raises(OutputError, match=r'exists; give overwrite=True or another'),
        atomic_path(path),
    ):
        pytest.fail('must not get here')
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text('new')
    assert path.read_text() == 'new'


def test_folders(tmp_path: Path) -> None:
    """A missing folder and a folder in the file's place are told apart."""
    with (
        pytest.raises(OutputError, match=r'no/out\.ecsv: the folder .* does not exist'),
        atomic_path(tmp_path / 'no' / 'out.ecsv'),
    ):
        pytest.fail('must not get here')
    with (
        pytest.raises(OutputError, match='is a folder; name a file'),
        atomic_path(tmp_path, overwrite=True),
    ):
        pytest.fail('must not get here')


def test_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written is named, before any work."""
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    with (
        pytest.raises(OutputError, match='cannot be written; choose another'),
        atomic_path(tmp_path / 'out.ecsv'),
    ):
        pytest.fail('must not get here')


def test_replacing_an_input(tmp_path: Path) -> None:
    """A file takes its changes as a whole, or none of them, and keeps its rights."""
    path = tmp_path / 'a.txt'
    path.write_text('old')
    path.chmod(0o640)

    def fail() -> None:
        with replacing(path) as copy:
            copy.write_text('half')
            msg = 'on the way'
            raise ValueError(msg)

    with pytest.raises(ValueError, match='on the way'):
        fail()
    assert path.read_text() == 'old'
    with protected([path]), replacing(path) as copy:
        assert copy.read_text() == 'old'
        copy.write_text('new')
    assert path.read_text() == 'new'
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]
