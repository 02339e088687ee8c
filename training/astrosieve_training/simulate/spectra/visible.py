"""What stands out of the noise, of light that is known without it."""

from __future__ import annotations

import numpy as np

from astrosieve_training.simulate.spectra.spectrographs import (
    CCD,
    Slit,
    Spectrograph,
)

__all__ = ['exposed', 'lit', 'sky_seen']

_VISIBLE = 5.0  # sigma, of what is summed along a line
_STRIPES = 0.1  # of the read noise that whole rows and columns have in common
_PATTERN = 0.25  # of the bias's pattern that they have in common
_STRIPS = 8  # along each axis: light that is bent or tilted leaves a strip later
_SPOT = 6.0  # sigma, of a single pixel
_SPOTS = 5  # hits, or hot pixels, that tell a dark
_MORE = 2.0  # times the hits during a readout


def _lines(ccd: CCD) -> float:
    """Return what whole rows and columns have in common, electrons."""
    return float(
        np.hypot(_STRIPES * ccd.read_noise, _PATTERN * ccd.structure * ccd.gain)
    )


def lit(light: np.ndarray, ccd: CCD, exptime: float) -> bool:
    """
    Return whether light stands out of the noise.

    It is summed along strips of an eighth of either axis, and compared with the darkest
    parts of the frame: an even level shows nothing.

    Parameters
    ----------
    light : 2D `~numpy.ndarray`
        Electrons, without noise.
    ccd : `CCD`
        Detector.
    exptime : float
        Seconds.
    """
    variance = light + np.float32(ccd.read_noise**2 + ccd.dark * exptime)
    for axis, n in enumerate(light.shape):
        starts = np.linspace(0, n, _STRIPS + 1).astype(int)[:-1]
        size = n / _STRIPS
        level = np.add.reduceat(light, starts, axis=axis) / size
        noise = np.add.reduceat(variance, starts, axis=axis) / size**2
        above = level - np.quantile(level, 0.1)
        above /= np.hypot(np.sqrt(noise), _lines(ccd))
        if above.max(axis=1 - axis).mean() > _VISIBLE:
            return True
    return False


def sky_seen(
    spectrograph: Spectrograph, slit: Slit, sky: np.ndarray, exptime: float
) -> bool:
    """
    Return whether a sky stands out of the noise, summed along a slit.

    Parameters
    ----------
    spectrograph : `Spectrograph`
        Instrument.
    slit : `Slit`
        Slit.
    sky : 1D `~numpy.ndarray`
        Electrons per second and pixel along the dispersion.
    exptime : float
        Seconds.
    """
    ccd, level = spectrograph.ccd, sky * exptime
    rows = min(2 * slit.half, spectrograph.optical_shape[0])
    noise = np.sqrt((ccd.read_noise**2 + level + ccd.dark * exptime) / rows)
    noise = np.hypot(noise, _lines(ccd))
    return bool(((level - level.min()) / noise).max() > _VISIBLE)


def exposed(current: np.ndarray, ccd: CCD, exptime: float) -> bool:
    """
    Return whether a dark shows that it was exposed: hits, hot pixels, a glow.

    Hits tell only where they are many more than a bias has, from its readout.

    Parameters
    ----------
    current : 2D `~numpy.ndarray`
        Dark current, electrons per second.
    ccd : `CCD`
        Detector.
    exptime : float
        Seconds.
    """
    area = current.size * (ccd.slab.pixel_um * 1e-4) ** 2
    hits, read = (
        ccd.cosmic_ray_rate * area * each for each in (exptime, ccd.read_time / 2)
    )
    if hits > _SPOTS + _MORE * read:
        return True
    electrons = current * np.float32(exptime)
    middle = float(np.median(electrons))
    noise = np.hypot(ccd.read_noise, np.sqrt(middle))
    hot = int((electrons - middle > _SPOT * noise).sum())
    return hot > _SPOTS or lit(electrons, ccd, exptime)
