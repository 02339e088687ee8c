"""The step simulate: exposures with their truth, as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate import load_camera
from astrosieve_training.simulate.files import make_folder, write_plan
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.simulate.scene import scene_config
from astrosieve_training.source.config import load_config

__all__ = ['write_exposures']


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
    dithers: int = 1,
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
    dithers : int, optional
        With a camera: dithered exposures of each field.
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

    if scene is not None:
        scene_config(scene)
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
        if scene or exptime or shape is not None or dithers > 1:
            msg = (
                'scene, exptime, shape and dithers go with --camera; else the file says'
            )
            raise ConfigError(msg)
        training = load_config(config).training
        plans = training.plans()[:number]
        if seed is not None:
            plans = [replace(p, seed=seed + i) for i, p in enumerate(plans)]
    make_folder(folder)
    bar = tqdm(plans, desc='exposures', disable=None if progress else True)
    written = sum(write_plan(plan, folder, dithers) for plan in bar)
    return dithers * written, dithers * (len(plans) - written)
