"""What a channel shows, and its pixels with all that is known of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from ginga.util.iohelper import get_hdu_suffix

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
    hdu : int, tuple of str and int, or None
        That HDU, as the viewer counts: its number, or its name and the how manieth of
        that name it is. None if the file is none of FITS.
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
    hdu: int | tuple[str, int] | None = None
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
    planes = tuple(int(n) for n in getattr(image, 'naxispath', ()))
    place, hdu = image.get('path', None), image.get('idx', None)
    extname, count = hdu if isinstance(hdu, tuple) else ('', 1)
    extname = str(own.get('EXTNAME', None) or extname).strip().upper()
    version = own.get('EXTVER', None)
    extver = version if isinstance(version, int) and version > 0 else count
    path = None
    name = str(image.get('name', None) or 'image')
    key: tuple = (name, id(image), planes)
    if place and Path(place).is_file():
        path = Path(place)
        name, key = path.name, (str(path), get_hdu_suffix(hdu), planes)
    return Target(
        key=key,
        name=name,
        data=data,
        header={**primary, **own},
        extname=extname or 'PRIMARY',
        extver=extver,
        path=path,
        hdu=hdu,
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
    texts = ['pixels as shown, without ERR and DQ']
    header = fits.Header()
    if target.path is not None and target.hdu is not None:
        # The viewer may not have the primary header.
        ext = _extension(target.path, target.hdu)
        try:
            if target.planes:
                header = read_header(target.path, ext)
            else:
                (chip,) = read_chips(target.path, ext)
                if _same_pixels(target.data, chip.sci):
                    return chip
                header = chip.header
                texts = ["the pixels shown are not the file's: without ERR and DQ"]
        except ExposureError as error:  # an image of another format
            texts.append(f'{error}; the header is what the viewer has of it')
    job.texts += texts
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


def _extension(path: Path, hdu: int | tuple[str, int]) -> str:
    """Return an HDU as `read_chips` takes it: by its number where there is one."""
    if isinstance(hdu, int):
        return str(hdu)
    name, count = hdu
    # What is wrong with the file, read_chips will say.
    with suppress(OSError, IndexError), fits.open(path) as hdus:
        same = [number for number, each in enumerate(hdus) if each.name == name]
        return str(same[count - 1])
    return f'{name},{count}'


def _same_pixels(shown: np.ndarray, read: np.ndarray) -> bool:
    if shown.shape != read.shape:
        return False
    some = slice(None, None, _SAMPLE)
    values = np.asarray(shown).ravel()[some].astype(np.float32)
    return bool(np.allclose(values, read.ravel()[some], rtol=1e-5, equal_nan=True))
