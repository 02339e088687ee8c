"""Whether an image is like those that a network was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from astrosieve.images.traits import ImageTraits
from astrosieve.models.cards import ModelCard
from astrosieve.models.domain import departures

USUAL = ImageTraits(2.0, 1.0, 0.0)


class TestDepartures:
    """What is said of unusual traits."""

    @pytest.fixture
    def card(self, toy_model: Path) -> ModelCard:
        """Widths 1.5 to 4, ratios 0.9 to 1.1, up to 25 % unusable."""
        card = ModelCard.from_json(toy_model.with_suffix('.json').read_text())
        return replace(card, domain={**card.domain, 'noise_ratio': (0.9, 1.1)})

    def test_usual_image(self, card: ModelCard) -> None:
        """Nothing, on the limits either; a measured width may be 10 % off."""
        for traits in (
            USUAL,
            ImageTraits(4.35, 1.1, 0.25),
            ImageTraits(1.36, 0.9, 0.0),
            ImageTraits(None, None, 0.1),
        ):
            assert list(departures(card, traits)) == []

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            ({'fwhm': 4.45}, ['4.45 pixels wide', 'fruit', '1.5 to 4']),
            ({'fwhm': 1.3}, ['1.30 pixels wide', 'fruit', '1.5 to 4']),
            ({'noise_ratio': 0.6}, ['correlated', 'ratio 0.60', '0.9 to 1.1']),
            ({'noise_ratio': 1.3}, ['ratio 1.30', 'fruit', '0.9 to 1.1']),
            ({'noiseless': 0.5}, ['equal', 'without noise']),
            ({'unusable': 0.4}, ['40% of the pixels are NaN', 'up to 25%']),
        ],
    )
    def test_each_trait(
        self, changes: dict[str, float], words: list[str], card: ModelCard
    ) -> None:
        """The text names the value and the limit."""
        (text,) = departures(card, replace(USUAL, **changes))
        assert all(word in text for word in words)

    def test_all_at_once(self, card: ModelCard) -> None:
        """One text for each."""
        assert len(list(departures(card, ImageTraits(9.0, 0.5, 0.9)))) == 3

    def test_card_without_limits(self, card: ModelCard) -> None:
        """What a card does not limit is not unusual."""
        narrow = replace(card, domain={'fwhm': (1.5, 4.0)})
        assert list(departures(narrow, ImageTraits(2.0, 0.5, 0.9))) == []
        assert len(list(departures(narrow, ImageTraits(9.0, 0.5, 0.9)))) == 1
        free = replace(card, domain={})
        assert list(departures(free, ImageTraits(9.0, 0.5, 0.9))) == []
