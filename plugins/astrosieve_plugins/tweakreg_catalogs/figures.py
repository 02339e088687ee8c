"""Pictures of what TweakReg matched and how well (needs matplotlib)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astrosieve.figures import COLOURS, new_figure
from astrosieve.source.classes import CLASSES
from astrosieve.source.plotting import add_legend, draw_overlay
from astrosieve_plugins.tweakreg_catalogs.running import Alignment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ['match_figure', 'residual_figure']

_MAX_ROWS = 6  # exposures of a picture of residuals


def residual_figure(
    stages: Mapping[str, Sequence[Alignment]], labels: Mapping[str, str]
) -> Figure | None:
    """
    Draw the residuals of the fits: vectors over the field, and their spread.

    Parameters
    ----------
    stages : dict
        Alignments by the name of the stage, for instance before and after, each
        with the same exposures in the same order.
    labels : dict of str to str
        What to call the files.

    Returns
    -------
    figure : `~matplotlib.figure.Figure` or None
        A row for each exposure that was aligned in any stage, six at most; a column
        of vectors for each stage, and one with the residuals of all on common axes.
        None where nothing was aligned.
    """
    number = range(min(len(each) for each in stages.values()))
    rows = [
        i
        for i in number
        if any(each[i].status == 'aligned' for each in stages.values())
    ][:_MAX_ROWS]
    if not rows:
        return None
    n_columns = len(stages) + 1
    # The columns of vectors are as wide as the field is to its height.
    some = next(each[i] for each in stages.values() for i in rows if each[i].n_matches)
    extent = [float(np.ptp(some.matches[f'{axis}_frame'])) for axis in 'xy']
    ratio = float(np.clip(1.1 * extent[0] / max(extent[1], 1.0), 0.55, 1.8))
    widths = [*[ratio] * len(stages), 1.0]
    figure = new_figure(3.8 * sum(widths) + 0.6 * n_columns, 4.2 * len(rows))
    axes = figure.subplots(len(rows), n_columns, squeeze=False, width_ratios=widths)
    for line, i in zip(axes, rows, strict=True):
        # One scale for the arrows of all stages, short where they are many.
        key = _round_number(2 * max(_typical(each[i]) for each in stages.values()))
        most = max(each[i].n_matches for each in stages.values())
        length = 0.12 * min(1.0, (60 / most) ** 0.5)
        for panel, stage in zip(line, stages, strict=False):
            one = stages[stage][i]
            _draw_vectors(panel, one, key, length)
            panel.set_title(
                f'{labels[one.name]}, {stage}', fontsize=9, loc='left', pad=18
            )
        _draw_spread(line[-1], {name: each[i] for name, each in stages.items()})
    return figure


def _typical(one: Alignment) -> float:
    """Return the RMS length of residuals."""
    if not one.n_matches:
        return 1e-3
    dx, dy = (np.asarray(one.matches[name]) for name in ('dx', 'dy'))
    return max(float(np.sqrt(np.mean(dx**2 + dy**2))), 1e-3)


def _draw_vectors(axes: Axes, one: Alignment, key: float, length: float) -> None:
    """Draw residuals as arrows; ``key`` pixels are ``length`` of the field long."""
    axes.tick_params(labelsize=7)
    axes.set_xlabel('x of the reference frame (pixels)', fontsize=8)
    axes.set_ylabel('y (pixels)', fontsize=8)
    if one.status != 'aligned':
        axes.text(
            0.5, 0.5, f'no fit\n({sum(one.n_sources)} detections)', fontsize=10,
            ha='center', va='center', transform=axes.transAxes, color='0.4',
        )  # fmt: skip
        return
    x, y = (np.asarray(one.matches[name]) for name in ('x_frame', 'y_frame'))
    dx, dy = (np.asarray(one.matches[name]) for name in ('dx', 'dy'))
    size = float(max(np.ptp(x), np.ptp(y), 1.0))
    arrows = axes.quiver(
        x, y, dx, dy, angles='xy', scale_units='xy', scale=key / (length * size),
        units='dots', width=1.6, headwidth=4, color='0.15',
    )  # fmt: skip
    axes.plot(x, y, '.', color=COLOURS[0], ms=2)
    axes.quiverkey(
        arrows, 0.1, 1.03, key, f'{key:g} px', labelpos='E', fontproperties={'size': 8}
    )
    # Room for the arrows, and below for the text.
    axes.set(
        xlim=(x.min() - 0.1 * size, x.max() + 0.1 * size),
        ylim=(y.min() - 0.16 * size, y.max() + 0.1 * size),
        aspect='equal',
    )
    axes.text(
        0.02, 0.02,
        f'{one.n_matches} matches\nRMS {one.rms[0]:.3f}, {one.rms[1]:.3f} px',
        fontsize=8, transform=axes.transAxes,
        bbox={'facecolor': 'white', 'edgecolor': 'none', 'alpha': 0.8, 'pad': 1.5},
    )  # fmt: skip


def _round_number(value: float) -> float:
    """Return the number of one digit, 1, 2 or 5, that is next below."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(n for n in (1, 2, 5) if n * power <= value * 1.0001))


def _draw_spread(axes: Axes, stages: Mapping[str, Alignment]) -> None:
    limit = 0.05
    for color, (stage, one) in zip(COLOURS, stages.items(), strict=False):
        if one.status != 'aligned':
            continue
        dx, dy = (np.asarray(one.matches[name]) for name in ('dx', 'dy'))
        limit = max(limit, 1.15 * float(np.abs([dx, dy]).max()))
        axes.plot(dx, dy, '.', ms=4, alpha=0.7, color=color, label=stage)
    axes.axhline(0, color='0.7', lw=0.6, zorder=0)
    axes.axvline(0, color='0.7', lw=0.6, zorder=0)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect='equal')
    axes.set_xlabel('residual in x (pixels)', fontsize=8)
    axes.set_ylabel('in y (pixels)', fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=8, loc='upper right')


def match_figure(
    images: Mapping[int, np.ndarray],
    stages: Mapping[str, tuple[Alignment, Sequence[str]]],
    *,
    box: tuple[int, int, int, int] | None = None,
) -> Figure:
    """
    Draw what was matched, by class, over an exposure.

    Parameters
    ----------
    images : dict of int to 2D `~numpy.ndarray`
        Chips by their EXTVER.
    stages : dict
        By name: the alignment of the exposure, and the class of each match.
    box : tuple of int, optional
        First and last column, first and last row to show, 0-based, the last not
        included.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        A column for each stage, a row for each chip; the highest EXTVER on top.
    """
    extvers = sorted(images, reverse=True)
    shape = next(iter(images.values())).shape
    left, right, low, high = box or (0, shape[1], 0, shape[0])
    ratio = (high - low) / (right - left)
    width = 5.6 if ratio > 0.7 else 8.0
    figure = new_figure(width * len(stages), (width * ratio + 0.5) * len(extvers))
    figure.set_layout_engine('compressed', h_pad=0.12)  # axes keep their shape
    axes = figure.subplots(len(extvers), len(stages), squeeze=False)
    shown = []
    for line, extver in zip(axes, extvers, strict=True):
        for panel, (stage, (one, names)) in zip(line, stages.items(), strict=True):
            x = np.asarray(one.matches['x']) - 1 - left
            y = np.asarray(one.matches['y']) - 1 - low
            mine = np.asarray(one.matches['extver']) == extver
            mine &= (x >= 0) & (x < right - left) & (y >= 0) & (y < high - low)
            table = Table(
                {
                    'x_centroid': x[mine],
                    'y_centroid': y[mine],
                    'class_name': np.asarray(names, dtype='U16')[mine],
                }
            )
            draw_overlay(panel, [images[extver][low:high, left:right]], [table])
            shown.append(table)
            title = f'{stage}: {int(mine.sum())} matches'
            if one.status == 'failed':
                title = f'{stage}: no fit'
            elif len(extvers) > 1:
                title += f' on chip {extver}'
            panel.set_title(title, fontsize=10, loc='left')
            counts = Counter(table['class_name'].tolist())
            panel.set_xlabel(
                ', '.join(
                    f'{counts[name]} {name.replace("_", " ")}'
                    for name in CLASSES.ordered(counts)
                ),
                fontsize=9,
            )
    add_legend(figure, shown)
    return figure
