"""What a person says of an embedding: regions of it, and names of its clusters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.models.registry import sha256_of
from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.names import UNLABELLED, check_name
from astrosieve_training.source.label.shapes import Region

__all__ = [
    'REGIONS_FORMAT',
    'Regions',
    'cluster_digest',
    'cluster_names',
    'embedding_digest',
]

REGIONS_FORMAT = 'astrosieve-regions-1'
"""Value of ``format`` in a file of regions."""


@dataclass(frozen=True)
class Regions:
    """
    What a person says of an embedding and its clusters.

    Parameters
    ----------
    names : mapping of int to str, optional
        Classes of whole clusters.
    regions : tuple of `~astrosieve_training.source.label.shapes.Region`, optional
        In the order in which they are applied: the last has its way.
    embedding, clusters : str, optional
        Digests of what they were drawn on (`embedding_digest`, `cluster_digest`);
        empty if it was not recorded.

    Raises
    ------
    RegionsError
        If a name is not one of `~astrosieve.source.classes.CLASSES` or 'unlabelled'.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    embedding: str = ''
    clusters: str = ''

    def __post_init__(self) -> None:
        for number, name in self.names.items():
            try:
                check_name(name)
            except RegionsError as error:
                msg = f'names: cluster {number}: {error}'
                raise RegionsError(msg) from None

    def apply(
        self, embedding: ArrayLike, clusters: ArrayLike, names: Mapping[int, str]
    ) -> np.ndarray:
        """
        Label the points of an embedding.

        Parameters
        ----------
        embedding : (N, 2) array_like
            Positions; those that are not finite are in no region.
        clusters : (N,) array_like of int
            Number of each point's cluster; -1 is none.
        names : mapping of int to str
            Automatic names of the clusters; what it lacks is 'unlabelled'.

        Returns
        -------
        labels : (N,) str `~numpy.ndarray`
            The name of the last region around a point, else the one given to its
            cluster, else the automatic one.

        Raises
        ------
        RegionsError
            If the regions were drawn on another embedding, the names given to other
            clusters, or a cluster that is named does not exist.

        Warns
        -----
        AstrosieveWarning
            If a region holds no point.
        """
        points = np.asarray(embedding, dtype=np.float32).reshape(-1, 2)
        numbers = np.asarray(clusters)
        self._check_digests(points, numbers)
        known = cluster_names(numbers, names)
        for number in self.names:
            if number not in known:
                there = ', '.join(map(str, known)) or 'none'
                msg = f'cluster {number} is named but does not exist; there are {there}'
                raise RegionsError(msg)
        labels = np.full(len(points), UNLABELLED, dtype=object)
        for number, name in {**known, **self.names}.items():
            labels[numbers == number] = name
        for order, region in enumerate(self.regions, 1):
            inside = region.contains(points)
            if not inside.any():
                msg = (
                    f'region {order} ({region.name}) holds none of the {len(points)} '
                    'points of the embedding'
                )
                warnings.warn(msg, AstrosieveWarning, stacklevel=2)
            labels[inside] = region.name
        return labels.astype(str)

    def as_dict(self) -> dict[str, Any]:
        """
        Return what a file of regions holds.

        Returns
        -------
        content : dict
            As JSON can hold it.
        """
        return {
            'format': REGIONS_FORMAT,
            'embedding': self.embedding,
            'clusters': self.clusters,
            'names': {str(number): name for number, name in self.names.items()},
            'regions': [region.as_dict() for region in self.regions],
        }

    def _check_digests(self, points: np.ndarray, numbers: np.ndarray) -> None:
        drawn, mine = self.embedding, embedding_digest(points)
        if self.regions and drawn and drawn != mine:
            msg = (
                f'the regions were drawn on another embedding ({drawn}; this one is '
                f'{mine}): the exposures or the settings have changed since. Draw them '
                "on this embedding's page, or take 'embedding' out of the file to "
                'apply them all the same'
            )
            raise RegionsError(msg)
        named, mine = self.clusters, cluster_digest(numbers)
        if self.names and named and named != mine:
            msg = (
                f'the names were given to other clusters ({named}; these are {mine}): '
                'the exposures or the settings have changed since. Name the clusters '
                "on this embedding's page, or take 'clusters' out of the file to "
                'apply the names all the same'
            )
            raise RegionsError(msg)


def embedding_digest(embedding: ArrayLike) -> str:
    """
    Return a short hash of an embedding, in single precision.

    Parameters
    ----------
    embedding : (N, 2) array_like
        Positions.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """
    return sha256_of(np.asarray(embedding).astype('<f4').tobytes())[:12]


def cluster_digest(clusters: ArrayLike) -> str:
    """
    Return a short hash of the clusters that points belong to.

    Parameters
    ----------
    clusters : (N,) array_like of int
        Their numbers.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """
    return sha256_of(np.asarray(clusters).astype('<i4').tobytes())[:12]


def cluster_names(clusters: ArrayLike, names: Mapping[int, str]) -> dict[int, str]:
    """
    Return the name of each cluster that is there.

    Parameters
    ----------
    clusters : (N,) array_like of int
        Number of each point's cluster.
    names : mapping of int to str
        Names; what it lacks is 'unlabelled'.

    Returns
    -------
    names : dict of int to str
        By number, ascending.
    """
    numbers = np.unique(np.asarray(clusters)).tolist()
    return {number: names.get(number, UNLABELLED) for number in numbers}
