"""Anybody's source catalogues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from astrosieve.exceptions import AstrosieveError, CatalogError, OutputError
from astrosieve.tables.catalogs import (
    add_classes,
    position_columns,
    positions,
    read_catalog,
    select_classes,
    write_catalog,
)

XY = np.array([[10.25, 20.5], [30.0, 4.75], [7.5, 8.125]])


def xy_table(x: str = 'x', y: str = 'y', **more: Any) -> QTable:
    return QTable({x: XY[:, 0], y: XY[:, 1], **more})


class TestPositions:
    """Where the detections of a table are."""

    @pytest.mark.parametrize(
        ('x', 'y'),
        [
            ('x_centroid', 'y_centroid'),
            ('xcentroid', 'ycentroid'),
            ('x_fit', 'y_fit'),
            ('x_peak', 'y_peak'),
            ('x_0', 'y_0'),
            ('x', 'y'),
            ('X', 'Y'),
        ],
    )
    def test_known_names(self, x: str, y: str) -> None:
        """Columns of photutils and hand-made tables are found, and count from 0."""
        assert np.array_equal(positions(xy_table(x, y)), XY)
        assert position_columns(xy_table(x, y)) == (x, y, 0)

    @pytest.mark.parametrize(
        ('x', 'y'),
        [
            ('X_IMAGE', 'Y_IMAGE'),
            ('XWIN_IMAGE', 'YWIN_IMAGE'),
            ('XCENTER', 'YCENTER'),
        ],
    )
    def test_columns_that_count_from_one(self, x: str, y: str) -> None:
        """SExtractor's and IRAF's first pixel is at 1, unless the user says else."""
        table = xy_table(x, y)
        assert np.array_equal(positions(table), XY - 1)
        assert position_columns(table) == (x, y, 1)
        assert np.array_equal(positions(table, origin=0), XY)

    def test_best_pair_wins(self) -> None:
        """A centroid is preferred to a peak; half a pair does not count."""
        table = xy_table('x_centroid', 'y_centroid', x_peak=[1, 2, 3], y_peak=[1, 2, 3])
        assert np.array_equal(positions(table), XY)
        table.remove_column('y_centroid')
        assert positions(table)[:, 0].tolist() == [1, 2, 3]

    @pytest.mark.parametrize(
        'columns', [('ra_pix', 'dec_pix'), ('2', '3'), (2, 3), ['ra_pix', 3]]
    )
    def test_named_and_numbered_columns(self, columns: Any) -> None:
        """Columns are named, or numbered from 1."""
        table = xy_table('ra_pix', 'dec_pix')
        table.add_column([9, 8, 7], index=0, name='mag')
        assert np.array_equal(positions(table, columns=columns), XY)

    @pytest.mark.parametrize('origin', [0, 0.5, 1])
    def test_origin(self, origin: float) -> None:
        """1-based positions lose one; the first pixel's centre becomes 0."""
        assert np.array_equal(positions(xy_table(), origin=origin), XY - origin)

    def test_units_masks_and_types(self) -> None:
        """Pixels may have a unit; what is masked is NaN; integers are numbers."""
        table = QTable(
            {
                'x': Masked(XY[:, 0] * u.pix, mask=[False, True, False]),
                'y': MaskedColumn([1, 2, 3], mask=[False, False, True]),
            }
        )
        expected = [[10.25, 1], [np.nan, 2], [7.5, np.nan]]
        assert np.array_equal(positions(table), expected, equal_nan=True)

    def test_no_columns(self) -> None:
        """The message lists the columns and says how to name them."""
        table = xy_table('alpha', 'delta')
        with pytest.raises(
            CatalogError, match=r'has alpha, delta\. Name the two with col'
        ):
            positions(table)

    @pytest.mark.parametrize('columns', [('x', 'q'), ('x', '3'), ('x', '0')])
    def test_unknown_columns(self, columns: tuple[str, str]) -> None:
        """The missing one is named, and what there is."""
        with pytest.raises(
            CatalogError, match=f"no column '{columns[1]}'; it has x, y"
        ):
            positions(xy_table(), columns=columns)

    @pytest.mark.parametrize('columns', [('x',), ('x', 'y', 'x'), ()])
    def test_two_columns(self, columns: tuple[str, ...]) -> None:
        """A position has two coordinates."""
        with pytest.raises(CatalogError, match='columns must be two names or numbers'):
            positions(xy_table(), columns=columns)

    def test_text(self) -> None:
        """Columns of text are no positions."""
        table = Table({'x': ['a', 'b'], 'y': ['c', 'd']})
        with pytest.raises(
            CatalogError, match=r'columns x, y .* do not hold real numbers'
        ):
            positions(table)

    def test_sky_positions(self) -> None:
        """Nor are sky coordinates."""
        sky = SkyCoord([1, 2] * u.deg, [3, 4] * u.deg)
        with pytest.raises(CatalogError, match='do not hold real numbers'):
            positions(QTable({'x': sky, 'y': [1.0, 2.0]}))

    def test_no_rows(self) -> None:
        """An empty table has no positions."""
        assert positions(xy_table()[:0]).shape == (0, 2)


class TestAddClasses:
    """The class columns."""

    def add(self, table: Table, **more: Any) -> Table:
        arguments = {
            'xy': XY,
            'class_names': np.array(['star', 'cosmic_ray', 'unscored']),
            'probabilities': np.array([[1, 0], [0.25, 0.75], [np.nan, np.nan]]),
            'classes': ('star', 'cosmic_ray'),
            'flags': np.array([0, 8, 129]),
            'extver': 2,
            **more,
        }
        return add_classes(table, **arguments)

    def test_columns_and_types(self) -> None:
        """Names, order and types are those of the contract."""
        table = self.add(xy_table('x', 'y', flux=[1.0, 2.0, 3.0] * u.Jy))
        assert table.colnames == [
            'id',
            'x_centroid',
            'y_centroid',
            'x',
            'y',
            'flux',
            'class_name',
            'p_star',
            'p_cosmic_ray',
            'class_flags',
            'extver',
        ]
        assert table['p_star'].dtype == table['p_cosmic_ray'].dtype == np.float32
        assert table['class_flags'].dtype == np.int32
        assert table['extver'].dtype == np.int16
        assert table['flux'].unit == u.Jy
        assert list(table['id']) == [1, 2, 3]

    def test_table_is_left_alone(self) -> None:
        """The caller's table stays as it is; the class of the table is kept."""
        for kind in (Table, QTable):
            table = kind(xy_table())
            assert type(self.add(table)) is kind
            assert table.colnames == ['x', 'y']

    def test_own_ids_and_extver_are_kept(self) -> None:
        """An id of the user's is not renumbered; extver is changed if given."""
        table = xy_table(id=['a', 'b', 'c'], extver=[1, 2, 3])
        assert list(self.add(table, extver=None)['id']) == ['a', 'b', 'c']
        assert list(self.add(table, extver=None)['extver']) == [1, 2, 3]
        assert list(self.add(table, extver=2)['extver']) == [2, 2, 2]

    def test_again(self) -> None:
        """Classifying a classified table replaces the columns, in place."""
        once = self.add(xy_table())
        again = self.add(
            once, class_names=np.array(['a_much_longer_name'] * 3), extver=3
        )
        assert again.colnames == once.colnames
        assert list(again['class_name']) == ['a_much_longer_name'] * 3
        assert list(again['extver']) == [3, 3, 3]

    def test_positions_become_zero_based(self) -> None:
        """x_centroid holds our position, also where a 1-based one stood."""
        table = self.add(QTable({'x_centroid': XY[:, 0] + 1, 'y_centroid': XY[:, 1]}))
        assert np.array_equal(table['x_centroid'], XY[:, 0])
        assert np.array_equal(table['y_centroid'], XY[:, 1])


class TestSelect:
    """Rows by class."""

    @pytest.mark.parametrize(
        ('keep', 'rows'),
        [
            (None, [0, 1, 2]),
            (('star',), [0]),
            (['unscored', 'star'], [0, 2]),
            (('spike',), []),
        ],
    )
    @pytest.mark.parametrize('dtype', [str, bytes])
    def test_rows(self, keep: Any, rows: list[int], dtype: type) -> None:
        """Rows keep their order; text may be bytes, as FITS reads it."""
        names = np.array(['star', 'cosmic_ray', 'unscored']).astype(dtype)
        table = QTable({'class_name': names, 'row': [0, 1, 2]})
        assert list(select_classes(table, keep)['row']) == rows


class TestRead:
    """Files of other programs."""

    def read(self, path: Path, text: str) -> QTable:
        path.write_text(text)
        return read_catalog(path)

    @pytest.mark.parametrize('name', ['a.ecsv', 'a.txt', 'a.fits', 'a.fits.gz', 'a'])
    @pytest.mark.parametrize('format_', ['ascii.ecsv', 'fits'])
    def test_the_contents_decide(self, name: str, format_: str, tmp_path: Path) -> None:
        """ECSV and FITS are known by what they hold, not by their name."""
        if format_ == 'ascii.ecsv' and name.endswith('gz'):
            name = 'a.dat'
        table = xy_table(flux=[1.0, 2.0, 3.0] * u.Jy)
        path = tmp_path / name
        table.write(
            tmp_path / 'table.fits.gz' if 'gz' in name else path, format=format_
        )
        if 'gz' in name:
            (tmp_path / 'table.fits.gz').rename(path)
        again = read_catalog(path)
        assert np.array_equal(positions(again), XY)
        assert again['flux'].unit == u.Jy

    def test_hst1pass(self, tmp_path: Path) -> None:
        """Numbers without names have columns col1, col2; comments are passed over."""
        table = self.read(
            tmp_path / 'j1.xympqk',
            '# hst1pass x y m p q k\n'
            '   11.250   21.500  -12.31  0.5  0.01  1\n'
            '   31.000    5.750  -10.02  0.3  0.05  1\n'
            '    8.500    9.125   -9.77  0.2  0.11  2\n',
        )
        assert table.colnames[0] == 'col1'
        assert np.allclose(positions(table, columns=('1', '2'), origin=1), XY)

    def test_dolphot(self, tmp_path: Path) -> None:
        """Many columns of numbers, wide and without header."""
        rows = [
            f'1 1 {x + 0.5:8.3f} {y + 0.5:8.3f} 25.1 310.2 0.02 -0.01 3 1 9.9e4'
            for x, y in XY
        ]
        table = self.read(tmp_path / 'phot', '\n'.join(rows) + '\n')
        assert len(table.colnames) == 11
        assert np.allclose(
            positions(table, columns=('3', '4'), origin=0.5), XY, atol=1e-3
        )

    def test_sextractor(self, tmp_path: Path) -> None:
        """The commented header names the columns and their units."""
        table = self.read(
            tmp_path / 'test.cat',
            '#   1 NUMBER       Running object number\n'
            '#   2 X_IMAGE      Object position along x        [pixel]\n'
            '#   3 Y_IMAGE      Object position along y        [pixel]\n'
            '#   4 FLUX_AUTO    Flux within a Kron-like aperture [count]\n'
            '  1   11.250   21.500   500.0\n'
            '  2   31.000    5.750   400.0\n'
            '  3    8.500    9.125   300.0\n',
        )
        assert table['X_IMAGE'].unit == u.pix
        assert np.allclose(positions(table, origin=1), XY)

    def test_tweakreg_coo(self, tmp_path: Path) -> None:
        """x, y, flux and id without names."""
        table = self.read(
            tmp_path / 'cat_sci1.coo',
            '11.25 21.5 500 1\n31 5.75 400 2\n8.5 9.125 300 3\n',
        )
        assert np.allclose(positions(table, columns=(1, 2), origin=1), XY)

    @pytest.mark.parametrize('separator', [' ', ',', '\t', '  '])
    def test_named_ascii(self, separator: str, tmp_path: Path) -> None:
        """Columns with names, parted by blanks, commas or tabs."""
        rows = [['x', 'y', 'mag'], *[[str(x), str(y), '20.5'] for x, y in XY]]
        text = '\n'.join(separator.join(row) for row in rows)
        assert np.array_equal(positions(self.read(tmp_path / 'a.txt', text)), XY)

    def test_one_row(self, tmp_path: Path) -> None:
        """A single line of numbers is a row, not a header."""
        table = self.read(tmp_path / 'a.txt', '11.25 21.5\n')
        assert np.allclose(positions(table, columns=(1, 2), origin=1), XY[:1])

    def test_empty_ecsv(self, tmp_path: Path) -> None:
        """A table without rows is a table."""
        path = tmp_path / 'a.ecsv'
        xy_table()[:0].write(path, format='ascii.ecsv')
        assert len(read_catalog(path)) == 0

    @pytest.mark.parametrize(
        'content',
        [
            b'',
            b'\n\n',
            b'\x89PNG\r\n\x1a\n\0\0',
            b'# %ECSV 1.0\n# ---\nbroken',
            b'\x1f\x8b broken',
            b'SIMPLE  =                    T',
        ],
    )
    def test_no_table(self, content: bytes, tmp_path: Path) -> None:
        """The path is in the message, with a reason."""
        path = tmp_path / 'a.txt'
        path.write_bytes(content)
        with pytest.raises(CatalogError, match=r'a\.txt: no table can be read'):
            read_catalog(path)

    def test_fits_without_a_table(self, tmp_path: Path) -> None:
        """An image is no catalogue."""
        fits.PrimaryHDU(np.zeros((5, 5))).writeto(tmp_path / 'a.fits')
        with pytest.raises(CatalogError, match=r'a\.fits: no table can be read'):
            read_catalog(tmp_path / 'a.fits')

    def test_missing(self, tmp_path: Path) -> None:
        """A missing file and a folder are no files."""
        for path in (tmp_path / 'gone.ecsv', tmp_path):
            with pytest.raises(CatalogError, match=f'{path}: no such file'):
                read_catalog(path)

    def test_error_is_of_two_families(self) -> None:
        """A caller can catch the package's errors, or the usual ValueError."""
        assert issubclass(CatalogError, AstrosieveError)
        assert issubclass(CatalogError, ValueError)


class TestWrite:
    """Files of ours."""

    @pytest.fixture
    def table(self) -> QTable:
        table = xy_table(
            class_name=['star', 'cosmic_ray', 'unscored'],
            p_star=Column([1, 0.25, np.nan], dtype=np.float32),
            class_flags=Column([0, 8, 129], dtype=np.int32),
            sky_centroid=SkyCoord([1, 2, 3] * u.deg, [4, 5, 6] * u.deg),
        )
        table.meta.update(
            model='tiny 1.0.0', hash='0' * 64, fwhm=2.1, options='{"a": 1}' * 20
        )
        return table

    @pytest.mark.parametrize(
        ('name', 'format_'),
        [
            ('a.ecsv', None),
            ('a.txt', None),
            ('a.fits', None),
            ('a.fits.gz', None),
            ('a.dat', 'fits'),
            ('a.dat', 'ecsv'),
        ],
    )
    def test_round_trip(
        self, name: str, format_: str | None, table: QTable, tmp_path: Path
    ) -> None:
        """Columns, sky positions and meta come back; nothing else is written."""
        path = tmp_path / name
        write_catalog(table, path, format=format_)
        again = read_catalog(path)
        assert again.colnames == table.colnames
        assert np.array_equal(again['p_star'], table['p_star'], equal_nan=True)
        assert list(np.asarray(again['class_name']).astype(str)) == list(
            table['class_name']
        )
        assert (
            again['sky_centroid'].separation(table['sky_centroid']).max() < 1e-9 * u.deg
        )
        lower = {key.lower(): value for key, value in again.meta.items()}
        assert {key: lower[key] for key in table.meta} == dict(table.meta)
        assert list(tmp_path.iterdir()) == [path]

    def test_gzip_is_compressed(self, table: QTable, tmp_path: Path) -> None:
        """A name that ends in .gz gets what it promises."""
        write_catalog(table, tmp_path / 'a.fits.gz')
        assert (tmp_path / 'a.fits.gz').read_bytes()[:2] == b'\x1f\x8b'

    @pytest.mark.parametrize('name', ['a.ecsv', 'a.fits'])
    def test_existing_file_is_kept(
        self, name: str, table: QTable, tmp_path: Path
    ) -> None:
        """It is overwritten on demand only."""
        path = tmp_path / name
        path.write_text('old')
        with pytest.raises(OutputError, match='exists; give overwrite=True'):
            write_catalog(table, path)
        assert path.read_text() == 'old'
        write_catalog(table, path, overwrite=True)
        assert len(read_catalog(path)) == 3
