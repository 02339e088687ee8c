"""
Source catalogues: positions of anybody's tables, class columns, files.

Positions in the package are 0-based: the centre of the first pixel is (0, 0).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.ascii import InconsistentTableError
from astropy.table import Column, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import CatalogError

__all__ = [
    'add_classes',
    'fill_masked',
    'positions',
    'read_catalog',
    'select_classes',
    'write_catalog',
]

# Position columns by preference: ours, photutils 3 and 2, PSF photometry's,
# peaks, SExtractor's windowed and plain, and what hand-made tables use.
_POSITION_COLUMNS = (
    ('x_centroid', 'y_centroid'),
    ('xcentroid', 'ycentroid'),
    ('x_fit', 'y_fit'),
    ('x_init', 'y_init'),
    ('x_0', 'y_0'),
    ('x_peak', 'y_peak'),
    ('XWIN_IMAGE', 'YWIN_IMAGE'),
    ('X_IMAGE', 'Y_IMAGE'),
    ('x', 'y'),
    ('X', 'Y'),
    ('xcenter', 'ycenter'),
)


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


def _position_names(catalog: Table, columns: Sequence[str] | None) -> tuple[str, str]:
    names = catalog.colnames
    if columns is None:
        for pair in _POSITION_COLUMNS:
            if pair[0] in names and pair[1] in names:
                return pair
        msg = (
            f'the catalog has no position columns; it has {", ".join(names)}. '
            'Name them with columns=(x, y) (--columns X,Y)'
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
    catalog: Table, *, columns: Sequence[str] | None = None, origin: float = 0
) -> np.ndarray:
    """
    Return the positions of a catalogue.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        A row per detection.
    columns : sequence of str, optional
        Names of the x and y columns, or their 1-based numbers. By default the
        first pair found of those that photutils, SExtractor and we use.
    origin : float, optional
        Coordinate of the first pixel's centre, 0 or 1.

    Returns
    -------
    xy : (N, 2) float64 `~numpy.ndarray`
        0-based; NaN where masked.

    Raises
    ------
    CatalogError
        If the columns are not there or do not hold numbers.
    """
    names = _position_names(catalog, columns)
    try:
        xy = np.column_stack([fill_masked(catalog[name]) for name in names])
    except (TypeError, ValueError) as error:
        msg = f'columns {names[0]}, {names[1]} of the catalog do not hold numbers'
        raise CatalogError(msg) from error
    return xy - origin


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
    Read a catalogue: ECSV, FITS, or ASCII with or without column names.

    Parameters
    ----------
    path : path-like
        File of photutils, SExtractor, hst1pass, DOLPHOT, TweakReg or ours.

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
    if not path.is_file():
        msg = f'{path}: no such file'
        raise CatalogError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyUserWarning)
            with path.open('rb') as file:
                start = file.read(16)
            if start.startswith((b'SIMPLE  =', b'\x1f\x8b')):
                return QTable.read(path, format='fits')
            if start.startswith(b'# %ECSV'):
                return QTable.read(path, format='ascii.ecsv')
            return QTable.read(path, format='ascii')
    except (OSError, ValueError, TypeError, KeyError, InconsistentTableError) as error:
        reason = str(error).strip().partition('\n')[0]
        msg = f'{path}: no table can be read from it ({reason})'
        raise CatalogError(msg) from error


def write_catalog(
    table: Table,
    path: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
) -> None:
    """
    Write a catalogue as ECSV or FITS.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalogue.
    path : path-like
        The file.
    format : {'ecsv', 'fits'}, optional
        By default what the suffix says, else ECSV.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    if format is None:
        names = path.name.lower()
        format = 'fits' if names.endswith(('.fits', '.fit', '.fits.gz')) else 'ecsv'
    with atomic_path(path, overwrite=overwrite) as temporary:
        if format == 'fits':
            with warnings.catch_warnings():
                # Long meta keys become HIERARCH cards, which is what we want.
                warnings.simplefilter('ignore', fits.verify.VerifyWarning)
                table.write(temporary, format='fits', overwrite=True)
        else:
            table.write(temporary, format='ascii.ecsv', overwrite=True)
