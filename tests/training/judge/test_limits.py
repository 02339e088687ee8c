"""What a model has to hold, and when it does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from astrosieve.models.metrics import Share
from astrosieve_training.judge.limits import Limit, Number, calibration_limit


def test_at_most() -> None:
    """Holds while the lower end of the interval does not exceed it."""
    assert Limit('leak', Share(0, 100), 0.003).holds
    assert Limit('leak', Share(2, 100), 0.01).holds  # 0.6 % to 7 %
    assert not Limit('leak', Share(20, 100), 0.1).holds
    low = Share(20, 100).low
    assert Limit('leak', Share(20, 100), low).holds
    assert not Limit('leak', Share(20, 100), low - 1e-9).holds


def test_at_least() -> None:
    """Holds while the upper end of the interval reaches it."""
    assert Limit('kept', Share(93, 100), 0.95, least=True).holds
    assert not Limit('kept', Share(80, 100), 0.95, least=True).holds
    high = Share(80, 100).high
    assert Limit('kept', Share(80, 100), high, least=True).holds
    assert not Limit('kept', Share(80, 100), high + 1e-9, least=True).holds


def test_numbers() -> None:
    """A number that is no share has itself as both ends."""
    assert Limit('error', Number(0.01, 500), 0.01).holds
    assert not Limit('error', Number(0.011, 500), 0.01).holds


@pytest.mark.parametrize('least', [False, True])
@pytest.mark.parametrize('measured', [Share(0, 0), Number(0.5, 0)])
def test_nothing_holds_no_limit(measured: Share | Number, least: bool) -> None:
    """What no case was there for is no success, and the table says so."""
    limit = Limit('leak', measured, 0.5, least=least)
    assert not limit.holds
    assert limit.found == 'none in the sample'


@pytest.mark.parametrize('least', [False, True])
def test_unknown_limit_is_not_held(least: bool) -> None:
    """A limit that cannot be known is not held, and the table says so."""
    limit = Limit('less than a rival that was not judged', Share(0, 9), math.nan, least)
    assert not limit.holds
    assert limit.rule == 'not known'


def test_rule_in_words() -> None:
    """Shares in percent, numbers as they are."""
    assert Limit('a', Share(1, 10), 0.003).rule == 'at most 0.30%'
    assert Limit('a', Share(1, 10), 0.95, least=True).rule == 'at least 95.00%'
    assert Limit('a', Number(0.5, 10), 0.02).rule == 'at most 0.02'


def test_numbers_in_words() -> None:
    """A number stands beside the count that it rests on."""
    assert str(Number(0.01234, 50)) == '0.0123 (50)'
    assert str(Number(0.01234, 0)) == '-'
    assert Limit('a', Share(1, 4), 0.5).found == '25.00% (4.56% to 69.94%; 1/4)'


def test_calibration() -> None:
    """The error stands beside that which exact probabilities would have by chance."""
    p = np.tile([0.75, 0.25], (40, 1))
    limit = calibration_limit(p, np.array([0, 0, 0, 0, 1] * 8), 0.05)
    assert limit.measured == Number(pytest.approx(0.05), 40)
    assert limit.what.startswith('calibration error (of exact probabilities 0.05')
    assert not calibration_limit(p, np.array([0, 1] * 20), 0.05).holds
