"""Cosmic rays, simulated and real ones."""

from __future__ import annotations

import numpy as np

from astrosieve_training.contaminant.simulate import real
from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.simulate.cosmic_rays import cosmic_ray_image
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['add_cosmic_rays']


def add_cosmic_rays(draft: Draft) -> None:
    """
    Add hits: tracks, muons, worms and points in the instrument's silicon, or real ones.

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
    draft.add_charge('cosmic_ray', hits.image * np.float32(scale))
