"""
The places in the sky that peaks of several exposures mark.

A place is what peaks of different exposures have in common: one position in the
sky, within a pixel of the detector (WFC3 ISR 2024-14).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.stats import mad_std
from astropy.table import Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.exposures import Chip
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.settings import PeakSettings

__all__ = [
    'SkyFrame',
    'check_alignment',
    'merge_peaks',
]

_REACH = 30.0  # pixels of misalignment that are looked for
_MIN_PAIRS = 10
_ALIKE = 0.5  # of the logarithms of two peaks' electrons per second
_CROWDED = 0.05


class SkyFrame:
    """
    A plane in the sky in pixels of the detector.

    Parameters
    ----------
    chips : sequence of `~astrosieve.images.exposures.Chip`
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
        chip : `~astrosieve.images.exposures.Chip`
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
        # Defects meet where the dither is undone: not by chance.
        usual = float(np.median(chance))
        return cls(count(uv), usual, float(mad_std(chance)))


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
        As from `~astrosieve_training.source.label.peaks.find_peaks`.
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
    from astrosieve_training.source.datasets.real.crossmatch import find_offset

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
        As from `~astrosieve_training.source.label.peaks.find_peaks`.
    settings : `PeakSettings`
        Radius.

    Returns
    -------
    members : (N,) int `~numpy.ndarray`
        The place of each peak.
    places : `~astropy.table.Table`
        ``id``, ``u``, ``v``, ``ra``, ``dec`` (means), ``n_found`` (exposures with a
        peak there), ``electrons`` (mean), ``saturated`` (in any), and ``off_core`` of
        those peaks that are (mean; NaN for none).

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
    saturated = np.asarray(peaks['saturated'], dtype=bool)
    with_charge = np.bincount(members, saturated, count)
    off_core = np.full(count, np.nan)
    np.divide(
        np.bincount(members[saturated], peaks['off_core'][saturated], count),
        with_charge, out=off_core, where=with_charge > 0,
    )  # fmt: skip
    places = Table(
        {
            'id': np.arange(count), **columns, 'n_found': n_found,
            'saturated': with_charge > 0, 'off_core': off_core,
        }
    )  # fmt: skip
    return members, places
