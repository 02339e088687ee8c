"""Work on many inputs: warnings, errors, progress, exit codes."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning
from astrosieve.images.exposures import root_name

__all__ = [
    'OutputOption',
    'Outputs',
    'Say',
    'plan_outputs',
    'report_warnings',
    'run_batch',
]

Plan = TypeVar('Plan')
Outputs = dict[str, Path | None]
"""Files of one image, by the options that name them."""
Say = Callable[[str], None]
"""Shows what is being done."""


@contextmanager
def report_warnings(name: str, seen: set[str]) -> Iterator[None]:
    """
    Say warnings on stderr in one line each, and each text once.

    Parameters
    ----------
    name : str
        What the warnings are about.
    seen : set of str
        Texts said before; new ones are added.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstrosieveWarning)
        warnings.filterwarnings('always', module='photutils')
        try:
            yield
        finally:
            for text in dict.fromkeys(str(w.message) for w in caught):
                if text not in seen:
                    seen.add(text)
                    where = '' if name in text else f'{name}: '
                    click.echo(f'warning: {where}{text}', err=True)


@dataclass(frozen=True)
class OutputOption:
    """
    An option that names a file for one image, and a folder for several.

    Parameters
    ----------
    flag : str
        The option.
    given : `~pathlib.Path` or None
        Its value.
    suffix : str
        What a file's name has after the root of the image's.
    always : bool
        Whether the file is written without the option too, in the current folder.
    """

    flag: str
    given: Path | None
    suffix: str
    always: bool = False

    def is_folder(self, images: Sequence[Path]) -> bool:
        """Return whether the option names a folder, which several images need."""
        if self.given is None:
            return False
        if len(images) > 1 and self.given.exists() and not self.given.is_dir():
            msg = (
                f'{self.flag} must name a folder for several images; {self.given} is '
                'a file'
            )
            raise click.UsageError(msg)
        return len(images) > 1 or self.given.is_dir()


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
        folder = Path() if option.given is None and option.always else None
        if option.is_folder(images):
            folder = option.given
        for outputs, root in zip(plan, roots, strict=True):
            name = f'{root}{option.suffix}'
            outputs[option.flag] = option.given if folder is None else folder / name
    for folder in {path.parent for path in plan[0].values() if path and len(plan) > 1}:
        folder.mkdir(parents=True, exist_ok=True)
    return plan


def run_batch(
    inputs: Sequence[Path],
    plan: Sequence[Plan],
    work: Callable[[Path, Plan, Say], str],
) -> None:
    """
    Do a piece of work for each input; exit with 1 if any of them failed.

    Each warning is said once, each error with the input that it is about.

    Parameters
    ----------
    inputs : sequence of `~pathlib.Path`
        Files or folders.
    plan : sequence
        What ``work`` needs for each of them.
    work : callable
        Called with an input, its plan, and a function that shows what is being
        done; its answer is printed.
    """
    failed = 0
    seen: set[str] = set()
    with click.progressbar(
        length=len(inputs),
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        show_pos=True,
        item_show_func=lambda item: item,
    ) as bar:

        def say(text: str) -> None:
            bar.current_item = text
            bar.render_progress()

        for path, outputs in zip(inputs, plan, strict=True):
            say(path.name)
            try:
                with report_warnings(path.name, seen):
                    answer = work(path, outputs, say)
                click.echo(answer)
            except (AstrosieveError, ValueError, MemoryError) as error:
                failed += 1
                text = str(error) or type(error).__name__
                where = '' if path.name in text else f'{path}: '
                click.echo(f'error: {where}{text}', err=True)
            bar.update(1)
    if failed:
        if len(inputs) > 1:
            click.echo(f'{failed} of {len(inputs)} images failed', err=True)
        sys.exit(1)
