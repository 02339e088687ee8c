"""Catalogues of whole exposures."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from photutils.utils.exceptions import NoDetectionsWarning

from astrosieve.exceptions import CatalogError
from astrosieve.images import measured
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.units import PixelUnit
from astrosieve.source.exposures import (
    ClassifyOptions,
    classify_chip,
    classify_exposure,
)
from astrosieve.source.flags import CLASS_FLAGS


@pytest.fixture
def options(tiny_model: Path) -> ClassifyOptions:
    return ClassifyOptions(model=str(tiny_model), fwhm=2.4)


def test_every_chip_is_done_with_unique_ids(
    flc: Path, options: ClassifyOptions
) -> None:
    """Rows of both chips follow each other; ids count on; extver says which."""
    table = classify_exposure(flc, options)
    assert sorted(set(table['extver'])) == [1, 2]
    assert list(table['id']) == list(range(1, len(table) + 1))
    assert np.all(np.diff(table['extver']) >= 0)
    assert json.loads(table.meta['options'])['finder'] == 'dao'
    assert table.meta['unit'] == 'electron'


def test_the_columns_are_those_of_the_contract(
    flc: Path, options: ClassifyOptions
) -> None:
    """Positions, the finder's columns, sky, classes, flags, chip: in this order."""
    names = classify_exposure(flc, options).colnames
    assert names[:3] == ['id', 'x_centroid', 'y_centroid']
    assert names[-6:] == [
        'class_name',
        'p_star',
        'p_cosmic_ray',
        'p_spike',
        'class_flags',
        'extver',
    ]
    assert names[-7] == 'sky_centroid'
    assert {'sharpness', 'roundness1', 'flux'} <= set(names[3:-7])


def test_stars_and_hits_of_a_chip_are_told_apart(
    flc: Path, options: ClassifyOptions, star_field
) -> None:
    """Each detected star of the synthetic field is a star, each hit is not."""
    options = replace(options, finder='peaks')  # dao drops most hits by itself
    table = classify_exposure(flc, options, ext='SCI,1')
    xy = np.column_stack([table['x_centroid'], table['y_centroid']])
    names = np.asarray(table['class_name'], dtype=str)
    for truth, expected in ((star_field.stars, True), (star_field.hits, False)):
        distance = np.hypot(*(xy[:, None] - truth[None]).transpose(2, 0, 1))
        found = distance.min(axis=1) < 1
        assert found.sum() == len(truth)
        assert np.all((names[found] == 'star') == expected)


def test_sky_positions_are_those_of_the_chip(
    flc: Path, options: ClassifyOptions
) -> None:
    """The sky position of a row is what the WCS of its own chip gives."""
    table = classify_exposure(flc, options)
    for chip in read_chips(flc):
        row = table[table['extver'] == chip.extver][0]
        sky = chip.wcs.pixel_to_world(row['x_centroid'], row['y_centroid'])
        assert sky.separation(row['sky_centroid']).arcsec < 1e-6


def test_rows_of_a_catalog_keep_order_and_columns(
    flc: Path, options: ClassifyOptions
) -> None:
    """Rows of two chips in mixed order come back in that order, columns kept."""
    found = classify_exposure(flc, options)
    shuffled = found['x_centroid', 'y_centroid', 'extver'].copy()
    order = np.random.default_rng(3).permutation(len(found))
    shuffled = QTable(shuffled[order])
    shuffled['mine'] = order
    table = classify_exposure(flc, options, catalog=shuffled)
    assert np.array_equal(table['mine'], order)
    assert np.array_equal(table['class_name'], found['class_name'][order])
    assert np.array_equal(table['p_star'], found['p_star'][order])


def test_a_catalog_of_one_based_positions(flc: Path, options: ClassifyOptions) -> None:
    """With origin 1 the same source is classified as with origin 0."""
    found = classify_exposure(flc, options, ext='SCI,2')
    named = Table({'X': found['x_centroid'] + 1, 'Y': found['y_centroid'] + 1})
    options = ClassifyOptions(model=options.model, origin=1, columns=('X', 'Y'))
    table = classify_exposure(flc, options, ext='SCI,2', catalog=named)
    assert np.allclose(table['x_centroid'], found['x_centroid'])
    assert np.array_equal(table['X'], named['X'])
    assert np.array_equal(table['class_name'], found['class_name'])


def test_several_chips_need_extver(flc: Path, options: ClassifyOptions) -> None:
    """Without extver and ext nobody knows which chip is meant."""
    catalog = Table({'x': [1.0], 'y': [2.0]})
    with pytest.raises(CatalogError, match=r"no column extver.*ext='SCI,1'"):
        classify_exposure(flc, options, catalog=catalog)


def test_a_chip_that_is_not_there_is_named(flc: Path, options: ClassifyOptions) -> None:
    """A wrong extver in a catalogue is an error that names it."""
    catalog = Table({'x': [50.0], 'y': [50.0], 'extver': [4]})
    with pytest.raises(CatalogError, match='no chip for extver 4'):
        classify_exposure(flc, options, catalog=catalog)


def test_rows_of_other_chips_keep_their_place(
    flc: Path, options: ClassifyOptions
) -> None:
    """Where one chip is asked for, rows of the other stay, unscored and flagged."""
    catalog = Table({'x': [50.0, 60.0], 'y': [50.0, 60.0], 'extver': [2, 1]})
    table = classify_exposure(flc, options, ext='SCI,1', catalog=catalog)
    assert list(table['extver']) == [2, 1]
    assert table['class_name'][0] == 'unscored'
    assert table['class_flags'][0] == CLASS_FLAGS.value('unscored', 'other_chip')
    assert table['class_name'][1] != 'unscored'


def test_an_empty_sky_gives_an_empty_table(
    tmp_path: Path, options: ClassifyOptions
) -> None:
    """No detection: no row, all class columns."""
    noise = np.random.default_rng(1).normal(10, 1, (64, 64)).astype(np.float32)
    path = tmp_path / 'empty.fits'
    fits.PrimaryHDU(noise, fits.Header({'BUNIT': 'electron'})).writeto(path)
    options = replace(options, nsigma=50)
    with pytest.warns(NoDetectionsWarning, match='No sources were found'):
        table = classify_exposure(path, options)
    assert len(table) == 0
    assert {'class_name', 'p_star', 'class_flags', 'extver'} <= set(table.colnames)


@pytest.mark.parametrize('model', ['tiny_model', 'scales_model'])
@pytest.mark.parametrize('finder', ['dao', None])
def test_each_thing_is_measured_once(
    model: str,
    finder: str | None,
    star_field,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Finder, network and caution share what is measured of one chip."""
    calls: Counter[str] = Counter()
    for name in (
        'spoilt_pixels',
        'measure_background',
        'measure_mesh',
        'find_psf_stars',
        'measure_traits',
    ):
        original = getattr(measured, name)

        def counted(*args: Any, _name: str = name, _call: Any = original, **known: Any):
            calls[_name] += 1
            return _call(*args, **known)

        for module in list(sys.modules.values()):
            if getattr(module, name, None) is original:
                monkeypatch.setattr(module, name, counted)
    data = np.tile(star_field.data, (2, 2))
    data[3, 3] = np.nan
    chip = Chip(data, Path('a.fits'), unit=PixelUnit('electron'))
    options = ClassifyOptions(model=str(request.getfixturevalue(model)))
    catalog = None if finder else Table({'x': [30.0], 'y': [30.0]})
    table = classify_chip(chip, options, catalog)
    assert len(table)
    assert table.meta['fwhm'] == pytest.approx(2.4, rel=0.1)
    assert calls == dict.fromkeys(calls, 1)
    assert len(calls) == 5
