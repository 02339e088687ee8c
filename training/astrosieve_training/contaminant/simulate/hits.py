"""Cosmic rays, simulated and real ones."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from astrosieve_training.contaminant.simulate import real
from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.simulate.cosmic_rays import cosmic_ray_image, heavy_particles
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['add_cosmic_rays']


_SNOWBALLS = (0.5, 2.0, 8.0)  # of an image of an IR array, on average
_BLOBS = (0.0, 0.0, 1.0, 8.0)  # of 256x256 pixels of a CCD, on average


def _snowballs(draft: Draft) -> np.ndarray:
    """
    Return the discs that heavy particles leave in IR arrays, electrons.

    Flat, full or nearly so within, with a halo of charge that spread, next to nothing
    or half as much as within, so that it reaches far (Regan 2024, JWST-STScI-008545;
    WFC3/IR has them too: McCullough 2009, WFC3 ISR 2009-43).
    """
    rng, plane = draft.rng, np.zeros(draft.shape, np.float32)
    ny, nx = draft.shape
    well, noise = draft.instrument.well, draft.noise
    for _ in range(rng.poisson(rng.choice(_SNOWBALLS))):
        x, y = rng.uniform(0, nx), rng.uniform(0, ny)
        radius, ratio = log_uniform(rng, 1.5, 20), rng.uniform(0.8, 1)
        turn = rng.uniform(0, np.pi)
        away = np.hypot(*draft.turned(x, y, turn, ratio))
        core = expit((radius - away) / np.float32(log_uniform(rng, 0.25, 1)))
        far = np.maximum(away - radius, 0) / np.float32(radius * rng.uniform(0.3, 1))
        halo = log_uniform(rng, 0.001, 0.6) * np.exp(-(far ** rng.uniform(0.8, 1.6)))
        full = log_uniform(rng, min(20 * noise, 0.5 * well), 1.3 * well)
        plane += np.float32(full) * (core + halo).astype(np.float32)
    return plane


def add_cosmic_rays(draft: Draft) -> None:
    """
    Add hits: tracks, muons, worms and points in the instrument's silicon, or real ones.
    CCDs have blobs of heavy particles besides, IR arrays discs, and of all hits the
    neighbours read a little.

    A pixel is true where a hit brought more than 2 times its noise; from 0.5 times on
    nobody can tell.
    """
    rng, instrument = draft.rng, draft.instrument
    ny, nx = draft.shape
    number = log_uniform(rng, 3, 250) * ny * nx / 65536
    if instrument.kind.detector == 'thick':
        number = min(number, 60 * ny * nx / 65536)
    area = ny * nx * (instrument.slab.pixel_um * 1e-4) ** 2
    templates = None
    if draft.real:
        templates = real.hit_templates(rng, instrument, judged=draft.judged)
    hits = cosmic_ray_image(
        draft.shape, instrument.slab, rng, rate=number / area, exptime=1.0,
        site=instrument.kind.site, tilt=rng.uniform(0, 60), templates=templates,
        template_share=float(rng.choice([0.3, 0.7, 1.0])) if templates else 0.0,
    )  # fmt: skip
    # Faint hits would be lost in a bright sky: their charge grows with its noise.
    weakest = max(1.0, draft.noise / 60)
    scale = log_uniform(rng, 0.5, 2.5) * weakest
    plane = hits.image * np.float32(scale)
    if instrument.kind.detector == 'ir':
        plane = draft.coupled(plane + _snowballs(draft))
    else:
        blobs = rng.poisson(rng.choice(_BLOBS) * ny * nx / 65536)
        plane = plane + heavy_particles(draft.shape, blobs, rng).image
    draft.add_charge('cosmic_ray', plane)
