"""Images of the monitor as files of WFC3/IR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from astrosieve.atomic import atomic_path
from astrosieve_training.blob.simulate.monitor import SimulatedImage

__all__ = ['write_monitor']

_EDGE = 5  # reference pixels on each side
_REFERENCE_PIXEL = 128  # DQ of reference pixels


def write_monitor(
    images: Sequence[SimulatedImage], folder: Path, *, reference_pixels: bool = False
) -> list[Path]:
    """
    Write images as FLT files of WFC3/IR.

    Parameters
    ----------
    images : sequence of `~astrosieve_training.blob.simulate.SimulatedImage`
        As `~astrosieve_training.blob.simulate.simulate_monitor` makes them.
    folder : `~pathlib.Path`
        Made where it is not there.
    reference_pixels : bool, optional
        Whether five reference pixels lie around each image, as before calwf3 cuts
        them off.

    Returns
    -------
    paths : list of `~pathlib.Path`
        Files with SCI, ERR and DQ, in the order of the images. Beside them lie
        ``blobs.ecsv`` and ``known.ecsv``, the truth of the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    edge = _EDGE if reference_pixels else 0
    paths = []
    for number, image in enumerate(images):
        root = f'iblb{number:02d}q' if number < 100 else f'ibl{number:03d}q'
        path = folder / f'{root}_flt.fits'
        with atomic_path(path, overwrite=True) as temporary:
            _hdus(image, root, edge).writeto(temporary, overwrite=True)
        paths.append(path)
    for name in ('blobs', 'known'):
        with atomic_path(folder / f'{name}.ecsv', overwrite=True) as temporary:
            table = getattr(images[-1], name)
            table.write(temporary, format='ascii.ecsv', overwrite=True)
    return paths


def _hdus(image: SimulatedImage, root: str, edge: int) -> fits.HDUList:
    start = Time(image.date, format='mjd')
    primary = fits.PrimaryHDU()
    day, hour = start.isot.split('T')
    for key, value in {
        'ROOTNAME': root,
        'TELESCOP': 'HST',
        'INSTRUME': 'WFC3',
        'DETECTOR': 'IR',
        'FILTER': 'F153M',
        'TARGNAME': 'DARK-EARTH-CALIB',
        'DATE-OBS': day,
        'TIME-OBS': hour[:8],
        'EXPSTART': image.date,
        'EXPTIME': image.exptime,
        'EXPEND': image.date + image.exptime / 86400,
        'CCDGAIN': 2.5,
        'SUBARRAY': False,
    }.items():
        primary.header[key] = value
    planes = {'SCI': (image.data, 0), 'ERR': (image.err, 0)}
    planes['DQ'] = (image.dq, _REFERENCE_PIXEL)
    hdus = fits.HDUList([primary])
    for name, (plane, outside) in planes.items():
        hdu = fits.ImageHDU(np.pad(plane, edge, constant_values=outside), name=name)
        hdu.ver = 1
        if name != 'DQ':
            hdu.header['BUNIT'] = 'ELECTRONS/S'
        hdus.append(hdu)
    return hdus
