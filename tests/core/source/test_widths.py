"""Stars that a network chooses, by which the width of the PSF is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve import load_model
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.classify import image_for
from astrosieve.source.preprocessing import (
    fit_image,
    fit_without_width,
    get_preprocessing,
)
from astrosieve.source.widths import star_chooser


def test_the_network_is_asked_under_each_width(
    scales_model: Path, star_field: Any
) -> None:
    """Probabilities of the class star, by place and width; nothing where none is."""
    model = load_model(scales_model)
    chooser = star_chooser(model)
    image = image_for(model, star_field.data, unit='electron')
    places = np.vstack([star_field.stars[:4], [[-50, -50]]])
    widths, likely = chooser(image, places)
    assert likely.shape == (5, len(widths))
    assert (np.diff(widths) > 0).all()
    assert (likely[-1] == 0).all()
    preprocessing = get_preprocessing(model.card.preprocessing)
    star = model.card.classes.index('star')
    for width, found in zip(widths, likely[:4].T, strict=True):
        told = fit_without_width(preprocessing, image).told(width)(places[:4]).inputs
        assert found == pytest.approx(model.predict(told)[:, star])


@pytest.mark.parametrize('name', ['source-isr2024', 'source-multiscale-1.0'])
def test_networks_that_choose_none(name: str) -> None:
    """One is told no width, the other learnt what rules say."""
    assert star_chooser(load_model(name)) is None


def test_an_image_is_prepared_once(star_field: Any) -> None:
    """For the choice of stars and for all detections; only the width is added."""
    model = load_model('source')
    image = image_for(model, star_field.data, unit='electron')
    preprocessing = get_preprocessing(model.card.preprocessing)
    fitted = fit_image(preprocessing, image)
    again = fit_without_width(preprocessing, image)
    assert again.wide is fitted.wide
    assert fitted.fwhm == pytest.approx(image.weighed_fwhm)
    assert np.isnan(again.fwhm)
    other = MeasuredImage.of(star_field.data)
    assert fit_without_width(preprocessing, other).wide is not fitted.wide
