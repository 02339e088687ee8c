"""The recipe of SPIT (Jankov & Prochaska 2018)."""

from __future__ import annotations

import numpy as np

__all__ = ['Spit', 'resized', 'trimmed']

_SHAPE = (210, 650)
_JUMP = 1.1  # of the row maxima, where the lit part begins
_CONTRAST = 0.25


def _edge(maxima: np.ndarray) -> int:
    """Return the first row whose maximum jumps above that of the row before."""
    jumps = np.flatnonzero(maxima[1:] > _JUMP * maxima[:-1])
    return int(jumps[0]) + 1 if len(jumps) else 0


def trimmed(pixels: np.ndarray) -> np.ndarray:
    """
    Return a frame without overscan and blank rows, the longer axis along x.

    The columns are clipped at 3 sigma; the lit part begins, from either side, where the
    maximum of a row is 10 % above that of the row before.
    """
    from astropy.stats import sigma_clip

    image = np.rot90(pixels) if pixels.shape[0] > pixels.shape[1] else pixels
    maxima = np.ma.max(sigma_clip(image, sigma=3, axis=0), axis=1).filled(0)
    first, last = _edge(maxima), len(maxima) - _edge(maxima[::-1])
    return image[first:last] if last > first else image


def resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return an image of another shape, by linear interpolation along both axes."""
    for axis, n in enumerate(shape):
        size = image.shape[axis]
        # The centres of the new pixels, in the old ones.
        at = ((np.arange(n) + 0.5) * size / n - 0.5).clip(0, size - 1)
        low = np.minimum(at.astype(int), max(size - 2, 0))
        high = np.minimum(low + 1, size - 1)
        part = (at - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        image = (1 - part) * image.take(low, axis) + part * image.take(high, axis)
    return image


class Spit:
    """Trimmed, 210x650 pixels, ZScale, 8 bit."""

    name = 'spit-1'
    max_pixels: int | None = None

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'image': (1, *_SHAPE)}
        self.meanings = {
            'image': 'trimmed, resized by linear interpolation, ZScale of contrast '
            '0.25, 8 bit, over 255'
        }

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the image of one frame."""
        from astropy.visualization import ZScaleInterval

        image = resized(trimmed(pixels), _SHAPE)
        low, high = ZScaleInterval(contrast=_CONTRAST).get_limits(image)
        scaled = (image - low) / max(high - low, 1e-30)
        bits = (scaled.clip(0, 1) * 255).astype(np.uint8)
        return {'image': (bits / np.float32(255))[None]}

    def flip(
        self, inputs: dict[str, np.ndarray], y: bool, x: bool
    ) -> dict[str, np.ndarray]:
        """Return the image flipped."""
        image = inputs['image']
        return {'image': image[..., :: -1 if y else 1, :: -1 if x else 1]}
