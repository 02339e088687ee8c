"""The table of instruments."""

from __future__ import annotations

from copy import deepcopy

import pytest

from astrosieve.images.instruments import INSTRUMENTS, Instrument, instrument
from astrosieve.images.units import PixelUnit


@pytest.mark.parametrize(
    ('name', 'detector', 'no_signal', 'saturated', 'cosmic_ray'),
    [
        ('ACS', 'WFC', 7, 256 | 2048, 4096 | 8192),
        ('ACS', 'HRC', 7, 256 | 2048, 4096 | 8192),
        ('WFC3', 'UVIS', 7, 256 | 2048, 4096 | 8192),
        ('wfc3 ', ' ir', 7 | 128, 256, 4096 | 8192),
        ('WFPC2', '1', 1 | 4 | 16, 8, 4096 | 8192),
        ('WFPC2', '', 1 | 4 | 16, 8, 4096 | 8192),
        ('STIS', 'CCD', 1 | 2 | 4 | 8, 256, 8192),
        ('', '', 7, 256 | 2048, 4096 | 8192),
        ('UNHEARD-OF', 'CCD', 7, 256 | 2048, 4096 | 8192),
    ],
)
def test_bits_of_instruments(
    name: str, detector: str, no_signal: int, saturated: int, cosmic_ray: int
) -> None:
    """Each instrument has the bits of its handbook; others read as ACS."""
    meaning = instrument(name, detector).dq
    assert meaning.no_signal == no_signal
    assert meaning.saturated == saturated
    assert meaning.cosmic_ray == cosmic_ray


@pytest.mark.parametrize('row', INSTRUMENTS, ids=lambda r: f'{r.name}{r.detector}')
def test_bits_agree_with_each_other(row: Instrument) -> None:
    """No bit has two meanings; what a pipeline writes is read as what it is."""
    meaning = row.dq
    assert not meaning.no_signal & (meaning.saturated | meaning.cosmic_ray)
    assert not meaning.saturated & meaning.cosmic_ray
    assert not meaning.hot & (
        meaning.no_signal | meaning.saturated | meaning.cosmic_ray
    )
    written = meaning.written
    assert set(written) == set(instrument().dq.written)
    assert meaning.no_signal & written['lost']
    assert meaning.no_signal & written['bad']
    assert meaning.hot & written['hot']
    assert meaning.saturated & written['full_well']


def test_a_detector_without_a_row_is_its_instrument() -> None:
    """WFPC2 has one row for three of its chips, and one for the fourth."""
    assert instrument('WFPC2', '1').fwhm == 1.6
    for detector in ('', '2', 'PC1'):
        assert instrument('wfpc2', detector) == instrument('WFPC2')
    assert instrument('WFPC2').fwhm == 1.4
    assert instrument('WFPC2').gains == {7: 7.12, 15: 13.99}
    assert instrument('WFPC2', '1').unit == PixelUnit('DN')


def test_an_unknown_camera_has_a_name_and_nothing_else() -> None:
    """Nothing is made up of what no handbook told us."""
    assert instrument('mine', 'ccd') == Instrument('MINE', 'CCD')
    assert instrument('ACS', 'SBC').fwhm is None
    assert instrument().unit is None


def test_rows_can_be_copied() -> None:
    """A meaning travels to other processes with the finder that holds it."""
    for row in INSTRUMENTS:
        assert deepcopy(row) == row
