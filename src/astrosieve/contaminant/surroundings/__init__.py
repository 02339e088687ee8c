"""What the surroundings of a pixel say of it, where a model's card states it."""

from __future__ import annotations

from astrosieve.contaminant.surroundings.fitted import Fitted
from astrosieve.contaminant.surroundings.lines import Lines
from astrosieve.contaminant.surroundings.regions import Regions
from astrosieve.models.cards import ModelCard

__all__ = ['Fitted', 'Lines', 'Regions', 'stated_by']


def stated_by(card: ModelCard) -> list[Fitted]:
    """Return what a model's card states, each of classes of its own."""
    found = [kind.of(card) for kind in (Regions, Lines)]
    return [each for each in found if len(each.numbers)]
