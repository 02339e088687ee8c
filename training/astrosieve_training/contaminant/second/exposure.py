"""What the detector makes of light: defects, charge of its own, full pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_opening,
    gaussian_filter,
    uniform_filter1d,
)

from astrosieve_training.contaminant.second import detector, particles, readout
from astrosieve_training.contaminant.second.draft import Draft
from astrosieve_training.contaminant.second.light import Light
from astrosieve_training.contaminant.second.persistence import draw_persistence
from astrosieve_training.contaminant.second.response import (
    draw_bad_rows,
    draw_column_response,
    draw_pixel_response,
)

__all__ = ['expose']

FULL = 0.965
"""Full wells from which on a pixel is saturated."""
_SEEN = 0.25
"""Share of the light that a pixel must see to be true of light."""
_LIGHT = (
    'object',
    'spike',
    'nebulosity',
    'satellite_trail',
    'reflection',
    'fringe',
)
_HIDDEN = (
    'bad_pixel',
    'satellite_trail',
    'hot_column',
    'persistence',
    'reflection',
    'nebulosity',
    'fringe',
    'spike',
)


@dataclass(frozen=True, eq=False)
class _Charge:
    """Charge of the detector's own as it is read: hot pixels and columns, particles."""

    hot: np.ndarray
    columns: np.ndarray
    hits: np.ndarray


def _spoil(draft: Draft, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the light that defects leave, and what bad rows add.

    Bad pixels are true where they lack more than 3 noises of the light that they should
    see, and from 2 on nobody can tell; bad columns where they lack half a noise in the
    mean of 31 rows; bad rows everywhere.
    """
    rng, scene = draft.chance['defects'], draft.scene
    pixels = draw_pixel_response(rng, scene)
    columns = draw_column_response(rng, scene)
    rows = draw_bad_rows(rng, scene, draft.sky, draft.noise)
    noise = draft.noise_of(light)
    lacking = light * (1 - pixels) * columns
    draft.plane('bad_pixel')[:] = lacking > 3 * noise
    draft.ignore[:] |= (lacking > 2 * noise) & (lacking <= 3 * noise)
    lacking = uniform_filter1d(light * (1 - columns), 31, axis=0)
    draft.plane('bad_column')[:] = (columns < 1) & (lacking > 0.5 * noise) & draft.live
    draft.plane('bad_row')[:] = rows.where
    response = pixels * columns * rows.response
    for name in _LIGHT:
        draft.plane(name)[:] &= (response > _SEEN) & draft.live
    return (light * response).clip(0), rows.offset


def _remember(draft: Draft, light: np.ndarray) -> np.ndarray:
    """Add persistence, true where it exceeds 0.8 noises, and dark charge."""
    rng, scene = draft.chance['persistence'], draft.scene
    remembered = np.zeros(scene.shape)
    for kind, noises in scene.persistence:
        height = draft.height(rng, noises, 0.25)
        drawn = draw_persistence(rng, scene.shape, kind, draft.star.fwhm)
        remembered += drawn * height * draft.live
    seen = gaussian_filter(remembered, 0.6) > 0.8 * draft.noise_of(light)
    draft.plane('persistence')[:] = seen
    return light + remembered + rng.uniform(0.5, 4) * draft.live


def _collect(draft: Draft, expected: np.ndarray) -> tuple[np.ndarray, _Charge]:
    """
    Return the electrons that are collected, and those of the detector's own charge.

    Hot pixels and particles are true where their charge, as it is read, exceeds 3
    noises; from 2 on nobody can tell, but beside true pixels of particles. Hot columns
    are true where they exceed half a noise.
    """
    chip, scene = draft.instrument.chip, draft.scene
    hot, columns = detector.draw_hot_charge(
        draft.chance['charge'], chip, scene, draft.noise
    )
    rng = draft.chance['particles']
    hits = particles.draw_particles(rng, chip, scene.shape, scene.hits) * draft.live
    for _ in range(scene.snowballs):
        hits += particles.draw_snowball(rng, scene.shape, chip.full_well)
    if chip.trailing:
        hot, hits = (detector.trailed(each, chip.trailing) for each in (hot, hits))
    rng = draft.chance['counts']
    electrons = rng.poisson(expected) + rng.poisson(hot + columns) + np.round(hits)
    if chip.coupling:
        electrons = expected + detector.coupled(electrons - expected, chip.coupling)
        hot, hits = (detector.coupled(each, chip.coupling) for each in (hot, hits))
    noise = draft.noise_of(expected)
    draft.plane('hot_pixel')[:] = hot > 3 * noise
    draft.plane('hot_column')[:] = columns > 0.5 * noise
    draft.plane('cosmic_ray')[:] = hits > 3 * noise
    draft.ignore[:] |= (hot > 2 * noise) & (hot <= 3 * noise)
    faint = (hits > 2 * noise) & (hits <= 3 * noise)
    draft.ignore[:] |= faint & ~binary_dilation(draft.plane('cosmic_ray'))
    return electrons, _Charge(hot, columns, hits)


def _fill_wells(
    draft: Draft, electrons: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """
    Return what wells hold; what is too much for them bleeds, or is lost.

    They differ by 0.4 %. Bleeds are true where charge of other pixels exceeds 3 noises.
    """
    chip, rng = draft.instrument.chip, draft.chance['bleeding']
    wells = chip.full_well * (1 + rng.normal(0, 0.004, draft.scene.shape))
    if chip.bleeds:
        electrons, bled = detector.bleed(rng, electrons, chip.full_well)
        bleeds = bled > 3 * draft.noise_of(expected)
        draft.plane('bleed')[:] = bleeds & draft.live
    return np.minimum(electrons, wells)


def _hide(draft: Draft, saturated: np.ndarray, light: Light, charge: _Charge) -> None:
    """
    Take away what cannot be known under full pixels and bleeds.

    Particles and hot pixels stay where their own charge is half a full well; sources
    stay in full pixels, and in a bleed where they have a fifth of one. Nobody is asked
    to ignore a pixel where something is true, fringes apart.
    """
    well = draft.instrument.chip.full_well
    bleeds = draft.plane('bleed')
    hidden = binary_opening(saturated, np.ones((2, 2))) | bleeds
    draft.plane('cosmic_ray')[:] &= ~hidden | (charge.hits >= 0.5 * well)
    draft.plane('hot_pixel')[:] &= ~hidden | (charge.hot >= 0.5 * well)
    for name in _HIDDEN:
        draft.plane(name)[:] &= ~saturated
    draft.plane('object')[:] &= ~bleeds | (light.sources >= 0.2 * well)
    others = draft.truth.sum(axis=0) > draft.plane('fringe')
    draft.ignore[:] &= ~others


def expose(draft: Draft, light: Light) -> np.ndarray:
    """
    Expose the detector to light, read it, and mark what it adds and spoils.

    Parameters
    ----------
    draft : `Draft`
        Its truth is changed, and complete afterwards.
    light : `Light`
        What falls on it.

    Returns
    -------
    sci : 2D float32 `~numpy.ndarray`
        In the unit of the scene.
    """
    chip, scene = draft.instrument.chip, draft.scene
    seen, offset = _spoil(draft, light.total)
    expected = _remember(draft, seen)
    electrons, charge = _collect(draft, expected)
    electrons = _fill_wells(draft, electrons, expected)
    rng = draft.chance['electronics']
    gain, level = readout.draw_amplifiers(rng, chip, scene, draft.noise)
    noise = readout.draw_noise(rng, chip, scene, draft.noise)
    sci, ended = readout.converted(
        electrons * gain + level + noise + offset, chip, scene
    )
    saturated = (electrons > FULL * chip.full_well) | ended
    draft.plane('saturation')[:] = saturated & draft.live
    _hide(draft, saturated, light, charge)
    return sci
