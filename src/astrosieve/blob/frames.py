"""Images of the monitor: read, told apart, and chosen as references."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.instruments import WFC3_IR, instrument

__all__ = [
    'DIFFERENCE_OF',
    'EDGE',
    'FILTER',
    'N_REFERENCES',
    'SIDES',
    'Frame',
    'choose_references',
    'observed',
    'read_frame',
]

DIFFERENCE_OF = 'DIFFOF'
"""Card of difference images: the image that was compared."""
FILTER = 'F153M'
"""That of the monitor."""
SIDES = (1014, 1024)
"""Pixels along a side, without and with reference pixels."""
EDGE = 5
"""Reference pixels along each side of a raw image."""
N_REFERENCES = 30
"""Images before, of which the report takes the median."""
_LEVEL = 0.05  # beyond which the median of a file is not that of a difference
_NAME = f'{WFC3_IR.name}/{WFC3_IR.detector}'


@dataclass(frozen=True, eq=False)
class Frame:
    """
    An image of the monitor, or a difference image.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    data : (1014, 1014) float32 `~numpy.ndarray`
        Pixels without reference pixels; NaN where there are none.
    mask : (1014, 1014) bool `~numpy.ndarray`
        `True` where DQ says that a pixel carries no signal, or one that is not its
        own. What DQ says of blobs, of the flat and of cosmic rays that the ramp
        lost is no reason.
    date : float
        Start of the exposure, MJD; NaN where the file does not say.
    filter_name : str
        Filter; empty where the file does not say.
    digest : str
        SHA-256 of the pixels: the same for copies, packed or not.
    edge : int
        Pixels that were cut off along each side.
    is_difference : bool
        Whether the file says that it is a difference.
    """

    path: Path
    data: np.ndarray
    mask: np.ndarray
    date: float
    filter_name: str
    digest: str
    edge: int = 0
    is_difference: bool = False

    @property
    def level(self) -> float:
        """Median of the usable pixels; NaN where there is none."""
        usable = self.data[~self.mask]
        return float(np.median(usable)) if usable.size else float('nan')

    def require_difference(self) -> None:
        """
        Refuse what is no difference image.

        Raises
        ------
        ExposureError
            If its level says so.
        """
        level = self.level
        if not self.is_difference and abs(level) > _LEVEL:
            msg = (
                f'{self.path}: is no difference image, its median is {level:.3g}; give '
                'the images before it with --reference'
            )
            raise ExposureError(msg)

    def require_image(self) -> None:
        """
        Refuse a difference where an image is needed.

        Raises
        ------
        ExposureError
            If the file says that it is a difference.
        """
        if self.is_difference:
            msg = f'{self.path}: is a difference image; it needs no --reference'
            raise ExposureError(msg)


def observed(header: fits.Header) -> float:
    """Return when an exposure began, MJD; NaN where the header does not say."""
    start = header.get('EXPSTART')
    if isinstance(start, (int, float)) and np.isfinite(start) and start > 0:
        return float(start)
    day = str(header.get('DATE-OBS', '')).strip()
    hour = str(header.get('TIME-OBS', '')).strip()
    try:
        return float(Time(f'{day}T{hour}' if hour and 'T' not in day else day).mjd)
    except ValueError:
        return float('nan')


def read_frame(path: str | Path, ext: Sequence[str] = ()) -> Frame:
    """
    Read an image or a difference image.

    Of a raw file with several reads the zeroth, which stands last, is taken from the
    first, which was read last.

    Parameters
    ----------
    path : path-like
        FLT, RAW, IMA or any FITS image of 1014x1014 or 1024x1024 pixels.
    ext : sequence of str, optional
        Extension, as for `~astrosieve.images.read_chips`.

    Returns
    -------
    frame : `Frame`

    Raises
    ------
    ExposureError
        If the file cannot be read, is of another detector or size, or has no usable
        pixel.

    Warns
    -----
    AstrosieveWarning
        If there is no DQ, or the filter is another.
    """
    path = Path(path)
    chips = read_chips(path, ext or None)
    chip = next(chips)
    _check(chip)
    data = chip.sci
    if chip.sci.shape[0] == SIDES[1] and not ext:
        # The last of the reads without keeping those between.
        last = None
        for each in chain(chips):
            last = each.sci
        data = data if last is None else data - last
    edge = (data.shape[0] - SIDES[0]) // 2
    inside = (slice(edge, edge + SIDES[0]),) * 2
    data = np.ascontiguousarray(data[inside])
    data[~np.isfinite(data)] = np.nan
    mask = np.isnan(data)
    if chip.mask is not None:
        mask |= chip.mask[inside]
    is_difference = DIFFERENCE_OF in chip.header
    if chip.dq is not None:
        bits = chip.dq_meaning
        spoilt = bits.no_signal | bits.saturated | bits.hot
        mask |= dq_to_mask(chip.dq[inside], spoilt)
    elif not is_difference:
        _warn(f'{path.name}: has no DQ; bad pixels are not known')
    if mask.all():
        reason = 'all are NaN' if np.isnan(data).all() else 'DQ excludes all'
        msg = f'{path}: has no usable pixel: {reason}'
        raise ExposureError(msg)
    if chip.filter_name not in ('', FILTER):
        _warn(f'{path.name}: is of {chip.filter_name}; the networks know {FILTER}')
    return Frame(
        path=path,
        data=data,
        mask=mask,
        date=observed(chip.header),
        filter_name=chip.filter_name,
        digest=hashlib.sha256(data.tobytes()).hexdigest(),
        edge=edge,
        is_difference=is_difference,
    )


def _warn(text: str) -> None:
    warnings.warn(text, AstrosieveWarning, stacklevel=3)


def _check(chip: Chip) -> None:
    if chip.instrument and instrument(chip.instrument, chip.detector) is not WFC3_IR:
        seen = '/'.join(filter(None, (chip.instrument, chip.detector)))
        msg = f'{chip.path}: is an image of {seen}; blobs are those of {_NAME}'
        raise ExposureError(msg)
    if chip.sci.shape not in [(side, side) for side in SIDES]:
        ny, nx = chip.sci.shape
        sizes = ' or '.join(f'{side}x{side}' for side in SIDES)
        msg = f'{chip.path}: has {nx}x{ny} pixels; a full frame has {sizes}'
        raise ExposureError(msg)


def choose_references(
    frame: Frame, candidates: Sequence[Frame], n: int = N_REFERENCES
) -> list[Frame]:
    """
    Choose the references of an image: the last of those before it.

    Parameters
    ----------
    frame : `Frame`
        The image.
    candidates : sequence of `Frame`
        Images among which to choose. Left out, and said so, are the image itself,
        copies, images of another filter, differences, and images that are later.
    n : int, optional
        How many to take.

    Returns
    -------
    references : list of `Frame`
        By date.

    Raises
    ------
    ExposureError
        If none is left.

    Warns
    -----
    AstrosieveWarning
        For what is left out, and if fewer are left than were asked for.
    """
    left_out: dict[str, list[str]] = {}
    seen: set[str] = set()
    good = []
    for each in candidates:
        reason = _unfit(each, frame)
        if reason is None and each.digest not in seen:
            good.append(each)
        elif reason is not None:
            left_out.setdefault(reason, []).append(each.path.name)
        seen.add(each.digest)
    for reason, names in left_out.items():
        more = f' and {len(names) - 3} more' if len(names) > 3 else ''
        _warn(f'{frame.path.name}: left out {", ".join(names[:3])}{more}: {reason}')
    if not good:
        msg = f'{frame.path}: no reference is left of {len(candidates)}'
        raise ExposureError(msg)
    good.sort(key=lambda each: np.nan_to_num(each.date, nan=-np.inf))
    if len(good) < n:
        _warn(f'{frame.path.name}: has {len(good)} references of the {n} asked for')
    return good[-n:]


def _unfit(each: Frame, frame: Frame) -> str | None:
    """Return why an image is no reference of another."""
    if each.digest == frame.digest:
        return 'it is the image itself'
    if each.is_difference:
        return 'it is a difference image'
    if each.filter_name != frame.filter_name:
        return (
            f'its filter is {each.filter_name or "not known"}, that of the image '
            f'{frame.filter_name or "not known"}'
        )
    if each.date >= frame.date:
        return 'it is not before the image'
    return None
