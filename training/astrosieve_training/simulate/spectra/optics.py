"""From spectra to light on the detector, the dispersion along x, red to the right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import ndimage

from astrosieve_training.simulate.spectra.sources import wobble
from astrosieve_training.simulate.spectra.spectrographs import Slit, Spectrograph

__all__ = ['Beam', 'Layer', 'fringe_image', 'paint', 'slit_profile', 'stray', 'trace']

_STEPS = 2  # of a spectrum's table per pixel
_FINE = 4  # of a profile's table per pixel
_PATH = 1.08e6  # Angstrom: twice the optical thickness of a thin CCD


@dataclass(frozen=True)
class Layer:
    """
    A spectrum spread along a slit.

    Attributes
    ----------
    spectrum : (N,) `~numpy.ndarray`
        On the grid of a `Beam`, smeared, electrons per second and pixel.
    profile : (M,) `~numpy.ndarray`
        Along the slit, four values a pixel, its middle at ``M // 2``.
    drift : float
        How far the profile moves from the middle column to the last, pixels.
    rotation : (M,) `~numpy.ndarray` or None
        Shift of the lines along x, pixels, on the profile's grid.
    """

    spectrum: np.ndarray
    profile: np.ndarray
    drift: float = 0.0
    rotation: np.ndarray | None = None


class Beam:
    """
    The wavelengths that reach a detector, as one grid, and the line spread on it.

    Parameters
    ----------
    spectrograph : `Spectrograph`
        Instrument.
    """

    def __init__(self, spectrograph: Spectrograph) -> None:
        self.spectrograph = spectrograph
        _, n = spectrograph.optical_shape
        slits = spectrograph.slits
        self.margin = 8 + max(
            abs(s.tilt) * s.half + abs(s.curve) * s.half**2 for s in slits
        )
        ends = [(-self.margin, 0, n - 1, n - 1 + self.margin)] * len(slits)
        where = [s.wavelength(np.array(e), n) for s, e in zip(slits, ends, strict=True)]
        low = max(min(w[0] for w in where), 2500.0)
        high = max(w[-1] for w in where)
        if spectrograph.family == 'echelle':
            pixel = min((w[2] - w[1]) / (n - 1) / w.mean() for w in where)
            count = int(np.log(high / low) / pixel * _STEPS) + 2
            self.wave = np.exp(np.linspace(np.log(low), np.log(high), count))
            self.steps = float(_STEPS)
        else:
            shifts = np.array([s.shift for s in slits])
            x = np.arange(
                -self.margin - max(shifts.max(), 0), n + self.margin - shifts.min(), 0.5
            )
            plain = Slit(0, 0, (0, 0), slits[0].wave)
            self.wave = plain.wavelength(x, n)
            rising = np.maximum.accumulate(self.wave)
            self.wave = rising + 1e-6 * np.arange(len(rising))
            self.steps = 2.0

    def smear(self, spectrum: np.ndarray, width: float | None = None) -> np.ndarray:
        """
        Smear a spectrum by the optics and by the slit.

        Parameters
        ----------
        spectrum : (N,) `~numpy.ndarray`
            On ``wave``.
        width : float, optional
            Width of the image of the slit, or of a star in a wide one, pixels.
        """
        s = self.spectrograph
        width = s.slit_width if width is None else width
        core = ndimage.gaussian_filter1d(spectrum, s.lsf * self.steps)
        core = ndimage.uniform_filter1d(core, max(round(width * self.steps), 1))
        wide = ndimage.gaussian_filter1d(core, 9 * (s.lsf + 0.3 * width) * self.steps)
        return (1 - s.wings) * core + s.wings * wide

    def table(self, spectrum: np.ndarray, slit: Slit) -> np.ndarray:
        """Return a spectrum on the columns of a slit, two values a pixel."""
        _, n = self.spectrograph.optical_shape
        x = np.arange(-self.margin, n + self.margin + 1, 1 / _STEPS)
        wave = slit.wavelength(x, n)
        out = np.interp(wave, self.wave, spectrum)
        if slit.blaze is not None:
            centre, free = slit.blaze
            out = out * np.sinc(0.85 * (wave - centre) / free) ** 2
        return (out * slit.strength).astype(np.float32)


def profile_grid(slit: Slit) -> np.ndarray:
    """Return where along the slit profiles are given: pixels from its middle."""
    m = int(np.ceil((slit.half + 8) * _FINE))
    return np.arange(-m, m + 1) / _FINE


def slit_profile(spectrograph: Spectrograph, slit: Slit) -> np.ndarray:
    """Return the light along an evenly lit slit, its edges, tilt and dust."""
    v = profile_grid(slit)
    if spectrograph.fibre:
        return np.exp(-0.5 * (v / slit.half) ** 2)
    rng = np.random.default_rng([spectrograph.seed, 7, int(abs(slit.centre) * 8)])
    out = np.clip((slit.half - np.abs(v)) / 1.2 + 0.5, 0, 1)
    out *= wobble(v, rng, 5, rng.choice([0.01, 0.04, 0.1]))
    for _ in range(rng.poisson(0.02 * slit.half)):
        where, width = rng.uniform(-slit.half, slit.half), rng.uniform(0.5, 2.5)
        out *= 1 - rng.uniform(0.01, 0.25) * np.exp(-0.5 * ((v - where) / width) ** 2)
    return out


def trace(
    spectrograph: Spectrograph, slit: Slit, place: float, fwhm: float
) -> np.ndarray:
    """
    Return the light of a star along a slit.

    Parameters
    ----------
    spectrograph : `Spectrograph`
        Instrument.
    slit : `Slit`
        Slit.
    place : float
        Pixels from the slit's middle.
    fwhm : float
        Pixels.
    """
    v = profile_grid(slit)
    width = fwhm / (2 * np.sqrt(2 ** (1 / 3) - 1))  # Moffat, beta = 3
    star = (1 + ((v - place) / width) ** 2) ** -3
    return star * np.clip((slit.half - np.abs(v)) / 1.2 + 0.5, 0, 1)


def _lookup(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate in a table at float32 positions; its ends go on."""
    at = np.clip(at, 0, len(table) - 1.001)
    low = at.astype(np.int32)
    at -= low
    table = table.astype(np.float32)
    step = np.diff(table, append=table[-1:])
    return table[low] + at * step[low]


def _footprint(
    slit: Slit, shape: tuple[int, int], reach: float
) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Give index, distance from the slit's middle, and column of the lit pixels."""
    n, nd = shape
    x = np.arange(nd, dtype=np.float32)
    t = 2 * x / (nd - 1) - 1
    middle = (slit.centre + slit.bend[0] * t + slit.bend[1] * t**2).astype(np.float32)
    if reach < 0.2 * n:
        rows = (
            np.rint(middle).astype(int)
            + np.arange(-int(reach) - 1, int(reach) + 2)[:, None]
        )
        good = (rows >= 0) & (rows < n)
        columns = np.broadcast_to(np.arange(nd), rows.shape)
        if good.all():
            yield (rows, columns), (rows - middle).astype(np.float32), x[None, :]
        elif good.any():
            rows, columns = rows[good], columns[good]
            v = (rows - middle[columns]).astype(np.float32)
            yield (rows, columns), v, columns.astype(np.float32)
        return
    first = max(int(middle.min() - reach), 0)
    last = min(int(middle.max() + reach) + 2, n)
    for start in range(first, last, 256):
        rows = np.arange(start, min(start + 256, last), dtype=np.float32)
        yield slice(start, start + len(rows)), rows[:, None] - middle, x[None, :]


def paint(image: np.ndarray, beam: Beam, slit: Slit, layers: list[Layer]) -> None:
    """
    Add the light of a slit to an image.

    Parameters
    ----------
    image : 2D float32 `~numpy.ndarray`
        Dispersion along x; changed in place.
    beam : `Beam`
        Grid of the layers' spectra.
    slit : `Slit`
        Where it goes.
    layers : list of `Layer`
        What shines.
    """
    tables = [beam.table(layer.spectrum, slit) for layer in layers]
    reach = slit.half * (4 if beam.spectrograph.fibre else 1) + 2
    half = (image.shape[1] - 1) / 2
    for index, v, x in _footprint(slit, image.shape, reach):
        u = x - (slit.tilt * v + slit.curve * v**2) + beam.margin
        for layer, table in zip(layers, tables, strict=True):
            origin = len(layer.profile) // 2
            w = v - layer.drift * ((x - half) / half) if layer.drift else v
            at = u
            if layer.rotation is not None:
                at = u - _lookup(layer.rotation, w * _FINE + origin)
            light = _lookup(table, at * _STEPS)
            light *= _lookup(layer.profile, w * _FINE + origin)
            image[index] += light


@lru_cache(maxsize=1)
def fringe_image(spectrograph: Spectrograph) -> np.ndarray | float:
    """
    Return the fringes of a thin CCD, about 1.

    Light of wavelengths for which silicon is transparent is reflected within it; the
    pattern follows the wavelength and the thickness of the layer.
    """
    n, nd = spectrograph.optical_shape
    x = np.arange(nd)
    if spectrograph.family == 'echelle' or not spectrograph.fringes:
        return 1.0
    wave = spectrograph.slits[0].wavelength(x - spectrograph.slits[0].shift, nd)
    size = spectrograph.fringes * np.clip((wave - 7000) / 2300, 0, 1)
    if size.max() < 1e-3 or spectrograph.ccd.infrared:
        return 1.0
    rng = np.random.default_rng([spectrograph.seed, 8])
    coarse = rng.standard_normal((7, 7))
    bumps = ndimage.zoom(coarse, (n / 7, nd / 7), order=3)[:n, :nd].astype(np.float32)
    bumps = np.pad(
        bumps, ((0, n - bumps.shape[0]), (0, nd - bumps.shape[1])), mode='edge'
    )
    bumps += np.linspace(0, rng.normal(0, 4), n, dtype=np.float32)[:, None]
    phase = (2 * np.pi * _PATH / wave).astype(np.float32)
    wobbling = np.float32(rng.uniform(0.0005, 0.003))
    fringes = 1 + size.astype(np.float32) * np.sin(phase * (1 + wobbling * bumps))
    fringes.flags.writeable = False
    return fringes


def stray(image: np.ndarray, spectrograph: Spectrograph) -> np.ndarray:
    """Return an image with the light that optics and dust send astray."""
    n, nd = image.shape
    step = 16
    padded = np.pad(image, ((0, -n % step), (0, -nd % step)), mode='edge')
    blocks = padded.reshape(padded.shape[0] // step, step, -1, step).mean((1, 3))
    haze = ndimage.gaussian_filter(blocks, 0.12 * max(blocks.shape), mode='constant')
    haze += 2 * ndimage.gaussian_filter(blocks, 3, mode='constant')
    haze *= spectrograph.scatter
    if spectrograph.ghost:
        rng = np.random.default_rng([spectrograph.seed, 9])
        ghost = ndimage.gaussian_filter(blocks[:, ::-1], rng.uniform(1.5, 8, 2))
        ghost = np.roll(ghost, rng.integers(-20, 20, 2), (0, 1))
        haze += spectrograph.ghost * 10 * ghost
    full = ndimage.zoom(haze.astype(np.float32), step, order=1)
    return image * (1 - spectrograph.scatter) + full[:n, :nd]
