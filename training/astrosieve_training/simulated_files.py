"""Simulated exposures as files, with their truth beside them, and back."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.exposures import Chip, read_chips
from astrosieve_training.config import (
    ConfigError,
    ExposurePlan,
    ExposureSet,
    digest,
    load_config,
)
from astrosieve_training.simulate import (
    PRESETS,
    Camera,
    Exposure,
    Truth,
    load_camera,
    random_camera,
    read_truth,
    simulate_exposure,
    vary_scene,
)

__all__ = ['load_exposure', 'simulate_plan', 'simulator_version', 'write_exposures']

_SUFFIXES = {'flc': 'flc', 'c0m': 'c0m', 'ground': 'img'}
# Streams of chance beside those of the exposure itself.
_CAMERA, _SCENE = 77, 78


@cache
def simulator_version() -> str:
    """Return a hash of the code and the camera files that decide an exposure."""
    here = Path(__file__).parent
    paths = [*here.glob('simulate/*.py'), *here.glob('cameras/*.toml')]
    return digest(*[path.read_text(encoding='utf-8') for path in sorted(paths)])


def _camera(plan: ExposurePlan) -> Camera:
    if plan.camera == 'random':
        return random_camera(np.random.default_rng([plan.seed, _CAMERA]))
    return load_camera(plan.camera)


def simulate_plan(plan: ExposurePlan) -> Exposure:
    """
    Simulate what a plan says.

    Parameters
    ----------
    plan : `~astrosieve_training.config.ExposurePlan`
        The plan.

    Returns
    -------
    exposure : `~astrosieve_training.simulate.Exposure`
    """
    camera = _camera(plan)
    exptime = plan.exptime or camera.exptime
    scene = PRESETS[plan.scene]
    if plan.vary:
        rng = np.random.default_rng([plan.seed, _SCENE])
        scene = vary_scene(scene, rng)
        exptime *= float(10 ** rng.uniform(-0.7, 0.3))
    return simulate_exposure(
        camera,
        seed=plan.seed,
        shape=plan.shape if plan.shape != (0, 0) else None,
        scene=scene,
        exptime=exptime,
    )


def load_exposure(plan: ExposurePlan, folder: Path) -> tuple[Chip, Truth]:
    """
    Return the first chip of an exposure as its file gives it, and its truth.

    Parameters
    ----------
    plan : `~astrosieve_training.config.ExposurePlan`
        The plan.
    folder : `~pathlib.Path`
        Where its files are, or where they are written.

    Returns
    -------
    chip : `~astrosieve.exposures.Chip`
    truth : `~astrosieve_training.simulate.Truth`
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(plan, folder)
    image, truth = _paths(plan, folder)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        chip = next(iter(read_chips(image)))
    return chip, read_truth(truth)[0]


def _paths(plan: ExposurePlan, folder: Path) -> tuple[Path, Path]:
    suffix = _SUFFIXES[_camera(plan).layout]
    return (
        folder / f'{plan.label}_{suffix}.fits',
        folder / f'{plan.label}_truth.fits',
    )


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


def _write(plan: ExposurePlan, folder: Path) -> bool:
    """Write one exposure; return `False` if it was there already."""
    image, truth = _paths(plan, folder)
    settings = {
        'plan': asdict(plan),
        'camera': asdict(_camera(plan)),
        'files': [image.name, truth.name],
    }
    settings = json.loads(json.dumps(settings))  # as it will be read
    # The settings are written last: what they tell of is complete.
    record = folder / f'{plan.label}.json'
    if _is_there(record, settings):
        return False
    exposure = simulate_plan(plan)
    exposure.write_truth(truth, overwrite=True)
    exposure.write(image, overwrite=True)
    with atomic_path(record, overwrite=True) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + '\n', encoding='utf-8')
    return True


def write_exposures(
    config: str,
    folder: Path,
    *,
    camera: str | None = None,
    number: int | None = None,
    seed: int | None = None,
    scene: str | None = None,
    exptime: float | None = None,
    shape: tuple[int, int] | None = None,
    progress: bool = True,
) -> tuple[int, int]:
    """
    Write simulated exposures.

    Parameters
    ----------
    config : str
        Name or file of the configuration whose training exposures are written
        where no camera is given.
    folder : `~pathlib.Path`
        Where to.
    camera : str, optional
        Name or file of a camera.
    number : int, optional
        How many; 1 with a camera, else all.
    seed : int, optional
        Seed of the first; the others follow.
    scene, exptime, shape
        With a camera: scene preset, seconds, ``(ny, nx)``.
    progress : bool, optional
        Whether to show a progress bar on a terminal.

    Returns
    -------
    written, kept : int
        Exposures written, and exposures that were there already.

    Raises
    ------
    ConfigError
        If a setting is impossible.
    OutputError
        If a file cannot be written, or one of other settings is in the way.
    """
    from tqdm import tqdm

    if scene is not None and scene not in PRESETS:
        msg = f'no scene {scene!r}; known are {", ".join(PRESETS)}'
        raise ConfigError(msg)
    if camera is not None:
        if camera != 'random':
            load_camera(camera)  # a bad one is refused before anything is done
        chosen = ExposureSet(
            name='simulate',
            n=number or 1,
            seed=seed or 0,
            cameras=(camera,),
            scenes=(scene or 'field',),
            exptimes=(exptime,) if exptime else (),
            shape=shape or (0, 0),
        )
        plans = chosen.plans()
    else:
        if scene is not None or exptime is not None or shape is not None:
            msg = 'scene, exptime and shape go with --camera; else the file says'
            raise ConfigError(msg)
        training = load_config(config).training
        plans = training.plans()[:number]
        if seed is not None:
            plans = [replace(p, seed=seed + i) for i, p in enumerate(plans)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f'{folder}: cannot be made ({error.strerror})'
        raise OutputError(msg) from error
    bar = tqdm(plans, desc='exposures', disable=None if progress else True)
    written = sum(_write(plan, folder) for plan in bar)
    return written, len(plans) - written
