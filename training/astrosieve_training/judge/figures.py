"""Figures of a judgement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from astrosieve.figures import new_figure, save_figure

__all__ = ['INK', 'figure_file']

INK = '#202428'
"""Colour of frames, and of what has no class of its own."""


@contextmanager
def figure_file(
    path: Path, *, rows: int = 1, columns: int = 1, size: tuple[float, float] = (5, 4)
) -> Iterator[tuple[Figure, np.ndarray]]:
    """
    Give a figure and its axes, and save it when all went well.

    Parameters
    ----------
    path : `~pathlib.Path`
        PNG file; its folder is made.
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
    with mpl.rc_context({'font.size': 9, 'axes.edgecolor': INK}):
        figure = new_figure(size[0] * columns, size[1] * rows)
        yield figure, figure.subplots(rows, columns, squeeze=False)
        save_figure(figure, path, overwrite=True)
