"""Results of stages in files, so that interrupted work goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError

__all__ = ['Stages', 'file_hash']


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


class Stages:
    """
    Stages of a piece of work, each kept in a folder under a key.

    A stage is done again when its key changes: that should be a digest of the keys of
    the stages before it, of its settings and of its code. What other keys left of the
    same stage is taken away once the new result is there.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Made where it is not there.
    say : callable, optional
        Told, in a line, what begins.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.say = say or (lambda text: None)

    def table(self, name: str, key: str, make: Callable[[], Table]) -> Table:
        """Return a table, made where it is not there or broken."""
        path = self.folder / f'{name}-{key}.fits'
        if path.is_file():
            try:
                return Table.read(path, format='fits', character_as_bytes=False)
            except (OSError, ValueError, TypeError):
                path.unlink()
        self.say(name)
        table = make()
        with atomic_path(path, overwrite=True) as temporary:
            table.write(temporary, format='fits', overwrite=True)
        self._tidy(name, path)
        return Table.read(path, format='fits', character_as_bytes=False)

    def arrays(
        self, name: str, key: str, make: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Return arrays, made where they are not there or broken."""
        path = self.folder / f'{name}-{key}.npz'
        if path.is_file():
            try:
                with np.load(path) as file:
                    return {each: file[each] for each in file.files}
            except (OSError, ValueError, EOFError, zipfile.BadZipFile):
                path.unlink()
        self.say(name)
        arrays = make()
        with (
            atomic_path(path, overwrite=True) as temporary,
            temporary.open('wb') as file,
        ):
            np.savez(file, **arrays)  # type: ignore[arg-type]
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
        folder.mkdir(exist_ok=True)
        try:
            paths = make(folder)
        except AstrosieveError:
            if not any(folder.iterdir()):
                folder.rmdir()
            raise
        with atomic_path(listing, overwrite=True) as temporary:
            lines = [str(path.relative_to(folder)) for path in paths]
            temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
        self._tidy(name, folder)
        return paths

    def _tidy(self, name: str, kept: Path) -> None:
        """Take away what other keys left of a stage."""
        import shutil

        for path in self.folder.glob(f'{name}-*'):
            if path == kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
