"""The report's figures of an embedding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.source.classes import CLASSES
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.procedure import Labelling

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ['draw_embedding', 'draw_exposures', 'exposure_agreement']

_COLORS = {name: CLASSES.ink(name) for name in CLASSES} | {UNLABELLED: '#c8ccd0'}


def _scatter(axis: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Draw points by class, the rarest last."""
    names = [name for name in (UNLABELLED, *CLASSES) if (labels == name).any()]
    names.sort(key=lambda name: (name != UNLABELLED, -int((labels == name).sum())))
    for name in names:
        rows = labels == name
        axis.scatter(
            points[rows, 0], points[rows, 1], s=2, linewidths=0, color=_COLORS[name],
            label=f'{name} ({int(rows.sum())})', rasterized=True,
        )  # fmt: skip
    axis.legend(markerscale=5, fontsize=7, loc='best', framealpha=0.9)
    axis.set(xlabel='UMAP 1', ylabel='UMAP 2')


def draw_embedding(path: Path, labelling: Labelling) -> None:
    """
    Draw the embedding by magnitude, as figure 1 of the report, and by label.

    Parameters
    ----------
    path : `~pathlib.Path`
        PNG file.
    labelling : `~astrosieve_training.source.label.procedure.Labelling`
        What was found.
    """
    points = labelling.embedding
    labels = np.asarray(labelling.places['label'], dtype=str)
    with figure_file(path, columns=2, size=(5.2, 4.4)) as (figure, axes):
        left, right = axes[0]
        magnitudes = labelling.magnitudes
        low, high = np.percentile(magnitudes, [1, 99])
        drawn = left.scatter(
            points[:, 0], points[:, 1], s=2, linewidths=0, c=magnitudes,
            cmap='viridis_r', vmin=low, vmax=high, rasterized=True,
        )  # fmt: skip
        figure.colorbar(drawn, ax=left, label='instrumental magnitude')
        left.set(xlabel='UMAP 1', ylabel='UMAP 2')
        left.set_title(f'{len(points)} places in the combined image', fontsize=9)
        _scatter(right, points, labels)
        right.set_title(f'{len(labelling.names)} clusters, named', fontsize=9)


def draw_exposures(path: Path, labelling: Labelling) -> None:
    """
    Draw cutouts of the exposures in the combined image's embedding (figure 8).

    Parameters
    ----------
    path : `~pathlib.Path`
        PNG file.
    labelling : `~astrosieve_training.source.label.procedure.Labelling`
        What was found.
    """
    labels = np.asarray(labelling.places['label'], dtype=str)
    shown = labelling.peak_labels[labelling.shown]
    with figure_file(path, columns=2, size=(5.2, 4.4)) as (_, axes):
        left, right = axes[0]
        _scatter(left, labelling.embedding, labels)
        left.set_title('cutouts of the combined image', fontsize=9)
        _scatter(right, labelling.shown_at, shown)
        right.set_title('cutouts of the exposures, placed there', fontsize=9)
        right.set(xlim=left.get_xlim(), ylim=left.get_ylim())


def exposure_agreement(labelling: Labelling) -> dict[str, list[int]]:
    """
    Count exposure cutouts that lie among places of their own class.

    Parameters
    ----------
    labelling : `~astrosieve_training.source.label.procedure.Labelling`
        What was found.

    Returns
    -------
    counts : dict of str to list of int
        For each class: how many have a nearest place of that class, and how many
        there are.
    """
    from scipy.spatial import cKDTree

    labels = np.asarray(labelling.places['label'], dtype=str)
    known = labels != UNLABELLED
    shown = labelling.peak_labels[labelling.shown]
    _, near = cKDTree(labelling.embedding[known]).query(labelling.shown_at)
    right = labels[known][near] == shown
    return {
        name: [int(right[shown == name].sum()), int((shown == name).sum())]
        for name in CLASSES
        if (shown == name).any()
    }
