"""Work on what a channel shows, without a viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

pytest.importorskip('ginga')

from ginga.AstroImage import AstroImage
from ginga.misc.log import get_logger
from ginga.util.loader import load_data

from astrosieve.images.measured import MeasuredImage
from astrosieve.source.exposures import ClassifyOptions
from astrosieve_plugins.ginga_classify.classify import classify, explain
from astrosieve_plugins.ginga_classify.shown import target_of
from astrosieve_plugins.ginga_classify.work import Job


def test_explanations_share_one_image(
    star_field: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels are read and measured again only after they were let go."""
    image = AstroImage(data_np=star_field.data)
    image.update_keywords({'BUNIT': 'ELECTRONS'})
    job = Job(lambda _share, _text: None)
    target = target_of(image)
    (result,) = classify(target, ClassifyOptions(model=str(tiny_model)), job)
    made = []
    of_chip = MeasuredImage.of_chip
    monkeypatch.setattr(
        MeasuredImage,
        'of_chip',
        lambda *given, **options: made.append(given) or of_chip(*given, **options),
    )
    rows = [row for row in result.table if row['class_name'] != 'unscored'][:3]
    place = float(rows[0]['x_centroid']), float(rows[0]['y_centroid'])
    first = explain(result, target, place, job)
    for row in rows[1:]:
        explain(result, target, (row['x_centroid'], row['y_centroid']), job)
    assert not made
    result.image = None
    again = explain(result, target, place, job)
    assert len(made) == 1
    assert again.probabilities == first.probabilities
    assert first.class_name == rows[0]['class_name']


def test_all_chips_of_a_file_that_does_not_number_them(
    star_field: Any, tiny_model: Path, tmp_path: Path
) -> None:
    """Extensions of one name without EXTVER are told apart, the one shown is first."""
    path = tmp_path / 'mosaic.fits'
    data = star_field.data.astype(np.float32)
    hdus = [fits.ImageHDU(data[::step], name='SCI') for step in (1, -1)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    image = load_data(f'{path}[SCI,2]', logger=get_logger('test', null=True))
    job = Job(lambda _share, _text: None)
    options = ClassifyOptions('peaks', model=str(tiny_model), unit='electron')
    results = classify(target_of(image), options, job, all_chips=True)
    assert [result.key[1] for result in results] == ['[SCI,2]', '[SCI,1]']
    first, second = (np.sort(result.table['y_centroid']) for result in results)
    assert len(first) == len(second) > 20
    assert np.allclose(first, np.sort(len(data) - 1 - second), atol=0.1)
