"""Figures of a judgement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from astrosieve.figures import new_figure, save_figure
from astrosieve.models.metrics import Share

__all__ = ['INK', 'draw_shares', 'figure_file']

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


def draw_shares(
    axis: Axes, x: ArrayLike, shares: Sequence[Share], **style: Any
) -> None:
    """
    Draw shares as points with their 95 % intervals.

    Parameters
    ----------
    axis : `~matplotlib.axes.Axes`
        Where to.
    x : array_like
        Where they stand.
    shares : sequence of `~astrosieve.models.metrics.Share`
        Each of something.
    **style
        As for `~matplotlib.axes.Axes.errorbar`.
    """
    y = np.array([each.value for each in shares])
    low, high = np.transpose([(each.low, each.high) for each in shares])
    bars = np.maximum([y - low, high - y], 0)
    axis.errorbar(x, y, yerr=bars, **{'fmt': 'o', **style})
