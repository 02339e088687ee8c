"""Work on many inputs: warnings, errors, progress, exit codes."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from astrosieve.commands.base import GIVEN, unforeseen
from astrosieve.commands.console import Say, console
from astrosieve.commands.engines import Engine, Here, Rising, Workers, fitting
from astrosieve.commands.remote import Input
from astrosieve.commands.runs.folder import TABLES, Run, Subject
from astrosieve.commands.work import Answer, Done, Job, Task
from astrosieve.exceptions import AstrosieveError, OutputError
from astrosieve.images.exposures import root_name
from astrosieve.models.registry import Model

__all__ = [
    'STDOUT',
    'Answer',
    'OutputOption',
    'Outputs',
    'delivered',
    'plan_outputs',
    'run_batch',
    'without_existing',
    'without_run',
]

Plan = TypeVar('Plan')
Outputs = dict[str, Path | None]
"""Files of one image, by the options that name them."""
STDOUT = Path('-')
"""Instead of a file: standard output."""
_NOT_KEPT = frozenset(
    ('jobs', 'time_limit', 'scheduler', 'run', 'overwrite', 'skip_existing', 'json')
) | {'verbose', 'quiet', 'debug'}
"""Options that change nothing of what a run finds."""


@dataclass(frozen=True)
class OutputOption:
    """
    An option that names a file for one image, and a folder for several.

    Parameters
    ----------
    flag : str
        The option.
    given : str or None
        Its value; with a slash at its end a folder, '-' standard output.
    suffix : str
        What a file's name has after the root of the image's.
    always : bool
        Whether the file is written without the option too, in the current folder.
    """

    flag: str
    given: str | None
    suffix: str
    always: bool = False

    def folder(self, images: Sequence[Input]) -> Path | None:
        """Return the folder that the option names, which several images need."""
        run = console().run
        if self.given is None:
            here = Path() if run is None else run / TABLES
            return here if self.always else None
        path = Path(self.given)
        if run is not None:
            if path.is_absolute() or path == STDOUT or '..' in path.parts:
                msg = f'{self.flag}: with --run name a folder within that of the run'
                raise click.UsageError(msg)
            return run / path
        if len(images) > 1:
            if path == STDOUT:
                msg = f'{self.flag} - goes with one image'
                raise click.UsageError(msg)
            if path.exists() and not path.is_dir():
                msg = (
                    f'{self.flag} must name a folder for several images; {path} is a '
                    'file'
                )
                raise click.UsageError(msg)
            return path
        return path if self.given.endswith('/') or path.is_dir() else None


def plan_outputs(
    images: Sequence[Input], options: Sequence[OutputOption]
) -> list[Outputs]:
    """
    Say where the files of each image go, before any work; make the folders.

    Parameters
    ----------
    images : sequence of `~pathlib.Path`
        Images.
    options : sequence of `OutputOption`
        What is written for each of them.

    Returns
    -------
    plan : list of dict
        For each image the paths by the options' flags, None for what is not wanted.

    Raises
    ------
    UsageError
        If an option names a file for several images, or their files would overwrite
        each other.
    """
    roots = [root_name(image) for image in images]
    twice = [root for root, n in Counter(roots).items() if n > 1]
    if twice:
        msg = (
            f'several images are called {twice[0]}: their files would overwrite each '
            'other. Give them one by one, with -o'
        )
        raise click.UsageError(msg)
    plan: list[Outputs] = [{} for _ in images]
    for option in options:
        folder = option.folder(images)
        for outputs, root in zip(plan, roots, strict=True):
            if folder is not None:
                outputs[option.flag] = folder / f'{root}{option.suffix}'
            else:
                outputs[option.flag] = Path(option.given) if option.given else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        console().stdout_taken |= STDOUT in plan[0].values()
    return plan


def without_existing(
    images: Sequence[Input], plan: Sequence[Outputs], flag: str = '-o'
) -> tuple[list[Input], list[Outputs]]:
    """
    Leave out images whose result is there, for ``--skip-existing``.

    Parameters
    ----------
    images, plan : sequence
        As in `plan_outputs`.
    flag : str, optional
        Option of the result.

    Returns
    -------
    images, plan : list
        What is left to do.
    """
    left = []
    for image, outputs in zip(images, plan, strict=True):
        path = outputs[flag]
        if path is not None and path.exists():
            console().answer(
                f'{image.name}: {path} exists; skipped',
                {'input': str(image), 'skipped': str(path)},
            )
        else:
            left.append((image, outputs))
    return [image for image, _ in left], [outputs for _, outputs in left]


def without_run(*names: str) -> None:
    """
    Refuse options that need all results at hand, which a run keeps in its folder.

    Raises
    ------
    UsageError
        If one of them is given together with ``--run``.
    """
    if console().run is None:
        return
    given = click.get_current_context().meta[GIVEN]
    for name in names:
        if name in given:
            flag = f'--{name.replace("_", "-")}'
            raise click.UsageError(f'{flag} does not go with --run')


@contextmanager
def delivered(path: Path) -> Iterator[Path]:
    """Give where to write a result: its file, or one that is then sent to stdout."""
    if path != STDOUT:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix='astrosieve-') as folder:
        temporary = Path(folder) / 'stdout'
        yield temporary
        try:
            sys.stdout.buffer.write(temporary.read_bytes())
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read has enough
            raise
        except (AttributeError, OSError) as error:  # closed, or full
            reason = getattr(error, 'strerror', None) or 'it is closed'
            msg = f'standard output cannot be written ({reason})'
            raise OutputError(msg) from error


def run_batch(
    inputs: Sequence[Input],
    plan: Sequence[Plan],
    work: Callable[[Path, Plan, Say], Answer],
    *,
    protect: Iterable[Path] = (),
    collect: Callable[[Input, Any], None] | None = None,
    model: Model | None = None,
) -> None:
    """
    Do a piece of work for each input; exit with 1 if any of them failed.

    Inputs are worked on side by side where that pays, or where the user says so; what
    is said comes in their order all the same. Each warning is said once, each error
    with the input that it is about; the other inputs are done all the same. No input
    can be written over.

    Parameters
    ----------
    inputs : sequence of `~pathlib.Path` or `~astrosieve.commands.remote.Remote`
        Files or folders; work is given a copy of what is elsewhere.
    plan : sequence
        What ``work`` needs for each of them.
    work : callable
        Called with an input, its plan, and a function that shows what is being done.
        What can be pickled can be done in other processes.
    protect : iterable of `~pathlib.Path`, optional
        What else is read, and must not be written over.
    collect : callable, optional
        Called with each input and the result of its answer, where it has one.
    model : `~astrosieve.models.registry.Model`, optional
        What the work is done with; it is read too.
    """
    said = console()
    read = [*inputs, *protect, *([model.path] if model else [])]
    tasks = [Task(*each) for each in zip(range(len(inputs)), inputs, plan, strict=True)]
    failed = 0
    with ExitStack() as stack:
        run = None if said.run is None else stack.enter_context(_run(said.run, model))
        if run is not None:
            tasks = _left(run, tasks)
        job = Job(work, tuple(read), None if run is None else run.keep)
        stack.enter_context(job.begun())
        say, advance = stack.enter_context(said.progress(len(tasks)))

        def on_done(done: Done) -> None:
            if run is not None:
                run.record(inputs[done.number], done)
            advance()

        found = _engine(job, len(tasks), say).run(tasks)
        stack.enter_context(closing(found))
        for done in _in_order(found, tasks, on_done):
            path = inputs[done.number]
            for text in done.said:
                say(text)
            for text in done.warnings:
                said.warning(text, about=path.name)
            if done.answer.result is not None and collect is not None:
                collect(path, done.answer.result)
            if done.error is None:
                said.answer(done.answer.text, done.answer.data)
            else:
                failed += 1
                said.failure(path, _reason(done.error, debug=said.debug))
    if failed:
        if len(inputs) > 1:
            said.note(f'{failed} of {len(inputs)} images failed')
        said.finish()
        sys.exit(1)


def _engine(job: Job, number: int, say: Say) -> Engine:
    """Return where as many tasks are done."""
    said = console()
    if said.scheduler is not None:
        from astrosieve.commands.cluster import Cluster

        return Cluster(job, said.scheduler, said.note, time_limit=said.time_limit)
    streamed = number == 1 and said.stdout_taken  # workers have no such output
    if streamed or (said.time_limit is None and (number < 2 or said.jobs == 1)):
        return Here(job, say)
    if said.jobs is None and said.time_limit is None:
        return Rising(job, say)
    jobs = min(said.jobs or fitting(), number)
    return Workers(job, jobs, time_limit=said.time_limit)


def _run(folder: Path, model: Model | None) -> AbstractContextManager[Run]:
    """Return the run that this command goes on with."""
    from astrosieve.commands.runs.going import going_on

    ctx = click.get_current_context()
    options = {
        name: value for name, value in ctx.meta[GIVEN].items() if name not in _NOT_KEPT
    }
    subject = Subject(
        str(ctx.info_name),
        options,
        model=f'{model.card.name} {model.card.version}' if model else '',
        sha256=model.card.sha256 if model else '',
        cwd=str(Path.cwd()),
    )
    return going_on(folder, subject)


def _left(run: Run, tasks: list[Task]) -> list[Task]:
    """Return what a run has not done, and say so."""
    left = run.left(tasks)
    run.begin(inputs=len(tasks), left=len(left))
    if len(left) < len(tasks):
        before = len(tasks) - len(left)
        console().note(f'{run.folder}: {before} of {len(tasks)} images are done')
    return left


def _in_order(
    found: Iterator[Done], tasks: Sequence[Task], on_done: Callable[[Done], None]
) -> Iterator[Done]:
    """Yield what is done in the order of the inputs."""
    waiting: dict[int, Done] = {}
    left = deque(task.number for task in tasks)
    for done in found:
        on_done(done)
        waiting[done.number] = done
        while left and left[0] in waiting:
            yield waiting.pop(left.popleft())


def _reason(error: Exception, *, debug: bool) -> str:
    """Return what is said of an error; raise it where its traceback is wanted."""
    known = isinstance(error, (AstrosieveError, ValueError, MemoryError))
    if debug and not known:
        raise error
    text = (str(error) or type(error).__name__) if known else ''
    return text or unforeseen(error)
