"""Model cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from astrosieve.exceptions import ModelError
from astrosieve.models.cards import ModelCard


@pytest.fixture
def text(tiny_model: Path) -> str:
    return tiny_model.with_suffix('.json').read_text()


@pytest.fixture
def card(text: str) -> ModelCard:
    return ModelCard.from_json(text)


def test_json_round_trip(card: ModelCard) -> None:
    """A card read from its own text is the same, tuples and all."""
    assert ModelCard.from_json(card.to_json()) == card
    assert card.classes == ('star', 'cosmic_ray', 'spike')
    assert card.operating_points['pure'].purity_interval == (0.8, 0.95)


def test_operating_points_by_name(card: ModelCard) -> None:
    """A known name gives the threshold; another lists those there are."""
    assert card.operating_point('pure').threshold == 0.99
    with pytest.raises(ModelError, match="'best'; it has balanced, pure, complete"):
        card.operating_point('best')
    with pytest.raises(ModelError, match='it has none'):
        replace(card, operating_points={}).operating_point('best')


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != key}


@pytest.mark.parametrize(
    'spoil',
    [
        lambda values: without(values, 'sha256'),
        lambda values: without(values, 'operating_points'),
        lambda values: {**values, 'colour': 'blue'},
        lambda values: {**values, 'operating_points': [1, 2]},
        lambda values: {**values, 'operating_points': {'pure': {'threshold': 1}}},
        lambda values: [values],
        lambda values: 'text',
    ],
)
def test_wrong_contents_are_refused(spoil: Any, text: str) -> None:
    """The message names the file and what a card holds."""
    wrong = json.dumps(spoil(json.loads(text)))
    with pytest.raises(ModelError, match=r'mine\.json: not a model card .* a card has'):
        ModelCard.from_json(wrong, source='mine.json')


@pytest.mark.parametrize('text', ['', '{', 'null', '\x00'])
def test_not_a_card(text: str) -> None:
    """Text that is not JSON, or not an object, is no card."""
    with pytest.raises(ModelError, match='not a model card'):
        ModelCard.from_json(text)


def test_rules(card: ModelCard) -> None:
    """The prior names each class, and the temperature is positive."""
    with pytest.raises(ModelError, match='tiny: class_prior must name each of'):
        replace(card, class_prior={'star': 1.0})
    with pytest.raises(ModelError, match='tiny: temperature must be positive'):
        replace(card, temperature=0.0)


def test_summary_says_what_matters(card: ModelCard) -> None:
    """Name, classes, hash, thresholds, limits: all are in the text."""
    text = replace(card, metrics={'tables': ['a table of figures']}).summary()
    for wanted in (
        'tiny 1.0.0',
        'star, cosmic_ray, spike',
        card.sha256,
        'pure            p_star >= 0.9900: completeness 90.00%, purity 90.00%',
        'Knows round stars',
        'a table of figures',
    ):
        assert wanted in text
