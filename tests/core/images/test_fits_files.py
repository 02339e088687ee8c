"""Tests of how small FITS files are read."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.images.fits_files import plain_pixels


def content(hdu: fits.PrimaryHDU) -> bytes:
    file = BytesIO()
    hdu.writeto(file)
    return file.getvalue()


@pytest.mark.parametrize('dtype', ['>f4', '<f4', 'f8'])
def test_plain_pixels(dtype: str) -> None:
    """They are those that astropy reads."""
    image = np.random.default_rng(1).normal(size=(5, 7)).astype(dtype)
    hdu = fits.PrimaryHDU(image)
    hdu.header['COMMENT'] = 'END = of nothing'
    np.testing.assert_array_equal(plain_pixels(content(hdu)), image)


def test_what_is_not_plain_is_left_to_astropy() -> None:
    """Integers, scales, cubes, extensions, damaged and cut files."""
    image = np.ones((5, 7), np.float32)
    scaled = fits.PrimaryHDU(image)
    scaled.header['BSCALE'] = 2.0
    whole = content(fits.PrimaryHDU(image))
    for each in (
        content(fits.PrimaryHDU(image.astype(np.int16))),
        content(scaled),
        content(fits.PrimaryHDU(image[None])),
        content(fits.PrimaryHDU(np.empty((0, 7), np.float32))),
        content(fits.PrimaryHDU()),
        whole[:2880],
        whole[:100],
        b'rubbish' * 1000,
        b'',
    ):
        assert plain_pixels(each) is None
