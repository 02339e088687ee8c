"""
Exposures: FITS files in, chips out.

A chip is one ``(SCI, EXTVER)`` with its ERR and DQ planes, its unit and its
WCS. FLT, FLC, C0M, RAW, DRZ, DRC and any other FITS image are read, as full
frames and subarrays, plain, gzipped or tile-compressed.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, FITSFixedWarning

from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve.images.dq import DQMeaning
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

_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
    b'\x1f\x8b': gzip.open,
    b'BZh': bz2.open,
    b'\xfd7zXZ\0': lzma.open,
}

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
    with fits.open(path, memmap=False) as hdus:
        plain = fits.HDUList()
        for hdu in hdus:
            if isinstance(hdu, fits.CompImageHDU):
                image = fits.ImageHDU(hdu.data, hdu.header, name=hdu.name)
                image.ver = hdu.ver
                plain.append(image)
            else:
                plain.append(hdu)
        plain.writeto(target)


def root_name(path: str | Path) -> str:
    """Return a file's name without its FITS and compression suffixes."""
    return _SUFFIXES.sub('', Path(path).name)


def read_chips(path: str | Path, ext: str | None = None) -> Iterator[Chip]:
    """
    Read the chips of a FITS file one after the other.

    Parameters
    ----------
    path : path-like
        FITS file, also ``.gz`` and ``.fz``.
    ext : str, optional
        Extension as 'NAME,VERSION', 'NAME' or number. By default each SCI
        extension, else the first HDU that holds an image.

    Yields
    ------
    chip : `Chip`

    Raises
    ------
    ExposureError
        If the file is missing, truncated, not FITS, or lacks the extension,
        or if the extension is not a 2D image.
    """
    path = Path(path)
    with _open(path) as hdus:
        for hdu in _select(hdus, ext, path):
            yield _read_chip(hdus, hdu, path)


def list_chips(path: str | Path, ext: str | None = None) -> list[tuple[str, int]]:
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
    with _open(path) as hdus:
        return [(hdu.name or 'PRIMARY', hdu.ver) for hdu in _select(hdus, ext, path)]


@contextmanager
def _open(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file; its astropy errors become ours."""
    if not path.is_file():
        msg = f'{path}: no such file'
        raise ExposureError(msg)
    try:
        with _whole(path) as hdus:
            yield hdus
    except ExposureError:
        raise
    except (AstropyUserWarning, EOFError) as error:
        msg = f'{path}: the file is truncated ({error}); fetch it again'
        raise ExposureError(msg) from error
    except (OSError, ValueError, TypeError, zlib.error, lzma.LZMAError) as error:
        msg = f'{path}: not a readable FITS file ({error})'
        raise ExposureError(msg) from error


def _whole(path: Path) -> fits.HDUList:
    """Open a FITS file and walk through its headers; truncated is an error."""
    source = _decompressed(path)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            'error', message='.*truncated', category=AstropyUserWarning
        )
        hdus = fits.open(source, memmap=source is path and _can_map(path))
        try:
            len(hdus)
        except BaseException:
            hdus.close()
            raise
    return hdus


def _decompressed(path: Path) -> Path | BytesIO:
    """
    Return what to open: the file, or its contents where it is compressed whole.

    Left to itself, astropy takes a compressed stream that breaks off for the
    end of the file, and the extensions that follow for missing.
    """
    with path.open('rb') as file:
        start = file.read(6)
    for magic, opener in _COMPRESSIONS.items():
        if start.startswith(magic):
            with opener(path) as stream:
                return BytesIO(stream.read())
    return path


def _can_map(path: Path) -> bool:
    return path.suffix.lower() not in ('.fz', '.z')


def _has_image(hdu: fits.hdu.base.ExtensionHDU) -> bool:
    return bool(getattr(hdu, 'is_image', False)) and hdu.header.get('NAXIS', 0) >= 2


def _select(hdus: fits.HDUList, ext: str | None, path: Path) -> list:
    """Return the HDUs that ``ext`` asks for."""
    if ext is None:
        chosen = [hdu for hdu in hdus if hdu.name == 'SCI' and _has_image(hdu)]
        chosen = chosen or [hdu for hdu in hdus if _has_image(hdu)][:1]
        if not chosen:
            msg = f'{path}: no HDU holds an image'
            raise ExposureError(msg)
        return chosen
    name, _, version = (part.strip() for part in ext.partition(','))
    try:
        if name.lstrip('-').isdigit() and not version:
            hdu = hdus[int(name)]
        else:
            hdu = hdus[name.upper(), int(version or 1)]
    except (KeyError, IndexError, ValueError):
        known = ', '.join(f'{h.name},{h.ver}' for h in hdus)
        msg = f"{path}: no extension '{ext}'; it has {known}"
        raise ExposureError(msg) from None
    if not _has_image(hdu):
        msg = f"{path}: extension '{ext}' holds no image"
        raise ExposureError(msg)
    return [hdu]


def _plane(hdu: fits.ImageHDU, path: Path) -> np.ndarray:
    """Return an HDU's pixels as a native, contiguous 2D array."""
    try:
        data = hdu.data
    except ValueError:
        # Scaled integers cannot be mapped; read them into memory instead.
        with fits.open(path, memmap=False) as again:
            data = again[hdu.name, hdu.ver].data
    if data is None:
        msg = f'{path}[{hdu.name},{hdu.ver}]: the image has no pixels'
        raise ExposureError(msg)
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    if data.ndim != 2:
        msg = (
            f'{path}[{hdu.name},{hdu.ver}]: the image must be 2D; its shape is '
            f'{data.shape}. Save one plane as a file of its own'
        )
        raise ExposureError(msg)
    if hdu.name != 'DQ':
        return np.ascontiguousarray(data, dtype=np.float32)
    if data.dtype.kind not in 'iu':
        data = data.astype(np.int64)
    return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder('='))


def _companion(
    hdus: fits.HDUList, name: str, extver: int, shape: tuple[int, int], path: Path
) -> np.ndarray | None:
    """Return the ERR, DQ or WHT plane that belongs to a SCI extension."""
    try:
        hdu = hdus[name, extver]
    except KeyError:
        return None
    if not _has_image(hdu):
        # HST files leave out planes of one value (PIXVALUE); zero says nothing.
        value = hdu.header.get('PIXVALUE', 0)
        if not value:
            return None
        return np.full(shape, value, np.int16 if name == 'DQ' else np.float32)
    plane = _plane(hdu, path)
    if plane.shape != shape:
        msg = f'{path}[{name},{extver}] is {plane.shape}, its image {shape}; not used'
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
        return None
    return plane


def _dq_of_its_own(
    path: Path, names: tuple[str, str], extver: int, shape: tuple[int, int]
) -> np.ndarray | None:
    """Return a DQ plane that is in a file of its own, as WFPC2's are."""
    other = path.with_name(path.name.replace(*names))
    if other == path or not other.is_file():
        return None
    with _open(other) as hdus:
        plane = _companion(hdus, 'SCI', extver, shape, other)
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
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FITSFixedWarning)
        warnings.filterwarnings('ignore', module='astropy.wcs')
        try:
            wcs = WCS(header, fobj=hdus, naxis=2)
        except Exception as error:  # wcslib's own errors have no common base
            reason = ' '.join(str(error).split())
            msg = f'{name}: the WCS cannot be used ({reason}); no sky positions'
            warnings.warn(msg, AstrosieveWarning, stacklevel=2)
            return None
    return wcs if wcs.has_celestial else None


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


def read_header(path: str | Path, ext: str | None = None) -> fits.Header:
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
    with _open(path) as hdus:
        return _header(hdus, _select(hdus, ext, path)[0])


def _header(hdus: fits.HDUList, hdu: fits.ImageHDU) -> fits.Header:
    header = hdus[0].header.copy(strip=True)
    header.update(hdu.header)
    return header


def _read_chip(hdus: fits.HDUList, hdu: fits.ImageHDU, path: Path) -> Chip:
    """Read one image HDU with what belongs to it."""
    chip = chip_from_header(
        _plane(hdu, path),
        _header(hdus, hdu),
        path=path,
        extname=hdu.name or 'PRIMARY',
        extver=hdu.ver,
    )
    shape = (chip.sci.shape[0], chip.sci.shape[1])
    if hdu.name == 'SCI':
        chip.err = _companion(hdus, 'ERR', hdu.ver, shape, path)
        chip.dq = _companion(hdus, 'DQ', hdu.ver, shape, path)
        weight = _companion(hdus, 'WHT', hdu.ver, shape, path)
        if weight is not None:
            empty = ~(weight > 0)
            chip.mask = empty if chip.mask is None else chip.mask | empty
    names = instrument(chip.instrument, chip.detector).dq_companion
    if chip.dq is None and names is not None:
        chip.dq = _dq_of_its_own(path, names, hdu.ver, shape)
    chip.wcs = _wcs(hdu.header, hdus, chip.name)
    return chip
