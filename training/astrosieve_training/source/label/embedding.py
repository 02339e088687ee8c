"""
The embedding of cutouts from the combined image, and clusters in it.

As in WFC3 ISR 2024-14: cutouts of 11x11 pixels, normalised, go through UMAP (McInnes
et al. 2018, JOSS 3, 861) with 35 neighbours, smallest distance 0.01, Euclidean, two
components. The report drew boxes by eye; here HDBSCAN (Campello et al. 2013, PAKDD,
160) finds the clusters and their number.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from astrosieve_training.settings import Natural, Settings, Share, at_least, between
from astrosieve_training.source.label.places import LabelError

__all__ = ['EmbeddingSettings', 'embed', 'find_clusters', 'transform']

_SMALLEST = 30


@dataclass(frozen=True)
class EmbeddingSettings(Settings):
    """
    How places are embedded and clustered.

    Parameters
    ----------
    samples : int
        Largest number of places that are embedded.
    n_neighbors : int
        Of UMAP; as many neighbours make a point dense for HDBSCAN.
    min_dist : float
        Of UMAP.
    cluster_share : float
        Smallest cluster that HDBSCAN may find, as a share of the places.
    part_share : float
        Smallest part into which a mixed cluster is divided, in the same way.
    seed : int
        Of the sample and of UMAP, which then runs on one thread.
    """

    samples: Annotated[int, at_least(100)] = 30_000
    n_neighbors: Annotated[int, at_least(2)] = 35
    min_dist: Share = 0.01
    cluster_share: Annotated[float, between(0, 0.5)] = 0.01
    part_share: Annotated[float, between(0, 0.5)] = 0.003
    seed: Natural = 0

    def min_part(self, n: int) -> int:
        """Return the fewest members of a part of a cluster, among n places."""
        return max(_SMALLEST, round(self.part_share * n))


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
    fewest = max(4 * settings.n_neighbors, 2 * _SMALLEST)
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
            min_cluster_size=max(_SMALLEST, round(settings.cluster_share * n)),
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
