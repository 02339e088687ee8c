"""
Candidates of files: npz, FITS, HDF5, pictures, alert packets.

What a file is, its first bytes say, not its name.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from astrosieve.transient.candidates import Candidate, Order
from astrosieve.transient.errors import StampError
from astrosieve.transient.readers.arrays import read_hdf5, read_npz
from astrosieve.transient.readers.cubes import read_cubes
from astrosieve.transient.readers.packets import read_archive, read_packets
from astrosieve.transient.readers.pictures import read_picture

__all__ = ['SUFFIXES', 'file_root', 'list_stamps', 'read_candidates']

Reader = Callable[..., Iterator[Candidate]]

SUFFIXES = (
    *('.npz', '.npy', '.fits', '.fit', '.fts', '.fits.gz', '.fits.fz', '.h5'),
    *('.hdf5', '.png', '.jpg', '.jpeg', '.avro', '.avro.gz', '.tar', '.tar.gz'),
    '.tgz',
)
"""Names by which the files of a folder are taken for stamps."""

_BEGINNINGS: tuple[tuple[bytes, Reader], ...] = (
    (b'PK\x03\x04', read_npz),
    (b'PK\x05\x06', read_npz),
    (b'\x93NUMPY', read_npz),
    (b'SIMPLE', read_cubes),
    (b'\x89HDF\r\n\x1a\n', read_hdf5),
    (b'\x89PNG', read_picture),
    (b'\xff\xd8\xff', read_picture),
    (b'Obj\x01', read_packets),
    (b'\x00', read_packets),
)
_GZIP = b'\x1f\x8b'
_TAR = (257, b'ustar')


def read_candidates(
    path: str | Path, *, order: Order | None = None, schema: Any = None
) -> Iterator[Candidate]:
    """
    Read the candidates of a file, one after the other.

    Parameters
    ----------
    path : path-like
        npz as ``numpy.savez`` writes it, FITS cubes, HDF5, a picture of three bands,
        Avro packets, or a tar archive of these packets.
    order : `~astrosieve.transient.candidates.Order`, optional
        What the planes are; else science, template and difference, and of pictures
        three bands. Packets say it themselves.
    schema : object, optional
        Avro schema of packets that do not carry it, as fastavro parses it.

    Yields
    ------
    candidate : `~astrosieve.transient.candidates.Candidate`
        One whose own stamps are damaged says so.

    Raises
    ------
    StampError
        If no candidates can be read from the file.
    """
    path = Path(path)
    try:
        with path.open('rb') as file:
            start = file.read(512)
    except OSError as error:
        missing = 'no such file' if not path.exists() else error.strerror
        msg = f'{path}: cannot be read ({missing or error})'
        raise StampError(msg) from error
    if not start:
        msg = f'{path}: the file is empty'
        raise StampError(msg)
    packed = start.startswith(_GZIP)
    reader = _reader(path, _unpacked(path) if packed else start)
    if reader in (read_packets, read_archive):
        yield from reader(path, schema=schema)
    else:
        yield from reader(path, order)


def _unpacked(path: Path) -> bytes:
    """Return how a gzipped file begins."""
    try:
        with gzip.open(path) as file:
            return file.read(512)
    except (OSError, EOFError, zlib.error) as error:
        msg = f'{path}: the gzip stream is damaged ({error})'
        raise StampError(msg) from error


def _reader(path: Path, start: bytes) -> Reader:
    at, magic = _TAR
    if start[at:].startswith(magic):
        return read_archive
    for magic, reader in _BEGINNINGS:
        if start.startswith(magic):
            return reader
    msg = (
        f'{path}: no stamps are known in this form; npz, FITS, HDF5, PNG, JPEG and '
        'Avro packets are'
    )
    raise StampError(msg)


def file_root(path: Path) -> str:
    """Return a file's name without the suffixes of stamps."""
    ends = [each for each in SUFFIXES if path.name.lower().endswith(each)]
    return path.name[: len(path.name) - max(map(len, ends), default=0)] or path.name


def list_stamps(folder: Path) -> list[Path]:
    """Return the files of stamps that lie in a folder, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(SUFFIXES) and not path.name.startswith('.')
    )
