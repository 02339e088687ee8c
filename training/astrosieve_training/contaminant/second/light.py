"""Light that falls on the detector, and which pixels are true by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter

from astrosieve_training.contaminant.second.draft import Draft
from astrosieve_training.contaminant.second.fields import random_field
from astrosieve_training.contaminant.second.ghosts import draw_ghost
from astrosieve_training.contaminant.second.sky import (
    draw_fringes,
    draw_nebula,
    draw_sky,
)
from astrosieve_training.contaminant.second.sources import (
    Field,
    Sources,
    draw_sources,
)
from astrosieve_training.contaminant.second.trails import draw_trail

__all__ = ['Light', 'add_light']

_SHARPER = 0.4  # of what is out of focus: width of the seeing alone
_MOST_FRINGE = 0.06  # of the sky


@dataclass(frozen=True, eq=False)
class Light:
    """
    Electrons that a perfect detector would collect.

    Parameters
    ----------
    total : 2D `~numpy.ndarray`
        All of them.
    sources : 2D `~numpy.ndarray`
        Those of stars and galaxies, without spikes.
    """

    total: np.ndarray
    sources: np.ndarray


def _background(draft: Draft) -> np.ndarray:
    """
    Return the sky with nebulae and fringes.

    Nebulosity is true where it exceeds half of the noise over some pixels, fringes
    where their amplitude exceeds 0.22 noises: their whole extent, dark waves as well.
    """
    scene, flat = draft.scene, draft.flat
    sky = draft.sky * flat * draw_sky(draft.chance['sky'], scene.shape)
    rng, nebulae = draft.chance['nebulae'], np.zeros(scene.shape)
    for kind, noises in scene.nebulae:
        height = draft.height(rng, noises, 0.25)
        nebulae += draw_nebula(rng, scene.shape, kind) * height * flat
    noise = draft.noise_of(sky)
    seen = gaussian_filter(nebulae, 2.5) > 0.5 * noise
    draft.plane('nebulosity')[:] = binary_opening(seen, iterations=2)
    if scene.fringes is None:
        return sky + nebulae
    rng = draft.chance['fringes']
    noises, waves = scene.fringes
    share = min(draft.height(rng, noises, 0.2) / draft.sky, _MOST_FRINGE)
    fringes, envelope = draw_fringes(rng, scene.shape, waves * rng.uniform(0.8, 1.25))
    uneven = np.clip(1 + 0.35 * random_field(rng, scene.shape, 5), 0.15, None)
    amplitude = sky * share * uneven
    draft.plane('fringe')[:] = (amplitude * envelope > 0.22 * noise) & draft.live
    return sky + nebulae + amplitude * fringes


def _sources(draft: Draft, background: np.ndarray) -> Sources:
    """
    Return stars, galaxies and spikes.

    Spikes are true where they exceed 0.6 noises of the sky and of 0.3 times the light
    of sources there, if two pixels wide, and where they exceed two noises of the sky.
    """
    local = draft.noise_of(background)
    field = Field(
        draft.instrument, draft.scene, draft.star, draft.flat, draft.noise, local
    )
    sources = draw_sources(draft.chance['sources'], field)
    draft.plane('object')[:] = sources.where
    draft.ignore[:] |= sources.unsure
    spikes = sources.spikes
    around = draft.noise_of(background.clip(0) + 0.3 * sources.light)
    seen = binary_closing((spikes > 0) & (spikes > 0.6 * around), iterations=2)
    seen &= draft.live
    wide = binary_opening(seen, np.ones((2, 2)))
    draft.plane('spike')[:] = wide | (seen & (spikes > 2 * local))
    return sources


def _add_reflections(
    draft: Draft, light: np.ndarray, star: tuple[float, float]
) -> np.ndarray:
    """Add reflections, which are true where they exceed half of the noise."""
    scene, rng = draft.scene, draft.chance['reflections']
    ghosts = np.zeros(scene.shape)
    for kind, noises in scene.reflections:
        height = draft.height(rng, noises, 0.3)
        ghosts += draw_ghost(rng, scene.shape, kind, star) * height * draft.flat
    seen = gaussian_filter(ghosts, 1.2) > 0.5 * draft.noise_of(light)
    draft.plane('reflection')[:] = seen
    return light + ghosts


def _add_trails(draft: Draft, light: np.ndarray) -> np.ndarray:
    """Add trails; true above half of the noise, of faint ones above 0.4 of the peak."""
    scene, rng = draft.scene, draft.chance['trails']
    fwhm = draft.star.fwhm * (_SHARPER if scene.defocus else 1)
    for kind, noises in scene.trails:
        height = draft.height(rng, noises, 0.35)
        trail = draw_trail(rng, scene.shape, kind, fwhm) * height * draft.flat
        least = min(0.5, 0.4 * trail.max() / draft.noise)
        draft.plane('satellite_trail')[:] |= trail > least * draft.noise_of(light)
        light = light + trail
    return light


def add_light(draft: Draft) -> Light:
    """
    Draw all light of an exposure and mark it.

    Noise is that of all light drawn before, so that what lies on something bright must
    be brighter to be true.

    Parameters
    ----------
    draft : `Draft`
        Its truth is changed.

    Returns
    -------
    light : `Light`
        Electrons.
    """
    background = _background(draft)
    sources = _sources(draft, background)
    light = background + sources.light + sources.spikes
    light = _add_reflections(draft, light, sources.brightest)
    return Light(_add_trails(draft, light), sources.light)
