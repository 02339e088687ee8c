"""Trails of satellites, aircraft and meteors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from astrosieve_training.contaminant.second.fields import coordinates, moffat

__all__ = ['draw_trail']

_BETA = 2.5  # of the profile across: a star's, summed along the trail


@dataclass(frozen=True, eq=False)
class _Path:
    """Distances along and from a trail, pixels; the seeing, and the image's size."""

    along: np.ndarray
    across: np.ndarray
    fwhm: float
    shape: tuple[int, int]

    @property
    def diagonal(self) -> float:
        """Longest line in the image."""
        return float(np.hypot(*self.shape))

    def line(self, aside: float = 0.0, wider: float = 1.0) -> np.ndarray:
        """Return a line of height 1, beside the path and wider than a star."""
        return moffat(self.across - aside, self.fwhm * wider, _BETA)

    def flashes(self, period: float, phase: float) -> np.ndarray:
        """Return the distance along the trail from the next flash."""
        return (self.along - phase + period / 2) % period - period / 2


def _steady(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return a satellite that hardly changes."""
    turn = path.along / path.diagonal * rng.uniform(3, 9) + rng.uniform(0, 6)
    return path.line(wider=rng.uniform(1, 1.35)) * (1 + 0.15 * np.sin(turn))


def _defocused(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return one so near that it is out of focus: the pupil's ring, summed along."""
    radius = path.fwhm * rng.uniform(1, 2.6) + 1
    hole = radius * rng.uniform(0.35, 0.6)
    far = 3 * radius + 4 * path.fwhm
    at = np.linspace(-far, far, 801)
    chord = np.sqrt(np.clip(radius**2 - at**2, 0, None))
    chord -= np.sqrt(np.clip(hole**2 - at**2, 0, None))
    chord = gaussian_filter1d(chord, path.fwhm / 2.35 / (at[1] - at[0]))
    return np.interp(path.across, at, chord / chord.max(), 0, 0)


def _tumbling(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return one that flashes as it turns, with a weaker flash between."""
    period = rng.uniform(35, 120)
    phase = rng.uniform(0, period)
    width = rng.uniform(3, 0.14 * period + 3)
    bright = np.exp(-0.5 * (path.flashes(period, phase) / width) ** 2)
    weak = np.exp(-0.5 * (path.flashes(period, phase + 0.4 * period) / 6) ** 2)
    return path.line() * (0.18 + 0.82 * bright + 0.3 * weak)


def _aircraft(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return two lines of steady lights, and lights that blink near the middle."""
    half = rng.uniform(3, 9) * max(path.fwhm, 2) / 2
    period = rng.uniform(90, 200)
    light = path.line(half, 1.3) + rng.uniform(0.4, 0.9) * path.line(-half, 1.3)
    for phase in (0.0, rng.uniform(8, 30)):
        aside = path.across - rng.normal(0, 0.3) * half
        away = aside**2 + path.flashes(period, phase) ** 2
        light += rng.uniform(1, 3) * np.exp(-0.5 * away / (0.9 * path.fwhm) ** 2)
    return light


def _meteor(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return one that brightens, flares and ends, in a glowing wake."""
    share = path.along / (rng.uniform(0.25, 0.6) * path.diagonal) + 0.5
    rise = np.clip(share, 0, 1) ** 1.3 * np.clip(12 * (1 - share), 0, 1) * 2
    rise = gaussian_filter(rise, path.fwhm / 2)
    flare = 1 + 0.5 * np.exp(-0.5 * ((share - 0.8) / 0.03) ** 2)
    wake = 0.18 * np.exp(-0.5 * (path.across / (4 * path.fwhm)) ** 2)
    return path.line(wider=2.2) * rise * flare + wake * rise


def _segment(rng: np.random.Generator, path: _Path) -> np.ndarray:
    """Return a short one, both of whose ends are in the image."""
    half = rng.uniform(0.12, 0.4) * min(path.shape) / 2
    soft = 0.6 * path.fwhm
    ends = np.tanh((path.along + half) / soft) - np.tanh((path.along - half) / soft)
    return path.line() * ends / 2


_KINDS: dict[str, Callable[[np.random.Generator, _Path], np.ndarray]] = {
    'steady': _steady,
    'curved': _steady,
    'defocused': _defocused,
    'tumbling': _tumbling,
    'aircraft': _aircraft,
    'meteor': _meteor,
    'segment': _segment,
}


def draw_trail(
    rng: np.random.Generator, shape: tuple[int, int], kind: str, fwhm: float
) -> np.ndarray:
    """
    Draw a trail through the inner half of an image, at any angle, bent a little.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Of the image.
    kind : str
        'steady', 'curved', 'defocused', 'tumbling', 'aircraft', 'meteor' or 'segment'.
    fwhm : float
        Of a star, pixels.

    Returns
    -------
    trail : 2D `~numpy.ndarray`
        1 where it is bright.
    """
    ny, nx = shape
    y, x = coordinates(shape)
    turn = rng.uniform(0, np.pi)
    dx, dy = x - nx * rng.uniform(0.25, 0.75), y - ny * rng.uniform(0.25, 0.75)
    along = dx * np.cos(turn) + dy * np.sin(turn)
    across = dy * np.cos(turn) - dx * np.sin(turn)
    bend = rng.normal(0, 0.15)
    if kind == 'curved':
        bend += rng.choice([-1, 1]) * rng.uniform(1, 4)
    across = across + bend * 1e-4 * along**2
    trail = _KINDS[kind](rng, _Path(along, across, fwhm, shape))
    return trail / np.percentile(trail[trail > 1e-3], 99.8)
