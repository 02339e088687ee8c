"""
Exposures of one field, checked, aligned with TweakReg and combined by AstroDrizzle.

AstroDrizzle reads only files of the cameras that it knows, with many keywords. It is
given plain copies instead, made of what `~astrosieve.images.exposures.read_chips`
knows of
any camera: electrons above the sky, a DQ plane of usable and unusable pixels, the
exposure's own WCS. It runs in a process of its own: what it prints, logs and leaves
behind stays in a folder that is taken away.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from scipy.ndimage import grey_closing

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError
from astrosieve.images.background import measure_background
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.exposures import Chip, read_chips, root_name
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.units import electron_scale

__all__ = [
    'ChipFrame',
    'Combined',
    'CombiningError',
    'InputExposure',
    'align',
    'check_exposures',
    'combine',
    'read_combined',
]

_OWN_IMAGE = 'give your own combined image with --combined'
_COMPRESSED = ('.gz', '.fz', '.bz2', '.xz', '.z')

# Only what carries no signal, or charge of its own, is unusable. Saturated pixels, or
# stars were holes, and those that some program took for cosmic rays are AstroDrizzle's
# to judge.
_UNUSABLE = 4

# The lower of median and minimum keeps out what hits two of four exposures. The slope
# of the image counts more than by default (1.2, 0.7), or the cores of undersampled
# stars are taken for cosmic rays; their neighbours count as hit with them (grow).
_CR_OPTIONS: dict[str, Any] = {
    'driz_cr_snr': '3.5 3.0',
    'driz_cr_scale': '2.0 1.5',
    'driz_cr_grow': 3,
}
# Of many exposures the least is too low, and the median is clean.
_MANY = 7
_DRIZZLE_OPTIONS: dict[str, Any] = {
    'output': 'combined',
    'preserve': False,
    'build': False,
    'context': True,
    'clean': False,
    'updatewcs': False,
    'skysub': False,
    'median': True,
    'blot': True,
    'driz_cr': True,
    'num_cores': 1,
    'final_pixfrac': 0.8,
    'driz_sep_wcs': True,
    'final_wcs': True,
    **_CR_OPTIONS,
}
_PROGRAM = """
import json, sys
from drizzlepac.astrodrizzle import AstroDrizzle
names, options = json.load(sys.stdin)
AstroDrizzle(names, **options)
"""
_HOLE = 25  # pixels; no cosmic ray leaves a wider one


class CombiningError(AstrosieveError, ValueError):
    """Exposures cannot be labelled together, aligned or combined."""


@dataclass(frozen=True)
class ChipFrame:
    """
    Where the pixels of a chip are on the sky.

    Parameters
    ----------
    extver : int
        Version of the extension.
    shape : (int, int)
        ``(ny, nx)``.
    wcs : `~astropy.wcs.WCS` or None
        Celestial WCS, if there is one.
    electrons_per_unit : float
        What the pixels are to be multiplied by.
    """

    extver: int
    shape: tuple[int, int]
    wcs: WCS | None
    electrons_per_unit: float


@dataclass(frozen=True)
class InputExposure:
    """
    An exposure to label, without its pixels.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    chips : tuple of `ChipFrame`
        In the order of the file.
    camera : str
        Instrument and detector, for instance 'WFC3/UVIS'; empty if the file does
        not say.
    filter_name : str
        Empty if the file does not say.
    exptime : float or None
        Seconds; None if the file does not say.
    identity : str
        What the file says of when and as what it was taken; empty if nothing.
    """

    path: Path
    chips: tuple[ChipFrame, ...]
    camera: str
    filter_name: str
    exptime: float | None
    identity: str


@dataclass(frozen=True)
class Combined:
    """
    A combined image.

    Parameters
    ----------
    sci : 2D float32 `~numpy.ndarray`
        Pixels; NaN where no exposure contributes. Ours are electrons per second
        above the sky.
    count : 2D int16 `~numpy.ndarray`
        Exposures that contribute to each pixel. Where a cosmic ray was taken out,
        its exposure does not.
    covered : 2D int16 `~numpy.ndarray`
        Exposures that reach it with a usable pixel, whether that was taken for a
        cosmic ray or not: never less than ``count``.
    wcs : `~astropy.wcs.WCS` or None
        Celestial WCS; None for an image of the user's without one, whose pixels
        must be those of the one exposure.
    scale : float
        Linear size of a pixel over that of the first exposure's.
    n_exposures : int
        Exposures that were combined; 0 if a user's image does not say.
    """

    sci: np.ndarray
    count: np.ndarray
    covered: np.ndarray
    wcs: WCS | None
    scale: float
    n_exposures: int


def check_exposures(paths: Sequence[Path], *, combined: bool) -> list[InputExposure]:
    """
    Read what exposures are, and refuse those that cannot be labelled together.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures.
    combined : bool
        Whether the user gives a combined image: then one exposure is enough, and it
        needs no WCS.

    Returns
    -------
    exposures : list of `InputExposure`
        In the same order.

    Raises
    ------
    CombiningError
        If there are too few, or one is given twice, of another filter or camera, in
        a unit that cannot be converted to electrons, without a WCS or an exposure
        time, or without overlap with the others.
    ExposureError
        If a file cannot be read.
    """
    if not paths or (len(paths) == 1 and not combined):
        given = f'one exposure only ({paths[0]})' if paths else 'no exposure'
        msg = (
            f'{given}: cosmic rays are known by their absence from other exposures. '
            f'Give two or more of the same filter, or {_OWN_IMAGE}'
        )
        raise CombiningError(msg)
    _check_names(paths)
    exposures = [_read_exposure(Path(path), combined=combined) for path in paths]
    _check_identity(exposures)
    _check_same(exposures, 'camera', 'cameras')
    _check_same(exposures, 'filter_name', 'filters')
    if not combined:
        _check_overlap(exposures)
    return exposures


def _celestial(chip: ChipFrame) -> WCS:
    """Return the WCS of a chip, which `check_exposures` saw to."""
    if chip.wcs is None:
        msg = f'a chip without a WCS cannot be combined: {_OWN_IMAGE}'
        raise CombiningError(msg)
    return chip.wcs


def _check_names(paths: Sequence[Path]) -> None:
    """Refuse files given twice, and files that labels could not tell apart."""
    seen: dict[Path, Path] = {}
    roots: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.resolve() in seen:
            msg = f'{path}: given twice; name each exposure once'
            raise CombiningError(msg)
        seen[path.resolve()] = path
        other = roots.setdefault(root_name(path), path)
        if other is not path:
            msg = (
                f'{path} and {other} have the same name, by which labels would call '
                'them: rename one'
            )
            raise CombiningError(msg)


def _read_exposure(path: Path, *, combined: bool) -> InputExposure:
    chips = []
    for chip in read_chips(path):
        if chip.wcs is None and not combined:
            msg = (
                f'{chip.name}: has no celestial WCS (CTYPE, CRVAL, CRPIX, CD), so that '
                'it cannot be laid on the other exposures. Solve its astrometry, or '
                f'{_OWN_IMAGE}, pixel by pixel like the exposure'
            )
            raise CombiningError(msg)
        if not combined and chip.exptime is None:
            msg = (
                f'{chip.name}: has no exposure time; set EXPTIME in the header, or '
                f'{_OWN_IMAGE}'
            )
            raise CombiningError(msg)
        shape = (chip.sci.shape[0], chip.sci.shape[1])
        chips.append(ChipFrame(chip.extver, shape, chip.wcs, _electrons(chip)))
    camera = '/'.join(name for name in (chip.instrument, chip.detector) if name)
    identity = [str(chip.header.get(key, '')) for key in ('ROOTNAME', 'EXPSTART')]
    return InputExposure(
        path,
        tuple(chips),
        camera,
        chip.filter_name,
        chip.exptime,
        ' at '.join(identity) if all(identity) else '',
    )


def _electrons(chip: Chip) -> float:
    """Return electrons per unit of the pixels; refuse what is not known."""
    scale, problem = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    if problem is None:
        return scale
    if chip.unit is None:
        cure = "set BUNIT to 'ELECTRONS', or to 'COUNTS' with GAIN, in the header"
        cause = 'has no unit (BUNIT)'
    elif chip.unit.quantity == 'flux':
        cure = 'take a file in electrons or counts'
        cause = f'is in calibrated flux ({chip.header.get("BUNIT")})'
    elif chip.unit.quantity == 'DN' and chip.gain is None:
        cure = 'set GAIN (electrons per count) in the header'
        cause = f'is in {chip.unit} and has no gain'
    else:
        cure = 'set EXPTIME in the header'
        cause = f'is in {chip.unit} and has no exposure time'
    msg = f'{chip.name}: {cause}; peaks are chosen by their electrons: {cure}'
    raise CombiningError(msg)


def _check_identity(exposures: Sequence[InputExposure]) -> None:
    """Refuse one exposure under two names: its cosmic rays would be in both."""
    seen: dict[str, Path] = {}
    for exposure in exposures:
        if not exposure.identity:
            continue
        other = seen.setdefault(exposure.identity, exposure.path)
        if other is not exposure.path:
            msg = (
                f'{exposure.path} and {other} are the same exposure '
                f'({exposure.identity}): its cosmic rays would be found in both. '
                'Leave one out'
            )
            raise CombiningError(msg)


def _check_same(exposures: Sequence[InputExposure], name: str, plural: str) -> None:
    """Refuse exposures of several cameras or filters."""
    groups: dict[str, list[str]] = defaultdict(list)
    for exposure in exposures:
        groups[getattr(exposure, name)].append(exposure.path.name)
    if len(groups) == 1:
        return
    said = '; '.join(f'{k or "none named"}: {", ".join(v)}' for k, v in groups.items())
    msg = (
        f'the exposures are of {len(groups)} {plural} ({said}). Run once for each, '
        'with two or more exposures'
    )
    raise CombiningError(msg)


def _check_overlap(exposures: Sequence[InputExposure]) -> None:
    """Refuse exposures that do not all hang together on the sky."""
    left = list(exposures)
    groups = []
    while left:
        group = [left.pop(0)]
        for one in group:
            joined = [other for other in left if _overlap(one, other)]
            group += joined
            left = [other for other in left if other not in joined]
        groups.append(group)
    if len(groups) == 1:
        return
    said = '; '.join(', '.join(e.path.name for e in group) for group in groups)
    msg = (
        f'the exposures have no sky in common: {len(groups)} fields ({said}). Run once '
        'for each field, with two or more exposures, or check their WCS'
    )
    raise CombiningError(msg)


def _overlap(one: InputExposure, other: InputExposure) -> bool:
    """Return whether any of an even grid of points of one lies in the other."""
    share = np.linspace(0.0, 1.0, 33)
    for chip in one.chips:
        ny, nx = chip.shape
        x, y = (g.ravel() for g in np.meshgrid(share * nx - 0.5, share * ny - 0.5))
        sky = _celestial(chip).wcs_pix2world(x, y, 0)
        for target in other.chips:
            x_there, y_there = _celestial(target).wcs_world2pix(*sky, 0)
            # The far side of the sky is NaN, and within nothing.
            inside = np.abs(x_there + 0.5 - target.shape[1] / 2) < target.shape[1] / 2
            inside &= np.abs(y_there + 0.5 - target.shape[0] / 2) < target.shape[0] / 2
            if inside.any():
                return True
    return False


def align(
    paths: Sequence[Path], folder: Path, *, options: Sequence[str] = ()
) -> list[Path]:
    """
    Align exposures with each other by the registered command ``tweakreg``.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures; they are left as they are.
    folder : `~pathlib.Path`
        Where the aligned copies are put, in ``aligned``, with what the command
        writes in ``aligned/tweakreg``: all, or nothing.
    options : sequence of str, optional
        Further options of the command.

    Returns
    -------
    aligned : list of `~pathlib.Path`
        Copies with a new WCS, in the same order.

    Raises
    ------
    CombiningError
        If an exposure cannot be aligned, an option is wrong, or the command or
        drizzlepac is missing.
    """
    command = _tweakreg_command()
    folder.mkdir(parents=True, exist_ok=True)
    names = [f'{root_name(path)}.fits' for path in paths]
    target = folder / 'aligned'
    with tempfile.TemporaryDirectory(prefix='.aligning-', dir=folder) as temporary:
        work = Path(temporary) / 'aligned'
        work.mkdir()
        for path, name in zip(paths, names, strict=True):
            _copy_plain(Path(path), work / name)
        arguments = [str(work / name) for name in names]
        arguments += ['--update', '--no-compare', '-o', str(work / 'tweakreg')]
        _run_command(command, [*arguments, *options])
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    return [target / name for name in names]


def _tweakreg_command() -> click.Command:
    found = metadata.entry_points(group='astrosieve.commands', name='tweakreg')
    if not found:
        msg = (
            'the command tweakreg is not registered: install astrosieve again with '
            "pip install 'astrosieve[tweakreg]', or give --aligned if the exposures "
            'are aligned already'
        )
        raise CombiningError(msg)
    try:
        command: click.Command = next(iter(found)).load()
    except ImportError as error:
        msg = f"tweakreg cannot be used ({error}): pip install 'astrosieve[tweakreg]'"
        raise CombiningError(msg) from error
    return command


def _copy_plain(path: Path, target: Path) -> None:
    """Copy an exposure, unpacked."""
    if path.suffix.lower() not in _COMPRESSED:
        shutil.copyfile(path, target)
        target.chmod(0o644)  # the copy's header is changed, also of a read-only file
        return
    with fits.open(path, memmap=False) as hdus:
        plain = fits.HDUList()
        for hdu in hdus:
            if isinstance(hdu, fits.CompImageHDU):
                image = fits.ImageHDU(hdu.data, hdu.header, name=hdu.name)
                image.ver = hdu.ver
                plain.append(image)
            else:
                plain.append(hdu)
        plain.writeto(target)


def _run_command(command: click.Command, arguments: list[str]) -> None:
    """Run a command silently; what it says goes into the error."""
    said = io.StringIO()
    code: object = 0
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            command.main(arguments, standalone_mode=False)
    except SystemExit as error:
        code = error.code
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None  # which click turned into its own
    except click.ClickException as error:
        msg = f'tweakreg: {error.format_message()}'
        raise CombiningError(msg) from error
    except AstrosieveError as error:
        code = 1
        said.write(f'error: {error}\n')
    if not code:
        return
    lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(('error:', 'warning:'))]
    reason = '; '.join(told or lines[-1:]) or 'it did not say why'
    msg = (
        f'TweakReg could not align the exposures: {reason}. Give --aligned if they are '
        'aligned already; else align them by hand (astrosieve tweakreg --update, with '
        'a larger --searchrad or a --refcat), and then give --aligned'
    )
    raise CombiningError(msg)


def combine(paths: Sequence[Path], folder: Path) -> Path:
    """
    Combine exposures with AstroDrizzle.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        Aligned exposures of one field, camera and filter; they are left as they are.
    folder : `~pathlib.Path`
        Where ``combined.fits`` is written, whole or not at all; AstroDrizzle works in
        a folder within it that is taken away.

    Returns
    -------
    path : `~pathlib.Path`
        FITS file with SCI (electrons per second above the sky), COUNT and COVERED, as
        `read_combined` reads them.

    Raises
    ------
    CombiningError
        If the exposures do not go together, AstroDrizzle gives up, or drizzlepac is
        missing.
    """
    if find_spec('drizzlepac') is None:
        msg = (
            "drizzlepac is not installed: pip install 'astrosieve[train]', or "
            f'{_OWN_IMAGE}'
        )
        raise CombiningError(msg)
    exposures = check_exposures(paths, combined=False)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / 'combined.fits'
    with tempfile.TemporaryDirectory(prefix='.drizzle-', dir=folder) as work:
        names = {f'e{i:04d}_flc.fits': e for i, e in enumerate(exposures)}
        for name, exposure in names.items():
            _write_plain(exposure, Path(work) / name)
        options = {
            **_DRIZZLE_OPTIONS,
            'combine_type': 'minmed' if len(names) < _MANY else 'imedian',
            'driz_sep_bits': 0,
            'final_bits': 0,
        }
        for key, value in _output_frame(exposures).items():
            options[f'driz_sep_{key}'] = options[f'final_{key}'] = value
        _run_drizzle(names, options, Path(work))
        result = _collect(names, Path(work))
        with atomic_path(target, overwrite=True) as temporary:
            result.writeto(temporary, overwrite=True)
    return target


def _write_plain(exposure: InputExposure, target: Path) -> None:
    """Write what AstroDrizzle needs of an exposure, as a file of WFC3/UVIS."""
    planes = []
    skies = []
    for chip, frame in zip(read_chips(exposure.path), exposure.chips, strict=True):
        bits = chip.dq_meaning.no_signal | chip.dq_meaning.hot
        lost = None if chip.dq is None else dq_to_mask(chip.dq, bits)
        spoilt = spoilt_pixels(chip.sci, mask=chip.mask, no_signal=lost)
        sci = chip.sci * np.float32(frame.electrons_per_unit)
        sky = measure_background(_undigitized(sci, chip, frame), spoilt=spoilt)
        if not np.isfinite(sky.level):
            msg = f'{chip.name}: has no usable pixel; leave the exposure out'
            raise CombiningError(msg)
        dq = np.zeros(sci.shape, dtype=np.int16)
        if spoilt is not None:
            dq[spoilt != 0] = _UNUSABLE
            sci[spoilt != 0] = sky.level
        planes.append((sci, dq))
        skies.append(sky)
    # One sky for all chips, or they would differ where they overlap.
    level = np.float32(min(sky.level for sky in skies))
    with fits.open(exposure.path, memmap=False) as own:
        images = [hdu for hdu in own if hdu.name == 'SCI' and hdu.is_image]
        images = images or [h for h in own if h.is_image and h.header['NAXIS'] >= 2]
        headers = [hdu.header.copy(strip=True) for hdu in images[: len(planes)]]
        # Parts of the WCS that are tables.
        tables = [hdu.copy() for hdu in own if hdu.name in ('D2IMARR', 'WCSDVARR')]
    primary = _primary_header(exposure, max(sky.noise for sky in skies))
    hdus = fits.HDUList([fits.PrimaryHDU(header=primary)])
    for number, (sci, dq) in enumerate(planes):
        sci -= level
        header = headers[number]
        _complete_header(header, _celestial(exposure.chips[number]), number + 1, dq)
        for name, data, cards in (('SCI', sci, header), ('DQ', dq, None)):
            hdu = fits.ImageHDU(data, cards, name=name)
            hdu.ver = number + 1
            hdus.append(hdu)
    hdus += tables
    hdus.writeto(target)


def _undigitized(sci: np.ndarray, chip: Chip, frame: ChipFrame) -> np.ndarray:
    """Return an image whose noise can be told, though most counts may be the same."""
    if chip.unit is None or chip.unit.quantity != 'DN' or chip.unit.per_second:
        return sci
    half = np.float32(frame.electrons_per_unit / 2)
    spread = np.random.default_rng(0).random(sci.shape, dtype=np.float32)
    return sci + half * (2 * spread - 1)


def _primary_header(exposure: InputExposure, noise: float) -> fits.Header:
    """Return the keywords that AstroDrizzle asks of a file of WFC3/UVIS."""
    header = fits.Header()
    cards: dict[str, Any] = {
        'TELESCOP': 'HST', 'INSTRUME': 'WFC3', 'DETECTOR': 'UVIS', 'FILETYPE': 'SCI',
        'ROOTNAME': 'e', 'FILTER': exposure.filter_name, 'PROPOSID': 0,
        'EXPTIME': exposure.exptime, 'EXPFLAG': 'NORMAL', 'DATE-OBS': '2000-01-01',
        'TIME-OBS': '00:00:00', 'EXPSTART': 0.0, 'EXPEND': 0.0, 'FLSHCORR': 'OMIT',
        'SUBARRAY': False, 'BINAXIS1': 1, 'BINAXIS2': 1, 'PHOTMODE': '', 'PA_V3': 0.0,
        'NEXTEND': 2 * len(exposure.chips), 'MEANDARK': 0.0, 'CCDGAIN': 1.0,
        'CCDAMP': 'ABCD',
    }  # fmt: skip
    for amplifier in 'ABCD':
        cards[f'ATODGN{amplifier}'] = 1.0
        # The noise of the sky that is taken away counts like one of readout.
        cards[f'READNSE{amplifier}'] = noise
        cards[f'BIASLEV{amplifier}'] = 0.0
    header.update(cards)
    return header


def _complete_header(
    header: fits.Header, wcs: WCS, extver: int, dq: np.ndarray
) -> None:
    """Add to a chip's header what AstroDrizzle asks for; its WCS stays."""
    for name in ('BSCALE', 'BZERO', 'BLANK', 'IDCTAB'):
        header.remove(name, ignore_missing=True)
    matrix = _matrix(wcs)
    if 'CD1_1' not in header:
        for pattern in ('PC?_?', 'CDELT?', 'CROTA?'):
            header.remove(pattern, ignore_missing=True, remove_all=True)
        for i in (0, 1):
            for j in (0, 1):
                header[f'CD{i + 1}_{j + 1}'] = matrix[i, j]
    scale = 3600 * _pixel_scale(wcs)
    header.update(
        {
            'BUNIT': 'ELECTRONS', 'EXPNAME': 'e', 'CCDCHIP': extver, 'BINAXIS1': 1,
            'BINAXIS2': 1, 'NGOODPIX': int((dq == 0).sum()), 'MDRIZSKY': 0.0,
            'MEANDARK': 0.0, 'PHOTFLAM': 1.0, 'LTV1': 0.0, 'LTV2': 0.0, 'LTM1_1': 1.0,
            'LTM2_2': 1.0, 'VAFACTOR': 1.0,
            'ORIENTAT': float(np.rad2deg(np.arctan2(matrix[0, 1], matrix[1, 1]))),
        }
    )  # fmt: skip
    distortion = {
        'IDCSCALE': scale, 'IDCTHETA': 0.0, 'IDCV2REF': 1.0, 'IDCV3REF': 1.0,
        'OCX10': 0.0, 'OCX11': scale, 'OCY10': scale, 'OCY11': 0.0,
    }  # fmt: skip
    header.update({k: v for k, v in distortion.items() if k not in header})


def _matrix(wcs: WCS) -> np.ndarray:
    """Return the CD matrix of a WCS."""
    return np.asarray(wcs.celestial.pixel_scale_matrix)


def _pixel_scale(wcs: WCS) -> float:
    """Return the square root of a pixel's area, degrees."""
    return float(np.sqrt(abs(np.linalg.det(_matrix(wcs)))))


def _output_frame(exposures: Sequence[InputExposure]) -> dict[str, float | int]:
    """
    Return the least frame that holds all exposures, turned like the first.

    AstroDrizzle's own is turned by what HST headers say of the telescope, and when it
    is turned back holds the corners of what was turned before: often twice as many
    pixels.
    """
    first = exposures[0].chips[0]
    share = np.linspace(0.0, 1.0, 9)
    outline = np.concatenate(
        [np.c_[share, np.full(9, end)] for end in (0.0, 1.0)]
        + [np.c_[np.full(9, end), share] for end in (0.0, 1.0)]
    )
    sky = np.concatenate(
        [
            _celestial(chip).all_pix2world(outline * chip.shape[::-1] - 0.5, 0)
            for exposure in exposures
            for chip in exposure.chips
        ]
    )
    ny, nx = first.shape
    upright = np.array([[nx / 2, ny / 2 - 1], [nx / 2, ny / 2 + 1]])
    upright = _celestial(first).all_pix2world(upright, 0)
    plane = WCS(naxis=2)
    plane.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    plane.wcs.crpix = [1, 1]
    scale = _pixel_scale(_celestial(first))
    plane.wcs.crval = upright[0]
    # Once about the first chip, once about the middle of all.
    for _ in range(2):
        plane.wcs.cd = scale * np.diag([-1.0, 1.0])
        step = np.subtract(*plane.wcs_world2pix(upright[::-1], 0))
        angle = np.arctan2(-step[0], step[1])
        cos, sin = np.cos(angle), np.sin(angle)
        plane.wcs.cd = scale * np.array([[-cos, sin], [sin, cos]])
        xy = plane.wcs_world2pix(sky, 0)
        low, high = xy.min(axis=0), xy.max(axis=0)
        plane.wcs.crval = plane.wcs_pix2world([(low + high) / 2], 0)[0]
    size = np.ceil(high - low).astype(int) + 2
    return {
        'rot': float(np.rad2deg(angle)),
        'scale': 3600 * scale,
        'ra': float(plane.wcs.crval[0]),
        'dec': float(plane.wcs.crval[1]),
        'outnx': int(size[0]),
        'outny': int(size[1]),
    }


def _run_drizzle(
    names: Mapping[str, InputExposure], options: dict[str, Any], folder: Path
) -> None:
    """Run AstroDrizzle in a process of its own, in a folder."""
    done = subprocess.run(
        [sys.executable, '-P', '-W', 'ignore', '-c', _PROGRAM],
        input=json.dumps([list(names), options]),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding='utf-8',
        errors='replace',
        check=False,
    )
    if done.returncode == 0 and len(list(folder.glob('*_crmask.fits'))):
        return
    if done.returncode < 0:
        reason = f'it was ended by signal {-done.returncode}; is there enough memory?'
    else:
        lines = [' '.join(line.split()) for line in done.stdout.splitlines()]
        said = [line for line in lines if any(c.isalpha() for c in line)]
        reason = said[-1] if said else 'it did not say why'
    for name, exposure in names.items():
        reason = reason.replace(name, exposure.path.name)
    files = ', '.join(e.path.name for e in names.values())
    msg = f'AstroDrizzle could not combine {files}: {reason}. Else {_OWN_IMAGE}'
    raise CombiningError(msg)


def _collect(names: Mapping[str, InputExposure], folder: Path) -> fits.HDUList:
    """Return what AstroDrizzle left behind as one file."""
    path = next(folder.glob('combined_dr?_sci.fits'))
    with fits.open(path, memmap=False) as hdus:
        sci = np.asarray(hdus[0].data, dtype=np.float32)
        header = hdus[0].header
    count = _count_exposures(
        fits.getdata(path.with_name(path.name.replace('_sci', '_ctx'))), header
    )
    sci[count == 0] = np.nan
    covered = np.zeros_like(count)
    for name in names:
        weight = fits.getdata(folder / name.replace('_flc', '_single_wht'))
        covered += weight > 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FITSFixedWarning)
        wcs = WCS(header).to_header()
    primary = fits.Header()
    primary['NEXPOS'] = (len(names), 'exposures combined')
    for number, exposure in enumerate(names.values(), 1):
        primary[f'EXP{number:04d}'] = exposure.path.name
    science = wcs.copy()
    science['BUNIT'] = 'ELECTRONS/S'
    return fits.HDUList(
        [
            fits.PrimaryHDU(header=primary),
            fits.ImageHDU(sci, science, name='SCI'),
            fits.ImageHDU(count, wcs, name='COUNT'),
            fits.ImageHDU(np.maximum(count, covered), wcs, name='COVERED'),
        ]
    )


def _count_exposures(context: np.ndarray, header: fits.Header) -> np.ndarray:
    """
    Return how many exposures contribute to each pixel.

    Each chip has a bit of the context image, the 33rd the first of a second plane;
    the header names the file of each.
    """
    planes = context[np.newaxis] if context.ndim == 2 else context
    files: dict[str, list[int]] = defaultdict(list)
    for bit in range(32 * len(planes)):
        name = str(header.get(f'D{bit + 1:03d}DATA', f'{bit}'))
        files[name.partition('[')[0]].append(bit)
    count = np.zeros(planes.shape[1:], dtype=np.int16)
    for bits in files.values():
        there = np.zeros(count.shape, dtype=bool)
        for plane in {bit // 32 for bit in bits}:
            mask = sum(1 << (bit % 32) for bit in bits if bit // 32 == plane)
            there |= planes[plane].astype(np.uint32) & np.uint32(mask) != 0
        count += there
    return count


def read_combined(path: Path, exposure_wcs: WCS | None = None) -> Combined:
    """
    Read a combined image: ours, or the user's own.

    Of an image of the user's, pixels of zero weight (WHT) count as no data. How many
    exposures contribute is read from a context image (CTX); what cosmic rays took out
    of it is closed to tell what is covered. Without one, every pixel with data counts
    as covered twice and more: that is what makes it a combined image.

    Parameters
    ----------
    path : path-like
        FITS file with one SCI extension, else its first image is taken.
    exposure_wcs : `~astropy.wcs.WCS`, optional
        Celestial WCS of the first exposure, for the scale; else it is 1.

    Returns
    -------
    combined : `Combined`

    Raises
    ------
    CombiningError
        If it is not a combined image.
    ExposureError
        If it cannot be read.
    """
    chips = list(read_chips(path))
    if len(chips) != 1:
        msg = (
            f'{path}: has {len(chips)} SCI extensions, as an exposure; a combined '
            'image has one: drizzle the exposures first'
        )
        raise CombiningError(msg)
    chip = chips[0]
    sci = chip.sci if chip.mask is None else np.where(chip.mask, np.nan, chip.sci)
    data = np.isfinite(sci)
    if not data.any():
        msg = f'{path}: the combined image has no pixel with data'
        raise CombiningError(msg)
    with fits.open(path, memmap=False) as hdus:
        planes = {
            name: np.asarray(hdus[name].data)
            for name in ('COUNT', 'COVERED', 'CTX')
            if name in hdus and np.shape(hdus[name].data)[-2:] == sci.shape
        }
    n_exposures = int(chip.header.get('NEXPOS', 0))
    if 'COUNT' in planes and 'COVERED' in planes:
        count, covered = (planes[n].astype(np.int16) for n in ('COUNT', 'COVERED'))
    elif 'CTX' in planes:
        count = _count_exposures(planes['CTX'], chip.header)
        count[~data] = 0
        around = np.pad(count, _HOLE)
        closed = grey_closing(around, size=(_HOLE, _HOLE))
        covered = closed[_HOLE:-_HOLE, _HOLE:-_HOLE]
        n_exposures = int(count.max())
    else:
        count = np.where(data, 2, 0).astype(np.int16)
        covered = count
    scale = 1.0
    if chip.wcs is not None and exposure_wcs is not None:
        scale = _pixel_scale(chip.wcs) / _pixel_scale(exposure_wcs)
    return Combined(sci, count, covered, chip.wcs, scale, n_exposures)
