"""Bit flags."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.flags import Flag, FlagSet
from astrosieve.images.pixels import PIXEL_FLAGS
from astrosieve.source.flags import CLASS_FLAGS


@pytest.fixture
def flags() -> FlagSet:
    return FlagSet([Flag(1, 'wet', 'rained on'), Flag(4, 'cold', 'left outside')])


def test_names_are_constants(flags: FlagSet) -> None:
    """Each flag is an attribute with its bit; several add up, once each."""
    assert (flags.wet, flags.cold) == (1, 4)
    assert flags.value('wet', 'cold', 'wet') == 5
    assert flags.value() == 0


def test_unknown_name_is_named(flags: FlagSet) -> None:
    """A misspelt flag is an AttributeError that repeats it."""
    with pytest.raises(AttributeError, match="no flag is called 'dry'"):
        _ = flags.dry


@pytest.mark.parametrize(
    ('bits', 'names'),
    [(0, []), (1, ['wet']), (5, ['wet', 'cold']), (np.int32(6), ['cold'])],
)
def test_decode(bits: int, names: list[str], flags: FlagSet) -> None:
    """Bits become names in order; bits without a name are passed over."""
    assert flags.decode(bits) == names


def test_any_set(flags: FlagSet) -> None:
    """One of several flags is enough."""
    assert flags.any_set([0, 1, 4, 2], 'wet', 'cold').tolist() == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize('value', [0, 3, -1, 12])
def test_flags_are_powers_of_two(value: int) -> None:
    """A flag is one bit."""
    with pytest.raises(ValueError, match="flag 'odd' must be a power of two"):
        Flag(value, 'odd', '')


def test_bits_are_not_shared() -> None:
    """Two flags on one bit are refused."""
    with pytest.raises(ValueError, match='two flags share a bit'):
        FlagSet([Flag(1, 'wet', ''), Flag(1, 'cold', '')])


def test_class_flags_are_documented() -> None:
    """The table has a line for each flag, and each flag says what it means."""
    lines = CLASS_FLAGS.document().splitlines()
    assert len(lines) == 2 + len(list(CLASS_FLAGS))
    for flag, line in zip(CLASS_FLAGS, lines[2:], strict=True):
        assert line == f'| {flag.value} | `{flag.name}` | {flag.description} |'
        assert flag.description


def test_class_flags_are_consecutive() -> None:
    """The bits are a contract: none moves and none is left out."""
    assert [flag.value for flag in CLASS_FLAGS] == [
        1 << bit for bit in range(len(list(CLASS_FLAGS)))
    ]
    assert CLASS_FLAGS.unscored == 1
    assert CLASS_FLAGS.cosmic_ray_hint == 2048


def test_pixel_bits_stand_once() -> None:
    """The bits of pixels are bits of a detection's flags, and fit eight bits."""
    assert set(PIXEL_FLAGS) <= set(CLASS_FLAGS)
    assert PIXEL_FLAGS.value('edge', 'masked', 'non_finite', 'no_signal') == 120
