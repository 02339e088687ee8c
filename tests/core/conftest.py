"""Fixtures of the core tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS


def tan_wcs(shape: tuple[int, int], dec: float) -> WCS:
    """Return a TAN WCS of 0.04 arcsec pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crpix = [shape[1] / 2, shape[0] / 2]
    wcs.wcs.crval = [201.7, dec]
    wcs.wcs.cdelt = [-0.04 / 3600, 0.04 / 3600]
    return wcs


def write_flc(path: Path, planes: list[np.ndarray], **primary: object) -> Path:
    """Write an FLC-like file with SCI, ERR and DQ for each plane."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    header = {
        'INSTRUME': 'WFC3',
        'DETECTOR': 'UVIS',
        'FILTER': 'F336W',
        'EXPTIME': 1230.0,
        'CCDGAIN': 1.5,
        **primary,
    }
    hdus[0].header.update({k: v for k, v in header.items() if v is not None})
    for number, plane in enumerate(planes, 1):
        wcs = tan_wcs(plane.shape, -47.5 + 0.02 * number).to_header()
        for name, array in (
            ('SCI', plane.astype(np.float32)),
            ('ERR', np.full(plane.shape, 4, dtype=np.float32)),
            ('DQ', np.zeros(plane.shape, dtype=np.int16)),
        ):
            hdu = fits.ImageHDU(array, name=name, ver=number)
            hdu.header['BUNIT'] = 'UNITLESS' if name == 'DQ' else 'ELECTRONS'
            if name == 'SCI':
                hdu.header.update(wcs)
            hdus.append(hdu)
    hdus.writeto(path)
    return path


@pytest.fixture(name='write_flc')
def write_flc_() -> Callable[..., Path]:
    """What writes FLC-like files."""
    return write_flc


@pytest.fixture
def flc(tmp_path: Path, star_field) -> Path:
    """FLC-like file of two chips, the second the first turned by 180 degrees."""
    folder = tmp_path / 'in'
    folder.mkdir()
    planes = [star_field.data + 30, star_field.data[::-1, ::-1] + 30]
    return write_flc(folder / 'j1_flc.fits', planes)
