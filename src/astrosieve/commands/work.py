"""A piece of work on one input, and what came of it, wherever it is done."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from astrosieve.atomic import protected
from astrosieve.commands.console import Say, listened
from astrosieve.exceptions import WorkerError

__all__ = ['Answer', 'Done', 'Job', 'Task', 'packed']


@dataclass(frozen=True)
class Answer:
    """
    What came of one input.

    Parameters
    ----------
    text : str
        A line or more, which is printed.
    data : dict
        The same for ``--json``.
    result : object
        What the command makes something of when all inputs are done.
    error : Exception, optional
        Why the input counts as failed, though there is a result.
    """

    text: str = ''
    data: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Task:
    """
    One input.

    Parameters
    ----------
    number : int
        Its place among the inputs.
    path : `~pathlib.Path`
        The input.
    plan : object
        What the work needs for it.
    """

    number: int
    path: Path
    plan: Any


@dataclass(frozen=True)
class Done:
    """
    A task that is done.

    Parameters
    ----------
    number : int
        Which.
    answer : `Answer`
        What came of it.
    warnings, said : tuple of str
        What was warned of, and what was shown meanwhile.
    seconds : float
        How long it took.
    """

    number: int
    answer: Answer
    warnings: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def error(self) -> Exception | None:
        """Why it failed."""
        return self.answer.error


@dataclass(frozen=True)
class Job:
    """
    What is done with each input.

    Parameters
    ----------
    work : callable
        Called with an input, its plan, and a function that shows what is being done;
        returns an `Answer`.
    protect : tuple of `~pathlib.Path`
        What must not be written over.
    """

    work: Callable[[Path, Any, Say], Answer]
    protect: tuple[Path, ...] = ()

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Keep what is read from being written over."""
        with protected(self.protect):
            yield

    def do(self, task: Task, say: Say) -> Done:
        """Work on an input; whatever goes wrong is in the answer."""
        start = time.perf_counter()
        with listened() as heard:
            try:
                answer = self.work(task.path, task.plan, say)
            except Exception as error:
                answer = Answer(error=error)
        seconds = time.perf_counter() - start
        return Done(task.number, answer, tuple(heard), seconds=seconds)


def packed(done: Done, said: Sequence[str]) -> bytes:
    """Return what came of a task as bytes, its error with where it was raised."""
    done = replace(done, said=tuple(said))
    if done.error is not None:
        done.error.add_note(''.join(traceback.format_exception(done.error)))
    try:
        content = pickle.dumps(done)
        pickle.loads(content)
    except Exception as error:  # whatever the classes of others raise
        cause = done.error or error
        other = WorkerError(f'{type(cause).__name__}: {cause}')
        content = pickle.dumps(replace(done, answer=Answer(error=other)))
    return content
