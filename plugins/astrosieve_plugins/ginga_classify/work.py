"""
Work off the GUI thread: watched, cancelled, and handed back.

A piece of work takes a `Job`, through which it says what it does and learns whether it
is still wanted; a `Worker` runs the pieces of one channel in the viewer's threads.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning

__all__ = ['CancelledError', 'Job', 'Worker', 'describe']

# Python's filters of warnings belong to all threads: one piece of work at a time.
_ONE_AT_A_TIME = threading.Lock()


class CancelledError(Exception):
    """The work is not wanted any more."""


@dataclass
class Job:
    """
    A piece of work that can be watched and cancelled.

    Parameters
    ----------
    report : callable
        Called with a share done (0 to 1) and what is being done.
    """

    report: Callable[[float, str], None]
    texts: list[str] = field(default_factory=list)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask for the work to end."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to end."""
        return self._cancelled.is_set()

    def step(self, share: float, text: str) -> None:
        """Say what is being done; end where the work is cancelled."""
        if self.cancelled:
            raise CancelledError
        self.report(share, text)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for other work to end; collect warnings in ``texts``."""
        if not _ONE_AT_A_TIME.acquire(blocking=False):
            self.step(0, 'waiting for another channel')
            while not _ONE_AT_A_TIME.acquire(timeout=0.1):
                self.step(0, 'waiting for another channel')
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('ignore')
                warnings.simplefilter('always', AstrosieveWarning)
                yield
            self.texts += dict.fromkeys(str(warning.message) for warning in caught)
        finally:
            _ONE_AT_A_TIME.release()


@dataclass
class _Task:
    """Work on its way to another thread and back, whose threads remember it."""

    kind: str
    job: Job
    work: Callable[[Job], Any]
    done: Callable[[Any, Job], None]
    failed: Callable[[str], None]
    result: Any = None
    error: str | None = None

    def clear(self) -> None:
        """Let go of what the work holds."""
        self.work = lambda _job: None
        self.done = lambda _result, _job: None
        self.failed = lambda _text: None
        self.result = None


class Worker:
    """
    The work of one channel, one piece of each kind at a time.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer, whose threads do the work.
    """

    def __init__(self, fv: Any) -> None:
        self._fv = fv
        self._jobs: dict[str, Job] = {}

    def busy(self, *kinds: str) -> bool:
        """Return whether work is under way: of some kinds, else of any."""
        return bool(self._jobs.keys() & kinds) if kinds else bool(self._jobs)

    def run(
        self,
        kind: str,
        work: Callable[[Job], Any],
        done: Callable[[Any, Job], None],
        *,
        failed: Callable[[str], None],
        progress: Callable[[float, str], None] | None = None,
    ) -> None:
        """
        Do a piece of work in another thread; what follows is done in this one.

        Parameters
        ----------
        kind : str
            What comes of earlier work of this kind is dropped.
        work : callable
            Does it, given its `Job`.
        done : callable
            Called with what ``work`` returned, and the job.
        failed : callable
            Called with the error in its place, as `describe` words it. Neither is
            called after `cancel`.
        progress : callable, optional
            Called with the share done (0 to 1) and what is being done.
        """

        def report(share: float, text: str) -> None:
            if progress is not None:
                self._fv.gui_do(self._follow, kind, job, progress, share, text)

        job = Job(report)
        self._jobs[kind] = job
        self._fv.nongui_do(self._work, _Task(kind, job, work, done, failed))

    def cancel(self, kind: str) -> bool:
        """Cancel a kind of work; return whether there was any."""
        job = self._jobs.pop(kind, None)
        if job is not None:
            job.cancel()
        return job is not None

    def cancel_all(self) -> None:
        """Cancel whatever is under way."""
        for kind in list(self._jobs):
            self.cancel(kind)

    def _work(self, task: _Task) -> None:
        """In another thread: work, and hand back what came of it, even an error."""
        try:
            task.result = task.work(task.job)
        except CancelledError:
            task.clear()
            return
        except Exception as problem:  # whatever it is, the user shall read it
            task.error = describe(problem)
        self._fv.gui_do(self._finish, task)

    def _follow(
        self,
        kind: str,
        job: Job,
        progress: Callable[[float, str], None],
        share: float,
        text: str,
    ) -> None:
        if self._jobs.get(kind) is job:
            progress(share, text)

    def _finish(self, task: _Task) -> None:
        result, error, job = task.result, task.error, task.job
        done, failed = task.done, task.failed
        task.clear()
        if self._jobs.get(task.kind) is not job:
            return
        del self._jobs[task.kind]
        if error is None:
            done(result, job)
        else:
            failed(error)


def describe(error: Exception) -> str:
    """Return an error as one line for people."""
    text = ' '.join(str(error).split()) or type(error).__name__
    if isinstance(error, AstrosieveError):
        return text
    if isinstance(error, MemoryError):
        return f'not enough memory ({text}); close other images'
    return text if isinstance(error, ValueError) else f'{type(error).__name__}: {text}'
