"""Profiles of stars: what the optics, the air and the guiding make of a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, uniform_filter

from astrosieve_training.contaminant.simulate.instruments import Instrument
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['OVERSAMPLING', 'VERDICTS', 'StarProfile', 'draw_profile']

OVERSAMPLING = 5
VERDICTS = ('tracking', 'guiding', 'focus')
"""What may have gone wrong with a whole image."""
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
    """

    core: np.ndarray
    halo: float
    power: float
    fwhm: float

    @property
    def reach(self) -> int:
        """Pixels from the middle to the edge of the core."""
        return (self.core.shape[0] // 2 - OVERSAMPLING) // OVERSAMPLING

    @property
    def peak(self) -> float:
        """Share of the light in the brightest pixel."""
        return float(self.core.max())

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
            reach = min(reach, int(4 + 3 * self.fwhm))
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


def _pupil(
    rng: np.random.Generator, radius: float, size: int, *, struts: bool
) -> np.ndarray:
    """Return the transmission of a telescope's pupil, soft at the edges by a sample."""
    at = np.arange(size, dtype=np.float32) - size // 2
    y, x = at[:, None], at[None]
    away = np.hypot(x, y)
    hole = rng.uniform(0.15, 0.45) * radius
    open_ = np.clip(radius - away + 0.5, 0, 1) * np.clip(away - hole + 0.5, 0, 1)
    if struts:
        half, start = rng.uniform(0.01, 0.05) * radius, rng.uniform(0, np.pi)
        number = int(rng.choice([3, 4]))
        for k in range(number):
            turn = start + 2 * np.pi * k / number
            beside = np.abs(y * np.cos(turn) - x * np.sin(turn))
            ahead = x * np.cos(turn) + y * np.sin(turn) > 0
            open_ *= np.where(ahead, np.clip(beside - half + 0.5, 0, 1), 1)
    return np.asarray(open_)


def _airy(rng: np.random.Generator, fwhm: float, reach: int) -> np.ndarray:
    """Return the diffraction image of an obstructed pupil with small aberrations."""
    radius = 0.5 * _PUPIL / (fwhm * OVERSAMPLING)
    pupil = _pupil(rng, radius, _PUPIL, struts=False)
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


def _defocused(
    rng: np.random.Generator, fwhm: float, radius: float, reach: int
) -> np.ndarray:
    """Return the image of the pupil, softened by the seeing."""
    size = 2 * (reach + 1) * OVERSAMPLING + 1
    ring = _pupil(rng, radius * OVERSAMPLING, size, struts=rng.random() < 0.5)
    at = (np.arange(size) - size // 2) / (radius * OVERSAMPLING)
    ring *= np.clip(
        1 + rng.normal(0, 0.2) * at[None] + rng.normal(0, 0.2) * at[:, None], 0, 2
    )
    return np.asarray(gaussian_filter(ring, fwhm / 2.355 * OVERSAMPLING))


def draw_profile(
    rng: np.random.Generator, instrument: Instrument, verdict: str | None = None
) -> StarProfile:
    """
    Draw a profile of stars.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    instrument : `Instrument`
        Says of what kind.
    verdict : str, optional
        One of `VERDICTS`, where the whole image has failed: stars are drawn out, or
        doubled by jumps of the guiding, or out of focus.

    Returns
    -------
    profile : `StarProfile`
        Of light 1.
    """
    kind, fwhm = instrument.psf, instrument.fwhm
    if verdict == 'focus':
        kind = 'defocused'
    reach = int(np.clip(8 * fwhm, 16, _REACH - 2))
    if kind == 'airy':
        core = _airy(rng, fwhm, reach)
    elif kind == 'defocused':
        radius = log_uniform(rng, 1.2 * fwhm + 1, 13)
        core = _defocused(rng, min(fwhm, 3.5), radius, reach=int(radius + 14))
    else:
        shape = 'gauss' if kind == 'gauss' else 'moffat'
        width = np.sqrt(max(fwhm**2 - 0.8, 0.4)) if kind == 'undersampled' else fwhm
        core = _round(rng, shape, width, reach)
        if kind == 'undersampled':
            core = uniform_filter(core, OVERSAMPLING)
    core = core / core.sum()
    if verdict == 'tracking':
        core = _drawn_out(rng, core, fwhm)
    elif verdict == 'guiding':
        core = _jumped(rng, core, fwhm)
    size = core.shape[0]
    y, x = (np.arange(size)[s] - size // 2 for s in (np.s_[:, None], np.s_[None]))
    edge = size / 2 - OVERSAMPLING
    core *= np.clip((edge - np.hypot(x, y)) / (0.3 * edge), 0, 1)
    halo = log_uniform(rng, 0.003, 0.08)
    core = core * ((1 - halo) * OVERSAMPLING**2 / core.sum())
    return StarProfile(core.astype(np.float32), halo, rng.uniform(2.3, 3.5), fwhm)


def _drawn_out(rng: np.random.Generator, core: np.ndarray, fwhm: float) -> np.ndarray:
    """Return the mean of a profile along a track, straight or a little bent."""
    length = log_uniform(rng, 1.5 * fwhm, 30) * OVERSAMPLING
    core = np.pad(core, int(length / 2))
    angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.15)
    steps = np.linspace(-0.5, 0.5, int(length / 2) + 2)
    return np.asarray(
        _sum_of_places(core, steps * length, bend * steps**2 * length, angle)
    )


def _jumped(rng: np.random.Generator, core: np.ndarray, fwhm: float) -> np.ndarray:
    """Return a profile at two or three places, of unequal times."""
    number = int(rng.choice([2, 2, 3]))
    away = log_uniform(rng, 1.2 * fwhm, 22) * OVERSAMPLING
    core = np.pad(core, int(away))
    along = np.linspace(-0.5, 0.5, number) * away
    across = rng.normal(0, 0.15, number) * away
    times = rng.uniform(0.25, 1, number)
    return _sum_of_places(core, along, across, rng.uniform(0, 2 * np.pi), times)


def _sum_of_places(
    core: np.ndarray, along: np.ndarray, across: np.ndarray, angle: float,
    times: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    times = np.ones(len(along)) if times is None else times
    out = np.zeros_like(core)
    for a, b, t in zip(along, across, times / times.sum(), strict=True):
        y = a * np.sin(angle) + b * np.cos(angle)
        x = a * np.cos(angle) - b * np.sin(angle)
        out += t * np.roll(core, (round(y), round(x)), (0, 1))
    return out
