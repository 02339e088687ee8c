"""What a pupil with struts does to the light of bright stars, far from their cores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import median

from astrosieve_training.contaminant.simulate.draft import Draft, Star
from astrosieve_training.contaminant.simulate.fields import power_law_field
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['FarField', 'far_field']

_SIZE = 768  # samples of the pupil's plane, and pixels of the image
_AIRY = 1.03  # FWHM of a diffraction image, in wavelengths over diameters
_SHARPEST = 1.2  # pixels; the pupil of a narrower one does not fit
_BAND = 0.12  # half of a filter's width, in its wavelength
_COLOURS = 5
_CORE = 2.5  # FWHM, within which the star's own profile holds
_BARS = {2: 2, 4: 4, 6: 3, 8: 8}
"""Half-struts that make a number of spikes: one makes two, opposite ones the same."""


@dataclass(frozen=True, eq=False)
class FarField:
    """
    The image of a point beyond its core.

    Parameters
    ----------
    spikes, halo : 2D float32 `~numpy.ndarray`
        Shares of the star's light in each pixel, the star in the middle: what the
        struts and straight edges make, along their directions; rings and speckles.
    """

    spikes: np.ndarray
    halo: np.ndarray

    def add(self, draft: Draft, star: Star) -> None:
        """Add what is about a star to an image, whose profile is added already."""
        middle = _SIZE // 2
        ny, nx = draft.shape
        top, left = middle - round(star.y), middle - round(star.x)
        rows, columns = (
            slice(max(first, 0), min(first + n, _SIZE))
            for first, n in ((top, ny), (left, nx))
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        box = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        for name, plane in (('spike', self.spikes), ('object', self.halo)):
            light = np.zeros(draft.shape, np.float32)
            light[box] = np.float32(star.flux) * plane[rows, columns]
            draft.add_light(name, draft.profile.blurred(light))


def _pupil(
    diameter: float, turns: np.ndarray, half: float, hole: float, edges: np.ndarray
) -> np.ndarray:
    """Return a pupil: round, or of straight edges; a hole, half-struts from it."""
    at = np.arange(_SIZE, dtype=np.float32) - _SIZE // 2
    y, x, radius = at[:, None], at[None], diameter / 2
    away = np.hypot(y, x)
    outer = away
    if len(edges):  # the farthest of the directions across the edges
        outer = np.max([np.abs(x * np.cos(t) + y * np.sin(t)) for t in edges], axis=0)
        outer = outer * np.float32(1.06)  # as large as the disc
    pupil = np.clip(radius - outer + 0.5, 0, 1) * np.clip(
        away - hole * radius + 0.5, 0, 1
    )
    for turn in turns:
        beside = np.abs(y * np.cos(turn) - x * np.sin(turn))
        ahead = x * np.cos(turn) + y * np.sin(turn) > 0
        bar = np.clip(beside - half * radius + 0.5, 0, 1)
        pupil *= np.where(ahead, bar, 1)
    return np.asarray(pupil, dtype=np.float32)


def far_field(draft: Draft) -> FarField:
    """
    Draw a pupil, and return what it does to a point beyond the core.

    Its struts lie evenly about the middle, its edge is round, or of six sides as of a
    mirror of segments; the surface has errors of all scales,
    by a power law. The image is that of
    several colours of a filter.

    Parameters
    ----------
    draft : `Draft`
        Says how many spikes, and how wide the core is.
    """
    rng, fwhm = draft.rng, max(draft.profile.fwhm, _SHARPEST)
    number = int(rng.choice(draft.instrument.kind.arms))
    bars = _BARS.get(number, number)
    start = rng.uniform(0, 2 * np.pi)
    turns = start + 2 * np.pi * np.arange(bars) / bars
    six = start + np.pi * np.arange(3) / 3
    edges = six if number in (6, 8) and rng.random() < 0.5 else np.zeros(0)
    if len(edges):
        turns = turns[: int(rng.integers(1, 4))]
    half, hole = log_uniform(rng, 0.008, 0.05), rng.uniform(0.12, 0.4)
    rough = power_law_field(rng, (_SIZE, _SIZE), rng.uniform(1.5, 3.5))
    rough *= np.float32(rng.uniform(0.1, 0.6))
    image = np.zeros((_SIZE, _SIZE), np.float32)
    for colour in np.linspace(1 - _BAND, 1 + _BAND, _COLOURS):
        pupil = _pupil(_SIZE * _AIRY / fwhm / colour, turns, half, hole, edges)
        wave = pupil * np.exp(np.complex64(1j / colour) * rough)
        field = np.abs(fft.fft2(fft.ifftshift(wave))) ** 2
        image += fft.fftshift(field / field.sum()).astype(np.float32)
    image /= _COLOURS
    at = np.arange(_SIZE, dtype=np.float32) - _SIZE // 2
    y, x = at[:, None], at[None]
    away = np.hypot(y, x)
    image[away < _CORE * fwhm] = 0
    rings = (40 * np.log1p(away / 4)).astype(np.int32)
    some = np.s_[::2, ::2]
    levels = median(image[some], rings[some], np.arange(rings.max() + 1))
    usual = np.nan_to_num(np.asarray(levels, np.float32))[rings]
    along = np.zeros(image.shape, bool)
    for turn in (*(turns + np.pi / 2), *edges):
        along |= np.abs(y * np.cos(turn) - x * np.sin(turn)) < 1.5 * fwhm + 0.02 * away
    spikes = np.where(along, np.maximum(image - usual, 0), 0).astype(np.float32)
    return FarField(spikes, image - spikes)
