"""What remains of the light of earlier exposures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.simulate.fields import log_uniform, smooth_field

__all__ = ['add_persistence']

_TRAPPED = 4.0  # of what fills the traps: a fainter star leaves what looks like one


def _stars(draft: Draft) -> np.ndarray:
    """
    Return what the stars of an earlier exposure left, and what lay across it.

    Discs of sharp edges and flat tops, displaced by one step; plateaus, and smears of
    the telescope's way between two fields. None is of a star that would leave no more
    than its own width, which nobody can tell from a star.
    """
    rng, profile = draft.rng, draft.profile
    ny, nx = draft.shape
    latent = np.zeros(draft.shape, np.float32)
    stars = sorted(draft.stars, key=lambda star: -star.flux)[:6]
    if stars and rng.random() < 0.6:
        step = rng.uniform(-40, 40, 2)
        places = [(star.x + step[0], star.y + step[1]) for star in stars]
    else:
        places = [
            (rng.uniform(0, nx), rng.uniform(0, ny))
            for _ in range(int(rng.choice([1, 2, 3, 4, 6, 9])))
        ]
    # How many times over the brightest pixel had filled the traps.
    sharp, trapped = log_uniform(rng, 6, 1000), _trapping(rng)
    rows, columns = draft.grid()
    for x, y in places:
        full = max(sharp * log_uniform(rng, 0.15, 1), _TRAPPED)
        one = np.zeros_like(latent)
        profile.add(one, x, y, full / profile.peak, 0.01)
        if rng.random() < 0.15:
            half = log_uniform(rng, 3, 16)
            away = np.hypot(columns - np.float32(x), rows - np.float32(y))
            one += np.float32(full) * expit((half - away) / 0.8)
        if rng.random() < 0.12 and 'bleed' not in draft.instrument.kind.without:
            reach, half = log_uniform(rng, 5, 60), rng.uniform(0.5, 2.5)
            near = (np.abs(columns - np.float32(x)) < half) & (
                np.abs(rows - np.float32(y)) < reach
            )
            one += np.float32(full) * near
        if rng.random() < 0.08:
            turn, reach = rng.uniform(0, np.pi), log_uniform(rng, 20, 200)
            u = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
            v = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
            way = np.exp(-0.5 * (v / (profile.fwhm / 2)) ** 2) * (u > 0) * (u < reach)
            one += np.float32(rng.uniform(1, 5)) * way.astype(np.float32)
        latent += log_uniform(rng, 0.4, 1) * trapped(one)
    return latent


def _spectra(draft: Draft) -> np.ndarray:
    """Return what a slitless exposure left: spectra side by side, of one length."""
    rng, width = draft.rng, draft.profile.fwhm / 2.355
    turned = rng.random() < 0.3
    ny, nx = draft.shape[::-1] if turned else draft.shape
    rows = np.arange(ny, dtype=np.float32)[:, None]
    columns = np.arange(nx, dtype=np.float32)[None]
    length, tilt = log_uniform(rng, 40, 260), rng.normal(0, 0.01)
    soft, trapped = log_uniform(rng, 1, 0.1 * length), _trapping(rng)
    zeroth = rng.uniform(0.3, 1.5) * length if rng.random() < 0.3 else None
    colours = 1 + 0.3 * smooth_field(rng, (1, nx), max(0.3 * length, 10))
    latent = np.zeros((ny, nx), np.float32)
    for _ in range(int(rng.integers(2, 12))):
        x, y = rng.uniform(-length, nx), rng.uniform(0, ny)
        along = columns - x
        ends = expit(along / soft) * expit((length - along) / soft)
        across = (rows - y - np.float32(tilt) * along) / np.float32(width)
        light = np.maximum(colours, 0.1) * ends * np.exp(-0.5 * across**2)
        if zeroth is not None:
            away = np.hypot(along + zeroth, rows - y) / np.float32(2 * width)
            light = light + np.exp(-0.5 * away**2)
        latent += trapped(np.float32(log_uniform(rng, 0.8, 30)) * light)
    return latent.T if turned else latent


def _trail(draft: Draft) -> np.ndarray:
    """Return what a satellite left: one line or two, as wide as a star or wider."""
    rng, trapped = draft.rng, _trapping(draft.rng)
    ny, nx = draft.shape
    turn = rng.uniform(0, np.pi)
    latent = np.zeros(draft.shape, np.float32)
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        x, y = rng.uniform(0, nx), rng.uniform(0, ny)
        away = draft.turned(x, y, turn)[1]
        width = draft.profile.fwhm / 2.355 * log_uniform(rng, 1, 3)
        light = log_uniform(rng, 0.8, 30) * np.exp(-0.5 * (away / width) ** 2)
        latent += trapped(light.astype(np.float32))
    return latent


def _trapping(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Return what is left of light, in units of what fills the traps."""
    rise, edge = rng.uniform(0, 0.3), rng.uniform(0.1, 0.35)

    def left(light: np.ndarray) -> np.ndarray:
        light = np.clip(light, 0, 1e4)
        held = expit((light - 1) / np.float32(edge)) - expit(-1 / edge)
        return np.asarray(held * light ** np.float32(rise))

    return left


def add_persistence(draft: Draft) -> None:
    """
    Add what remains of earlier exposures: of their stars, of slitless spectra, of a
    satellite's trail.

    Traps remember what came near the full well: a Fermi function of the light, with a
    slow rise above (Long, Baggett & MacKenty 2012, WFC3 ISR 2012-15). What several
    exposures left is there several times, moved by their dithers and the fainter the
    older. True above 0.9 times the noise; from 0.3 times on nobody can tell.
    """
    rng = draft.rng
    latent = (_stars, _spectra, _trail)[rng.choice(3, p=[0.69, 0.24, 0.07])](draft)
    latent /= max(float(latent.max()), 1e-3)
    older = latent
    for _ in range(int(rng.choice([0, 0, 0, 1, 2, 3]))):
        move = tuple(int(v) for v in rng.integers(-30, 31, 2))
        older = rng.uniform(0.2, 0.8) * np.roll(older, move, (0, 1))
        latent = latent + older
    plane = latent * np.float32(draft.noise * log_uniform(rng, 2.5, 60))
    draft.add_charge('persistence', plane)
