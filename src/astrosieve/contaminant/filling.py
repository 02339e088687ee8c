"""Images for looking at: what is spoilt is filled with what lies about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path
from astrosieve.images.background import measure_mesh
from astrosieve.images.exposures import Chip

__all__ = ['inpaint', 'write_inpainted']

_SIGMA = 1.5  # pixels, of the Gaussian that weighs neighbours
_REACH = 8  # pixels beyond which no neighbour counts
_ROWS = 512  # that are filled at once
_WORDS = 'pixels are invented: for looking at only'


def inpaint(sci: np.ndarray, spoilt: np.ndarray) -> np.ndarray:
    """
    Fill pixels with the weighted mean of their neighbours.

    Parameters
    ----------
    sci : 2D float32 `~numpy.ndarray`
        The image.
    spoilt : 2D bool `~numpy.ndarray`
        Pixels to fill; those that are not finite are filled too.

    Returns
    -------
    filled : 2D float32 `~numpy.ndarray`
        Where no neighbour within 8 pixels is good, the local level of the sky, NaN
        where the image has none. The other pixels are as they were.
    """
    from astropy.convolution import Gaussian2DKernel, interpolate_replace_nans

    kernel = Gaussian2DKernel(_SIGMA, x_size=2 * _REACH + 1)
    bad = spoilt | ~np.isfinite(sci)
    mesh = measure_mesh(sci, spoilt=bad).smoothed()
    filled = sci.copy()
    ny, nx = sci.shape
    for start in range(0, ny, _ROWS):
        stop = min(start + _ROWS, ny)
        wide = slice(max(start - _REACH, 0), min(stop + _REACH, ny))
        block = np.where(bad[wide], np.nan, sci[wide])
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of what stays NaN
            block = interpolate_replace_nans(block, kernel, boundary='extend')
        block = block[start - wide.start : stop - wide.start]
        level, _ = mesh.over(slice(start, stop), slice(0, nx))
        block = np.where(np.isfinite(block), block, level)
        filled[start:stop] = np.where(bad[start:stop], block, sci[start:stop])
    return filled


def write_inpainted(
    images: Iterable[tuple[Chip, np.ndarray]],
    path: str | Path,
    *,
    overwrite: bool = False,
) -> None:
    """
    Write images whose spoilt pixels are filled, and say so in the headers.

    Parameters
    ----------
    images : iterable of (`~astrosieve.images.Chip`, 2D bool `~numpy.ndarray`)
        Images, and which of their pixels are filled.
    path : path-like
        FITS file.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    primary = fits.PrimaryHDU()
    primary.header['INPAINT'] = (True, _WORDS)
    hdus = fits.HDUList([primary])
    for chip, spoilt in images:
        header = chip.header.copy(strip=True)
        for key in ('BSCALE', 'BZERO', 'BLANK', 'CHECKSUM', 'DATASUM'):
            header.remove(key, ignore_missing=True)
        hdu = fits.ImageHDU(inpaint(chip.sci, spoilt), header, name=chip.extname)
        hdu.ver = chip.extver
        hdu.header['INPAINT'] = (True, _WORDS)
        hdu.header['NINPAINT'] = (int(spoilt.sum()), 'pixels that are invented')
        hdus.append(hdu)
    with atomic_path(path, overwrite=overwrite) as temporary:
        hdus.writeto(temporary, overwrite=True, output_verify='silentfix')
