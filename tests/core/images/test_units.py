"""Units of pixels."""

from __future__ import annotations

import astropy.units as u
import pytest

from astrosieve.images.units import PixelUnit, electron_scale, parse_unit

ELECTRON = PixelUnit('electron')
ELECTRON_RATE = PixelUnit('electron', per_second=True)
DN = PixelUnit('DN')
DN_RATE = PixelUnit('DN', per_second=True)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('ELECTRONS', ELECTRON),
        ('electron', ELECTRON),
        (' e- ', ELECTRON),
        ('e', ELECTRON),
        ('photoelectron', ELECTRON),
        ('ELECTRONS/S', ELECTRON_RATE),
        ('electron / s', ELECTRON_RATE),
        ('e-/sec', ELECTRON_RATE),
        ('e-/second', ELECTRON_RATE),
        ('electron s-1', ELECTRON_RATE),
        ('electron.s-1', ELECTRON_RATE),
        ('electron s**-1', ELECTRON_RATE),
        ('electron s^-1', ELECTRON_RATE),
        ('COUNTS', DN),
        ('count', DN),
        ('ct', DN),
        ('ADU', DN),
        ('DN', DN),
        ('Data Number', DN),
        ('COUNTS/S', DN_RATE),
        ('DN/s', DN_RATE),
        ('adu s-1', DN_RATE),
        ('MJy/sr', PixelUnit('flux')),
        ('Jy', PixelUnit('flux')),
        ('erg / (s cm2 AA)', PixelUnit('flux')),
    ],
)
def test_written_units_are_read(text: str, expected: PixelUnit) -> None:
    """What headers and people write is understood, in any case."""
    assert parse_unit(text) == expected


@pytest.mark.parametrize(
    ('unit', 'expected'),
    [
        (u.electron, ELECTRON),
        (u.electron / u.s, ELECTRON_RATE),
        (u.adu, DN),
        (u.DN / u.s, DN_RATE),
        (u.count, DN),
        (u.nJy, PixelUnit('flux')),
        (u.dimensionless_unscaled, None),
    ],
)
def test_astropy_units_are_read(unit: u.UnitBase, expected: PixelUnit | None) -> None:
    """Units of Quantities are understood."""
    assert parse_unit(unit) == expected


@pytest.mark.parametrize('text', [None, '', '  ', 'UNITLESS', 'none'])
def test_no_unit_is_none(text: str | None) -> None:
    """Nothing said is None, not an error."""
    assert parse_unit(text) is None


def test_nonsense_names_what_is_understood() -> None:
    """The message repeats the text and offers what to write."""
    with pytest.raises(ValueError, match=r"unit 'Parsnip' is not .* use 'electron'"):
        parse_unit('Parsnip')


@pytest.mark.parametrize('unit', [ELECTRON, ELECTRON_RATE, DN, DN_RATE])
def test_text_reads_back(unit: PixelUnit) -> None:
    """What is written to meta is read as the same unit."""
    assert parse_unit(str(unit)) == unit


@pytest.mark.parametrize(
    ('unit', 'expected'),
    [(ELECTRON, 1.0), (ELECTRON_RATE, 300.0), (DN, 1.5), (DN_RATE, 450.0)],
)
def test_scale_is_gain_times_exposure_time(unit: PixelUnit, expected: float) -> None:
    """Each unit is converted by what it lacks, without complaint."""
    assert electron_scale(unit, gain=1.5, exptime=300) == (expected, None)


@pytest.mark.parametrize(
    ('unit', 'options', 'words'),
    [
        (None, {}, ['no unit', 'unit=']),
        (DN, {}, ['gain is not known', 'gain=']),
        (ELECTRON_RATE, {}, ['EXPTIME', 'exptime=']),
        (DN_RATE, {'gain': 2.0}, ['exposure time']),
        (DN_RATE, {}, ['gain is not known', 'exposure time']),
        (PixelUnit('flux'), {'gain': 2.0}, ['calibrated flux']),
    ],
)
def test_what_is_missing_is_said(
    unit: PixelUnit | None, options: dict[str, float], words: list[str]
) -> None:
    """The problem names what is missing and how to give it; it counts as one."""
    scale, problem = electron_scale(unit, **options)
    assert problem is not None
    assert all(word in problem for word in words)
    assert scale == (2.0 if unit is DN_RATE and options else 1.0)


@pytest.mark.parametrize('name', ['gain', 'exptime'])
@pytest.mark.parametrize('value', [0, -1.0, float('nan'), float('inf')])
def test_factors_must_be_positive(name: str, value: float) -> None:
    """Zero, negative, NaN and infinity are refused by name."""
    with pytest.raises(ValueError, match=f'{name} must be a positive number'):
        electron_scale(DN, **{name: value})
