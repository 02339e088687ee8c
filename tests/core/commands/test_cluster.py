"""Work on a Dask cluster that really runs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from astrosieve.commands import cluster
from astrosieve.commands.console import Console

pytest.importorskip('distributed')
Run = Callable[..., Result]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def _program(name: str, *words: str, **own: str) -> subprocess.Popen[bytes]:
    """Start a scheduler or a worker."""
    command = [sys.executable, '-m', 'distributed.cli.dask_' + name, *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {'PYTHONWARNINGS': 'ignore', 'OMP_NUM_THREADS': '1', **own},
    )


def _scheduler(port: int) -> subprocess.Popen[bytes]:
    words = ('--host', '127.0.0.1', '--port', str(port), '--no-dashboard')
    process = _program('scheduler', *words)
    _wait(lambda: _listens(port))
    return process


def _worker(port: int, name: str, **own: str) -> subprocess.Popen[bytes]:
    words = ('--nthreads', '1', '--no-nanny', '--no-dashboard', '--name', name)
    return _program('worker', f'tcp://127.0.0.1:{port}', *words, **own)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextlib.contextmanager
def _ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for each in processes:
            each.kill()
            each.wait()


@pytest.mark.slow
def test_a_cluster(run: Run) -> None:
    """The same is said; a process that ends, or takes too long, is passed by."""
    port = _free_port()
    with _ended(_scheduler(port), _worker(port, 'one'), _worker(port, 'two')):
        result = run(
            ['slow-0.5.fits', 'bad-1.fits', 'crash-1.fits', 'slow-60.fits', 'a.fits'],
            *('--scheduler', f'tcp://127.0.0.1:{port}', '--time-limit', '5', '--json'),
        )
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert [each['input'] for each in said] == [
        'slow-0.5.fits', 'bad-1.fits', 'crash-1.fits', 'slow-60.fits', 'a.fits',
    ]  # fmt: skip
    errors = [each.get('error') for each in said]
    assert errors[0] is errors[4] is None
    assert errors[1] == 'damaged'
    assert 'signal 11' in errors[2]
    assert 'not done within 5 s' in errors[3]
    assert 'dashboard' in result.stderr
    assert Path('a_copy.txt').read_text() == 'of a.fits'


@pytest.mark.slow
def test_a_worker_is_lost(run: Run) -> None:
    """What it was at is done by another, once."""
    port = _free_port()
    first, second = _worker(port, 'one'), None
    with _ended(_scheduler(port), first):

        def lose() -> None:
            nonlocal second
            _wait(lambda: Path('once-1.seen').exists() or first.poll() is not None)
            second = _worker(port, 'two')
            time.sleep(1)
            first.kill()

        thread = threading.Thread(target=lose)
        thread.start()
        names = ['once-1.fits', *(f'slow-1.{n}.fits' for n in range(6))]
        words = ('--scheduler', f'tcp://127.0.0.1:{port}', '--run', 'night')
        result = run(names, *words)
        thread.join()
        assert second is not None
        with _ended(second):
            assert result.exit_code == 0, result.stderr
    assert len(list(Path('night/tables').iterdir())) == 7


@pytest.mark.slow
def test_a_damaged_model(run: Run) -> None:
    """Where one worker's weights are damaged, the others do its images."""
    port = _free_port()
    workers = _worker(port, 'one', DAMAGED='1'), _worker(port, 'two')
    with _ended(_scheduler(port), *workers):
        names = [f'model-{n}.fits' for n in range(4)]
        result = run(names, '--scheduler', f'tcp://127.0.0.1:{port}')
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [f'{name}: of {name}' for name in names]


@pytest.mark.slow
def test_the_scheduler_is_gone_and_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work waits for it, and goes on."""
    port = _free_port()
    scheduler, processes = _scheduler(port), []
    gone, note = threading.Event(), Console.note

    def noted(console: Console, text: str) -> None:
        note(console, text)
        if 'is gone; waiting for it' in text:
            gone.set()

    def swap() -> None:
        _wait(lambda: any(Path().glob('*.begun')))  # Dask keeps no order
        scheduler.kill()
        _wait(gone.is_set)
        processes.extend([_scheduler(port), _worker(port, 'two')])
        Path('go').touch()

    monkeypatch.setattr(Console, 'note', noted)
    first = _worker(port, 'one')
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        names = ['a.fits', *(f'held-{n}.fits' for n in range(1, 5))]
        words = ('--scheduler', f'tcp://127.0.0.1:{port}', '--overwrite')
        result = run(names, *words)
    finally:
        thread.join()
        with _ended(scheduler, first, *processes):
            pass
    assert result.exit_code == 0, result.stderr
    assert gone.is_set()
    assert len(list(Path().glob('*_copy.txt'))) == 5


def test_no_scheduler(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that nobody answers is said; nothing is done."""
    monkeypatch.setattr(cluster, '_CONNECT', 1.0)
    result = run(['a.fits'], '--scheduler', f'tcp://127.0.0.1:{_free_port()}')
    assert result.exit_code == 1
    assert 'no Dask scheduler answers' in result.stderr
    assert not Path('a_copy.txt').exists()
