"""The real frames that training and judgement use, prepared and labelled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astrosieve.exceptions import ExposureError
from astrosieve.images.background import measure_background
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.units import PixelUnit
from astrosieve.source.finders import detect
from astrosieve.tables.catalogs import positions
from astrosieve_training.simulate.real_hits import JUDGED_EACH, real_hits
from astrosieve_training.source.datasets.real.crossmatch import (
    CrossmatchTruth,
    find_offset,
)
from astrosieve_training.source.datasets.real.hits import HitTruth
from astrosieve_training.source.datasets.real.median import MedianTruth

__all__ = ['RealFrame', 'hrc_47tuc', 'ngc1261', 'pluto']

# Read noise of PC1 at gain 14 (WFPC2 Instrument Handbook) and of HRC
# (header of the FLT whose distortion is used).
_PC1_READ_NOISE = 7.8
_HRC_READ_NOISE = 4.71
_HRC_GAIN = 2.216
_PYRAMID = 60  # columns and rows in the shadow of the pyramid's edge
_MIDDLE = 430  # of the columns that are left, between the halves
_GAP = 10  # columns on either side of the middle that neither half uses


@dataclass(frozen=True)
class RealFrame:
    """
    A real exposure with its truth.

    Parameters
    ----------
    name : str
        What tables call it.
    chip : `~astrosieve.images.exposures.Chip`
        The image.
    label : callable
        Labels of positions, as
        `~astrosieve_training.source.datasets.real.median.MedianTruth`.
    area : 4-tuple of float
        Least and largest x, least and largest y of the detections that count.
    fwhm : float
        Of the PSF, pixels.
    classes : tuple of str
        Classes that the truth can tell.
    note : str
        What the truth is, for tables.
    """

    name: str
    chip: Chip
    label: Callable[[np.ndarray], Table]
    area: tuple[float, float, float, float]
    fwhm: float
    classes: tuple[str, ...]
    note: str

    def within(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return which positions count."""
        x_min, x_max, y_min, y_max = self.area
        return (x >= x_min) & (x < x_max) & (y >= y_min) & (y < y_max)


def _read(path: Path) -> Chip:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        return next(iter(read_chips(path)))


def ngc1261(folder: Path, half: str) -> RealFrame:
    """
    Return one half of NGC 1261, WFPC2/PC1 F336W, 700 s.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of the real frames.
    half : {'left', 'right'}
        Left for training, right for judgement; 20 columns between them are not
        used.

    Returns
    -------
    frame : `RealFrame`
        With the pyramid's shadow masked.
    """
    if half not in ('left', 'right'):
        msg = f"half must be 'left' or 'right'; got {half!r}"
        raise ValueError(msg)
    chip = _read(folder / 'wfpc2pc_ngc1261_f336w_single.fits')
    median = _read(folder / 'wfpc2pc_ngc1261_f336w_median3.fits').sci
    gain = chip.gain
    if gain is None:
        msg = f'{chip.path}: no gain in the header'
        raise ExposureError(msg)
    chip.header['RDNOISE'] = _PC1_READ_NOISE
    mask = np.zeros(chip.sci.shape, dtype=bool)
    mask[:_PYRAMID] = True
    mask[:, :_PYRAMID] = True
    truth = MedianTruth(
        np.where(mask, np.nan, chip.sci * gain),
        np.where(mask, np.nan, median * gain),
        read_noise=_PC1_READ_NOISE,
    )
    ny, nx = chip.sci.shape
    left = (_PYRAMID, _MIDDLE - _GAP, _PYRAMID, ny)
    right = (_MIDDLE + _GAP, nx, _PYRAMID, ny)
    return RealFrame(
        name=f'NGC 1261 F336W ({half} half)',
        chip=replace(chip, mask=mask),
        label=truth,
        area=left if half == 'left' else right,
        fwhm=1.8,
        classes=('star', 'cosmic_ray'),
        note='one exposure against the median of three',
    )


def _hrc_chip(path: Path, distortion: fits.Header) -> Chip:
    """Return an HRC RAW as electrons, without its overscan, and with a WCS."""
    chip = _read(path)
    overscan = float(np.median(chip.sci[:1024, 2:18]))
    chip.header['RDNOISE'] = _HRC_READ_NOISE
    sci = (chip.sci[:1024, 19:1043] - overscan) * np.float32(_HRC_GAIN)
    header = distortion.copy()
    # The distortion is about the detector's centre. The pointing and the roll
    # differ from exposure to exposure: they are the RAW's own.
    for key in ('CRVAL1', 'CRVAL2'):
        header[key] = chip.header[key]
    turn = np.deg2rad(chip.header['ORIENTAT'] - distortion['ORIENTAT'])
    matrix = np.array(
        [[distortion[f'CD{i}_{j}'] for j in (1, 2)] for i in (1, 2)], dtype=float
    )
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = rotation @ matrix
    for i in (1, 2):
        for j in (1, 2):
            header[f'CD{i}_{j}'] = matrix[i - 1, j - 1]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        wcs = WCS(header)
    return replace(
        chip,
        sci=np.ascontiguousarray(sci),
        mask=None,
        unit=PixelUnit('electron'),
        gain=_HRC_GAIN,
        wcs=wcs,
    )


def hrc_47tuc(folder: Path) -> RealFrame:
    """
    Return 47 Tuc, ACS/HRC F606W, 60 s, with F330W as truth for its stars.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of the real frames.

    Returns
    -------
    frame : `RealFrame`
        Of the part that both exposures show. For judgement only.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyUserWarning)
        with fits.open(folder / 'acshrc_sip_header_only_j8bt06nyq_flt.fits') as hdus:
            distortion = fits.Header(
                [
                    card
                    for card in hdus[1].header.cards
                    if card.keyword.startswith(
                        ('CTYPE', 'CUNIT', 'CRPIX', 'CRVAL', 'CD', 'ORIENTAT', 'A_',
                         'B_', 'AP_', 'BP_', 'WCSAXES', 'RADESYS', 'EQUINOX')
                    )
                ]
            )  # fmt: skip
    chip = _hrc_chip(folder / 'acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz', distortion)
    other = _hrc_chip(folder / 'acshrc_47tuc_f330w_j8bt09jcq_raw.fits.gz', distortion)
    found = []
    for each, fwhm in ((chip, 2.5), (other, 2.0)):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyUserWarning)
            table = detect(MeasuredImage.of(each.sci, fwhm=fwhm), 'dao')
        found.append(positions(table))
    background = measure_background(chip.sci)
    truth = CrossmatchTruth(
        chip.sci - np.float32(background.level),
        chip.wcs,
        other.wcs,
        reference=found[1],
        offset=np.zeros(2),
        noise=background.noise,
        saturation=60_000 * _HRC_GAIN,
    )
    offset, _ = find_offset(found[0], truth.counterparts())
    truth = replace(truth, offset=offset)
    there = truth.counterparts()
    size = chip.sci.shape[0]
    low = np.maximum(there.min(axis=0), 0)
    high = np.minimum(there.max(axis=0), size)
    # What matches by chance, seen where no counterpart can be.
    common = ((found[0] >= low) & (found[0] < high)).all(axis=1)
    pairs = (truth(found[0])['label'] == 'star')[common]
    moved = replace(truth, offset=offset + np.array([17.0, 11.0]))
    chance = (moved(found[0])['label'] == 'star')[common]
    return RealFrame(
        name='47 Tuc HRC F606W',
        chip=chip,
        label=truth,
        area=(low[0], high[0], low[1], high[1]),
        fwhm=2.5,
        classes=('star',),
        note=(
            'stars are what F330W shows at the same place; of '
            f'{int(pairs.sum())} matched detections about {int(chance.sum())} match '
            'by chance'
        ),
    )


def pluto(folder: Path) -> RealFrame:
    """
    Return Pluto, WFC3/UVIS F606W, 479 s, of which the cosmic rays are known.

    The telescope followed Pluto: stars are trailed. What is sharp, away from Pluto,
    Charon and the trails, is a cosmic ray. Three of four hits are templates of the
    simulator; each fourth judges.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of the real frames.

    Returns
    -------
    frame : `RealFrame`
        For judgement only.
    """
    chip = _read(folder / 'wfc3uvis_pluto1_f606w_flt.fits')
    background = measure_background(chip.sci)
    hits = real_hits(folder.parent, 'uvis').table
    truth = HitTruth(
        chip.sci - np.float32(background.level),
        hits[::JUDGED_EACH],
        noise=background.noise,
    )
    ny, nx = chip.sci.shape
    return RealFrame(
        name='Pluto UVIS F606W',
        chip=chip,
        label=truth,
        area=(0, nx, 0, ny),
        fwhm=1.8,
        classes=('cosmic_ray',),
        note=(
            f'{len(truth.hits)} cosmic rays of 300 electrons and more, segmented away '
            'from Pluto and from trailed stars; three times as many that were '
            'templates of the simulator do not count'
        ),
    )
