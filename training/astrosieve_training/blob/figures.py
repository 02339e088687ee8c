"""Figures of the judgement of blobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from astrosieve.figures import GREY, line_styles
from astrosieve_training.blob.judged import Judged
from astrosieve_training.blob.simulate import SimulatedDifference
from astrosieve_training.judge.figures import draw_reliability, draw_shares, figure_file
from astrosieve_training.judge.scores import binned

__all__ = ['draw_calibration', 'draw_completeness', 'draw_sheet']

_REACH = 24  # pixels about the middle of a picture
_COLUMNS = 8  # of a sheet


def draw_completeness(
    everyone: Sequence[Judged], depths: Sequence[float], path: Path
) -> None:
    """Draw the share of blobs that is found against their depth, a panel a sample."""
    samples = list(dict.fromkeys(each.sample for each in everyone))
    styles = line_styles(each.by for each in everyone)
    with figure_file(path, columns=len(samples), size=(4.4, 3.4)) as (_, axes):
        for axis, sample in zip(axes[0], samples, strict=True):
            for each in everyone:
                if each.sample != sample or not len(each.blobs):
                    continue
                depth = np.asarray(each.blobs['depth'])
                bins = list(binned(depth, depths))
                middles = [100 * np.median(depth[inside]) for *_, inside in bins]
                shares = [each.found(inside) for *_, inside in bins]
                draw_shares(
                    axis, middles, shares, fmt='o', ms=3, label=each.by,
                    **styles[each.by],
                )  # fmt: skip
            axis.axhline(0.85, color=GREY, lw=0.8)
            ticks = (1, 2, 3, 5, 10, 20)
            axis.set(xscale='log', xlabel='depth, %', ylabel='found', title=sample)
            axis.set_xticks(ticks, [str(each) for each in ticks])
            axis.minorticks_off()
        axes[0, 0].legend()


def draw_calibration(mine: Sequence[Judged], path: Path) -> None:
    """Draw how often a candidate is a blob, against its probability."""
    with figure_file(path, size=(3.6, 3.6)) as (_, axes):
        axis = axes[0, 0]
        for each in mine:
            p, real = (np.asarray(each.candidates[n]) for n in ('score', 'real'))
            draw_reliability(axis, p, real, label=each.sample)
        axis.set(xlabel='p_blob', ylabel='share of blobs')
        axis.legend(fontsize=7, loc='lower right')


def draw_sheet(
    judged: Judged, images: Iterable[SimulatedDifference], path: Path
) -> None:
    """Draw some blobs that were found, and those missed and reported wrongly."""
    found = np.asarray(judged.blobs['found'], bool)
    rows = [
        ('found', judged.blobs[found]),
        ('missed', judged.blobs[~found]),
        ('false', judged.others),
    ]
    rows = [(name, table[:_COLUMNS]) for name, table in rows if len(table)] or rows[:1]
    wanted = {int(number) for _, table in rows for number in table['image']}
    data = {n: made.data for n, made in enumerate(images) if n in wanted}
    size = (1.3, 1.5)
    with figure_file(path, rows=len(rows), columns=_COLUMNS, size=size) as (_, axes):
        for axis in axes.flat:
            axis.axis('off')
        for line, (name, table) in zip(axes, rows, strict=True):
            for axis, row in zip(line, table, strict=False):
                image = data[int(row['image'])]
                y, x = round(float(row['y'])), round(float(row['x']))
                part = image[
                    max(y - _REACH, 0) : y + _REACH + 1,
                    max(x - _REACH, 0) : x + _REACH + 1,
                ]
                low, high = np.nanpercentile(part, [2, 99.5])
                axis.imshow(part, cmap='gray', vmin=low, vmax=high, origin='lower')
                said = f'{row["depth"]:.1%}' if 'depth' in table.colnames else ''
                axis.set_title(f'{name} {said}', fontsize=7)
