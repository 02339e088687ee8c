"""Random fields of images and of pupils."""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = ['power_law_field']


def power_law_field(
    rng: np.random.Generator, shape: tuple[int, int], slope: float
) -> np.ndarray:
    """
    Return a Gaussian random field whose power falls with a power of the frequency.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws it.
    shape : (int, int)
        Of the image, (ny, nx).
    slope : float
        By how many powers of the frequency; 11/3 is turbulence.

    Returns
    -------
    field : 2D float32 `~numpy.ndarray`
        Of mean 0 and standard deviation 1.
    """
    ny, nx = (fft.next_fast_len(n, real=True) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal((ny, nx), dtype=np.float32))
    rate = np.hypot(fft.fftfreq(ny)[:, None], fft.rfftfreq(nx)[None]).astype(np.float32)
    rate[0, 0] = np.inf
    rate = np.maximum(rate, np.float32(0.6 / max(shape)))
    image = fft.irfft2(spectrum * rate ** np.float32(-slope / 2), (ny, nx))
    image = image[: shape[0], : shape[1]]
    return np.asarray((image - image.mean()) / image.std(), dtype=np.float32)
