"""An image in the making: what is decided of it, and what is true of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.contaminant.second.instruments import Instrument, Scene
from astrosieve_training.contaminant.second.optics import StarImage, draw_star_image
from astrosieve_training.contaminant.second.response import draw_flat

__all__ = ['Draft', 'begin']

_STAGES = (
    'optics',
    'flat',
    'sky',
    'nebulae',
    'fringes',
    'sources',
    'reflections',
    'trails',
    'defects',
    'persistence',
    'charge',
    'particles',
    'counts',
    'bleeding',
    'electronics',
)
"""Each has its own chance, so that leaving one out changes nothing of the others."""


@dataclass(frozen=True, eq=False)
class Draft:
    """
    An image in the making.

    Parameters
    ----------
    instrument, scene : `Instrument`, `Scene`
        Of the exposure.
    chance : dict of str to `~numpy.random.Generator`
        One of each stage.
    star : `~astrosieve_training.contaminant.second.optics.StarImage`
        Of one electron.
    flat : 2D `~numpy.ndarray`
        Share of the light that pixels see.
    sky : float
        Electrons of a pixel.
    truth : (C, ny, nx) bool `~numpy.ndarray`
        Filled by the stages.
    ignore : 2D bool `~numpy.ndarray`
        Filled by the stages: pixels of which nobody can tell.
    """

    instrument: Instrument
    scene: Scene
    chance: dict[str, np.random.Generator]
    star: StarImage
    flat: np.ndarray
    sky: float
    truth: np.ndarray
    ignore: np.ndarray

    @property
    def noise(self) -> float:
        """Standard deviation of a pixel of empty sky with some dark charge."""
        read_noise = self.instrument.chip.read_noise
        return float(np.sqrt(self.sky + read_noise**2 + 4))

    @property
    def live(self) -> np.ndarray:
        """Columns that see light, a row of bool."""
        nx = self.scene.shape[1]
        return (np.arange(nx) < nx - self.scene.overscan)[None]

    def plane(self, name: str) -> np.ndarray:
        """Return the truth of a class, to be changed in place."""
        plane: np.ndarray = self.truth[CLASSES.names.index(name)]
        return plane

    def noise_of(self, light: np.ndarray) -> np.ndarray:
        """Return the noise of so many electrons of light, read noise included."""
        read_noise = self.instrument.chip.read_noise
        return np.asarray(np.sqrt(np.clip(light, 0, None) + read_noise**2))

    def height(self, rng: np.random.Generator, noises: float, scatter: float) -> float:
        """Draw electrons about so many noises of the empty sky."""
        return float(noises * self.noise * np.exp(rng.normal(0, scatter)))


def begin(instrument: Instrument, scene: Scene, entropy: Sequence[int]) -> Draft:
    """
    Draw the optics, the flat and the sky of an exposure.

    Parameters
    ----------
    instrument, scene : `Instrument`, `Scene`
        What is exposed to what.
    entropy : sequence of int
        Decides everything.

    Returns
    -------
    draft : `Draft`
        Without light.
    """
    sources = np.random.default_rng(entropy).spawn(len(_STAGES))
    chance = dict(zip(_STAGES, sources, strict=True))
    return Draft(
        instrument,
        scene,
        chance,
        draw_star_image(chance['optics'], instrument, scene),
        draw_flat(chance['flat'], instrument, scene),
        float(scene.sky * np.exp(chance['sky'].normal(0, 0.12))),
        np.zeros((len(CLASSES.names), *scene.shape), bool),
        np.zeros(scene.shape, bool),
    )
