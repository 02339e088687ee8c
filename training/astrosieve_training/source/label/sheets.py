"""Contact sheets: what the members of each cluster look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm

from astrosieve.source.classes import CLASSES
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.regions import cluster_names

__all__ = ['GREY_GAMMA', 'grey_limits', 'write_contact_sheets']

GREY_GAMMA = 0.5
"""Power of the grey scale of cutouts, which lifts what is faint."""

_SHEET = re.compile(rf'cluster-(-1|\d+)-({"|".join((*CLASSES, UNLABELLED))})\.png')
_GREY_PERCENTILES = (1, 99.9)
_GAP = '#2f6f9f'  # a colour that no cutout has


def grey_limits(cutouts: np.ndarray) -> tuple[float, float]:
    """
    Return the values that are drawn black and white in all cutouts.

    Parameters
    ----------
    cutouts : (N, ny, nx) `~numpy.ndarray`
        Cutouts, at least one of them finite somewhere.

    Returns
    -------
    black, white : float
        Percentiles 1 and 99.9 of all pixels, never equal.
    """
    black, white = np.nanpercentile(cutouts, _GREY_PERCENTILES)
    return float(black), float(max(white, black + 1e-3))


def write_contact_sheets(
    folder: str | Path,
    cutouts: np.ndarray,
    clusters: np.ndarray,
    names: Mapping[int, str],
    *,
    rng: np.random.Generator,
    columns: int = 12,
    rows: int = 8,
) -> list[Path]:
    """
    Draw random members of each cluster, and their mean.

    Sheets of an earlier call that are not written again are removed from the folder.

    Parameters
    ----------
    folder : path-like
        Where the PNG files go; it is made if it is not there.
    cutouts : (N, ny, nx) `~numpy.ndarray`
        Cutouts, drawn with one grey scale on all sheets.
    clusters : (N,) int `~numpy.ndarray`
        Number of each cutout's cluster; -1 is none.
    names : mapping of int to str
        Classes of the clusters; what it lacks is 'unlabelled'.
    rng : `~numpy.random.Generator`
        Chooses the members.
    columns, rows : int, optional
        Cutouts across and down a sheet.

    Returns
    -------
    paths : list of `~pathlib.Path`
        ``cluster-<number>-<name>.png``, by number, -1 first if there is one.

    Raises
    ------
    ValueError
        If there is not one cluster number per cutout.
    OutputError
        If a file cannot be written.
    """
    cutouts, clusters = np.asarray(cutouts), np.asarray(clusters)
    if cutouts.ndim != 3 or clusters.shape != cutouts.shape[:1]:
        msg = (
            'cutouts must have shape (N, ny, nx) and clusters (N,); got '
            f'{cutouts.shape} and {clusters.shape}'
        )
        raise ValueError(msg)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    if not len(cutouts):
        return paths
    black, white = grey_limits(cutouts)
    for number, name in cluster_names(clusters, names).items():
        members = np.flatnonzero(clusters == number)
        drawn = rng.permutation(members)[: columns * rows]
        path = folder / f'cluster-{number}-{name}.png'
        some = len(drawn) < len(members)
        choice = f'{len(drawn)} of them at random' if some else 'all of them'
        count = f'{len(members)} cutout{"s"[: len(members) > 1]}'
        title = 'in no cluster' if number == -1 else f'cluster {number}'
        with figure_file(path, columns=2, size=(4.4, 5.2)) as (figure, axes):
            sheet, mean = axes[0]
            axes[0, 0].get_gridspec().set_width_ratios([5, 1])
            images = (
                (sheet, _mosaic(cutouts[drawn], columns, rows), choice),
                (mean, np.mean(cutouts[members], axis=0), 'mean'),
            )
            for axis, image, caption in images:
                axis.set_facecolor(_GAP)
                axis.imshow(
                    image, origin='lower', cmap='gray', interpolation='none',
                    norm=PowerNorm(GREY_GAMMA, black, white, clip=True),
                )  # fmt: skip
                axis.set(xticks=[], yticks=[], title=caption)
            figure.suptitle(f'{title}: {name}, {count}', fontsize=12)
        paths.append(path)
    for old in folder.glob('cluster-*.png'):
        if _SHEET.fullmatch(old.name) and old not in paths:
            old.unlink()
    return paths


def _mosaic(cutouts: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Return cutouts side by side from the top left, NaN between and after them."""
    _, ny, nx = cutouts.shape
    down = min(rows, -(-len(cutouts) // columns))
    canvas = np.full((down * (ny + 1) + 1, columns * (nx + 1) + 1), np.nan)
    for i, cutout in enumerate(cutouts):
        top, left = (down - 1 - i // columns) * (ny + 1) + 1, i % columns * (nx + 1) + 1
        canvas[top : top + ny, left : left + nx] = cutout
    return canvas
