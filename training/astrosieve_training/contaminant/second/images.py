"""Images of the second generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.contaminant.second.draft import begin
from astrosieve_training.contaminant.second.exposure import expose
from astrosieve_training.contaminant.second.instruments import Instrument, Scene
from astrosieve_training.contaminant.second.light import add_light
from astrosieve_training.contaminant.second.readout import ceiling, gain_of
from astrosieve_training.contaminant.second.table import TABLE

__all__ = ['INSTRUMENTS', 'SecondImage', 'make_image', 'second_image']

INSTRUMENTS: tuple[str, ...] = tuple(TABLE)
"""Names of the instruments; whoever needs many images takes turns over them."""


@dataclass(frozen=True, eq=False)
class SecondImage:
    """
    An image and its truth.

    Parameters
    ----------
    sci : (ny, nx) float32 `~numpy.ndarray`
        In ``meta['unit']``; all of it finite.
    truth : (C, ny, nx) bool `~numpy.ndarray`
        Which pixels are of a class, in the order of ``CLASSES``; several may hold.
    ignore : (ny, nx) bool `~numpy.ndarray`
        Pixels of which nobody can tell; of these, none is true but of a fringe.
    meta : dict
        ``instrument``, ``fwhm`` (pixels), ``gain`` (electrons per DN), ``pedestal``
        (in the unit), ``exptime`` (seconds), ``unit`` ('DN', 'DN/s', 'electron' or
        'electron/s'), ``sky``, ``noise`` of a pixel of empty sky, ``read_noise``,
        ``full_well`` (electrons), ``saturation`` (number of a full pixel, in the unit),
        ``overscan`` (columns on the right without light), ``bleeds`` (whether full
        pixels do, along columns), ``classes`` (those with a true pixel).
    """

    sci: np.ndarray
    truth: np.ndarray
    ignore: np.ndarray
    meta: dict[str, Any]


def make_image(
    called: str, instrument: Instrument, scene: Scene, entropy: Sequence[int]
) -> SecondImage:
    """
    Make an image of a scene.

    Parameters
    ----------
    called : str
        Name of the instrument.
    instrument, scene : `Instrument`, `Scene`
        What is exposed to what.
    entropy : sequence of int
        Decides everything.

    Returns
    -------
    image : `SecondImage`
        The same for the same arguments.
    """
    draft = begin(instrument, scene, entropy)
    sci = expose(draft, add_light(draft))
    chip = instrument.chip
    meta = {
        'instrument': called,
        'fwhm': draft.star.fwhm,
        'gain': gain_of(chip, scene),
        'pedestal': scene.pedestal,
        'exptime': scene.exptime,
        'unit': scene.unit,
        'sky': draft.sky,
        'noise': draft.noise,
        'read_noise': chip.read_noise,
        'full_well': chip.full_well,
        'saturation': ceiling(chip, scene),
        'overscan': scene.overscan,
        'bleeds': chip.bleeds,
        'classes': [name for name in CLASSES.names if draft.plane(name).any()],
    }
    return SecondImage(sci, draft.truth, draft.ignore, meta)


def second_image(seed: int, instrument: str, number: int = 0) -> SecondImage:
    """
    Make an image of an instrument.

    Parameters
    ----------
    seed : int
        Of a set of images.
    instrument : str
        One of `INSTRUMENTS`.
    number : int, optional
        Of the image in the set; even and odd ones have the instrument's two scenes.

    Returns
    -------
    image : `SecondImage`
        The same for the same arguments.

    Raises
    ------
    ValueError
        If there is no such instrument.
    """
    if instrument not in TABLE:
        msg = f'instrument must be one of {INSTRUMENTS}; got {instrument!r}'
        raise ValueError(msg)
    chosen = TABLE[instrument]
    entropy = (seed, INSTRUMENTS.index(instrument), number)
    return make_image(instrument, chosen, chosen.scenes[number % 2], entropy)
