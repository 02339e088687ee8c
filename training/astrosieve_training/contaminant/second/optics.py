"""Images of stars: what optics, air and guiding make of a point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from astrosieve_training.contaminant.second.fields import moffat
from astrosieve_training.contaminant.second.instruments import (
    GroundOptics,
    Instrument,
    Scene,
    Vanes,
)
from astrosieve_training.contaminant.second.pupils import diffraction_image
from astrosieve_training.contaminant.second.sampling import (
    OVERSAMPLING,
    REACH,
    SIDE,
    cutout,
    fine_grid,
)

__all__ = ['StarImage', 'draw_star_image']

_AUREOLE = 0.02  # share of the light that the air scatters far
_FALL = 255  # pixels
_RING = 6  # pixels: width of the rings in which the spikes' highest is kept


@dataclass(frozen=True, eq=False)
class StarImage:
    """
    A star of one electron on the fine grid.

    Parameters
    ----------
    body, spikes : 2D float32 `~numpy.ndarray`
        Its light apart from spikes, and that of the spikes; 1 together.
    peak : float
        Share of the light in the brightest pixel.
    fwhm : float
        Diameter of a disc as large as what is above half of the peak, pixels.
    fall, spike_fall : 1D `~numpy.ndarray`
        Most light in a pixel so many pixels from the middle or farther.
    """

    body: np.ndarray
    spikes: np.ndarray
    peak: float
    fwhm: float
    fall: np.ndarray
    spike_fall: np.ndarray

    def reach(self, flux: float, faintest: float, *, spikes: bool) -> int:
        """
        Return how far a star's pixels exceed a value, 6 to 252 pixels.

        Parameters
        ----------
        flux, faintest : float
            Of the star, and the value, electrons.
        spikes : bool
            Whether the spikes are minded, too.
        """
        far = np.searchsorted(-self.fall * flux, -faintest)
        if spikes:
            far = max(far, np.searchsorted(-self.spike_fall * flux, -faintest))
        return int(np.clip(far, 6, REACH))

    def kernel(self) -> np.ndarray:
        """Return the middle of a star, of sum 1, for light to be blurred with."""
        reach = int(min(4 * self.fwhm + 4, 30))
        middle = _pixels(self.body, reach) + _pixels(self.spikes, reach)
        return middle / middle.sum()


def _pixels(plane: np.ndarray, reach: int) -> np.ndarray:
    """Return a star in the middle of a pixel."""
    side = 2 * reach + 1
    pixels = cutout(plane, reach, reach, reach, (side, side))
    assert pixels is not None
    return pixels[0]


def _out_of_focus(along: np.ndarray, radius: float, seeing: float) -> np.ndarray:
    """Return the image of a pupil out of focus, brighter to one side."""
    away = fine_grid().radius
    ring = ((away < radius) & (away > 0.4 * radius)) * (1 + along / (4 * radius))
    return np.asarray(gaussian_filter(ring, seeing / 2.35))


def _vane_light(vanes: Vanes, seeing: float, beta: float) -> np.ndarray:
    """
    Return the spikes of vanes: beaded, falling with the square of the distance.

    They widen outwards, as each wavelength's does, and leave the core out.
    """
    grid, upper = fine_grid(), slice(SIDE // 2, None)
    y, away = grid.y[upper], grid.radius[upper]
    start = vanes.length * OVERSAMPLING
    outside = grid.taper[upper] * (1 - np.exp(-((away / (1.2 * seeing)) ** 2)))
    half = np.zeros_like(away)
    for degrees in vanes.angles:
        turn = math.radians(degrees)
        cos, sin = math.cos(turn), math.sin(turn)
        along, across = np.abs(grid.x * cos + y * sin), y * cos - grid.x * sin
        beads = np.sin(along / (0.55 * start)) ** 2 * np.exp(-along / (4 * start))
        light = (1 + 0.35 * beads) / (1 + (along / start) ** 2)
        light *= moffat(across / (1 + along / (60 * start)), seeing, max(beta - 0.5, 2))
        light *= outside
        half += light * (vanes.share / (2 * light.sum() - light[0].sum()))
    total = np.zeros((SIDE, SIDE), np.float32)
    total[upper] = half
    total[1 : SIDE // 2, 1:] = half[:0:-1, :0:-1]  # both arms are alike
    return total


def _seeing_image(
    rng: np.random.Generator, optics: GroundOptics, scene: Scene
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw a star as a telescope on the ground shows it.

    An elongated Moffat profile, or the pupil out of focus, with the tail of coma and
    the air's aureole; and the spikes.
    """
    grid = fine_grid()
    fwhm = (scene.fwhm or optics.fwhm) * rng.uniform(0.92, 1.08)
    # the pixel adds a little to what the air does
    seeing = math.sqrt(max(fwhm**2 - 0.6, 0.6 * fwhm**2)) * OVERSAMPLING
    turn = rng.uniform(0, np.pi)
    cos, sin = math.cos(turn), math.sin(turn)
    along, across = grid.x * cos + grid.y * sin, grid.y * cos - grid.x * sin
    if scene.defocus:
        radius = scene.defocus * rng.uniform(0.9, 1.1) * OVERSAMPLING
        body = _out_of_focus(along, radius, seeing)
    else:
        ratio = math.sqrt(1 - scene.ellipticity)
        body = moffat(np.hypot(along * ratio, across / ratio), seeing, optics.beta)
        for k in range(1, 6) if scene.coma else ():
            wider = moffat(grid.radius, seeing * (1 + 0.12 * k), optics.beta)
            shift = int(0.28 * k * seeing * sin), int(0.28 * k * seeing * cos)
            body += float(scene.coma * 0.6**k) * np.roll(wider, shift, (0, 1))
    body *= grid.taper
    body *= (1 - _AUREOLE) / body.sum()
    aureole = moffat(grid.radius, 6 * seeing, 1.55)
    aureole *= grid.taper
    aureole *= _AUREOLE / aureole.sum()
    body += aureole
    spikes = np.zeros_like(body)
    if scene.spikes:
        spikes = _vane_light(optics.vanes, seeing, optics.beta)
    total = body.sum() + spikes.sum()
    body /= total
    spikes /= total
    return body, spikes


def _width(body: np.ndarray, spikes: np.ndarray) -> float:
    """
    Return the diameter of a disc as large as what is above half of the peak, pixels.

    Of the pixels' values where these are enough, of the fine grid's elsewhere.
    """
    pixels = _pixels(body, 25) + _pixels(spikes, 25)
    above = np.count_nonzero(pixels >= pixels.max() / 2)
    if above > 12:
        return float(2 * np.sqrt(above / np.pi))
    middle = slice(SIDE // 2 - 60, SIDE // 2 + 61)
    taken = uniform_filter((body + spikes)[middle, middle], OVERSAMPLING)
    above = np.count_nonzero(taken >= taken.max() / 2)
    return float(2 * np.sqrt(above / np.pi) / OVERSAMPLING)


def _falling(values: np.ndarray) -> np.ndarray:
    """Return the highest of each value and those after it."""
    return np.maximum.accumulate(values[::-1])[::-1]


def _falls(body: np.ndarray, spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a pixel has at most at a distance: of the body, and of the spikes."""
    grid, pixel = fine_grid(), OVERSAMPLING**2
    row = body[SIDE // 2, SIDE // 2 :: OVERSAMPLING][:_FALL]
    half_pixels = np.arange(0, 2 * REACH, 2 * _RING)
    inside = spikes.ravel()[grid.order[: grid.edges[2 * REACH]]]
    highest = np.maximum.reduceat(inside, grid.edges[half_pixels])
    rings = np.repeat(highest, _RING)
    return _falling(row) * pixel, _falling(rings) * pixel


def draw_star_image(
    rng: np.random.Generator, instrument: Instrument, scene: Scene
) -> StarImage:
    """
    Draw what an instrument makes of stars in an exposure.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    instrument : `~astrosieve_training.contaminant.second.instruments.Instrument`
        Whose optics these are.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Says how good the air, the guiding and the focus are.

    Returns
    -------
    star : `StarImage`
        Of one electron.
    """
    if isinstance(instrument.optics, GroundOptics):
        body, spikes = _seeing_image(rng, instrument.optics, scene)
    else:
        body, spikes = diffraction_image(rng, instrument.optics)
    peak = float((_pixels(body, 25) + _pixels(spikes, 25)).max())
    return StarImage(body, spikes, peak, _width(body, spikes), *_falls(body, spikes))
