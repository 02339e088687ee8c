"""Figures of a judgement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from astrosieve.figures import COLOURS, GREY, INK, new_figure, save_figure
from astrosieve.models.metrics import Share

__all__ = ['draw_reliability', 'draw_shares', 'figure_file']

_STYLE: Any = {
    'font.size': 9,
    'axes.edgecolor': INK,
    'axes.prop_cycle': cycler(color=COLOURS),
    'legend.edgecolor': 'none',
    'legend.framealpha': 0.8,
}


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
    with mpl.rc_context(_STYLE):
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


def draw_reliability(
    axis: Axes,
    p: np.ndarray,
    true: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    bins: int = 10,
    **style: Any,
) -> None:
    """
    Draw how often something is true, against its probability, beside the diagonal.

    Parameters
    ----------
    axis : `~matplotlib.axes.Axes`
        Where to; may have other curves of this kind.
    p : (N,) `~numpy.ndarray`
        Probabilities.
    true : (N,) `~numpy.ndarray`
        Whether it is so.
    weights : (N,) `~numpy.ndarray`, optional
        How much each counts; all alike by default.
    bins : int, optional
        Of probability; where none falls there is no point.
    **style
        As for `~matplotlib.axes.Axes.plot`.
    """
    if not axis.lines:
        axis.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    counts = np.ones(len(p)) if weights is None else weights
    place = np.minimum((p * bins).astype(int), bins - 1)
    points = [
        [np.average(each[place == n], weights=counts[place == n]) for each in (p, true)]
        for n in np.unique(place)
    ]
    axis.plot(*np.transpose(points), **{'marker': 'o', 'ms': 3, **style})
