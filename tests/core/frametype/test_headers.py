"""What headers say of frames."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from astrosieve.frametype import read_frames
from astrosieve.frametype.headers import header_type

REAL = Path(os.environ.get('ASTROSIEVE_DATA', 'none')) / 'others' / 'spectra'


@pytest.mark.parametrize(
    ('header', 'expected'),
    [
        ({'IMAGETYP': 'zero'}, 'bias'),
        ({'IMAGETYP': 'Dark Frame', 'EXPTIME': 900.0}, 'dark'),
        ({'IMAGETYP': 'comp'}, 'arc'),
        ({'OBSTYPE': 'DOMEFLAT'}, 'flat'),
        ({'ESO DPR TYPE': 'LAMP,FLAT', 'ESO DPR CATG': 'CALIB'}, 'flat'),
        ({'ESO DPR TYPE': 'LAMP,WAVE', 'ESO DPR CATG': 'CALIB'}, 'arc'),
        ({'ESO DPR TYPE': 'STD', 'ESO DPR CATG': 'CALIB'}, 'standard'),
        ({'ESO DPR TYPE': 'OBJECT', 'ESO DPR CATG': 'SCIENCE'}, 'science'),
        ({'ESO DPR TYPE': 'BIAS', 'EXPTIME': 0.0}, 'bias'),
        ({'OBSTYPE': 'OBJECT', 'OBJECT': 'Feige 34'}, 'standard'),
        ({'OBSTYPE': 'OBJECT', 'OBJECT': 'BD+28 4211'}, 'standard'),
        ({'OBSTYPE': 'OBJECT', 'OBJECT': 'NGC 4151'}, 'science'),
        ({'OBSTYPE': 'OBJECT', 'OBJECT': 'CuAr'}, 'arc'),
        (
            {'OBSTYPE': 'TARGET', 'OBJECT': 'x', 'LAMPSTA1': 'on', 'LAMPNAM1': 'Ne'},
            'arc',
        ),
        ({'LAMPSTA1': 'off', 'LAMPNAM1': 'Ne', 'OBJECT': 'x', 'EXPTIME': 9.0}, ''),
        ({'LAMPS': 'Ne Ar Kr Xe'}, 'arc'),
        ({'LAMPS': 'Qz'}, 'flat'),
        ({'LAMPS': 'Off'}, ''),
        ({'NEON': 'off', 'HALOGEN': 'on'}, 'flat'),
        ({'MERCURY': 'on', 'HALOGEN': 'off'}, 'arc'),
        ({'EXPTIME': 0.0}, 'bias'),
        ({'EXPTIME': 600.0, 'SHUTTER': 'closed'}, 'dark'),
        ({'IMAGETYP': 'focus'}, 'unknown'),
        ({'OBSTYPE': 'ACQUISITION', 'OBJECT': 'Feige 34'}, 'unknown'),
        ({'OBJECT': 'GQ1250', 'EXPTIME': 900.0}, 'science'),
        ({'OBJECT': 'GQ1250', 'EXPTIME': 30.0}, ''),
        ({'OBJECT': 'Dark cloud B68', 'EXPTIME': 30.0}, ''),
        ({'OBJECT': 'Arcturus', 'EXPTIME': 3.0}, ''),
        ({'OBJECT': 'He 2-104', 'EXPTIME': 30.0}, ''),
        ({'OBJECT': 'Flat galaxy FGC 12', 'EXPTIME': 30.0}, ''),
        ({'OBJECT': 'Comp galaxy', 'EXPTIME': 30.0}, ''),
        ({'OBJECT': 'arc 3'}, 'arc'),
        ({'OBJECT': 'sky flat'}, 'flat'),
        ({'OBJECT': 'dark 600s'}, 'dark'),
        ({'ESO DPR TYPE': 'FLUX,STD', 'ESO DPR TECH': 'SPECTRUM'}, 'standard'),
        ({'ESO DPR TYPE': 'STD,TELLURIC'}, 'standard'),
        ({'ESO DPR TYPE': 'FLAT,LAMP', 'ESO DPR TECH': 'ECHELLE'}, 'flat'),
        ({'ESO DPR TYPE': 'SKY,FLAT', 'ESO DPR TECH': 'IMAGE'}, 'unknown'),
        ({'ESO DPR TYPE': 'OBJECT', 'ESO DPR TECH': 'IMAGE'}, 'unknown'),
        ({'ESO DPR TYPE': 'BIAS', 'ESO DPR TECH': 'IMAGE'}, 'bias'),
        ({'ESO DPR TYPE': 'FOCUS'}, 'unknown'),
        ({'ESO DPR TYPE': 'LAMP,ORDERDEF'}, 'flat'),
        ({'ESO DPR TYPE': 'ARC', 'ESO DPR CATG': 'CALIB'}, 'arc'),
        ({'OBSTYPE': 'ARC', 'OBSCLASS': 'progCal', 'OBJECT': 'CuAr'}, 'arc'),
        ({'OBSTYPE': 'OBJECT', 'OBSCLASS': 'partnerCal'}, 'standard'),
        ({'OBSTYPE': 'OBJECT', 'OBSCLASS': 'acq'}, 'unknown'),
        ({'OBSTYPE': 'OBJECT', 'OBSCLASS': 'science', 'OBJECT': 'M 1'}, 'science'),
        ({'OBSTYPE': 'FLAT', 'OBSCLASS': 'dayCal', 'OBJECT': 'GCALflat'}, 'flat'),
        ({'OBSTYPE': 'LAMPFLAT'}, 'flat'),
        ({'OBSTYPE': 'SPECTRUM', 'OBJECT': 'SN2020abc'}, 'science'),
        ({'OBSTYPE': 'SPECTRUM', 'OBJECT': 'Feige110'}, 'standard'),
        ({'OBSTYPE': 'STANDARD', 'OBJECT': 'EG274'}, 'standard'),
        ({'OBSTYPE': 'COMP', 'OBJECT': 'NeAr'}, 'arc'),
        ({'FLAVOR': 'science'}, 'science'),
        ({'FLAVOR': 'arc'}, 'arc'),
        ({'OBSMODE': 'OsirisBias'}, 'bias'),
        ({'OBSMODE': 'OsirisDomeFlat'}, 'flat'),
        ({'OBSMODE': 'OsirisCalibrationLamp'}, 'arc'),
        ({'OBSMODE': 'OsirisAcquisition'}, 'unknown'),
        ({'OBSMODE': 'OsirisLongSlitSpectroscopy', 'EXPTIME': 60.0}, ''),
        ({'KOAIMTYP': 'arclamp'}, 'arc'),
        ({'KOAIMTYP': 'flatlamp'}, 'flat'),
        ({'KOAIMTYP': 'twiflat'}, 'flat'),
        ({'KOAIMTYP': 'object', 'OBJECT': 'BD+33d2642'}, 'standard'),
        ({'OBSTYPE': 'DmFlat'}, 'flat'),
        ({'OBSTYPE': 'IntFlat'}, 'flat'),
        ({'OBSTYPE': 'Line'}, 'arc'),
        ({'OBSTYPE': 'Object', 'OBJECT': 'CFHQS line 3'}, 'science'),
        ({'EXPTYPE': 'Comp'}, 'arc'),
        ({'EXPTYPE': 'Object', 'OBJECT': 'LTT 3218'}, 'standard'),
        ({'IMAGETYP': 'skyflat'}, 'flat'),
        ({'IMAGETYP': 'FLAT-FIELD'}, 'flat'),
        ({'IMAGETYP': 'Bias Frame'}, 'bias'),
        ({'IMAGETYP': 'Light Frame', 'OBJECT': 'Vega'}, 'science'),
        ({'IMAGETYP': 'object', 'OBJECT': 'quartz lamp'}, 'flat'),
        ({'IMAGETYP': 'object', 'OBJECT': 'ThAr 30s'}, 'arc'),
        ({'IMAGETYP': 'HARTMANN'}, 'unknown'),
        ({'OBJECT': 'zero'}, 'bias'),
        ({'OBJECT': 'Zero Cygni', 'EXPTIME': 20.0}, ''),
        ({}, ''),
        (None, ''),
    ],
)
def test_rules(header: dict | None, expected: str) -> None:
    """Words of many observatories are understood; names of targets are not words."""
    assert header_type(header) == expected


@pytest.mark.skipif(not REAL.is_dir(), reason='needs the real frames')
def test_real_headers_are_never_wrong() -> None:
    """What the header of a real frame says is its label, or nothing."""
    with (REAL / 'frames.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    said = {
        row['file']: header_type(next(read_frames(REAL / row['file'])).header)
        for row in rows
    }
    wrong = [r['file'] for r in rows if said[r['file']] not in ('', r['label'])]
    assert wrong == []
    assert sum(map(bool, said.values())) >= 30
