"""What preprocessings of images have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from astrosieve.images.background import BackgroundMesh
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.inputs import Preprocessing

__all__ = ['Box', 'ImagePreprocessing', 'Levels']

Box = tuple[slice, slice]
"""Rows and columns; they may begin before the image, and end beyond it."""


@dataclass(frozen=True, eq=False)
class Levels:
    """
    An image with what is measured on the whole of it.

    Parameters
    ----------
    sci : (ny, nx) float32 `~numpy.ndarray`
        Pixels.
    spoilt : (ny, nx) `~numpy.ndarray` or None
        Pixels that are not zero here are not usable.
    mesh : `~astrosieve.images.background.BackgroundMesh`
        Local level, and noise of a pixel, of usable pixels.
    sky, noise : float
        Medians of both.
    ceiling : float
        Level of the brightest pixels, where the histogram ends.
    """

    sci: np.ndarray
    spoilt: np.ndarray | None
    mesh: BackgroundMesh
    sky: float
    noise: float
    ceiling: float


class ImagePreprocessing(Preprocessing, Protocol):
    """What turns an image of any size into the inputs of a network."""

    def levels(self, image: MeasuredImage) -> Levels:
        """Measure an image as a whole."""

    def planes(self, levels: Levels, box: Box) -> np.ndarray:
        """Return the planes of a box of the image, (C, ny, nx) float32."""
