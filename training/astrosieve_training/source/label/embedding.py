"""
The embedding of cutouts from the combined image, and clusters in it.

As in WFC3 ISR 2024-14: cutouts of 11x11 pixels, normalised, go through UMAP (McInnes
et al. 2018, JOSS 3, 861) with 35 neighbours, smallest distance 0.01, Euclidean, two
components. The report drew boxes by eye; here HDBSCAN (Campello et al. 2013, PAKDD,
160) finds the clusters and their number. Cutouts of the exposures are placed in the
same plane, to see that classes mix there.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.images.exposures import Chip
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.settings import (
    PREPROCESSING,
    SMALLEST,
    EmbeddingSettings,
)

__all__ = ['embed', 'exposure_cutouts', 'find_clusters', 'peaks_to_show', 'transform']

_SHOWN = 1000  # peaks of each kind whose exposure cutouts are placed in the embedding


def embed(cutouts: np.ndarray, settings: EmbeddingSettings) -> tuple[np.ndarray, Any]:
    """
    Embed cutouts in two dimensions.

    Parameters
    ----------
    cutouts : (N, 11, 11) `~numpy.ndarray`
        In [0, 1].
    settings : `EmbeddingSettings`
        Of UMAP.

    Returns
    -------
    embedding : (N, 2) float32 `~numpy.ndarray`
        The same for the same cutouts and seed.
    reducer : `umap.UMAP`
        Fitted.

    Raises
    ------
    LabelError
        If there are too few cutouts.
    """
    fewest = max(4 * settings.n_neighbors, 2 * SMALLEST)
    if len(cutouts) < fewest:
        msg = (
            f'UMAP with {settings.n_neighbors} neighbours needs {fewest} places at '
            f'least; there are {len(cutouts)}. Take more or deeper exposures, lower '
            '--min-electrons, or give --neighbors a smaller number'
        )
        raise LabelError(msg)
    import umap

    reducer = umap.UMAP(
        n_neighbors=settings.n_neighbors,
        min_dist=settings.min_dist,
        metric='euclidean',
        n_components=2,
        random_state=settings.seed,
        n_jobs=1,
    )
    embedding = reducer.fit_transform(cutouts.reshape(len(cutouts), -1))
    return np.asarray(embedding, dtype=np.float32), reducer


def transform(reducer: Any, cutouts: np.ndarray) -> np.ndarray:
    """
    Place other cutouts in an embedding.

    Parameters
    ----------
    reducer : `umap.UMAP`
        As from `embed`.
    cutouts : (N, 11, 11) `~numpy.ndarray`
        In [0, 1].

    Returns
    -------
    embedding : (N, 2) float32 `~numpy.ndarray`
    """
    placed = reducer.transform(cutouts.reshape(len(cutouts), -1))
    return np.asarray(placed, dtype=np.float32)


def find_clusters(embedding: np.ndarray, settings: EmbeddingSettings) -> np.ndarray:
    """
    Find clusters, and how many there are.

    Parameters
    ----------
    embedding : (N, 2) `~numpy.ndarray`
        As from `embed`.
    settings : `EmbeddingSettings`
        Smallest cluster.

    Returns
    -------
    clusters : (N,) int `~numpy.ndarray`
        Numbers from 0; what HDBSCAN leaves out joins the cluster of its nearest
        neighbour, and all is one cluster where it finds none.
    """
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    n = len(embedding)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)  # of sklearn, on copying
        clusters = HDBSCAN(
            min_cluster_size=max(SMALLEST, round(settings.cluster_share * n)),
            min_samples=min(settings.n_neighbors, n),
            copy=True,
        ).fit_predict(embedding)
    left = clusters < 0
    if left.all():
        return np.zeros(len(embedding), dtype=int)
    if left.any():
        _, near = cKDTree(embedding[~left]).query(embedding[left])
        clusters[left] = clusters[~left][near]
    return np.asarray(clusters, dtype=int)


def peaks_to_show(
    members: np.ndarray, places: Table, rng: np.random.Generator
) -> np.ndarray:
    """
    Choose peaks whose cutouts from the exposures are placed in the embedding.

    Parameters
    ----------
    members : (N,) int `~numpy.ndarray`
        The place of each peak.
    places : `~astropy.table.Table`
        ``id`` and ``physics`` of the places that are embedded.
    rng : `~numpy.random.Generator`
        Chooses.

    Returns
    -------
    rows : (K,) int `~numpy.ndarray`
        Peaks, in order: of each kind of place 1000 at most.
    """
    row = np.full(int(members.max()) + 1, -1)
    row[np.asarray(places['id'])] = np.arange(len(places))
    embedded = np.flatnonzero(row[members] >= 0)
    kinds = np.asarray(places['physics'], dtype=str)[row[members[embedded]]]
    shown = [
        rng.permutation(embedded[kinds == kind])[:_SHOWN] for kind in np.unique(kinds)
    ]
    return np.sort(np.concatenate(shown))


def exposure_cutouts(
    exposures: Sequence[Sequence[Chip]], peaks: Table, rows: np.ndarray
) -> np.ndarray:
    """
    Cut peaks out of their exposures' own pixels.

    Parameters
    ----------
    exposures : sequence of sequences of `~astrosieve.images.exposures.Chip`
        The chips of each.
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.peaks.find_peaks`.
    rows : (K,) int `~numpy.ndarray`
        Which peaks.

    Returns
    -------
    cutouts : (K, 11, 11) float32 `~numpy.ndarray`
        Normalised as those of the combined image.
    """
    xy = positions(peaks)
    numbers, extvers = np.asarray(peaks['exposure']), np.asarray(peaks['extver'])
    found: np.ndarray | None = None
    for number, chips in enumerate(exposures):
        for chip in chips:
            mine = (numbers[rows] == number) & (extvers[rows] == chip.extver)
            fitted = get_preprocessing(PREPROCESSING).fit(
                chip.sci, spoilt=spoilt_pixels(chip.sci, mask=chip.mask)
            )
            cut = fitted(xy[rows[mine]]).inputs['cutouts'][:, 0]
            if found is None:
                found = np.zeros((len(rows), *cut.shape[1:]), dtype=np.float32)
            found[mine] = cut
    assert found is not None
    return found
