"""An image with what it says of itself."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike

from astrosieve.images.background import BackgroundMesh
from astrosieve.images.dq import DQMeaning, dq_to_mask
from astrosieve.images.exposures import Chip
from astrosieve.images.instruments import instrument
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.psf import estimate_fwhm
from astrosieve.images.units import PixelUnit, parse_unit

__all__ = ['DEFAULT_FWHM', 'chip_fwhm']


DEFAULT_FWHM = 2.0
"""Width that finders take, pixels, where that of the PSF is not known."""


def chip_fwhm(
    chip: Chip, fwhm: float | None = None, *, spoilt: np.ndarray | None = None
) -> float | None:
    """
    Return the FWHM to use for a chip.

    Parameters
    ----------
    chip : `~astrosieve.images.exposures.Chip`
        The chip.
    fwhm : float, optional
        Returned as it is when given.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels to leave out.

    Returns
    -------
    fwhm : float or None
        Pixels: the estimate from the image, unless it is implausible for a
        camera that is known, whose nominal width is then used. None where the
        width is neither given, nor measurable, nor known.
    """
    if fwhm is not None:
        return fwhm
    measured = estimate_fwhm(chip.sci, spoilt=spoilt)
    nominal = instrument(chip.instrument, chip.detector).fwhm
    if nominal is None:
        return measured
    plausible = measured is not None and 0.75 < measured / nominal < 1.5
    return measured if plausible else nominal


def _chip_spoilt(chip: Chip) -> np.ndarray | None:
    no_signal = (
        None if chip.dq is None else dq_to_mask(chip.dq, chip.dq_meaning.no_signal)
    )
    return spoilt_pixels(chip.sci, mask=chip.mask, no_signal=no_signal)


def _as_image(
    data: ArrayLike | u.Quantity, unit: str | u.UnitBase | PixelUnit | None
) -> tuple[np.ndarray, PixelUnit | None]:
    """Return an image as a native float32 array, and its unit."""
    if isinstance(data, u.Quantity):
        unit = data.unit if unit is None else unit
        data = data.value
    if np.ma.isMaskedArray(data):
        data = np.ma.filled(np.ma.asarray(data, dtype=np.float32), np.nan)
    sci = np.asarray(data)
    if sci.ndim != 2:
        msg = f'data must be a 2D image; got shape {sci.shape}'
        raise ValueError(msg)
    if sci.dtype.kind not in 'iufb':
        msg = f'data must hold real numbers; got {sci.dtype}'
        raise ValueError(msg)
    parsed = unit if isinstance(unit, PixelUnit) else parse_unit(unit)
    return np.ascontiguousarray(sci, dtype=np.float32), parsed


def _as_plane(
    plane: ArrayLike | None, name: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Return a plane that goes with the image."""
    if plane is None:
        return None
    array = np.asarray(getattr(plane, 'value', plane))
    if array.shape != shape:
        msg = f'{name} must have the shape of data, {shape}; got {array.shape}'
        raise ValueError(msg)
    return array


def _spoilt(
    sci: np.ndarray,
    *,
    mask: ArrayLike | None,
    dq: np.ndarray | None,
    err: ArrayLike | None,
    meaning: DQMeaning,
) -> np.ndarray | None:
    """Return which pixels are not usable, and why."""
    user_mask = _as_plane(mask, 'mask', sci.shape)
    error = _as_plane(err, 'err', sci.shape)
    lost = None if dq is None else dq_to_mask(dq, meaning.no_signal)
    if error is not None:
        lost = ~np.isfinite(error) if lost is None else lost | ~np.isfinite(error)
    return spoilt_pixels(
        sci,
        mask=None if user_mask is None else user_mask.astype(bool),
        no_signal=lost,
    )


def _width(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    fwhm: float | None,
    mesh: BackgroundMesh | None,
) -> tuple[float | None, list[str]]:
    """Return the width of the PSF, and what is to be said where it is not known."""
    if fwhm is not None:
        if not fwhm > 0:
            msg = f'fwhm must be positive; got {fwhm}'
            raise ValueError(msg)
        return float(fwhm), []
    if mesh is None:  # the network does not ask
        return None, []
    estimate = estimate_fwhm(sci, spoilt=spoilt, mesh=mesh)
    if estimate is not None:
        return estimate, []
    return None, [
        'too few stars to estimate the width of the PSF; the probabilities are means '
        'over widths of 1.6 to 3.7 pixels. Give fwhm= (--fwhm)'
    ]
