"""Work in other threads, with a shell of two queues in place of the viewer."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest

pytest.importorskip('ginga')

from astrosieve.exceptions import AstrosieveWarning, CatalogError
from astrosieve_plugins.ginga_classify.work import Job, Worker, describe


class Shell:
    """Runs work in a thread of its own, and what follows where `turn` is called."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.calls: Queue[tuple[Callable[..., None], tuple]] = Queue()

    def nongui_do(self, work: Callable[..., None], *given: Any) -> None:
        self.threads.append(threading.Thread(target=work, args=given))
        self.threads[-1].start()

    def gui_do(self, work: Callable[..., None], *given: Any) -> None:
        self.calls.put((work, given))

    def turn(self) -> None:
        for thread in self.threads:
            thread.join()
        while not self.calls.empty():
            work, given = self.calls.get()
            work(*given)


@pytest.fixture
def shell() -> Shell:
    return Shell()


@pytest.fixture
def worker(shell: Shell) -> Worker:
    return Worker(shell)


def test_work_is_handed_back(shell: Shell, worker: Worker) -> None:
    """The work is done elsewhere; steps and result arrive here, in their order."""
    heard: list[Any] = []

    def work(job: Job) -> int:
        job.step(0.5, 'half')
        return threading.get_ident()

    worker.run(
        'count',
        work,
        lambda result, job: heard.append((result, job.cancelled)),
        failed=heard.append,
        progress=lambda share, text: heard.append((share, text)),
    )
    assert worker.busy('count')
    assert worker.busy()
    assert not worker.busy('other')
    shell.turn()
    step, (thread, cancelled) = heard
    assert step == (0.5, 'half')
    assert thread != threading.get_ident()
    assert not cancelled
    assert not worker.busy()


def test_errors_are_told(shell: Shell, worker: Worker) -> None:
    """Whatever goes wrong is a text, and the worker is free again."""
    heard: list[str] = []

    def work(_job: Job) -> None:
        msg = 'no such\n  thing'
        raise KeyError(msg)

    worker.run('a', work, lambda *_: heard.append('done'), failed=heard.append)
    shell.turn()
    assert heard == ["KeyError: 'no such\\n thing'"]
    assert not worker.busy()


@pytest.mark.parametrize('replaced', [False, True])
def test_what_is_not_wanted_is_dropped(
    shell: Shell, worker: Worker, replaced: bool
) -> None:
    """Neither result nor error of cancelled or replaced work is heard of."""
    heard: list[str] = []
    go_on = threading.Event()

    def work(job: Job) -> str:
        go_on.wait(30)
        job.step(1, 'late')
        return 'first'

    worker.run('a', work, lambda text, _: heard.append(text), failed=heard.append)
    if replaced:
        worker.run(
            'a',
            lambda _job: 'second',
            lambda text, _: heard.append(text),
            failed=heard.append,
        )
    else:
        assert worker.cancel('a')
        assert not worker.cancel('a')
    go_on.set()
    shell.turn()
    assert heard == (['second'] if replaced else [])
    assert not worker.busy()


def test_one_at_a_time_collects_its_warnings() -> None:
    """Our warnings become texts, each once; those of others are not shown."""
    said: list[str] = []
    job = Job(lambda _share, text: said.append(text))
    with job.alone():
        for _ in range(2):
            warnings.warn('ours', AstrosieveWarning, stacklevel=1)
        warnings.warn('theirs', UserWarning, stacklevel=1)
    assert job.texts == ['ours']
    assert said == []


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (CatalogError('no column\n x'), 'no column x'),
        (ValueError('wide'), 'wide'),
        (OSError('gone'), 'OSError: gone'),
        (MemoryError('8 GiB'), 'not enough memory (8 GiB); close other images'),
        (RuntimeError(), 'RuntimeError: RuntimeError'),
    ],
)
def test_errors_in_one_line(error: Exception, text: str) -> None:
    """People read what went wrong; the kind of error only where it helps."""
    assert describe(error) == text
