"""Standard output that has no room, or that nobody reads any more."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

__all__ = ['Group', 'unwritten', 'written_out']


def unwritten(error: OSError) -> NoReturn:
    """End the process because of an error of writing; say so, unless a pipe closed."""
    try:
        if sys.stdout is not None:  # the error may be of another file
            sys.stdout.flush()
    except OSError:
        # What could not be written is still there, and would be tried once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:  # whoever read has enough
        sys.exit(0)
    click.echo(f'error: cannot be written: {error.strerror or error}', err=True)
    sys.exit(1)


@contextmanager
def written_out() -> Iterator[None]:
    """Write standard output out at the end, when an error can still be told."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # it is where it was closed
                sys.stdout.flush()
    except OSError as error:
        unwritten(error)


class Group(click.Group):
    """A group of commands whose help and version need room to be written to, too."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with written_out():
            return super().main(*args, **kwargs)
