"""Blobs over difference images, by matplotlib (extra ``plot``), and as regions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.blob.classes import CLASSES
from astrosieve.figures import new_figure
from astrosieve.tables.catalogs import fill_masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['blob_figure', 'write_circles']

_SHADES = 4.0  # standard deviations of the noise from grey to black or white
_LEAST = 8.0  # radius of a drawn circle, pixels


def blob_figure(
    data: np.ndarray,
    noise: float,
    blobs: Table,
    *,
    known: Table | None = None,
    title: str = '',
) -> Figure:
    """
    Draw blobs as circles over a difference image.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        Difference; new blobs are bright.
    noise : float
        Standard deviation of its pixels.
    blobs : `~astropy.table.Table`
        As `~astrosieve.blob.find.find_blobs` returns it.
    known : `~astropy.table.Table`, optional
        Known blobs, drawn as crosses.
    title : str, optional
        Of the figure.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
    """
    figure = new_figure(8, 8.3)
    axes = figure.subplots()
    reach = _SHADES * noise
    axes.imshow(
        data, cmap='gray', vmin=-reach, vmax=reach, origin='lower',
        interpolation='antialiased',
    )  # fmt: skip
    if known is not None and len(known):
        axes.plot(known['x'], known['y'], '+', color='#5aa9ff', ms=7, label='known')
    marker = CLASSES.marker('blob')
    x, y, radius = (fill_masked(blobs[name]) for name in ('x', 'y', 'radius'))
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    outlined = [withStroke(linewidth=2.5, foreground='black')]

    for number, place in enumerate(zip(x, y, strict=True)):
        around = max(2 * radius[number], _LEAST)
        axes.add_patch(Circle(place, around, fill=False, color=marker.color, lw=1.2))
        left = place[0] + around + 130 > data.shape[1]
        axes.annotate(
            f'{100 * float(blobs["depth"][number]):.1f} %, '
            f'p = {float(blobs["p_blob"][number]):.2f}',
            (place[0] + (-around if left else around), place[1]),
            xytext=(-3 if left else 3, 0),
            textcoords='offset points',
            ha='right' if left else 'left',
            va='center',
            color='white',
            fontsize=8,
            path_effects=outlined,
        )
    axes.set(xlabel='x (pixels)', ylabel='y (pixels)', title=title)
    axes.set(xlim=(-0.5, data.shape[1] - 0.5), ylim=(-0.5, data.shape[0] - 0.5))
    return figure


def write_circles(blobs: Table, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write blobs as DS9 circles in image coordinates, which count from 1.

    Parameters
    ----------
    blobs : `~astropy.table.Table`
        ``x``, ``y`` (0-based), ``radius`` (pixels), ``p_blob``.
    path : path-like
        Region file.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    color = CLASSES.marker('blob').color
    lines = ['# Region file format: DS9 version 4.1', 'global width=1', 'image']
    names = ('x', 'y', 'radius', 'p_blob')
    for x, y, radius, p in zip(*(fill_masked(blobs[n]) for n in names), strict=True):
        lines.append(
            f'circle({x + 1:.3f},{y + 1:.3f},{radius:.3f}) # color={color} '
            f'tag={{blob}} text={{{p:.2f}}}'
        )
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
