"""Finders of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.finders import (
    DEFAULT_FWHM,
    detect,
    get_finder,
    list_finders,
    with_saturated,
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


class TestSaturated:
    """Plateaus get a row each."""

    @pytest.fixture
    def image(self) -> MeasuredImage:
        """Three groups of 5x5 saturated pixels and their light, one bleeding."""
        sky = np.random.default_rng(3).normal(10, 2, (80, 90)).astype(np.float32)
        dq = np.zeros(sky.shape, np.int16)
        for x, y in ((20, 20), (60, 20), (40, 60)):
            sky[y - 4 : y + 5, x - 4 : x + 5] += 200
            dq[y - 2 : y + 3, x - 2 : x + 3] = 256
        dq[5:36, 20] = 256
        sky[dq != 0] = 5010
        return MeasuredImage.of(sky, dq=dq, unit='electron')

    def test_rows(self, image: MeasuredImage) -> None:
        """
        The finder's row stays where it is at the middle; else there is one for it.

        What lies on a bleed, and elsewhere, is the finder's affair.
        """
        found = Table(
            {
                'id': [1, 2, 3, 4, 5, 6],
                'x_centroid': [20.3, 21.8, 20.0, 62.2, 5.0, np.nan],
                'y_centroid': [20.2, 20.0, 34.0, 20.0, 5.0, 3.0],
                'sharpness': [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
                'n_pixels': [25, 25, 25, 25, 25, 25],
                'peak': np.full(6, 7.0),
                'flux': np.full(6, 8.0),
                'note': list('abcdef'),
            }
        )
        table = with_saturated(image, found)
        assert table is not None
        assert table['id'].tolist() == [1, 2, 3, 4, 5, 6]
        assert table['note'].tolist() == ['a', 'c', 'e', 'f', '', '']
        new = table[4:]
        assert new['x_centroid'].tolist() == [60, 40]
        assert new['y_centroid'].tolist() == [20, 60]
        assert np.isnan(new['sharpness']).all()
        assert new['n_pixels'].tolist() == [0, 0]
        assert np.allclose(new['peak'], 5000, atol=1)
        assert np.allclose(new['flux'], 25 * 5000, rtol=1e-3)
        assert table['flux'][:4].tolist() == [8, 8, 8, 8]

    def test_nothing_found(self, image: MeasuredImage) -> None:
        """Where the finder finds nothing they are all there is."""
        table = with_saturated(image, None)
        assert table is not None
        assert np.allclose(positions(table), [(20, 20), (60, 20), (40, 60)])

    @pytest.mark.parametrize('light', [0, 200])
    def test_no_light_about(self, image: MeasuredImage, light: float) -> None:
        """What bled without light about it is no star's: the finder's rows stay."""
        image.sci[56:65, 36:45][image.dq[56:65, 36:45] == 0] = 10 + light
        found = Table({'x_centroid': [41.4, 42.0], 'y_centroid': [60.0, 62.0]})
        table = with_saturated(image, found)
        assert table is not None
        own = [(40, 60)] if light else [(41.4, 60), (42, 62)]
        alone = [(20, 20), (60, 20)]
        assert sorted(map(tuple, positions(table).tolist())) == sorted(own + alone)

    def test_units(self, image: MeasuredImage) -> None:
        """Columns keep their units and kinds."""
        found = QTable({'x_peak': [3], 'y_peak': [4], 'peak_value': [9.0] * u.electron})
        table = with_saturated(image, found)
        assert isinstance(table, QTable)
        assert table['x_peak'].tolist() == [3, 20, 60, 40]
        assert table['x_peak'].dtype == found['x_peak'].dtype
        assert table['peak_value'].unit == u.electron

    def test_none_saturated(self, star_field) -> None:
        """Without plateaus the finder's table is handed on."""
        image = MeasuredImage.of(star_field.data, fwhm=star_field.fwhm)
        found = Table({'x_centroid': [1.0], 'y_centroid': [2.0]})
        assert with_saturated(image, found) is found
        assert with_saturated(image, None) is None
