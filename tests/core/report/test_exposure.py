"""The page of an exposure: what it says is what the tasks say."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.classes import words
from astrosieve.contaminant.segment import segment_image
from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve.images.exposures import read_chips
from astrosieve.models.registry import load_model
from astrosieve.report import ReportOptions, exposure_report
from astrosieve.source.exposures import ClassifyOptions, classify_exposure

Write = Callable[..., Path]

# The stars of the test's field lie on a grid, and are called doubled for it.
pytestmark = pytest.mark.filterwarnings(
    'ignore:.*_flc:astrosieve.exceptions.AstrosieveWarning'
)


@pytest.fixture
def options(tiny_model: Path, pixels_model: Path) -> ReportOptions:
    """Networks made by hand; where stars are rare the first is not sure of them."""
    rare = {'star': 1e-5}
    classify = ClassifyOptions(model=tiny_model, finder='peaks', prior=rare)
    return ReportOptions(classify, pixels_model)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_it_says_what_the_tasks_say(flc: Path, options: ReportOptions) -> None:
    """Counts, widths, shares of the map, and the map itself, of both chips."""
    image_module = pytest.importorskip('matplotlib.image')
    report = exposure_report(flc, options)
    table = classify_exposure(flc, options.classify)
    names = table['class_name'].tolist()
    assert report.classes == {name: names.count(name) for name in set(names)}
    data = data_of(report.page)
    assert data['ids'] == [str(number) for number in table['id']]
    counts = data['report']['counts']
    assert counts['images'] == ['SCI,1', 'SCI,2']
    assert sum(sum(row[1:]) for row in counts['rows']) == len(table)
    model = load_model(options.map_model)
    masks = [
        segment_image(options.classify.measured(chip), model)
        for chip in read_chips(flc)
    ]
    shares = {
        name: sum(int(each.where(name).sum()) for each in masks)
        / sum(each.mask.size for each in masks)
        for name in model.card.classes
    }
    assert report.shares == {name: n for name, n in shares.items() if n}
    first = data['layers'][0]
    assert (first['name'], first['colour']) == ('cosmic rays', '#f0001e')
    assert first['said'] == f'{100 * shares["cosmic_ray"]:.2g} %'
    for each, found in zip(first['pictures'], masks, strict=True):
        png = image_module.imread(io.BytesIO(base64.b64decode(each['png'])))
        assert np.array_equal(png[::-1, :, 3] > 0, found.where('cosmic_ray'))


def test_doubts_say_which_classes_compete(flc: Path, options: ReportOptions) -> None:
    """The least sure first; probabilities, flags and pixels of each."""
    table = classify_exposure(flc, options.classify)
    p = np.column_stack(
        [table[f'p_{name}'] for name in ('star', 'cosmic_ray', 'spike')]
    )
    best = p.max(axis=1)
    report = exposure_report(flc, options)
    told = data_of(report.page)['report']
    assert told['doubtful'] == report.doubtful == int((best < 0.95).sum()) > 3
    shown = [int(each['id']) - 1 for each in told['doubts']]
    assert len(shown) == min(report.doubtful, 24)
    assert best[shown].tolist() == sorted(best[np.isfinite(best)])[: len(shown)]
    first, row = told['doubts'][0], shown[0]
    assert first['class'] == words(table['class_name'][row])
    (name, share), *_ = first['rivals']
    assert share == pytest.approx(best[row])
    assert table[f'p_{name.replace(" ", "_")}'][row] == pytest.approx(share)
    assert first['picture'].startswith('data:image/png;base64,')


def test_the_psf_and_its_stars(flc: Path, options: ReportOptions) -> None:
    """Width, and from where: stars with their pixels, a given one, the camera's."""
    (first, _) = data_of(exposure_report(flc, options).page)['report']['psf']
    chip = next(iter(read_chips(flc)))
    image = options.classify.measured(chip)
    assert first['fwhm'] == image.fwhm
    number = len(image.psf_stars.places)
    assert number > 3
    assert first['said'] == f'measured on {number} stars'
    assert len(first['stars']) == min(number, 12)
    radius, light = np.array(first['profile']).T
    assert radius.max() < 3 * image.fwhm
    assert np.median(light[radius < 0.7]) > 5 * np.median(light[radius > 3])
    classify = ClassifyOptions(model=options.classify.model, finder='peaks', fwhm=2.0)
    given = exposure_report(flc, ReportOptions(classify, None))
    told = data_of(given.page)
    assert given.fwhm == [2.0, 2.0]
    assert told['report']['psf'][0]['said'] == (
        f'as it was given; {image.fwhm:.2f} pixels where measured on {number} stars'
    )
    assert told['report']['psf'][0]['stars'] == first['stars']
    assert (told['layers'], given.shares, given.verdict) == ([], {}, '')


def test_where_it_is_from(flc: Path, options: ReportOptions) -> None:
    """Models with their hashes, versions, options, and the input's own hash."""
    rows = data_of(exposure_report(flc, options).page)['report']['provenance']
    told = dict(rows)
    for name, model in (
        ('classes', options.classify.model),
        ('map', options.map_model),
        ('verdict', 'contaminant-verdict'),
    ):
        assert load_model(model).card.sha256 in told[name]
    assert 'finder peaks' in told['j1_flc.fits[SCI,1]']
    assert 'unit electron' in told['j1_flc.fits[SCI,1]']
    assert {'astrosieve', 'Python', 'onnxruntime'} <= set(told['software'].split())
    assert 'SHA-256' in told['input']
    assert str(flc.parent) not in told['input']


def test_headers_are_no_markup(
    tmp_path: Path, write_flc: Write, star_field: Any, options: ReportOptions
) -> None:
    """Whatever a header or a name holds is shown as text, and ends no element."""
    evil = '</script><b>x'
    path = write_flc(tmp_path / '<i>_flc.fits', [star_field.data], TARGNAME=evil)
    page = exposure_report(path, options).page
    assert evil not in page
    assert '<i>' not in page.split('id="data"')[0]
    assert ['target', evil] in data_of(page)['report']['facts']


def test_warnings_are_said_and_shown(
    tmp_path: Path, write_flc: Write, options: ReportOptions
) -> None:
    """An image of one value: nothing is found, and the page says so."""
    path = write_flc(tmp_path / 'flat_flc.fits', [np.full((80, 90), 7.0)])
    with pytest.warns(AstrosieveWarning) as heard:
        report = exposure_report(path, options)
    said = list(dict.fromkeys(str(each.message) for each in heard))
    told = data_of(report.page)
    assert told['report']['warnings'] == said == list(report.warnings)
    assert any('nothing can be detected' in text for text in said)
    assert report.classes == {}
    assert (told['ids'], told['report']['doubts']) == ([], [])


def test_no_page_of_a_damaged_file(tmp_path: Path) -> None:
    """The error is that of all commands."""
    path = tmp_path / 'a.fits'
    path.write_bytes(b'SIMPLE  = no')
    with pytest.raises(ExposureError):
        exposure_report(path)
