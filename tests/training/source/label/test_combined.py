"""Combined images of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.exceptions import ExposureError
from astrosieve_training.source.label.combined import read_combined
from astrosieve_training.source.label.errors import CombiningError


class TestReadCombined:
    """Images of the user's own."""

    def write(self, path: Path, *hdus: fits.ImageHDU) -> Path:
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
        return path

    def test_plain_image(self, field: Any, tmp_path: Path) -> None:
        """Where it has data it counts as covered; twice the pixel, twice the scale."""
        sci = np.ones((20, 30), dtype=np.float32)
        sci[:, :5] = np.nan
        wcs = field.exposures[0].wcs.deepcopy()
        wcs.wcs.cd = 2 * wcs.wcs.cd
        path = self.write(tmp_path / 'median.fits', fits.ImageHDU(sci, wcs.to_header()))
        found = read_combined(path, field.exposures[0].wcs)
        assert found.scale == pytest.approx(2)
        assert found.n_exposures == 0
        np.testing.assert_array_equal(found.covered, np.where(np.isnan(sci), 0, 2))

    def test_without_wcs(self, field: Any, tmp_path: Path) -> None:
        """Then its pixels are those of the exposure."""
        path = tmp_path / 'median.fits'
        fits.PrimaryHDU(np.ones((8, 9))).writeto(path)
        found = read_combined(path, field.exposures[0].wcs)
        assert found.wcs is None
        assert found.scale == 1
        assert found.sci.dtype == np.float32

    def test_drizzled(self, tmp_path: Path) -> None:
        """No weight is no data; bits of the chips of an exposure count once."""
        context = np.zeros((2, 40, 50), dtype=np.int32)
        context[0, :, 10:] |= 0b0001
        context[0, :, 5:30] |= 0b0010  # the other chip of the same exposure
        context[0, :, 10:] |= -(2**31)
        context[1, :, 10:] |= 0b1
        context[0, 20:23, 20:24] &= 2**31 - 1  # a cosmic ray was there
        weight = (context != 0).any(axis=0).astype(np.float32)
        header = fits.Header()
        for bit in range(33):
            header[f'D{bit + 1:03d}DATA'] = f'x{bit}_flc.fits[sci,1]'
        header['D001DATA'], header['D002DATA'] = (
            'a_flc.fits[sci,1]',
            'a_flc.fits[sci,2]',
        )
        path = self.write(
            tmp_path / 'x_drc.fits',
            fits.ImageHDU(weight + 7, header, name='SCI'),
            fits.ImageHDU(weight, name='WHT'),
            fits.ImageHDU(context, name='CTX'),
        )
        found = read_combined(path)
        assert found.n_exposures == 3
        expected = np.zeros((40, 50), dtype=int)
        expected[:, 5:] = 1
        expected[:, 10:] = 3
        np.testing.assert_array_equal(found.covered, expected)
        expected[20:23, 20:24] = 2
        np.testing.assert_array_equal(found.count, expected)
        np.testing.assert_array_equal(np.isnan(found.sci), expected == 0)

    def test_refused(self, field: Any, tmp_path: Path) -> None:
        """Exposures of two chips, and empty images, are no combined images."""
        two = [fits.ImageHDU(np.ones((5, 5)), name='SCI', ver=i) for i in (1, 2)]
        path = self.write(tmp_path / 'two.fits', *two)
        with pytest.raises(
            CombiningError, match='has 2 SCI extensions, as an exposure'
        ):
            read_combined(path)
        path = self.write(tmp_path / 'nan.fits', fits.ImageHDU(np.full((5, 5), np.nan)))
        with pytest.raises(CombiningError, match='no pixel with data'):
            read_combined(path)
        with pytest.raises(ExposureError, match='no such file'):
            read_combined(tmp_path / 'none.fits')
