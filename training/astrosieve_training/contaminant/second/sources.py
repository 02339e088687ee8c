"""Stars and galaxies, and which of their pixels are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from astrosieve_training.contaminant.second.instruments import (
    GroundOptics,
    Instrument,
    Scene,
)
from astrosieve_training.contaminant.second.optics import StarImage
from astrosieve_training.contaminant.second.sampling import cutout

__all__ = ['Field', 'Sources', 'draw_sources']

_FINE = 3  # samples a pixel of a galaxy
_SPIKY = 0.3  # full wells: peak from which on spikes are apart from the star
_DRAWN = 0.15  # noises of the sky: what of a star is drawn at least
_OUTSIDE = 0.35  # share of images with a bright star beside their left edge
_OUTSIDE_WELLS = 25  # its peak


@dataclass(frozen=True, eq=False)
class Field:
    """
    What sources are drawn into.

    Parameters
    ----------
    instrument : `~astrosieve_training.contaminant.second.instruments.Instrument`
        Its full well, and whether it has vanes.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Numbers of sources.
    star : `~astrosieve_training.contaminant.second.optics.StarImage`
        Of one electron.
    flat : 2D `~numpy.ndarray`
        Share of the light that is seen.
    noise : float
        Of the empty sky, electrons.
    local : 2D `~numpy.ndarray`
        Of the sky with nebulae and fringes, electrons.
    """

    instrument: Instrument
    scene: Scene
    star: StarImage
    flat: np.ndarray
    noise: float
    local: np.ndarray

    @property
    def seeing(self) -> int:
        """Columns that see light."""
        return self.scene.shape[1] - self.scene.overscan

    @property
    def full_flux(self) -> float:
        """Electrons of a star whose brightest pixel is just full."""
        return self.instrument.chip.full_well / self.star.peak


@dataclass(frozen=True, eq=False)
class Sources:
    """
    Light of sources.

    Parameters
    ----------
    light, spikes : 2D `~numpy.ndarray`
        Electrons of stars and galaxies, and of the spikes of bright stars.
    where, unsure : 2D bool `~numpy.ndarray`
        Pixels of sources, and those of sources too faint to be told.
    brightest : (float, float)
        Where the brightest star is, ``(x, y)``.
    """

    light: np.ndarray
    spikes: np.ndarray
    where: np.ndarray
    unsure: np.ndarray
    brightest: tuple[float, float]


def _draw_stars(
    rng: np.random.Generator, field: Field
) -> list[tuple[float, float, float]]:
    """
    Draw places and electrons of stars.

    Numbers rise as a power law to stars whose peak is 1.6 noises of the sky, and end
    below a full well; the bright ones are apart, the first of them well within the
    image. One of 25 full wells may lie beside the image, so that only spikes reach in.
    """
    scene, full = field.scene, field.full_flux
    (ny, width), nx = scene.shape, field.seeing
    faintest = 1.6 * field.noise / field.star.peak
    fluxes = faintest * (1 - rng.random(scene.stars)) ** (-1 / scene.slope)
    most = 0.9 * full * rng.uniform(0.05, 1, scene.stars)
    stars = [
        (rng.uniform(-5, nx + 5), rng.uniform(-5, ny + 5), float(flux))
        for flux in np.minimum(fluxes, most)
    ]
    for i, wells in enumerate(scene.bright):
        margin = 0.02 if i else 0.12
        x = rng.uniform(margin * width, nx - margin * width)
        y = rng.uniform(margin * ny, (1 - margin) * ny)
        stars.append((x, y, wells * np.exp(rng.normal(0, 0.2)) * full))
    vanes = scene.spikes and isinstance(field.instrument.optics, GroundOptics)
    if vanes and rng.random() < _OUTSIDE:
        y = rng.uniform(0.1, 0.9) * ny
        stars.append((-rng.uniform(2, 15), y, _OUTSIDE_WELLS * full))
    return stars


def _sersic(
    rng: np.random.Generator,
    index: float,
    radius: float,
    reach: int,
    offset: tuple[float, float],
) -> np.ndarray:
    """Return a galaxy of light 1: a Sersic profile, with two arms if large and flat."""
    ratio, turn = rng.uniform(0.25, 1), rng.uniform(0, np.pi)
    side = 2 * reach + 1
    at = (np.arange(side * _FINE) - (side * _FINE - 1) / 2) / _FINE
    x, y = at[None] - offset[0], at[:, None] - offset[1]
    u = x * np.cos(turn) + y * np.sin(turn)
    v = (y * np.cos(turn) - x * np.sin(turn)) / ratio
    away = np.hypot(u, v)
    b = 2 * index - 1 / 3
    light = np.exp(-b * (np.maximum(away, 0.15) / radius) ** (1 / index))
    if radius > 6 and index < 2:
        winding = 2 * np.arctan2(v, u) - 5 * np.log(away / radius + 0.3)
        light *= 1 + 0.6 * np.cos(winding) * np.clip(away / radius, 0, 1)
    light = light.reshape(side, _FINE, side, _FINE).mean((1, 3))
    return light / light.sum()


def _draw_galaxy(
    rng: np.random.Generator, field: Field, kernel: np.ndarray
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Draw a galaxy as the optics show it, electrons, and where it is."""
    ny, nx = field.scene.shape
    fwhm = field.star.fwhm
    radius = float(np.clip(0.9 * fwhm * rng.lognormal(0, 0.55), 0.5, 22))
    radius *= 2.5 if rng.random() < 0.04 else 1.0
    index = float(rng.choice([1.0, 1.0, 1.5, 4.0]))
    flux = 5.28 * field.noise * (radius + fwhm) * rng.uniform(1e-4, 1) ** (-1 / 1.1)
    flux = min(flux, 1.5 * field.instrument.chip.full_well * radius**2)
    reach = int(np.clip((6 if index < 2 else 9) * radius + 8, 10, 110))
    x, y = rng.uniform(0, field.seeing), rng.uniform(0, ny)
    column, row = int(x), int(y)
    light = _sersic(rng, index, radius, reach, (x - column, y - row))
    light = np.clip(fftconvolve(light, kernel, 'same') * flux, 0, None)
    at = np.arange(-reach, reach + 1)
    light *= np.clip((1 - np.hypot(at[:, None], at) / reach) / 0.2, 0, 1)
    bottom, top = max(row - reach, 0), min(row + reach + 1, ny)
    left, right = max(column - reach, 0), min(column + reach + 1, nx)
    a, b = bottom - row + reach, left - column + reach
    inside = light[a : a + top - bottom, b : b + right - left]
    return inside, (slice(bottom, top), slice(left, right))


def draw_sources(rng: np.random.Generator, field: Field) -> Sources:
    """
    Draw stars and galaxies.

    A star that exceeds 2 noises of the sky, nebulae included, somewhere is true where
    it exceeds one; of a star that exceeds 1.2 nobody can tell where it exceeds 0.9. So
    for galaxies, with 1.8 and 1 noises, whose light is smoothed a little before. Each
    is compared by itself: neighbours neither hide nor help it.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    field : `Field`
        What they are drawn into.

    Returns
    -------
    sources : `Sources`
        All of them.
    """
    scene, star = field.scene, field.star
    light, spikes = np.zeros(scene.shape), np.zeros(scene.shape)
    where, unsure = np.zeros(scene.shape, bool), np.zeros(scene.shape, bool)
    stars = _draw_stars(rng, field)
    for x, y, flux in stars:
        spiky = flux > _SPIKY * field.full_flux
        reach = star.reach(flux, _DRAWN * field.noise, spikes=spiky)
        body = cutout(star.body, x, y, reach, scene.shape)
        rays = cutout(star.spikes, x, y, reach, scene.shape)
        if body is None or rays is None:
            continue
        here = body[1]
        seen = flux * field.flat[here]
        shape = body[0] if spiky else body[0] + rays[0]
        if spiky:
            spikes[here] += rays[0] * seen
        light[here] += shape * seen
        signal = shape * seen / field.local[here]
        if signal.max() > 2:
            where[here] |= signal > 1
        elif signal.max() > 1.2:
            unsure[here] |= signal > 0.9
    kernel = star.kernel()
    for _ in range(scene.galaxies):
        galaxy, here = _draw_galaxy(rng, field, kernel)
        galaxy = galaxy * field.flat[here]
        light[here] += galaxy
        signal = galaxy / field.local[here]
        if signal.max() > 1.8:
            where[here] |= gaussian_filter(signal, 0.7) > 1
        elif signal.max() > 1:
            unsure[here] |= signal > 0.9
    x, y, _ = max(stars, key=lambda each: each[2])
    return Sources(light, spikes, where, unsure, (x, y))
