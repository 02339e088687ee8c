"""From frames to the inputs of a network."""

from __future__ import annotations

import numpy as np

from astrosieve.images.pixels import PIXEL_FLAGS
from astrosieve.models.inputs import Batch

__all__ = ['Scaled']


class Scaled:
    """Frames above their median, in units of their scatter."""

    name = 'toy-scaled-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'frames': (1, 16, 16)}
        self.meanings = {'frames': 'pixels above the median, in units of the scatter'}

    def __call__(self, frames: np.ndarray) -> Batch:
        """Return the inputs of (N, 16, 16) frames; one without a pixel is not valid."""
        finite = np.isfinite(frames)
        valid = finite.any(axis=(1, 2))
        pixels = np.where(finite | ~valid[:, None, None], frames, np.nan)
        pixels[~valid] = 0
        low, level, high = np.nanpercentile(
            pixels, [16, 50, 84], axis=(1, 2), keepdims=True
        )
        scaled = np.nan_to_num((pixels - level) / np.maximum(high - low, 1e-6) * 2)
        flags = np.where(finite.all(axis=(1, 2)), 0, PIXEL_FLAGS.non_finite)
        inputs = {'frames': scaled[:, None].astype(np.float32)}
        return Batch(inputs, flags.astype(np.int32), valid)
