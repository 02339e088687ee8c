"""Colours and shapes of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from astrosieve.classes import Marker
from astrosieve.source.classes import CLASSES, CONVENTIONS, MARKERS, marker_for
from astrosieve.tables.catalogs import UNSCORED


@pytest.mark.parametrize('name', CONVENTIONS)
def test_each_class_has_its_own_shape_and_colour(name: str) -> None:
    """Whatever the convention, no two classes look alike."""
    markers: Mapping[str, Marker] = CONVENTIONS[name]
    assert set(markers) == {*CLASSES, UNSCORED}
    assert len({marker.color for marker in markers.values()}) == len(markers)
    assert len({marker.matplotlib for marker in markers.values()}) == len(markers)


def test_conventions_share_shapes() -> None:
    """Colours alone differ, so that a shape always means the same class."""
    for name, marker in MARKERS.items():
        other = marker_for(name, 'colour-blind')
        assert other.color != marker.color or name in ('background', UNSCORED)
        assert (other.matplotlib, other.ds9) == (marker.matplotlib, marker.ds9)


def test_unknown_names() -> None:
    """Classes of other people's models share a marker; a convention must exist."""
    assert marker_for('galaxy') == marker_for('quasar', 'colour-blind')
    with pytest.raises(ValueError, match='convention must be one of report'):
        marker_for('star', 'neon')
