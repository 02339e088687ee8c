"""Simulated exposures as files, with their truth beside them, and back."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.images.exposures import Chip, read_chips
from astrosieve_training.simulate.plans import (
    ExposurePlan,
    plan_camera,
    simulate_plan,
)
from astrosieve_training.simulate.truth import Truth, read_truth

__all__ = ['load_exposure', 'make_folder', 'write_dithered_set', 'write_plan']

_SUFFIXES = {'flc': 'flc', 'c0m': 'c0m', 'ground': 'img'}


def load_exposure(plan: ExposurePlan, folder: Path) -> tuple[Chip, Truth]:
    """
    Return the first chip of an exposure as its file gives it, and its truth.

    Parameters
    ----------
    plan : `~astrosieve_training.simulate.plans.ExposurePlan`
        The plan.
    folder : `~pathlib.Path`
        Where its files are, or where they are written.

    Returns
    -------
    chip : `~astrosieve.images.exposures.Chip`
    truth : `~astrosieve_training.simulate.Truth`
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_plan(plan, folder)
    ((image, truth),) = _paths(plan, folder)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        chip = next(iter(read_chips(image)))
    return chip, read_truth(truth)[0]


def write_dithered_set(
    plan: ExposurePlan, n: int, folder: Path
) -> list[tuple[Path, Path]]:
    """
    Write dithered exposures of one field, with their truth.

    Parameters
    ----------
    plan : `~astrosieve_training.simulate.plans.ExposurePlan`
        Camera, scene, time, seed and shape of all.
    n : int
        How many.
    folder : `~pathlib.Path`
        Where to; what is there with the same settings is kept.

    Returns
    -------
    paths : list of (`~pathlib.Path`, `~pathlib.Path`)
        Exposure and truth.

    Raises
    ------
    OutputError
        If a file cannot be written, or one of other settings is in the way.
    """
    make_folder(folder)
    write_plan(plan, folder, n)
    return _paths(plan, folder, n)


def _paths(plan: ExposurePlan, folder: Path, n: int = 1) -> list[tuple[Path, Path]]:
    """Return the files of a plan: of one exposure, or of n dithered ones."""
    suffix = _SUFFIXES[plan_camera(plan).layout]
    names = [plan.label] if n == 1 else [f'{plan.label}-{i}' for i in range(n)]
    return [
        (folder / f'{name}_{suffix}.fits', folder / f'{name}_truth.fits')
        for name in names
    ]


def _is_there(path: Path, settings: dict[str, Any]) -> bool:
    """Return whether an exposure with these settings was written whole."""
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        msg = f'{path}: cannot be read ({error}); take it away or choose another -o'
        raise OutputError(msg) from error
    if found != settings:
        msg = (
            f'{path}: tells of an exposure made with other settings; take its files '
            'away or choose another folder with -o'
        )
        raise OutputError(msg)
    return all((path.parent / name).is_file() for name in settings['files'])


def write_plan(plan: ExposurePlan, folder: Path, n: int = 1) -> bool:
    """Write n exposures of a plan; return `False` if they were there already."""
    paths = _paths(plan, folder, n)
    settings = {
        'plan': asdict(plan),
        'camera': asdict(plan_camera(plan)),
        'files': [path.name for pair in paths for path in pair],
    }
    settings = json.loads(json.dumps(settings))  # as it will be read
    # The settings are written last: what they tell of is complete.
    record = folder / f'{plan.label}.json'
    if _is_there(record, settings):
        return False
    for exposure, (image, truth) in zip(simulate_plan(plan, n), paths, strict=True):
        exposure.write_truth(truth, overwrite=True)
        exposure.write(image, overwrite=True)
    with atomic_path(record, overwrite=True) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + '\n', encoding='utf-8')
    return True


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f'{folder}: cannot be made ({error.strerror})'
        raise OutputError(msg) from error
