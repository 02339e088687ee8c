"""Where tasks are done: in this process, or in several of this machine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, Protocol

from astrosieve.commands.console import Say
from astrosieve.commands.work import Answer, Done, Job, Task
from astrosieve.exceptions import TimeLimitError, WorkerError
from astrosieve.machine import BLAS_THREADS, cores, free_memory, peak_memory

__all__ = ['Engine', 'Here', 'Rising', 'Worker', 'Workers', 'content_of', 'fitting']

_PATIENCE = 5.0  # seconds for a worker to end
_START = 3.0  # seconds: workers import what is imported here already


_LOST = (EOFError, OSError, ValueError, pickle.UnpicklingError)  # closed, or cut


class Engine(Protocol):
    """What does tasks."""

    def run(self, tasks: Sequence[Task]) -> Generator[Done, None, None]:
        """Do tasks; yield each when it is done, in whatever order."""
        ...


class Here:
    """
    This process, which does one task after the other.

    Parameters
    ----------
    job : `~astrosieve.commands.work.Job`
        What is done.
    say : callable
        Shows what is being done.
    """

    def __init__(self, job: Job, say: Say) -> None:
        self._job = job
        self._say = say

    def run(self, tasks: Sequence[Task]) -> Generator[Done, None, None]:
        """Do tasks in their order."""
        for task in tasks:
            self._say(task.path.name)
            yield self._job.do(task, self._say)


def content_of(job: Job) -> bytes:
    """
    Return what is done as bytes, for other processes.

    Raises
    ------
    WorkerError
        If it cannot be handed over.
    """
    try:
        return pickle.dumps(job)
    except Exception as error:  # whatever the classes of others raise
        msg = f'the work cannot be handed to other processes ({error}); use jobs=1'
        raise WorkerError(msg) from error


class Worker:
    """
    A process that does one task after the other, and is replaced where it ends.

    Parameters
    ----------
    job : bytes
        A pickled `~astrosieve.commands.work.Job`.
    threads : int
        Threads that it computes with.
    time_limit : float, optional
        Seconds after which a task is given up.
    cwd : str, optional
        Folder from which it sees paths; else the current one.
    """

    def __init__(
        self,
        job: bytes,
        threads: int,
        time_limit: float | None = None,
        *,
        cwd: str | None = None,
    ) -> None:
        self._job = job
        self._cwd = cwd
        own = {'OMP_NUM_THREADS': str(threads), **BLAS_THREADS}
        self._environment = os.environ | own
        self._time_limit = time_limit
        self._lock = threading.Lock()
        self._ended = False
        self._process: _Process | None = None

    def start(self) -> _Process:
        """
        Return the process, started where there is none.

        Raises
        ------
        WorkerError
            If it cannot be started, or what is done cannot be handed to it.
        """
        with self._lock:
            if self._ended:
                raise WorkerError('the work has ended')
            if self._process is not None:
                return self._process
            try:
                process = self._process = _Process(self._environment, self._cwd)
            except OSError as error:
                raise WorkerError(f'no process can be started ({error})') from error
        try:
            problem = process.ask((sys.path, self._job))
        except _LOST as error:
            problem = f'no process can be started ({process.ending()})'
            raise WorkerError(problem) from error
        if problem:
            process.end()
            self._process = None
            raise WorkerError(problem)
        return process

    def do(self, task: Task) -> Done:
        """Do a task; where the process ends meanwhile, once more."""
        for _ in range(2):
            process = self.start()
            with _ended_after(self._time_limit, process) as late:
                try:
                    done: Done = process.ask(task)
                    return done
                except _LOST:
                    ending = process.ending()
            self._process = None
            if late.is_set():
                msg = f'not done within {self._time_limit:g} s; left out'
                return Done(task.number, Answer(error=TimeLimitError(msg)))
        msg = f'the process that worked on it ended, twice ({ending}); left out'
        return Done(task.number, Answer(error=WorkerError(msg)))

    def end(self) -> None:
        """End the process, so that it leaves nothing half-written."""
        with self._lock:
            self._ended = True
        if self._process is not None:
            self._process.end()


class _Process:
    """A process that answers what it is sent."""

    def __init__(self, environment: dict[str, str], cwd: str | None) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, '-P', '-m', 'astrosieve.commands.worker'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._to, self._from = self._popen.stdin, self._popen.stdout

    def ask(self, content: Any) -> Any:
        """Return what is answered; raise one of `_LOST` where it has ended."""
        pickle.dump(content, self._to)
        self._to.flush()
        return pickle.load(self._from)

    def ending(self) -> str:
        """Return how it ended."""
        code = self._popen.wait()
        for stream in (self._to, self._from):
            with suppress(OSError):  # what was not sent is lost
                stream.close()
        return f'signal {-code}' if code < 0 else f'exit code {code}'

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()

    def end(self) -> None:
        """End it, with time to clear up."""
        self._popen.terminate()
        try:
            self._popen.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self.ending()


@contextmanager
def _ended_after(
    seconds: float | None, process: _Process
) -> Generator[threading.Event, None, None]:
    """Kill a process after some time; give what tells whether that was done."""
    late = threading.Event()
    if seconds is None:
        yield late
        return

    def give_up() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


class Workers:
    """
    Processes of this machine, which do tasks side by side.

    Each opens its model once, and computes with its part of the cores.

    Parameters
    ----------
    job : `~astrosieve.commands.work.Job`
        What is done; it must be possible to pickle it.
    number : int
        How many processes.
    time_limit : float, optional
        Seconds after which a task is given up.

    Raises
    ------
    WorkerError
        If what is done cannot be handed to other processes.
    """

    def __init__(
        self, job: Job, number: int, *, time_limit: float | None = None
    ) -> None:
        content = content_of(job)
        threads = max(cores() // number, 1)
        self._workers = [Worker(content, threads, time_limit) for _ in range(number)]
        self._workers[0].start()

    def run(self, tasks: Sequence[Task]) -> Generator[Done, None, None]:
        """Do tasks; each process takes the next one that is left."""
        left = iter(tasks)
        lock = threading.Lock()
        done: SimpleQueue[Done | Exception] = SimpleQueue()

        def work(worker: Worker) -> None:
            try:
                while True:
                    with lock:
                        task = next(left, None)
                    if task is None:
                        return
                    done.put(worker.do(task))
            except Exception as error:
                done.put(error)

        threads = [
            threading.Thread(target=work, args=(each,), daemon=True)
            for each in self._workers
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in tasks:
                each = done.get()
                if isinstance(each, Exception):
                    raise each
                yield each
        finally:
            with lock:
                left = iter(())
            for worker in self._workers:
                worker.end()
            for thread in threads:
                thread.join()


class Rising:
    """
    This process first, and several as soon as what is left is worth their start.

    Parameters
    ----------
    job, say
        As for `Here`.
    """

    def __init__(self, job: Job, say: Say) -> None:
        self._job = job
        self._here = Here(job, say)

    def run(self, tasks: Sequence[Task]) -> Generator[Done, None, None]:
        """Do tasks."""
        spare = _START  # the first task imports and opens what the others find
        for n, task in enumerate(tasks, 1):
            for done in self._here.run([task]):
                yield done
            left = tasks[n:]
            number = min(fitting(), len(left))
            saved = (done.seconds - spare) * (len(left) - len(left) / max(number, 1))
            spare = 0.0
            if saved > _START:
                try:
                    workers = Workers(self._job, number)
                except WorkerError:  # what cannot be handed over is done here
                    yield from self._here.run(left)
                else:
                    yield from workers.run(left)
                return


def fitting() -> int:
    """Return for how many processes like this one there are cores and memory."""
    number = cores()
    free, need = free_memory(), peak_memory()
    if free is not None and need:
        number = min(number, free // need)
    return max(number, 1)
