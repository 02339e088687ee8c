"""What tells whether an image is usual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['ImageTraits', 'measure_traits']

_SKY = 2.0  # standard deviations from the sky within which a 2x2 block is sky
_CLIP = 4.0  # standard deviations beyond which a difference is not noise
_MIN_BLOCKS = 200


@dataclass(frozen=True)
class ImageTraits:
    """
    What tells whether an image is usual.

    Parameters
    ----------
    fwhm : float or None
        Of the PSF, pixels.
    noise_ratio : float or None
        How much of the noise is left at the finest scale: standard deviation of the
        differences a - b - c + d over that of a - b + c - d and a + b - c - d, in
        2x2 blocks [[a, b], [c, d]] of sky. 1 where the noise of pixels is
        independent, less where the image was resampled or smoothed; None where
        there is not enough sky.
    unusable : float
        Share of pixels that are masked, not finite, or without signal.
    """

    fwhm: float | None
    noise_ratio: float | None
    unusable: float


def measure_traits(
    sci: np.ndarray, *, spoilt: np.ndarray | None = None, fwhm: float | None = None
) -> ImageTraits:
    """
    Measure an image.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are not usable.
    fwhm : float, optional
        Of the PSF, pixels.

    Returns
    -------
    traits : `ImageTraits`
    """
    lost = 0 if spoilt is None else np.count_nonzero(spoilt)
    return ImageTraits(fwhm, _noise_ratio(sci, spoilt), lost / max(sci.size, 1))


def _noise_ratio(
    sci: np.ndarray, spoilt: np.ndarray | None, *, n_blocks: int = 40_000
) -> float | None:
    rows = sci.shape[0] // 2
    columns = sci.shape[1] // 2
    if not rows or not columns:
        return None
    step = max(1, rows * columns // n_blocks)
    y = 2 * np.arange(0, rows, step)

    def corners(image: np.ndarray) -> list[np.ndarray]:
        return [
            image[y + dy][:, dx : 2 * columns : 2].astype(np.float64).ravel()
            for dy in (0, 1)
            for dx in (0, 1)
        ]

    a, b, c, d = corners(sci)
    good = np.isfinite(a + b + c + d)
    if spoilt is not None:
        good &= np.sum(corners(spoilt), axis=0) == 0
    if good.sum() < _MIN_BLOCKS:
        return None
    a, b, c, d = (each[good] for each in (a, b, c, d))
    mean = (a + b + c + d) / 4
    level, noise = _robust(mean)
    quiet = np.abs(mean - level) < _SKY * noise
    checker = (a - b - c + d)[quiet]
    stripes = np.concatenate([(a - b + c - d)[quiet], (a + b - c - d)[quiet]])
    if len(checker) < _MIN_BLOCKS:
        return None
    limit = _CLIP * _robust(stripes)[1]
    fine, coarse = (
        float(np.sqrt(np.mean(each[np.abs(each) <= limit] ** 2)))
        for each in (checker, stripes)
    )
    return fine / coarse if coarse > 0 else None


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return median and standard deviation, from the median of the deviations."""
    level = np.median(values)
    deviations = np.abs(values - level)
    # Coarse numbers can give most pixels one value: their spread has to do then.
    noise = 1.4826 * np.median(deviations) or np.std(values)
    return float(level), float(noise)
