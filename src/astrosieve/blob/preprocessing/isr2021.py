"""Difference images as the network of WFC3 ISR 2021-08 takes them."""

from __future__ import annotations

import numpy as np

from astrosieve.blob.subframes import SIDE

__all__ = ['ZScaleClip', 'standardised', 'zscale_limits']

_FACTOR = 0.5  # of the ZScale limits
_BORDER = 10  # pixels: what is clipped there is replaced by the median
_SAMPLE = 1000  # pixels, ginga's default


def zscale_limits(image: np.ndarray) -> tuple[float, float]:
    """
    Return the limits at which ginga's ZScale cuts an image.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Pixels that are not finite do not count.

    Returns
    -------
    low, high : float
        Zero both where no pixel is finite.

    Notes
    -----
    Ginga takes a thousand pixels evenly spaced along rows and columns, and astropy's
    ZScale of them with a contrast of 0.25.
    """
    from astropy.visualization.interval import ZScaleInterval

    ny, nx = image.shape
    step = int(max(1.0, np.sqrt((nx - 1) * (ny - 1) / min(_SAMPLE, image.size))))
    sample = image[: ny - 1 : step, : nx - 1 : step]
    sample = sample[np.isfinite(sample)][:_SAMPLE]
    if not sample.size:
        return 0.0, 0.0
    low, high = ZScaleInterval(n_samples=sample.size, contrast=0.25).get_limits(sample)
    return float(low), float(high)


def standardised(images: np.ndarray) -> np.ndarray:
    """Return images, (..., ny, nx), of mean 0 and spread 1; 0 where all is the same."""
    images = images - images.mean(axis=(-2, -1), keepdims=True)
    spread = images.std(axis=(-2, -1), keepdims=True)
    return np.asarray(images / np.where(spread > 0, spread, 1))


class ZScaleClip:
    """
    Clipped at half of the ZScale limits, standardised, and what is missing the median.

    The report's differences have a level of zero, about which half of the limits lies;
    so the median is taken off first. Bad pixels are missing ones. Each subframe is
    standardised too: the report's code does so where blobs were superimposed, and if
    that were all, subframes with a blob could be told by their level alone.

    References
    ----------
    Dauphin, Medina & McCullough 2021, WFC3 ISR 2021-08, and its code, deepwfc3.
    """

    name = 'zscale-clip-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'image': (1, SIDE, SIDE)}
        self.meanings = {
            'image': 'subframe of a difference without its median, clipped at half of '
            "the whole image's ZScale limits, and standardised"
        }

    def prepare(self, sci: np.ndarray, spoilt: np.ndarray | None = None) -> np.ndarray:
        """
        Return a whole image, standardised.

        Parameters
        ----------
        sci : (ny, nx) `~numpy.ndarray`
            Difference.
        spoilt : (ny, nx) `~numpy.ndarray`, optional
            Pixels that are not zero here are not usable.

        Returns
        -------
        image : (ny, nx) float32 `~numpy.ndarray`
            Of mean 0 and standard deviation 1; zero where all pixels are the same.
        """
        known = np.isfinite(sci) if spoilt is None else np.isfinite(sci) & (spoilt == 0)
        if not known.any():
            return np.zeros(sci.shape, np.float32)
        median = np.median(sci[known])
        image = np.where(known, sci - median, np.nan).astype(np.float32)
        low, high = (_FACTOR * limit for limit in zscale_limits(image))
        lost = ~known
        border = np.ones(sci.shape, bool)
        border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
        with np.errstate(invalid='ignore'):
            lost |= border & ((image < low) | (image > high))
        image[lost] = 0
        np.clip(image, low, high, out=image)
        return standardised(image)

    def __call__(self, subframes: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of (n, 256, 256) subframes of prepared images."""
        return {'image': standardised(np.asarray(subframes, np.float32))[:, None]}
