"""
Peaks of exposures, and what the other exposures say of each.

A source is there again where the others look at the same place in the sky; a defect
stays on the detector while the sky moves; what is neither was there once. That may be
a cosmic ray or noise: how often noise makes such peaks is seen in the dips that it
makes as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyWarning

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.background import measure_mesh
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.exposures import Chip
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.saturation import Plateaus
from astrosieve.source.finders import DEFAULT_FWHM, get_finder
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.places import SkyFrame
from astrosieve_training.source.label.settings import PeakSettings

__all__ = [
    'FINDER',
    'SIGNIFICANT',
    'box_sums',
    'brightest_box',
    'find_dips',
    'find_peaks',
    'noise_share',
]

FINDER = 'peaks'
"""Name of the finder."""

SIGNIFICANT = 2.0
"""S/N from which something is there always."""

_STAYS = (0.4, 2.5)  # charge in the other exposures over that in this one
_SWING = (0.67, 2.2)  # of an unstable pixel's highest charge in the others
_STAYS_SIGMA = 5.0
_CHARGED_SIGMA = 2.5
_DARK = 0.1  # quantile of the cells of the mesh
_SCATTER = 0.1  # of these in a flat sky: cells of 256 pixels, 1.28 sigma
_MOVED = 2.0  # pixels of dither from which a defect leaves its place in the sky
_DEEPEST = 6.0  # contrast of a dip that noise can make
_NEIGHBORS = 50  # peaks among which noise is counted
_ALIKE = 0.15  # in the plane of S/N and contrast, at least
_STEEP = 2.0  # contrast tells more of noise than S/N


@dataclass(frozen=True)
class _Image:
    """One chip of an exposure: electrons above the sky, NaN where spoilt."""

    number: int
    chip: Chip
    above: np.ndarray
    noise: float
    dark: tuple[float, float]  # level and noise of the darkest sky of the chip
    plateaus: Plateaus

    @property
    def lasts(self) -> float:
        return self.chip.exptime or 1.0

    def inverted(self) -> _Image:
        return replace(self, above=-self.above, dark=(-self.dark[0], self.dark[1]))


def brightest_box(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """
    Return the brightest 2x2 pixels within one of each position.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Above the sky.
    xy : (N, 2) `~numpy.ndarray`
        Pixels, 0-based.

    Returns
    -------
    sums : (N,) `~numpy.ndarray`
        In the image's unit; NaN off the image, and within two pixels of NaN.
    """
    ix, iy, _, inside = pixel_indices(xy, (image.shape[0], image.shape[1]))
    cut = extract_cutouts(image, ix, iy, 5, fill=0.0)
    sums = cut[:, 1:, 1:] + cut[:, :-1, 1:] + cut[:, 1:, :-1] + cut[:, :-1, :-1]
    best = sums.max(axis=(1, 2))
    return np.where(inside, best, np.nan)


def box_sums(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """
    Return the sum of the 3x3 pixels about each position.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Above the sky.
    xy : (N, 2) `~numpy.ndarray`
        Pixels, 0-based.

    Returns
    -------
    sums : (N,) `~numpy.ndarray`
        In the image's unit; NaN off the image, and next to NaN.
    """
    ix, iy, _, inside = pixel_indices(xy, (image.shape[0], image.shape[1]))
    sums = extract_cutouts(image, ix, iy, 3, fill=0.0).sum(axis=(1, 2))
    return np.where(inside, sums, np.nan)


def _flagged(chip: Chip, ix: np.ndarray, iy: np.ndarray, bits: int) -> np.ndarray:
    if chip.dq is None:
        return np.zeros(len(ix), dtype=bool)
    return dq_to_mask(chip.dq[iy, ix], bits)


def _saturation(
    image: _Image, ix: np.ndarray, iy: np.ndarray, frame: SkyFrame
) -> dict[str, np.ndarray]:
    """
    Return which pixels are saturated (``saturated``), how far they are from the middle
    of the nearest star that saturates (``off_core``), and where that is.
    """
    from scipy.spatial import cKDTree

    plateaus = image.plateaus
    saturated = np.isin(iy * image.above.shape[1] + ix, plateaus.pixels)
    core = np.full((len(ix), 2), np.nan)
    off_core = np.full(len(ix), np.nan)
    if len(plateaus):
        middles = np.column_stack([plateaus.x, plateaus.y])
        own = np.column_stack([ix, iy])[saturated]
        off_core[saturated], nearest = cKDTree(middles).query(own)
        core[saturated] = middles[nearest]
    uv, sky = frame.place(image.chip, core)
    return {
        'saturated': saturated,
        'off_core': off_core,
        'core_u': uv[:, 0],
        'core_v': uv[:, 1],
        'core_ra': np.full(len(ix), np.nan) if sky is None else sky.ra.deg,
        'core_dec': np.full(len(ix), np.nan) if sky is None else sky.dec.deg,
    }


def _image_of(number: int, chip: Chip) -> _Image:
    """Return a chip's electrons above its sky."""
    image = MeasuredImage.of_chip(chip)
    if image.problem is not None:
        warnings.warn(f'{chip.name}: {image.problem}', AstrosieveWarning, stacklevel=2)
    scale, sky = image.electrons_per_unit, image.background
    above = (chip.sci - np.float32(sky.level)) * np.float32(scale)
    mesh = measure_mesh(above, spoilt=image.spoilt)
    level, noise = (float(np.quantile(m, _DARK)) for m in (mesh.level, mesh.noise))
    noise /= 1 - _SCATTER
    level += _SCATTER * noise
    if image.spoilt is not None:
        above[image.spoilt != 0] = np.nan
    return _Image(
        number, chip, above, sky.noise * scale, (level, noise), image.plateaus
    )


def _find(image: _Image, settings: PeakSettings) -> Table:
    """Return the peaks of an image, and how significant they are."""
    lost = ~np.isfinite(image.above)
    above = np.where(lost, np.float32(0), image.above)
    table = None
    if image.noise > 0:
        # The factory's own options are the finder's.
        factory: Any = get_finder(FINDER)
        finder = factory(
            threshold=settings.nsigma * image.noise,
            fwhm=DEFAULT_FWHM,
            scale=1.0,
            separation=settings.separation,
            min_electrons=settings.min_electrons,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyWarning)  # no peaks
            table = finder(above, mask=lost)
    xy = np.empty((0, 2)) if table is None else positions(table)
    flux = np.empty(0) if table is None else np.asarray(table['flux_2x2'], float)
    ix, iy, _, _ = pixel_indices(xy, above.shape)
    boxes = box_sums(above, xy)
    noise = 3 * image.noise
    level, dark_noise = image.dark
    return Table(
        {
            'x_centroid': xy[:, 0],
            'y_centroid': xy[:, 1],
            'electrons': flux,
            'snr': boxes / np.sqrt(noise**2 + np.maximum(boxes, 0)),
            'noise': np.full(len(xy), noise),
            'contrast': above[iy, ix] / image.noise,
            'most_snr': (boxes - 9 * level) / (3 * dark_noise),
            'most_contrast': (above[iy, ix] - level) / dark_noise,
        }
    )


def _images(exposures: Sequence[Sequence[Chip]]) -> list[_Image]:
    return [
        _image_of(number, chip)
        for number, chips in enumerate(exposures)
        for chip in chips
    ]


def _described(
    images: Sequence[_Image], frame: SkyFrame, settings: PeakSettings
) -> Table:
    """Return the peaks of all images, with what the others say of them."""
    tables = []
    for image in images:
        chip, meaning = image.chip, image.chip.dq_meaning
        peaks = _find(image, settings)
        xy = positions(peaks)
        ix, iy, _, _ = pixel_indices(xy, image.above.shape)
        uv, sky = frame.place(chip, xy)
        nothing = np.full(len(xy), np.nan)
        peaks['exposure'] = np.full(len(xy), image.number, dtype=np.int16)
        peaks['extver'] = np.full(len(xy), chip.extver, dtype=np.int16)
        for name, found in _saturation(image, ix, iy, frame).items():
            peaks[name] = found
        peaks['hot'] = _flagged(chip, ix, iy, meaning.hot)
        peaks['u'], peaks['v'] = uv[:, 0], uv[:, 1]
        peaks['ra'] = nothing if sky is None else sky.ra.deg
        peaks['dec'] = nothing if sky is None else sky.dec.deg
        others = [other for other in images if other.number != image.number]
        for name, found in _on_detector(ix, iy, image, others, frame).items():
            peaks[name] = found
        for name, found in _in_sky(peaks, image, others).items():
            peaks[name] = found
        tables.append(peaks)
    return vstack(tables)


def find_peaks(
    exposures: Sequence[Sequence[Chip]], frame: SkyFrame, settings: PeakSettings
) -> Table:
    """
    Find the peaks of all exposures, and what the others say of them.

    Parameters
    ----------
    exposures : sequence of sequence of `~astrosieve.images.exposures.Chip`
        The chips of each exposure.
    frame : `~astrosieve_training.source.label.places.SkyFrame`
        Common plane.
    settings : `~astrosieve_training.source.label.settings.PeakSettings`
        Isolation and brightness.

    Returns
    -------
    peaks : `~astropy.table.Table`
        ``exposure`` (number), ``extver``, ``x_centroid``, ``y_centroid`` (pixels,
        0-based), ``electrons`` (in the 2x2 pixels, above the sky), ``snr`` (of the 3x3
        pixels), ``noise`` (electrons, of the sky in these), ``contrast`` (the highest
        pixel over a pixel's noise), ``most_snr`` and ``most_contrast`` (the same above
        the darkest sky of the chip and over its noise: what the light of many sources
        hides); ``saturated`` (by DQ, or flat tops where the histogram ends),
        ``off_core`` (pixels from the middle of the nearest saturated core),
        ``core_u``, ``core_v``, ``core_ra``, ``core_dec`` (where that is; these NaN for
        none), ``hot`` (by DQ); ``stays`` (the same pixel is as bright in the dithered
        other exposures), ``sharp`` (and so alone among its neighbours), ``charged`` (it
        stands out there at all), ``charge`` (by how much, in units of ``noise``; 0
        where no other shows); ``again`` (electrons at the same place in the sky in the
        others, the median of them, over those here), ``again_snr`` (that of the 3x3
        pixels, in units of ``noise``; both NaN where no other looks), ``looks`` (others
        that do); ``u``, ``v`` (in the plane), and ``ra``, ``dec`` (degrees; NaN without
        a WCS).

    Raises
    ------
    LabelError
        If there is no peak at all.
    """
    found = _described(_images(exposures), frame, settings)
    if not len(found):
        msg = (
            f'no peak of {settings.min_electrons:g} electrons is in any exposure; the '
            'unit may be wrong (BUNIT, CCDGAIN), or lower --min-electrons'
        )
        raise LabelError(msg)
    return found


def find_dips(
    exposures: Sequence[Sequence[Chip]], frame: SkyFrame, settings: PeakSettings
) -> Table:
    """
    Find what would be peaks if the images had the other sign, and are there once.

    Stars and cosmic rays make none, noise makes as many as peaks.

    Parameters
    ----------
    exposures, frame, settings
        As for `find_peaks`.

    Returns
    -------
    dips : `~astropy.table.Table`
        The columns of `find_peaks`, of the image of other sign.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)  # said of the peaks
        images = _images(exposures)
    dips = _described([image.inverted() for image in images], frame, settings)
    once = ~(dips['hot'] | dips['stays'] | dips['charged'])
    once &= dips['contrast'] < _DEEPEST
    once &= ~(dips['again_snr'] * np.sqrt(dips['looks']) >= SIGNIFICANT)
    # Near to a brighter pixel a peak of noise would not be a peak.
    reach = int(settings.separation)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(x, y) <= settings.separation
    for image in images:
        rows = np.asarray(dips['exposure'] == image.number)
        rows &= np.asarray(dips['extver'] == image.chip.extver)
        ix, iy, _, _ = pixel_indices(positions(dips[rows]), image.above.shape)
        around = extract_cutouts(image.above, ix, iy, 2 * reach + 1, fill=0.0)
        lit = np.nan_to_num(around[:, disc]).max(axis=1, initial=0)
        once[rows] &= lit < np.asarray(dips['contrast'][rows]) * image.noise
    return dips[once]


def _on_detector(
    ix: np.ndarray,
    iy: np.ndarray,
    image: _Image,
    others: Sequence[_Image],
    frame: SkyFrame,
) -> dict[str, np.ndarray]:
    """
    Return what exposures that look elsewhere show at the same pixels: whether these are
    as bright (``stays``), and so alone among their neighbours (``sharp``), whether they
    stand out at all (``charged``), and by how much (``charge``).
    """
    chip, shape = image.chip, image.above.shape
    own = image.above[iy, ix]
    middle = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    here, _ = frame.place(chip, middle)
    seen, sharp, noise = [], [], []
    for other in others:
        same = other.chip.extver == chip.extver and other.above.shape == shape
        same &= all(
            other.chip.header.get(key) == chip.header.get(key)
            for key in ('LTV1', 'LTV2')
        )
        there, _ = frame.place(other.chip, middle)
        if not same or np.hypot(*(there - here)[0]) < _MOVED:
            continue
        longer = image.lasts / other.lasts
        cut = extract_cutouts(other.above, ix, iy, 3, fill=0.0) * longer
        seen.append(cut[:, 1, 1])
        around = np.delete(cut.reshape(len(cut), 9), 4, axis=1)
        sharp.append(cut[:, 1, 1] - np.median(around, axis=1))
        noise.append(other.noise * longer)
    no = np.zeros(len(ix), dtype=bool)
    if not seen:
        return {'stays': no, 'sharp': no, 'charged': no, 'charge': np.zeros(len(ix))}
    sigma = float(np.median(noise))
    mean_sigma = sigma / np.sqrt(len(noise))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # spoilt in all of them
        again = np.nanmedian(seen, axis=0)
        highest = np.nanmax(seen, axis=0)
        least, usual = np.nanmin(sharp, axis=0), np.nanmedian(sharp, axis=0)
        most = np.nanmax(sharp, axis=0)
        faintest = np.nanmin(seen, axis=0)
    low, high = _STAYS
    steady = (again > low * own) & (again < high * own)
    steady &= again > _STAYS_SIGMA * mean_sigma
    # An unstable pixel is never the same, but always alone among its neighbours. In
    # one exposure that may be a star's core.
    unstable = (least > _STAYS_SIGMA * sigma) & (least > 0.5 * faintest)
    unstable &= np.isfinite(sharp).sum(axis=0) > 1
    # What is brighter or fainter than it ever was is no longer the pixel's own charge.
    low, high = _SWING
    return {
        'stays': (steady | unstable) & (highest > low * own) & (highest < high * own),
        'sharp': unstable,
        'charged': steady | unstable | (usual > _CHARGED_SIGMA * mean_sigma),
        'charge': np.nan_to_num(np.where(unstable, most, usual) / (3 * sigma)),
    }


def _in_sky(
    peaks: Table, image: _Image, others: Sequence[_Image]
) -> dict[str, np.ndarray]:
    """
    Return what other exposures show at the same places: which share of the electrons
    (``again``), what S/N (``again_snr``), and how many look (``looks``).
    """
    boxes: dict[int, np.ndarray] = {}
    sky = SkyCoord(peaks['ra'], peaks['dec'], unit='deg')
    for other in others:
        if other.chip.wcs is None:
            continue
        longer = image.lasts / other.lasts
        with warnings.catch_warnings():
            # Distortion far off the chip has no inverse, and is of no interest.
            warnings.simplefilter('ignore', UserWarning)
            xy = np.column_stack(other.chip.wcs.world_to_pixel(sky))
        seen = np.stack([brightest_box(other.above, xy), box_sums(other.above, xy)])
        seen *= longer
        before = boxes.get(other.number)
        boxes[other.number] = seen if before is None else np.fmax(before, seen)
    if not boxes:
        nothing = np.full(len(peaks), np.nan)
        looks = np.zeros(len(peaks), dtype=np.int16)
        return {'again': nothing, 'again_snr': nothing, 'looks': looks}
    # Of an even number the lower: a cosmic ray must not stand in for a source.
    stack = np.sort(list(boxes.values()), axis=0)
    looks = np.isfinite(stack).sum(axis=0)
    middle = np.maximum(looks - 1, 0) // 2
    brightest, sums = np.take_along_axis(stack, middle[None], axis=0)[0]
    return {
        'again': brightest / np.maximum(np.asarray(peaks['electrons']), 1e-3),
        'again_snr': sums / (3 * image.noise),
        'looks': looks[1].astype(np.int16),
    }


def noise_share(peaks: Table, once: np.ndarray, dips: Table) -> np.ndarray:
    """
    Estimate which share of peaks like each is noise.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `find_peaks`, N rows.
    once : (N,) bool `~numpy.ndarray`
        Peaks that were there once: of cosmic rays and of noise.
    dips : `~astropy.table.Table`
        As from `find_dips`.

    Returns
    -------
    share : (N,) `~numpy.ndarray`
        Dips over peaks of like S/N and contrast, 1 at most; 0 for other peaks.
    """
    from scipy.spatial import cKDTree

    share = np.zeros(len(peaks))
    if not once.any() or not len(dips):
        return share

    def plane(table: Table) -> np.ndarray:
        contrast = np.log(np.maximum(np.asarray(table['contrast'], float), 0.1))
        snr = np.arcsinh(np.asarray(table['snr'], float))
        return np.column_stack([snr, _STEEP * contrast])

    own, noise = plane(peaks[once]), plane(dips)
    tree = cKDTree(own)
    k = min(_NEIGHBORS, len(own))
    distance, _ = tree.query(own, k=[k])
    radius = np.maximum(distance[:, 0], _ALIKE)
    alike = tree.query_ball_point(own, radius, return_length=True)
    chance = cKDTree(noise).query_ball_point(own, radius, return_length=True)
    share[once] = np.minimum(chance / alike, 1)
    return share
