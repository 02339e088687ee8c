"""Frames out of FITS files, of large ones only as many pixels as are wanted."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.exceptions import AstrosieveWarning, ExposureError

__all__ = [
    'Frame',
    'FrameError',
    'as_frame',
    'check_whole',
    'list_frames',
    'read_frames',
]

_SIDE = 16  # pixels; less is no frame
_LARGEST = 1 << 30  # pixels
_USABLE = 0.5  # share of the pixels
_BLANK = 0.35  # share of the rows, or columns, that hold one value each
_SATURATED = 0.005  # share of the other pixels that hold it, if it is saturation
_FITS = re.compile(r'\.(fits?|fts)(\.(gz|fz|bz2|xz|Z))?$', re.IGNORECASE)
_TURN = 1 << 15  # half of what 16 bits hold
_WRAPPED = 2e-4  # share of neighbours that lie a whole turn apart


class FrameError(ExposureError):
    """A frame that cannot be typed, and why."""


@dataclass(frozen=True)
class Frame:
    """
    One image of a file.

    Parameters
    ----------
    pixels : 2D float32 `~numpy.ndarray` or None
        Finite; of a large frame pairs of rows and columns. None where the image is no
        frame.
    header : `~astropy.io.fits.Header`
        The image's, with what the primary header adds.
    extension : str
        Name and version, or number, of its HDU.
    problem : str
        Why the image is no frame.
    """

    pixels: np.ndarray | None
    header: fits.Header
    extension: str
    problem: str = ''


def list_frames(folder: Path) -> list[Path]:
    """
    Return the FITS files of a folder, by name.

    Raises
    ------
    FrameError
        If there are none.
    """
    paths = sorted(
        path
        for path in folder.iterdir()
        if _FITS.search(path.name) and not path.name.startswith('.') and path.is_file()
    )
    if not paths:
        msg = f'{folder}: no FITS files are in it'
        raise FrameError(msg)
    return paths


def read_frames(path: str | Path, max_pixels: int | None = None) -> Iterator[Frame]:
    """
    Read the images of a file one after the other.

    Parameters
    ----------
    path : path-like
        FITS file, also ``.gz`` and ``.fz``.
    max_pixels : int, optional
        Of larger frames only pairs of rows and columns are read.

    Yields
    ------
    frame : `Frame`
        Each SCI extension, else each image of two dimensions. Of several, one that is
        no frame says why.

    Raises
    ------
    FrameError
        If the file cannot be read, or its only image is no frame.
    """
    path = Path(path)
    with _open(path) as hdus:
        images = [each for each in hdus if each.is_image and each.header.get('NAXIS')]
        named = [each for each in images if each.name == 'SCI']
        chosen = named or [each for each in images if _dimensions(each) == 2]
        if not chosen:
            raise FrameError(f'{path}: {_lack(images)}')
        for hdu in chosen:
            header = hdus[0].header.copy(strip=True)
            header.update(hdu.header)
            name = f'{hdu.name or "PRIMARY"},{hdu.ver}'
            try:
                yield Frame(_pixels(hdu, max_pixels), header, name)
            except FrameError as error:
                if len(chosen) == 1:
                    msg = f'{path}[{name}]: {error}'
                    raise FrameError(msg) from error
                yield Frame(None, header, name, str(error))


@contextmanager
def _open(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file; its astropy errors become ours."""
    if not path.is_file():
        msg = f'{path}: no such file'
        raise FrameError(msg)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                'error', message='.*truncated', category=AstropyUserWarning
            )
            with (
                path.open('rb') as file,
                fits.open(file, do_not_scale_image_data=True) as hdus,
            ):
                len(hdus)
                yield hdus
    except FrameError:
        raise
    except (AstropyUserWarning, EOFError) as error:
        msg = f'{path}: the file is truncated; fetch it again'
        raise FrameError(msg) from error
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        reason = ' '.join(str(error).split())
        short = 'mmap' in reason or 'buffer' in reason
        said = 'the file is truncated' if short else 'not a readable FITS file'
        msg = f'{path}: {said} ({reason})'
        raise FrameError(msg) from error


def _dimensions(hdu: fits.ImageHDU) -> int:
    """Return how many axes of an image are longer than one pixel."""
    header = hdu.header
    return sum(header[f'NAXIS{i + 1}'] > 1 for i in range(header['NAXIS']))


def _lack(images: list[fits.ImageHDU]) -> str:
    """Say why no image of a file is a frame."""
    if not images:
        return 'no HDU holds an image'
    header = images[0].header
    sizes = [header[f'NAXIS{i + 1}'] for i in range(header['NAXIS'])]
    if sum(size > 1 for size in sizes) < 2:
        return f'a spectrum of {max(sizes)} pixels in one dimension, no frame'
    listed = ' x '.join(map(str, sizes))
    return f'a cube of {listed} pixels; save each plane as a file of its own'


def _kept(size: int, step: int) -> np.ndarray | slice:
    """Return pairs of pixels, one pair of ``step``."""
    if step == 1:
        return slice(None)
    every = np.arange(size)
    return every[every % (2 * step) < 2]


def thinned(image: np.ndarray, max_pixels: int | None) -> np.ndarray:
    """Return pairs of rows and columns of a large image: neighbours stay neighbours."""
    if max_pixels is None or image.size <= max_pixels:
        return image
    step = int(np.ceil(np.sqrt(image.size / max_pixels)))
    return image[_kept(image.shape[0], step)][:, _kept(image.shape[1], step)]


def _pixels(hdu: fits.ImageHDU, max_pixels: int | None) -> np.ndarray:
    """Return the pixels of an HDU, scaled after they were thinned."""
    header = hdu.header
    scale, zero = header.get('BSCALE', 1), header.get('BZERO', 0)
    blank = header.get('BLANK')
    data = hdu.data
    if data is None:
        msg = 'the image has no pixels'
        raise FrameError(msg)
    scaled = header.get('BSCALE', 1) != scale or header.get('BZERO', 0) != zero
    if data.ndim > 2:
        data = data.reshape([size for size in data.shape if size > 1])
    if scaled or (scale == 1 and zero == 0):
        return as_frame(data, max_pixels)
    part = _thinned_frame(data, max_pixels)
    pixels = part.astype(np.float32) * np.float32(scale) + np.float32(zero)
    if blank is not None and part.dtype.kind in 'iu':
        pixels[part == blank] = np.nan
    return _finite(pixels)


def _thinned_frame(data: np.ndarray, max_pixels: int | None) -> np.ndarray:
    if data.ndim != 2:
        shape = ' x '.join(map(str, data.shape))
        what = 'a cube' if data.ndim > 2 else 'one-dimensional'
        msg = f'the data are {what} ({shape}); a frame has two dimensions'
        raise FrameError(msg)
    if min(data.shape) < _SIDE:
        msg = f'{data.shape[1]} x {data.shape[0]} pixels are too few for a frame'
        raise FrameError(msg)
    if data.size > _LARGEST:
        msg = f'{data.shape[1]} x {data.shape[0]} pixels are too many for a frame'
        raise FrameError(msg)
    return thinned(data, max_pixels)


def as_frame(data: np.ndarray, max_pixels: int | None = None) -> np.ndarray:
    """
    Return what is typed of an array.

    Parameters
    ----------
    data : 2D array_like
        Pixels, of any number type.
    max_pixels : int, optional
        As in `read_frames`.

    Returns
    -------
    pixels : 2D float32 `~numpy.ndarray`
        Finite: what is not becomes the median.

    Raises
    ------
    FrameError
        If the array is no frame: other than 2D, tiny, huge, of one value, mostly not
        finite.

    Warns
    -----
    AstrosieveWarning
        If unsigned integers were read as signed ones; they are put right.
    """
    part = _thinned_frame(np.asarray(data), max_pixels)
    if part.dtype.kind not in 'iufb':
        msg = f'the pixels are {part.dtype}, no numbers'
        raise FrameError(msg)
    if part.dtype.kind == 'i' and part.dtype.itemsize == 2:
        part = _unsigned(part)
    return _finite(part.astype(np.float32))


def check_whole(pixels: np.ndarray) -> None:
    """
    Refuse a frame that was not read out whole.

    Raises
    ------
    FrameError
        If over a third of its rows or columns hold one value each, other than that at
        which the other ones saturate.
    """
    top = pixels.max()
    for axis, what in ((1, 'rows'), (0, 'columns')):
        least, most = pixels.min(axis=axis), pixels.max(axis=axis)
        blank = least == most
        full = blank & (most == top)
        if full.any() and not full.all():
            others = np.compress(~full, pixels, axis=1 - axis)
            blank &= ~full | ((others == top).mean() < _SATURATED)
        if blank.mean() > _BLANK:
            msg = (
                f'{blank.mean():.0%} of the {what} hold one value: not read out whole?'
            )
            raise FrameError(msg)


def _unsigned(data: np.ndarray) -> np.ndarray:
    """Put right 16-bit integers whose neighbours often lie a whole turn apart."""
    wide = data.astype(np.int32)
    jumps = np.abs(np.diff(wide, axis=1)) > 1.5 * _TURN
    if jumps.mean() < _WRAPPED:
        return data
    msg = 'unsigned integers were read as signed ones; put right (BZERO is missing?)'
    warnings.warn(msg, AstrosieveWarning, stacklevel=2)
    return wide & 0xFFFF


def _finite(pixels: np.ndarray) -> np.ndarray:
    finite = np.isfinite(pixels)
    share = finite.mean()
    if share < _USABLE:
        msg = f'only {share:.0%} of the pixels are finite'
        raise FrameError(msg)
    if share < 1:
        pixels = np.where(finite, pixels, np.median(pixels[finite]))
    low, high = float(pixels.min()), float(pixels.max())
    if low == high:
        said = 'zero' if low == 0 else f'{low:g}'
        msg = f'all pixels are {said}'
        raise FrameError(msg)
    return pixels
