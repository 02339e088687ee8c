"""The combined image: ours, or the user's own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import grey_closing

from astrosieve.images.exposures import read_chips
from astrosieve_training.source.label.errors import CombiningError

__all__ = ['Combined', 'count_exposures', 'pixel_scale', 'read_combined']

_HOLE = 25  # pixels; no cosmic ray leaves a wider one


@dataclass(frozen=True)
class Combined:
    """
    A combined image.

    Parameters
    ----------
    sci : 2D float32 `~numpy.ndarray`
        Pixels; NaN where no exposure contributes. Ours are electrons per second
        above the sky.
    count : 2D int16 `~numpy.ndarray`
        Exposures that contribute to each pixel. Where a cosmic ray was taken out,
        its exposure does not.
    covered : 2D int16 `~numpy.ndarray`
        Exposures that reach it with a usable pixel, whether that was taken for a
        cosmic ray or not: never less than ``count``.
    wcs : `~astropy.wcs.WCS` or None
        Celestial WCS; None for an image of the user's without one, whose pixels
        must be those of the one exposure.
    scale : float
        Linear size of a pixel over that of the first exposure's.
    n_exposures : int
        Exposures that were combined; 0 if a user's image does not say.
    """

    sci: np.ndarray
    count: np.ndarray
    covered: np.ndarray
    wcs: WCS | None
    scale: float
    n_exposures: int


def read_combined(path: Path, exposure_wcs: WCS | None = None) -> Combined:
    """
    Read a combined image: ours, or the user's own.

    Of an image of the user's, pixels of zero weight (WHT) count as no data. How many
    exposures contribute is read from a context image (CTX); what cosmic rays took out
    of it is closed to tell what is covered. Without one, every pixel with data counts
    as covered twice and more: that is what makes it a combined image.

    Parameters
    ----------
    path : path-like
        FITS file with one SCI extension, else its first image is taken.
    exposure_wcs : `~astropy.wcs.WCS`, optional
        Celestial WCS of the first exposure, for the scale; else it is 1.

    Returns
    -------
    combined : `Combined`

    Raises
    ------
    CombiningError
        If it is not a combined image.
    ExposureError
        If it cannot be read.
    """
    chips = list(read_chips(path))
    if len(chips) != 1:
        msg = (
            f'{path}: has {len(chips)} SCI extensions, as an exposure; a combined '
            'image has one: drizzle the exposures first'
        )
        raise CombiningError(msg)
    chip = chips[0]
    sci = chip.sci if chip.mask is None else np.where(chip.mask, np.nan, chip.sci)
    data = np.isfinite(sci)
    if not data.any():
        msg = f'{path}: the combined image has no pixel with data'
        raise CombiningError(msg)
    with fits.open(path, memmap=False) as hdus:
        planes = {
            name: np.asarray(hdus[name].data)
            for name in ('COUNT', 'COVERED', 'CTX')
            if name in hdus and np.shape(hdus[name].data)[-2:] == sci.shape
        }
    n_exposures = int(chip.header.get('NEXPOS', 0))
    if 'COUNT' in planes and 'COVERED' in planes:
        count, covered = (planes[n].astype(np.int16) for n in ('COUNT', 'COVERED'))
    elif 'CTX' in planes:
        count = count_exposures(planes['CTX'], chip.header)
        count[~data] = 0
        around = np.pad(count, _HOLE)
        closed = grey_closing(around, size=(_HOLE, _HOLE))
        covered = closed[_HOLE:-_HOLE, _HOLE:-_HOLE]
        n_exposures = int(count.max())
    else:
        count = np.where(data, 2, 0).astype(np.int16)
        covered = count
    scale = 1.0
    if chip.wcs is not None and exposure_wcs is not None:
        scale = pixel_scale(chip.wcs) / pixel_scale(exposure_wcs)
    return Combined(sci, count, covered, chip.wcs, scale, n_exposures)


def count_exposures(context: np.ndarray, header: fits.Header) -> np.ndarray:
    """
    Return how many exposures contribute to each pixel.

    Each chip has a bit of the context image, the 33rd the first of a second plane;
    the header names the file of each.
    """
    planes = context[np.newaxis] if context.ndim == 2 else context
    files: dict[str, list[int]] = defaultdict(list)
    for bit in range(32 * len(planes)):
        name = str(header.get(f'D{bit + 1:03d}DATA', f'{bit}'))
        files[name.partition('[')[0]].append(bit)
    count = np.zeros(planes.shape[1:], dtype=np.int16)
    for bits in files.values():
        there = np.zeros(count.shape, dtype=bool)
        for plane in {bit // 32 for bit in bits}:
            mask = sum(1 << (bit % 32) for bit in bits if bit // 32 == plane)
            there |= planes[plane].astype(np.uint32) & np.uint32(mask) != 0
        count += there
    return count


def pixel_scale(wcs: WCS) -> float:
    """Return the square root of a pixel's area, degrees."""
    return float(np.sqrt(abs(np.linalg.det(wcs.celestial.pixel_scale_matrix))))
