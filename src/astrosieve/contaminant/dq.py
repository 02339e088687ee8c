"""From maps to the DQ planes of cameras, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path, replacing
from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.flags import bits_of
from astrosieve.exceptions import CatalogError, ExposureError, OutputError
from astrosieve.images.dq import DQMeaning
from astrosieve.images.exposures import is_compressed, root_name, unpack
from astrosieve.images.extensions import ImageInFile, companion, images_in
from astrosieve.images.fits_files import open_fits
from astrosieve.images.instruments import INSTRUMENTS, Instrument
from astrosieve.tables.catalogs import read_catalog

__all__ = [
    'MASK_BITS',
    'FlaggedImage',
    'bits_of_camera',
    'check_update',
    'dq_copy',
    'kept_planes',
    'read_bits',
    'update_dq',
    'write_dq',
]

_WRITTEN = {
    'cosmic_ray': 'hit',
    'hot_pixel': 'hot',
    'bad_pixel': 'bad',
    'hot_column': 'bad',
    'bad_column': 'bad',
    'bad_row': 'bad',
    'satellite_trail': 'trail',
    'saturation': 'full_well',
    'bleed': 'full_well',
}
_COPIED = ('flt', 'flc', 'raw', 'drz', 'drc', 'ima', 'crj')

_BITS = bits_of(CLASSES.names)


def _sum(*names: str) -> int:
    return sum(_BITS[name] for name in names)


MASK_BITS = DQMeaning(
    no_signal=_sum('bad_pixel', 'bad_column', 'bad_row'),
    saturated=_sum('saturation', 'bleed'),
    cosmic_ray=_sum('cosmic_ray', 'satellite_trail'),
    hot=_sum('hot_pixel', 'hot_column'),
)
"""What the bits of a map's mask mean to programs that read DQ planes."""


@dataclass(frozen=True, eq=False)
class FlaggedImage:
    """
    An image of a file, and what to add to its DQ plane.

    Parameters
    ----------
    extname, extver : str, int
        Its extension.
    mask : 2D integer `~numpy.ndarray`
        Bits of the classes that hold in its pixels.
    """

    extname: str
    extver: int
    mask: np.ndarray


def bits_of_camera(camera: Instrument) -> dict[str, int]:
    """
    Return the DQ bits by which a camera's pipeline marks what classes are.

    Parameters
    ----------
    camera : `~astrosieve.images.instruments.Instrument`
        The camera.

    Returns
    -------
    bits : dict of str to int
        By class; those that the camera has no bit for are left out.

    Raises
    ------
    ExposureError
        If nothing is known of the camera, or its DQ planes are in other files.
    """
    name = ' '.join(filter(None, (camera.name, camera.detector)))
    if camera not in INSTRUMENTS:
        what = f'the DQ bits of {name} are not known' if name else 'no camera is named'
        msg = f'{what}; give a table of classes and bits (--dq-bits)'
        raise ExposureError(msg)
    if camera.dq_companion is not None:
        msg = f'the DQ planes of {name} are in files of their own; not written'
        raise ExposureError(msg)
    found = {
        each: camera.dq.written.get(written, 0) for each, written in _WRITTEN.items()
    }
    return {each: bit for each, bit in found.items() if bit}


def read_bits(path: str | Path) -> dict[str, int]:
    """
    Read a table of DQ bits.

    Parameters
    ----------
    path : path-like
        Table with the columns ``class`` and ``bit``, the bit's value.

    Returns
    -------
    bits : dict of str to int

    Raises
    ------
    CatalogError
        If it cannot be read, or a row makes no sense.
    """
    table = read_catalog(path)
    if not {'class', 'bit'} <= {*table.colnames}:
        msg = f'{path}: needs the columns class and bit; it has {table.colnames}'
        raise CatalogError(msg)
    bits: dict[str, int] = {}
    for name, bit in zip(table['class'], table['bit'], strict=True):
        whole = np.issubdtype(np.asarray(bit).dtype, np.integer)
        if str(name) not in CLASSES or not whole or not 0 < bit < 1 << 31:
            msg = (
                f'{path}: class {name}, bit {bit}: must be one of '
                f'{", ".join(CLASSES)}, and a positive whole number'
            )
            raise CatalogError(msg)
        bits[str(name)] = bits.get(str(name), 0) | int(bit)
    return bits


def dq_copy(image: Path, folder: Path) -> Path:
    """Return where the copy of a file with new DQ bits goes: NAME_dq_flc.fits."""
    root, _, kind = root_name(image).rpartition('_')
    if root and kind.lower() in _COPIED:
        return folder / f'{root}_dq_{kind}.fits'
    return folder / f'{root_name(image)}_dq.fits'


def kept_planes(image: Path) -> Path:
    """Return where the DQ planes that a file had are kept."""
    return image.parent / f'{root_name(image)}_dq_before.fits'


def write_dq(
    path: str | Path,
    target: str | Path,
    images: Sequence[FlaggedImage],
    bits: Mapping[str, int],
    *,
    overwrite: bool = False,
) -> None:
    """
    Write a copy of a file whose DQ planes have more bits.

    Parameters
    ----------
    path, target : path-like
        The file, compressed or not, and its copy.
    images : sequence of `FlaggedImage`
        Images of the file; one without a DQ plane gets one.
    bits : dict of str to int
        Bit that is set where a class holds.
    overwrite : bool, optional
        Whether an existing copy may be replaced.

    Raises
    ------
    OutputError
        If the copy cannot be written.
    """
    with atomic_path(target, overwrite=overwrite) as temporary:
        temporary.unlink()
        unpack(path, temporary)
        _set_bits(temporary, images, bits)


def update_dq(
    path: str | Path,
    images: Sequence[FlaggedImage],
    bits: Mapping[str, int],
) -> Path:
    """
    Set bits in the DQ planes of a file, and keep the planes that it had.

    Parameters
    ----------
    path : path-like
        The file; it is replaced as a whole.
    images, bits
        As for `write_dq`.

    Returns
    -------
    kept : `~pathlib.Path`
        NAME_dq_before.fits beside it, with the DQ planes before the first update.

    Raises
    ------
    ExposureError
        If the file is compressed.
    OutputError
        If something cannot be written.
    """
    path = Path(path)
    check_update(path)
    kept = kept_planes(path)
    if not kept.exists():
        with atomic_path(kept) as temporary, open_fits(path) as hdus:
            planes = [hdu.copy() for hdu in hdus if hdu.name == 'DQ']
            fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(
                temporary, overwrite=True
            )
    with replacing(path) as copy:
        _set_bits(copy, images, bits)
    return kept


def check_update(path: Path) -> None:
    """
    Refuse a file whose DQ planes cannot be changed in place.

    Raises
    ------
    ExposureError
        If it is compressed.
    OutputError
        If it, or its folder, is read-only.
    """
    if is_compressed(path):
        msg = f'{path}: is compressed; unpack it before its DQ planes are changed'
        raise ExposureError(msg)
    for needed in (path, path.parent):
        if not os.access(needed, os.W_OK):
            msg = f'{needed}: is read-only; make it writable before --update'
            raise OutputError(msg)


def _set_bits(
    path: Path, images: Sequence[FlaggedImage], bits: Mapping[str, int]
) -> None:
    with fits.open(path, mode='update', memmap=False) as hdus:
        present = {str(image): image for image in images_in(hdus)}
        for each in images:
            image = present[f'{each.extname},{each.extver}']
            plane = _plane(hdus, image)
            added = np.zeros(each.mask.shape, np.int32)
            for name, bit in bits.items():
                if name in _BITS:
                    added |= bit * ((each.mask & _BITS[name]) != 0)
            data = plane.data
            if added.max(initial=0) > np.iinfo(data.dtype).max:
                data = data.astype(np.int32)
            plane.data = data | added.astype(data.dtype)
            listed = ', '.join(f'{bit} {name}' for name, bit in bits.items())
            plane.header.add_history(f'astrosieve set {listed}')
            if 'CHECKSUM' in plane.header:
                plane.add_checksum()


def _plane(hdus: fits.HDUList, image: ImageInFile) -> fits.ImageHDU:
    """Return an image's DQ plane, made where there is none or one value for all."""
    plane = companion(hdus, 'DQ', image)
    shape = image.hdu.shape[-2:]
    if plane is None:
        plane = fits.ImageHDU(np.zeros(shape, np.int16), name='DQ', ver=image.extver)
        hdus.append(plane)
    if plane.data is None:
        value = plane.header.get('PIXVALUE', 0)
        plane.data = np.full(shape, value, np.int16)
        for key in ('PIXVALUE', 'NPIX1', 'NPIX2'):
            plane.header.remove(key, ignore_missing=True)
    return plane
