"""
Instruments: what is known of each detector, in one place.

A camera is added by a row of the table: all that reads, finds, simulates and labels
its images takes what it needs from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from astrosieve.images.dq import DQMeaning
from astrosieve.images.units import PixelUnit

__all__ = ['INSTRUMENTS', 'WFC3_IR', 'Instrument', 'instrument']

Area = tuple[slice, tuple[slice, ...]]

# The bits of ACS and WFC3/UVIS.
_CCD_DQ = DQMeaning(
    no_signal=1 | 2 | 4,
    saturated=256 | 2048,
    cosmic_ray=4096 | 8192,
    hot=16 | 32 | 64,
    written={
        'lost': 2,
        'bad': 4,
        'hot': 16,
        'unstable': 32,
        'warm': 64,
        'full_well': 256,
        'converter': 2048,
        'hit': 8192,
        'trail': 16384,
    },
)


@dataclass(frozen=True)
class Instrument:
    """
    What is known of a detector before its images are looked at.

    Parameters
    ----------
    name, detector : str
        ``INSTRUME`` and ``DETECTOR`` of the header, upper case; a row without
        detector stands for all detectors that have none.
    dq : `~astrosieve.images.dq.DQMeaning`
        Meaning of the DQ bits.
    fwhm : float or None
        FWHM of the PSF about the middle of the filters, pixels: what a measurement is
        held against, not a calibration.
    unit : `~astrosieve.images.units.PixelUnit` or None
        Unit of images whose header names none.
    gains : dict of int to float
        Electrons per DN by the commanded gain (``ATODGAIN``).
    science_areas : dict
        Science areas of full-frame RAW images, (rows, column ranges), by shape and
        EXTVER: what lies outside is overscan.
    dq_companion : (str, str) or None
        What, in the name of an image's file, is replaced by what to name the file of
        its DQ planes, where these have one of their own.
    """

    name: str = ''
    detector: str = ''
    dq: DQMeaning = _CCD_DQ
    fwhm: float | None = None
    unit: PixelUnit | None = None
    gains: Mapping[int, float] = field(default_factory=dict)
    science_areas: Mapping[tuple[tuple[int, int], int], Area] = field(
        default_factory=dict
    )
    dq_companion: tuple[str, str] | None = None


_WFC_COLUMNS = (slice(24, 4120),)
_UVIS_COLUMNS = (slice(25, 2073), slice(2133, 4181))

_WFPC2 = Instrument(
    'WFPC2',
    dq=DQMeaning(
        no_signal=1 | 4 | 16,
        saturated=8,
        cosmic_ray=4096 | 8192,
        hot=256 | 512,
        written={
            'lost': 16,
            'bad': 4,
            'hot': 512,
            'unstable': 256,
            'warm': 0,
            'full_well': 8,
            'converter': 8,
            'hit': 8192,
            'trail': 0,
        },
    ),
    fwhm=1.4,
    unit=PixelUnit('DN'),  # calwp2 writes DN and, in old files, no BUNIT
    gains={7: 7.12, 15: 13.99},  # mean of the four chips
    dq_companion=('_c0m', '_c1m'),
)

WFC3_IR = Instrument(
    'WFC3',
    'IR',
    dq=replace(_CCD_DQ, no_signal=1 | 2 | 4 | 128, saturated=256, hot=16 | 32),
    fwhm=1.15,
    # Five reference pixels along each side.
    science_areas={((1024, 1024), 1): (slice(5, 1019), (slice(5, 1019),))},
)

# From the HST Data Handbooks of ACS, WFC3, WFPC2 and STIS, and the WFPC2 Instrument
# Handbook; the area of HRC also from its RAW files: rows 1024 and up are virtual.
INSTRUMENTS = (
    Instrument(
        'ACS',
        'HRC',
        fwhm=2.1,
        science_areas={((1044, 1062), 1): (slice(0, 1024), (slice(19, 1043),))},
    ),
    Instrument(
        'ACS',
        'WFC',
        fwhm=1.8,
        science_areas={
            ((2068, 4144), 1): (slice(0, 2048), _WFC_COLUMNS),
            ((2068, 4144), 2): (slice(20, 2068), _WFC_COLUMNS),
        },
    ),
    Instrument(
        'WFC3',
        'UVIS',
        fwhm=1.8,
        science_areas={
            ((2070, 4206), 1): (slice(0, 2051), _UVIS_COLUMNS),
            ((2070, 4206), 2): (slice(19, 2070), _UVIS_COLUMNS),
        },
    ),
    WFC3_IR,
    _WFPC2,
    replace(_WFPC2, detector='1', fwhm=1.6),
    Instrument(
        'STIS',
        dq=DQMeaning(
            no_signal=1 | 2 | 4 | 8,
            saturated=256,
            cosmic_ray=8192,
            hot=16,
            written={
                'lost': 2,
                'bad': 4,
                'hot': 16,
                'unstable': 16,
                'warm': 16,
                'full_well': 256,
                'converter': 256,
                'hit': 8192,
                'trail': 0,
            },
        ),
    ),
)
"""What is known, a row for each detector."""

_ROWS = {(row.name, row.detector): row for row in INSTRUMENTS}


def instrument(name: str = '', detector: str = '') -> Instrument:
    """
    Return what is known of a detector.

    Parameters
    ----------
    name, detector : str, optional
        ``INSTRUME`` and ``DETECTOR`` of a header, in any case.

    Returns
    -------
    instrument : `Instrument`
        Its row, else that of the instrument without a detector. One that is in no row
        has the DQ bits of ACS and WFC3/UVIS, and nothing else is known of it.
    """
    key = (name.strip().upper(), detector.strip().upper())
    return _ROWS.get(key) or _ROWS.get((key[0], '')) or Instrument(*key)
