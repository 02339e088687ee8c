"""
Truth of simulated exposures: what each pixel and each detection really is.

One rule serves simulators, evaluation and labels. The class of a detection is that of
the component which contributes most of the electrons above sky in the 3x3 pixels about
its rounded position: a star's own core (within its PSF's FWHM), another part of a
star's PSF (spike, bleeding and trails of readout included), a galaxy, nebula or trailed
source (extended), a cosmic ray, or a detector defect. It is background when none
exceeds three times the noise of the sum, and contested where the largest holds less
than 60 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import CatalogError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    'COMPONENTS',
    'CONTESTED_SHARE',
    'NOISE_LIMIT',
    'Truth',
    'label_positions',
    'read_truth',
    'write_truth',
]

COMPONENTS = ('star', 'spike', 'extended', 'cosmic_ray', 'bad_pixel')
CONTESTED_SHARE = 0.6
NOISE_LIMIT = 3.0
_CROWDING_RADIUS = 10.0
_CROWDING_SNR = 10.0


@dataclass(frozen=True)
class Truth:
    """
    Truth of one chip.

    Attributes
    ----------
    planes : dict of 2D float32 `~numpy.ndarray`
        Electrons above sky that each of `COMPONENTS` left in each pixel, after
        saturation, bleeding and transfer. Light is given by its expectation, charge of
        cosmic rays as it fell. A dead pixel's deficit is not among them. An effect of
        the simulation may add planes of other names.
    noise : 2D float32 `~numpy.ndarray`
        Standard deviation of a pixel, electrons: photons of sky and sources, dark
        current, readout.
    stars : `~astropy.table.Table`
        ``id`` (the same in all exposures of a set), ``x``, ``y`` (pixels, 0-based),
        ``flux`` (electrons in all), ``box_electrons`` (in the 3x3 pixels about the
        centre), ``snr`` (these over the noise of the box), ``peak``, ``fwhm``,
        ``saturated``.
    galaxies : `~astropy.table.Table`
        ``x``, ``y``, ``flux``, ``radius`` (half-light, pixels), ``n``, ``axis_ratio``,
        ``angle``, ``arms``; trailed sources too, with ``trail`` their length.
    cosmic_rays : `~astropy.table.Table`
        ``x``, ``y`` (centre of charge), ``electrons``, ``length``, ``theta``, ``kind``.
    sky : float
        Electrons per pixel, dark current and flash included, pedestal not.
    fwhm : float
        Of the PSF, pixels.
    full_well : float
        Electrons.
    """

    planes: dict[str, np.ndarray]
    noise: np.ndarray
    stars: Table
    galaxies: Table
    cosmic_rays: Table
    sky: float
    fwhm: float
    full_well: float

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the chip, (ny, nx)."""
        return self.noise.shape


def _box_sums(image: np.ndarray, xi: np.ndarray, yi: np.ndarray) -> np.ndarray:
    """Return sums over 3x3 pixels; those outside the image count 0."""
    ny, nx = image.shape
    out = np.zeros(len(xi))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            x, y = xi + dx, yi + dy
            inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
            out[inside] += image[y[inside], x[inside]]
    return out


def label_positions(truth: Truth, xy: np.ndarray) -> Table:
    """
    Say what detections are.

    Parameters
    ----------
    truth : `Truth`
        Of the chip on which they were found.
    xy : (N, 2) array_like
        Positions (x, y), pixels, 0-based.

    Returns
    -------
    labels : `~astropy.table.Table`
        One row per position, in order:

        * ``label``: one of `COMPONENTS`, or ``'background'``.
        * ``share``: of the largest component in the electrons of all; NaN where there
          are none.
        * ``contested``: whether ``share`` is below 0.6 and the label not background.
        * ``snr``: of the matched star where the label is star, else the largest
          component's electrons over the noise of the 3x3 pixels.
        * ``star_index``: row in ``truth.stars`` of the brightest star within its FWHM,
          -1 where there is none.
        * ``saturated``: whether that star is.
        * ``extended_snr``: electrons of galaxies, nebulae and trails in the 3x3 pixels
          over the noise of these: what a star there lies on.
        * ``galaxy_radius``: half-light radius of the nearest galaxy within 1.5 of its
          half-light radii (or the PSF's FWHM), pixels; NaN where there is none.
        * ``distance_to_bright``: pixels to the nearest star of at least half the full
          well, the matched one aside; infinite where there is none.
        * ``crowding``: true stars of S/N 10 or more within 10 pixels, the matched one
          aside.
    """
    xy = np.asarray(xy, dtype=float).reshape(-1, 2)
    if not np.isfinite(xy).all():
        msg = 'xy must be finite; drop detections without a position first'
        raise ValueError(msg)
    n = len(xy)
    xi = np.floor(xy[:, 0] + 0.5).astype(int)
    yi = np.floor(xy[:, 1] + 0.5).astype(int)
    sums = np.stack([_box_sums(truth.planes[c], xi, yi) for c in COMPONENTS], axis=1)
    noise = np.sqrt(_box_sums(truth.noise.astype(float) ** 2, xi, yi))
    noise = np.maximum(noise, 1e-6)
    positive = np.maximum(sums, 0)
    largest = positive.argmax(axis=1) if n else np.zeros(0, int)
    amount = positive.max(axis=1, initial=0)
    total = positive.sum(axis=1)
    share = np.full(n, np.nan)
    np.divide(amount, total, out=share, where=total > 0)
    label = np.array(COMPONENTS, dtype='U12')[largest]
    background = amount <= NOISE_LIMIT * noise
    label[background] = 'background'
    index, bright, crowding = _match_stars(truth, xy)
    snr = amount / noise
    if len(truth.stars):
        matched = (label == 'star') & (index >= 0)
        snr[matched] = np.asarray(truth.stars['snr'])[index[matched]]
        saturated = np.asarray(truth.stars['saturated'])[index] & (index >= 0)
    else:
        saturated = np.zeros(n, bool)
    return Table(
        {
            'label': label,
            'share': share,
            'contested': (share < CONTESTED_SHARE) & ~background,
            'snr': snr,
            'star_index': index,
            'saturated': saturated,
            'extended_snr': sums[:, COMPONENTS.index('extended')] / noise,
            'galaxy_radius': _match_galaxies(truth, xy),
            'distance_to_bright': bright,
            'crowding': crowding,
        }
    )


def _match_stars(
    truth: Truth, xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matched star, distance to another bright one, and crowding."""
    n = len(xy)
    index = np.full(n, -1)
    bright = np.full(n, np.inf)
    crowding = np.zeros(n, int)
    stars = truth.stars
    if not len(stars) or not n:
        return index, bright, crowding
    places = np.column_stack([stars['x'], stars['y']]).astype(float)
    flux = np.asarray(stars['flux'])
    near = cKDTree(places).query_ball_point(xy, truth.fwhm)
    for i, members in enumerate(near):
        if members:
            index[i] = members[int(np.argmax(flux[members]))]
    strong = np.flatnonzero(np.asarray(stars['peak']) >= 0.5 * truth.full_well)
    if len(strong):
        distance, row = cKDTree(places[strong]).query(xy, k=min(2, len(strong)))
        distance = distance.reshape(n, -1)
        row = strong[np.minimum(row.reshape(n, -1), len(strong) - 1)]
        own = row[:, 0] == index
        second = distance[:, 1] if distance.shape[1] > 1 else np.full(n, np.inf)
        bright = np.where(own, second, distance[:, 0])
    visible = np.flatnonzero(np.asarray(stars['snr']) >= _CROWDING_SNR)
    if len(visible):
        tree = cKDTree(places[visible])
        crowding = tree.query_ball_point(xy, _CROWDING_RADIUS, return_length=True)
        crowding = crowding - np.isin(index, visible)
    return index, bright, crowding


def _match_galaxies(truth: Truth, xy: np.ndarray) -> np.ndarray:
    out = np.full(len(xy), np.nan)
    table = truth.galaxies
    if not len(table) or not len(xy):
        return out
    places = np.column_stack([table['x'], table['y']]).astype(float)
    radius = np.asarray(table['radius'], float)
    reach = np.maximum(1.5 * radius, truth.fwhm)
    tree = cKDTree(xy)
    best = np.full(len(xy), np.inf)
    for place, r, limit in zip(places, radius, reach, strict=True):
        for i in tree.query_ball_point(place, limit):
            distance = np.hypot(*(xy[i] - place))
            if distance < best[i]:
                best[i], out[i] = distance, r
    return out


_TABLES = ('stars', 'galaxies', 'cosmic_rays')
_STEP = 0.02


def write_truth(
    path: str | Path,
    truths: list[Truth] | tuple[Truth, ...],
    *,
    overwrite: bool = False,
) -> None:
    """
    Write the truth of an exposure's chips to one FITS file.

    Parameters
    ----------
    path : path-like
        To write; whole or not at all.
    truths : sequence of `Truth`
        EXTVER 1, 2 ...
    overwrite : bool, optional
        Whether an existing file may be replaced.
    """
    from astropy.io import fits

    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header['NCHIPS'] = (len(truths), 'number of chips')
    for extver, truth in enumerate(truths, 1):
        for name in _TABLES:
            hdu = fits.table_to_hdu(getattr(truth, name))
            hdu.name, hdu.ver = name.upper(), extver
            hdus.append(hdu)
        for name, image in (*truth.planes.items(), ('noise', truth.noise)):
            # Steps of 0.02 electrons: far below any noise.
            hdu = fits.CompImageHDU(
                np.asarray(image, np.float32),
                name=name.upper(),
                compression_type='RICE_1',
                quantize_level=-_STEP,
                quantize_method=-1,
            )
            hdu.ver = extver
            if name == 'noise':
                for key in ('sky', 'fwhm', 'full_well'):
                    hdu.header['FULLWELL' if key == 'full_well' else key.upper()] = (
                        float(getattr(truth, key))
                    )
            hdus.append(hdu)
    with atomic_path(path, overwrite=overwrite) as temporary:
        hdus.writeto(temporary, overwrite=True)


def read_truth(path: str | Path) -> list[Truth]:
    """
    Read what `write_truth` wrote.

    Parameters
    ----------
    path : path-like
        To read.

    Returns
    -------
    truths : list of `Truth`
        One for each chip. Planes agree with the written ones to 0.02 electrons.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        if 'NCHIPS' not in hdus[0].header:
            msg = f'{path} is not a truth file: its primary header lacks NCHIPS'
            raise CatalogError(msg)
        truths = []
        for extver in range(1, hdus[0].header['NCHIPS'] + 1):
            images = {
                hdu.name.lower(): hdu
                for hdu in hdus
                if isinstance(hdu, fits.CompImageHDU) and hdu.ver == extver
            }
            noise = images.pop('noise')
            tables = {
                name: Table(hdus[name.upper(), extver].data, copy=True)
                for name in _TABLES
            }
            truths.append(
                Truth(
                    planes={
                        name: np.asarray(hdu.data, np.float32)
                        for name, hdu in images.items()
                    },
                    noise=np.asarray(noise.data, np.float32),
                    sky=noise.header['SKY'],
                    fwhm=noise.header['FWHM'],
                    full_well=noise.header['FULLWELL'],
                    **tables,
                )
            )
    return truths
