"""
Real pixels: hits of darks, defects of cameras, hot pixels of a CMOS chip, an IR table.

All is optional: without the data folder the functions return None.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import median_filter

from astrosieve_training.contaminant.simulate.instruments import Instrument
from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate import real_hits
from astrosieve_training.simulate.cosmic_rays import CosmicRayTemplates

__all__ = ['REAL_JUDGED', 'defect_boxes', 'hit_templates', 'hot_pixels', 'ir_defects']

REAL_JUDGED = (
    'others/masks/cosmic_rays/crtruth_sprat.npz',
    'others/masks/darks/DarkBefore*',
    'others/masks/defects/hsc_defects.csv.gz',
    'others/masks/dq',
    'others/masks/hatp32',
    'others/masks/hst_trails',
    'others/masks/trailblazer',
    'hst/wfpc2*',
    'hst/acshrc*',
)
"""Real files of which no pixel is in a training image, for judging."""


def _root() -> Path | None:
    folder = data_folder()
    return None if folder is None else folder.parent


def hit_templates(
    rng: np.random.Generator, instrument: Instrument, *, judged: bool = False
) -> CosmicRayTemplates | None:
    """
    Return real hits of a like detector in half of the images, LSST's or UVIS's.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    instrument : `Instrument`
        Arrays other than CCDs have few on the ground.
    judged : bool, optional
        Whether of each fourth hit, which are kept for judging.

    Returns
    -------
    templates : `~astrosieve_training.simulate.cosmic_rays.CosmicRayTemplates` or None
        None in the other half, or without the data.
    """
    orbit = instrument.kind.site == 'orbit'
    thin = instrument.kind.detector in ('ir', 'cmos') and not orbit
    if rng.random() < (0.85 if thin else 0.5):
        return None
    source = 'uvis' if orbit or rng.random() < 0.1 else 'lsst'
    return real_hits.hit_templates(source, judged=judged)


@lru_cache(maxsize=2)
def _boxes(camera: str) -> dict[str, np.ndarray] | None:
    root = _root()
    path = (
        root / 'others' / 'masks' / 'defects' / f'{camera}_defects.csv.gz'
        if root
        else None
    )
    if path is None or not path.is_file():
        return None
    table = Table.read(path, format='ascii.csv')
    detectors = np.char.add(
        np.char.add(np.asarray(table['det']).astype(str), ' '),
        np.asarray(table['date']).astype(str),
    )
    boxes = np.stack(
        [np.asarray(table[name], int) for name in ('x0', 'y0', 'w', 'h')], 1
    )
    return {name: boxes[detectors == name] for name in np.unique(detectors)}


def defect_boxes(
    rng: np.random.Generator, shape: tuple[int, int], *, judged: bool = False
) -> np.ndarray | None:
    """
    Return the defects of a part of a real detector: DECam's, or HSC's for judging.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws the detector and the part.
    shape : (int, int)
        Of the part.
    judged : bool, optional
        Whether the image is for judging.

    Returns
    -------
    boxes : (N, 4) int `~numpy.ndarray` or None
        x, y, width, height, cut at the edges, 0-based; None without the data.
    """
    detectors = _boxes('hsc' if judged else 'decam')
    if detectors is None:
        return None
    boxes = detectors[str(rng.choice(list(detectors)))]
    first = boxes[rng.integers(len(boxes))]  # so that a part is seldom empty
    left = first[0] + rng.integers(0, max(first[2], 1)) - rng.integers(0, shape[1])
    bottom = first[1] + rng.integers(0, max(first[3], 1)) - rng.integers(0, shape[0])
    low = np.maximum(boxes[:, :2] - (left, bottom), 0)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:] - (left, bottom), shape[::-1])
    inside = (high > low).all(axis=1)
    return np.concatenate([low, high - low], 1)[inside]


@lru_cache(maxsize=1)
def _cmos() -> np.ndarray | None:
    """Return the excess of each pixel that is in both darks, in units of its noise."""
    root = _root()
    paths = (
        sorted((root / 'others' / 'masks' / 'darks').glob('Dark_ASI*')) if root else []
    )
    if not paths:
        return None
    darks = np.stack([fits.getdata(path).astype(np.float32) for path in paths])
    least = darks.min(axis=0)
    excess = least - median_filter(least, 9)
    spread = 1.4826 * np.median(np.abs(excess - np.median(excess)))
    return excess / spread


def hot_pixels(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the excess of the hot pixels of a part of a real CMOS chip, in noises."""
    excess = _cmos()
    if excess is None or min(excess.shape) < max(shape):
        return None
    top, left = (
        int(rng.integers(n - m + 1)) for n, m in zip(excess.shape, shape, strict=True)
    )
    part = excess[top : top + shape[0], left : left + shape[1]]
    part = part[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    # The scale decides how many of the warm ones are seen.
    least = np.float32(rng.uniform(4, 12))
    return np.where(part > least, part, 0)


@lru_cache(maxsize=1)
def _ir() -> np.ndarray | None:
    root = _root()
    path = root / 'hst' / 'wfc3ir_y711520di_bpx_unpacked_dq.fits.gz' if root else None
    if path is None or not path.is_file():
        return None
    return np.asarray(fits.getdata(path, 'DQ1014')).astype(np.int16)


def ir_defects(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray | None:
    """Return where a part of a real IR detector is dead."""
    dq = _ir()
    if dq is None or min(dq.shape) < max(shape):
        return None
    top, left = (
        int(rng.integers(n - m + 1)) for n, m in zip(dq.shape, shape, strict=True)
    )
    part = dq[top : top + shape[0], left : left + shape[1]]
    return np.asarray((part & (4 | 8)) != 0)
