"""The overlay of notebooks, without a notebook: its widgets and its pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('ginga')
pytest.importorskip('ipyevents')
pytest.importorskip('PIL')

from PIL import Image

from astrosieve.contaminant import CLASSES, Contaminants
from astrosieve.contaminant.flags import bits_of
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve_plugins.ginga_classify.notebook import ClassOverlay

SHAPE = (120, 160)


@pytest.fixture
def catalog() -> Table:
    """Two stars and a hit, the last flagged."""
    return Table(
        {
            'id': [1, 2, 3],
            'x_centroid': [30.0, 80.0, 130.0],
            'y_centroid': [30.0, 60.0, 90.0],
            'class_name': ['star', 'star', 'cosmic_ray'],
            'p_star': [0.9, 0.8, 0.25],
            'p_cosmic_ray': [0.1, 0.2, 0.75],
            'class_flags': [0, 0, CLASS_FLAGS.value('edge')],
        }
    )


@pytest.fixture
def contaminants() -> Contaminants:
    """A map in which a block of pixels is a cosmic ray."""
    bits = bits_of(CLASSES.names)
    mask = np.zeros(SHAPE, np.int16)
    mask[85:96, 125:136] = bits['cosmic_ray']
    return Contaminants(
        np.zeros((len(CLASSES), *SHAPE), np.float16), mask, CLASSES.names, bits, {}
    )


def pixels(overlay: ClassOverlay) -> np.ndarray:
    """Return what the notebook is sent."""
    overlay.viewer.redraw_now(whence=0)
    picture = Image.open(io.BytesIO(overlay.children[0].value))
    return np.array(picture.convert('RGB')).astype(int)


def coloured(overlay: ClassOverlay) -> int:
    """Return how many pixels of the picture are no grey."""
    shown = pixels(overlay)
    return int((shown.max(axis=2) - shown.min(axis=2) > 40).sum())


def made(*given: Any) -> ClassOverlay:
    image = np.random.default_rng(0).normal(0, 1, SHAPE)
    return ClassOverlay(image, *given, width=320, height=240)


def test_classes_go_on_and_off(catalog: Table) -> None:
    """Each by its switch, which says how many there are."""
    overlay = made(catalog)
    assert list(overlay.switches) == ['star', 'cosmic_ray']
    assert overlay.switches['star'].description == 'star (2)'
    assert pixels(overlay).shape == (240, 320, 3)
    every = coloured(overlay)
    overlay.switches['star'].value = False
    hits = coloured(overlay)
    overlay.switches['cosmic_ray'].value = False
    assert coloured(overlay) == 0 < hits < every
    overlay.switches['star'].value = overlay.switches['cosmic_ray'].value = True
    assert coloured(overlay) == every


def test_the_map_lies_between(catalog: Table, contaminants: Contaminants) -> None:
    """Over the image, below the markers; none is there at first."""
    overlay = made(catalog, contaminants)
    assert list(overlay.layers) == ['cosmic_ray']
    before = coloured(overlay)
    overlay.layers['cosmic_ray'].value = True
    tags = [each.tag for each in overlay.viewer.get_canvas().get_objects()]
    assert tags.index('astrosieve-map') < tags.index('astrosieve-classes')
    assert coloured(overlay) > before + 200
    overlay.layers['cosmic_ray'].value = False
    assert coloured(overlay) == before


def test_a_click_tells(catalog: Table) -> None:
    """Class, probabilities and flags of the marker; a click beside it, nothing."""
    overlay = made(catalog)
    viewer = overlay.viewer
    viewer.make_callback('cursor-down', 1, 130.4, 89.5)
    told = overlay.children[1].children[-1]
    assert '3: cosmic ray' in told.value
    assert 'cosmic ray 0.750' in told.value
    assert 'edge' in told.value
    assert overlay.markers.selected.tolist() == [2]
    viewer.make_callback('cursor-down', 1, 60.0, 110.0)
    assert told.value == 'Click a marker.'
    assert overlay.markers.selected.tolist() == []


def test_zoom_is_at_hand(catalog: Table) -> None:
    """By buttons, since the wheel scrolls the page."""
    overlay = made(catalog)
    scale = overlay.viewer.get_scale()
    out, closer, fit = overlay.children[1].children[0].children
    closer.click()
    assert overlay.viewer.get_scale() > scale
    out.click()
    fit.click()
    assert overlay.viewer.get_scale() == pytest.approx(scale)


def test_what_does_not_fit_is_refused(
    catalog: Table, contaminants: Contaminants
) -> None:
    """A cube, and a map of another image."""
    with pytest.raises(ValueError, match='2D image'):
        ClassOverlay(np.zeros((2, 9, 9)), catalog)
    with pytest.raises(ValueError, match='must be of the image'):
        ClassOverlay(np.zeros((9, 9)), catalog, contaminants)
    assert coloured(made(catalog[:0])) == 0
