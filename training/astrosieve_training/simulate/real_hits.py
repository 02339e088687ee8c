"""Cosmic rays of real frames: where they are found, and how they are measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from scipy import ndimage

from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate.cosmic_rays import CosmicRayTemplates
from astrosieve_training.simulate.detector import Slab

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    'JUDGED_EACH',
    'JUDGED_SOURCES',
    'LEAST',
    'SOURCES',
    'HitSource',
    'Hits',
    'cosmic_ray_statistics',
    'hit_templates',
    'real_hits',
]

_EIGHT = np.ones((3, 3), int)


@dataclass(frozen=True)
class Hits:
    """
    Measured hits.

    Attributes
    ----------
    table : `~astropy.table.Table`
        As `cosmic_ray_statistics` gives it.
    stamps : list of 2D `~numpy.ndarray`
        Electrons of each hit, zero outside it.
    """

    table: Table
    stamps: list[np.ndarray]

    def __getitem__(self, keep: np.ndarray) -> Hits:
        rows = np.flatnonzero(keep)
        return Hits(self.table[rows], [self.stamps[i] for i in rows])


@dataclass(frozen=True)
class HitSource:
    """How a set of real hits was taken, for a simulation of the same kind."""

    slab: Slab
    site: str
    noise: float
    nsigma: float
    low: float
    exptime: float
    rate: float


# Below this charge, electrons, real frames hold single hot pixels and glitches.
LEAST = 300.0

# Geometry as in the cameras; gains in `real_hits`.
SOURCES = {
    'wfpc2': HitSource(Slab(15.0, 11.0, 3.5), 'orbit', 8.0, 5.0, 2.0, 300.0, 1.3),
    'uvis': HitSource(Slab(15.0, 16.0, 4.5), 'orbit', 8.3, 5.0, 2.0, 479.0, 1.1),
    'lsst': HitSource(
        Slab(10.0, 100.0, 4.5, 0.0), 'ground', 8.0, 5.0, 2.0, 3000.0, 0.035
    ),
}

JUDGED_SOURCES = ('sprat',)
"""Detectors of which no hit is for training."""

JUDGED_EACH = 4
"""Of the others each hit of this number is kept for judging."""

_SPRAT = (6.0, 5.0, 0.5)  # noise, and what hits have at least of it
_LARGEST = 150  # pixels: what is longer does not fit into small images


def cosmic_ray_statistics(
    image: np.ndarray,
    noise: float,
    *,
    nsigma: float = 5.0,
    low: float = 2.0,
    exclude: np.ndarray | None = None,
) -> Hits:
    """
    Find hits in an image without sky and measure them.

    Parameters
    ----------
    image : 2D array_like
        Electrons, sky subtracted.
    noise : float
        Standard deviation of a pixel, electrons.
    nsigma : float, optional
        A hit has at least one pixel above this many times the noise.
    low : float, optional
        Pixels above this many times the noise that touch it belong to it.
    exclude : 2D bool array_like, optional
        Hits that touch such a pixel or the border are left out.

    Returns
    -------
    hits : `Hits`
        Columns ``x``, ``y`` (centre of charge), ``total``, ``peak`` (electrons),
        ``length`` and ``width`` (extent along the principal axes, pixels),
        ``n_pixels``, ``angle`` (degrees), ``label`` (in the segmentation, from 1).
    """
    image = np.asarray(image, float)
    above = image > low * noise
    labels, n = ndimage.label(above, structure=_EIGHT)
    keep = np.zeros(n + 1, bool)
    keep[np.unique(labels[image > nsigma * noise])] = True
    border = np.zeros(image.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    if exclude is not None:
        border |= exclude
    keep[np.unique(labels[border])] = False
    keep[0] = False
    rows: list[tuple[float, ...]] = []
    stamps = []
    for i, window in enumerate(ndimage.find_objects(labels), 1):
        if not keep[i]:
            continue
        inside = labels[window] == i
        values = np.where(inside, image[window], 0.0)
        yy, xx = np.nonzero(inside)
        q = values[yy, xx]
        total = q.sum()
        cx, cy = q @ xx / total, q @ yy / total
        dx, dy = xx - cx, yy - cy
        angle = 0.5 * np.arctan2(2 * (q @ (dx * dy)), q @ (dx**2) - q @ (dy**2))
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        rows.append(
            (
                cx + window[1].start, cy + window[0].start, total, q.max(),
                np.ptp(along) + 1, 4 * np.sqrt(q @ across**2 / total + 1 / 12),
                len(q), np.rad2deg(angle) % 180, i,
            )
        )  # fmt: skip
        stamps.append(values)
    names = (
        'x', 'y', 'total', 'peak', 'length', 'width', 'n_pixels', 'angle', 'label'
    )  # fmt: skip
    if not rows:
        return Hits(Table({name: np.zeros(0) for name in names}), [])
    return Hits(Table(rows=rows, names=names), stamps)


def real_hits(folder: Path, source: str) -> Hits:
    """
    Find the hits of one of the real frames that may serve as templates.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The data directory, with ``hst`` and ``others`` below it.
    source : str
        ``'wfpc2'``: four cut-outs of NGC 4151 (7.12 electrons per count). ``'uvis'``:
        Pluto, with Pluto itself, trailed stars and hot pixels left out. ``'lsst'``:
        hits in darks, taken as electrons. Hits of less than 300 electrons are left out.
        ``'sprat'``: what only one of five exposures has.

    Returns
    -------
    hits : `Hits`
        Electrons.
    """
    readers = {
        'wfpc2': _read_wfpc2, 'uvis': _read_uvis, 'lsst': _read_lsst,
        'sprat': _read_sprat,
    }  # fmt: skip
    if source not in readers:
        msg = f'source must be one of {", ".join(readers)}; got {source!r}'
        raise ValueError(msg)
    noise, nsigma, low = _SPRAT
    if source in SOURCES:
        setting = SOURCES[source]
        noise, nsigma, low = setting.noise, setting.nsigma, setting.low
    parts = [
        cosmic_ray_statistics(image, noise, nsigma=nsigma, low=low, exclude=exclude)
        for image, exclude in readers[source](folder)
    ]
    hits = _stack(parts)
    if source == 'uvis':
        hits = _without_trails(hits)
    return hits[np.asarray(hits.table['total']) > LEAST]


@lru_cache(maxsize=16)
def hit_templates(source: str, *, judged: bool = False) -> CosmicRayTemplates | None:
    """
    Return the hits of a real detector that are for training, or those for judging.

    Parameters
    ----------
    source : str
        As in `real_hits`.
    judged : bool, optional
        Whether each fourth hit, which are kept for judging; of `JUDGED_SOURCES` all.

    Returns
    -------
    templates : `~astrosieve_training.simulate.cosmic_rays.CosmicRayTemplates` or None
        Of less than 150 pixels along an axis; None without the data.
    """
    folder = data_folder()
    try:
        stamps = real_hits(folder.parent, source).stamps if folder else []
    except FileNotFoundError:
        stamps = []
    stamps = [
        stamp
        for number, stamp in enumerate(stamps)
        if max(stamp.shape) < _LARGEST
        and (source in JUDGED_SOURCES or number % JUDGED_EACH == 0) == judged
    ]
    return CosmicRayTemplates(stamps, source) if stamps else None


def _stack(parts: list[Hits]) -> Hits:
    table = vstack([p.table for p in parts], metadata_conflicts='silent')
    return Hits(table, [s for p in parts for s in p.stamps])


def _read_wfpc2(folder: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    cube = fits.getdata(folder / 'hst' / 'wfpc2_ngc4151_fr533p15_200x200x4.fits', 0)
    out: list[tuple[np.ndarray, np.ndarray | None]] = []
    for image in cube:
        electrons = image.astype(float) * 7.12
        background = ndimage.median_filter(electrons, 25)
        # The galaxy's nucleus, and the borders of the chips.
        galaxy = ndimage.median_filter(electrons, 7) > background.min() + 40
        galaxy = ndimage.binary_dilation(galaxy, iterations=15)
        out.append((electrons - background, galaxy))
    return out


def _read_uvis(folder: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    path = folder / 'hst' / 'wfc3uvis_pluto1_f606w_flt.fits'
    sci = fits.getdata(path, 'SCI').astype(float)
    dq = fits.getdata(path, 'DQ')
    background = ndimage.median_filter(sci, 21)
    sky = np.median(sci)
    # Pluto and Charon, their halos and spikes, and bright trailed stars.
    bright = ndimage.median_filter(sci, 7) > sky + 20
    exclude = ndimage.binary_dilation(bright, iterations=5)
    exclude |= background > sky + 25
    yy, xx = np.indices(sci.shape)
    for angle in (45.0, 135.0):
        a = np.deg2rad(angle)
        across = (yy - 245) * np.cos(a) - (xx - 253) * np.sin(a)
        near = np.hypot(yy - 245, xx - 253) < 180
        exclude |= (np.abs(across) < 12) & near
    exclude |= (dq & 16) != 0
    return [(sci - background, exclude)]


def _without_trails(hits: Hits) -> Hits:
    """Leave out what is as long, wide and inclined as the trailed stars."""
    table = hits.table
    turn = np.abs((np.asarray(table['angle']) - 112.0 + 90) % 180 - 90)
    trailed = (turn < 14) & (table['length'] > 7) & (table['n_pixels'] > 14)
    return hits[np.asarray(~trailed)]


def _read_lsst(folder: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    path = folder / 'others' / 'masks' / 'cosmic_rays' / 'lsst_cosmic_rays_train.npz'
    with np.load(path) as data:
        spans = {key: data[key] for key in data.files}
    first = np.cumsum(spans['length']) - spans['length']
    out: list[tuple[np.ndarray, np.ndarray | None]] = []
    for hit in np.unique(spans['fp_id']):
        at = np.flatnonzero(spans['fp_id'] == hit)
        x0, y0, n = (spans[k][at].astype(int) for k in ('x0', 'y0', 'length'))
        image = np.zeros((np.ptp(y0) + 5, (x0 + n).max() - x0.min() + 4))
        for k, x, y, m in zip(first[at], x0, y0, n, strict=True):
            column = x - x0.min() + 2
            image[y - y0.min() + 2, column : column + m] = spans['values'][k : k + m]
        out.append((image, None))
    return out


def _read_sprat(folder: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    path = folder / 'others' / 'masks' / 'cosmic_rays' / 'crtruth_sprat.npz'
    with np.load(path) as data:
        images, marks = data['img'].astype(float), data['cr'] > 0
        gain = float(data['gain'])
    out: list[tuple[np.ndarray, np.ndarray | None]] = []
    for number, (image, mark) in enumerate(zip(images, marks, strict=True)):
        others = np.median(np.delete(images, number, axis=0), axis=0)
        # The faint border of a hit is not marked.
        near = ndimage.binary_dilation(mark, structure=_EIGHT)
        out.append((np.where(near, (image - others) * gain, 0), None))
    return out
