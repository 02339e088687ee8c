"""Work side by side: the same words and files, whatever ends meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import Result

from astrosieve import machine
from astrosieve.commands import engines
from astrosieve.commands.work import Answer, Done, Job, Task
from astrosieve.exceptions import WorkerError

Run = Callable[..., Result]


NAMES = ('slow-0.5.fits', 'a.fits', 'bad-1.fits', 'warn-1.fits', 'warn-2.fits')


@pytest.mark.parametrize('jobs', ['1', '2'])
def test_the_same_is_said(run: Run, jobs: str) -> None:
    """Answers, errors and warnings come in the order of the inputs on any engine."""
    result = run(NAMES, '--jobs', jobs)
    assert result.exit_code == 1
    printed = [line for line in result.stdout.splitlines() if 'library' not in line]
    good = [name for name in NAMES if not name.startswith('bad')]
    assert printed == [f'{name}: of {name}' for name in good]
    assert result.stderr.splitlines() == [
        'error: bad-1.fits: damaged',
        'warning: warn-1.fits: all files are small',
        '1 of 5 images failed',
    ]
    assert Path('collected').read_text() == ' '.join(f'of {name}' for name in good)
    assert Path('slow-0.5_copy.txt').read_text() == 'of slow-0.5.fits'
    assert not list(Path().glob('.*'))


def test_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs are two other processes, which share the cores."""
    monkeypatch.setattr(engines, 'cores', lambda: 6)
    result = run([f'slow-0.{n}.fits' for n in (3, 31, 32)], '--jobs', '2', '--json')
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert len({each['process'] for each in said} - {os.getpid()}) == 2
    assert {each['threads'] for each in said} == {'3'}


def test_verbose_lines_have_their_order(run: Run) -> None:
    """What is shown meanwhile comes with its input."""
    result = run(['slow-0.3.fits', 'a.fits'], '--jobs', '2', '-v')
    assert result.stderr.splitlines() == [
        'slow-0.3.fits', 'measuring', 'a.fits', 'measuring',
    ]  # fmt: skip


def test_a_worker_that_is_killed(run: Run) -> None:
    """Its image is done again, by another; one that kills each is passed by."""
    result = run(['once-1.fits', 'crash-1.fits', 'a.fits'], '--jobs', '2')
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if 'crash' in line] == [
        'error: crash-1.fits: the process that worked on it ended, twice (signal 11); '
        'left out'
    ]
    assert Path('once-1_copy.txt').read_text() == 'of once-1.fits'
    assert Path('a_copy.txt').exists()


def test_an_odd_error(run: Run) -> None:
    """An error that cannot be sent is said all the same; others are done."""
    result = run(['odd-1.fits', 'a.fits'], '--jobs', '2')
    assert 'error: odd-1.fits: Odd: strange thing' in result.stderr
    assert Path('a_copy.txt').exists()


def test_a_time_limit(run: Run) -> None:
    """What takes too long is reported and passed by; what is quick is not touched."""
    start = time.monotonic()
    result = run(['slow-60.fits', 'a.fits', 'b.fits'], '--time-limit', '3')
    assert time.monotonic() - start < 50
    assert result.stderr.splitlines()[0] == (
        'error: slow-60.fits: not done within 3 s; left out'
    )
    assert {'a_copy.txt', 'b_copy.txt'} <= {path.name for path in Path().iterdir()}


def test_interrupted(pieces: Path) -> None:
    """Ctrl-C ends all processes, and nothing half-written is left."""
    _ended_by(signal.SIGINT, pieces, group=True)


def test_main_process_killed(pieces: Path) -> None:
    """Workers whose main process is gone end by themselves, and clear up."""
    _ended_by(signal.SIGKILL, pieces, group=False)


def _ended_by(number: int, module: Path, *, group: bool) -> None:
    for name in ('write-1.fits', 'write-2.fits'):
        Path(name).write_text('four')
    words = [sys.executable, str(module), 'write-1.fits', 'write-2.fits', '--jobs', '2']
    with subprocess.Popen(words, start_new_session=True) as process:
        begun = [Path(f'write-{n}.begun') for n in (1, 2)]
        _wait(lambda: all(each.exists() for each in begun))
        (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait(30) != 0
    _wait(lambda: not [*Path().glob('.*')])
    _wait(lambda: not _alive(process.pid))
    assert not list(Path().glob('*_copy.txt'))


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _slow(path: Path, plan: None, say: Callable[[str], None]) -> Answer:
    time.sleep(0.2)
    return Answer(path.name)


def _tasks(n: int) -> list[Task]:
    return [Task(k, Path(str(k)), None) for k in range(n)]


class _Recorded:
    """Stands for workers, and says that it was asked."""

    def __init__(self, job: Job, number: int) -> None:
        self.number = number

    def run(self, tasks: Sequence[Task]) -> Sequence[Done]:
        return [Done(each.number, Answer(f'{self.number} workers')) for each in tasks]


def test_workers_come_when_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few quick inputs are done here; many have workers after some were done here."""
    monkeypatch.setattr(engines, 'Workers', _Recorded)
    monkeypatch.setattr(engines, 'fitting', lambda: 3)
    rising = engines.Rising(Job(_slow), lambda text: None)
    few = [each.answer.text for each in rising.run(_tasks(4))]
    assert few == ['0', '1', '2', '3']
    many = [each.answer.text for each in rising.run(_tasks(60))]
    assert many[:2] == ['0', '1']
    assert set(many[2:]) == {'3 workers'}


def test_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no more processes than fit into memory, and always one."""
    monkeypatch.setattr(engines, 'cores', lambda: 8)
    monkeypatch.setattr(engines, 'peak_memory', lambda: 100)
    for free, number in ((10_000, 8), (350, 3), (10, 1), (None, 8)):
        monkeypatch.setattr(engines, 'free_memory', lambda free=free: free)
        assert engines.fitting() == number


def test_work_that_cannot_be_handed_over() -> None:
    """Without any option it is done here; who asks for processes is told."""
    job = Job(lambda path, plan, say: Answer(path.name))
    with pytest.raises(WorkerError, match='cannot be handed to other processes'):
        engines.Workers(job, 2)


def test_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of a container count, as does OMP_NUM_THREADS."""
    monkeypatch.setattr(machine, '_CGROUP', tmp_path)
    monkeypatch.setattr(machine, '_MEMINFO', tmp_path / 'meminfo')
    assert machine.free_memory() is None
    (tmp_path / 'meminfo').write_text('MemTotal: 9 kB\nMemAvailable: 8 kB\n')
    assert machine.free_memory() == 8192
    (tmp_path / 'memory.max').write_text('5000\n')
    (tmp_path / 'memory.current').write_text('1000\n')
    assert machine.free_memory() == 4000
    (tmp_path / 'cpu.max').write_text('100000 100000\n')
    assert machine.cores() == 1
    monkeypatch.setenv('OMP_NUM_THREADS', '7,2')
    assert machine.threads() == 7
    monkeypatch.setenv('OMP_NUM_THREADS', '0')
    assert machine.threads() == 1
