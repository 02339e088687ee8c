"""
Exposures: FITS files in, chips out.

A chip is one ``(SCI, EXTVER)`` with its ERR and DQ planes, its unit and its
WCS. FLT, FLC, C0M, RAW, DRZ, DRC and any other FITS image are read, as full
frames and subarrays, plain, gzipped or tile-compressed.
"""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve.images.dq import DQMeaning
from astrosieve.images.extensions import ImageInFile, companion, images_in, select
from astrosieve.images.fits_files import (
    drop_unreadable_cards,
    open_fits,
    without_host_warnings,
)
from astrosieve.images.instruments import Instrument, instrument
from astrosieve.images.units import PixelUnit, parse_unit

__all__ = [
    'Chip',
    'chip_from_header',
    'is_compressed',
    'read_chips',
    'read_header',
    'root_name',
    'unpack',
]

_PIXELS = 1_000_000  # that are read at once
_COMPRESSED = ('.gz', '.fz', '.bz2', '.xz', '.z')
_SUFFIXES = re.compile(r'(\.(fits?|fts))?(\.(gz|fz|bz2|xz|Z))?$', re.IGNORECASE)


@dataclass
class Chip:
    """
    One image of an exposure.

    Parameters
    ----------
    sci : 2D float32 `~numpy.ndarray`
        Pixels, in ``unit``; NaN where the file has none.
    err : 2D float32 `~numpy.ndarray` or None
        Errors, in ``unit``.
    dq : 2D integer `~numpy.ndarray` or None
        DQ flags.
    mask : 2D bool `~numpy.ndarray` or None
        Pixels that hold no image: overscan of a RAW, drizzled pixels of zero
        weight.
    unit : `~astrosieve.images.units.PixelUnit` or None
        Unit of ``sci``; None if the file does not say.
    gain, exptime : float or None
        Electrons per DN, and seconds; None if the file does not say.
    wcs : `~astropy.wcs.WCS` or None
        Celestial WCS, if there is one.
    instrument, detector, filter_name : str
        From the header; empty if the file does not say.
    path : `~pathlib.Path`
        The file.
    extname : str
        Extension name, or 'PRIMARY'.
    extver : int
        Extension version.
    """

    sci: np.ndarray
    path: Path
    extname: str = 'SCI'
    extver: int = 1
    err: np.ndarray | None = None
    dq: np.ndarray | None = None
    mask: np.ndarray | None = None
    unit: PixelUnit | None = None
    gain: float | None = None
    exptime: float | None = None
    wcs: WCS | None = None
    instrument: str = ''
    detector: str = ''
    filter_name: str = ''
    header: fits.Header = field(default_factory=fits.Header, repr=False)

    @property
    def name(self) -> str:
        """File and extension, as messages name the chip."""
        return f'{self.path.name}[{self.extname},{self.extver}]'

    @property
    def dq_meaning(self) -> DQMeaning:
        """Meaning of the DQ bits."""
        return instrument(self.instrument, self.detector).dq


def is_compressed(path: str | Path) -> bool:
    """Return whether a file's name says that it is compressed."""
    return Path(path).suffix.lower() in _COMPRESSED


def unpack(path: str | Path, target: str | Path) -> None:
    """
    Copy a FITS file, unpacked where it is compressed.

    Parameters
    ----------
    path : path-like
        The file, plain, compressed as a whole, or tile by tile.
    target : path-like
        The copy, whatever its name.
    """
    if not is_compressed(path):
        shutil.copyfile(path, target)
        return
    with open_fits(Path(path)) as hdus:
        plain = fits.HDUList()
        for hdu in hdus:
            if isinstance(hdu, fits.CompImageHDU):
                image = fits.ImageHDU(hdu.data, hdu.header, name=hdu.name)
                image.ver = hdu.ver
                plain.append(image)
            else:
                plain.append(hdu)
        plain.writeto(target)


def root_name(path: str | os.PathLike[str]) -> str:
    """Return a file's name without its FITS and compression suffixes."""
    return _SUFFIXES.sub('', Path(path).name)


def read_chips(
    path: str | Path, ext: str | Sequence[str] | None = None
) -> Iterator[Chip]:
    """
    Read the chips of a FITS file one after the other.

    Parameters
    ----------
    path : path-like
        FITS file, also ``.gz`` and ``.fz``.
    ext : str or sequence of str, optional
        Extensions as 'NAME,VERSION', 'NAME' or number, or 'all' images. By default
        each SCI extension, else the first HDU that holds an image.

    Yields
    ------
    chip : `Chip`

    Raises
    ------
    ExposureError
        If the file is missing, truncated, not FITS, or lacks the extension,
        or if the extension is not a 2D image.

    Warns
    -----
    AstrosieveWarning
        Where the file has more images than are read by default, or something of it
        cannot be used.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        chosen, left = select(hdus, ext, path)
        if left:
            listed = ', '.join(f'{image.extname} ({image.number})' for image in left)
            msg = (
                f'{path.name}: has {len(left) + 1} images and no extension SCI; only '
                f'{chosen[0].extname} ({chosen[0].number}) is done, not {listed}. Give '
                "ext='all', or the numbers"
            )
            warnings.warn(msg, AstrosieveWarning, stacklevel=2)
        for image in chosen:
            yield _read_chip(hdus, image, path)


def list_chips(
    path: str | Path, ext: str | Sequence[str] | None = None
) -> list[tuple[str, int]]:
    """
    Return which chips `read_chips` would read, without their pixels.

    Parameters
    ----------
    path, ext
        As in `read_chips`.

    Returns
    -------
    chips : list of (str, int)
        Extension names and versions.

    Raises
    ------
    ExposureError
        As `read_chips`.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        chosen, _ = select(hdus, ext, path)
        return [(image.extname, image.extver) for image in chosen]


def _plane(hdu: fits.ImageHDU, name: str) -> np.ndarray:
    """Return an HDU's pixels as a native, contiguous 2D array of its own."""
    shape = hdu.shape
    if len(shape) < 2 or 0 in shape:
        msg = f'{name}: the image has no pixels'
        raise ExposureError(msg)
    if any(n != 1 for n in shape[:-2]):
        msg = (
            f'{name}: the image must be 2D; its shape is {shape}. Save one plane as a '
            'file of its own'
        )
        raise ExposureError(msg)
    if isinstance(hdu, fits.CompImageHDU):  # its tiles may be of any shape
        plane = _native(hdu.data.reshape(shape[-2:]), hdu)
        del hdu.data
        return plane
    # Some rows at a time: the file's own numbers need memory too.
    first = (0,) * (len(shape) - 2)
    some = max(1, _PIXELS // shape[-1])
    plane = np.empty(0)
    for y in range(0, shape[-2], some):
        rows = _native(hdu.section[(*first, slice(y, y + some))], hdu)
        if not y:
            plane = np.empty(shape[-2:], dtype=rows.dtype)
        plane[y : y + some] = rows
    return plane


def _native(data: np.ndarray, hdu: fits.ImageHDU) -> np.ndarray:
    """Return pixels as float32, those of DQ as integers of this machine."""
    dtype: np.dtype = np.dtype(np.float32)
    if hdu.name == 'DQ':
        kind = data.dtype if data.dtype.kind in 'iu' else np.dtype(np.int64)
        dtype = kind.newbyteorder('=')
    with np.errstate(over='ignore', invalid='ignore'):
        return np.array(data, dtype=dtype, order='C')


def _companion(
    hdu: fits.ImageHDU | None, chip: Chip, extname: str, path: Path | None = None
) -> np.ndarray | None:
    """Return the pixels of an ERR, DQ or WHT plane that belongs to a chip."""
    if hdu is None:
        return None
    name = f'{path or chip.path}[{extname},{chip.extver}]'
    shape = (chip.sci.shape[0], chip.sci.shape[1])
    if not getattr(hdu, 'is_image', False) or hdu.header.get('NAXIS', 0) < 2:
        # HST files leave out planes of one value (PIXVALUE); zero says nothing.
        value = hdu.header.get('PIXVALUE', 0)
        if not value:
            return None
        return np.full(shape, value, np.int16 if hdu.name == 'DQ' else np.float32)
    plane = _plane(hdu, name)
    if plane.shape != shape:
        msg = f'{name} is {plane.shape}, its image {shape}; not used'
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
        return None
    return plane


def _dq_of_its_own(names: tuple[str, str], chip: Chip) -> np.ndarray | None:
    """Return a DQ plane that is in a file of its own, as WFPC2's are."""
    other = chip.path.with_name(chip.path.name.replace(*names))
    if other == chip.path or not other.is_file():
        return None
    with open_fits(other) as hdus:
        found = (each.hdu for each in images_in(hdus) if each.extver == chip.extver)
        plane = _companion(next(found, None), chip, 'SCI', other)
    return None if plane is None else plane.astype(np.int16)


def _number(*values: object) -> float | None:
    """Return the first value that is a positive number."""
    for value in values:
        if isinstance(value, (int, float)) and np.isfinite(value) and value > 0:
            return float(value)
    return None


def _gain(header: fits.Header, camera: Instrument) -> float | None:
    amplifiers = [_number(header.get(f'ATODGN{amp}')) for amp in 'ABCD']
    measured = [value for value in amplifiers if value is not None]
    if measured:
        return float(np.mean(measured))
    if camera.gains:
        commanded = _number(header.get('ATODGAIN'))
        return camera.gains.get(int(commanded), commanded) if commanded else None
    return _number(header.get('CCDGAIN'), header.get('EGAIN'), header.get('GAIN'))


def _wcs(header: fits.Header, hdus: fits.HDUList, name: str) -> WCS | None:
    if 'CTYPE1' not in header:
        return None
    with without_host_warnings():
        try:
            wcs = WCS(header, fobj=hdus, naxis=2)
            if not wcs.has_celestial:
                return None
            if not isinstance(wcs.pixel_to_world(0, 0), SkyCoord):
                msg = f'its frame, {wcs.wcs.radesys!r}, is not known'
                raise ValueError(msg)
        except Exception as error:  # wcslib's own errors have no common base
            reason = ' '.join(str(error).split())
            msg = f'{name}: the WCS cannot be used ({reason}); no sky positions'
            warnings.warn(msg, AstrosieveWarning, stacklevel=2)
            return None
    return wcs


def _overscan(
    camera: Instrument, shape: tuple[int, int], extver: int
) -> np.ndarray | None:
    """Return `True` on the overscan of a full-frame RAW image."""
    area = camera.science_areas.get((shape, extver))
    if area is None:
        return None
    mask = np.ones(shape, dtype=bool)
    for columns in area[1]:
        mask[area[0], columns] = False
    return mask


def _text(header: fits.Header, *keys: str) -> str:
    for key in keys:
        value = str(header.get(key, '')).strip()
        if value and not value.upper().startswith('CLEAR'):
            return value
    return ''


def chip_from_header(
    sci: np.ndarray,
    header: fits.Header,
    *,
    path: str | Path,
    extname: str = 'SCI',
    extver: int = 1,
) -> Chip:
    """
    Return an image with what its header says of it.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        Pixels.
    header : `~astropy.io.fits.Header`
        The image's header, with what the primary header adds, as `read_header`
        returns it.
    path : path-like
        File, or what messages call the image.
    extname : str, optional
        Extension name.
    extver : int, optional
        Extension version.

    Returns
    -------
    chip : `Chip`
        Without ERR, DQ and WCS.
    """
    name = _text(header, 'INSTRUME').upper()
    detector = _text(header, 'DETECTOR').upper()
    path = Path(path)
    camera = instrument(name, detector)
    try:
        unit = parse_unit(header.get('BUNIT'))
    except ValueError as error:
        msg = f'{path.name}[{extname},{extver}]: BUNIT: {error}; ignored'
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
        unit = None
    unit = unit or camera.unit
    exptime = _number(header.get('EXPTIME'))
    if unit is not None and unit.per_second:
        exptime = _number(header.get('SAMPTIME'), exptime)
    ny, nx = sci.shape
    return Chip(
        sci=np.ascontiguousarray(sci, dtype=np.float32),
        path=path,
        extname=extname,
        extver=extver,
        mask=_overscan(camera, (ny, nx), extver),
        unit=unit,
        gain=_gain(header, camera),
        exptime=exptime,
        instrument=name,
        detector=detector,
        # FILTER1 of WFPC2 is the number of a wheel's slot.
        filter_name=_text(header, 'FILTER', 'FILTNAM1', 'FILTER1', 'FILTER2'),
        header=header,
    )


def read_header(
    path: str | Path, ext: str | Sequence[str] | None = None
) -> fits.Header:
    """
    Read the header of an image, with what the primary header adds.

    Parameters
    ----------
    path : path-like
        FITS file.
    ext : str, optional
        As for `read_chips`; of several extensions the first.

    Returns
    -------
    header : `~astropy.io.fits.Header`

    Raises
    ------
    ExposureError
        As from `read_chips`.
    """
    path = Path(path)
    with open_fits(path) as hdus, without_host_warnings():
        return _header(hdus, select(hdus, ext, path)[0][0])


def _header(hdus: fits.HDUList, image: ImageInFile) -> fits.Header:
    header = hdus[0].header.copy(strip=True)
    header.update(image.hdu.header)
    return header


def _read_chip(hdus: fits.HDUList, image: ImageInFile, path: Path) -> Chip:
    """Read one image HDU with what belongs to it."""
    name = f'{path.name}[{image}]'
    with without_host_warnings():
        for hdu in {id(each): each for each in (hdus[0], image.hdu)}.values():
            drop_unreadable_cards(hdu.header, name)
        chip = chip_from_header(
            _plane(image.hdu, f'{path}[{image}]'),
            _header(hdus, image),
            path=path,
            extname=image.extname,
            extver=image.extver,
        )
        if image.hdu.name == 'SCI':
            chip.err, chip.dq, weight = (
                _companion(companion(hdus, extname, image), chip, extname)
                for extname in ('ERR', 'DQ', 'WHT')
            )
            if weight is not None:
                empty = ~(weight > 0)
                chip.mask = empty if chip.mask is None else chip.mask | empty
        names = instrument(chip.instrument, chip.detector).dq_companion
        if chip.dq is None and names is not None:
            chip.dq = _dq_of_its_own(names, chip)
        chip.wcs = _wcs(image.hdu.header, hdus, chip.name)
    return chip
