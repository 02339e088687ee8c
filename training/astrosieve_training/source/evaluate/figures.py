"""Figures of the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from astrosieve.figures import COLOURS, GREY, INK
from astrosieve.images.background import measure_background
from astrosieve.models.metrics import Share
from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve_training.judge.figures import draw_shares, figure_file
from astrosieve_training.judge.report import slug
from astrosieve_training.judge.scores import roc
from astrosieve_training.source.evaluate.judged import BINS, Judged

if TYPE_CHECKING:
    from astrosieve_training.source.evaluate.report import Judgement

__all__ = ['draw_judgement', 'draw_phases', 'draw_scan']

_BASELINE_MARKERS = ('s', '^', 'v', 'P', 'X')


def draw_judgement(judgement: Judgement, folder: Path) -> list[Path]:
    """
    Draw ROC, bins, calibration and failures of each set.

    Parameters
    ----------
    judgement : `~astrosieve_training.source.evaluate.report.Judgement`
        What the judge found.
    folder : `~pathlib.Path`
        Where the PNG files go.

    Returns
    -------
    paths : list of `~pathlib.Path`
        The files.
    """
    stem = f'{judgement.model.card.name}-judge'
    paths = []
    for name, by_finder in judgement.judged.items():
        finder, judged = next(iter(by_finder.items()))
        results = judgement.sets[name][finder]
        base = f'{stem}-{slug(name)}'
        title = f'{name}, detections of {finder}'
        if 'roc_area' in results:
            paths.append(_draw_roc(judged, results, folder / f'{base}-roc.png', title))
        paths.append(_draw_bins(results, folder / f'{base}-bins.png', title))
        if len(results['counts']) > 1:
            paths.append(_draw_reliability(judged, folder / f'{base}-odds.png', title))
    return paths


def draw_phases(samples: Mapping[str, np.ndarray], path: Path) -> Path:
    """
    Draw distributions of sub-pixel phases.

    Parameters
    ----------
    samples : dict of str to (N, 2) `~numpy.ndarray`
        Phases in x and y, -0.5 to 0.5; the first is compared with the others.
    path : `~pathlib.Path`
        PNG file.

    Returns
    -------
    path : `~pathlib.Path`
    """
    first, *others = samples
    grid = np.linspace(-0.5, 0.5, 201)

    def cumulative(values: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.sort(values), grid, side='right') / len(values)

    with figure_file(path, columns=2, size=(4.4, 3.4)) as (figure, axes):
        for axis, name, column in zip(axes[0], 'xy', (0, 1), strict=True):
            mine = cumulative(samples[first][:, column])
            for other, style in zip(others, ('-', '--'), strict=False):
                theirs = cumulative(samples[other][:, column])
                axis.plot(
                    grid, mine - theirs, style, color=INK,
                    label=f'{first} minus {other}',
                )  # fmt: skip
            axis.axhspan(-0.02, 0.02, color=CLASSES.ink('star'), alpha=0.12)
            axis.set(xlabel=f'sub-pixel phase in {name}', ylim=(-0.04, 0.04))
            axis.grid(alpha=0.3)
        axes[0, 0].set_ylabel('difference of cumulative shares')
        axes[0, 0].legend(fontsize=8)
        numbers = ', '.join(f'{len(each)} {name}' for name, each in samples.items())
        figure.suptitle(f'True sub-pixel phases of stars: {numbers}', fontsize=10)
    return path


def draw_scan(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]],
    classes: Sequence[str],
    path: Path,
) -> Path:
    """
    Draw images beside the probabilities at each pixel.

    Parameters
    ----------
    panels : sequence of (str, (ny, nx) array, (ny, nx, C) array)
        Title, pixels and probabilities.
    classes : sequence of str
        The C classes.
    path : `~pathlib.Path`
        PNG file.

    Returns
    -------
    path : `~pathlib.Path`
    """
    with figure_file(
        path, rows=len(panels), columns=1 + len(classes), size=(2.4, 2.5)
    ) as (_, axes):
        for row, (title, pixels, p) in zip(axes, panels, strict=True):
            sky = measure_background(pixels)
            row[0].imshow(
                np.arcsinh((pixels - sky.level) / (3 * sky.noise)), origin='lower',
                cmap='gray', vmin=-1, vmax=5,
            )  # fmt: skip
            row[0].set_title(title, fontsize=7)
            for axis, i, name in zip(
                row[1:], range(len(classes)), classes, strict=True
            ):
                axis.imshow(p[..., i], origin='lower', cmap='magma', vmin=0, vmax=1)
                axis.set_title(f'p_{name} at each pixel', fontsize=7)
            for axis in row:
                axis.set_xticks([])
                axis.set_yticks([])
    return path


def _uncontested(judged: Judged) -> np.ndarray:
    return np.asarray(judged.rows['valid'] & ~judged.rows['contested'], dtype=bool)


def _draw_roc(judged: Judged, results: dict[str, Any], path: Path, title: str) -> Path:
    use = _uncontested(judged)
    star = np.asarray(judged.rows['label'], dtype=str)[use] == 'star'
    with figure_file(path, size=(6, 4.6)) as (_, axes):
        axis = axes[0, 0]
        for (method, scores), style in zip(
            judged.scores.items(), ('-', '--'), strict=False
        ):
            curve = roc(scores[use], star)
            axis.step(
                np.maximum(curve.leak, 1e-5), curve.completeness, style, where='post',
                color=INK, label=f'{method} (area {curve.area:.4f})',
            )  # fmt: skip
        plain = [m for m in judged.decisions if m not in judged.scores]
        plain = [m for m in plain if ', ' not in m or m.startswith('astroscrappy')]
        for method, marker in zip(plain, _BASELINE_MARKERS, strict=False):
            called = judged.decisions[method][use]
            axis.plot(
                max(called[~star].mean(), 1e-5), called[star].mean(), marker,
                color=COLOURS[1], label=method,
            )  # fmt: skip
        axis.set(
            xscale='log', xlim=(1e-5, 1), ylim=(0, 1.01), title=title,
            xlabel='others called stars (share)', ylabel='stars called stars (share)',
        )  # fmt: skip
        axis.grid(alpha=0.3)
        axis.legend(loc='lower right', fontsize=8)
    return path


def _draw_bins(results: dict[str, Any], path: Path, title: str) -> Path:
    bins = results['bins']
    columns = [name for name in bins if len(bins[name]) > 1] or list(bins)[:1]
    with figure_file(path, columns=len(columns), size=(3.4, 3.4)) as (figure, axes):
        for axis, column in zip(axes[0], columns, strict=True):
            found = results['bins'][column]
            for name in REPORT_CLASSES:
                points = [
                    (i, row[name])
                    for i, row in enumerate(found)
                    if name in row and row[name].n >= 5
                ]
                if not points:
                    continue
                x, shares = zip(*points, strict=True)
                ink = CLASSES.ink(name)
                draw_shares(axis, x, shares, ms=4, color=ink, label=name, capsize=2)
            axis.set_xticks(range(len(found)))
            axis.set_xticklabels([f'{row["from"]:g}' for row in found], fontsize=7)
            axis.set(xlabel=f'{BINS[column][0]} (from)', ylim=(-0.03, 1.03))
            axis.grid(alpha=0.3)
        axes[0, 0].set_ylabel('called star (share)')
        axes[0, 0].legend(fontsize=8)
        figure.suptitle(title, fontsize=10)
    return path


def _draw_reliability(judged: Judged, path: Path, title: str) -> Path:
    """Draw the share of true stars against the probability of a star."""
    use = _uncontested(judged)
    label = np.asarray(judged.rows['label'], dtype=str)[use]
    p_star = judged.probabilities[use][:, judged.classes.index('star')]
    index = np.minimum((p_star * 10).astype(int), 9)
    with figure_file(path, columns=2, size=(4.2, 3.6)) as (_, axes):
        left, right = axes[0]
        left.plot([0, 1], [0, 1], color=GREY)
        there = np.unique(index)
        stars = [Share.of(label == 'star', index == i) for i in there]
        draw_shares(left, (there + 0.5) / 10, stars, color=INK, capsize=2)
        left.set(xlabel='p_star (prior of the card)', ylabel='stars (share)')
        edges = np.linspace(0, 1, 41)
        for name in CLASSES:
            if (label == name).any():
                right.hist(
                    p_star[label == name], edges, histtype='step', label=name,
                    color=CLASSES.ink(name),
                )  # fmt: skip
        right.set(yscale='log', xlabel='p_star', ylabel='detections')
        right.legend(fontsize=8)
        left.set_title(title, fontsize=9)
    return path
