"""
Coordinate files: plain text of x, y, flux, as TweakReg, Ginga and DAOPHOT read it.

Positions in these files are 1-based: the centre of the first pixel is (1, 1).
The conversion from the 0-based positions of the package happens here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import CatalogError
from astrosieve.tables.catalogs import fill_masked, positions

__all__ = ['detection_flux', 'read_coordinates', 'write_coordinates']

# Brightness, by preference: what the finders of photutils and ours call it.
_FLUX_COLUMNS = ('flux', 'flux_2x2', 'flux_fit', 'FLUX_AUTO', 'peak', 'peak_value')


def detection_flux(catalog: Table) -> np.ndarray:
    """
    Return the brightness of detections.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        A row per detection.

    Returns
    -------
    flux : (N,) float64 `~numpy.ndarray`
        The finder's flux or peak; 0 where there is none.
    """
    for name in _FLUX_COLUMNS:
        if name in catalog.colnames:
            return np.nan_to_num(fill_masked(catalog[name]), posinf=0, neginf=0)
    return np.zeros(len(catalog))


def write_coordinates(
    catalog: Table,
    path: str | Path,
    *,
    comments: Mapping[str, object] | None = None,
    extra: Sequence[str] = (),
    overwrite: bool = False,
) -> int:
    """
    Write detections as lines of x, y, flux.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        A row per detection, with 0-based positions. Rows without a finite
        position are left out.
    path : path-like
        The file; its positions are 1-based.
    comments : dict, optional
        What the lines of the header say, ``# key: value``.
    extra : sequence of str, optional
        Further columns to write after the flux, such as ``class_name``.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    written : int
        Number of rows.

    Raises
    ------
    CatalogError
        If the catalogue lacks positions or a column of ``extra``.
    OutputError
        If the file cannot be written.
    """
    missing = [name for name in extra if name not in catalog.colnames]
    if missing:
        msg = f'{path}: the catalog has no column {missing[0]!r} to write'
        raise CatalogError(msg)
    xy = positions(catalog) + 1
    flux = detection_flux(catalog)
    rows = np.flatnonzero(np.isfinite(xy).all(axis=1))
    lines = [
        f'# {key}: {" ".join(str(value).split())}'
        for key, value in (comments or {}).items()
    ]
    lines.append(f'# columns: {" ".join(("x", "y", "flux", *extra))}; x, y from 1')
    for i in rows:
        cells = [f'{xy[i, 0]:.4f}', f'{xy[i, 1]:.4f}', f'{flux[i]:.6g}']
        cells += [_cell(catalog[name][i]) for name in extra]
        lines.append(' '.join(cells))
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return len(rows)


def _cell(value: object) -> str:
    """Return a value as one word."""
    if isinstance(value, float | np.floating):
        return f'{value:.6g}'
    return '_'.join(str(value).split()) or '-'


def read_coordinates(path: str | Path) -> Table:
    """
    Read a coordinate file.

    Parameters
    ----------
    path : path-like
        File of x, y and, if there is one, flux, 1-based; lines that begin with
        ``#`` are comments.

    Returns
    -------
    catalog : `~astropy.table.Table`
        ``id`` from 1, ``x_centroid``, ``y_centroid`` (0-based), ``flux``.
        ``meta`` holds the comments of the form ``# key: value``.

    Raises
    ------
    CatalogError
        If the file is missing or a line does not hold two numbers.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror or error})'
        raise CatalogError(msg) from error
    meta: dict[str, str] = {}
    rows: list[tuple[float, float, float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith('#'):
            key, colon, value = line.lstrip(' #').partition(': ')
            if colon:
                meta[key.strip()] = value.strip()
            continue
        words = line.split()
        if not words:
            continue
        try:
            x, y = float(words[0]), float(words[1])
            flux = float(words[2]) if len(words) > 2 else 0.0
        except (ValueError, IndexError):
            msg = f'{path}: line {number} must hold x, y and flux; it is {line!r}'
            raise CatalogError(msg) from None
        rows.append((x - 1, y - 1, flux))
    values = np.array(rows, dtype=float).reshape(-1, 3)
    return Table(
        {
            'id': np.arange(1, len(values) + 1),
            'x_centroid': values[:, 0],
            'y_centroid': values[:, 1],
            'flux': values[:, 2],
        },
        meta=meta,
    )
