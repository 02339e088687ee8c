"""Exposures aligned with each other in copies, by what is registered for it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from astropy.utils.exceptions import AstropyWarning

from astrosieve.exceptions import AstrosieveError
from astrosieve_training.source.label.errors import CombiningError

__all__ = ['align', 'find_aligner']

_GROUP = 'astrosieve.aligners'
_NAME = 'tweakreg'

Aligner = Callable[[Sequence[Path], Path], list[Path]]
"""Called with exposures and an empty folder; returns aligned copies in that."""


def find_aligner() -> Aligner:
    """
    Return what aligns exposures: the entry point ``astrosieve.aligners``.

    Raises
    ------
    CombiningError
        If it is not registered, or cannot be imported.
    """
    found = metadata.entry_points(group=_GROUP, name=_NAME)
    if not found:
        msg = (
            f'no {_NAME} is registered to align exposures: install astrosieve again '
            "with pip install 'astrosieve[tweakreg]', or give --aligned if the "
            'exposures are aligned already'
        )
        raise CombiningError(msg)
    try:
        aligner: Aligner = next(iter(found)).load()
    except ImportError as error:
        msg = f"{_NAME} cannot be used ({error}): pip install 'astrosieve[tweakreg]'"
        raise CombiningError(msg) from error
    return aligner


def align(paths: Sequence[Path], folder: Path) -> list[Path]:
    """
    Align exposures with each other by TweakReg.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures; they are left as they are.
    folder : `~pathlib.Path`
        Where the aligned copies are put, in ``aligned``: all, or nothing.

    Returns
    -------
    aligned : list of `~pathlib.Path`
        Copies with a new WCS, in the same order.

    Raises
    ------
    CombiningError
        If an exposure cannot be aligned, or TweakReg is missing.
    """
    aligner = find_aligner()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / 'aligned'
    with tempfile.TemporaryDirectory(prefix='.aligning-', dir=folder) as temporary:
        work = Path(temporary) / 'aligned'
        work.mkdir()
        # What it warns of matters only where it fails: WCS are checked by the peaks.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always', AstropyWarning)
            try:
                copies = aligner(paths, work)
            except AstrosieveError as error:
                told = [str(each.message) for each in caught]
                msg = (
                    'TweakReg could not align the exposures: '
                    f'{"; ".join([str(error), *told])}. Give --aligned if they are '
                    'aligned already; else align them by hand (astrosieve tweakreg '
                    '--update, with a larger --searchrad or a --refcat), and then '
                    'give --aligned'
                )
                raise CombiningError(msg) from error
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    return [target / path.name for path in copies]
