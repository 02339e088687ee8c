"""Streams that are full or closed, and signals that end a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = [sys.executable, '-c', 'from astrosieve.cli import main; main()']
FULL = Path('/dev/full')

SLOW = """
import signal, sys, time
for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)  # whatever the tests' own caller ignores
from pathlib import Path
import click
from astrosieve.atomic import atomic_path
from astrosieve.commands.base import Command

@click.command(cls=Command)
def slow():
    with atomic_path(Path('picture.png')) as temporary:
        temporary.write_bytes(b'half')
        print('begun', flush=True)
        time.sleep(60)

slow()
"""


@pytest.mark.skipif(not FULL.exists(), reason='needs /dev/full')
@pytest.mark.parametrize(
    'arguments',
    [
        ('--help',),
        ('--version',),
        ('models',),
        ('models', '--help'),
        ('classify', 'FLC', '-o', '-', '--fwhm', '2.4'),
        ('classify', 'FLC', '-o', 'a.ecsv', '--fwhm', '2.4'),
    ],
    ids=' '.join,
)
@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_full(
    unbuffered: str, arguments: tuple[str, ...], flc: Path, tmp_path: Path
) -> None:
    """Standard output without room is one line and exit code 1."""
    given = [str(flc) if each == 'FLC' else each for each in arguments]
    with FULL.open('w') as full:
        ran = subprocess.run(
            [*RUN, *given],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
        )
    assert ran.returncode == 1
    assert 'cannot be written' in ran.stderr
    assert 'No space left' in ran.stderr
    assert 'Traceback' not in ran.stderr
    assert 'report' not in ran.stderr


OTHER = """
import errno, sys
import click
from astrosieve.commands.base import Command

@click.command(cls=Command)
def other():
    sys.stdout.write('told before')
    raise OSError(errno.ENOSPC, 'No space left on device')

other()
"""


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_another_file_is_full(unbuffered: str) -> None:
    """What was written to standard output before is not lost."""
    ran = subprocess.run(
        [sys.executable, '-c', OTHER],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
    )
    assert ran.returncode == 1
    assert ran.stdout == 'told before'
    assert ran.stderr == 'error: cannot be written: No space left on device\n'


@pytest.mark.parametrize(('output', 'code'), [('-', 1), ('a.ecsv', 0)])
def test_closed(output: str, code: int, flc: Path, tmp_path: Path) -> None:
    """Nobody listens: only a table for standard output is an error."""
    command = [*RUN, 'classify', str(flc), '--fwhm', '2.4', '-o', output]
    ran = subprocess.run(
        ['sh', '-c', 'exec "$@" >&-', 'sh', *command],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == code, ran.stderr
    assert ('standard output cannot be written (it is closed)' in ran.stderr) == code
    assert 'Traceback' not in ran.stderr
    assert (tmp_path / 'a.ecsv').exists() == (code == 0)


@pytest.mark.skipif(sys.platform == 'win32', reason='signals of POSIX')
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_nothing_behind(number: int, tmp_path: Path) -> None:
    """A file that is being written is gone when a signal ends the command."""
    with subprocess.Popen(
        [sys.executable, '-c', SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b'begun\n'
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        try:
            process.wait(30)
        finally:
            process.kill()
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert not list(tmp_path.iterdir())


def test_names_that_are_no_text(flc: Path, tmp_path: Path) -> None:
    """A file whose name is no text of the locale is done as any other."""
    strange = os.fsencode(tmp_path) + b'/b\xff_flc.fits'
    try:
        Path(os.fsdecode(strange)).write_bytes(flc.read_bytes())
    except OSError:
        pytest.skip('the file system takes no such name')
    ran = subprocess.run(
        [*RUN, 'classify', strange, str(flc), '--fwhm', '2.4', '-o', 'out/'],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / 'out').iterdir())) == 2


def test_a_name_that_is_too_long(flc: Path, tmp_path: Path) -> None:
    """It is an error of its own; the other images are done."""
    ran = subprocess.run(
        [*RUN, 'classify', 'a' * 300, str(flc), '--fwhm', '2.4', '-o', 'out/'],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 1
    assert 'File name too long' in ran.stderr
    assert len(list((tmp_path / 'out').iterdir())) == 1
