"""Saturated pixels, and where the stars are that filled them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from astrosieve.images.background import Background
from astrosieve.images.dq import DQMeaning

__all__ = ['Plateaus', 'find_plateaus', 'group_pixels']

_ROWS = 256  # that are compared at once: bounds the memory
_LOWEST = 100.0  # standard deviations above the sky: no image ends lower
_END = 0.5  # of the brightest pixel: where a histogram may end
_STEP = 0.05  # between levels that are tried, logarithm
_FLAT = 0.1  # how far pixels of one plateau differ, logarithm
_FEWEST = 4  # pixels of a plateau that no DQ tells
_BELOW = 0.2  # range below a plateau, logarithm; an unsaturated star has twice as many
_GAP = 1  # lines, not of the core, that do not divide a core
_DARK = 0.01  # of a core: of bled charge .007 at most, of stars .02 and more
_ABOUT = 6.0  # pixels from a core's middle: far along a bleed there is no light


@dataclass(frozen=True, eq=False)
class Plateaus:
    """
    Groups of saturated pixels.

    Parameters
    ----------
    pixels : (M,) int `~numpy.ndarray`
        Saturated pixels, numbered along the rows, in ascending order.
    core : (M,) int `~numpy.ndarray`
        Which group's core a pixel is of; -1 where charge has bled.
    x, y : (N,) `~numpy.ndarray`
        Middles of the cores, pixels, 0-based.
    halo : (N,) `~numpy.ndarray`
        Median of the light in the pixels that touch a core, over the core's own; NaN
        where none is known.
    shape : (int, int)
        Of the image.
    """

    pixels: np.ndarray
    core: np.ndarray
    x: np.ndarray
    y: np.ndarray
    halo: np.ndarray
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def dark(self) -> np.ndarray:
        """Return which groups have less light about them than any star's, (N,) bool."""
        return np.asarray(self.halo < _DARK)

    def near(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Return what positions have within one pixel.

        Parameters
        ----------
        xy : (K, 2) `~numpy.ndarray`
            Pixels, 0-based.

        Returns
        -------
        saturated : (K,) bool `~numpy.ndarray`
            Whether there is a saturated pixel.
        core : (K,) int `~numpy.ndarray`
            A group whose core is there; -1 for none.
        """
        saturated = np.zeros(len(xy), dtype=bool)
        core = np.full(len(xy), -1)
        known = np.isfinite(xy).all(axis=1)
        x, y = np.rint(np.where(known[:, None], xy, -9)).clip(-9, 2**31).T.astype(int)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                at = _rows_of(self.pixels, x + dx, y + dy, self.shape)
                here = at >= 0
                saturated |= here
                core[here] = np.maximum(core[here], self.core[at[here]])
        return saturated, core


def find_plateaus(
    sci: np.ndarray,
    *,
    background: Background,
    spoilt: np.ndarray | None = None,
    dq: np.ndarray | None = None,
    dq_bits: DQMeaning,
) -> Plateaus:
    """
    Find groups of saturated pixels, and the middle of each.

    Where DQ calls pixels saturated, these are. Else flat tops are, at the level where
    the histogram of the image ends: groups of four and more pixels within 10 % of it,
    with fewer in the 20 % below, where a star that fills no pixel has twice as many.

    Charge bleeds along rows or columns: of a group the lines that are at least half as
    long as its longest are the core, and two cores that bleed into each other count as
    two.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    background : `~astrosieve.images.background.Background`
        Of the whole image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.
    dq : 2D int `~numpy.ndarray`, optional
        DQ flags.
    dq_bits : `~astrosieve.images.dq.DQMeaning`
        Their meaning.

    Returns
    -------
    plateaus : `Plateaus`
    """
    shape = sci.shape[0], sci.shape[1]
    pixels = np.empty(0, dtype=np.int64)
    if dq is not None:
        pixels = _where(dq, spoilt, lambda flags: flags & dq_bits.saturated != 0)
    if not len(pixels) and background.noise > 0:
        pixels = _flat_tops(sci, spoilt, background)
    core = _cores(pixels, shape)
    n = np.bincount(core[core >= 0])
    row, column = np.divmod(pixels, shape[1])
    x, y = (np.bincount(core[core >= 0], each[core >= 0]) / n for each in (column, row))
    halo = _halo(sci, spoilt, background.level, pixels, core, (x, y))
    return Plateaus(pixels, core, x, y, halo, shape)


def _where(
    plane: np.ndarray,
    spoilt: np.ndarray | None,
    chosen: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the numbers of usable pixels that are chosen, some rows at a time."""
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(plane), _ROWS):
        rows = slice(start, start + _ROWS)
        wanted = chosen(plane[rows])
        if spoilt is not None:
            wanted &= spoilt[rows] == 0
        found.append(np.flatnonzero(wanted) + start * plane.shape[1])
    return np.concatenate(found)


def _flat_tops(
    sci: np.ndarray, spoilt: np.ndarray | None, background: Background
) -> np.ndarray:
    """Return the pixels of flat-topped groups where the histogram ends."""
    sky, lowest = background.level, _LOWEST * background.noise
    most = max(
        (float(np.max(each[np.isfinite(each)], initial=sky)) for each in sci),
        default=sky,
    )
    bright = sky + max(lowest, _END * np.exp(-_FLAT - _BELOW) * (most - sky))
    pixels = _where(sci, spoilt, lambda each: each > bright)
    if len(pixels) < _FEWEST:
        return pixels[:0]
    logs = np.log(sci.ravel()[pixels].astype(float) - sky)
    best = pixels[:0]
    for level in np.arange(logs.max(), logs.max() + np.log(_END), -_STEP):
        near = np.flatnonzero(logs > level - _FLAT - _BELOW)
        groups = group_pixels(pixels[near], (sci.shape[0], sci.shape[1]))
        high = logs[near] > level - _FLAT
        n_high, n_low = np.bincount(groups, high), np.bincount(groups, ~high)
        largest = np.full(len(n_high), -np.inf)
        np.maximum.at(largest, groups, logs[near])
        flat = (n_high >= _FEWEST) & (n_high > n_low) & (largest <= level)
        tops = near[flat[groups] & high]
        if len(tops) > len(best):
            best = pixels[tops]
    return best


def group_pixels(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return for pixels, in ascending order, which group that touches they are of."""
    row, column = np.divmod(pixels, shape[1])
    pairs = []
    for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
        at = _rows_of(pixels, column + dx, row + dy, shape)
        pairs.append((np.flatnonzero(at >= 0), at[at >= 0]))
    one, other = (np.concatenate(each) for each in zip(*pairs, strict=True))
    first = np.arange(len(pixels))
    while (first[one] != first[other]).any():
        least = np.minimum(first[one], first[other])
        np.minimum.at(first, first[one], least)
        np.minimum.at(first, first[other], least)
        first = first[first]
    return np.unique(first, return_inverse=True)[1]


def _cores(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return of which core saturated pixels are, -1 where charge has bled."""
    core = np.full(len(pixels), -1)
    if not len(pixels):
        return core
    groups = group_pixels(pixels, shape)
    row, column = np.divmod(pixels, shape[1])
    n = groups.max() + 1
    sides = []
    for each in (row, column):
        low, high = np.full(n, each.max()), np.zeros(n, dtype=int)
        np.minimum.at(low, groups, each)
        np.maximum.at(high, groups, each)
        sides.append(high - low)
    line = np.where((sides[0] >= sides[1])[groups], row, column)
    lines, mine, length = np.unique(
        groups * max(shape) + line, return_inverse=True, return_counts=True
    )
    longest = np.zeros(n, dtype=int)
    np.maximum.at(longest, lines // max(shape), length)
    wide = length >= np.maximum(longest[lines // max(shape)] / 2, 1)
    chosen = np.flatnonzero(wide)
    new = np.diff(lines[chosen], prepend=-9) > _GAP + 1
    new |= np.diff(lines[chosen] // max(shape), prepend=-1) != 0
    number = np.full(len(lines), -1)
    number[chosen] = np.cumsum(new) - 1
    return number[mine]


def _halo(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    sky: float,
    pixels: np.ndarray,
    core: np.ndarray,
    middles: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the median of the light that touches each core, over the core's own."""
    x, y = middles
    own = np.flatnonzero(core >= 0)
    row, column = np.divmod(pixels[own], sci.shape[1])
    touching = []
    for dy, dx in product((-1, 0, 1), (-1, 0, 1)):
        at_y, at_x, of = row + dy, column + dx, core[own]
        known = np.hypot(at_x - x[of], at_y - y[of]) <= _ABOUT
        known &= (at_x >= 0) & (at_x < sci.shape[1])
        known &= (at_y >= 0) & (at_y < sci.shape[0])
        at_y, at_x, of = at_y[known], at_x[known], of[known]
        known = _rows_of(pixels, at_x, at_y, sci.shape) < 0
        known &= np.isfinite(sci[at_y, at_x])
        if spoilt is not None:
            known &= spoilt[at_y, at_x] == 0
        touching.append((of * sci.size + at_y * sci.shape[1] + at_x)[known])
    of, number = np.divmod(np.unique(np.concatenate(touching)), sci.size)
    light = sci.ravel()[number].astype(float) - sky
    level = sci.ravel()[pixels[own]].astype(float) - sky
    about, cores = _medians(light, of, len(x)), _medians(level, core[own], len(x))
    return np.divide(about, cores, out=np.full(len(x), np.nan), where=cores > 0)


def _medians(values: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Return the medians of groups; NaN of those without a value."""
    order = np.lexsort((values, groups))
    first, last = (np.searchsorted(groups[order], range(n), side)
                   for side in ('left', 'right'))  # fmt: skip
    medians = np.full(n, np.nan)
    some = last > first
    low, high = (first + last - 1) // 2, (first + last) // 2
    ranked = values[order]
    medians[some] = (ranked[low[some]] + ranked[high[some]]) / 2
    return medians


def _rows_of(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Return which of some pixels, in ascending order, are at x, y; -1 for none."""
    inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    if not len(pixels):
        return np.full(len(x), -1)
    number = np.where(inside, y * shape[1] + x, -1)
    at = np.searchsorted(pixels, number).clip(max=len(pixels) - 1)
    return np.where(pixels[at] == number, at, -1)
