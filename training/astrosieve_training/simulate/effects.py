"""
Effects that make a chip: light, dark current, hits, saturation, transfer, readout.

`EFFECTS` is what every exposure has. A list with more, fewer or other effects goes to
`~astrosieve_training.simulate.exposure.simulate_dithered_set`.
"""

from __future__ import annotations

import numpy as np
from astropy.table import Table, vstack

from astrosieve.images.instruments import instrument
from astrosieve_training.simulate import detector
from astrosieve_training.simulate.chips import ChipState, Effect, Stream
from astrosieve_training.simulate.cosmic_rays import (
    CosmicRayTemplates,
    cosmic_ray_image,
    heavy_particles,
)
from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.extended import (
    nebula_image,
    render_galaxies,
    render_trails,
)
from astrosieve_training.simulate.real_hits import SOURCES, hit_templates

__all__ = [
    'EFFECTS',
    'cosmic_rays',
    'dark_current',
    'extended_light',
    'foreign_hits',
    'photons',
    'readout',
    'response',
    'saturation',
    'starlight',
    'telemetry',
    'transfer',
]

# Whose charge a component's trails of readout become, where not its own.
_TRAILS = {'star': 'spike'}


def starlight(state: ChipState, rng: np.random.Generator) -> None:
    """Let the light of stars fall on the chip: cores, and what is about them."""
    scene = state.scene
    core, rest = state.psf.render(
        state.shape, scene.x, scene.y, scene.flux, level=state.level,
        origin=state.origin,
    )  # fmt: skip
    state.planes['star'] += core
    state.planes['spike'] += rest


def extended_light(state: ChipState, rng: np.random.Generator) -> None:
    """Let the light of galaxies, trailed sources and nebulae fall on the chip."""
    scene, shape, level = state.scene, state.shape, state.level
    light = render_galaxies(
        shape, scene.galaxies, state.psf, level=0.5 * level, origin=state.origin
    )
    light += render_trails(
        shape, scene.trails, state.psf, level=level, origin=state.origin
    )
    if scene.nebula is not None:
        light += nebula_image(scene, shape, *state.offset)
    state.planes['extended'] += light


def response(state: ChipState, rng: np.random.Generator) -> None:
    """Let flat field and dead pixels make charge of the light."""
    for plane in state.planes.values():
        plane *= state.flat
    seen = sum(state.planes.values()) + state.base
    for plane in (*state.planes.values(), state.base):
        plane *= state.defects.response
    state.expected = seen * state.defects.response


def dark_current(state: ChipState, rng: np.random.Generator) -> None:
    """Add the excess dark charge, of which calibration takes away what it knows."""
    camera, defects = state.camera, state.defects
    hot = defects.rate * np.float32(state.exptime)
    if defects.unstable.any():
        change = rng.lognormal(-0.5, 1.2, int(defects.unstable.sum()))
        hot[defects.unstable] *= change.astype(np.float32)
    hot = np.minimum(hot, np.float32(1.5 * camera.full_well))
    state.expected = state.expected + hot
    state.planes['bad_pixel'] += hot
    if camera.layout == 'ground':
        return
    # Half of the hot pixels are older than the pipeline's dark frame.
    at = np.flatnonzero(hot)
    known = at[rng.random(len(at)) < 0.5]
    ratio = np.clip(rng.normal(0.85, 0.15, len(known)), 0, 1.3)
    level = np.minimum(hot.reshape(-1)[known], np.float32(camera.full_well))
    state.subtracted.reshape(-1)[known] = level * ratio.astype(np.float32)


def photons(state: ChipState, rng: np.random.Generator) -> None:
    """Draw the charge about its mean."""
    state.variance = state.expected
    state.charge = rng.poisson(np.minimum(state.expected, 1e8)).astype(np.float32)


def cosmic_rays(
    state: ChipState,
    rng: np.random.Generator,
    *,
    templates: CosmicRayTemplates | None = None,
    template_share: float = 0.5,
) -> None:
    """Let particles cross the chip, real hits among them where templates are given."""
    camera = state.camera
    hits = cosmic_ray_image(
        state.shape,
        Slab(
            camera.pixel_size_um,
            camera.thickness_um,
            camera.diffusion_um,
            camera.diffusion_tail,
        ),
        rng,
        rate=camera.cosmic_ray_rate,
        exptime=state.exptime,
        site=camera.cosmic_ray_site,
        templates=templates,
        template_share=template_share,
    )
    state.charge += hits.image
    state.expected = state.expected + hits.image
    state.planes['cosmic_ray'] += hits.image
    names = state.cosmic_rays.colnames
    state.cosmic_rays = Table({name: getattr(hits, name) for name in names})


def foreign_hits(
    state: ChipState,
    rng: np.random.Generator,
    *,
    source: str = 'any',
    judged: bool = False,
) -> None:
    """
    Add hits as other detectors have them: real ones, or those of a thick slab.

    Parameters
    ----------
    state : `~astrosieve_training.simulate.chips.ChipState`
        Changed.
    rng : `~numpy.random.Generator`
        Source of chance.
    source : str, optional
        Whose, see `~astrosieve_training.simulate.real_hits.real_hits`; 'thick' for a
        slab of 40 to 250 micrometres drawn at random, where electrons curl up; 'any'
        for one of these by chance; 'heavy' for alpha particles and heavy nuclei, a
        tenth as many. Without the data they are of a slab.
    judged : bool, optional
        Whether of the real hits those that are kept for judging.
    """
    ny, nx = state.shape
    n = int(rng.poisson(10 ** rng.uniform(1.7, 3.3) * ny * nx / 1e6))
    if source == 'any':
        source = str(rng.choice([*SOURCES, 'thick', 'thick']))
    drawn = source in ('thick', 'heavy')
    templates = None if drawn else hit_templates(source, judged=judged)
    names = state.cosmic_rays.colnames
    if source == 'heavy':
        hits = heavy_particles(state.shape, rng.poisson(n / 10), rng)
        image = hits.image
        found = Table({name: getattr(hits, name) for name in names})
    elif templates is None:
        pixel = rng.uniform(8, 24)
        slab = Slab(pixel, 10 ** rng.uniform(1.6, 2.4), rng.uniform(0.2, 0.5) * pixel)
        area = ny * nx * (pixel * 1e-4) ** 2
        hits = cosmic_ray_image(
            state.shape, slab, rng, rate=n / area, exptime=1.0, site='ground',
            tilt=rng.uniform(0, 60),
        )  # fmt: skip
        image = hits.image
        found = Table({name: getattr(hits, name) for name in names})
    else:
        image = np.zeros(state.shape)
        places = rng.uniform(-0.5, nx - 0.5, n), rng.uniform(-0.5, ny - 0.5, n)
        x, y, electrons, length = templates.add(image, *places, rng)
        columns = (x, y, electrons, length, np.full(n, np.nan))
        found = Table(dict(zip(names, columns, strict=False)))
        found['kind'] = np.full(n, 'template')
        found = found[electrons > 0]
    # The charge of a track grows with its length in a slab, and so may theirs.
    scale = np.float32(10 ** rng.uniform(-0.5, 0.3))
    found['electrons'] = found['electrons'] * scale
    image = (image * scale).astype(np.float32)
    state.charge += image
    state.expected = state.expected + image
    state.planes['cosmic_ray'] += image
    state.cosmic_rays = vstack([state.cosmic_rays, found])


def saturation(state: ChipState, rng: np.random.Generator) -> None:
    """Clip at full well; components shrink alike, and what bleeds is 'spike'."""
    well = float(np.float32(state.camera.full_well))
    expected, base = state.expected, state.base
    over = expected > well
    if not ((state.charge > well).any() or over.any()):
        return
    if state.camera.bleeding:
        kept, moved = detector.bleed(state.charge, well)
        state.charge = kept + moved
        kept, moved = detector.bleed(expected, well)
    else:
        state.charge = np.minimum(state.charge, well)
        kept = np.minimum(expected, well)
        moved = np.zeros_like(kept)
    ratio = (kept[over] - base[over]) / (expected[over] - base[over])
    for plane in state.planes.values():
        plane[over] *= ratio
    state.planes['spike'] += moved
    state.expected = kept + moved


def transfer(state: ChipState, rng: np.random.Generator) -> None:
    """Leave a share of each packet behind on its way to the register."""
    camera, planes = state.camera, state.planes
    if camera.cte_loss == 0:
        return
    rows = (np.arange(state.shape[0]) + state.origin[1]) / camera.shape[0]
    # The chips of a pair are read out at their outer edges.
    away = 1 if state.extver == 1 else -1
    transfers = rows if away == 1 else 1 - rows
    share = detector.cte_fractions(state.expected, camera.cte_loss, transfers)
    # Traps take a share of the mean packet, not of its Poisson noise.
    deferred = share * (state.expected - state.base)
    state.charge = state.charge - deferred + detector.trail(deferred, away)
    # What goes to another component comes last, and is not deferred again.
    for name in sorted(planes, key=lambda name: name in _TRAILS):
        deferred = share * planes[name]
        planes[name] -= deferred
        planes[_TRAILS.get(name, name)] += detector.trail(deferred, away)


def readout(state: ChipState, rng: np.random.Generator) -> None:
    """Turn charge into numbers, with noise, bias, and the limits of the converter."""
    camera, planes, columns = state.camera, state.planes, state.defects.columns
    state.noiseless = state.base + sum(planes.values()) - state.subtracted
    state.noiseless += columns
    planes['bad_pixel'] += columns - state.subtracted
    # Defects of negative excess leave no charge.
    np.maximum(planes['bad_pixel'], 0, out=planes['bad_pixel'])
    image = state.charge + columns
    image += camera.read_noise * rng.standard_normal(state.shape, dtype=np.float32)
    pedestal = camera.pedestal * camera.gain
    image += np.float32(camera.bias_offset * rng.normal() + pedestal)
    ceiling = camera.gain * 65535
    bits = instrument(camera.instrument, camera.detector).dq.written
    state.dq[state.charge >= 0.98 * camera.full_well] |= bits['full_well']
    state.dq[image >= ceiling] |= bits['converter']
    np.minimum(image, ceiling, out=image)
    image = np.round(image / camera.gain) * np.float32(camera.gain)
    image -= state.subtracted
    noise = np.float32(camera.read_noise**2 + camera.gain**2 / 12)
    state.error = np.sqrt(np.maximum(image - np.float32(pedestal), 0) + noise)
    state.image = image


def telemetry(state: ChipState, rng: np.random.Generator) -> None:
    """Lose a compression block now and then."""
    camera = state.camera
    bits = instrument(camera.instrument, camera.detector).dq.written
    for _ in range(rng.poisson(0.02 * state.image.size / 250_000)):
        row, start = (int(rng.integers(n)) for n in state.shape)
        block = np.s_[row, start : start + 64]
        state.dq[block] |= bits['lost']
        for plane in (state.image, state.noiseless, *state.planes.values()):
            plane[block] = 0


EFFECTS: tuple[tuple[Effect, int], ...] = (
    (starlight, Stream.LIGHT),
    (extended_light, Stream.LIGHT),
    (response, Stream.LIGHT),
    (dark_current, Stream.NOISE),
    (photons, Stream.NOISE),
    (cosmic_rays, Stream.HITS),
    (saturation, Stream.NOISE),
    (transfer, Stream.NOISE),
    (readout, Stream.NOISE),
    (telemetry, Stream.NOISE),
)
