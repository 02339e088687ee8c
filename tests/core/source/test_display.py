"""How a classified catalogue shows itself in a notebook."""

from __future__ import annotations

import re

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from astrosieve.source import CLASSES, view_classes
from astrosieve.source import display as module

SHAPE = (100, 200)


def catalog(n: int = 3) -> Table:
    table = Table(
        {
            'x_centroid': np.linspace(10, 190, n),
            'y_centroid': np.linspace(0, 99, n),
            'class_name': np.resize(['star', 'cosmic_ray'], n),
        }
    )
    table.meta |= {'model': '<b>mine</b> 1.0', 'warnings': ''}
    return table


def marks(html: str) -> list[tuple[float, float]]:
    """Return where markers are drawn in the picture, pixels of the screen."""
    inside = html[html.index('<image') : html.index('</svg>', html.index('<image'))]
    places = re.findall(r'translate\(([\d.]+) ([\d.]+)\)', inside)
    return [(float(x), float(y)) for x, y in places]


def test_markers_lie_on_their_pixels() -> None:
    """The first row is below; positions that are not finite are left out."""
    table = catalog()
    table['x_centroid'][1] = np.nan
    html = view_classes(np.zeros(SHAPE), table)._repr_html_()
    scale = 420 / 200
    expected = [(10.5 * scale, 99.5 * scale), (190.5 * scale, 0.5 * scale)]
    assert marks(html) == [pytest.approx(place, abs=0.06) for place in expected]


@pytest.mark.parametrize('convention', ['report', 'colour-blind'])
def test_the_legend_counts(convention: str) -> None:
    """Each class in its colour; what a table holds is no markup."""
    view = view_classes(np.zeros(SHAPE) * u.electron, catalog(), convention=convention)
    html = view._repr_html_()
    assert view.counts == {'star': 2, 'cosmic_ray': 1}
    for name, number in view.counts.items():
        assert html.count(CLASSES.marker(name, convention).color) == number + 1
        assert f'>{name}</td>' in html
    assert '&lt;b&gt;mine' in html
    assert '<script' not in html
    assert 'http' not in html
    assert repr(view) == '<ClassView 200x100 pixels: 2 star, 1 cosmic_ray>'


def test_crowds_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brightest stay, and it is said."""
    monkeypatch.setattr(module, '_MARKS', 5)
    table = catalog(40)
    table['flux'] = np.arange(40.0)
    html = view_classes(np.zeros(SHAPE), table)._repr_html_()
    assert len(marks(html)) == 5
    assert min(x for x, _ in marks(html)) > 360
    assert 'the brightest 5 are drawn' in html


def test_nothing_to_show() -> None:
    """No detections are the image alone; a cube and odd colours are refused."""
    html = view_classes(np.zeros(SHAPE), catalog()[:0])._repr_html_()
    assert marks(html) == []
    with pytest.raises(ValueError, match='2D image'):
        view_classes(np.zeros((2, 3, 4)), catalog())
    with pytest.raises(ValueError, match='convention must be one of'):
        view_classes(np.zeros(SHAPE), catalog(), convention='grey')
