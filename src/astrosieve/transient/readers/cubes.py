"""Candidates of FITS files: cubes of three planes, or three images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from astrosieve.exceptions import ExposureError
from astrosieve.images.fits_files import open_fits
from astrosieve.transient.candidates import (
    TRIPLET,
    Candidate,
    Order,
    as_planes,
    plane_name,
)
from astrosieve.transient.errors import StampError
from astrosieve.transient.readers.arrays import Labels, named_planes

__all__ = ['read_cubes']


def read_cubes(path: Path, order: Order | None = None) -> Iterator[Candidate]:
    """
    Yield the candidates of a FITS file, as ``read_candidates`` does.

    Three images called SCIENCE, TEMPLATE and DIFFERENCE, of one candidate or with a
    third axis of N; or cubes of three planes, one for each candidate, of any size, or
    with a fourth axis of N. A table beside them may have ``id``, ``object``, ``mjd``
    and ``fwhm``; else ``ID``, ``OBJECT``, ``FWHM`` of a header, or the name of the
    extension.
    """
    order = order or Order()
    try:
        with open_fits(path) as hdus:
            images = [hdu for hdu in hdus if hdu.is_image and hdu.data is not None]
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            tables = [hdu for hdu in tables if not hasattr(hdu, 'compressed_data')]
            columns = _columns(tables[0]) if tables else {}
            named = {plane_name(hdu.name): hdu.data for hdu in images}
            cubes = [hdu for hdu in images if hdu.data.ndim in (3, 4)]
            if len({*named} & {*TRIPLET}) >= 2:
                planes = named_planes(named, path, order)
                yield from _labelled(planes, columns or _of(images[0]), path, 'triplet')
            elif len(cubes) == 1:
                planes = _planes(cubes[0], path, order)
                about = columns or _of(cubes[0])
                yield from _labelled(planes, about, path, order.kind)
            elif cubes:
                for number, hdu in enumerate(cubes):
                    yield from _one_of_several(hdu, number, path, order)
            else:
                msg = (
                    f'{path}: no stamps; wanted are cubes of three planes, or images '
                    'called SCIENCE, TEMPLATE and DIFFERENCE'
                )
                raise StampError(msg)
    except StampError:
        raise
    except ExposureError as error:
        raise StampError(str(error)) from error


def _planes(hdu: Any, path: Path, order: Order) -> np.ndarray:
    try:
        planes = as_planes(hdu.data, order)
    except StampError as error:
        msg = f'{path}: {error}'
        raise StampError(msg) from error
    return planes[None] if planes.ndim == 3 else planes


def _labelled(
    planes: np.ndarray, about: dict[str, Any], path: Path, kind: Any
) -> Iterator[Candidate]:
    labels = Labels(about, len(planes), path)
    for k, each in enumerate(planes):
        yield Candidate(planes=each, kind=kind, **labels.of(k))


def _one_of_several(
    hdu: Any, number: int, path: Path, order: Order
) -> Iterator[Candidate]:
    about = {'id': hdu.name or f'{path.name.partition(".")[0]}_{number}', **_of(hdu)}
    try:
        planes = as_planes(hdu.data, order)
        if planes.ndim != 3:
            msg = 'several cubes of several candidates; give them in files of their own'
            raise StampError(msg)
    except StampError as error:
        yield Candidate(about['id'], None, order.kind, problem=str(error))
        return
    yield from _labelled(planes[None], about, path, order.kind)


def _of(hdu: Any) -> dict[str, Any]:
    """Return what a header says of its candidate."""
    header = hdu.header
    about: dict[str, Any] = {}
    for key in ('ID', 'OBJECT', 'MJD', 'FWHM'):
        value = header.get(key)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value not in (None, '') and (number or key in ('ID', 'OBJECT')):
            about[key.lower()] = value
    return about


def _columns(hdu: Any) -> dict[str, Any]:
    return {name.lower(): hdu.data[name] for name in hdu.columns.names}
