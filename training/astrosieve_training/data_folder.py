"""Where the real data lie."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ['data_folder']


def data_folder() -> Path | None:
    """
    Return the folder of real HST frames, and of grids of their PSFs.

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
    found = (folder / 'hst' for folder in candidates if (folder / 'hst').is_dir())
    return next(found, None)
