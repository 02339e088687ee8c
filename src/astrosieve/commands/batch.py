"""Work on many inputs: warnings, errors, progress, exit codes."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from astrosieve.atomic import protected
from astrosieve.commands.base import unforeseen
from astrosieve.commands.console import Say, console
from astrosieve.exceptions import AstrosieveError, OutputError
from astrosieve.images.exposures import root_name

__all__ = [
    'STDOUT',
    'Answer',
    'OutputOption',
    'Outputs',
    'delivered',
    'plan_outputs',
    'run_batch',
    'without_existing',
]

Plan = TypeVar('Plan')
Outputs = dict[str, Path | None]
"""Files of one image, by the options that name them."""
STDOUT = Path('-')
"""Instead of a file: standard output."""


@dataclass(frozen=True)
class Answer:
    """
    What is printed of one input.

    Parameters
    ----------
    text : str
        A line or more.
    data : dict
        The same for ``--json``.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)


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

    def folder(self, images: Sequence[Path]) -> Path | None:
        """Return the folder that the option names, which several images need."""
        if self.given is None:
            return Path() if self.always else None
        path = Path(self.given)
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
    images: Sequence[Path], options: Sequence[OutputOption]
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
    images: Sequence[Path], plan: Sequence[Outputs], flag: str = '-o'
) -> tuple[list[Path], list[Outputs]]:
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
    inputs: Sequence[Path],
    plan: Sequence[Plan],
    work: Callable[[Path, Plan, Say], Answer],
    *,
    protect: Iterable[Path] = (),
) -> None:
    """
    Do a piece of work for each input; exit with 1 if any of them failed.

    Each warning is said once, each error with the input that it is about; the other
    inputs are done all the same. No input can be written over.

    Parameters
    ----------
    inputs : sequence of `~pathlib.Path`
        Files or folders.
    plan : sequence
        What ``work`` needs for each of them.
    work : callable
        Called with an input, its plan, and a function that shows what is being done.
    protect : iterable of `~pathlib.Path`, optional
        What else is read, and must not be written over.
    """
    said = console()
    failed = 0
    with protected([*inputs, *protect]), said.progress(len(inputs)) as (say, advance):
        for path, outputs in zip(inputs, plan, strict=True):
            say(path.name)
            try:
                with said.warnings_of(path.name):
                    answer = work(path, outputs, say)
            except Exception as error:
                known = isinstance(error, (AstrosieveError, ValueError, MemoryError))
                if said.debug and not known:
                    raise
                failed += 1
                text = (str(error) or type(error).__name__) if known else ''
                said.failure(path, text or unforeseen(error))
            else:
                said.answer(answer.text, answer.data)
            advance()
    if failed:
        if len(inputs) > 1:
            said.note(f'{failed} of {len(inputs)} images failed')
        said.finish()
        sys.exit(1)
