"""Pages of HTML in one file, which need no network."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.atomic import atomic_path

__all__ = ['colour_png', 'encoded', 'grey_png', 'mask_png', 'page_text', 'save_page']


def page_text(
    package: str, *, title: str, data: Mapping[str, Any], images: str = 'data:'
) -> str:
    """
    Return a page made of the files of a package.

    Parameters
    ----------
    package : str
        Its folder holds ``page.html``, in which ``{{title}}`` and ``{{data}}`` stand
        for what is given here, and ``{{name.css}}`` for a file of that folder, or of
        this one; ``{{head.html}}`` is the head that all pages have. A library of other
        people's may lie packed, as ``name.js.gz``. What ends with ``.html`` or ``.css``
        may name parts itself.
    title : str
        Of the page.
    data : mapping
        What JSON holds, for the scripts.
    images : str, optional
        Where images may come from, as the content security policy says it.

    Returns
    -------
    text : str
        HTML.
    """
    folders = [resources.files(each) for each in (package, __package__)]
    given = {
        'title': html.escape(title),
        'images': images,
        # Nothing in the data may end the element that holds it.
        'data': json.dumps(data, allow_nan=False).replace('<', r'\u003c'),
    }

    def part(name: str) -> str:
        if name in given:
            return given[name]
        for folder in folders:
            if (folder / name).is_file():
                text = (folder / name).read_text(encoding='utf-8')
                return filled(text) if name.endswith(('.html', '.css')) else text
            if (folder / f'{name}.gz').is_file():
                packed = (folder / f'{name}.gz').read_bytes()
                return gzip.decompress(packed).decode('utf-8')
        msg = f'{package} has no {name}'
        raise FileNotFoundError(msg)

    def filled(text: str) -> str:
        return re.sub(r'\{\{([\w.-]+)\}\}', lambda found: part(found[1]), text)

    return part('page.html')


def save_page(text: str, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write a page.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding='utf-8')


def encoded(values: bytes | np.ndarray) -> str:
    """Return bytes, or the numbers of an array in its own type, as text."""
    content = values if isinstance(values, bytes) else values.tobytes()
    return base64.b64encode(content).decode('ascii')


def grey_png(image: np.ndarray) -> bytes:
    """
    Return a PNG of grey levels.

    Parameters
    ----------
    image : 2D uint8 `~numpy.ndarray`
        Levels, the first row on top.

    Returns
    -------
    content : bytes
        The file.
    """
    return _png(image, image.shape[1], bits=8, kind=0)


def colour_png(image: np.ndarray) -> bytes:
    """
    Return a PNG of colours.

    Parameters
    ----------
    image : (ny, nx, 3) uint8 `~numpy.ndarray`
        Red, green and blue, the first row on top.

    Returns
    -------
    content : bytes
        The file.
    """
    return _png(image.reshape(len(image), -1), image.shape[1], bits=8, kind=2)


def mask_png(mask: np.ndarray, colour: str) -> bytes:
    """
    Return a PNG that has a colour where a mask holds, and lets all else show through.

    Parameters
    ----------
    mask : 2D bool `~numpy.ndarray`
        The mask, the first row on top.
    colour : str
        ``'#rrggbb'``.

    Returns
    -------
    content : bytes
        The file.
    """
    palette = (
        (b'PLTE', bytes(3) + bytes.fromhex(colour.removeprefix('#'))),
        (b'tRNS', b'\x00\xff'),
    )
    packed = np.packbits(mask, axis=1)
    return _png(packed, mask.shape[1], bits=1, kind=3, further=palette)


def _png(
    packed: np.ndarray,
    width: int,
    *,
    bits: int,
    kind: int,
    further: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """Return a PNG of rows of bytes, of as many bits a pixel and such colours."""
    # Each row begins with its filter, which is none.
    rows = np.pad(packed, [(0, 0), (1, 0)])
    chunks = (
        (b'IHDR', struct.pack('>2I5B', width, len(packed), bits, kind, 0, 0, 0)),
        *further,
        (b'IDAT', zlib.compress(rows.tobytes())),
        (b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(content))
        + name
        + content
        + struct.pack('>I', zlib.crc32(name + content))
        for name, content in chunks
    )
