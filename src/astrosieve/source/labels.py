"""
Labels: what people say that detections are, in files to learn from.

A file of labels is an ECSV table. Each row names an exposure, a chip, a position in
it, and a class. Who gave the label, and when, is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io.ascii import InconsistentTableError
from astropy.table import Table, vstack
from numpy.typing import ArrayLike

from astrosieve.atomic import atomic_path
from astrosieve.classes import UNSCORED
from astrosieve.exceptions import CatalogError
from astrosieve.tables.catalogs import fill_masked

__all__ = [
    'LABEL_FORMAT',
    'make_labels',
    'match_labels',
    'merge_labels',
    'read_labels',
    'write_labels',
]

LABEL_FORMAT = 'astrosieve-labels-1'
"""Value of ``format`` in the ``meta`` of a table of labels."""

_COLUMNS = ('exposure', 'extver', 'x_centroid', 'y_centroid', 'label')
_CLASS_NAME = re.compile(r'[a-z][a-z0-9_]*')
_SAME = 0.01  # pixels within which two rows are about one position


def make_labels(
    exposure: str, extver: int, xy: ArrayLike, labels: Sequence[str]
) -> Table:
    """
    Return a table of labels for one chip.

    Parameters
    ----------
    exposure : str
        Name of the file, without its folder.
    extver : int
        Version of the extension.
    xy : (N, 2) array_like
        Positions ``(x, y)``, pixels, 0-based.
    labels : sequence of str
        The N classes.

    Returns
    -------
    table : `~astropy.table.Table`
        ``exposure``, ``extver``, ``x_centroid``, ``y_centroid``, ``label``.

    Raises
    ------
    CatalogError
        If a label or a position is not one.
    """
    positions = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    names = np.asarray(labels, dtype=str)
    if len(names) != len(positions):
        msg = f'there are {len(positions)} positions and {len(names)} labels'
        raise CatalogError(msg)
    table = Table(
        [
            np.full(len(names), Path(exposure).name),
            np.full(len(names), extver, dtype=np.int16),
            positions[:, 0],
            positions[:, 1],
            names,
        ],
        names=_COLUMNS,
        meta={'format': LABEL_FORMAT},
    )
    _check(table, 'labels')
    return table


def merge_labels(old: Table, new: Table) -> Table:
    """
    Return the labels of two tables; where both have a position, the new one's.

    Parameters
    ----------
    old, new : `~astropy.table.Table`
        As from `make_labels`.

    Returns
    -------
    table : `~astropy.table.Table`
    """
    known = set(_keys(new))
    kept = [i for i, key in enumerate(_keys(old)) if key not in known]
    merged = vstack([old[kept], new], metadata_conflicts='silent')
    merged.meta.clear()
    merged.meta['format'] = LABEL_FORMAT
    return merged


def write_labels(labels: Table, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write labels as ECSV.

    Parameters
    ----------
    labels : `~astropy.table.Table`
        As from `make_labels`.
    path : path-like
        The file.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    CatalogError
        If the table does not hold labels.
    OutputError
        If the file cannot be written.
    """
    _check(labels, str(path))
    table = Table(labels[list(_COLUMNS)], meta={'format': LABEL_FORMAT})
    for name in ('x_centroid', 'y_centroid'):
        table[name].info.format = '.4f'
    with atomic_path(path, overwrite=overwrite) as temporary:
        table.write(temporary, format='ascii.ecsv', overwrite=True)


def read_labels(path: str | Path) -> Table:
    """
    Read labels.

    Parameters
    ----------
    path : path-like
        File of `write_labels`.

    Returns
    -------
    labels : `~astropy.table.Table`

    Raises
    ------
    CatalogError
        If the file is missing, is not a table of labels, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        msg = f'{path}: no such file'
        raise CatalogError(msg)
    try:
        table = Table.read(path, format='ascii.ecsv')
    except (OSError, ValueError, TypeError, KeyError, InconsistentTableError) as error:
        reason = str(error).strip().partition('\n')[0]
        msg = f'{path}: no labels can be read from it ({reason})'
        raise CatalogError(msg) from error
    _check(table, str(path))
    return table


def match_labels(
    labels: Table, exposure: str, extver: int, xy: ArrayLike, *, radius: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the detections of a chip that have labels.

    Parameters
    ----------
    labels : `~astropy.table.Table`
        As from `read_labels`.
    exposure : str
        Name of the file, with or without its folder.
    extver : int
        Version of the extension.
    xy : (N, 2) array_like
        Positions of the detections, pixels, 0-based.
    radius : float, optional
        Largest distance between a label and its detection, pixels.

    Returns
    -------
    rows : (M,) int `~numpy.ndarray`
        Rows of ``xy``, each once, in the order of the labels.
    names : (M,) str `~numpy.ndarray`
        Their labels.
    """
    positions = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    mine = labels[
        (np.asarray(labels['exposure'], dtype=str) == Path(exposure).name)
        & (np.asarray(labels['extver']) == extver)
    ]
    usable = np.flatnonzero(np.isfinite(positions).all(axis=1))
    found: dict[int, str] = {}
    if len(usable):
        for row in mine:
            offset = positions[usable] - (row['x_centroid'], row['y_centroid'])
            distance = np.hypot(offset[:, 0], offset[:, 1])
            nearest = int(distance.argmin())
            if distance[nearest] <= radius:
                found[int(usable[nearest])] = str(row['label'])
    return np.array(list(found), dtype=np.intp), np.array(list(found.values()), str)


def _keys(table: Table) -> list[tuple[str, int, int, int]]:
    """Return for each row what says that two rows are about one position."""
    x, y = (np.rint(fill_masked(table[c]) / _SAME).astype(int) for c in _COLUMNS[2:4])
    exposures = (str(name) for name in table['exposure'])
    extvers = fill_masked(table['extver']).astype(int).tolist()
    return list(zip(exposures, extvers, x.tolist(), y.tolist(), strict=True))


def _check(table: Table, name: str) -> None:
    """Refuse a table that does not hold labels."""
    if table.meta.get('format') != LABEL_FORMAT:
        msg = f'{name}: not a table of labels (its meta lacks format {LABEL_FORMAT!r})'
        raise CatalogError(msg)
    missing = [column for column in _COLUMNS if column not in table.colnames]
    if missing:
        msg = f'{name}: the labels have no column {missing[0]!r}'
        raise CatalogError(msg)
    if not len(table):
        return
    try:
        extver = fill_masked(table['extver'])
        xy = np.column_stack([fill_masked(table[c]) for c in _COLUMNS[2:4]])
    except (TypeError, ValueError) as error:
        msg = f'{name}: extver, x_centroid and y_centroid must hold numbers'
        raise CatalogError(msg) from error
    if not (np.isfinite(extver).all() and np.isfinite(xy).all()):
        msg = f'{name}: extver and position must be finite numbers in every row'
        raise CatalogError(msg)
    seen: dict[tuple[str, int, int, int], str] = {}
    labels = [str(label) for label in table['label']]
    for number, (key, label) in enumerate(zip(_keys(table), labels, strict=True), 1):
        if label == UNSCORED or not _CLASS_NAME.fullmatch(label):
            msg = f'{name}: row {number}: {label!r} is not the name of a class'
            raise CatalogError(msg)
        if key[0].strip() in ('', '--'):
            msg = f'{name}: row {number}: no exposure is named'
            raise CatalogError(msg)
        if seen.setdefault(key, label) != label:
            msg = (
                f'{name}: row {number}: this position is labelled {label} and '
                f'{seen[key]}; keep one of the rows'
            )
            raise CatalogError(msg)
