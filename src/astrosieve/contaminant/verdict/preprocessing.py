"""The brightest sources of an image, at several scales, as a network sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from astrosieve.images.background import BackgroundMesh, measure_mesh, measure_noise
from astrosieve.images.measured import MeasuredImage

__all__ = ['CUTOUTS', 'SCALES', 'SIZE', 'Found', 'Sources', 'network_inputs']

SCALES = (1, 2, 4, 8)
"""Pixels along a side that are added up to one."""
CUTOUTS = 12
"""Of a scale: half of them as they are found in the image, half in its medians."""
SIZE = 31
"""Pixels along a side of a cutout, of the scale."""
STACKS = 6
"""Planes of a scale that all sources are in."""

_LEAST = 8.0  # S/N of 3x3 pixels of a scale from which a peak counts
_USUAL = 60.0  # S/N of those that are looked at first
_MOST = 400  # peaks of a scale that are looked at
_APART = 8  # pixels of a scale, between two of them at least
_STACKED = 48  # peaks of a scale whose mean and median are taken
_CORE = 2  # pixels on either side of a peak among which the highest is looked for
_LARGEST = 2e4  # S/N of a pixel; more are all alike
_COMPRESSED = 4.0  # what arcsinhs are divided by
_WINDOW, _WHOLE = 1024, 2048  # side of the windows of images larger than that square
_LIGHT = 2.0, 10.0  # S/N that is nothing, and all, to the correlation


@dataclass(frozen=True, eq=False)
class Found:
    """
    What was found in an image.

    Parameters
    ----------
    cutouts : (S, CUTOUTS, SIZE, SIZE) float32 `~numpy.ndarray`
        About peaks, S/N of the pixels of each scale. The first half are peaks of the
        image, the second of its medians; of each those of usual S/N are first. Zero
        where there are no more.
    signals : (S, CUTOUTS) float32 `~numpy.ndarray`
        S/N of 3x3 pixels about the peaks; 0 where there are no more.
    stacks : (S, STACKS, SIZE, SIZE) float32 `~numpy.ndarray`
        Mean and median of more of them, each over its highest pixel, and the
        correlation of the image with itself; then the same of its medians.
    counts : (S, 2) float32 `~numpy.ndarray`
        Numbers of peaks of the image, and of its medians.
    """

    cutouts: np.ndarray
    signals: np.ndarray
    stacks: np.ndarray
    counts: np.ndarray


def network_inputs(found: Found) -> dict[str, np.ndarray]:
    """
    Return what a network sees of one image or of many.

    Parameters
    ----------
    found : `Found`
        Of an image; or its arrays, of N rows, of N.

    Returns
    -------
    inputs : dict of str to float32 `~numpy.ndarray`
        Of one row, or of N: ``cutouts`` (N, S * CUTOUTS, 2, SIZE, SIZE), ``stacks``
        (N, S * STACKS, SIZE, SIZE), ``numbers`` (N, 2 * S + S * CUTOUTS).
    """
    cutouts, signals, stacks, counts = (
        np.asarray(getattr(found, each.name), np.float32) for each in fields(Found)
    )
    n = 1 if counts.ndim == 2 else len(counts)
    cutouts = cutouts.reshape(n, -1, SIZE, SIZE)
    planes = np.stack([np.arcsinh(cutouts) / _COMPRESSED, _over_highest(cutouts)], 2)
    numbers = [np.log10(1 + each.reshape(n, -1)) / 3 for each in (counts, signals)]
    return {
        'cutouts': planes,
        'stacks': stacks.reshape(n, -1, SIZE, SIZE),
        'numbers': np.concatenate(numbers, axis=1),
    }


class Sources:
    """
    The brightest sources of an image, at four scales.

    The image, less its local level and over its local noise, and the median of each
    3x3 pixels of it, in which few cosmic rays are left, are binned by 1, 2, 4 and 8
    pixels. Of each scale a network sees cutouts of 31x31 pixels about six peaks of
    either, those whose S/N is next to 60, in two planes: arcsinh of the S/N over 4, and
    the pixels over the highest in the middle; the mean and the median of 48 of them in
    the latter form; the correlation of the image with itself, and of its medians; and
    numbers: how many peaks there are, and how bright those of the cutouts. What all
    sources have in common the image is to blame for. Neither an offset nor a scale of
    the image changes what the network sees. Of images larger than 2048x2048 pixels four
    windows of 1024x1024 are looked at.
    """

    name = 'sources-1'

    def __init__(self) -> None:
        n = len(SCALES)
        self.shapes: dict[str, tuple[int, ...]] = {
            'cutouts': (n * CUTOUTS, 2, SIZE, SIZE),
            'stacks': (n * STACKS, SIZE, SIZE),
            'numbers': (2 * n + n * CUTOUTS,),
        }
        self.meanings = {
            'cutouts': 'about peaks of the image binned by 1, 2, 4 and 8 pixels, six '
            'of each, and six of its medians: arcsinh of the S/N of pixels over 4, and '
            'pixels over the highest',
            'stacks': 'mean and median of more of them, over the highest pixel of each,'
            ' and the correlation of the image with itself; the same of its medians',
            'numbers': 'log10 of 1 and the number of peaks of each scale, over 3; the '
            'same of the S/N of each cutout, 0 where there is none',
        }

    def find(self, image: MeasuredImage) -> Found:
        """
        Look for the sources of an image.

        Parameters
        ----------
        image : `~astrosieve.images.measured.MeasuredImage`
            In any linear unit, with or without its sky, of any size.

        Returns
        -------
        found : `Found`
            Finite, even where no pixel is usable.
        """
        views = [_contrast(image, box) for box in _windows(image.sci.shape)]
        medians = [_medians(view) for view in views]
        scales = []
        for scale in SCALES:
            if scale > 1:
                views = [_halved(view) for view in views]
                medians = [_halved(view) for view in medians]
            halves = (_looked_at(views, views), _looked_at(views, medians))
            scales.append([np.concatenate(each) for each in zip(*halves, strict=True)])
        return Found(*(np.stack(each) for each in zip(*scales, strict=True)))

    def __call__(self, image: MeasuredImage) -> dict[str, np.ndarray]:
        """Return the inputs of a network for an image, of one row."""
        return network_inputs(self.find(image))


def _windows(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield what is looked at: all of the image, or windows in each quarter."""
    if shape[0] * shape[1] <= _WHOLE**2:
        yield slice(0, shape[0]), slice(0, shape[1])
        return
    sides = []
    for n in shape:
        side = min(n, _WINDOW)
        middles = (n // 4, 3 * n // 4) if n >= 2 * side else (n // 2,)
        sides.append([slice(m - side // 2, m - side // 2 + side) for m in middles])
    yield from ((rows, columns) for rows in sides[0] for columns in sides[1])


def _contrast(image: MeasuredImage, box: tuple[slice, slice]) -> np.ndarray:
    """Return the S/N of the pixels of a part, 0 where one is not usable."""
    sci = image.sci[box]
    spoilt = None if image.spoilt is None else image.spoilt[box]
    if not sci.size:
        return sci
    rough = measure_mesh(sci, spoilt=spoilt)
    noise = measure_noise(sci, spoilt=spoilt)
    mesh = BackgroundMesh(rough.x, rough.y, np.nan_to_num(rough.level), noise)
    level, deviation = mesh.smoothed().over(slice(0, len(sci)), slice(0, sci.shape[1]))
    with np.errstate(all='ignore'):  # what is not usable is filled
        contrast: np.ndarray = sci - level
        contrast /= deviation
    if spoilt is not None:
        contrast[spoilt != 0] = 0
    return np.clip(contrast, -_LARGEST, _LARGEST, out=contrast)


def _middle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the middle one of three."""
    return np.asarray(np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)))


def _medians(contrast: np.ndarray) -> np.ndarray:
    """Return the median of each 3x3 pixels; nothing at the edges."""
    out = np.zeros_like(contrast)
    if min(contrast.shape) < 3:
        return out
    rows = contrast[:-2], contrast[1:-1], contrast[2:]
    low = np.minimum(np.minimum(*rows[:2]), rows[2])
    high = np.maximum(np.maximum(*rows[:2]), rows[2])
    middle = _middle(*rows)

    def beside(each: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return each[:, :-2], each[:, 1:-1], each[:, 2:]

    left, centre, right = beside(low)
    lowest = np.maximum(np.maximum(left, centre), right)
    left, centre, right = beside(high)
    highest = np.minimum(np.minimum(left, centre), right)
    out[1:-1, 1:-1] = _middle(lowest, _middle(*beside(middle)), highest)
    return out


def _halved(contrast: np.ndarray) -> np.ndarray:
    """Return the S/N of pixels twice as large; an odd one at the edge is left out."""
    ny, nx = (n // 2 * 2 for n in contrast.shape)
    rows = contrast[0:ny:2] + contrast[1:ny:2]
    binned = (rows[:, 0:nx:2] + rows[:, 1:nx:2]) / np.float32(2)
    return np.clip(binned, -_LARGEST, _LARGEST)


def _summed(contrast: np.ndarray) -> np.ndarray:
    """Return the S/N of 3x3 pixels, of the inner pixels."""
    rows = contrast[:-2] + contrast[1:-1]
    rows += contrast[2:]
    summed = rows[:, :-2] + rows[:, 1:-1]
    summed += rows[:, 2:]
    summed /= np.float32(3)
    return summed


def _peaks(contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns (N, 2) of peaks, and the S/N of their 3x3 pixels."""
    if min(contrast.shape) < 5:
        return np.empty((0, 2), int), np.empty(0, np.float32)
    signal = _summed(contrast)
    y, x = np.divmod(np.flatnonzero(signal >= _LEAST), signal.shape[1])
    inner = (y > 0) & (y < len(signal) - 1) & (x > 0) & (x < signal.shape[1] - 1)
    y, x = y[inner], x[inner]
    highest = np.ones(len(y), bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                beside = signal[y + dy, x + dx]
                later = (dy, dx) > (0, 0)  # of two equal ones the first is a peak
                highest &= (signal[y, x] > beside) | (later & (signal[y, x] == beside))
    y, x = y[highest], x[highest]
    return np.stack([y, x], axis=1) + 1, signal[y, x]


def _apart(places: np.ndarray) -> np.ndarray:
    """Return the numbers of those that none before is near."""
    near = (np.abs(places[:, None] - places) < _APART).all(axis=2)
    kept = np.zeros(len(places), bool)
    for number, beside in enumerate(near):
        kept[number] = not (beside & kept).any()
    return np.flatnonzero(kept)


def _over_highest(cutouts: np.ndarray) -> np.ndarray:
    """Return cutouts (..., SIZE, SIZE) over their highest pixel in the middle."""
    core = slice(SIZE // 2 - _CORE, SIZE // 2 + _CORE + 1)
    highest = cutouts[..., core, core].max(axis=(-2, -1), keepdims=True)
    return np.clip(cutouts / np.maximum(highest, 1), -0.5, 1.5)


def _correlation(views: list[np.ndarray]) -> np.ndarray:
    """Return the correlation of images with themselves, at most 1, (SIZE, SIZE)."""
    total = np.zeros((SIZE, SIZE), np.float32)
    nothing, all_ = _LIGHT
    for view in views:
        box = []
        for n in view.shape:
            side = min(n, _WINDOW) // 8 * 8
            box.append(slice((n - side) // 2, (n - side) // 2 + side))
        light = np.clip((view[*box] - nothing) / (all_ - nothing), 0, 1)
        if min(light.shape) < 2 * SIZE or np.ptp(light) == 0:  # of one value
            continue
        spectrum = np.fft.rfft2(light - light.mean())
        lags = np.fft.irfft2(np.abs(spectrum) ** 2, light.shape)
        around = np.arange(-(SIZE // 2), SIZE // 2 + 1)
        total += (lags[np.ix_(around, around)] / lags[0, 0]).astype(np.float32)
    return total / np.float32(len(views))


def _looked_at(views: list[np.ndarray], among: list[np.ndarray]) -> tuple[Any, ...]:
    """Return half of the cutouts, signals, stacks and counts of a scale."""
    found, count = [], 0
    for view, searched in zip(views, among, strict=True):
        places, signals = _peaks(searched)
        count += len(places)
        unusual = np.abs(np.log(signals / _USUAL))
        order = np.argsort(unusual, kind='stable')[:_MOST]
        wide = np.pad(view, SIZE // 2)
        found += [
            (unusual[n], signals[n], _cut(wide, places[n]))
            for n in order[_apart(places[order])][:_STACKED]
        ]
    found.sort(key=lambda each: each[0])
    stack = np.zeros((STACKS // 2, SIZE, SIZE), np.float32)
    cutouts = np.zeros((CUTOUTS // 2, SIZE, SIZE), np.float32)
    chosen = np.zeros(CUTOUTS // 2, np.float32)
    if found:
        pieces = np.stack([each[2] for each in found[:_STACKED]])
        weights = [min(each[1], _USUAL) for each in found[:_STACKED]]
        stack[0] = np.average(_over_highest(pieces), axis=0, weights=weights)
        stack[1] = np.median(_over_highest(pieces), axis=0)
        some = min(len(found), CUTOUTS // 2)
        cutouts[:some] = pieces[:some]
        chosen[:some] = [each[1] for each in found[:some]]
    stack[2] = _correlation(among)
    return cutouts, chosen, stack, [np.float32(count)]


def _cut(wide: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return a cutout of a padded image; its middle is at SIZE // 2."""
    return wide[tuple(slice(n, n + SIZE) for n in place)]
