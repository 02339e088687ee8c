"""What bright stars leave about them: diffraction spikes and reflections."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from astrosieve_training.contaminant.simulate.diffraction import far_field
from astrosieve_training.contaminant.simulate.draft import Draft, Star
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['add_reflections', 'add_spikes']

_LARGEST = 320.0  # pixels: radius of a reflection
_GHOSTS = ('disc', 'ring', 'pupil', 'crescent', 'arc')


def add_spikes(draft: Draft) -> None:
    """
    Add diffraction spikes to the bright stars.

    Two to eight at any angle, the brighter the star the longer; their light falls with
    a power of the distance, some beaded, some unequal. They are true where their light
    exceeds the noise, that of the star's halo included, and the star's smooth light
    does not exceed eight times it; from 0.3 times the noise on, and within the star's
    core, nobody can tell. Those of sharp telescopes are, mostly, what diffraction by
    their pupil makes, with its rings and speckles.
    """
    rng, stars = draft.rng, draft.stars
    ny, nx = draft.shape
    if not stars:
        return
    brightest = sorted(stars, key=lambda star: -star.flux)[:4]
    made = draft.instrument
    if (made.kind.site == 'orbit' or made.psf == 'airy') and rng.random() < 0.7:
        field = far_field(draft)
        for star in brightest:
            field.add(draft, star)
        return
    number = int(rng.choice(draft.instrument.kind.arms))
    start = rng.uniform(0, np.pi) if rng.random() < 0.7 else rng.choice([0, np.pi / 4])
    if number in (3, 5) or rng.random() < 0.15:
        turns = start + 2 * np.pi * np.arange(number) / number
    else:
        turns = start + np.pi * np.arange(number // 2) / (number // 2)
        turns = np.concatenate([turns, turns + np.pi])
    if rng.random() < 0.2:  # struts that do not meet at right angles
        turns = (
            turns + np.tile(rng.normal(0, 0.2, len(turns) // 2 or 1), 3)[: len(turns)]
        )
    power, width = (
        rng.uniform(0.8, 2.2),
        draft.profile.fwhm / 2.355 * rng.uniform(0.7, 1.4),
    )
    spread = rng.choice([0.0, rng.uniform(0.0, 0.03), rng.uniform(0.01, 0.08)])
    length = log_uniform(rng, 12, 500)
    uneven = (
        rng.uniform(0.6, 1.4, len(turns)) if rng.random() < 0.3 else np.ones(len(turns))
    )
    beads = rng.uniform(0.2, 0.9) if rng.random() < 0.35 else 0.0
    period = log_uniform(rng, 3, 14)
    plane = np.zeros(draft.shape, np.float32)
    rows, columns = draft.grid()
    for star in brightest:
        reach = length * min((star.flux / brightest[0].flux) ** (0.7 / power), 1.0)
        if reach < 5 or not (-nx < star.x < 2 * nx and -ny < star.y < 2 * ny):
            continue
        for turn, share in zip(turns, uneven, strict=True):
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            along = (columns - star.x) * cos + (rows - star.y) * sin
            across = (rows - star.y) * cos - (columns - star.x) * sin
            away = np.maximum(along, np.float32(2.0))
            light = (reach / away) ** np.float32(power)
            light *= np.exp(-away / np.float32(2 * reach)) * np.float32(1.65 * share)
            wide = np.float32(width) + np.float32(spread) * away
            light *= np.exp(-0.5 * (across / wide) ** 2) * np.float32(width) / wide
            if beads:
                light *= 1 - beads * np.sin(np.pi * along / period) ** 2
            light *= np.clip((along + 1) / 3, 0, 1)
            plane += light
    draft.add_light('spike', draft.profile.blurred(plane * np.float32(draft.noise)))


def _place(draft: Draft, star: Star | None, size: float) -> tuple[float, float]:
    """Return where a reflection's middle is: on a bright star, near one, anywhere."""
    rng = draft.rng
    ny, nx = draft.shape
    if star is None or rng.random() < 0.35:
        return rng.uniform(-0.1, 1.1) * nx, rng.uniform(-0.1, 1.1) * ny
    away = 0.0 if rng.random() < 0.2 else size * abs(rng.normal(0, 0.8))
    turn = rng.uniform(0, 2 * np.pi)
    return star.x + away * np.cos(turn), star.y + away * np.sin(turn)


def _ghost(draft: Draft, x: float, y: float, size: float) -> np.ndarray:
    """Return one reflection, about one where it is bright."""
    rng = draft.rng
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.7, 1)
    u, v = draft.turned(x, y, angle, ratio)
    away = np.sqrt(u**2 + v**2)
    soft = log_uniform(rng, 0.7, 4)
    kind = rng.choice(_GHOSTS, p=[0.3, 0.2, 0.25, 0.1, 0.15])
    ghost = np.clip((size - away) / soft + 0.5, 0, 1)
    if kind in ('ring', 'arc'):
        width = max(log_uniform(rng, 0.01, 0.3) * size, 1.2)
        ghost = np.exp(-0.5 * ((away - size) / width) ** 2)
        if kind == 'arc':
            ahead = np.abs(
                np.angle(np.exp(1j * (np.arctan2(v, u) - rng.uniform(0, 6))))
            )
            ends = rng.uniform(0.2, 1.5) - ahead
            ghost = ghost * expit(ends / log_uniform(rng, 0.02, 0.3))
    elif kind == 'pupil':
        shade = rng.uniform(0.15, 0.5) * size
        ox, oy = rng.normal(0, 0.1, 2) * size
        ghost *= np.clip((np.hypot(u - ox, v - oy) - shade) / soft + 0.5, 0, 1)
        number, start = int(rng.choice([0, 3, 4])), rng.uniform(0, np.pi)
        for k in range(number):
            turn = start + 2 * np.pi * k / number
            beside = np.abs(v * np.cos(turn) - u * np.sin(turn))
            ahead = u * np.cos(turn) + v * np.sin(turn) > 0
            half = max(0.03 * size, 0.8)
            ghost *= np.where(ahead, np.clip((beside - half) / soft + 0.5, 0, 1), 1)
    elif kind == 'crescent':
        ox, oy = rng.normal(0, 0.6, 2) * size
        other = np.hypot(u - ox, v - oy)
        ghost *= np.clip((size * rng.uniform(0.8, 1.4) - other) / soft + 0.5, 0, 1)
    if rng.random() < 0.5:
        ghost *= np.clip(1 + rng.uniform(-0.7, 0.9) * (away / size) ** 2, 0.1, None)
    ghost *= np.clip(1 + rng.normal(0, 0.3) * u / size, 0, None)
    return np.asarray(gaussian_filter(ghost, 0.8), dtype=np.float32)


def add_reflections(draft: Draft) -> None:
    """
    Add reflections within the camera: discs, rings and arcs, pupils with struts,
    crescents, now and then a chain of them, each a little larger than the one before.

    They are true where they exceed half of the noise; from 0.15 times on nobody can
    tell.
    """
    rng, noise = draft.rng, draft.noise
    star = max(draft.stars, key=lambda each: each.flux, default=None)
    size = log_uniform(rng, 6 if rng.random() < 0.7 else 80, _LARGEST)
    chained = rng.random() < 0.2
    if chained:
        size = min(size, 40.0)
    x, y = _place(draft, star, size)
    turn, growth = rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.25)
    for _ in range(int(rng.integers(3, 8) if chained else rng.choice([1, 1, 1, 2, 3]))):
        light = np.float32(log_uniform(rng, 0.7, 15) * noise)
        draft.add_light('reflection', light * _ghost(draft, x, y, size))
        if chained:
            step = size * rng.uniform(1.2, 2)
            x, y, size = x + step * np.cos(turn), y + step * np.sin(turn), size * growth
        else:
            size = float(np.clip(size * rng.uniform(0.5, 1.6), 5, _LARGEST))
            x, y = _place(draft, star, size)
