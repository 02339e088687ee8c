"""Figures of a judgement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from astrosieve.atomic import atomic_path

__all__ = ['gallery', 'save_figure', 'slug']


_INK = '#202428'


def slug(name: str) -> str:
    """Return a name as it may stand in a file's."""
    return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')


@contextmanager
def save_figure(
    path: Path, *, rows: int = 1, columns: int = 1, size: tuple[float, float] = (5, 4)
) -> Iterator[tuple[Figure, np.ndarray]]:
    """
    Give a figure and its axes, and save it when all went well.

    Parameters
    ----------
    path : `~pathlib.Path`
        PNG file.
    rows, columns : int, optional
        Of axes.
    size : tuple of float, optional
        Inches, width and height of one.

    Yields
    ------
    figure : `~matplotlib.figure.Figure`
    axes : (rows, columns) `~numpy.ndarray` of `~matplotlib.axes.Axes`
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({'font.size': 9, 'axes.edgecolor': _INK}):
        figure = Figure(
            figsize=(size[0] * columns, size[1] * rows), layout='constrained'
        )
        axes = figure.subplots(rows, columns, squeeze=False)
        yield figure, axes
        with atomic_path(path, overwrite=True) as temporary:
            figure.savefig(temporary, dpi=130, format='png')


def gallery(
    path: Path,
    cutouts: np.ndarray,
    captions: list[str],
    *,
    title: str = '',
    columns: int = 10,
) -> Path:
    """
    Draw cutouts with a caption each.

    Parameters
    ----------
    path : `~pathlib.Path`
        PNG file.
    cutouts : (N, size, size) `~numpy.ndarray`
        In [0, 1].
    captions : list of str
        N lines.
    title : str, optional
        Of the whole.
    columns : int, optional
        Cutouts in a row.

    Returns
    -------
    path : `~pathlib.Path`
    """
    rows = max(1, -(-len(cutouts) // columns))
    with save_figure(path, rows=rows, columns=columns, size=(1.15, 1.35)) as (
        figure,
        axes,
    ):
        for axis in axes.ravel():
            axis.set_axis_off()
        for axis, cutout, caption in zip(axes.ravel(), cutouts, captions, strict=False):
            axis.imshow(cutout, origin='lower', cmap='gray', vmin=0, vmax=1)
            axis.set_title(caption, fontsize=6)
        figure.suptitle(title, fontsize=9)
    return path
