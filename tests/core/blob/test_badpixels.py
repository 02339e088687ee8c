"""Blobs as bad-pixel tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrosieve.blob.badpixels import blob_mask, expand_bad_pixels, write_bad_pixels
from astrosieve.exceptions import CatalogError, OutputError

BLOBS = Table(
    {
        'x': [100.0, 107.5, 1.0, 1013.0],
        'y': [200.0, 203.0, 500.0, 1013.0],
        'radius': [5.0, 6.5, 4.0, 8.0],
    }
)


def test_the_circles_come_back(tmp_path: Path) -> None:
    """Written, read and expanded as calwf3 does, the table is the circles again."""
    path = tmp_path / 'new_bpx.fits'
    pixels = write_bad_pixels(BLOBS, path, use_after=56370.363)
    dq = expand_bad_pixels(path)
    y, x = np.mgrid[:1014, :1014]
    circles = np.zeros((1014, 1014), bool)
    for row in BLOBS:
        circles |= np.hypot(x - row['x'], y - row['y']) <= 1.5 * row['radius']
    assert (dq[5:-5, 5:-5] == 512 * circles).all()
    assert dq.sum() == 512 * pixels  # nothing on the reference pixels
    assert (blob_mask(BLOBS) == circles).all()


def test_it_is_built_as_the_real_one(tmp_path: Path, data_dir: Path) -> None:
    """Columns, their formats and units, and the cards that calwf3 reads agree."""
    path = tmp_path / 'new_bpx.fits'
    write_bad_pixels(BLOBS, path, use_after=56370.3633)
    real = data_dir / 'hst' / 'wfc3ir_y711520di_bpx.fits.gz'
    with fits.open(path) as ours, fits.open(real) as theirs:
        ours.verify('exception')
        assert ours[1].name == theirs[1].name == 'BPIX'
        assert ours[1].columns.names == theirs[1].columns.names
        for one, other in zip(ours[1].columns, theirs[1].columns, strict=True):
            assert one.format.removeprefix('1') == other.format.removeprefix('1')
            assert one.unit == other.unit
        for card in ('SIZAXIS1', 'SIZAXIS2'):
            assert ours[1].header[card] == theirs[1].header[card]
        for card in ('FILETYPE', 'TELESCOP', 'INSTRUME', 'DETECTOR', 'CCDGAIN'):
            assert ours[0].header[card] == theirs[0].header[card]
        assert ours[0].header['CCDAMP'] == theirs[0].header['CCDAMP']
        assert ours[0].header['USEAFTER'] == theirs[0].header['USEAFTER']


def test_the_real_table_expands_to_its_dq(data_dir: Path) -> None:
    """Our reading of the table is that of those who unpacked it."""
    folder = data_dir / 'hst'
    dq = expand_bad_pixels(folder / 'wfc3ir_y711520di_bpx.fits.gz')
    unpacked = fits.getdata(folder / 'wfc3ir_y711520di_bpx_unpacked_dq.fits.gz', 1)
    assert (dq == unpacked).all()


def test_other_bad_pixels_are_kept(tmp_path: Path, data_dir: Path) -> None:
    """Of a base all rows and cards stay, and its DQ is ORed with that of the blobs."""
    base = data_dir / 'hst' / 'wfc3ir_y711520di_bpx.fits.gz'
    path = tmp_path / 'new_bpx.fits'
    write_bad_pixels(BLOBS, path, base=base)
    before, after = expand_bad_pixels(base), expand_bad_pixels(path)
    expected = before.copy()
    expected[5:-5, 5:-5] |= 512 * blob_mask(BLOBS)
    assert (after == expected).all()
    assert fits.getval(path, 'PEDIGREE') == fits.getval(base, 'PEDIGREE')
    assert fits.getval(path, 'FILENAME') == 'new_bpx.fits'


def test_what_cannot_be_a_table(tmp_path: Path) -> None:
    """Blobs without radius, radii that are none, a base that is something else."""
    with pytest.raises(CatalogError, match='no column radius'):
        write_bad_pixels(BLOBS['x', 'y'], tmp_path / 'a.fits')
    lost = BLOBS.copy()
    lost['radius'][1] = np.nan
    with pytest.raises(CatalogError, match='must be numbers'):
        write_bad_pixels(lost, tmp_path / 'a.fits')
    image = tmp_path / 'image.fits'
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(image)
    with pytest.raises(CatalogError, match='is no bad-pixel table'):
        write_bad_pixels(BLOBS, tmp_path / 'a.fits', base=image)
    assert not (tmp_path / 'a.fits').exists()
    with pytest.raises(OutputError, match='exists'):
        write_bad_pixels(BLOBS, image)
