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

from astropy.table import Table

from astrosieve.atomic import protected
from astrosieve.commands.console import Say, listened
from astrosieve.commands.remote import Input, at_hand
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
    rows : `~astropy.table.Table`, optional
        What was found, a row for each thing, for the data set of a run.
    error : Exception, optional
        Why the input counts as failed, though there is a result.
    """

    text: str = ''
    data: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    rows: Table | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Task:
    """
    One input.

    Parameters
    ----------
    number : int
        Its place among the inputs.
    path : `~pathlib.Path` or `~astrosieve.commands.remote.Remote`
        The input.
    plan : object
        What the work needs for it.
    """

    number: int
    path: Input
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
    files : dict of str to int
        What a run keeps of it, and of what size.
    """

    number: int
    answer: Answer
    warnings: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    seconds: float = 0.0
    files: dict[str, int] = field(default_factory=dict)

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
    keep : callable, optional
        Called with a task and its answer; keeps what a run keeps, and returns which
        files there are and of what size.
    """

    work: Callable[[Path, Any, Say], Answer]
    protect: tuple[Input, ...] = ()
    keep: Callable[[Task, Answer], dict[str, int]] | None = None

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Keep what is read from being written over."""
        with protected(self.protect):
            yield

    def do(self, task: Task, say: Say) -> Done:
        """Work on an input; whatever goes wrong is in the answer."""
        start = time.perf_counter()
        files: dict[str, int] = {}
        with listened() as heard:
            try:
                with at_hand(task.path) as path:
                    answer = self.work(path, task.plan, say)
                if answer.data.get('input') == str(path):
                    answer.data['input'] = str(task.path)
                if self.keep is not None:
                    files = self.keep(task, answer)
            except Exception as error:
                answer = Answer(error=error)
        return Done(
            task.number,
            replace(answer, rows=None),  # they are kept, or nobody wants them
            tuple(heard),
            seconds=time.perf_counter() - start,
            files=files,
        )


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
