"""Work on many inputs: warnings, errors, progress, exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning


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


def in_folder(option: Path | None, images: tuple[Path, ...], flag: str) -> bool:
    """Return whether an output option names a folder."""
    if option is None:
        return False
    if len(images) > 1:
        if option.exists() and not option.is_dir():
            msg = f'{flag} must name a folder for several images; {option} is a file'
            raise click.UsageError(msg)
        return True
    return option.is_dir()


def for_each_image(
    images: tuple[Path, ...],
    plan: list[Any],
    work: Callable[[Path, Any, Callable[[str], None]], str],
) -> None:
    """
    Do a piece of work for each image; exit with 1 if any of them failed.

    Parameters
    ----------
    images : tuple of `~pathlib.Path`
        Images.
    plan : list
        What ``work`` needs for each of them.
    work : callable
        Called with an image, its plan, and a function that shows what is being
        done; its answer is printed.
    """
    failed = 0
    seen: set[str] = set()
    with click.progressbar(
        length=len(images),
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        show_pos=True,
        item_show_func=lambda item: item,
    ) as bar:

        def say(text: str) -> None:
            bar.current_item = text
            bar.render_progress()

        for image, outputs in zip(images, plan, strict=True):
            say(image.name)
            try:
                with report_warnings(image.name, seen):
                    answer = work(image, outputs, say)
                click.echo(answer)
            except (AstrosieveError, ValueError, MemoryError) as error:
                failed += 1
                text = str(error) or type(error).__name__
                where = '' if image.name in text else f'{image}: '
                click.echo(f'error: {where}{text}', err=True)
            bar.update(1)
    if failed:
        if len(images) > 1:
            click.echo(f'{failed} of {len(images)} images failed', err=True)
        sys.exit(1)
