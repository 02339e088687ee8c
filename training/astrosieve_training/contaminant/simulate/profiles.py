"""Profiles of stars: what the optics, the air and the guiding make of a point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, uniform_filter

from astrosieve_training.contaminant.simulate.failures import (
    OVERSAMPLING,
    Blur,
    pupil_image,
)
from astrosieve_training.contaminant.simulate.instruments import Instrument
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['StarProfile', 'draw_profile']

_REACH = 40  # pixels
_PUPIL = 405  # samples, a size that the transform likes


@dataclass(frozen=True, eq=False)
class StarProfile:
    """
    A star of one electron.

    Parameters
    ----------
    core : 2D float32 `~numpy.ndarray`
        Share of the light in a pixel, `OVERSAMPLING` samples a pixel; the star is in
        the middle.
    halo, power : float
        Share of the light in the halo, and how steeply that falls with the radius.
    fwhm : float
        Pixels.
    blur : `~astrosieve_training.contaminant.simulate.failures.Blur` or None
        That is in the core, and that all other light of the sky gets.
    sharp : `StarProfile` or None
        Without that blur, where there is one.
    """

    core: np.ndarray
    halo: float
    power: float
    fwhm: float
    blur: Blur | None = None
    sharp: StarProfile | None = None

    @property
    def reach(self) -> int:
        """Pixels from the middle to the edge of the core."""
        return (self.core.shape[0] // 2 - OVERSAMPLING) // OVERSAMPLING

    @property
    def peak(self) -> float:
        """Share of the light in the brightest pixel."""
        return float(self.core.max())

    @property
    def sharpness(self) -> float:
        """Inverse of the number of pixels that the light is spread over."""
        return float((self.core[::OVERSAMPLING, ::OVERSAMPLING] ** 2).sum())

    @property
    def width(self) -> float:
        """Diameter of a disc of as many pixels as are above half of the peak."""
        half = np.count_nonzero(self.core > self.core.max() / 2)
        return float(2 * np.sqrt(half / np.pi) / OVERSAMPLING)

    def blurred_by(self, blur: Blur) -> StarProfile:
        """Return the profile of an image whose light is blurred."""
        core = blur.of(self.core).astype(np.float32)
        return replace(self, core=core, blur=blur, sharp=self)

    def blurred(self, image: np.ndarray) -> np.ndarray:
        """Return light of the sky that is as sharp as the optics, as it arrives."""
        return image if self.blur is None else self.blur.over(image)

    def add(
        self, image: np.ndarray, x: float, y: float, flux: float, faintest: float
    ) -> None:
        """
        Add a star to an image, as far as it is brighter than the faintest.

        Parameters
        ----------
        image : 2D float32 `~numpy.ndarray`
            Changed in place.
        x, y : float
            Its centre, rounded to the next sample.
        flux, faintest : float
            Electrons: all of it, and the least of interest in a pixel.
        """
        reach = self.reach
        if flux * self.peak < 300 * faintest:
            wider = 0 if self.blur is None else self.blur.reach // OVERSAMPLING
            reach = min(reach, int(4 + 3 * self.fwhm) + wider)
        samples = OVERSAMPLING
        column, row = round(x), round(y)
        across, down = (round((c - v) * samples) for c, v in ((column, x), (row, y)))
        middle = self.core.shape[0] // 2
        ny, nx = image.shape
        top, bottom = max(row - reach, 0), min(row + reach + 1, ny)
        left, right = max(column - reach, 0), min(column + reach + 1, nx)
        if top < bottom and left < right:
            a = middle + down + (top - row) * samples
            b = middle + across + (left - column) * samples
            piece = self.core[a::samples, b::samples]
            image[top:bottom, left:right] += (
                np.float32(flux) * piece[: bottom - top, : right - left]
            )
        if self.halo * flux > 2000 * faintest:
            rows = np.arange(ny, dtype=np.float32)[:, None] - np.float32(y)
            columns = np.arange(nx, dtype=np.float32) - np.float32(x)
            away = rows**2 + columns**2 + np.float32((2 * self.fwhm) ** 2)
            scale = (self.power - 2) * (2 * self.fwhm) ** (self.power - 2) / (2 * np.pi)
            image += np.float32(self.halo * flux * scale) * away ** np.float32(
                -self.power / 2
            )


def _offsets(reach: int) -> tuple[np.ndarray, np.ndarray]:
    size = reach * OVERSAMPLING + OVERSAMPLING
    at = np.arange(-size, size + 1, dtype=np.float32) / OVERSAMPLING
    return at[:, None], at[None]


def _round(rng: np.random.Generator, kind: str, fwhm: float, reach: int) -> np.ndarray:
    """Return a Moffat or Gaussian profile, a little elongated."""
    y, x = _offsets(reach)
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.82, 1) ** 0.5
    along = (x * np.cos(angle) + y * np.sin(angle)) * ratio
    across = (y * np.cos(angle) - x * np.sin(angle)) / ratio
    away = along**2 + across**2
    if kind == 'gauss':
        return np.asarray(np.exp(-away * (4 * np.log(2) / fwhm**2)))
    beta = rng.uniform(2.2, 4.8)
    width = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    return np.asarray((1 + away / width**2) ** -beta)


def _pupil(rng: np.random.Generator, radius: float, size: int) -> np.ndarray:
    """Return the transmission of a telescope's pupil, soft at the edges by a sample."""
    at = np.arange(size, dtype=np.float32) - size // 2
    away = np.hypot(at[:, None], at)
    hole = rng.uniform(0.15, 0.45) * radius
    return np.asarray(
        np.clip(radius - away + 0.5, 0, 1) * np.clip(away - hole + 0.5, 0, 1)
    )


def _airy(rng: np.random.Generator, fwhm: float, reach: int) -> np.ndarray:
    """Return the diffraction image of an obstructed pupil with small aberrations."""
    radius = 0.5 * _PUPIL / (fwhm * OVERSAMPLING)
    pupil = _pupil(rng, radius, _PUPIL)
    at = (np.arange(_PUPIL) - _PUPIL // 2) / radius
    y, x = at[:, None], at[None]
    a, b, c, d = rng.normal(0, 0.25, 4)
    phase = a * (x**2 - y**2) + b * 2 * x * y + (c * x + d * y) * (x**2 + y**2 - 0.7)
    field = fft.fftshift(fft.fft2(fft.ifftshift(pupil * np.exp(1j * phase))))
    image = np.abs(field) ** 2
    # A filter is some 20 % wide, which washes out the outer rings.
    image = gaussian_filter(image, 0.12 * fwhm * OVERSAMPLING)
    half, middle = (reach + 1) * OVERSAMPLING, _PUPIL // 2
    return image[middle - half : middle + half + 1, middle - half : middle + half + 1]


def _defocused(rng: np.random.Generator, fwhm: float, radius: float) -> np.ndarray:
    """Return the image of the pupil, softened by the seeing."""
    soft = fwhm / 2.355 * OVERSAMPLING
    image = np.pad(pupil_image(rng, radius), int(8 * OVERSAMPLING + 3 * soft))
    return np.asarray(gaussian_filter(image, soft))


def draw_profile(rng: np.random.Generator, instrument: Instrument) -> StarProfile:
    """
    Draw a profile of stars.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    instrument : `Instrument`
        Says of what kind.

    Returns
    -------
    profile : `StarProfile`
        Of light 1.
    """
    kind, fwhm = instrument.psf, instrument.fwhm
    reach = int(np.clip(8 * fwhm, 16, _REACH - 2))
    if kind == 'airy':
        core = _airy(rng, fwhm, reach)
    elif kind == 'defocused':
        core = _defocused(rng, min(fwhm, 3.5), log_uniform(rng, 1.2 * fwhm + 1, 13))
    else:
        shape = 'gauss' if kind == 'gauss' else 'moffat'
        width = np.sqrt(max(fwhm**2 - 0.8, 0.4)) if kind == 'undersampled' else fwhm
        core = _round(rng, shape, width, reach)
    core = np.maximum(uniform_filter(core, OVERSAMPLING), 0)  # what a pixel takes
    size = core.shape[0]
    y, x = (np.arange(size)[s] - size // 2 for s in (np.s_[:, None], np.s_[None]))
    edge = size / 2 - OVERSAMPLING
    core = core * np.clip((edge - np.hypot(x, y)) / (0.3 * edge), 0, 1)
    halo = log_uniform(rng, 0.003, 0.08)
    core = (core * ((1 - halo) * OVERSAMPLING**2 / core.sum())).astype(np.float32)
    return StarProfile(core, halo, rng.uniform(2.0, 3.5), fwhm)
