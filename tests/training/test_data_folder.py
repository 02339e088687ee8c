"""One rule for where the real data lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrosieve_training import data_folder as module
from astrosieve_training.data_folder import data_folder


def test_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names the folder that holds hst; there is no other then."""
    monkeypatch.setenv('ASTROSIEVE_DATA', str(tmp_path))
    assert data_folder() is None
    (tmp_path / 'hst').mkdir()
    assert data_folder() == tmp_path / 'hst'


def test_beside_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest above the package, where the variable is not set or empty."""
    deep = tmp_path / 'repository' / 'training' / 'data_folder.py'
    monkeypatch.setattr(module, '__file__', str(deep))
    monkeypatch.setenv('ASTROSIEVE_DATA', '')
    assert data_folder() is None
    there = tmp_path / 'shared' / 'data' / 'hst'
    there.mkdir(parents=True)
    assert data_folder() == there
    monkeypatch.delenv('ASTROSIEVE_DATA')
    assert data_folder() == there
