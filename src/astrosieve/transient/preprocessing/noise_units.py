"""Stamps about the candidate's own peak, in units of their noise."""

from __future__ import annotations

import numpy as np

from astrosieve.models.inputs import Batch
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.preprocessing._base import (
    Levels,
    Stamps,
    measure_levels,
)

__all__ = ['SIDE', 'NoiseUnits']

SIDE = 31
"""Pixels along an axis of what the network sees."""

_WINDOW = 2 * SIDE  # pixels, which are seen as they are at the centre, else binned
_SMALLEST = 11
_REACH = 3.2  # pixels, within which the peak is looked for
_CENTRE = 2  # pixels from the peak that must be usable
_FWHM = 3.2  # pixels: wider PSFs are binned to it
_COARSEST = 2.5
_BRIGHT = 15.0  # noise: maxima that tell the width of the PSF
_FAINT = 5.0  # noise, above which what is brightest counts as 1
_LARGEST = 1e6
_NO_SKY, _SKY = 3.0, 10.0  # noise: levels of differences, and of images with a sky
_NAMES = (
    'science, template, difference: arcsinh of the signal over the noise, over 4; '
    'the same three over their largest value; differences of three bands like the '
    'first, the brightest at the centre first, 0 of a triplet; whether the pixel is '
    'usable; science, difference, usable of pixels twice as large'
)


class NoiseUnits:
    """
    Science, template and difference about the candidate's peak, over their noise.

    The network sees `SIDE` pixels about the peak of the difference that is within 3
    pixels of the centre, and twice as many, binned. A difference whose peak is negative
    is turned, so that it is positive. Pixels are binned where the PSF is wider than
    3.2 of them: the FWHM is the one given, else that of the sharpest of the bright
    maxima. Of differences in three bands, the mean of the three, weighted by noise, is
    the difference, and science and template are missing; their order does not count,
    as the brightest comes first. Neither a factor nor an
    offset of a plane changes anything, nor does a shift by up to 2 whole pixels,
    except that other pixels come into view.
    """

    name = 'stamps-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {
            'stamps': (13, SIDE, SIDE),
            'told': (5,),
        }
        self.meanings = {
            'stamps': _NAMES,
            'told': 'whether differences of three bands; whether there are science, '
            'template, difference; binary logarithm of the size of a pixel',
        }

    def __call__(self, stamps: Stamps) -> Batch:
        """
        Return the inputs of stamps.

        Parameters
        ----------
        stamps : `~astrosieve.transient.preprocessing.Stamps`
            N candidates.

        Returns
        -------
        batch : `~astrosieve.models.inputs.Batch`
            Its flags are bits of `~astrosieve.transient.flags.STAMP_FLAGS`.
        """
        n, _, ny, nx = stamps.planes.shape
        inputs = {
            name: np.zeros((n, *shape), np.float32)
            for name, shape in self.shapes.items()
        }
        if min(ny, nx) < _SMALLEST:
            flags = np.full(n, STAMP_FLAGS.too_small, np.int32)
            return Batch(inputs, flags, np.zeros(n, dtype=bool))
        levels = measure_levels(stamps)
        signal = levels.signal(stamps.planes)
        np.clip(signal, -_LARGEST, _LARGEST, out=signal)
        usable = _usable(stamps, levels)
        difference = _difference(stamps, levels, signal)
        peak = _peak(difference, usable)
        signs = np.where(peak[2] < 0, -1, 1).astype(np.float32)[:, None, None]
        if stamps.kind == 'triplet':
            signal[:, 2] *= signs
        else:
            signal *= signs[..., None]
        difference = signal[:, 2] if stamps.kind == 'triplet' else difference * signs
        sizes = _pixel_sizes(stamps, signal, peak)
        held = np.concatenate([signal, difference[:, None], usable[:, None]], axis=1)
        view = _views(held, peak, sizes)
        self._fill(inputs['stamps'], view, stamps.kind)
        there = levels.there
        told = inputs['told']
        told[:, 0] = stamps.kind == 'bands'
        if stamps.kind == 'triplet':
            told[:, 1:4] = there
        else:
            told[:, 3] = there.any(axis=1)
        told[:, 4] = np.log2(sizes)
        flags = _flags(stamps, levels, told, view, peak)
        unscored = STAMP_FLAGS.value('blank', 'masked')
        return Batch(inputs, flags, (flags & unscored) == 0)

    @staticmethod
    def _fill(image: np.ndarray, view: np.ndarray, kind: str) -> None:
        """Write the planes of views (n, 5, window, window)."""
        first = SIDE - SIDE // 2
        middle = slice(first, first + SIDE)
        fine = view[:, :, middle, middle]
        coarse = (
            view[:, :, ::2, ::2]
            + view[:, :, 1::2, ::2]
            + view[:, :, ::2, 1::2]
            + view[:, :, 1::2, 1::2]
        ) / np.float32(4)
        shown = fine[:, [0, 1, 3]].copy()
        if kind == 'bands':
            shown[:, :2] = 0
            image[:, 6:9] = np.arcsinh(_brightest_first(fine[:, :3])) / 4
        image[:, :3] = np.arcsinh(shown) / 4
        largest = np.abs(shown).max(axis=(2, 3), keepdims=True)
        image[:, 3:6] = shown / np.maximum(largest, _FAINT)
        image[:, 9] = fine[:, 4]
        if kind == 'triplet':
            image[:, 10] = np.arcsinh(coarse[:, 0]) / 4
        image[:, 11] = np.arcsinh(coarse[:, 3]) / 4
        image[:, 12] = coarse[:, 4]


def _brightest_first(bands: np.ndarray) -> np.ndarray:
    """Return (n, 3, side, side) bands by what they have at the centre."""
    middle = slice(SIDE // 2 - 1, SIDE // 2 + 2)
    centre = bands[:, :, middle, middle].sum(axis=(2, 3))
    order = np.argsort(-centre, axis=1)[..., None, None]
    return np.take_along_axis(bands, order, axis=1)


def _usable(stamps: Stamps, levels: Levels) -> np.ndarray:
    """Return where all planes that are there can be used, (n, ny, nx) float32."""
    there = levels.there[..., None, None]
    usable = np.ones_like(stamps.planes[:, 0])
    usable[(there & ~levels.usable).any(axis=1) | (~there).all(axis=1)] = 0
    return usable


def _difference(stamps: Stamps, levels: Levels, signal: np.ndarray) -> np.ndarray:
    """Return what the peak is looked for in: a difference, or what stands for it."""
    if stamps.kind == 'bands':
        n_bands = np.maximum(levels.there.sum(axis=1), 1).astype(np.float32)
        total: np.ndarray = signal.sum(axis=1) / np.sqrt(n_bands)[:, None, None]
        return total
    there = levels.there[:, 2, None, None]
    return np.where(there, signal[:, 2], signal[:, 0] - signal[:, 1])


def _peak(
    difference: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the place (y, x) of the largest deviation near the centre, and it."""
    n, ny, nx = difference.shape
    reach = int(_REACH)
    y0, x0 = ny // 2 - reach, nx // 2 - reach
    side = 2 * reach + 1
    around = (difference * usable)[:, y0 - 1 : y0 + side + 1, x0 - 1 : x0 + side + 1]
    smooth = around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]
    smooth = smooth[:, :, :-2] + 2 * smooth[:, :, 1:-1] + smooth[:, :, 2:]
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    smooth[:, np.hypot(rows, columns) > _REACH] = 0
    flat = smooth.reshape(n, side**2)
    at = np.abs(flat).argmax(axis=1)
    # Nothing at all is at the centre.
    at[flat[np.arange(n), at] == 0] = flat.shape[1] // 2
    y, x = np.divmod(at, side)
    return y + y0, x + x0, flat[np.arange(n), at]


def _pixel_sizes(
    stamps: Stamps, signal: np.ndarray, peak: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Return how many pixels, along an axis, are to be one."""
    n = len(signal)
    given = np.full(n, np.nan) if stamps.fwhm is None else np.asarray(stamps.fwhm)
    fwhm = np.where(given > 0, given, np.nan).astype(np.float32)
    asked = np.flatnonzero(np.isnan(fwhm))
    fwhm[asked] = _sharpest(signal[asked], peak[0][asked], peak[1][asked])
    size: np.ndarray = np.clip(fwhm / _FWHM, 1, _COARSEST)
    return size


def _sharpest(signal: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """
    Return the FWHM of the sharpest bright maximum; 0 where there is none.

    That of a Gaussian with the curvature of the logarithm at the maximum.
    """
    n, _, ny, nx = signal.shape
    inner = signal[:, :, 1:-1, 1:-1]
    bright = np.flatnonzero(inner > _BRIGHT)
    stamp, plane, row, column = np.unravel_index(bright, inner.shape)
    row, column = row + 1, column + 1
    # The same maxima, wherever in the stamp the candidate is.
    reach = min(ny, nx) // 2 - 3
    near = np.maximum(abs(row - y[stamp]), abs(column - x[stamp])) <= reach
    stamp, plane, row, column = (each[near] for each in (stamp, plane, row, column))
    value = signal[stamp, plane, row, column]
    highest = np.ones(len(value), dtype=bool)
    curvature = np.zeros(len(value), dtype=np.float32)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = signal[stamp, plane, row + dy, column + dx]
        other = signal[stamp, plane, row - dy, column - dx]
        highest &= (value >= one) & (value > other)
        if dy + dx == 1:
            curvature += np.log(value**2 / np.maximum(one * other, 1e-3 * value**2)) / 2
    found = highest & (curvature > 0)
    sigma = np.full(n, np.inf, dtype=np.float32)
    np.minimum.at(sigma, stamp[found], 1 / np.sqrt(curvature[found]))
    return np.where(np.isfinite(sigma), 2.3548 * sigma, 0).astype(np.float32)


def _views(
    held: np.ndarray, peak: tuple[np.ndarray, ...], sizes: np.ndarray
) -> np.ndarray:
    """Return windows about peaks, of pixels of some size; 0 beyond the stamps."""
    n, n_planes, ny, nx = held.shape
    view = np.zeros((n, n_planes, _WINDOW, _WINDOW), np.float32)
    half = _WINDOW // 2
    for k in range(n):
        y, x, size = int(peak[0][k]), int(peak[1][k]), float(sizes[k])
        if size > 1:
            rows, columns = _binning(y, ny, size), _binning(x, nx, size).T
            view[k] = rows @ held[k] @ columns
            view[k, :-1] *= size  # the noise of a mean
            continue
        top, left = max(half - y, 0), max(half - x, 0)
        inside = held[k, :, max(y - half, 0) : y + half, max(x - half, 0) : x + half]
        bottom, right = top + inside.shape[1], left + inside.shape[2]
        view[k, :, top:bottom, left:right] = inside
    return view


def _binning(centre: int, n: int, size: float) -> np.ndarray:
    """Return the share of each of n pixels in each of the window, (window, n)."""
    middles = centre + (np.arange(_WINDOW)[:, None] - _WINDOW // 2) * size
    pixels = np.arange(n)
    low = np.maximum(middles - size / 2, pixels - 0.5)
    high = np.minimum(middles + size / 2, pixels + 0.5)
    return (np.clip(high - low, 0, None) / size).astype(np.float32)


def _other_order(levels: Levels) -> np.ndarray:
    """Return where one plane alone has no sky, as differences, and is not the third."""
    sky = np.abs(levels.level / levels.noise)
    differs = sky < _NO_SKY
    alone = levels.there.all(axis=1) & (differs.sum(axis=1) == 1) & ~differs[:, 2]
    others: np.ndarray = (differs | (sky > _SKY)).all(axis=1)
    return alone & others


def _flags(
    stamps: Stamps,
    levels: Levels,
    told: np.ndarray,
    view: np.ndarray,
    peak: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Return what is wrong with each row."""
    ny, nx = stamps.planes.shape[2:]
    bands, science, template, difference = told[:, :4].astype(bool).T
    half = _WINDOW // 2
    about = slice(half - _CENTRE, half + _CENTRE + 1)
    centre = view[:, -1, about, about].mean(axis=(1, 2))
    near = view[:, -1, half - 5 : half + 6, half - 5 : half + 6].mean(axis=(1, 2))
    blank = ~difference & ~(science & template)
    found = {
        'blank': blank,
        'masked': ~blank & (centre <= 0.5),
        'no_science': ~science & ~bands,
        'no_template': ~template & ~bands,
        'no_difference': ~difference,
        'moved': np.hypot(peak[0] - ny // 2, peak[1] - nx // 2) >= 2,
        'partly_masked': ~blank & (near < 0.9),
        'order': _other_order(levels) & ~bands,
    }
    flags = np.zeros(len(told), dtype=np.int32)
    for name, where in found.items():
        flags[where] |= STAMP_FLAGS.value(name)
    return flags
