"""Frames of simulated spectrographs."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve_training.simulate.spectra import (
    FAMILIES,
    SimulatedFrame,
    Spectrograph,
    random_spectrograph,
    simulate_frame,
    write_frame,
)

__all__ = ['frame', 'pixels_of', 'write_frames']


@lru_cache(maxsize=4)
def _spectrograph(seed: int, families: tuple[str, ...]) -> Spectrograph:
    return random_spectrograph(seed, families=families)


def pixels_of(seed: int, families: tuple[str, ...] = FAMILIES) -> int:
    """Return how many pixels a spectrograph's detector has."""
    return math.prod(_spectrograph(seed, families).shape)


def frame(
    seed: int,
    frame_type: str,
    number: int = 0,
    families: tuple[str, ...] = FAMILIES,
) -> SimulatedFrame:
    """
    Return a frame of a simulated spectrograph.

    Parameters
    ----------
    seed : int
        Of the spectrograph.
    frame_type : str
        A class, 'unknown' among them.
    number : int, optional
        Of the frame; each has a seed of its own, whatever is drawn beside it.
    families : tuple of str, optional
        Layouts that the spectrograph is drawn from.
    """
    words = np.random.SeedSequence([seed, number, *frame_type.encode()])
    own = int(words.generate_state(1)[0])
    return simulate_frame(_spectrograph(seed, families), frame_type, own)


def write_frames(
    seeds: range, types: tuple[str, ...], folder: Path, *, overwrite: bool = False
) -> Table:
    """
    Write frames of simulated spectrographs as FITS files.

    Parameters
    ----------
    seeds : range
        Of the spectrographs.
    types : tuple of str
        Types of the frames, one each.
    folder : `~pathlib.Path`
        Gets the files, and ``frames.ecsv``, which says what they are.
    overwrite : bool, optional
        Whether existing files may be replaced.

    Returns
    -------
    table : `~astropy.table.Table`
        ``file``, ``spectrograph``, ``frame_type``.
    """
    rows = []
    for seed in seeds:
        for frame_type in types:
            made = frame(seed, frame_type)
            path = folder / f'spectrograph-{seed}-{frame_type}.fits'
            write_frame(made, path, overwrite=overwrite)
            rows.append((path.name, seed, made.truth.frame_type))
    table = Table(rows=rows, names=('file', 'spectrograph', 'frame_type'))
    with atomic_path(folder / 'frames.ecsv', overwrite=overwrite) as temporary:
        table.write(temporary, format='ascii.ecsv', overwrite=True)
    return table
