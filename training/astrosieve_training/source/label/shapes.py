"""Boxes and polygons in the plane of an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.names import check_name

__all__ = ['Box', 'Polygon', 'Region']


@dataclass(frozen=True)
class Region(ABC):
    """
    A part of the plane of an embedding, and what is said of it.

    Parameters
    ----------
    name : str
        Class of what is inside, or 'unlabelled'.

    Raises
    ------
    RegionsError
        If the name is not one.
    """

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)

    @abstractmethod
    def contains(self, points: ArrayLike) -> np.ndarray:
        """
        Tell which points are inside.

        Parameters
        ----------
        points : (N, 2) array_like
            Positions in the embedding.

        Returns
        -------
        inside : (N,) bool `~numpy.ndarray`
        """

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return what a file of regions holds of it."""


def _require_finite(what: str, values: Sequence[float]) -> None:
    if not np.isfinite(values).all():
        msg = f'{what} must be finite; got {list(values)}'
        raise RegionsError(msg)


def _columns(points: ArrayLike) -> np.ndarray:
    """Return x and y of positions."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2).T


@dataclass(frozen=True)
class Box(Region):
    """
    A box in the plane of an embedding, its edges included.

    Parameters
    ----------
    name : str
        Class of what is inside, or 'unlabelled'.
    xmin, xmax, ymin, ymax : float
        Edges, in units of the embedding.

    Raises
    ------
    RegionsError
        If the name is not one, or an edge is not finite or beyond its opposite.
    """

    xmin: float
    xmax: float
    ymin: float
    ymax: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_finite('the edges of a box', self.edges)
        for axis, low, high in (
            ('x', self.xmin, self.xmax),
            ('y', self.ymin, self.ymax),
        ):
            if low > high:
                msg = (
                    f'{axis}min {low:g} of a box is beyond its {axis}max {high:g}; '
                    'a box is [xmin, xmax, ymin, ymax]'
                )
                raise RegionsError(msg)

    @property
    def edges(self) -> list[float]:
        """The edges, in the order of a file."""
        return [self.xmin, self.xmax, self.ymin, self.ymax]

    def contains(self, points: ArrayLike) -> np.ndarray:
        x, y = _columns(points)
        return (x >= self.xmin) & (x <= self.xmax) & (y >= self.ymin) & (y <= self.ymax)

    def as_dict(self) -> dict[str, Any]:
        return {'name': self.name, 'box': self.edges}


@dataclass(frozen=True)
class Polygon(Region):
    """
    A closed polygon in the plane of an embedding.

    Parameters
    ----------
    name : str
        Class of what is inside, or 'unlabelled'.
    vertices : sequence of (x, y)
        At least three, in units of the embedding; the last joins the first.

    Raises
    ------
    RegionsError
        If the name is not one, or the vertices are too few or not finite.

    Notes
    -----
    A point is inside if a ray from it crosses the outline an odd number of times;
    what a polygon that crosses itself encloses twice is outside.
    """

    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.vertices) < 3:
            msg = f'a polygon has at least 3 vertices; got {len(self.vertices)}'
            raise RegionsError(msg)
        for number, vertex in enumerate(self.vertices, 1):
            _require_finite(f'vertex {number} of a polygon', vertex)

    def contains(self, points: ArrayLike) -> np.ndarray:
        x, y = _columns(points)
        inside = np.zeros(len(x), dtype=bool)
        # Operation by operation as in page.js, so that both round alike.
        x0, y0 = self.vertices[-1]
        for x1, y1 in self.vertices:
            if y0 != y1:
                crosses = (y1 > y) != (y0 > y)
                with np.errstate(invalid='ignore'):  # infinite points cross nothing
                    inside ^= crosses & (x < (x0 - x1) * (y - y1) / (y0 - y1) + x1)
            x0, y0 = x1, y1
        return inside

    def as_dict(self) -> dict[str, Any]:
        vertices = [list(vertex) for vertex in self.vertices]
        return {'name': self.name, 'polygon': vertices}
