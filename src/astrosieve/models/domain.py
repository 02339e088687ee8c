"""Whether an image is like those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from astrosieve.images.traits import ImageTraits
from astrosieve.models.cards import ModelCard

__all__ = ['departures']


_FWHM_MARGIN = 0.1  # what a measured width of the PSF may be wrong by


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
