"""Whether an image is like those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from astrosieve.models.cards import ModelCard

__all__ = ['ImageTraits', 'departures', 'measure_traits']

_FWHM_MARGIN = 0.1  # what a measured width of the PSF may be wrong by
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


def departures(card: ModelCard, traits: ImageTraits) -> Iterator[str]:
    """
    Say in what an image differs from those that a model was trained on.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        Of the model; its ``fwhm_range`` and ``domain`` are the limits.
    traits : `ImageTraits`
        Of the image.

    Yields
    ------
    departure : str
        What is unusual, and the limit that it exceeds.
    """
    low, high = card.fwhm_range
    width = traits.fwhm
    if width is not None and not (
        low * (1 - _FWHM_MARGIN) <= width <= high * (1 + _FWHM_MARGIN)
    ):
        yield (
            f'the PSF is {width:.2f} pixels wide; {card.name} was trained on '
            f'{low:g} to {high:g}'
        )
    texts = {
        'noise_ratio': (
            'the noise of neighbouring pixels is correlated, as in an image that was '
            'resampled or smoothed (ratio {value:.2f} at the finest scale; {name} was '
            'trained on {low:g} to {high:g})'
        ),
        'unusable': (
            '{value:.0%} of the pixels are NaN, masked or without signal; {name} was '
            'trained on up to {high:.0%}'
        ),
    }
    for key, value in asdict(traits).items():
        if key not in card.domain or value is None:
            continue
        low, high = card.domain[key]
        if not low <= value <= high:
            yield texts[key].format(value=value, low=low, high=high, name=card.name)
