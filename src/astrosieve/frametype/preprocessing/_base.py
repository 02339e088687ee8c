"""What all preprocessings have in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from astrosieve.models.inputs import Preprocessing

FLIPS = ((False, False), (False, True), (True, False), (True, True))
"""Whether a frame is flipped along y and along x: each of the four votes."""


class FramePreprocessing(Preprocessing, Protocol):
    """What turns one frame into the inputs of a network."""

    max_pixels: int | None
    """How many pixels are of use; a larger frame is read in part. None for all."""

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of a 2D frame of finite float32 pixels, without rows."""

    def flip(
        self, inputs: dict[str, np.ndarray], y: bool, x: bool
    ) -> dict[str, np.ndarray]:
        """Return the inputs of the flipped frame; they may have rows in front."""
