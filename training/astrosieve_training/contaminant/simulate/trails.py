"""Trails of satellites, aircraft and meteors."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.contaminant.simulate.profiles import StarProfile
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['add_trails']


def _across(
    rng: np.random.Generator, away: np.ndarray, profile: StarProfile
) -> tuple[np.ndarray, float]:
    """Return a trail's profile, 1 at its highest, and half its width."""
    fwhm = profile.fwhm
    sigma = fwhm / 2.355
    kind = rng.choice(
        ['star', 'double', 'wide', 'box', 'ring'], p=[0.36, 0.08, 0.16, 0.16, 0.24]
    )
    if kind == 'double':  # the lights of an aircraft's wings
        half, other = log_uniform(rng, fwhm, 20 + fwhm), rng.uniform(0.3, 1)
        left, right = (np.exp(-0.5 * ((away + h) / sigma) ** 2) for h in (half, -half))
        return left + other * right, half
    if kind == 'star':
        wing = 1 / (1 + (away / (1.3 * fwhm)) ** 2) ** 2
        return 0.96 * np.exp(-0.5 * (away / sigma) ** 2) + 0.04 * wing, fwhm
    if kind == 'wide':
        width = log_uniform(rng, 1, 9) * sigma
        return np.exp(-0.5 * (away / width) ** 2), width
    # Where stars are out of focus trails are, too, those of near bodies even more.
    least = max(1.2, profile.width / 2 - fwhm)
    half = log_uniform(rng, least, max(22, 3 * least))
    soft = max(0.6 * sigma, 0.5)
    box = ndtr((half - away) / soft) * ndtr((half + away) / soft)
    if kind == 'ring':  # a pupil out of focus, drawn along: bright edges
        hole = rng.uniform(0.2, 0.5) * half
        inner = ndtr((hole - away) / soft) * ndtr((hole + away) / soft)
        depth = rng.uniform(0.3, 0.9)
        box *= (1 + (away / half).clip(-1.2, 1.2) ** 2) * 0.5
        box = box - depth * inner * box
    return box / max(float(box.max()), 1e-3), half


def _along(rng: np.random.Generator, along: np.ndarray, length: float) -> np.ndarray:
    """Return the brightness along a trail: steady, flashing, dashed, fading."""
    kind = rng.choice(
        ['steady', 'flashes', 'dashes', 'slow'], p=[0.55, 0.17, 0.13, 0.15]
    )
    phase = rng.uniform(0, 2 * np.pi)
    turn = 2 * np.pi * along / log_uniform(rng, 12, 150) + phase
    if kind == 'flashes':
        sharp = log_uniform(rng, 1, 60)
        return rng.uniform(0.02, 0.5) + np.exp(sharp * (np.cos(turn) - 1))
    if kind == 'dashes':
        return np.asarray(expit(15 * (np.cos(turn) - rng.uniform(-0.7, 0.5))))
    if kind == 'slow':
        return np.asarray(np.clip(1 + rng.normal(0, 0.8) * along / length, 0.1, 2))
    return np.ones_like(along)


def add_trails(draft: Draft) -> None:
    """
    Add one to three trails, at any angle, as wide as a star or much wider.

    Some end inside the image, some are short, some a little bent, some flash or are
    dashed. A trail is true where it exceeds the noise, or is above a third of its
    highest and half of the noise: along a line the eye sees less than in a pixel.
    Its faint skirts and what is dark between dashes nobody can tell.
    """
    rng = draft.rng
    ny, nx = draft.shape
    rows, columns = draft.grid()
    number = int(rng.choice([1, 1, 1, 2, 3]))
    parallel = rng.random() < 0.4
    turn = rng.uniform(0, np.pi)
    size = float(np.hypot(ny, nx))
    for _ in range(number):
        turn = turn if parallel else rng.uniform(0, np.pi)
        x, y = rng.uniform(0.05, 0.95) * nx, rng.uniform(0.05, 0.95) * ny
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        along = (columns - np.float32(x)) * cos + (rows - np.float32(y)) * sin
        away = (rows - np.float32(y)) * cos - (columns - np.float32(x)) * sin
        if rng.random() < 0.35:
            bend = rng.normal(0, rng.choice([0.05, 0.05, 0.3]))
            away = away - np.float32(bend / size) * along**2
        profile, half = _across(rng, away, draft.profile)
        bright = _along(rng, along, size)
        first, last = -2 * size, 2 * size
        fate = rng.random()
        if fate < 0.2:
            first = rng.uniform(-0.2, 0.2) * size
        elif fate < 0.32:
            long = log_uniform(rng, max(25, 4 * half), 0.7 * size)
            first, last = -long / 2, long / 2
        soft = max(draft.profile.fwhm / 2.355, 0.6)
        bright = bright * ndtr((along - first) / soft) * ndtr((last - along) / soft)
        peak = log_uniform(rng, 0.7, 3 if rng.random() < 0.5 else 40)
        if last < size:
            peak = max(peak, 1.5)
        plane = (peak * bright * profile).astype(np.float32)
        shaped = profile > 1 / 3
        clear = (plane > 1) | (shaped & (plane > 0.5))
        dark = shaped & (bright > 0.001) & (along > first) & (along < last)
        draft.add_light('satellite_trail', plane * np.float32(draft.noise))
        draft.mark('satellite_trail', clear, ((plane > 0.1) | dark) & ~clear)
