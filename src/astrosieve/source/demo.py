"""The bundled exposure and its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import positions, read_catalog

__all__ = ['compare_with_truth', 'demo_exposure', 'demo_truth']

_DATA = Path(__file__).parents[1] / 'data'


def demo_exposure() -> Path:
    """
    Return the path of a small simulated exposure, FLC-like, cosmic rays in it.

    Its stars, spikes and cosmic rays are simulated; no observed pixel is in it.
    """
    return _DATA / 'demo_flc.fits.gz'


def demo_truth() -> Table:
    """
    Return what each detectable thing in the demo exposure is.

    Returns
    -------
    truth : `~astropy.table.Table`
        ``x_centroid``, ``y_centroid`` (0-based), ``label``, ``contested`` for
        each detection of the finders ``peaks`` and ``dao``.
    """
    return read_catalog(_DATA / 'demo_truth.ecsv')


def compare_with_truth(catalog: Table) -> str:
    """
    Return a table of true labels against classes, as text.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Classified detections of the demo exposure.

    Returns
    -------
    text : str
        One line per true label. Detections without truth, or with contested
        truth, are counted in the last line.
    """
    truth = demo_truth()
    offsets = positions(catalog)[:, None] - positions(truth)[None]
    distance = np.hypot(offsets[..., 0], offsets[..., 1])
    nearest = distance.argmin(axis=1)
    clear = (distance.min(axis=1) < 0.5) & ~np.asarray(truth['contested'])[nearest]
    labels = np.asarray(truth['label'], dtype=str)[nearest]
    names = np.asarray(catalog['class_name'], dtype=str)
    columns = [name for name in CLASSES if f'p_{name}' in catalog.colnames]
    head = ' '.join(f'{name:>12}' for name in columns)
    lines = [f'{"truth, found as":<16} {head}']
    for label in CLASSES:
        rows = clear & (labels == label)
        if rows.any():
            counts = [int((names[rows] == name).sum()) for name in columns]
            lines.append(f'{label:<16} ' + ' '.join(f'{n:>12}' for n in counts))
    lines.append(f'without clear truth: {int((~clear).sum())} of {len(catalog)}')
    return '\n'.join(lines)
