"""What a channel shows, and its pixels with all that is known of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from astrosieve.exceptions import ExposureError
from astrosieve.images.exposures import (
    Chip,
    chip_from_header,
    read_chips,
    read_header,
)
from astrosieve_plugins.ginga_classify.work import Job

__all__ = ['Target', 'read_target', 'target_of']

_SAMPLE = 997  # of so many pixels one is compared with the file's


@dataclass(frozen=True)
class Target:
    """
    What a channel shows.

    Parameters
    ----------
    key : tuple
        Tells images apart, and chips and planes of one file.
    name : str
        For messages and files: the file's name, else the image's.
    data : 2D `~numpy.ndarray`
        The pixels shown.
    header : dict
        What the viewer has of the header.
    extname : str
        Extension name, or 'PRIMARY'.
    extver : int
        Extension version.
    path : `~pathlib.Path` or None
        File, if the pixels are of one of its HDUs.
    ext : str or None
        That HDU, for `~astrosieve.images.exposures.read_chips`.
    planes : tuple of int
        Which plane of the HDU is shown, if it is a cube.
    """

    key: tuple
    name: str
    data: np.ndarray
    header: dict[str, Any]
    extname: str = 'PRIMARY'
    extver: int = 1
    path: Path | None = None
    ext: str | None = None
    planes: tuple[int, ...] = ()


def target_of(image: Any) -> Target:
    """
    Say what an image of ginga's is.

    Parameters
    ----------
    image : `ginga.BaseImage.BaseImage` or None
        What a channel shows.

    Returns
    -------
    target : `Target`

    Raises
    ------
    ExposureError
        If it holds no single plane of pixels.
    """
    if image is None or not hasattr(image, 'get_data'):
        msg = 'no image: open one in this channel first'
        raise ExposureError(msg)
    data = image.get_data()
    if data is None or 0 in data.shape:
        msg = 'the image has no pixels'
        raise ExposureError(msg)
    if data.ndim != 2:
        what = 'an RGB image' if data.ndim == 3 else f'an image of {data.ndim} axes'
        msg = f'this is {what}; only images of one value per pixel are classified'
        raise ExposureError(msg)
    if data.dtype.kind not in 'iufb':
        msg = f'the pixels are {data.dtype}, not real numbers'
        raise ExposureError(msg)
    own, primary = _cards(image)
    extname = str(own.get('EXTNAME', '') or '').strip().upper()
    version = own.get('EXTVER')
    extver = version if isinstance(version, int) and version > 0 else 1
    planes = tuple(int(n) for n in getattr(image, 'naxispath', ()))
    place, number = image.get('path', None), image.get('idx', None)
    path, ext = None, None
    name = str(image.get('name', None) or 'image')
    key: tuple = (name, id(image), planes)
    if place and Path(place).is_file():
        path = Path(place)
        ext = str(number) if isinstance(number, int) else '0'
        ext = f'{extname},{extver}' if extname else ext
        name, key = path.name, (str(path), ext, planes)
    return Target(
        key=key,
        name=name,
        data=data,
        header={**primary, **own},
        extname=extname or 'PRIMARY',
        extver=extver,
        path=path,
        ext=ext,
        planes=planes,
    )


def _cards(image: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header of an image, and of its primary HDU as far as it is known."""
    if not hasattr(image, 'get_header'):
        return {}, {}
    own = image.get_header(include_primary_header=False)
    primary = image.get('primary_header', None) or {}
    return dict(own.items()), dict(primary.items())


def read_target(target: Target, job: Job) -> Chip:
    """
    Return the pixels that a channel shows, with what is known of them.

    Parameters
    ----------
    target : `Target`
        What is shown.
    job : `~astrosieve_plugins.ginga_classify.work.Job`
        Is told what is left out.

    Returns
    -------
    chip : `~astrosieve.images.exposures.Chip`
        The file's, with ERR and DQ, where its pixels are those shown; else the
        pixels shown, with what the header says of them.
    """
    if target.path is None or target.planes:
        job.texts.append('pixels as shown, without ERR and DQ')
        return _shown_chip(target, job)
    (chip,) = read_chips(target.path, target.ext)
    if _same_pixels(target.data, chip.sci):
        return chip
    job.texts.append("the pixels shown are not the file's: without ERR and DQ")
    return _shown_chip(target, job)


def _shown_chip(target: Target, job: Job) -> Chip:
    """Return the pixels that are shown, without ERR and DQ."""
    header = fits.Header()
    if target.path is not None:  # the viewer may not have the primary header
        try:
            header = read_header(target.path, target.ext)
        except ExposureError as error:  # a cube of another format
            job.texts.append(f'{error}; the header is what the viewer has of it')
    for key, value in target.header.items():
        with suppress(ValueError):  # what no FITS header can hold
            header[key] = value
    return chip_from_header(
        target.data,
        header,
        path=target.path or target.name,
        extname=target.extname,
        extver=target.extver,
    )


def _same_pixels(shown: np.ndarray, read: np.ndarray) -> bool:
    if shown.shape != read.shape:
        return False
    some = slice(None, None, _SAMPLE)
    values = np.asarray(shown).ravel()[some].astype(np.float32)
    return bool(np.allclose(values, read.ravel()[some], rtol=1e-5, equal_nan=True))
