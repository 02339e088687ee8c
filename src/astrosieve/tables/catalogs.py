"""
Source catalogues: positions of anybody's tables, class columns, files.

Positions in the package are 0-based: the centre of the first pixel is (0, 0).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Column, QTable, Table
from astropy.utils.exceptions import AstropyWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import CatalogError, OutputError

__all__ = [
    'TABLE_FORMATS',
    'add_classes',
    'fill_masked',
    'plain_sky',
    'position_columns',
    'positions',
    'read_catalog',
    'select_classes',
    'write_catalog',
]

# Position columns by preference, and the coordinate of the first pixel's centre in
# them: ours, photutils 3 and 2, PSF photometry's, peaks, SExtractor's windowed and
# plain, IRAF's, and what hand-made tables use.
_POSITION_COLUMNS = {
    ('x_centroid', 'y_centroid'): 0.0,
    ('xcentroid', 'ycentroid'): 0.0,
    ('x_fit', 'y_fit'): 0.0,
    ('x_init', 'y_init'): 0.0,
    ('x_0', 'y_0'): 0.0,
    ('x_peak', 'y_peak'): 0.0,
    ('XWIN_IMAGE', 'YWIN_IMAGE'): 1.0,
    ('X_IMAGE', 'Y_IMAGE'): 1.0,
    ('XCENTER', 'YCENTER'): 1.0,
    ('x', 'y'): 0.0,
    ('X', 'Y'): 0.0,
    ('xcenter', 'ycenter'): 0.0,
}
# Files whose columns have no names, and count from 1: TweakReg's and hst1pass's.
_ONE_BASED_FILES = re.compile(r'\.(coo|xym|xymeee|xymuvw|xymmm)$', re.IGNORECASE)
_ORIGIN = 'positions_origin'  # in the meta of what was read from such a file


def fill_masked(column: Column) -> np.ndarray:
    """
    Return a column as plain float64 values, NaN where it is masked.

    Units are dropped: a position in ``pix`` is a number of pixels.
    """
    values = getattr(column, 'value', column)
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    if hasattr(values, 'unmasked'):
        plain = np.array(values.unmasked, dtype=np.float64)
        plain[values.mask] = np.nan
        return plain
    return np.asarray(values, dtype=np.float64)


def _default_origin(catalog: Table, names: tuple[str, str]) -> float:
    """Return the coordinate of the first pixel's centre that columns count from."""
    return float(catalog.meta.get(_ORIGIN, _POSITION_COLUMNS.get(names, 0.0)))


def _position_names(catalog: Table, columns: Sequence[str] | None) -> tuple[str, str]:
    names = catalog.colnames
    if columns is None:
        for pair in _POSITION_COLUMNS:
            if pair[0] in names and pair[1] in names:
                return pair
        listed = ', '.join(names) or 'none'
        msg = (
            f'the catalog has no position columns; it has {listed}. '
            'Name the two with columns='
        )
        raise CatalogError(msg)
    if len(columns) != 2:
        msg = f'columns must be two names or numbers; got {tuple(columns)}'
        raise CatalogError(msg)
    found = []
    for wanted in map(str, columns):
        if wanted in names:
            found.append(wanted)
        elif wanted.isdigit() and 1 <= int(wanted) <= len(names):
            found.append(names[int(wanted) - 1])
        else:
            msg = f'the catalog has no column {wanted!r}; it has {", ".join(names)}'
            raise CatalogError(msg)
    return found[0], found[1]


def positions(
    catalog: Table,
    *,
    columns: Sequence[str] | None = None,
    origin: float | None = None,
) -> np.ndarray:
    """
    Return the positions of a catalogue.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        A row per detection.
    columns : sequence of str, optional
        Names of the x and y columns, or their 1-based numbers. By default the
        first pair found of those that photutils, SExtractor, IRAF and we use.
    origin : float, optional
        Coordinate of the first pixel's centre. By default 1 for columns that count
        from 1 by definition (``X_IMAGE``, ``XCENTER`` ...), else 0; see
        `position_columns`.

    Returns
    -------
    xy : (N, 2) float64 `~numpy.ndarray`
        0-based; NaN where masked.

    Raises
    ------
    CatalogError
        If the columns are not there or do not hold numbers.
    """
    x, y, counted_from = position_columns(catalog, columns=columns, origin=origin)
    for name in (x, y):
        unit = getattr(catalog[name], 'unit', None)
        if unit is not None and not _counts_pixels(unit):
            msg = (
                f'column {name} of the catalog is in {unit}; positions are in pixels. '
                'Convert them with the WCS of the image'
            )
            raise CatalogError(msg)
        if getattr(catalog[name], 'dtype', np.dtype(object)).kind not in 'iuf':
            msg = (
                f'columns {x}, {y} of the catalog do not hold real numbers. Name '
                'others with columns='
            )
            raise CatalogError(msg)
    return np.column_stack([fill_masked(catalog[n]) for n in (x, y)]) - counted_from


def _counts_pixels(unit: u.UnitBase) -> bool:
    """Return whether a unit is that of pixels, or says nothing that we understand."""
    known = not isinstance(unit, u.UnrecognizedUnit)
    return not known or unit.is_equivalent(u.pix) or unit.is_equivalent(u.one)


def position_columns(
    catalog: Table,
    *,
    columns: Sequence[str] | None = None,
    origin: float | None = None,
) -> tuple[str, str, float]:
    """
    Say from which columns, and from which origin, positions are taken.

    Parameters
    ----------
    catalog, columns, origin
        As in `positions`.

    Returns
    -------
    x, y : str
        Names of the columns.
    origin : float
        Coordinate of the first pixel's centre.

    Raises
    ------
    CatalogError
        If the columns are not there.
    """
    names = _position_names(catalog, columns)
    return *names, _default_origin(catalog, names) if origin is None else float(origin)


def add_classes(
    catalog: Table,
    *,
    xy: np.ndarray,
    class_names: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    flags: np.ndarray,
    extver: int | None,
) -> Table:
    """
    Return a copy of a catalogue with the class columns.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        N detections; its rows, order and columns are kept.
    xy : (N, 2) `~numpy.ndarray`
        0-based positions, for ``x_centroid`` and ``y_centroid``.
    class_names : (N,) str `~numpy.ndarray`
        Class of each row.
    probabilities : (N, C) float32 `~numpy.ndarray`
        For the columns ``p_<class>``.
    classes : sequence of str
        The C classes.
    flags : (N,) int32 `~numpy.ndarray`
        For ``class_flags``.
    extver : int or None
        Chip, for ``extver``; None leaves the column as it is.

    Returns
    -------
    table : same class as ``catalog``
    """
    table = catalog.copy()
    if 'id' not in table.colnames:
        table.add_column(Column(np.arange(1, len(table) + 1), name='id'), index=0)
    after = table.colnames.index('id') + 1
    for axis, name in enumerate(('x_centroid', 'y_centroid')):
        if name not in table.colnames:
            table.add_column(Column(xy[:, axis], name=name), index=after + axis)
        elif not np.array_equal(fill_masked(table[name]), xy[:, axis], equal_nan=True):
            table[name] = xy[:, axis]
    table['class_name'] = class_names
    for i, name in enumerate(classes):
        table[f'p_{name}'] = probabilities[:, i].astype(np.float32)
    table['class_flags'] = flags.astype(np.int32)
    if extver is not None:
        table['extver'] = np.full(len(table), extver, dtype=np.int16)
    return table


def select_classes(table: Table, keep: Sequence[str] | None) -> Table:
    """Return the rows whose ``class_name`` is one of ``keep``; all for None."""
    if not keep:
        return table
    return table[np.isin(np.asarray(table['class_name'], dtype=str), list(keep))]


def read_catalog(path: str | Path) -> QTable:
    """
    Read a catalogue: ECSV, FITS, FITS_LDAC, VOTable, DAOPHOT, CSV, or other ASCII.

    Parameters
    ----------
    path : path-like
        File of photutils, SExtractor, DAOPHOT, hst1pass, DOLPHOT, TweakReg or ours.

    Returns
    -------
    catalog : `~astropy.table.QTable`
        Columns without names are ``col1``, ``col2`` ...

    Raises
    ------
    CatalogError
        If the file is missing or no table can be read from it.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(path)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyWarning)
            table = _read(path)
    except FileNotFoundError as error:
        msg = f'{path}: no such file'
        raise CatalogError(msg) from error
    except Exception as error:  # readers have no common base for damaged files
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        msg = f'{path}: no table can be read from it ({reason})'
        raise CatalogError(msg) from error
    if not len(table.colnames):
        msg = f'{path}: no table can be read from it (it has no column)'
        raise CatalogError(msg)
    if _ONE_BASED_FILES.search(path.name) and 'col1' in table.colnames:
        table.meta[_ORIGIN] = 1
    return table


def _read(path: Path) -> QTable:
    """Read a table in the format that the file's first bytes tell."""
    with path.open('rb') as file:
        start = file.read(512)
    if start.startswith((b'SIMPLE  =', b'\x1f\x8b')):
        return _read_fits(path)
    if b'VOTABLE' in start.upper():
        return QTable.read(path, format='votable')
    if start.startswith(b'PAR1'):
        return QTable.read(path, format='parquet')
    if start.startswith(b'# %ECSV'):
        return QTable.read(path, format='ascii.ecsv')
    if start.startswith(b'#K IRAF'):
        return QTable.read(path, format='ascii.daophot')
    text = path.read_text(encoding='utf-8-sig')  # spreadsheets begin with a mark
    return QTable.read(text.splitlines(), format='ascii')


def _read_fits(path: Path) -> QTable:
    """Read the first table of a FITS file, which in FITS_LDAC is the second."""
    with fits.open(path) as hdus:
        names = {
            number: hdu.name
            for number, hdu in enumerate(hdus)
            if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))
        }
    if not names:
        msg = 'no HDU holds a table'
        raise CatalogError(msg)
    chosen = [number for number, name in names.items() if name != 'LDAC_IMHEAD']
    return QTable.read(path, format='fits', hdu=(chosen or list(names))[0])


TABLE_FORMATS: Mapping[str, tuple[str, ...]] = {
    'ecsv': ('.ecsv',),
    'fits': ('.fits', '.fit', '.fits.gz'),
    'csv': ('.csv',),
    'vot': ('.vot', '.votable', '.xml'),
    'parquet': ('.parquet',),
}
"""Formats of written catalogues, and the suffixes that mean them."""


def write_catalog(
    table: Table,
    path: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
) -> None:
    """
    Write a catalogue.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalogue. In CSV, VOTable and Parquet sky positions become two columns,
        ``sky_centroid_ra`` and ``sky_centroid_dec``, degrees.
    path : path-like
        The file.
    format : {'ecsv', 'fits', 'csv', 'vot', 'parquet'}, optional
        By default what the suffix says, else ECSV.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    name = path.name.lower()
    meant = [key for key, ends in TABLE_FORMATS.items() if name.endswith(ends)]
    format = format or (meant or ['ecsv'])[0]
    with atomic_path(path, overwrite=overwrite) as temporary, warnings.catch_warnings():
        # Long meta keys become HIERARCH cards, which is what we want.
        warnings.simplefilter('ignore', fits.verify.VerifyWarning)
        try:
            _WRITERS[format](table, temporary)
        except (OSError, MemoryError):
            raise
        except ImportError as error:
            msg = (
                f'{path}: {format} needs {error.name or error}: '
                "pip install 'astrosieve[parquet]'"
            )
            raise OutputError(msg) from error
        except Exception as error:  # writers have no common base for what they refuse
            reason = ' '.join(str(error).split())
            msg = f'{path}: the table cannot be written as {format} ({reason})'
            raise OutputError(msg) from error


def plain_sky(table: Table) -> Table:
    """Return a table without mixins: sky positions as two columns in degrees."""
    from astropy.coordinates import SkyCoord

    plain = Table(table, copy=False)
    for name in table.colnames:
        sky = table[name]
        if isinstance(sky, SkyCoord):
            place = plain.colnames.index(name)
            plain.remove_column(name)
            pairs = ((f'{name}_ra', sky.icrs.ra.deg), (f'{name}_dec', sky.icrs.dec.deg))
            for i, (each, degrees) in enumerate(pairs):
                plain.add_column(Column(degrees, name=each, unit='deg'), place + i)
    return plain


_WRITERS: Mapping[str, Callable[[Table, Path], None]] = {
    'ecsv': lambda table, path: table.write(path, format='ascii.ecsv', overwrite=True),
    'fits': lambda table, path: table.write(path, format='fits', overwrite=True),
    'csv': lambda table, path: plain_sky(table).write(
        path, format='ascii.csv', overwrite=True
    ),
    'vot': lambda table, path: plain_sky(table).write(
        path, format='votable', overwrite=True
    ),
    'parquet': lambda table, path: plain_sky(table).write(
        path, format='parquet', overwrite=True
    ),
}
