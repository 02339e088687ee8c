"""Finders of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.finders import (
    DEFAULT_FWHM,
    detect,
    get_finder,
    list_finders,
)
from astrosieve.tables.catalogs import positions


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A distribution that registers the finder 'notes'; what it was called with."""
    noted: list[dict[str, Any]] = []
    info = tmp_path / 'fake_finder-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: fake-finder\n')
    (info / 'entry_points.txt').write_text(
        '[astrosieve.finders]\nnotes = fake_finder:make\n'
    )
    (tmp_path / 'fake_finder.py').write_text(
        'calls = []\n'
        'def make(*, threshold, fwhm, scale):\n'
        '    def find(data, mask=None):\n'
        '        calls.append(dict(threshold=threshold, fwhm=fwhm, scale=scale,\n'
        '                          data=data, mask=mask))\n'
        '    return find\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__('sys').modules, 'fake_finder', raising=False)
    import fake_finder  # type: ignore[import-not-found]

    monkeypatch.setattr(fake_finder, 'calls', noted)
    return noted


def test_finders_of_other_distributions(calls: list) -> None:
    """An entry point adds a finder by name, beside ours."""
    assert {'dao', 'iraf', 'notes', 'peaks'} <= set(list_finders())
    assert get_finder('notes').__module__ == 'fake_finder'


def test_unknown_finder() -> None:
    """The message lists those installed."""
    with pytest.raises(AstrosieveError, match=r"no finder 'soup'; installed are .*dao"):
        get_finder('soup')


def test_finder_sees_a_flat_sky(calls: list) -> None:
    """It is given the image without sky, and nsigma times the noise."""
    image = np.random.default_rng(2).normal(300, 7, (80, 90)).astype(np.float32)
    before = image.copy()
    given = MeasuredImage.of(image, fwhm=1.9, unit='DN', gain=2.5)
    assert detect(given, 'notes', nsigma=4) is None
    (call,) = calls
    assert call['threshold'] == pytest.approx(28, rel=0.03)
    assert (call['fwhm'], call['scale'], call['mask']) == (1.9, 2.5, None)
    assert np.median(call['data']) == pytest.approx(0, abs=0.5)
    assert np.array_equal(image, before)


def test_spoilt_pixels_are_masked_and_harmless(calls: list) -> None:
    """They are zero for the finder, so that no NaN spreads, and in its mask."""
    image = np.random.default_rng(2).normal(0, 7, (80, 90)).astype(np.float32)
    image[3, 4] = np.nan
    mask = np.zeros(image.shape, dtype=bool)
    mask[7, 8] = True
    detect(MeasuredImage.of(image, mask=mask, fwhm=1.9), 'notes')
    assert calls[0]['data'][3, 4] == calls[0]['data'][7, 8] == 0
    assert np.argwhere(calls[0]['mask']).tolist() == [[3, 4], [7, 8]]


def test_unknown_width(calls: list) -> None:
    """Where too few stars tell the width, finders are given two pixels."""
    noise = np.random.default_rng(2).normal(0, 7, (80, 90))
    detect(MeasuredImage.of(noise), 'notes')
    assert calls[0]['fwhm'] == DEFAULT_FWHM == 2


@pytest.mark.parametrize('name', ['dao', 'iraf', 'peaks'])
def test_nan_without_a_mask(name: str, star_field) -> None:
    """A NaN pixel that nobody named costs at most what is next to it."""
    star_field.data[110, 110] = np.nan
    table = detect(MeasuredImage.of(star_field.data, fwhm=star_field.fwhm), name)
    offsets = positions(table)[:, None] - star_field.stars[None]
    assert (np.hypot(*offsets.T) < 1).any(axis=1).all()


@pytest.mark.parametrize(
    'image',
    [np.zeros((0, 0)), np.zeros((20, 20)), np.full((20, 20), np.nan), np.ones((1, 1))],
    ids=['empty', 'one value', 'nan', 'one pixel'],
)
def test_nothing_to_detect(image: np.ndarray, calls: list) -> None:
    """Without noise there is no threshold; the finder is not asked."""
    assert detect(MeasuredImage.of(image), 'notes') is None
    assert calls == []


@pytest.mark.parametrize('value', [0, -2.0, float('nan')])
def test_threshold_must_be_positive(value: float) -> None:
    """The message names the parameter."""
    with pytest.raises(ValueError, match=f'nsigma must be positive; got {value}'):
        detect(MeasuredImage.of(np.zeros((9, 9))), 'dao', nsigma=value)


def test_result_is_the_finders(star_field) -> None:
    """What the finder returns is handed on."""
    table = detect(MeasuredImage.of(star_field.data, fwhm=star_field.fwhm), 'dao')
    assert isinstance(table, Table)
    assert 'sharpness' in table.colnames
