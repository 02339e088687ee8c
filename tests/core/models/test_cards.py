"""Model cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.exceptions import ModelError
from astrosieve.models.cards import ModelCard
from astrosieve.models.metrics import Share


@pytest.fixture
def text(toy_model: Path) -> str:
    return toy_model.with_suffix('.json').read_text()


@pytest.fixture
def card(text: str) -> ModelCard:
    return ModelCard.from_json(text)


@pytest.fixture
def maps_card(maps_model: Path) -> ModelCard:
    return ModelCard.from_json(maps_model.with_suffix('.json').read_text())


def test_json_round_trip(card: ModelCard, maps_card: ModelCard) -> None:
    """A card read from its own text is the same, tuples, shares and all."""
    for each in (card, maps_card):
        assert ModelCard.from_json(each.to_json()) == each
    assert card.classes == ('apple', 'pear', 'plum')
    assert card.operating_points['sweet'].measured['purity'] == Share(90, 95)
    assert card.domain['fwhm'] == (1.5, 4.0)
    assert maps_card.temperature == (1.0, 2.0)
    assert maps_card.options == {'tile': 64}


def test_operating_points_by_name(card: ModelCard, maps_card: ModelCard) -> None:
    """A known name gives the threshold; another lists those there are."""
    assert card.operating_point('sweet').threshold == 0.75
    with pytest.raises(ModelError, match="'best'; it has sweet"):
        card.operating_point('best')
    with pytest.raises(ModelError, match='it has none'):
        replace(card, operating_points={}).operating_point('best')
    assert maps_card.operating_point('careful').threshold['rotten'] == 0.25


def test_threshold_on_a_column(card: ModelCard, maps_card: ModelCard) -> None:
    """A threshold on another column, or one for each class, is refused."""
    assert card.threshold('sweet', 'p_apple') == 0.75
    with pytest.raises(ModelError, match=r"'sweet' .* is a threshold on p_apple, not"):
        card.threshold('sweet', 'p_pear')
    with pytest.raises(ModelError, match='on p_CLASS, not on p_ripe'):
        maps_card.threshold('careful', 'p_ripe')


def old_form(card: ModelCard) -> dict[str, Any]:
    """Return what the form before has of a card."""
    values = json.loads(card.to_json())
    del values['format'], values['activation'], values['options']
    values['fwhm_range'] = values['domain'].pop('fwhm')
    for name, point in card.operating_points.items():
        shares = point.measured.items()
        values['operating_points'][name] = {
            'threshold': point.threshold,
            **{what: share.value for what, share in shares},
            **{f'{what}_interval': [share.low, share.high] for what, share in shares},
            'sample': point.sample,
        }
    return values


@pytest.mark.parametrize(
    ('k', 'n'), [(90, 95), (1, 1), (0, 1), (0, 7), (7, 7), (5, 10), (16486, 16595)]
)
def test_card_of_the_form_before(k: int, n: int, card: ModelCard) -> None:
    """It is read as today's: counts are those that give its shares and intervals."""
    measured = {'completeness': Share(k, n), 'purity': Share(1, 2)}
    point = replace(card.operating_points['sweet'], measured=measured)
    card = replace(card, operating_points={'sweet': point})
    assert ModelCard.from_json(json.dumps(old_form(card))) == card


def test_card_of_the_form_before_that_kept_nothing(card: ModelCard) -> None:
    """A share of nothing counts nothing."""
    values = old_form(card)
    values['operating_points']['sweet'].update(purity=0.0, purity_interval=[0.0, 1.0])
    found = ModelCard.from_json(json.dumps(values))
    assert found.operating_points['sweet'].measured['purity'] == Share(0, 0)


def test_unknown_format(text: str) -> None:
    """The message names both formats and the cure."""
    text = text.replace('astrosieve-card-1', 'astrosieve-card-9')
    message = (
        r"mine\.json: format 'astrosieve-card-9' is not known here "
        r'\(known: astrosieve-card-1\); the model may need a newer astrosieve'
    )
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(text, source='mine.json')


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
    """Prior, temperature and activation fit the classes."""
    for changes, message in (
        ({'class_prior': {'apple': 1.0}}, 'fruit: class_prior must name each of'),
        ({'class_prior': dict.fromkeys(card.classes, 0.5)}, r'sum to 1\.5, not to 1'),
        ({'temperature': 0.0}, 'fruit: temperature must be positive'),
        ({'temperature': (1.0, 2.0)}, 'one number, or one for each of'),
        ({'activation': 'tanh'}, "must be softmax or sigmoid; got 'tanh'"),
    ):
        with pytest.raises(ModelError, match=message):
            replace(card, **changes)
    assert replace(card, temperature=(1.0, 2.0, 3.0)).temperature[2] == 3


def test_rules_of_classes_on_their_own(maps_card: ModelCard) -> None:
    """Shares are each in (0, 1), whatever their sum; thresholds are of classes."""
    often = {'ripe': 0.9, 'rotten': 0.8}
    assert replace(maps_card, class_prior=often).class_prior == often
    for share in (0.0, 1.0):
        with pytest.raises(ModelError, match='must lie between 0 and 1'):
            replace(maps_card, class_prior={'ripe': 0.5, 'rotten': share})
    point = replace(maps_card.operating_points['careful'], threshold={'green': 0.5})
    with pytest.raises(ModelError, match='careful names green, which is no class'):
        replace(maps_card, operating_points={'careful': point})


def test_another_mix_of_classes(card: ModelCard, maps_card: ModelCard) -> None:
    """By Bayes' rule; a probability that is the card's share becomes the new one."""
    usual = np.array([list(card.class_prior.values())])
    found = card.for_prior(usual, {'apple': 0.2})
    assert found == pytest.approx(np.array([[0.2, 0.4, 0.4]]))
    assert card.complete_prior({'apple': 0.2})['plum'] == pytest.approx(0.4)
    with pytest.raises(ValueError, match='prior names cherry'):
        card.complete_prior({'cherry': 0.2})
    maps = np.array(list(maps_card.class_prior.values())).reshape(1, 2, 1, 1)
    found = maps_card.for_prior(np.tile(maps, (1, 1, 3, 4)), {'rotten': 0.7})
    assert found.shape == (1, 2, 3, 4)
    assert found[0, 0] == pytest.approx(np.full((3, 4), 0.6))
    assert found[0, 1] == pytest.approx(np.full((3, 4), 0.7))


def test_details_say_all(card: ModelCard, maps_card: ModelCard) -> None:
    """Name, classes, hash, thresholds, limits, results: all are in the text."""
    text = replace(card, metrics={'tables': ['a table of figures']}).details()
    for wanted in (
        'fruit 1.0',
        'apple, pear, plum',
        card.sha256,
        'domain          fwhm 1.5 to 4, unusable 0 to 0.25',
        'sweet           p_apple >= 0.7500: completeness 90.00% (82.56% to 94.48%; '
        '90/100), purity 94.74% (',
        'Knows three kinds',
        'a table of figures',
    ):
        assert wanted in text
    text = maps_card.details()
    assert 'domain          not stated' in text
    assert 'careful         ripe >= 0.5000, rotten >= 0.2500: ripe 80.00% (' in text


def test_summary_says_what_matters(card: ModelCard, maps_card: ModelCard) -> None:
    """In lines of a terminal: no hash, no counts, no tables."""
    long = replace(
        card,
        metrics={'tables': ['a table of figures']},
        limits=('Knows three kinds. ' * 10, 'No stones.'),
    )
    lines = long.summary().split('\n')
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith('fruit 1.0: ')
    assert 'classes      apple, pear, plum' in lines
    assert 'sweet        p_apple >= 0.7500: completeness 90.00%, purity 94.74%' in lines
    assert 'limit        No stones.' in lines
    for left_out in (card.sha256, 'a table of figures', '90/100'):
        assert left_out not in long.summary()
    assert 'domain       not stated' in maps_card.summary()


def test_summary_of_many_thresholds_is_short(maps_card: ModelCard) -> None:
    """Each class has its shares behind its threshold; what they are stands once."""
    point = maps_card.operating_points['careful']
    assert 'ripe >= 0.50 (80%), rotten >= 0.25' in point.brief()
    measured = {'ripe completeness': Share(8, 10), 'ripe purity': Share(0, 0)}
    text = replace(point, measured=measured).brief()
    assert (
        text
        == 'ripe >= 0.50 (80%, -), rotten >= 0.25; in brackets: completeness, purity'
    )
