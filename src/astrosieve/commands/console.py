"""What commands say: answers on stdout, all else on stderr, progress by rich."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from astrosieve.exceptions import AstrosieveWarning

__all__ = ['Console', 'Say', 'about_it', 'as_options', 'console', 'listened']

Say = Callable[[str], None]
"""Shows what is being done."""


def as_options(text: str) -> str:
    """Return a message of the library in words of the command line."""

    def option(match: re.Match[str]) -> str:
        value = f' {match[2]}' if match[2] else ''
        return f'--{match[1].replace("_", "-")}{value}'

    return re.sub(r"\b([a-z][a-z_]+)=(?:True\b|'([^']*)')?", option, text)


@contextmanager
def listened() -> Iterator[list[str]]:
    """Collect the warnings that users should know of, in a list that is filled last."""
    heard: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstrosieveWarning)
        warnings.filterwarnings('always', module='photutils')
        try:
            yield heard
        finally:
            heard += [str(each.message) for each in caught]


def about_it(what: str, text: str) -> str:
    """Return a message that says what it is about."""
    return text if not what or Path(what).name in text else f'{what}: {text}'


class Console:
    """
    Where a command's words go.

    Attributes
    ----------
    level : int
        -1 with ``--quiet``: warnings and errors alone; 1 with ``--verbose``.
    debug : bool
        Whether errors that nobody foresaw show their traceback.
    json : bool
        Whether answers are collected, and printed as one JSON text at the end.
    stdout_taken : bool
        Whether a result goes to stdout, so that answers go to stderr.
    jobs : int or None
        How many inputs are worked on at once; None for as many as pay.
    time_limit : float or None
        Seconds after which an input is given up.
    scheduler : str or None
        Address of the Dask scheduler whose workers do the work.
    run : `~pathlib.Path` or None
        Folder of the run.
    """

    def __init__(self) -> None:
        self.level = 0
        self.debug = False
        self.json = False
        self.stdout_taken = False
        self.jobs: int | None = None
        self.time_limit: float | None = None
        self.scheduler: str | None = None
        self.run: Path | None = None
        self._collected: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._above: Say | None = None

    def answer(self, text: str, data: dict[str, Any] | None = None) -> None:
        """Print an answer, where it has text, or keep its data for the end."""
        if self.json:
            self._collected.append(data or {'text': text})
        elif text and self.level >= 0:
            self._print(text, err=self.stdout_taken)

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` wants to know."""
        if self.level > 0:
            self._print(text, err=True)

    def warning(self, text: str, about: str = '') -> None:
        """Say a warning and what it is about, each text once."""
        if text not in self._seen:
            self._seen.add(text)
            self._print(f'warning: {about_it(about, as_options(text))}', err=True)

    def error(self, text: str, about: str = '') -> None:
        """Say an error and what it is about."""
        self._print(f'error: {about_it(about, as_options(text))}', err=True)

    def note(self, text: str) -> None:
        """Say something of the whole, on stderr."""
        self._print(text, err=True)

    def failure(self, path: str | os.PathLike[str], text: str) -> None:
        """Say that an input failed, and why."""
        self.error(text, about=str(path))
        if self.json:
            self._collected.append({'input': str(path), 'error': as_options(text)})

    def finish(self) -> None:
        """Print what was collected."""
        if self.json:
            self._print(json.dumps(self._collected, indent=2), err=self.stdout_taken)

    def _print(self, text: str, *, err: bool) -> None:
        # A bar on the terminal is drawn anew below what is printed through it.
        if self._above is not None and (err or sys.stdout.isatty()):
            self._above(text)
        else:
            click.echo(text, err=err)

    @contextmanager
    def warnings_of(self, name: str = '') -> Iterator[None]:
        """Say the warnings of a piece of work, with what they are about."""
        heard: list[str] = []
        try:
            with listened() as heard:
                yield
        finally:
            for text in heard:
                self.warning(text, about=name)

    @contextmanager
    def progress(self, total: int) -> Iterator[tuple[Say, Callable[[], None]]]:
        """
        Show a bar where stderr is a terminal.

        Yields
        ------
        say : callable
            Shows what is being done.
        advance : callable
            Moves the bar by one.
        """
        if self.level < 0 or not sys.stderr.isatty():
            yield self.detail, lambda: None
            return
        from rich.console import Console as Terminal
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        terminal = Terminal(stderr=True, highlight=False, markup=False)
        bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[rate]}', markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn('{task.description}', markup=False),
            console=terminal,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with bar:
            task = bar.add_task('', total=total, rate='')
            start, done = time.monotonic(), 0

            def advance() -> None:
                nonlocal done
                done += 1
                rate = 60 * done / max(time.monotonic() - start, 1e-3)
                bar.update(task, advance=1, rate=f'{rate:.3g}/min')

            self._above = lambda text: terminal.print(text, soft_wrap=True)
            try:
                yield (
                    lambda text: bar.update(task, description=text),
                    advance,
                )
            finally:
                self._above = None


def console() -> Console:
    """Return the console of the command that is running."""
    return click.get_current_context().ensure_object(Console)
