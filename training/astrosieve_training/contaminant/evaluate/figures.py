"""Figures of the judgement of contaminants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.segment import segment_contaminants
from astrosieve.figures import COLOURS, GREY, INK
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.contaminant.evaluate.cases import Case
from astrosieve_training.contaminant.evaluate.judged import Judged
from astrosieve_training.judge.figures import draw_shares, figure_file

__all__ = [
    'draw_cores',
    'draw_precision',
    'draw_reliability',
    'draw_rocs',
    'draw_sheet',
]

_FEWEST = 1e-6  # share of other pixels at which curves begin


def draw_precision(everyone: Sequence[Judged], own: str, path: Path) -> None:
    """Draw the average precision of each class, by all who tell it."""
    with figure_file(path, size=(6.4, 4.6)) as (_, axes):
        axis = axes[0, 0]
        rows = np.arange(len(CLASSES))[::-1]
        others = [each for each in everyone if each.by != own]
        for number, each in enumerate(others):
            known = [name in each.tallies for name in CLASSES.names]
            values = [each.precision(n) for n in CLASSES.names if n in each.tallies]
            axis.plot(
                values, rows[known], 'os^vDPX*<>'[number % 10], ms=5, alpha=0.8,
                mfc='none', label=each.by,
            )  # fmt: skip
        mine = next(each for each in everyone if each.by == own)
        for row, name in zip(rows, CLASSES.names, strict=True):
            value = mine.precision(name)
            axis.barh(row, value, color=CLASSES.ink(name), alpha=0.55, height=0.7)
        axis.set(xlabel=f'average precision; bars: {own}', xlim=(0, 1))
        axis.set_yticks(rows, CLASSES.names)
        if others:
            axis.legend(fontsize=6, loc='upper left', bbox_to_anchor=(1.01, 1))


def draw_rocs(everyone: Sequence[Judged], path: Path) -> None:
    """Draw the ROC curve of each class, of all who tell several classes."""
    many = [each for each in everyone if each.tells_many]
    columns = 5
    rows = -(-len(CLASSES) // columns)
    with figure_file(path, rows=rows, columns=columns, size=(2.2, 2.2)) as (fig, axes):
        for axis, name in zip(axes.flat, CLASSES.names, strict=True):
            for number, each in enumerate(many):
                if name in each.tallies:
                    style = ('-', '--', ':', '-.')[number % 4]
                    axis.plot(
                        *each.tallies[name].roc(), style, color=COLOURS[number],
                        label=each.by,
                    )  # fmt: skip
            axis.set(xscale='log', xlim=(_FEWEST, 1), ylim=(0, 1.02))
            axis.set_title(name, fontsize=8)
            axis.tick_params(labelsize=7)
        fig.supxlabel('other pixels that are kept', fontsize=8)
        fig.supylabel('pixels of the class that are kept', fontsize=8)
        lines, names = axes[0, 0].get_legend_handles_labels()
        fig.legend(lines, names, fontsize=7, loc='outside upper right', ncols=len(many))


def draw_reliability(own: Judged, path: Path) -> None:
    """Draw how many pixels have a class, against the probability."""
    with figure_file(path, size=(5.4, 4)) as (_, axes):
        axis = axes[0, 0]
        axis.plot([0, 1], [0, 1], color=GREY, lw=0.8)
        for number, name in enumerate(CLASSES.names):
            said, true = own.tallies[name].reliability()
            style = ('-', '--', ':')[number % 3]
            axis.plot(said, true, style, color=CLASSES.ink(name), label=name)
        axis.set(xlabel='probability', ylabel='share of pixels that have the class')
        axis.legend(fontsize=6, loc='upper left', bbox_to_anchor=(1.01, 1))


def draw_cores(
    cores: Mapping[str, Mapping[tuple[float, float], Share]], path: Path
) -> None:
    """Draw how many cores of stars are flagged, a panel a finder."""
    with figure_file(path, columns=len(cores), size=(3.6, 3)) as (_, axes):
        for axis, (by, shares) in zip(axes[0], cores.items(), strict=True):
            signals = sorted({signal for _, signal in shares})
            for signal in signals:
                widths = sorted({width for width, _ in shares})
                each = [shares[width, signal] for width in widths]
                draw_shares(axis, widths, each, fmt='o-', ms=3, label=f'{signal:g}')
            axis.axhline(0.002, color=GREY, lw=0.8)
            axis.set(xlabel='FWHM, pixels', title=by)
            axis.set_ylim(bottom=-0.02 * axis.get_ylim()[1])
        axes[0, 0].set_ylabel('cores flagged as cosmic rays')
        axes[0, -1].legend(title='S/N', fontsize=7)


def _colours(maps: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return maps of true and false as a picture, the first class on top."""
    picture = np.zeros((*shape, 4))
    for name in reversed(CLASSES.names):
        if name in maps:
            picture[maps[name]] = (*to_rgb(CLASSES[name].marker.color), 0.75)
    return picture


def _show(axis: Axes, sci: np.ndarray, picture: np.ndarray | None, title: str) -> None:
    low, high = np.nanpercentile(sci, [1, 99])
    axis.imshow(sci, cmap='gray', vmin=low, vmax=high, origin='lower')
    if picture is not None:
        axis.imshow(picture, origin='lower', interpolation='nearest')
    axis.set_title(title, fontsize=7)
    axis.axis('off')


def draw_sheet(model: Model, cases: Sequence[Case], path: Path) -> None:
    """Draw some images, what is true of them, and what is said."""
    with figure_file(path, rows=len(cases), columns=3, size=(3.2, 3.3)) as (fig, axes):
        used: set[str] = set()
        for line, case in zip(axes, cases, strict=True):
            shape = case.sci.shape
            found = segment_contaminants(case.sci, mask=case.masked, model=model)
            said = {name: found.where(name) for name in found.classes}
            used |= {n for maps in (said, case.truth) for n in maps if maps[n].any()}
            _show(line[0], case.sci, None, str(case.meta.get('family', '')))
            _show(line[1], case.sci, _colours(case.truth, shape), 'true')
            _show(line[2], case.sci, _colours(said, shape), 'said')
        handles = [
            axes[0, 0].plot([], [], 's', color=CLASSES[n].marker.color, label=n)[0]
            for n in CLASSES.names
            if n in used
        ]
        fig.legend(
            handles=handles,
            loc='outside lower center',
            ncols=5,
            fontsize=7,
            labelcolor=INK,
        )
