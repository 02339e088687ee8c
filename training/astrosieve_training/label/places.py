"""
Peaks of several exposures, and the places in the sky that they mark.

A place is what peaks of different exposures have in common: one position in the
sky, within a pixel of the detector (WFC3 ISR 2024-14). What stays on the detector
while the sky moves is a defect of the detector, and is told so here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from astrosieve.background import measure_background
from astrosieve.catalogs import positions
from astrosieve.cutouts import extract_cutouts, pixel_indices
from astrosieve.dq import dq_to_mask
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning
from astrosieve.exposures import Chip
from astrosieve.finders import get_finder
from astrosieve.pixels import spoilt_pixels
from astrosieve.source_catalogs import DEFAULT_FWHM
from astrosieve.units import electron_scale

__all__ = [
    'LabelError',
    'PeakSettings',
    'SkyFrame',
    'brightest_box',
    'check_alignment',
    'find_peaks',
    'merge_peaks',
]

_STAYS = (0.4, 2.5)  # charge in the other exposures over that in this one
_STAYS_SIGMA = 5.0
_MOVED = 2.0  # pixels of dither from which a defect leaves its place in the sky
_REACH = 30.0  # pixels of misalignment that are looked for
_MIN_PAIRS = 10
_ALIKE = 0.5  # of the logarithms of two peaks' electrons per second
_CROWDED = 0.05


class LabelError(AstrosieveError, ValueError):
    """Exposures that cannot be labelled by their own overlap."""


@dataclass(frozen=True)
class PeakSettings:
    """
    Which peaks are taken, and when two are one place.

    Parameters
    ----------
    separation : float
        Smallest distance from any brighter pixel, pixels.
    min_electrons : float
        Fewest electrons in the 2x2 pixels that hold the peak.
    nsigma : float
        Threshold of the peak's pixel in units of the sky's noise.
    min_snr : float
        S/N in the 3x3 pixels from which a peak is surely more than noise; fainter ones
        are not labelled.
    radius : float
        Largest distance of two peaks of one place, pixels of the detector.
    min_exposures : int
        Exposures that must cover a place.
    """

    separation: float = 5.0
    min_electrons: float = 100.0
    nsigma: float = 3.0
    min_snr: float = 5.0
    radius: float = 1.0
    min_exposures: int = 2

    def __post_init__(self) -> None:
        for name, least in (
            ('separation', 1.5), ('min_electrons', 0), ('nsigma', 0.1), ('min_snr', 3),
            ('radius', 0.05), ('min_exposures', 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not value >= least:
                msg = f'{name} must be at least {least}; got {value}'
                raise LabelError(msg)


class SkyFrame:
    """
    A plane in the sky in pixels of the detector.

    Parameters
    ----------
    chips : sequence of `~astrosieve.exposures.Chip`
        Of all exposures; the first one's centre and pixel make the plane. Without
        any WCS the plane is the chip itself, and only one chip can be placed.
    """

    def __init__(self, chips: Sequence[Chip]) -> None:
        first = chips[0]
        self.wcs: WCS | None = None
        if first.wcs is None:
            return
        ny, nx = first.sci.shape
        centre = first.wcs.pixel_to_world((nx - 1) / 2, (ny - 1) / 2).icrs
        scale = float(np.mean(proj_plane_pixel_scales(first.wcs.celestial)))
        self.wcs = WCS(naxis=2)
        self.wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
        self.wcs.wcs.crval = [centre.ra.deg, centre.dec.deg]
        self.wcs.wcs.crpix = [1.0, 1.0]
        self.wcs.wcs.cdelt = [-scale, scale]
        self.wcs.wcs.set()

    def place(self, chip: Chip, xy: np.ndarray) -> tuple[np.ndarray, SkyCoord | None]:
        """
        Return where pixels of a chip lie.

        Parameters
        ----------
        chip : `~astrosieve.exposures.Chip`
            The chip.
        xy : (N, 2) `~numpy.ndarray`
            Pixels, 0-based.

        Returns
        -------
        uv : (N, 2) `~numpy.ndarray`
            In the plane, pixels of the detector.
        sky : `~astropy.coordinates.SkyCoord` or None
            ICRS.
        """
        if self.wcs is None:
            return xy.copy(), None
        if chip.wcs is None:
            msg = f'{chip.name}: has no WCS, other exposures have; give it one'
            raise LabelError(msg)
        sky = chip.wcs.pixel_to_world(xy[:, 0], xy[:, 1]).icrs
        return np.column_stack(self.wcs.world_to_pixel(sky)), sky


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


def _spoilt(chip: Chip) -> np.ndarray | None:
    lost = None
    if chip.dq is not None:
        lost = dq_to_mask(chip.dq, chip.dq_meaning.no_signal)
    return spoilt_pixels(chip.sci, mask=chip.mask, no_signal=lost)


def _electrons(chip: Chip) -> float:
    """Return electrons per unit of the chip's pixels."""
    scale, problem = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    if problem is not None:
        warnings.warn(f'{chip.name}: {problem}', AstrosieveWarning, stacklevel=2)
    return scale


def _flagged(chip: Chip, ix: np.ndarray, iy: np.ndarray, bits: int) -> np.ndarray:
    if chip.dq is None:
        return np.zeros(len(ix), dtype=bool)
    return dq_to_mask(chip.dq[iy, ix], bits)


def _find(chip: Chip, settings: PeakSettings) -> tuple[Table, np.ndarray]:
    """Return a chip's peaks, and its electrons above the sky, NaN if spoilt."""
    spoilt = _spoilt(chip)
    background = measure_background(chip.sci, spoilt=spoilt)
    scale = _electrons(chip)
    above = chip.sci - np.float32(background.level)
    mask = None
    if spoilt is not None:
        mask = spoilt != 0
        above[mask] = 0
    table = None
    if background.noise > 0:
        # The factory's own options are the finder's.
        factory: Any = get_finder('peaks')
        finder = factory(
            threshold=settings.nsigma * background.noise,
            fwhm=DEFAULT_FWHM,
            scale=scale,
            separation=settings.separation,
            min_electrons=settings.min_electrons,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyWarning)  # no peaks
            table = finder(above, mask=mask)
    xy = np.empty((0, 2)) if table is None else positions(table)
    flux = np.empty(0) if table is None else np.asarray(table['flux_2x2'], float)
    ix, iy, _, _ = pixel_indices(xy, above.shape)
    meaning = chip.dq_meaning
    boxes = extract_cutouts(above, ix, iy, 3, fill=0.0).sum(axis=(1, 2)) * scale
    noise = 3 * background.noise * scale
    peaks = Table(
        {
            'extver': np.full(len(xy), chip.extver, dtype=np.int16),
            'x_centroid': xy[:, 0],
            'y_centroid': xy[:, 1],
            'electrons': flux * scale,
            'snr': boxes / np.sqrt(noise**2 + np.maximum(boxes, 0)),
            'saturated': _flagged(chip, ix, iy, meaning.saturated),
            'hot': _flagged(chip, ix, iy, meaning.hot),
        }
    )
    above *= np.float32(scale)
    if mask is not None:
        above[mask] = np.nan
    return peaks, above


def find_peaks(
    exposures: Sequence[Sequence[Chip]], frame: SkyFrame, settings: PeakSettings
) -> Table:
    """
    Find the peaks of all exposures, and which of them stay on the detector.

    Parameters
    ----------
    exposures : sequence of sequence of `~astrosieve.exposures.Chip`
        The chips of each exposure.
    frame : `SkyFrame`
        Common plane.
    settings : `PeakSettings`
        Isolation and brightness.

    Returns
    -------
    peaks : `~astropy.table.Table`
        ``exposure`` (number), ``extver``, ``x_centroid``, ``y_centroid`` (pixels,
        0-based), ``electrons`` (in the 2x2 pixels, above the sky), ``snr`` (of the
        3x3 pixels), ``saturated``, ``hot`` (by DQ), ``stays`` (the same pixel is
        bright in the dithered other exposures), ``sharp`` (and so alone among its
        neighbours), ``again`` (electrons at the same place in the sky in the others,
        the median of them, over those here; NaN where no other looks), ``u``, ``v``
        (in the plane), and ``ra``, ``dec`` (degrees; NaN without a WCS).

    Raises
    ------
    LabelError
        If there is no peak at all.
    """
    tables, images = [], []
    for number, chips in enumerate(exposures):
        for chip in chips:
            peaks, above = _find(chip, settings)
            xy = positions(peaks)
            uv, sky = frame.place(chip, xy)
            peaks['exposure'] = np.full(len(xy), number, dtype=np.int16)
            peaks['u'], peaks['v'] = uv[:, 0], uv[:, 1]
            nothing = np.full(len(xy), np.nan)
            peaks['ra'] = nothing if sky is None else sky.ra.deg
            peaks['dec'] = nothing if sky is None else sky.dec.deg
            tables.append(peaks)
            images.append((number, chip, above))
    for peaks, (number, chip, above) in zip(tables, images, strict=True):
        others = [
            (other, image)
            for n, other, image in images
            if n != number and other.extver == chip.extver
        ]
        found = _stays(positions(peaks), chip, above, others, frame)
        peaks['stays'], peaks['sharp'] = found
        elsewhere = [(n, other, image) for n, other, image in images if n != number]
        peaks['again'] = _again(peaks, chip, elsewhere)
    found = vstack(tables)
    if not len(found):
        msg = (
            f'no peak of {settings.min_electrons:g} electrons is in any exposure; the '
            'unit may be wrong (BUNIT, CCDGAIN), or lower --min-electrons'
        )
        raise LabelError(msg)
    return found


def _stays(
    xy: np.ndarray,
    chip: Chip,
    above: np.ndarray,
    others: Sequence[tuple[Chip, np.ndarray]],
    frame: SkyFrame,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which pixels are bright in exposures that look elsewhere, and which of them
    are so alone among their neighbours.
    """
    ix, iy, _, _ = pixel_indices(xy, above.shape)
    own = above[iy, ix]
    middle = np.array([[(above.shape[1] - 1) / 2, (above.shape[0] - 1) / 2]])
    here, _ = frame.place(chip, middle)
    seen, sharp, noise = [], [], []
    for other, image in others:
        same = image.shape == above.shape and all(
            other.header.get(key) == chip.header.get(key) for key in ('LTV1', 'LTV2')
        )
        there, _ = frame.place(other, middle)
        if not same or np.hypot(*(there - here)[0]) < _MOVED:
            continue
        longer = (chip.exptime or 1.0) / (other.exptime or 1.0)
        cut = extract_cutouts(image, ix, iy, 3, fill=0.0) * longer
        seen.append(cut[:, 1, 1])
        around = np.delete(cut.reshape(len(cut), 9), 4, axis=1)
        sharp.append(cut[:, 1, 1] - np.median(around, axis=1))
        noise.append(measure_background(image).noise * longer)
    if not seen:
        nothing = np.zeros(len(xy), dtype=bool)
        return nothing, nothing
    sigma = float(np.median(noise))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # spoilt in all of them
        again = np.nanmedian(seen, axis=0)
        least = np.nanmin(sharp, axis=0)
        faintest = np.nanmin(seen, axis=0)
    low, high = _STAYS
    steady = (again > low * own) & (again < high * own)
    steady &= again > _STAYS_SIGMA * sigma / np.sqrt(len(noise))
    # An unstable pixel is never the same, but always alone among its neighbours. In
    # one exposure that may be a star's core.
    unstable = (least > _STAYS_SIGMA * sigma) & (least > 0.5 * faintest)
    unstable &= np.isfinite(sharp).sum(axis=0) > 1
    return steady | unstable, unstable


def _again(
    peaks: Table, chip: Chip, others: Sequence[tuple[int, Chip, np.ndarray]]
) -> np.ndarray:
    """Return which share of peaks' electrons is there in other exposures."""
    seen: dict[int, np.ndarray] = {}
    sky = SkyCoord(peaks['ra'], peaks['dec'], unit='deg')
    for number, other, image in others:
        if other.wcs is None:
            continue
        longer = (chip.exptime or 1.0) / (other.exptime or 1.0)
        with warnings.catch_warnings():
            # Distortion far off the chip has no inverse, and is of no interest.
            warnings.simplefilter('ignore', UserWarning)
            xy = np.column_stack(other.wcs.world_to_pixel(sky))
        boxes = brightest_box(image, xy) * longer
        before = seen.get(number)
        seen[number] = boxes if before is None else np.fmax(before, boxes)
    if not seen:
        return np.full(len(peaks), np.nan)
    # Of an even number the lower: a cosmic ray must not stand in for a source.
    stack = np.sort(list(seen.values()), axis=0)
    looks = np.isfinite(stack).sum(axis=0)
    middle = np.maximum(looks - 1, 0) // 2
    median = stack[middle, np.arange(stack.shape[1])]
    return median / np.maximum(np.asarray(peaks['electrons']), 1e-3)


@dataclass(frozen=True)
class _Matches:
    """How many positions have a counterpart, and how many would by chance."""

    n: int
    chance: float
    scatter: float

    @property
    def excess(self) -> float:
        return self.n - self.chance

    @property
    def significant(self) -> bool:
        scatter = max(self.scatter, np.sqrt(self.chance), 1.0)
        return self.excess > max(_MIN_PAIRS, 5 * scatter)

    @classmethod
    def of(
        cls,
        uv: np.ndarray,
        others: np.ndarray,
        radius: float,
        brightness: tuple[np.ndarray, np.ndarray],
    ) -> _Matches:
        """
        Count matches of like brightness, and those of positions that are moved aside.
        """
        from scipy.spatial import cKDTree

        tree = cKDTree(others)
        own, theirs = (np.log(np.maximum(each, 1e-3)) for each in brightness)

        def count(moved: np.ndarray) -> int:
            distance, near = tree.query(moved, distance_upper_bound=radius)
            met = np.isfinite(distance)
            return int((np.abs(own[met] - theirs[near[met]]) < _ALIKE).sum())

        turns = 2 * np.pi * np.arange(10) / 10
        away = radius * np.linspace(12, 30, len(turns))
        asides = np.column_stack([away * np.cos(turns), away * np.sin(turns)])
        chance = [count(uv + aside) for aside in asides]
        return cls(count(uv), float(np.mean(chance)), float(np.std(chance)))


def check_alignment(
    peaks: Table,
    names: Sequence[str],
    exptimes: Sequence[float],
    settings: PeakSettings,
) -> list[float]:
    """
    Refuse exposures whose peaks do not meet in the sky.

    Most peaks of a long exposure are cosmic rays, and have no counterpart of like
    brightness. So the share that has one is compared with that by chance, seen some
    pixels aside, and with the best shift within 30 pixels.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `find_peaks`.
    names : sequence of str
        Of the exposures, for messages.
    exptimes : sequence of float
        Of the exposures, seconds.
    settings : `PeakSettings`
        Radius of a match.

    Returns
    -------
    unmatched : list of float
        Share of the peaks of each exposure that no other has, hot pixels aside.

    Raises
    ------
    LabelError
        If an exposure is misaligned, or shares no source with the others.
    """
    from astrosieve_training.label.crossmatch import find_offset

    sky = ~(peaks['hot'] | peaks['stays'])
    uv = np.column_stack([peaks['u'], peaks['v']])
    numbers = np.asarray(peaks['exposure'])
    rate = np.asarray(peaks['electrons']) / np.asarray(exptimes)[numbers]
    unmatched = []
    for number, name in enumerate(names):
        mine, theirs = sky & (numbers == number), sky & (numbers != number)
        own, rest = uv[mine], uv[theirs]
        bright = rate[mine], rate[theirs]
        if not len(own) or not len(rest):
            empty = name if not len(own) else 'the other exposures'
            msg = f'{empty}: no peak; nothing can be matched. Leave the exposure out'
            raise LabelError(msg)
        met = _Matches.of(own, rest, settings.radius, bright)
        unmatched.append(1 - met.n / len(own))
        said = (
            f'{name}: misaligned: {unmatched[-1]:.1%} of its {len(own)} peaks have no '
            f'counterpart in the other exposures within {settings.radius:g} pixels '
            f'({met.chance:.0f} of the {met.n} others would meet one by chance)'
        )
        offset, _ = find_offset(own, rest, reach=_REACH)
        there = _Matches.of(own + offset, rest, settings.radius, bright)
        better = there.significant and there.excess > 2 * met.excess
        if better and np.hypot(*offset) > settings.radius:
            msg = (
                f'{said}; {there.n} meet one after a shift of {offset[0]:.1f} pixels '
                f'to the west and {offset[1]:.1f} to the north. Align the exposures '
                'first: leave out --aligned, or run astrosieve tweakreg --update'
            )
            raise LabelError(msg)
        if not met.significant:
            msg = (
                f'{said}, and no shift within {_REACH:g} pixels is better. It shows '
                'another field, or is too shallow, or is off by more: check its '
                'pointing, or leave it out'
            )
            raise LabelError(msg)
    return unmatched


def merge_peaks(peaks: Table, settings: PeakSettings) -> tuple[np.ndarray, Table]:
    """
    Merge peaks of different exposures into places.

    The brightest peak goes first, and takes from each other exposure the nearest
    peak within the radius that no brighter one has taken.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `find_peaks`.
    settings : `PeakSettings`
        Radius.

    Returns
    -------
    members : (N,) int `~numpy.ndarray`
        The place of each peak.
    places : `~astropy.table.Table`
        ``id``, ``u``, ``v``, ``ra``, ``dec`` (means), ``n_found`` (exposures with a
        peak there), ``electrons`` (mean), ``peak_snr`` (the highest),
        ``saturated`` (in any).

    Warns
    -----
    AstrosieveWarning
        If many places hold two peaks of one exposure: the field is crowded.
    """
    from scipy.spatial import cKDTree

    uv = np.column_stack([peaks['u'], peaks['v']])
    exposure = np.asarray(peaks['exposure'])
    near = cKDTree(uv).query_ball_point(uv, settings.radius)
    members = np.full(len(uv), -1)
    count = torn = 0
    for i in np.argsort(-np.asarray(peaks['electrons']), kind='stable'):
        if members[i] >= 0:
            torn += any(members[j] != members[i] for j in near[i] if members[j] >= 0)
            continue
        taken: dict[int, tuple[float, int]] = {}
        for j in near[i]:
            if members[j] < 0 and exposure[j] != exposure[i]:
                distance = float(np.hypot(*(uv[j] - uv[i])))
                best = taken.get(exposure[j])
                if best is None or distance < best[0]:
                    taken[exposure[j]] = (distance, j)
        members[i] = count
        for _, j in taken.values():
            members[j] = count
        count += 1
    n_found = np.bincount(members, minlength=count)
    if torn > _CROWDED * count:
        msg = (
            f'{torn} of {count} places have more than one candidate within '
            f'{settings.radius:g} pixels: the field is crowded or the alignment is '
            'coarse, and labels of close neighbours may be exchanged. Lower '
            '--merge-radius, or align better'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)

    def mean(name: str) -> np.ndarray:
        total = np.bincount(members, np.asarray(peaks[name], dtype=float), count)
        averaged: np.ndarray = total / n_found
        return averaged

    # Right ascensions on both sides of 0 must not be averaged to 180.
    ra = np.asarray(peaks['ra'], dtype=float)
    zero = ra[0] if len(ra) else 0.0
    peaks = peaks.copy(copy_data=False)
    peaks['ra'] = (ra - zero + 180) % 360 - 180
    columns = {name: mean(name) for name in ('u', 'v', 'ra', 'dec', 'electrons')}
    columns['ra'] = (columns['ra'] + zero) % 360
    saturated = np.bincount(members, np.asarray(peaks['saturated']), count) > 0
    snr = np.full(count, -np.inf)
    np.maximum.at(snr, members, np.asarray(peaks['snr'], dtype=float))
    places = Table(
        {
            'id': np.arange(count), **columns, 'n_found': n_found, 'peak_snr': snr,
            'saturated': saturated,
        }
    )  # fmt: skip
    return members, places
