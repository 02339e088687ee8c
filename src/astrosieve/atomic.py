"""Output files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from astrosieve.exceptions import AstrosieveError, OutputError

__all__ = ['atomic_path', 'check_output', 'protected', 'replacing']

_NAME = 40  # characters of the file's name that a temporary one ends with


_PROTECTED: ContextVar[frozenset[tuple[int, int]]] = ContextVar(
    'protected', default=frozenset()
)


@contextmanager
def protected(paths: Iterable[str | os.PathLike[str]]) -> Iterator[None]:
    """
    Refuse, meanwhile, to write over files, by whatever name.

    Parameters
    ----------
    paths : iterable of path-like
        What is read; what does not exist needs no protection.
    """
    files = {
        (status.st_dev, status.st_ino)
        for path in paths
        for status in [_status(Path(path))]
        if status is not None
    }
    token = _PROTECTED.set(_PROTECTED.get() | files)
    try:
        yield
    finally:
        _PROTECTED.reset(token)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # not there, or a name that no file can have
        return None


def check_output(path: Path, *, overwrite: bool) -> None:
    """
    Refuse an output that cannot or must not be written.

    Links are followed: what they lead to is the output.

    Raises
    ------
    OutputError
        If the folder is missing or read-only, the file exists and ``overwrite`` is
        `False`, or it is no regular file, or one that is `protected`.
    """
    try:
        _check(path, path.resolve(), overwrite=overwrite)
    except OutputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        msg = f'{path}: cannot be written ({reason}); choose another name'
        raise OutputError(msg) from error


def _check(path: Path, target: Path, *, overwrite: bool) -> None:
    folder = target.parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        msg = f'{path}: the folder {folder} does not exist; make it first'
        raise OutputError(msg)
    if not os.access(folder, os.W_OK):
        msg = f'{path}: the folder {folder} cannot be written; choose another with -o'
        raise OutputError(msg)
    status = _status(target)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        msg = f'{path}: is a folder; name a file'
        raise OutputError(msg)
    if not stat.S_ISREG(status.st_mode):
        msg = f'{path}: is a device or pipe; name a file'
        raise OutputError(msg)
    if (status.st_dev, status.st_ino) in _PROTECTED.get():
        msg = f'{path}: is one of the inputs; choose another name'
        raise OutputError(msg)
    if not overwrite:
        msg = f'{path}: exists; give overwrite=True or another name'
        raise OutputError(msg)


@contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """
    Give a temporary file that takes the place of ``path`` when all went well.

    Parameters
    ----------
    path : path-like
        Where the file shall be; links are followed.
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
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(
            prefix='.', suffix=f'-{path.name[-_NAME:]}', dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # mkstemp makes private files
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except AstrosieveError:  # of what is read meanwhile, too: it names its own cause
        raise
    except OSError as error:
        msg = f'{path}: cannot be written ({error.strerror or error})'
        raise OutputError(msg) from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """
    Give a copy of a file that takes its place when all went well.

    This is for files that the user asks to have changed, inputs too.

    Parameters
    ----------
    path : path-like
        The file; links are followed.

    Yields
    ------
    copy : `~pathlib.Path`
        Copy to change, in the same folder, with the same suffix.

    Raises
    ------
    OutputError
        If the file cannot be replaced, or the disk is full.
    """
    target = Path(path).resolve()
    try:
        handle, name = tempfile.mkstemp(
            prefix='.', suffix=f'-{target.name[-_NAME:]}', dir=target.parent
        )
        os.close(handle)
        copy = Path(name)
        try:
            shutil.copyfile(target, copy)
            yield copy
            copy.chmod(stat.S_IMODE(target.stat().st_mode))
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
    except AstrosieveError:
        raise
    except OSError as error:
        msg = f'{path}: cannot be replaced ({error.strerror or error})'
        raise OutputError(msg) from error
