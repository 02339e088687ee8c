"""Where images lie on the sky, and whether they have sky in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

__all__ = ['Footprint']


@dataclass(frozen=True, eq=False)
class Footprint:
    """
    The sky that an image shows.

    Parameters
    ----------
    corners : (4,) `~astropy.coordinates.SkyCoord`
        The outer corners of its pixels, in turn; great circles join them.
    """

    corners: SkyCoord

    @classmethod
    def of(cls, wcs: WCS, shape: tuple[int, int]) -> Footprint:
        """
        Return the footprint of an image.

        Parameters
        ----------
        wcs : `~astropy.wcs.WCS`
            Celestial WCS.
        shape : (int, int)
            Pixels, (ny, nx).
        """
        ny, nx = shape
        edges = np.array([[0, 0], [nx, 0], [nx, ny], [0, ny]]) - 0.5
        return cls(wcs.pixel_to_world(*edges.T).icrs)

    @cached_property
    def _vectors(self) -> np.ndarray:
        return _unit_vectors(self.corners)

    @cached_property
    def _inward(self) -> np.ndarray:
        """
        Return unit vectors that point inwards from the plane of each edge.

        The last points to the middle: the other half of the sky is outside.
        """
        middle = self._vectors.mean(axis=0)
        normals = np.cross(self._vectors, np.roll(self._vectors, -1, axis=0))
        normals *= np.sign(normals @ middle)[:, None]
        vectors = np.vstack([normals, middle])
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1), 1e-15)[:, None]

    def _within(self, vectors: np.ndarray, margin: float) -> np.ndarray:
        """Return which vectors lie inside of each plane; NaN lies in none."""
        with np.errstate(invalid='ignore'):
            inside = self._inward @ vectors.T > -np.sin(np.deg2rad(margin / 3600))
        return np.asarray(inside)

    def holds(self, sky: SkyCoord, margin: float = 0.0) -> np.ndarray:
        """
        Return which positions lie in the footprint.

        Parameters
        ----------
        sky : (N,) `~astropy.coordinates.SkyCoord`
            Positions.
        margin : float, optional
            Arcseconds that they may lie beyond an edge.

        Returns
        -------
        held : (N,) bool `~numpy.ndarray`
            `False` also where a position or a corner is not finite.
        """
        return np.asarray(self._within(_unit_vectors(sky), margin).all(axis=0))

    def overlaps(self, other: Footprint, margin: float = 0.0) -> bool:
        """
        Return whether two footprints have sky in common.

        Parameters
        ----------
        other : `Footprint`
            The other one.
        margin : float, optional
            Arcseconds by which they may miss each other.

        Returns
        -------
        overlaps : bool
            `False` also where a corner is not finite.
        """
        # Convex figures are apart where the plane of an edge parts them.
        return all(
            one._within(two._vectors, margin).any(axis=1).all()
            for one, two in ((self, other), (other, self))
        )


def _unit_vectors(sky: SkyCoord) -> np.ndarray:
    """Return directions, (N, 3)."""
    directions = sky.icrs.represent_as('unitspherical').to_cartesian()
    return np.asarray(directions.xyz.value).T
