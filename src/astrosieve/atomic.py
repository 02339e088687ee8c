"""Output files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astrosieve.exceptions import OutputError

__all__ = ['atomic_path', 'check_output']


def check_output(path: Path, *, overwrite: bool) -> None:
    """
    Refuse an output that cannot or must not be written.

    Raises
    ------
    OutputError
        If the folder is missing or read-only, or the file exists and
        ``overwrite`` is `False`.
    """
    folder = path.parent
    if not folder.is_dir():
        msg = f'{path}: the folder {folder} does not exist; make it first'
        raise OutputError(msg)
    if not os.access(folder, os.W_OK):
        msg = f'{path}: the folder {folder} cannot be written; choose another with -o'
        raise OutputError(msg)
    if path.is_dir():
        msg = f'{path}: is a folder; name a file'
        raise OutputError(msg)
    if path.exists() and not overwrite:
        msg = f'{path}: exists; give --overwrite (overwrite=True) or another name'
        raise OutputError(msg)


@contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """
    Give a temporary file that takes the place of ``path`` when all went well.

    Parameters
    ----------
    path : path-like
        Where the file shall be.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Yields
    ------
    temporary : `~pathlib.Path`
        File to write, in the same folder, with the same suffix.

    Raises
    ------
    OutputError
        If the file cannot be written, is there already, or the disk is full.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    try:
        handle, name = tempfile.mkstemp(
            prefix='.', suffix=f'-{path.name}', dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # mkstemp makes private files
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        msg = f'{path}: cannot be written ({error.strerror or error})'
        raise OutputError(msg) from error
