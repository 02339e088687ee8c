"""Where the real data lie."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ['data_directory', 'data_folder']


def data_folder() -> Path | None:
    """
    Return the folder of real HST frames.

    Returns
    -------
    folder : `~pathlib.Path` or None
        ``$ASTROSIEVE_DATA/hst``, else ``shared/data/hst`` beside the repository;
        None where there is neither.
    """
    named = os.environ.get('ASTROSIEVE_DATA')
    if named:
        candidates = [Path(named)]
    else:
        candidates = [
            parent / 'shared' / 'data' for parent in Path(__file__).resolve().parents
        ]
    for folder in candidates:
        if (folder / 'hst').is_dir():
            return folder / 'hst'
    return None


def data_directory() -> Path:
    """
    Return the folder of the shared data.

    Returns
    -------
    path : `~pathlib.Path`
        The environment variable ``ASTROSIEVE_DATA``, else ``../shared/data`` seen
        from the top of the source tree.
    """
    value = os.environ.get('ASTROSIEVE_DATA')
    if value:
        return Path(value)
    return Path(__file__).resolve().parents[3].parent / 'shared' / 'data'
