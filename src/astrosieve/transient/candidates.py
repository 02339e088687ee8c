"""A candidate with its stamps, whatever they were read from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astrosieve.transient.errors import StampError
from astrosieve.transient.preprocessing import Stamps
from astrosieve.transient.preprocessing._base import Kind

__all__ = ['TRIPLET', 'Candidate', 'Order', 'as_planes', 'plane_name', 'stacked']

TRIPLET = ('science', 'template', 'difference')
"""The planes of a triplet, in order."""

_OTHER_NAMES = {
    **dict.fromkeys(('sci', 'search', 'new', 'target'), 'science'),
    **dict.fromkeys(('tmpl', 'temp', 'ref', 'reference'), 'template'),
    **dict.fromkeys(('diff', 'sub', 'subtraction'), 'difference'),
}
_LARGEST = 1024  # pixels along an axis


@dataclass(frozen=True, eq=False)
class Candidate:
    """
    One candidate.

    Parameters
    ----------
    id : str
        Its name.
    planes : (3, ny, nx) `~numpy.ndarray` or None
        Its stamps, as `~astrosieve.transient.preprocessing.Stamps` has them; None
        where they could not be read.
    kind : {'triplet', 'bands'}
        What the planes are.
    object : str
        What it is a detection of; empty where that is not known.
    mjd : float
        When it was observed; NaN where that is not known.
    fwhm : float
        FWHM of the PSF, pixels; NaN where that is not known.
    white : float or None
        Largest value of a picture's pixels.
    problem : str
        Why the stamps could not be read.
    """

    id: str
    planes: np.ndarray | None
    kind: Kind = 'triplet'
    object: str = ''
    mjd: float = math.nan
    fwhm: float = math.nan
    white: float | None = None
    problem: str = ''


@dataclass(frozen=True)
class Order:
    """
    What the three planes are, and where they lie.

    Parameters
    ----------
    kind : {'triplet', 'bands'}
        Science, template and difference, or differences in three bands.
    places : tuple of int
        Where each of them, in our order, lies.
    """

    kind: Kind = 'triplet'
    places: tuple[int, ...] = (0, 1, 2)

    @classmethod
    def of(cls, bands: Sequence[str] | str | None) -> Order:
        """
        Read what a user says of the planes.

        Parameters
        ----------
        bands : sequence of str, str or None
            Three names: 'science', 'template', 'difference' in any order, or three
            bands, as 'gri'. None means science, template, difference.

        Raises
        ------
        ValueError
            If these are not three names of one kind.
        """
        if bands is None:
            return cls()
        if isinstance(bands, str) and ',' in bands:
            bands = bands.split(',')
        names = [str(name).strip() for name in bands]
        known = [plane_name(name) for name in names]
        if len(names) != 3 or len({*names}) != 3 or not all(names):
            msg = f'bands must be three different names; got {names}'
            raise ValueError(msg)
        if sorted(known) == sorted(TRIPLET):
            return cls('triplet', tuple(known.index(name) for name in TRIPLET))
        if any(name in TRIPLET for name in known):
            msg = (
                'bands must be science, template and difference in the order of the '
                f'planes, or three bands; got {names}'
            )
            raise ValueError(msg)
        return cls('bands')


def plane_name(name: str) -> str:
    """Return a plane of a triplet by our name, whatever others call it."""
    lower = name.lower()
    return _OTHER_NAMES.get(lower, lower)


def as_planes(array: np.ndarray, order: Order) -> np.ndarray:
    """
    Return stamps as (N, 3, ny, nx), or one candidate's as (3, ny, nx).

    Parameters
    ----------
    array : `~numpy.ndarray`
        Numbers; three planes along the last axis, or the one before rows and columns.
    order : `Order`
        Which plane is what.

    Raises
    ------
    StampError
        If there are no three planes.
    """
    array = np.asarray(np.ma.filled(array, np.nan) if np.ma.is_masked(array) else array)
    if array.dtype.kind not in 'fiub' or array.ndim not in (3, 4):
        msg = (
            f'stamps must be numbers of shape (N, 3, ny, nx) or (N, ny, nx, 3); got '
            f'{array.dtype.name} of shape {array.shape}'
        )
        raise StampError(msg)
    if array.shape[-3] != 3:
        if array.shape[-1] != 3:
            msg = (
                'stamps must have three planes, science, template and difference or '
                f'three bands; the shape is {array.shape}'
            )
            raise StampError(msg)
        array = np.moveaxis(array, -1, -3)
    if max(array.shape[-2:]) > _LARGEST:
        msg = (
            f'{array.shape[-1]}x{array.shape[-2]} pixels are no stamp; cut out up to '
            '101x101 about each candidate'
        )
        raise StampError(msg)
    places = order.places
    if places != (0, 1, 2):
        array = np.take(array, places, axis=-3)
    return array


def stacked(candidates: Sequence[Candidate]) -> Stamps:
    """Return candidates with stamps of one size and kind as a batch."""
    planes = np.stack([np.asarray(each.planes) for each in candidates])
    return Stamps(
        planes.astype(np.float32, order='C', copy=False),
        candidates[0].kind,
        np.array([each.fwhm for each in candidates]),
        candidates[0].white,
    )
