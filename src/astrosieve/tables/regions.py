"""DS9 region files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.classes import ClassSet
from astrosieve.tables.catalogs import fill_masked

__all__ = ['write_regions']


def write_regions(
    catalog: Table, path: str | Path, classes: ClassSet, *, overwrite: bool = False
) -> None:
    """
    Write a classified catalogue as DS9 points in image coordinates.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``x_centroid``, ``y_centroid`` (0-based), ``class_name`` and
        ``id``; one chip. Rows without a finite position are left out.
    path : path-like
        Region file; its positions are 1-based, as DS9 counts.
    classes : `~astrosieve.classes.ClassSet`
        Classes of the task, for colours and shapes.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    x = fill_masked(catalog['x_centroid'])
    y = fill_masked(catalog['y_centroid'])
    lines = ['# Region file format: DS9 version 4.1', 'global width=1', 'image']
    for name in np.unique(catalog['class_name']):
        marker = classes.marker(str(name))
        rows = np.flatnonzero(
            (catalog['class_name'] == name) & np.isfinite(x) & np.isfinite(y)
        )
        lines += [
            f'point({x[i] + 1:.3f},{y[i] + 1:.3f}) # point={marker.ds9} '
            f'color={marker.color} tag={{{name}}} text={{{catalog["id"][i]}}}'
            for i in rows
        ]
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
