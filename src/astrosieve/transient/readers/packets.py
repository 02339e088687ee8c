"""Candidates of alert packets: Avro, as ZTF, Rubin and their brokers send them."""

from __future__ import annotations

import gzip
import json
import math
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import fits

from astrosieve.images.fits_files import plain_pixels, without_host_warnings
from astrosieve.transient.candidates import TRIPLET, Candidate
from astrosieve.transient.errors import StampError

__all__ = ['packets_of', 'read_archive', 'read_packets', 'read_schema']

_CUTOUTS = tuple(f'cutout{name.capitalize()}' for name in TRIPLET)
_CONTAINER = b'Obj\x01'
_WIRE = struct.Struct('>bI')  # of Confluent: 0, and the number of the schema
_GZIP = b'\x1f\x8b'
_LARGEST = 1 << 24  # bytes of a cutout, unpacked
_JD = 2400000.5


def _fastavro() -> Any:
    try:
        import fastavro
        import fastavro.schema
    except ImportError as error:
        msg = "alert packets need fastavro: pip install 'astrosieve[alerts]'"
        raise StampError(msg) from error
    return fastavro


def read_schema(path: Path) -> Any:
    """
    Read an Avro schema, for packets that do not carry theirs.

    Raises
    ------
    StampError
        If there is none in the file.
    """
    fastavro = _fastavro()
    try:
        return fastavro.schema.parse_schema(json.loads(path.read_text('utf-8')))
    except Exception as error:  # what is wrong with schemas has no common base
        msg = f'{path}: not an Avro schema ({_said(error)})'
        raise StampError(msg) from error


def read_packets(path: Path, *, schema: Any = None) -> Iterator[Candidate]:
    """Yield the candidates of a file of packets, as ``read_candidates`` does."""
    with path.open('rb') as file:
        packed = file.read(2) == _GZIP
    with gzip.open(path) if packed else path.open('rb') as file:
        yield from _packets(file, path.name.partition('.')[0], schema, str(path))


def read_archive(path: Path, *, schema: Any = None) -> Iterator[Candidate]:
    """Yield the candidates of a tar archive of packets, as the surveys' archives."""
    try:
        with tarfile.open(path, 'r|*') as archive:
            for member in archive:
                if not member.isfile():
                    continue
                name = Path(member.name).name
                content = archive.extractfile(member)
                assert content is not None
                stem = name.partition('.')[0]
                yield from packets_of(content.read(), stem, schema=schema)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, StampError):
            raise
        msg = f'{path}: the archive is damaged ({_said(error)})'
        raise StampError(msg) from error


def packets_of(content: bytes, name: str, *, schema: Any = None) -> Iterator[Candidate]:
    """
    Yield the candidates of the bytes of a file, or of a message.

    Parameters
    ----------
    content : bytes
        An Avro file, or a record in Confluent's wire format, for which a schema is
        needed.
    name : str
        What a packet is called that cannot be read.
    schema : object, optional
        As `read_schema` gives it.

    Yields
    ------
    candidate : `~astrosieve.transient.candidates.Candidate`
        One that cannot be read says why, and is the last of these bytes.
    """
    try:
        yield from _packets(BytesIO(content), name, schema, name)
    except StampError as error:
        yield Candidate(name, None, problem=str(error))


def _packets(
    file: IO[bytes] | gzip.GzipFile, name: str, schema: Any, about: str
) -> Iterator[Candidate]:
    fastavro = _fastavro()
    start = file.read(_WIRE.size)
    file.seek(0)
    number = 0
    try:
        if start.startswith(_CONTAINER):
            records = fastavro.reader(file)
        elif start[:1] == b'\0' and schema is not None:
            file.seek(_WIRE.size)
            records = iter([fastavro.schemaless_reader(file, schema, None)])
        elif start[:1] == b'\0':
            msg = (
                f'{about}: unknown schema: the packet does not carry it, only its '
                'number; give its .avsc file as schema'
            )
            raise StampError(msg)
        else:
            msg = f'{about}: not an Avro packet'
            raise StampError(msg)
        for record in records:
            yield _candidate(record, f'{name}_{number}' if number else name)
            number += 1
    except (StampError, GeneratorExit):
        raise
    except Exception as error:  # what damaged packets raise has no common base
        what = 'damaged, or not whole' if number else 'not a readable packet'
        msg = f'{about}: {what}, after {number} packets ({_said(error)})'
        raise StampError(msg) from error
    if not number:
        msg = f'{about}: no packet is in it'
        raise StampError(msg)


def _said(error: Exception) -> str:
    return ' '.join(str(error).split())[:200] or type(error).__name__


def _candidate(record: Any, name: str) -> Candidate:
    """Return the candidate of a record; where it is none, why."""
    if not isinstance(record, Mapping) or not any(key in record for key in _CUTOUTS):
        known = ', '.join(record) if isinstance(record, Mapping) else record
        listed = ', '.join(_CUTOUTS)
        msg = f'unknown schema: the packet has none of {listed} ({str(known)[:100]})'
        return Candidate(name, None, problem=msg)
    source = _source(record)
    labels: dict[str, Any] = {
        'id': _text(record, source, 'candid', 'diaSourceId', 'alertId') or name,
        'object': _text(record, source, 'objectId', 'diaObjectId', 'ssObjectId'),
        'mjd': _mjd(source),
    }
    planes, reasons = [], []
    for key in _CUTOUTS:
        try:
            planes.append(_cutout(record.get(key)))
        except Exception as error:  # nothing in a packet may end the stream
            planes.append(None)
            reasons.append(f'{key}: {_said(error)}')
    there = [each for each in planes if each is not None]
    if not there:
        reason = '; '.join(reasons) or 'the packet has no cutouts'
        return Candidate(planes=None, problem=reason, **labels)
    return Candidate(planes=_of_one_size(planes), problem='; '.join(reasons), **labels)


def _source(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a record that describes the detection."""
    parts = (record.get(key) for key in ('candidate', 'diaSource'))
    return next((each for each in parts if isinstance(each, Mapping)), {})


def _text(record: Mapping[str, Any], source: Mapping[str, Any], *names: str) -> str:
    for name in names:
        for place in (record, source):
            value = place.get(name)
            if value not in (None, '', 0):
                return str(value)
    return ''


def _mjd(source: Mapping[str, Any]) -> float:
    for name, zero in (('jd', _JD), ('midpointMjdTai', 0.0), ('midPointTai', 0.0)):
        value = source.get(name)
        if isinstance(value, (int, float)):
            return float(value) - zero
    return math.nan


def _cutout(value: Any) -> np.ndarray | None:
    """Return the pixels of a cutout, None where there is none."""
    if isinstance(value, Mapping):
        value = value.get('stampData')
    if not value:
        return None
    if value.startswith(_GZIP):
        unpacking = zlib.decompressobj(31)
        value = unpacking.decompress(value, _LARGEST)
        if not unpacking.eof:
            msg = 'the gzip stream is damaged, or does not end'
            raise StampError(msg)
    pixels = plain_pixels(value)
    if pixels is not None:
        return pixels.astype(np.float32)
    with without_host_warnings(), fits.open(BytesIO(value), memmap=False) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None and hdu.data.ndim == 2:
                return np.asarray(hdu.data, dtype=np.float32)
    msg = 'no image is in the FITS file'
    raise StampError(msg)


def _of_one_size(planes: list[np.ndarray | None]) -> np.ndarray:
    """Return planes about one centre, NaN beyond those that are smaller."""
    there = [each.shape for each in planes if each is not None]
    ny, nx = (max(sides) for sides in zip(*there, strict=True))
    whole = np.full((len(planes), ny, nx), np.nan, dtype=np.float32)
    for k, plane in enumerate(planes):
        if plane is not None:
            top, left = ny // 2 - plane.shape[0] // 2, nx // 2 - plane.shape[1] // 2
            whole[k, top : top + plane.shape[0], left : left + plane.shape[1]] = plane
    return whole
