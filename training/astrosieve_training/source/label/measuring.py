"""What is measured of places in the combined image, and which of them are embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.exposures import Chip
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.source.label.combined import Combined
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.light import CombinedImage
from astrosieve_training.source.label.naming import name_places
from astrosieve_training.source.label.peaks import SIGNIFICANT, noise_share
from astrosieve_training.source.label.settings import PREPROCESSING, LabelSettings

__all__ = ['Measured', 'measure_places']

_APART = 2.0  # pixels, at least, between two stars
_MOST = 0.75  # share of the covering exposures that finds a star at one place


@dataclass(frozen=True)
class Measured:
    """
    What the combined image says of places and peaks.

    Parameters
    ----------
    places : `~astropy.table.Table`
        Those to embed, with ``x``, ``y``, ``n_covering``, ``always`` (most exposures
        find it), ``share``, ``snr``, ``psf_likeness``, ``spread``, ``broad``,
        ``halo``, ``physics``.
    cutouts : (M, 11, 11) float32 `~numpy.ndarray`
        Of these places, in [0, 1].
    peaks : `~astropy.table.Table`
        Of each peak: ``share`` (of its electrons that is there always), ``lasting``
        (S/N of that in one exposure), ``noise`` (share of peaks like it that is noise,
        where it was there once), ``covered`` (its place can be labelled).
    report : dict
        Counts.
    """

    places: Table
    cutouts: np.ndarray
    peaks: Table
    report: dict[str, Any]


def _to_combined(table: Table, combined: Combined, chips: Sequence[Chip]) -> np.ndarray:
    """Return where peaks or places are in the combined image, (N, 2) pixels."""
    on_sky = bool(np.isfinite(table['ra']).all())
    wcs = combined.wcs if on_sky else None
    if wcs is None:
        shape = chips[0].sci.shape
        if len(chips) > 1 or shape != combined.sci.shape:
            msg = (
                'the combined image or the exposures have no WCS: then there must be '
                f'one chip of the same shape; there are {len(chips)} of {shape}, and '
                f'the image has {combined.sci.shape}. Give it a WCS'
            )
            raise LabelError(msg)
        wcs = chips[0].wcs
        if wcs is None:  # the plane is the chip
            return np.column_stack([table['u'], table['v']])
    sky = SkyCoord(table['ra'], table['dec'], unit='deg')
    return np.column_stack(wcs.world_to_pixel(sky))


def measure_places(
    peaks: Table,
    members: np.ndarray,
    places: Table,
    dips: Table,
    combined: Combined,
    settings: LabelSettings,
    chips: Sequence[Chip],
) -> Measured:
    """
    Choose the places to embed, cut them out, and measure what they are.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.peaks.find_peaks`.
    members : (N,) int `~numpy.ndarray`
        The place of each peak.
    places : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.places.merge_peaks`.
    dips : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.peaks.find_dips`.
    combined : `~astrosieve_training.source.label.combined.Combined`
        The image.
    settings : `~astrosieve_training.source.label.settings.LabelSettings`
        All settings.
    chips : sequence of `~astrosieve.images.exposures.Chip`
        Of all exposures.

    Returns
    -------
    measured : `Measured`

    Raises
    ------
    LabelError
        If no place is covered, or the image does not show the PSF.
    """
    image = CombinedImage(combined.sci)
    limits = settings.naming
    xy = _to_combined(places, combined, chips)
    share, lasting = _shares(image, _to_combined(peaks, combined, chips), peaks)
    once = share < limits.absent
    charged = np.asarray(peaks['hot'] | peaks['stays'] | peaks['charged'])
    noise = noise_share(peaks, once & ~charged, dips)
    n = len(places)
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, members, share)
    defect = np.bincount(members, charged, n) >= 0.5 * np.bincount(members)
    hit = np.bincount(members, once & (noise <= limits.hit), n) > 0
    empty = highest < limits.absent

    covering, covered = _coverage(image, combined, xy, settings.peaks.min_exposures)
    batch = get_preprocessing(PREPROCESSING).fit(combined.sci, spoilt=image.spoilt)(xy)
    usable = batch.valid & covered
    saturated = np.asarray(places['saturated'], dtype=bool)
    real = usable & (highest >= limits.present) & (highest < 1 / limits.present)
    image.learn_psf(xy, real & ~saturated & ~defect)
    rng = np.random.default_rng([settings.embedding.seed, 1])
    rows, thinned = _sample(
        usable & empty & ~defect & hit,
        usable & ~empty & (image.light(xy) >= settings.peaks.min_snr),
        settings.embedding.samples,
        rng,
    )
    chosen = places[rows]
    chosen['x'], chosen['y'] = xy[rows, 0], xy[rows, 1]
    # An image of the user's own may be of more exposures than those looked at.
    n_exposures = len(np.unique(peaks['exposure']))
    chosen['n_covering'] = np.minimum(covering[rows], n_exposures)
    most = np.maximum(2, _MOST * covering[rows])
    chosen['always'] = chosen['n_found'] >= np.minimum(most, n_exposures)
    chosen['share'] = highest[rows]
    full = np.asarray(peaks['saturated'], dtype=bool) & (share >= limits.present)
    stars = _stars(_to_combined(_cores(peaks[full]), combined, chips), image.fwhm)
    named = name_places(image, chosen, stars, limits, min_snr=settings.peaks.min_snr)
    for name in named.colnames:
        chosen[name] = named[name]
    report = {
        'places that stay on the detector': int(defect.sum()),
        'places covered': int(covered.sum()),
        'fwhm': round(image.fwhm, 2),
        **thinned,
    }
    of_peaks = Table(
        {
            'share': share,
            'lasting': lasting,
            'noise': noise,
            'covered': usable[members],
        }
    )
    return Measured(chosen, batch.inputs['cutouts'][rows, 0], of_peaks, report)


def _cores(peaks: Table) -> Table:
    """Return where the saturated cores of peaks are, as a table of places."""
    names = ('u', 'v', 'ra', 'dec')
    return Table({name: peaks[f'core_{name}'] for name in names})


def _stars(xy: np.ndarray, fwhm: float) -> np.ndarray:
    """Return the middles of stars from those of their cores in each exposure."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(xy) < 2:
        return xy
    star = fcluster(linkage(xy), max(fwhm, _APART), 'distance') - 1
    n = np.bincount(star)
    return np.column_stack([np.bincount(star, each) / n for each in xy.T])


def _coverage(
    image: CombinedImage, combined: Combined, xy: np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many exposures cover each place, and whether these are enough."""
    ix, iy, _, inside = pixel_indices(xy, combined.sci.shape)
    covering = np.where(inside, combined.covered[iy, ix], 0)
    covered = (covering >= least) & ~_on_hole(image, ix, iy)
    if not covered.any():
        msg = (
            f'no place is covered by {least} exposures: they do not overlap where '
            'there are peaks. Give exposures of one field, or lower --min-exposures'
        )
        raise LabelError(msg)
    return covering, covered


def _on_hole(image: CombinedImage, ix: np.ndarray, iy: np.ndarray) -> np.ndarray:
    """Return where any of 3x3 pixels of the combined image has no data."""
    if image.spoilt is None:
        return np.zeros(len(ix), dtype=bool)
    boxes = extract_cutouts(image.spoilt, ix, iy, 3, fill=1)
    holes: np.ndarray = (boxes != 0).any(axis=(1, 2))
    return holes


def _shares(
    image: CombinedImage, xy: np.ndarray, peaks: Table
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which share of each peak's electrons is there always, and the S/N of that.

    That is what the combined image has of it, or the other exposures, whichever is
    less: a cosmic ray that was not taken out wholly is in the one only. What is not
    significant in either is nothing.
    """
    electrons = np.asarray(peaks['electrons'], dtype=float)
    saturated = np.asarray(peaks['saturated'], dtype=bool)
    numbers = np.asarray(peaks['exposure'])
    unit = np.zeros(len(peaks))
    for number in np.unique(numbers):
        rows = numbers == number
        unit[rows] = image.electrons_per_unit(
            xy[rows], electrons[rows], saturated[rows]
        )
    share = image.brightest_box(xy) * unit / np.maximum(electrons, 1e-3)
    lasting = image.box_sums(xy) * unit / np.asarray(peaks['noise'])
    # A place off the image has nothing to compare with, and is not embedded.
    share = np.fmin(share, np.asarray(peaks['again'], dtype=float))
    again = np.asarray(peaks['again_snr'], dtype=float)
    lasting = np.fmin(lasting, again)
    snr = np.fmin(image.light(xy), again * np.sqrt(peaks['looks']))
    share[snr < SIGNIFICANT] = 0
    return np.nan_to_num(share), np.nan_to_num(lasting)


def _sample(
    empty: np.ndarray, full: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the places to embed: all that are not empty, and some that are."""
    there, nothing = np.flatnonzero(full), np.flatnonzero(empty)
    report = {'places not empty': len(there), 'places empty': len(nothing)}
    if len(there) > most // 2 and len(there) + len(nothing) > most:
        # Neither kind may crowd out the other.
        there = rng.permutation(there)[: max(most // 2, most - len(nothing))]
    nothing = rng.permutation(nothing)[: most - len(there)]
    return np.sort(np.concatenate([there, nothing])), report
