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
    noiseless : float or None
        Share of the 2x2 blocks of sky in which a - b - c + d is exactly 0; blocks of
        zeros, which fill borders, do not count. Some where noise is counted in steps of
        its own size, most where there is none; None where there is not enough sky.
    """

    fwhm: float | None
    noise_ratio: float | None
    unusable: float
    noiseless: float | None = None


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
    blocks = _Blocks.of(sci, spoilt)
    return ImageTraits(
        fwhm,
        None if blocks is None else blocks.noise_ratio(),
        lost / max(sci.size, 1),
        None if blocks is None else blocks.noiseless(),
    )


@dataclass(frozen=True, eq=False)
class _Blocks:
    """
    Contrasts of 2x2 blocks [[a, b], [c, d]] of sky.

    Parameters
    ----------
    checker : (N,) `~numpy.ndarray`
        a - b - c + d.
    stripes : (2, N) `~numpy.ndarray`
        a - b + c - d and a + b - c - d.
    filled : (N,) bool `~numpy.ndarray`
        Whether a pixel is not 0.
    """

    checker: np.ndarray
    stripes: np.ndarray
    filled: np.ndarray

    @classmethod
    def of(
        cls, sci: np.ndarray, spoilt: np.ndarray | None, *, n_blocks: int = 40_000
    ) -> _Blocks | None:
        """Return those of an image, of some of its rows; None where they are few."""
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
        mean = (a + b + c + d)[good] / 4
        level, noise = _robust(mean)
        a, b, c, d = (
            each[good][np.abs(mean - level) < _SKY * noise] for each in (a, b, c, d)
        )
        if len(a) < _MIN_BLOCKS:
            return None
        stripes = np.stack([a - b + c - d, a + b - c - d])
        return cls(a - b - c + d, stripes, (a != 0) | (b != 0) | (c != 0) | (d != 0))

    def noise_ratio(self) -> float | None:
        """Return what is left of the noise at the finest scale."""
        limit = _CLIP * _robust(self.stripes)[1]
        fine, coarse = (
            float(np.sqrt(np.mean(each[np.abs(each) <= limit] ** 2)))
            for each in (self.checker, self.stripes)
        )
        return fine / coarse if coarse > 0 else None

    def noiseless(self) -> float | None:
        """Return the share of blocks without contrast."""
        if self.filled.sum() < _MIN_BLOCKS:
            return None
        return float(np.mean(self.checker[self.filled] == 0))


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return median and standard deviation, from the median of the deviations."""
    level = np.median(values)
    deviations = np.abs(values - level)
    # Coarse numbers can give most pixels one value: their spread has to do then.
    noise = 1.4826 * np.median(deviations) or np.std(values)
    return float(level), float(noise)
