"""Meaning of DQ bits."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.dq import dq_to_mask
from astrosieve.images.instruments import dq_meaning


@pytest.mark.parametrize(
    ('instrument', 'detector', 'no_signal', 'saturated', 'cosmic_ray'),
    [
        ('ACS', 'WFC', 7, 256 | 2048, 4096 | 8192),
        ('ACS', 'HRC', 7, 256 | 2048, 4096 | 8192),
        ('WFC3', 'UVIS', 7, 256 | 2048, 4096 | 8192),
        ('wfc3 ', ' ir', 7 | 128, 256, 4096 | 8192),
        ('WFPC2', '1', 1 | 4 | 16, 8, 4096 | 8192),
        ('WFPC2', '', 1 | 4 | 16, 8, 4096 | 8192),
        ('STIS', 'CCD', 1 | 4 | 8, 256, 8192),
        ('', '', 7, 256 | 2048, 4096 | 8192),
        ('UNHEARD-OF', 'CCD', 7, 256 | 2048, 4096 | 8192),
    ],
)
def test_bits_of_instruments(
    instrument: str, detector: str, no_signal: int, saturated: int, cosmic_ray: int
) -> None:
    """Each instrument has the bits of its handbook; others read as ACS."""
    meaning = dq_meaning(instrument, detector)
    assert meaning.no_signal == no_signal
    assert meaning.saturated == saturated
    assert meaning.cosmic_ray == cosmic_ray


def test_meanings_do_not_overlap() -> None:
    """No bit says that a pixel has no signal and is saturated as well."""
    for instrument in ('ACS', 'WFPC2', 'STIS'):
        meaning = dq_meaning(instrument)
        assert not meaning.no_signal & (meaning.saturated | meaning.cosmic_ray)
        assert not meaning.saturated & meaning.cosmic_ray


@pytest.mark.parametrize('dtype', ['i2', '>i2', 'u2', 'i4', '>i4', 'i8', 'u1'])
def test_any_integer_type(dtype: str) -> None:
    """The mask is the same for every integer type; bits it lacks are not set."""
    dq = np.array([[0, 4, 16], [20, 1, 2]], dtype=dtype)
    expected = [[False, True, False], [True, False, False]]
    assert dq_to_mask(dq, 4 | 8192).tolist() == expected


@pytest.mark.parametrize('dtype', [float, bool])
def test_other_types_are_refused(dtype: type) -> None:
    """Only integers are bit fields."""
    with pytest.raises(ValueError, match='dq must be an integer array'):
        dq_to_mask(np.zeros((2, 2), dtype=dtype), 4)
