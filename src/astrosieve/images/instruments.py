"""Instruments: what is known of each detector, in one place."""

from __future__ import annotations

from astrosieve.images.dq import DQMeaning

__all__ = ['dq_meaning']


# Gain of WFPC2 in electrons per DN, by the commanded gain (WFPC2 Instrument
# Handbook; mean of the four chips).
_WFPC2_GAIN = {7: 7.12, 15: 13.99}


# Science areas of full-frame RAW images, (rows, column ranges), by instrument,
# detector, shape and EXTVER: what lies outside is overscan (ACS and WFC3
# Data Handbooks; for HRC also seen in its RAW files: rows 1024 and up are virtual).
_WFC_COLUMNS = (slice(24, 4120),)


_UVIS_COLUMNS = (slice(25, 2073), slice(2133, 4181))


_RAW_AREAS: dict[
    tuple[str, str, tuple[int, int], int], tuple[slice, tuple[slice, ...]]
] = {
    ('ACS', 'HRC', (1044, 1062), 1): (slice(0, 1024), (slice(19, 1043),)),
    ('ACS', 'WFC', (2068, 4144), 1): (slice(0, 2048), _WFC_COLUMNS),
    ('ACS', 'WFC', (2068, 4144), 2): (slice(20, 2068), _WFC_COLUMNS),
    ('WFC3', 'UVIS', (2070, 4206), 1): (slice(0, 2051), _UVIS_COLUMNS),
    ('WFC3', 'UVIS', (2070, 4206), 2): (slice(19, 2070), _UVIS_COLUMNS),
}


_CCD = DQMeaning(
    no_signal=1 | 2 | 4,
    saturated=256 | 2048,
    cosmic_ray=4096 | 8192,
    hot=16 | 32 | 64,
)


_MEANINGS = {
    ('WFC3', 'IR'): DQMeaning(
        no_signal=1 | 2 | 4 | 128,
        saturated=256,
        cosmic_ray=4096 | 8192,
        hot=16 | 32,
    ),
    ('WFPC2', ''): DQMeaning(
        no_signal=1 | 4 | 16, saturated=8, cosmic_ray=4096 | 8192, hot=256 | 512
    ),
    ('STIS', ''): DQMeaning(
        no_signal=1 | 4 | 8, saturated=256, cosmic_ray=8192, hot=16
    ),
}


def dq_meaning(instrument: str = '', detector: str = '') -> DQMeaning:
    """
    Return the meaning of an instrument's DQ bits.

    Parameters
    ----------
    instrument, detector : str
        ``INSTRUME`` and ``DETECTOR`` of the header. Instruments that are not
        in the table read as ACS and WFC3/UVIS, which share their bits.

    Returns
    -------
    meaning : `DQMeaning`
    """
    key = (instrument.strip().upper(), detector.strip().upper())
    return _MEANINGS.get(key) or _MEANINGS.get((key[0], ''), _CCD)


# FWHM in pixels about the middle of each camera's filters: what a measurement is
# held against, not a calibration.
_NOMINAL_FWHM = {
    ('WFC3', 'UVIS'): 1.8,
    ('WFC3', 'IR'): 1.15,
    ('ACS', 'WFC'): 2.0,
    ('ACS', 'HRC'): 2.3,
    ('WFPC2', '1'): 1.6,
    ('WFPC2', ''): 1.4,
}
