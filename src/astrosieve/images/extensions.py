"""Which HDUs of a FITS file are images, by which name, and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from astrosieve.exceptions import ExposureError

__all__ = ['ALL', 'ImageInFile', 'companion', 'images_in', 'select']

ALL = 'all'
"""Asks for every image of a file."""

# Images that say something of another image: errors, flags, weights, distortions.
_PLANES = (
    *('ERR', 'ERROR', 'UNCERT', 'VAR', 'VARIANCE', 'DQ', 'MASK', 'WHT', 'WEIGHT'),
    *('CTX', 'SAMP', 'TIME', 'EXP', 'D2IMARR', 'WCSDVARR'),
)


@dataclass(frozen=True)
class ImageInFile:
    """
    An HDU that holds an image.

    Parameters
    ----------
    hdu : `~astropy.io.fits.ImageHDU`
        It, or the one of another kind that holds pixels.
    number : int
        Its place in the file, from 0.
    extver : int
        Extension version; where the file gives several images the same, they are
        numbered from 1.
    """

    hdu: fits.ImageHDU
    number: int
    extver: int

    @property
    def extname(self) -> str:
        """Extension name, 'PRIMARY', or 'EXT' where the file gives none."""
        return self.hdu.name or ('EXT' if self.number else 'PRIMARY')

    def __str__(self) -> str:
        return f'{self.extname},{self.extver}'


def _has_pixels(hdu: fits.hdu.base.ExtensionHDU) -> bool:
    return bool(getattr(hdu, 'is_image', False)) and hdu.header.get('NAXIS', 0) >= 2


def images_in(hdus: fits.HDUList) -> list[ImageInFile]:
    """
    Return the images of a file, without the planes that belong to them.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.

    Returns
    -------
    images : list of `ImageInFile`
        Where there are extensions SCI, these; else all images.
    """
    numbered = [(n, hdu) for n, hdu in enumerate(hdus) if _has_pixels(hdu)]
    sci = [(n, hdu) for n, hdu in numbered if hdu.name == 'SCI']
    own = sci or [(n, hdu) for n, hdu in numbered if hdu.name not in _PLANES]
    own = own or numbered
    versions = [hdu.ver for _, hdu in own]
    if len(set(versions)) < len(versions):
        versions = list(range(1, len(own) + 1))
    return [
        ImageInFile(hdu, n, version)
        for (n, hdu), version in zip(own, versions, strict=True)
    ]


def select(
    hdus: fits.HDUList, ext: str | Sequence[str] | None, path: Path
) -> tuple[list[ImageInFile], list[ImageInFile]]:
    """
    Return the images that are asked for, and those that nobody spoke of.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    ext : str, sequence of str, or None
        Extensions as 'NAME,VERSION', 'NAME' or number, or 'all'. None is each SCI
        extension, else the first image.
    path : `~pathlib.Path`
        For messages.

    Returns
    -------
    chosen, left : list of `ImageInFile`
        ``left`` is empty where something was asked for.

    Raises
    ------
    ExposureError
        If there is no image, or not the one that was asked for.
    """
    asked = [ext] if isinstance(ext, str) else list(ext or ())
    own = images_in(hdus)
    if not own and (not asked or ALL in asked):
        msg = f'{path}: no HDU holds an image'
        raise ExposureError(msg)
    if ALL in asked:
        return own, []
    if not asked:
        number = len(own) if own[0].hdu.name == 'SCI' else 1
        return own[:number], own[number:]
    found = {
        image.number: image for image in (_find(hdus, own, e, path) for e in asked)
    }
    return list(found.values()), []


def _find(
    hdus: fits.HDUList, own: Sequence[ImageInFile], ext: str, path: Path
) -> ImageInFile:
    """Return the image that one extension names."""
    name, _, version = (part.strip() for part in ext.partition(','))
    for image in own:
        if str(image) == f'{name.upper()},{version or 1}':
            return image
    try:
        if name.lstrip('-').isdigit() and not version:
            number = range(len(hdus))[int(name)]
        else:
            number = hdus.index_of((name.upper(), int(version or 1)))
    except (KeyError, IndexError, ValueError):
        known = ', '.join(f'{hdu.name},{hdu.ver}' for hdu in hdus)
        msg = f"{path}: no extension '{ext}'; it has {known}"
        raise ExposureError(msg) from None
    if not _has_pixels(hdus[number]):
        msg = f"{path}: extension '{ext}' holds no image"
        raise ExposureError(msg)
    numbered = {image.number: image for image in own}
    hdu = hdus[number]
    return numbered.get(number, ImageInFile(hdu, number, hdu.ver))


def companion(
    hdus: fits.HDUList, name: str, image: ImageInFile
) -> fits.ImageHDU | None:
    """
    Return the plane that belongs to an image.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    name : str
        Extension name of the plane.
    image : `ImageInFile`
        The image.

    Returns
    -------
    hdu : `~astropy.io.fits.ImageHDU` or None
        That of the image's version; of several the one in the image's place among
        those of its own name and version.
    """
    like = [
        n
        for n, hdu in enumerate(hdus)
        if hdu.name == image.hdu.name and hdu.ver == image.hdu.ver
    ]
    planes = [hdu for hdu in hdus if hdu.name == name and hdu.ver == image.hdu.ver]
    place = like.index(image.number)
    return planes[place] if len(planes) >= len(like) else None
