"""Units of pixels: what BUNIT, gain and exposure time say about electrons."""

from __future__ import annotations

import re
from dataclasses import dataclass

import astropy.units as u
import numpy as np

__all__ = ['PixelUnit', 'electron_scale', 'parse_unit', 'plain_number']


@dataclass(frozen=True)
class PixelUnit:
    """
    Unit of the pixels of an image.

    Parameters
    ----------
    quantity : {'electron', 'DN', 'flux'}
        What is counted: electrons, data numbers, or calibrated flux, which
        cannot be converted without the photometric zero point.
    per_second : bool
        Whether it is a rate.
    """

    quantity: str
    per_second: bool = False

    def __str__(self) -> str:
        return self.quantity + ('/s' if self.per_second else '')


_ELECTRON = {'e', 'e-', 'el', 'electron', 'electrons', 'photoelectron'}
_DN = {'dn', 'adu', 'count', 'counts', 'ct', 'data number'}
_RATE = re.compile(r'^(.*?)\s*(?:/\s*s(?:ec(?:ond)?s?)?|\bs\s*(?:\*\*|\^)?\s*-\s*1)$')


def parse_unit(unit: str | u.UnitBase | None) -> PixelUnit | None:
    """
    Read a unit as FITS files and people write it.

    Parameters
    ----------
    unit : str, `~astropy.units.UnitBase` or None
        For instance 'ELECTRONS/S', 'counts', 'e-', ``u.adu``, 'MJy/sr'.

    Returns
    -------
    unit : `PixelUnit` or None
        None where nothing is said (None, an empty or 'unitless' string).

    Raises
    ------
    ValueError
        If the unit cannot be understood.
    """
    if unit is None:
        return None
    text = unit.to_string() if isinstance(unit, u.UnitBase) else str(unit)
    text = ' '.join(text.lower().replace('.', ' ').split())
    if text in ('', 'unitless', 'none', 'dimensionless'):
        return None
    rate = _RATE.match(text)
    counted = (rate.group(1) if rate else text).strip()
    if counted in _ELECTRON:
        return PixelUnit('electron', per_second=rate is not None)
    if counted in _DN:
        return PixelUnit('DN', per_second=rate is not None)
    try:
        u.Unit(str(unit))
    except ValueError:
        msg = (
            f'unit {str(unit)!r} is not understood; '
            "use 'electron', 'electron/s', 'DN' or 'DN/s'"
        )
        raise ValueError(msg) from None
    return PixelUnit('flux')


_MEANT: dict[str, tuple[tuple[u.UnitBase, ...], str]] = {
    'gain': (
        (u.electron / u.adu, u.electron / u.DN, u.electron / u.ct),
        'electrons per DN',
    ),
    'exptime': ((u.s,), 'seconds'),
    'fwhm': ((u.pix,), 'pixels; what is in arcsec, divide by the size of a pixel'),
}


def plain_number(name: str, value: float | u.Quantity | None) -> float | None:
    """
    Return a number in the unit that it is meant in.

    Parameters
    ----------
    name : {'gain', 'exptime', 'fwhm'}
        What it is: electrons per DN, seconds, pixels.
    value : float, `~astropy.units.Quantity` or None
        It; without a unit in the one that is meant.

    Returns
    -------
    number : float or None
        None where ``value`` is.

    Raises
    ------
    ValueError
        If it is not a positive number, or in another unit.
    """
    if value is None:
        return None
    number = value
    if isinstance(value, u.Quantity):
        units, words = _MEANT[name]
        fit = [unit for unit in (*units, u.one) if value.unit.is_equivalent(unit)]
        if not fit:
            msg = f'{name} is in {value.unit}; give it in {words}'
            raise ValueError(msg)
        number = value.to_value(fit[0])
    good = np.ndim(number) == 0 and np.asarray(number).dtype.kind in 'iuf'
    if not good or not 0 < number < float('inf'):
        msg = f'{name} must be a positive number; got {value}'
        raise ValueError(msg)
    return float(number)


def electron_scale(
    unit: PixelUnit | None,
    *,
    gain: float | u.Quantity | None = None,
    exptime: float | u.Quantity | None = None,
) -> tuple[float, str | None]:
    """
    Return the factor that turns pixels into electrons.

    Parameters
    ----------
    unit : `PixelUnit` or None
        Unit of the pixels.
    gain : float or `~astropy.units.Quantity`, optional
        Gain, electrons per DN.
    exptime : float or `~astropy.units.Quantity`, optional
        Exposure time, seconds.

    Returns
    -------
    scale : float
        Electrons per pixel unit. What is not known counts as 1.
    problem : str or None
        What is not known, and how to say it.

    Raises
    ------
    ValueError
        If ``gain`` or ``exptime`` is not a positive number.
    """
    gain = plain_number('gain', gain)
    exptime = plain_number('exptime', exptime)
    if unit is None:
        return 1.0, 'the image has no unit; taken as electrons. Give unit='
    problems = []
    scale = 1.0
    if unit.quantity == 'flux':
        problems.append(
            'the image is in calibrated flux; taken as electrons up to a factor. '
            'An image in electrons keeps the noise model'
        )
    elif unit.quantity == 'DN':
        scale *= gain or 1.0
        if gain is None:
            problems.append(
                f'the image is in {unit} and its gain is not known; taken as 1 '
                'electron/DN. Give gain='
            )
    if unit.per_second:
        scale *= exptime or 1.0
        if exptime is None:
            problems.append(
                f'the image is in {unit} and its exposure time (EXPTIME) is not '
                'known; taken as 1 s. Give exptime='
            )
    return scale, '; '.join(problems) or None
