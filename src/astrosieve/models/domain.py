"""Whether an image is like those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from astrosieve.images.traits import ImageTraits
from astrosieve.models.cards import ModelCard

__all__ = ['departures']

_MARGINS = {'fwhm': 0.1}
"""What a measured trait may be wrong by, as a share of it."""

_USUAL = {'noiseless': (0.0, 0.3)}
"""Limits of traits for cards that say nothing of them: nobody trains without noise."""

_TEXTS = {
    'fwhm': 'the PSF is {value:.2f} pixels wide; {name} was trained on {low:g} to '
    '{high:g}',
    'noise_ratio': 'the noise of neighbouring pixels is correlated, as in an image '
    'that was resampled or smoothed (ratio {value:.2f} at the finest scale; {name} was '
    'trained on {low:g} to {high:g})',
    'noiseless': 'neighbouring pixels are equal: an image without noise (a blot, '
    'a model, or drizzled from such), or with steps coarser than its noise',
    'unusable': '{value:.0%} of the pixels are NaN, masked or without signal; {name} '
    'was trained on up to {high:.0%}',
}


def departures(card: ModelCard, traits: ImageTraits) -> Iterator[str]:
    """
    Say in what an image differs from those that a model was trained on.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        Of the model; its ``domain`` holds the limits.
    traits : `~astrosieve.images.traits.ImageTraits`
        Of the image.

    Yields
    ------
    departure : str
        What is unusual, and the limit that it exceeds.
    """
    for key, value in asdict(traits).items():
        limits = card.domain.get(key, _USUAL.get(key))
        if limits is None or value is None:
            continue
        low, high = limits
        margin = _MARGINS.get(key, 0)
        if not low * (1 - margin) <= value <= high * (1 + margin):
            yield _TEXTS[key].format(value=value, low=low, high=high, name=card.name)
