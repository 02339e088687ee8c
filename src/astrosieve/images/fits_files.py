"""
FITS files: opened whole, or refused with the reason.

Astropy takes what is wrong with a file for its end, for a warning, or for any of a
dozen errors, late. Here the headers are held against the file first, and whatever is
raised afterwards becomes one kind of error, which names the file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, ExposureError

__all__ = [
    'drop_unreadable_cards',
    'open_fits',
    'plain_pixels',
    'without_host_warnings',
]

_COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
    b'\x1f\x8b': gzip.open,
    b'BZh': bz2.open,
    b'\xfd7zXZ\0': lzma.open,
}
_BLOCK, _CARD = 2880, 80
_MOST_BLOCKS = 3_000  # of a header: 100,000 cards
_MOST_AXES = 999  # of the standard
_BITPIX = (8, 16, 32, 64, -32, -64)
_LISTED = 5


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """
    Open a FITS file, plain or compressed.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Yields
    ------
    hdus : `~astropy.io.fits.HDUList`
        Its HDUs, whose headers agree with the file's size.

    Raises
    ------
    ExposureError
        If the file is missing, truncated, damaged or not FITS; also in place of
        whatever is raised while it is open.
    """
    try:
        with _opened(path) as file:
            number = _count_hdus(file, path)
            file.seek(0)
            with without_host_warnings():
                hdus = fits.open(file, memmap=False)
                whole = fits.HDUList([hdus[n] for n in range(number)])
            with hdus:
                _check_streams(file, whole)
                yield whole
    except (AstrosieveError, AstrosieveWarning):
        raise
    except EOFError as error:
        msg = f'{path}: the file is truncated ({_reason(error)}); fetch it again'
        raise ExposureError(msg) from error
    except MemoryError as error:
        msg = f'{path}: does not fit into memory; cut out a part of the image'
        raise ExposureError(msg) from error
    except Exception as error:  # what damaged files raise has no common base
        msg = f'{path}: not a readable FITS file ({_reason(error)})'
        raise ExposureError(msg) from error


def _check_streams(file: IO[bytes], hdus: fits.HDUList) -> None:
    """
    Refuse tiles of HCOMPRESS that say another size than the header.

    The library that unpacks them believes them, and writes beyond its memory.
    """
    packed = [
        number
        for number, hdu in enumerate(hdus)
        if getattr(hdu, 'compression_type', None) == 'HCOMPRESS_1'
    ]
    if not packed:
        return
    file.seek(0)
    with without_host_warnings():
        plain = fits.open(file, memmap=False, disable_image_compression=True)
        for number in packed:
            header, rows = plain[number].header, plain[number].data['COMPRESSED_DATA']
            axes = range(header['ZNAXIS'], 0, -1)
            sizes = np.array([header[f'ZNAXIS{axis}'] for axis in axes])
            tile = np.array([header[f'ZTILE{axis}'] for axis in axes])
            for at, row in zip(np.ndindex(*-(-sizes // tile)), rows, strict=False):
                said = np.frombuffer(bytes(row[2:10]), '>i4')
                if (
                    len(row)
                    and prod(said) != np.minimum(tile, sizes - at * tile).prod()
                ):
                    raise ValueError('a tile is not of the size that the header states')


def _reason(error: Exception) -> str:
    return ' '.join(str(error).split()) or type(error).__name__


@contextmanager
def without_host_warnings() -> Iterator[None]:
    """Keep astropy's warnings back: what matters of them is said by us."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', category=AstropyWarning, module='astropy')
        yield


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a file, or what it holds where it is compressed whole.

    Left to itself, astropy takes a compressed stream that breaks off for the
    end of the file, and the extensions that follow for missing.
    """
    try:
        if not path.is_file():
            raise ExposureError(_no_file(path))
        file = path.open('rb')
    except ExposureError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        msg = f'{path}: cannot be read ({reason})'
        raise ExposureError(msg) from error
    with file:
        start = file.read(6)
        for magic, opener in _COMPRESSIONS.items():
            if start.startswith(magic):
                file.seek(0)
                with opener(file) as stream:
                    yield BytesIO(stream.read())
                return
        yield file


def _no_file(path: Path) -> str:
    if path.is_dir():
        return f'{path}: is a folder; name the FITS files in it'
    if path.exists():
        return (
            f'{path}: is a pipe or a device; save what it gives to a file, or let '
            "'-' read standard input"
        )
    return f'{path}: no such file'


def _count_hdus(file: IO[bytes], path: Path) -> int:
    """Return how many HDUs a file holds, having held each header against its size."""
    size = file.seek(0, os.SEEK_END)
    position = number = 0
    while position < size:
        file.seek(position)
        start = file.read(9)
        if number and not start.startswith(b'XTENSION'):
            if (start + file.read(_BLOCK)).strip(b'\0 '):
                msg = f'{path.name}: what follows HDU {number - 1} is no extension'
                warnings.warn(f'{msg}; left out', AstrosieveWarning, stacklevel=4)
            break
        if not number and start != b'SIMPLE  =':
            msg = f'{path}: not a readable FITS file (it does not begin as one)'
            raise ExposureError(msg)
        file.seek(position)
        try:
            end = _data_size(_structure(file)) + file.tell()
        except ValueError as error:
            msg = f'{path}: not a readable FITS file (HDU {number}: {error})'
            raise ExposureError(msg) from error
        position = -(-end // _BLOCK) * _BLOCK
        number += 1
        if position > size:
            msg = (
                f'{path}: the file is truncated ({size:,} bytes are less than '
                f'{position:,}); fetch it again'
            )
            raise ExposureError(msg)
    if not number:
        msg = f'{path}: not a readable FITS file (it is empty)'
        raise ExposureError(msg)
    return number


def _structure(file: IO[bytes]) -> dict[bytes, bytes]:
    """Read a header up to its end; return the text of each card's value."""
    cards: dict[bytes, bytes] = {}
    for _ in range(_MOST_BLOCKS):
        block = file.read(_BLOCK)
        if len(block) < _BLOCK:
            break
        for at in range(0, _BLOCK, _CARD):
            card = block[at : at + _CARD]
            if card.rstrip() == b'END':
                return cards
            if card[8:9] == b'=':
                cards.setdefault(card[:8].rstrip(), card[9:].partition(b'/')[0].strip())
    msg = 'its header has no END'
    raise ValueError(msg)


def plain_pixels(content: bytes) -> np.ndarray | None:
    """
    Return the pixels of a small FITS file at a tenth of the time that astropy needs.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    pixels : 2D `~numpy.ndarray` or None
        Of its first HDU, where that is an image of floating-point numbers without a
        scale; else None, and astropy has to read it.
    """
    file = BytesIO(content)
    try:
        cards = _structure(file)
        axes = _axes(cards)
    except ValueError:
        return None
    dtype = {b'-32': '>f4', b'-64': '>f8'}.get(cards.get(b'BITPIX', b''))
    if b'SIMPLE' not in cards or dtype is None or len(axes) != 2:
        return None
    first, n = file.tell(), prod(axes)
    scaled = {b'BSCALE', b'BZERO'} & {*cards}
    if scaled or not n or len(content) - first < n * int(dtype[2]):
        return None
    return np.frombuffer(content, dtype, n, first).reshape(axes[::-1])


def _whole_number(
    cards: Mapping[bytes, bytes], key: str, *, default: int | None = None, low: int = 0
) -> int:
    text = cards.get(key.encode(), b'' if default is None else str(default).encode())
    if not text:
        msg = f'{key} is missing'
        raise ValueError(msg)
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low:
        msg = f'{key} = {text.decode("ascii", "replace")} makes no sense'
        raise ValueError(msg)
    return value


def _axes(cards: Mapping[bytes, bytes], prefix: str = '') -> list[int]:
    number = _whole_number(cards, f'{prefix}NAXIS')
    if number > _MOST_AXES:
        msg = f'{prefix}NAXIS = {number} makes no sense'
        raise ValueError(msg)
    return [_whole_number(cards, f'{prefix}NAXIS{n + 1}') for n in range(number)]


def _data_size(cards: Mapping[bytes, bytes]) -> int:
    """Return how many bytes of data a header announces."""
    bits = _whole_number(cards, 'BITPIX', low=min(_BITPIX))
    if bits not in _BITPIX:
        msg = f'BITPIX = {bits} makes no sense'
        raise ValueError(msg)
    axes = _axes(cards)
    if cards.get(b'ZIMAGE') == b'T':
        _check_tiles(cards, rows=axes[1] if len(axes) > 1 else 0)
    if not axes:
        return 0
    if axes[0] == 0 and cards.get(b'GROUPS') == b'T':
        del axes[0]
    heap = _whole_number(cards, 'PCOUNT', default=0)
    groups = _whole_number(cards, 'GCOUNT', default=1)
    return abs(bits) // 8 * groups * (heap + prod(axes))


def _check_tiles(cards: Mapping[bytes, bytes], rows: int) -> None:
    """Hold the size of a tile-compressed image against the number of its tiles."""
    axes = _axes(cards, 'Z')
    tiles = prod(
        -(-n // _whole_number(cards, f'ZTILE{i}', default=1 if i > 1 else n, low=1))
        for i, n in enumerate(axes, start=1)
        if n
    )
    if tiles != rows:
        msg = f'a compressed image of {tiles} tiles in {rows} rows'
        raise ValueError(msg)


def drop_unreadable_cards(header: fits.Header, name: str) -> None:
    """
    Take out of a header the cards whose values no FITS reader understands.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Changed in place.
    name : str
        What the warning calls the image.
    """
    lost = []
    for number in reversed(range(len(header.cards))):
        card = header.cards[number]
        try:
            _ = card.keyword, card.value, card.comment
        except (fits.VerifyError, ValueError):
            lost.append(str(card.keyword))
            del header[number]
    if lost:
        listed = ', '.join(reversed(lost[-_LISTED:]))
        more = f' and {len(lost) - _LISTED} more' if len(lost) > _LISTED else ''
        msg = f'{name}: what the header says of {listed}{more} is no FITS; left out'
        warnings.warn(msg, AstrosieveWarning, stacklevel=3)
