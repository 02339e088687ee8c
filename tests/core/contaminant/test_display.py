"""How a map shows itself in a notebook."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from astrosieve.contaminant import CLASSES, Contaminants
from astrosieve.contaminant.segment import segment_image
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model


@pytest.fixture
def found(image: np.ndarray, model: Model) -> Contaminants:
    return segment_image(MeasuredImage.of(image), model)


def pixels(html: str) -> np.ndarray:
    image_module = pytest.importorskip('matplotlib.image')
    png = re.search(r'base64,([^"]*)"', html)
    assert png is not None
    read = image_module.imread(io.BytesIO(base64.b64decode(png[1])))
    return np.rint(255 * read[::-1, :, :3]).astype(int)


def test_a_map_shows_itself(found: Contaminants, model: Model) -> None:
    """In the colours of its classes over the image, with what share each holds."""
    html = found._repr_html_()
    shown = pixels(html)
    assert shown.shape == (*found.mask.shape, 3)
    grey = np.ptp(shown, axis=2) == 0
    # what holds no class is grey; what does has its colour
    assert (grey | (found.mask != 0)).all()
    assert np.ptp(shown[40, 50]) > 100
    held = [name for name in found.classes if found.where(name).any()]
    for name in held:
        share = found.where(name).mean()
        assert f'>{name}</td>' in html
        assert f'>{100 * share:.2g} %</td>' in html
        assert CLASSES.marker(name).color in html
    assert html.count('<tr>') == len(held) + 1
    assert f'{model.card.name} {model.card.version}' in html


def test_a_map_without_its_image(found: Contaminants) -> None:
    """Its colours are on black; an empty one says so."""
    shown = pixels(replace(found, image=None)._repr_html_())
    assert (shown[found.mask == 0] == 0).all()
    nothing = replace(found, mask=np.zeros_like(found.mask))
    assert 'no pixel is spoilt' in nothing._repr_html_()
