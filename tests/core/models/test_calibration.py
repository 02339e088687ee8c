"""Probabilities and priors."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.models.calibration import complete_prior, reweight, sigmoid, softmax

CARD_PRIOR = {'apple': 0.5, 'pear': 0.3, 'plum': 0.2}
CLASSES = list(CARD_PRIOR)


def test_softmax() -> None:
    """Rows sum to one, ratios are exponentials, and huge logits do not overflow."""
    logits = np.array([[0, np.log(3), 0], [1e4, 1e4, -1e4]], dtype=np.float32)
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities, [[0.2, 0.6, 0.2], [0.5, 0.5, 0]])


def test_softmax_of_nothing() -> None:
    """No rows in, none out."""
    assert softmax(np.empty((0, 3), dtype=np.float32)).shape == (0, 3)


def test_temperature_flattens() -> None:
    """A temperature of two takes the root of the ratios."""
    logits = np.log([[1.0, 9.0]])
    assert np.allclose(softmax(logits, 2.0), [[0.25, 0.75]])


def test_maps_are_as_rows() -> None:
    """Classes lie along the second axis; a temperature may be each class's own."""
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (2, 3, 4, 5)).astype(np.float32)
    rows = np.moveaxis(logits, 1, -1).reshape(-1, 3)
    for activation in (softmax, sigmoid):
        for temperature in (1.5, (1.0, 2.0, 0.5)):
            maps = activation(logits, temperature)
            expected = activation(rows, temperature)
            assert np.allclose(np.moveaxis(maps, 1, -1).reshape(-1, 3), expected)
            each = activation(rows / np.float32(temperature))
            assert np.allclose(expected, each)


@pytest.mark.filterwarnings('error')
def test_sigmoid() -> None:
    """Log-odds, each on its own; huge ones do not overflow or warn."""
    logits = np.array([[0, np.log(3), -np.log(4)], [1e4, -1e4, 80]], dtype=np.float32)
    probabilities = sigmoid(logits)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities, [[0.5, 0.75, 0.2], [1, 0, 1]])
    assert logits[0, 1] == np.float32(np.log(3))


@pytest.mark.parametrize(
    ('prior', 'expected'),
    [
        ({}, CARD_PRIOR),
        ({'apple': 0.2}, {'apple': 0.2, 'pear': 0.48, 'plum': 0.32}),
        (
            {'apple': 0.1, 'pear': 0.8},
            {'apple': 0.1, 'pear': 0.8, 'plum': 0.1},
        ),
        (
            {'plum': 0.3, 'apple': 0.3, 'pear': 0.4},
            {'apple': 0.3, 'pear': 0.4, 'plum': 0.3},
        ),
    ],
)
def test_the_rest_is_shared_as_in_the_card(prior: dict, expected: dict) -> None:
    """Classes left out share what is left, in the card's order and proportions."""
    complete = complete_prior(prior, CARD_PRIOR)
    assert list(complete) == CLASSES
    assert complete == pytest.approx(expected)
    assert sum(complete.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ('prior', 'message'),
    [
        ({'galaxy': 0.5}, 'prior names galaxy; classes are apple, pear, plum'),
        ({'apple': 0}, 'prior of apple must be a share between 0 and 1; got 0'),
        ({'apple': 1}, 'prior of apple must be a share'),
        ({'apple': -0.1}, 'prior of apple must be a share'),
        ({'apple': float('nan')}, 'prior of apple must be a share'),
        ({'apple': 0.6, 'pear': 0.4}, 'sum to 1; .* fewer must leave a rest'),
        (
            {'apple': 0.6, 'pear': 0.3, 'plum': 0.3},
            r'sum to 1\.2; all classes together must give 1',
        ),
        ({'apple': 0.1, 'pear': 0.1, 'plum': 0.1}, r'sum to 0\.3'),
    ],
)
def test_impossible_priors(prior: dict, message: str) -> None:
    """Each message names the class or the sum."""
    with pytest.raises(ValueError, match=message):
        complete_prior(prior, CARD_PRIOR)


def test_reweight_is_bayes() -> None:
    """Odds are multiplied by the factors; classes without one keep theirs."""
    probabilities = np.array([[0.5, 0.3, 0.2]], dtype=np.float32)
    again = reweight(probabilities, CLASSES, factors={'pear': 4.0})
    assert np.allclose(again, np.array([[0.5, 1.2, 0.2]]) / 1.9)
    assert again.dtype == np.float32


def test_reweight_chosen_rows() -> None:
    """Other rows stay as they are, to the bit; NaN stays NaN."""
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([1, 1, 1], 5).astype(np.float32)
    probabilities[4] = np.nan
    rows = np.array([True, False, True, False, True])
    again = reweight(probabilities, CLASSES, factors={'apple': 0.1}, rows=rows)
    assert np.array_equal(again[[1, 3]], probabilities[[1, 3]])
    assert (again[[0, 2], 0] < probabilities[[0, 2], 0]).all()
    assert np.isnan(again[4]).all()


def test_classes_on_their_own() -> None:
    """Shares left out stay; each class's odds are multiplied, in each pixel."""
    assert complete_prior({'plum': 0.9}, CARD_PRIOR, exclusive=False) == {
        **CARD_PRIOR, 'plum': 0.9,
    }  # fmt: skip
    maps = np.random.default_rng(5).uniform(0.01, 0.99, (4, 3, 5, 6))
    found = reweight(maps, CLASSES, factors={'pear': 3.0}, exclusive=False)
    assert found.dtype == np.float32
    assert np.allclose(found[:, [0, 2]], maps[:, [0, 2]])
    odds = 3 * maps[:, 1] / (1 - maps[:, 1])
    assert np.allclose(found[:, 1], odds / (1 + odds))
    some = reweight(
        maps, CLASSES, factors={'pear': 3.0}, exclusive=False, rows=np.arange(4) < 2
    )
    assert np.array_equal(some[:2], found[:2])
    assert np.allclose(some[2:], maps[2:])


def test_prior_and_back() -> None:
    """Going to another mix of classes and back changes nothing."""
    probabilities = np.random.default_rng(4).dirichlet([1, 1, 1], 50)
    there = {'apple': 0.2, 'pear': 3.0, 'plum': 1.5}
    back = {name: 1 / factor for name, factor in there.items()}
    once = reweight(probabilities, CLASSES, factors=there)
    again = reweight(once, CLASSES, factors=back)
    assert np.allclose(again, probabilities, atol=1e-5)
