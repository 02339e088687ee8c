"""Where the images of an exposure lie beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike

__all__ = ['Place', 'arrange', 'bounds']

_GAP = 0.02  # between images that are stacked, in heights
_SPARSE = 4.0  # times the area of the images that a picture may have


@dataclass(frozen=True)
class Place:
    """
    Where an image lies in a plane: mirrored, turned and scaled, then shifted.

    Pixels and places are complex numbers, x + iy.

    Parameters
    ----------
    shape : (int, int)
        Pixels of the image, (ny, nx).
    turn : complex
        What pixels are multiplied with.
    shift : complex
        Where the centre of the first pixel lies.
    mirrored : bool
        Whether y counts downwards before the image is turned.
    """

    shape: tuple[int, int]
    turn: complex = 1
    shift: complex = 0
    mirrored: bool = False

    def __call__(self, pixels: ArrayLike) -> np.ndarray:
        """Return where pixels lie."""
        pixels = np.asarray(pixels, dtype=complex)
        return self.turn * (pixels.conj() if self.mirrored else pixels) + self.shift

    def holds(self, places: ArrayLike) -> np.ndarray:
        """Return which places lie in the image."""
        pixels = (np.asarray(places) - self.shift) / self.turn
        x, y = pixels.real, -pixels.imag if self.mirrored else pixels.imag
        ny, nx = self.shape
        return (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)

    @property
    def corners(self) -> np.ndarray:
        """The outer corners, in turn."""
        return self(_corners(self.shape))

    @property
    def centre(self) -> complex:
        """The middle."""
        return complex(self.corners.mean())

    @property
    def area(self) -> float:
        """What it covers."""
        return self.shape[0] * self.shape[1] * abs(self.turn) ** 2


def arrange(
    shapes: Sequence[tuple[int, int]], wcs: Sequence[WCS | None] | None = None
) -> list[Place]:
    """
    Place images as they lie on the sky, else one above the other.

    Parameters
    ----------
    shapes : sequence of (int, int)
        Pixels of each image, (ny, nx).
    wcs : sequence of `~astropy.wcs.WCS` or None, optional
        The celestial WCS of each.

    Returns
    -------
    places : list of `Place`
        In pixels of the first image, which stays as it is. One above the other, the
        first on top, where an image has no WCS, where images show the same sky, and
        where they lie far apart.
    """
    if len(shapes) > 1 and wcs is not None:
        known = [each for each in wcs if each is not None]
        if len(known) == len(shapes):
            places = _on_sky(shapes, known)
            if _side_by_side(places):
                return places
    heights = [ny for ny, _ in shapes]
    gap = _GAP * max(heights)
    below = np.cumsum([ny + gap for ny in heights]) - (heights[0] + gap)
    return [
        Place(shape, shift=complex(0, -y))
        for shape, y in zip(shapes, below, strict=True)
    ]


def bounds(places: Sequence[Place]) -> tuple[float, float, float, float]:
    """Return the edges of a picture of images: left, right, bottom, top."""
    corners = np.concatenate([place.corners for place in places])
    x, y = corners.real, corners.imag
    return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def _corners(shape: tuple[int, int]) -> np.ndarray:
    ny, nx = shape
    return np.array([0, nx, nx + 1j * ny, 1j * ny]) - (0.5 + 0.5j)


def _on_sky(shapes: Sequence[tuple[int, int]], wcs: Sequence[WCS]) -> list[Place]:
    """Return the places on the sky, on the axes of the first image's pixels."""
    pixels = [_corners(shape) for shape in shapes]
    sky = [
        each.pixel_to_world(z.real, z.imag).icrs
        for each, z in zip(wcs, pixels, strict=True)
    ]
    planes = [
        np.array([offset.arcsec for offset in sky[0][0].spherical_offsets_to(each)])
        for each in sky
    ]
    # Axes that are not at right angles on the sky are so in the picture.
    z = pixels[0]
    design = np.column_stack([z.real, z.imag, np.ones(len(z))])
    axes = np.linalg.lstsq(design, planes[0].T, rcond=None)[0]
    places = []
    for shape, mine, plane in zip(shapes, pixels, planes, strict=True):
        x, y = np.linalg.solve(axes[:2].T, plane - axes[2][:, None])
        places.append(_fitted(shape, mine, x + 1j * y))
    return places


def _fitted(shape: tuple[int, int], pixels: np.ndarray, places: np.ndarray) -> Place:
    """Return the place that puts pixels nearest to where they shall lie."""
    found = []
    for mirrored in (False, True):
        z = pixels.conj() if mirrored else pixels
        design = np.column_stack([z, np.ones(len(z))])
        (turn, shift), *_ = np.linalg.lstsq(design, places, rcond=None)
        place = Place(shape, complex(turn), complex(shift), mirrored)
        found.append((float(np.abs(place(pixels) - places).sum()), mirrored, place))
    return min(found)[2]


def _side_by_side(places: Sequence[Place]) -> bool:
    """Return whether images lie close to each other, and not on each other."""
    turns = np.array([place.turn for place in places])
    shifts = np.array([place.shift for place in places])
    if not (np.isfinite(turns) & np.isfinite(shifts) & (turns != 0)).all():
        return False
    left, right, bottom, top = bounds(places)
    if (right - left) * (top - bottom) > _SPARSE * sum(place.area for place in places):
        return False
    return not any(
        one is not other and one.holds(other.centre)
        for one in places
        for other in places
    )
