"""Results of stages in files, so that interrupted work goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError

__all__ = ['Stages', 'file_hash']


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _read_table(path: Path) -> Table:
    """Read a table; truncated is an error."""
    with path.open('rb') as file, warnings.catch_warnings():
        warnings.simplefilter('error', AstropyUserWarning)
        return Table.read(file, format='fits', character_as_bytes=False)


class Stages:
    """
    Stages of a piece of work, each kept in a folder under a key.

    A stage is done again when its key changes: that should be a digest of the keys of
    the stages before it, of its settings and of its code.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Made where it is not there.
    say : callable, optional
        Told, in a line, what begins.
    tidy : bool, optional
        Whether what other keys left of a stage is taken away once the new result is
        there. `False` where work with several settings shares the folder.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None] | None = None,
        *,
        tidy: bool = True,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f'{folder}: cannot be made ({error.strerror}); name another folder'
            raise OutputError(msg) from error
        self.folder = folder
        self.say = say or (lambda text: None)
        self.tidy = tidy

    def table(self, name: str, key: str, make: Callable[[], Table]) -> Table:
        """Return a table, made where it is not there or broken."""
        path = self.folder / f'{name}-{key}.fits'
        if path.is_file():
            try:
                return _read_table(path)
            except (OSError, ValueError, TypeError, AstropyUserWarning):
                path.unlink()
        self.say(name)
        table = make()
        with atomic_path(path, overwrite=True) as temporary:
            table.write(temporary, format='fits', overwrite=True)
        self._tidy(name, path)
        return _read_table(path)

    def arrays(
        self, name: str, key: str, make: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Return arrays, made where they are not there or broken."""
        path = self.folder / f'{name}-{key}.npz'
        if path.is_file():
            try:
                with path.open('rb') as file, np.load(file) as kept:
                    return {each: kept[each] for each in kept.files}
            except (OSError, ValueError, EOFError, zipfile.BadZipFile):
                path.unlink()
        self.say(name)
        arrays = make()
        with (
            atomic_path(path, overwrite=True) as temporary,
            temporary.open('wb') as output,
        ):
            np.savez_compressed(output, **arrays)  # type: ignore[arg-type]
        self._tidy(name, path)
        return arrays

    def record(
        self, name: str, key: str, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what JSON can hold, made where it is not there or broken."""
        path = self.folder / f'{name}-{key}.json'
        if path.is_file():
            try:
                return dict(json.loads(path.read_text(encoding='utf-8')))
            except (OSError, ValueError):
                path.unlink()
        self.say(name)
        content = make()
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(content, indent=2), encoding='utf-8')
        self._tidy(name, path)
        return content

    def files(
        self, name: str, key: str, make: Callable[[Path], list[Path]]
    ) -> list[Path]:
        """
        Return files that a function leaves in a folder, whole or not at all.

        Parameters
        ----------
        name, key : str
            Of the stage.
        make : callable
            Takes a folder, returns the files that it wrote there.
        """
        folder = self.folder / f'{name}-{key}'
        listing = folder / 'files.txt'
        if listing.is_file():
            paths = [folder / line for line in listing.read_text('utf-8').splitlines()]
            if all(path.is_file() for path in paths):
                return paths
        self.say(name)
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        folder.mkdir()
        try:
            paths = make(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with atomic_path(listing, overwrite=True) as temporary:
            lines = [str(path.relative_to(folder)) for path in paths]
            temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
        self._tidy(name, folder)
        return paths

    def _tidy(self, name: str, kept: Path) -> None:
        """Take away what other keys left of a stage."""
        others = self.folder.glob(f'{name}-*') if self.tidy else ()
        for path in others:
            if path == kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
