"""What preprocessings of whole images have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from astrosieve.images.background import BackgroundMesh
from astrosieve.models.inputs import Preprocessing

__all__ = ['ImagePreprocessing', 'Prepared']


@dataclass(frozen=True)
class Prepared:
    """
    A difference image without its level, in units of its noise.

    Parameters
    ----------
    signal : (ny, nx) float32 `~numpy.ndarray`
        Standard deviations above the local level; NaN where a pixel is not usable.
    mesh : `~astrosieve.images.background.BackgroundMesh`
        Local level and noise.
    """

    signal: np.ndarray
    mesh: BackgroundMesh


class ImagePreprocessing(Preprocessing, Protocol):
    """What turns an image of any size into the inputs of a network."""

    def prepare(self, sci: np.ndarray, spoilt: np.ndarray | None) -> Prepared:
        """Return an image of float32 pixels, in units of its noise."""

    def __call__(self, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Return inputs of (n, ny, nx) windows of the signal; ny, nx are free."""
