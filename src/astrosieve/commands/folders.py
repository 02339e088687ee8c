"""Folders in which files arrive, and those that only one process may write to."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from astrosieve.exceptions import AstrosieveError, OutputError

__all__ = ['InUseError', 'State', 'changes', 'file_states', 'hold', 'settle']

State = tuple[int, int]
"""Size and time of change of a file."""

_SETTLED = 0.5  # seconds for which a file must not change


class InUseError(AstrosieveError):
    """Another process writes to this folder."""


def settle() -> None:
    """Wait as long as a file at rest must not change."""
    time.sleep(_SETTLED)


def file_states(folder: Path, suffixes: tuple[str, ...]) -> dict[Path, State]:
    """
    Return the files of a folder, by name.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.
    suffixes : tuple of str
        What their names end with, in lower case. Hidden files are left out.

    Returns
    -------
    states : dict of `~pathlib.Path` to tuple of int
        Size and time of change, by which one that is still written is known.
    """
    states = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith('.') or not path.name.lower().endswith(suffixes):
            continue
        try:
            status = path.stat()
        except OSError:  # gone meanwhile
            continue
        states[path] = (status.st_size, status.st_mtime_ns)
    return states


def changes(folder: Path, seconds: float) -> Iterator[None]:
    """
    Return whenever something in a folder may have changed.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.
    seconds : float
        After so long at the latest, as the files of some disks change unheard.

    Yields
    ------
    None
    """
    yield
    settle()
    yield
    if find_spec('watchfiles') is None:
        while True:
            time.sleep(seconds)
            yield
    from watchfiles import watch

    heard = watch(
        folder,
        rust_timeout=round(1000 * seconds),
        yield_on_timeout=True,
        recursive=False,
        raise_interrupt=True,
    )
    for _ in heard:
        yield
        # What has just changed may be at rest by now.
        settle()
        yield


def hold(path: Path, held: str) -> sqlite3.Connection:
    """
    Keep others out as long as this process lives, or the connection is open.

    Parameters
    ----------
    path : `~pathlib.Path`
        Lock file.
    held : str
        What messages say of who holds it already.

    Raises
    ------
    InUseError
        If another process holds it.
    OutputError
        If the file cannot be written.
    """
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        connection.execute('BEGIN EXCLUSIVE')
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if 'locked' in str(error):
            msg = f'{path.parent}: {held}'
            raise InUseError(msg) from error
        msg = f'{path}: cannot be written ({error})'
        raise OutputError(msg) from error
    return connection
