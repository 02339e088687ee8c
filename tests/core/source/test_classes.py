"""Colours and shapes of the classes of detections."""

from __future__ import annotations

import pytest

from astrosieve.classes import CONVENTIONS, UNSCORED
from astrosieve.source.classes import CLASSES


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_each_class_has_its_own_shape_and_colour(convention: str) -> None:
    """Whatever the convention, no two classes look alike, nor like unscored rows."""
    names = (*CLASSES, UNSCORED, 'quasar')
    markers = [CLASSES.marker(name, convention) for name in names]
    for each in ('color', 'matplotlib'):
        assert len({getattr(marker, each) for marker in markers}) == len(names)


def test_conventions_differ() -> None:
    """Each class has a colour for colour-blind eyes, but the grey one."""
    same = [
        name
        for name in CLASSES
        if CLASSES.marker(name) == CLASSES.marker(name, 'colour-blind')
    ]
    assert same == ['background']
