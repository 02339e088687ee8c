"""
Exposures of one field combined by AstroDrizzle.

AstroDrizzle reads only files of the cameras that it knows, with many keywords. It is
given plain copies instead, made of what `~astrosieve.images.exposures.read_chips`
knows of any camera: electrons above the sky, a DQ plane of usable and unusable pixels,
the exposure's own WCS. It runs in a process of its own: what it prints, logs and leaves
behind stays in a folder that is taken away.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from astrosieve.atomic import atomic_path
from astrosieve.images.background import measure_background
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.pixels import spoilt_pixels
from astrosieve_training.source.label.combined import count_exposures, pixel_scale
from astrosieve_training.source.label.errors import CombiningError
from astrosieve_training.source.label.exposures import (
    OWN_IMAGE,
    ChipFrame,
    InputExposure,
    celestial,
    check_exposures,
)

__all__ = ['combine', 'output_frame', 'write_plain']

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
from pathlib import Path
names, options = json.load(sys.stdin)
try:
    from drizzlepac.astrodrizzle import AstroDrizzle
    AstroDrizzle(names, **options)
except Exception as error:
    Path('error.txt').write_text(f'{type(error).__name__}: {error}', 'utf-8')
    raise
"""


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
            f'{OWN_IMAGE}'
        )
        raise CombiningError(msg)
    exposures = check_exposures(paths, combined=False)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / 'combined.fits'
    with tempfile.TemporaryDirectory(prefix='.drizzle-', dir=folder) as work:
        names = {f'e{i:04d}_flc.fits': e for i, e in enumerate(exposures)}
        for name, exposure in names.items():
            write_plain(exposure, Path(work) / name)
        options = {
            **_DRIZZLE_OPTIONS,
            'combine_type': 'minmed' if len(names) < _MANY else 'imedian',
            'driz_sep_bits': 0,
            'final_bits': 0,
        }
        for key, value in output_frame(exposures).items():
            options[f'driz_sep_{key}'] = options[f'final_{key}'] = value
        _run_drizzle(names, options, Path(work))
        result = _collect(names, Path(work))
        with atomic_path(target, overwrite=True) as temporary:
            result.writeto(temporary, overwrite=True)
    return target


def write_plain(exposure: InputExposure, target: Path) -> None:
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
        _complete_header(header, celestial(exposure.chips[number]), number + 1, dq)
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
    matrix = np.asarray(wcs.celestial.pixel_scale_matrix)
    if 'CD1_1' not in header:
        for pattern in ('PC?_?', 'CDELT?', 'CROTA?'):
            header.remove(pattern, ignore_missing=True, remove_all=True)
        for i in (0, 1):
            for j in (0, 1):
                header[f'CD{i + 1}_{j + 1}'] = matrix[i, j]
    scale = 3600 * pixel_scale(wcs)
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


def output_frame(exposures: Sequence[InputExposure]) -> dict[str, float | int]:
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
            celestial(chip).all_pix2world(outline * chip.shape[::-1] - 0.5, 0)
            for exposure in exposures
            for chip in exposure.chips
        ]
    )
    ny, nx = first.shape
    upright = np.array([[nx / 2, ny / 2 - 1], [nx / 2, ny / 2 + 1]])
    upright = celestial(first).all_pix2world(upright, 0)
    plane = WCS(naxis=2)
    plane.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    plane.wcs.crpix = [1, 1]
    scale = pixel_scale(celestial(first))
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
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        encoding='utf-8',
        check=False,
    )
    problem = folder / 'error.txt'
    if problem.is_file():
        reason = ' '.join(problem.read_text('utf-8').split())
    elif done.returncode < 0:
        reason = f'it was ended by signal {-done.returncode}; is there enough memory?'
    elif done.returncode:
        reason = f'it ended with status {done.returncode}'
    elif not list(folder.glob('*_crmask.fits')):
        reason = 'it took none of them for an image'
    else:
        return
    for name, exposure in names.items():
        reason = reason.replace(name, exposure.path.name)
    files = ', '.join(e.path.name for e in names.values())
    msg = f'AstroDrizzle could not combine {files}: {reason}. Else {OWN_IMAGE}'
    raise CombiningError(msg)


def _collect(names: Mapping[str, InputExposure], folder: Path) -> fits.HDUList:
    """Return what AstroDrizzle left behind as one file."""
    path = next(folder.glob('combined_dr?_sci.fits'))
    with fits.open(path, memmap=False) as hdus:
        sci = np.asarray(hdus[0].data, dtype=np.float32)
        header = hdus[0].header
    count = count_exposures(
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
