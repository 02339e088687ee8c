"""Catalogues of other programs, and tables for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table

from astrosieve.exceptions import CatalogError, OutputError
from astrosieve.tables.catalogs import (
    fill_masked,
    position_columns,
    positions,
    read_catalog,
    write_catalog,
)

XY = np.array([[10.25, 20.5], [30.0, 4.75], [7.5, 8.125]])


@pytest.fixture
def table() -> QTable:
    return QTable(
        {
            'id': [1, 2, 3],
            'x_centroid': XY[:, 0],
            'y_centroid': XY[:, 1],
            'sky_centroid': SkyCoord([1, 2, 3], [4, 5, 6], unit='deg'),
            'class_name': ['pear', 'cherry', 'unscored'],
            'p_pear': np.array([0.9, 0.1, np.nan], dtype=np.float32),
            'class_flags': np.array([0, 8, 1], dtype=np.int32),
        },
        meta={'model': 'fruit 1.0'},
    )


@pytest.mark.parametrize('suffix', ['ecsv', 'fits', 'csv', 'vot', 'parquet'])
def test_the_suffix_is_the_format(suffix: str, table: QTable, tmp_path: Path) -> None:
    """What is written is read again: positions, classes, probabilities, sky."""
    if suffix == 'parquet':
        pytest.importorskip('pyarrow')
        pytest.importorskip('pandas')
    path = tmp_path / f'a.{suffix}'
    write_catalog(table, path)
    again = read_catalog(path)
    assert np.allclose(positions(again), XY)
    assert [str(name) for name in again['class_name']] == list(table['class_name'])
    found = fill_masked(again['p_pear'])
    assert np.allclose(found, table['p_pear'], equal_nan=True)
    if suffix in ('ecsv', 'fits'):
        assert np.allclose(again['sky_centroid'].dec.deg, [4, 5, 6])
    else:
        degrees = u.Quantity(again['sky_centroid_dec']).value
        assert np.allclose(degrees, [4, 5, 6])
    with pytest.raises(OutputError, match='exists'):
        write_catalog(table, path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_format_may_be_named(table: QTable, tmp_path: Path) -> None:
    """A name without suffix, or with another, has the format that was asked for."""
    write_catalog(table, tmp_path / 'a.txt', format='csv')
    assert (tmp_path / 'a.txt').read_text().startswith('id,x_centroid')
    write_catalog(table, tmp_path / 'b')
    assert (tmp_path / 'b').read_text().startswith('# %ECSV')


def test_what_a_format_cannot_hold(table: QTable, tmp_path: Path) -> None:
    """It is an error with the reason, and no file is left."""
    table['things'] = np.array([object(), None, {}], dtype=object)
    with pytest.raises(OutputError, match='cannot be written as fits'):
        write_catalog(table, tmp_path / 'a.fits')
    wide = Table({f'c{i}': [1.0] for i in range(1001)})
    with pytest.raises(OutputError, match='cannot be written as fits'):
        write_catalog(wide, tmp_path / 'wide.fits')
    assert list(tmp_path.iterdir()) == []


def test_fits_ldac(tmp_path: Path) -> None:
    """The objects of SExtractor's FITS_LDAC are its second table, from 1."""
    header = fits.BinTableHDU(Table({'Field Header Card': ['x' * 80]}))
    objects = fits.BinTableHDU(Table({'X_IMAGE': XY[:, 0], 'Y_IMAGE': XY[:, 1]}))
    header.name, objects.name = 'LDAC_IMHEAD', 'LDAC_OBJECTS'
    path = tmp_path / 'a.cat'
    fits.HDUList([fits.PrimaryHDU(), header, objects]).writeto(path)
    assert np.allclose(positions(read_catalog(path)), XY - 1)


def test_spreadsheets(tmp_path: Path) -> None:
    """A byte-order mark before the names of the columns is none of them."""
    path = tmp_path / 'a.csv'
    path.write_text('x,y\n10.25,20.5\n30,4.75\n7.5,8.125\n', encoding='utf-8-sig')
    assert np.allclose(positions(read_catalog(path)), XY)


def test_daophot(tmp_path: Path) -> None:
    """IRAF's tables name their columns, which count from 1."""
    path = tmp_path / 'a.als.1'
    path.write_text(
        '#K IRAF       = NOAO/IRAFV2.10EXPORT  version    %-23s\n'
        '#\n'
        '#N ID    XCENTER   YCENTER   MAG         \\\n'
        '#U ##    pixels    pixels    magnitudes  \\\n'
        '#F %-9d  %-10.3f   %-10.3f   %-12.3f\n'
        '#\n'
        '14       138.538   256.405   15.461      \n'
        '18       18.114    280.170   22.329      \n'
    )
    table = read_catalog(path)
    assert position_columns(table) == ('XCENTER', 'YCENTER', 1)
    assert np.allclose(positions(table), [[137.538, 255.405], [17.114, 279.17]])


@pytest.mark.parametrize('name', ['a.coo', 'a_flc.xym'])
def test_files_without_names(name: str, tmp_path: Path) -> None:
    """TweakReg's and hst1pass's files count from 1 by their suffix."""
    path = tmp_path / name
    path.write_text('10.25 20.5 100\n30 4.75 50\n')
    table = read_catalog(path)
    assert position_columns(table, columns=('1', '2')) == ('col1', 'col2', 1)
    assert np.allclose(positions(table, columns=('1', '2')), XY[:2] - 1)
    assert np.allclose(positions(table, columns=('1', '2'), origin=0), XY[:2])


def test_no_pixels() -> None:
    """Positions on the sky, complex and boolean ones are refused with the reason."""
    sky = QTable({'x': XY[:, 0] * u.arcsec, 'y': XY[:, 1] * u.arcsec})
    with pytest.raises(CatalogError, match='column x of the catalog is in arcsec'):
        positions(sky)
    for kind in (complex, bool):
        strange = Table({'x': XY[:, 0].astype(kind), 'y': XY[:, 1]})
        with pytest.raises(CatalogError, match='do not hold real numbers'):
            positions(strange)
