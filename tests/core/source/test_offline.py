"""Nothing is sent, and nothing is left in the user's home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from astrosieve.source.demo import demo_exposure

NO_SOCKETS = """
import socket
def refuse(*arguments, **rest):
    raise AssertionError('a socket was opened')
socket.socket.__init__ = refuse
socket.getaddrinfo = refuse
from astrosieve.cli import main
main()
"""


@pytest.fixture
def classify(tmp_path: Path):
    """Run `astrosieve classify` where sockets are refused and HOME is empty."""
    home = tmp_path / 'home'
    home.mkdir()

    def run(*before: str) -> set[str]:
        environment = {k: v for k, v in os.environ.items() if 'XDG' not in k}
        environment.pop('ORT_DISABLE_TELEMETRY', None)
        environment |= {'HOME': str(home)}
        words = ['classify', str(demo_exposure()), '-o', str(tmp_path / 'out.ecsv')]
        done = subprocess.run(
            [*before, sys.executable, '-c', NO_SOCKETS, *words, '--overwrite'],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {str(path.relative_to(home)) for path in home.rglob('*')}

    return run


def test_no_telemetry(classify, tmp_path: Path) -> None:
    """No file of onnxruntime's telemetry, and no socket, in Python or beneath."""
    left = classify()
    assert not any('Microsoft' in name or 'onnxruntime' in name for name in left)
    if shutil.which('strace') and os.access('/proc/sys/kernel', os.R_OK):
        log = tmp_path / 'calls'
        classify('strace', '-f', '-o', str(log), '-e', 'trace=socket,connect')
        calls = log.read_text(encoding='utf-8', errors='replace').splitlines()
        assert [line for line in calls if 'AF_INET' in line] == []


def test_the_user_s_own_value_wins() -> None:
    """Whoever wants to be counted is."""
    code = 'import astrosieve.models.session, os; print(os.environ["%s"])'
    name = 'ORT_DISABLE_TELEMETRY'
    for given, kept in (({name: '0'}, '0'), ({}, '1')):
        environment = {k: v for k, v in os.environ.items() if k != name} | given
        done = subprocess.run(
            [sys.executable, '-c', code % name],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == kept
