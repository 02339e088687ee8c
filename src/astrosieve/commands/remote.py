"""Files that are elsewhere, and are fetched for as long as they are worked on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from astrosieve.exceptions import AstrosieveError, ExposureError

__all__ = ['Input', 'Remote', 'at_hand', 'is_folder', 'is_url', 'remote_files']

MOST_BYTES = 16 * 2**30
"""Size of a file above which it is not fetched."""

_CHUNK = 2**22  # bytes


def is_url(text: str) -> bool:
    """Return whether a text is the address of a file elsewhere."""
    return '://' in text


@dataclass(frozen=True)
class Remote:
    """
    A file that fsspec reads.

    Parameters
    ----------
    url : str
        Its address, for instance ``s3://bucket/name.fits``.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __fspath__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.url.partition('?')[0].rpartition('/')[2]

    @contextmanager
    def fetched(self) -> Iterator[Path]:
        """
        Give a copy of the file, of the same name.

        Raises
        ------
        ExposureError
            If it cannot be read, or is too large.
        """
        with tempfile.TemporaryDirectory(prefix='astrosieve-') as folder:
            path = Path(folder) / (self.name or 'file')
            self._copy(path)
            try:
                yield path
            except Exception as error:  # what is said of the copy is said of the file
                error.args = tuple(
                    each.replace(str(path), self.url) if isinstance(each, str) else each
                    for each in error.args
                )
                raise

    def _copy(self, path: Path) -> None:
        try:
            with _fsspec().open(self.url, 'rb') as source, path.open('xb') as target:
                size = 0
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    if size > MOST_BYTES:
                        msg = f'{self.url}: is larger than {MOST_BYTES:.3g} bytes'
                        raise ExposureError(msg)
                    target.write(chunk)
        except AstrosieveError:
            raise
        except Exception as error:  # the libraries of stores have no common base
            raise ExposureError(_unreadable(self.url, error)) from error


Input = Path | Remote
"""What commands work on."""


def is_folder(source: Input) -> TypeGuard[Path]:
    """Return whether an input is a folder of this machine."""
    return isinstance(source, Path) and source.is_dir()


def at_hand(source: Input) -> AbstractContextManager[Path]:
    """Return what gives a file that can be opened, fetched where it is elsewhere."""
    return source.fetched() if isinstance(source, Remote) else nullcontext(source)


def remote_files(url: str) -> list[Remote]:
    """
    Return the files that an address means, which may hold ``*``.

    Raises
    ------
    ExposureError
        If it means none, or there is nothing to read it with.
    """
    if '*' not in url:  # alone, ? begins a query and [] an address
        return [Remote(url)]
    try:
        files = _fsspec().open_files(url, 'rb')
        found = sorted(each.fs.unstrip_protocol(each.path) for each in files)
    except Exception as error:  # the libraries of stores have no common base
        raise ExposureError(_unreadable(url, error)) from error
    if not found:
        msg = f'{url}: no such file'
        raise ExposureError(msg)
    return [Remote(each) for each in found]


def _fsspec() -> Any:
    import fsspec

    return fsspec


def _unreadable(url: str, error: Exception) -> str:
    if isinstance(error, ImportError):
        reason = f"{error}; pip install 'astrosieve[batch]'"
    else:
        reason = ' '.join(str(error).split()) or type(error).__name__
    return f'{url}: cannot be read ({reason})'
