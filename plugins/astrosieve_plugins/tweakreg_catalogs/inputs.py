"""Exposures to align: found, checked, and laid out for TweakReg."""

from __future__ import annotations

import re
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
from astrosieve.images.exposures import is_compressed, read_chips, unpack
from astrosieve.images.footprints import Footprint

__all__ = ['Exposure', 'check_overlap', 'expand_lists', 'lay_out', 'read_exposures']

_MARGIN = 3.0  # arcseconds that pointings may be off


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
    footprints : tuple of `~astrosieve.images.footprints.Footprint`
        Of each chip.
    mjd : float or None
        When it was taken.
    scale : float
        Arcseconds to a pixel.
    """

    path: Path
    name: str
    footprints: tuple[Footprint, ...]
    mjd: float | None
    scale: float

    @property
    def compressed(self) -> bool:
        """Whether the file is compressed."""
        return is_compressed(self.path)


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
    while is_compressed(name):
        name = Path(name).stem
    return re.sub(r'[^A-Za-z0-9._+-]', '_', name)


def _read_exposure(path: Path, name: str) -> Exposure:
    footprints = []
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
            footprints.append(Footprint.of(chip.wcs, (ny, nx)))
            scales += [3600 * s for s in proj_plane_pixel_scales(chip.wcs.celestial)]
            header = chip.header
    start, end = header.get('EXPSTART'), header.get('EXPEND')
    mjd = None
    if isinstance(start, int | float):
        mjd = float(start)
        if isinstance(end, int | float):
            mjd = (float(start) + float(end)) / 2
    return Exposure(path, name, tuple(footprints), mjd, float(np.mean(scales)))


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
    if reference is not None:
        for exposure in exposures:
            if not any(f.holds(reference, _MARGIN).any() for f in exposure.footprints):
                msg = (
                    f'{exposure.path}: the reference catalogue has no source within '
                    f'the exposure; does it cover this field, in degrees?'
                )
                raise CatalogError(msg)
        return
    if len(exposures) < 2:
        msg = (
            f'{exposures[0].path}: one exposure only: TweakReg aligns exposures with '
            'each other; give another one, or a catalogue with refcat= or gaia='
        )
        raise ExposureError(msg)
    for exposure in exposures:
        others = (o for o in exposures if o is not exposure)
        if not any(
            one.overlaps(two, _MARGIN)
            for other in others
            for one in exposure.footprints
            for two in other.footprints
        ):
            msg = (
                f'{exposure.path}: overlaps none of the other exposures; leave it out, '
                'or give a reference catalogue with refcat= or gaia='
            )
            raise ExposureError(msg)


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
        if copies or exposure.compressed:
            unpack(exposure.path, target)
        else:
            target.symlink_to(exposure.path.resolve())
    return [exposure.name for exposure in exposures]
