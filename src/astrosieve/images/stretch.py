"""Grey levels of images in which faint and bright show."""

from __future__ import annotations

import numpy as np

from astrosieve.images.background import measure_background

__all__ = ['brightest', 'grey']

_SOFT = 3.0  # times the noise, where the stretch turns from linear to logarithmic
_LIMITS = (-2.0, 300.0)  # times the noise, what is black and what white


def grey(image: np.ndarray, step: int = 1) -> np.ndarray:
    """
    Return grey levels: an inverse hyperbolic sine of signal over the sky's noise.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image.
    step : int, optional
        Blocks of so many pixels a side become one, see `brightest`.

    Returns
    -------
    levels : 2D float32 `~numpy.ndarray`
        From 0, black, to 1, white; NaN where the image is not finite.
    """
    finite = np.isfinite(image)
    sky = measure_background(image, spoilt=~finite)
    noise = sky.noise if sky.noise > 0 else 1.0
    reduced = brightest(np.where(finite, image, np.float32(np.nan)), step)
    low, high = (float(np.arcsinh(limit / _SOFT)) for limit in _LIMITS)
    signal = (reduced - np.float32(sky.level)) / np.float32(_SOFT * noise)
    return np.clip((np.arcsinh(signal) - low) / (high - low), 0, 1)


def brightest(image: np.ndarray, step: int) -> np.ndarray:
    """Reduce an image, each block to its brightest pixel, so that hits stay."""
    if step == 1:
        return image
    ny, nx = (-(-n // step) for n in image.shape)
    padded = np.pad(
        image,
        [(0, n * step - m) for n, m in zip((ny, nx), image.shape, strict=True)],
        constant_values=np.nan,
    )
    blocks = padded.reshape(ny, step, nx, step)
    return np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1)
