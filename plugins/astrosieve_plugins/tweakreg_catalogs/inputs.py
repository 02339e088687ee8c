"""Exposures to align: found, checked, and laid out for TweakReg."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs.utils import proj_plane_pixel_scales

from astrosieve.exceptions import CatalogError, ExposureError
from astrosieve.images.exposures import read_chips

__all__ = ['Exposure', 'check_overlap', 'expand_lists', 'lay_out', 'read_exposures']

_MARGIN = 3.0  # arcseconds that pointings may be off
_COMPRESSED = ('.gz', '.fz', '.bz2', '.xz', '.z')


@dataclass(frozen=True)
class Exposure:
    """
    An exposure to align.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    name : str
        What it is called in TweakReg's folder: the file's name without anything
        that TweakReg's lists take for something else.
    corners : tuple of `~astropy.coordinates.SkyCoord`
        The four corners of each chip.
    mjd : float or None
        When it was taken.
    scale : float
        Arcseconds to a pixel.
    """

    path: Path
    name: str
    corners: tuple[SkyCoord, ...]
    mjd: float | None
    scale: float

    @property
    def compressed(self) -> bool:
        """Whether the file is compressed."""
        return self.path.suffix.lower() in _COMPRESSED


def expand_lists(names: Sequence[str]) -> list[Path]:
    """
    Return the files that arguments name, lists ``@FILE`` in place of their lines.

    Parameters
    ----------
    names : sequence of str
        Files, and lists of one file on each line (its first word; further words,
        as in a list of catalogues, are passed over), relative to the list's folder.

    Returns
    -------
    paths : list of `~pathlib.Path`

    Raises
    ------
    ExposureError
        If a list or a file in it is missing.
    """
    paths: list[Path] = []
    for name in names:
        if not name.startswith('@'):
            paths.append(Path(name))
            continue
        listing = Path(name[1:])
        try:
            lines = listing.read_text(encoding='utf-8').splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f'{listing}: the list cannot be read ({error})'
            raise ExposureError(msg) from error
        for number, line in enumerate(lines, 1):
            words = line.partition('#')[0].split()
            if not words:
                continue
            path = listing.parent / words[0]
            if not path.is_file():
                msg = f'{listing}, line {number}: {path}: no such file'
                raise ExposureError(msg)
            paths.append(path)
    return paths


def read_exposures(paths: Sequence[Path]) -> list[Exposure]:
    """
    Look at exposures, without their pixels.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The files.

    Returns
    -------
    exposures : list of `Exposure`

    Raises
    ------
    ExposureError
        If one is missing, unreadable, given twice, or has a chip without a WCS.
    """
    seen: set[Path] = set()
    names: set[str] = set()
    exposures = []
    for path in paths:
        if path.resolve() in seen:
            msg = f'{path}: given twice'
            raise ExposureError(msg)
        seen.add(path.resolve())
        name = _plain_name(path)
        while name in names:
            name = f'x{name}'
        names.add(name)
        exposures.append(_read_exposure(path, name))
    return exposures


def _plain_name(path: Path) -> str:
    """Return a name without blanks, wildcards, brackets and compression."""
    name = path.name
    while Path(name).suffix.lower() in _COMPRESSED:
        name = Path(name).stem
    return re.sub(r'[^A-Za-z0-9._+-]', '_', name)


def _read_exposure(path: Path, name: str) -> Exposure:
    corners = []
    scales = []
    header = fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        for chip in read_chips(path):
            if chip.wcs is None:
                msg = (
                    f'{chip.name}: has no celestial WCS (CTYPE, CRVAL, CRPIX, CD): '
                    'there is nothing to align'
                )
                raise ExposureError(msg)
            ny, nx = chip.sci.shape
            edges = np.array([[0, 0], [nx, 0], [nx, ny], [0, ny]]) - 0.5
            corners.append(chip.wcs.pixel_to_world(*edges.T).icrs)
            scales += [3600 * s for s in proj_plane_pixel_scales(chip.wcs.celestial)]
            header = chip.header
    start, end = header.get('EXPSTART'), header.get('EXPEND')
    mjd = None
    if isinstance(start, int | float):
        mjd = float(start)
        if isinstance(end, int | float):
            mjd = (float(start) + float(end)) / 2
    return Exposure(path, name, tuple(corners), mjd, float(np.mean(scales)))


def check_overlap(
    exposures: Sequence[Exposure], reference: SkyCoord | None = None
) -> None:
    """
    Refuse exposures that have no sky in common.

    Parameters
    ----------
    exposures : sequence of `Exposure`
        The exposures.
    reference : `~astropy.coordinates.SkyCoord`, optional
        Positions of a reference catalogue: each exposure must hold some of them.
        Without it each must overlap another, and there must be two.

    Raises
    ------
    ExposureError
        If there is one exposure only, or one that overlaps none.
    CatalogError
        If the reference catalogue has nothing within an exposure.
    """
    middle = exposures[0].corners[0][0]
    footprints = [[_project(c, middle) for c in e.corners] for e in exposures]
    if reference is not None:
        xy = _project(reference, middle)
        xy = xy[np.isfinite(xy).all(axis=1)]
        for exposure, chips in zip(exposures, footprints, strict=True):
            if not any(_holds(chip, xy) for chip in chips):
                msg = (
                    f'{exposure.path}: the reference catalogue has no source within '
                    f'the exposure; does it cover this field, in degrees?'
                )
                raise CatalogError(msg)
        return
    if len(exposures) < 2:
        msg = (
            f'{exposures[0].path}: one exposure only: TweakReg aligns exposures with '
            'each other; give another one, or a reference catalogue (--refcat, --gaia)'
        )
        raise ExposureError(msg)
    for number, exposure in enumerate(exposures):
        others = [f for i, f in enumerate(footprints) if i != number]
        if not any(
            _overlap(a, b)
            for other in others
            for a in footprints[number]
            for b in other
        ):
            msg = (
                f'{exposure.path}: overlaps none of the other exposures; leave it out, '
                'or give a reference catalogue (--refcat, --gaia)'
            )
            raise ExposureError(msg)


def _project(sky: SkyCoord, middle: SkyCoord) -> np.ndarray:
    """Return positions on the tangent plane, arcseconds; NaN on the far side."""
    offset = sky.transform_to(middle.skyoffset_frame())
    lon, lat = offset.lon.rad, offset.lat.rad
    towards = np.cos(lon) * np.cos(lat)
    with np.errstate(divide='ignore', invalid='ignore'):
        xy = np.column_stack([np.sin(lon) * np.cos(lat), np.sin(lat)]) / np.c_[towards]
    xy[towards <= 0] = np.nan
    return np.asarray(np.rad2deg(xy) * 3600)


def _normals(polygon: np.ndarray) -> np.ndarray:
    edges = np.roll(polygon, -1, axis=0) - polygon
    normals = np.column_stack([edges[:, 1], -edges[:, 0]])
    return normals / np.maximum(np.hypot(*normals.T), 1e-12)[:, None]


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether convex polygons come within the margin of each other."""
    for normal in np.vstack([_normals(one), _normals(other)]):
        a, b = one @ normal, other @ normal
        # Written so that a corner on the far side of the sky, NaN, overlaps nothing.
        if not (a.min() - _MARGIN < b.max() and b.min() - _MARGIN < a.max()):
            return False
    return True


def _holds(polygon: np.ndarray, xy: np.ndarray) -> bool:
    """Return whether a point lies in a convex polygon or within the margin."""
    if not len(xy) or not np.isfinite(polygon).all():
        return False
    centre = polygon.mean(axis=0)
    inside = np.ones(len(xy), dtype=bool)
    for corner, normal in zip(polygon, _normals(polygon), strict=True):
        sign = np.sign((centre - corner) @ normal)
        inside &= sign * ((xy - corner) @ normal) > -_MARGIN
    return bool(inside.any())


def lay_out(exposures: Sequence[Exposure], folder: Path, *, copies: bool) -> list[str]:
    """
    Put exposures into TweakReg's folder.

    Parameters
    ----------
    exposures : sequence of `Exposure`
        The exposures.
    folder : `~pathlib.Path`
        The folder.
    copies : bool
        Whether headers will change: links will not do then.

    Returns
    -------
    names : list of str
        Their names in the folder.
    """
    for exposure in exposures:
        target = folder / exposure.name
        if exposure.compressed:
            with fits.open(exposure.path, memmap=False) as hdus:
                _unpacked(hdus).writeto(target)
        elif copies:
            shutil.copyfile(exposure.path, target)
        else:
            target.symlink_to(exposure.path.resolve())
    return [exposure.name for exposure in exposures]


def _unpacked(hdus: fits.HDUList) -> fits.HDUList:
    """Return HDUs with tile-compressed images as plain ones."""
    plain = fits.HDUList()
    for hdu in hdus:
        if isinstance(hdu, fits.CompImageHDU):
            image = fits.ImageHDU(hdu.data, hdu.header, name=hdu.name)
            image.ver = hdu.ver
            plain.append(image)
        else:
            plain.append(hdu)
    return plain
