"""A frame of any size as maps, profiles and numbers of fixed size."""

from __future__ import annotations

import numpy as np

from astrosieve.frametype.preprocessing.numbers import (
    AXIS_NUMBERS,
    BINS,
    NUMBERS,
    Levels,
    axis_numbers,
    binned,
    brightest,
    compressed,
    numbers,
    spread,
    starts,
)
from astrosieve.frametype.preprocessing.traces import (
    LINES,
    MIRRORED,
    TRACES,
    traces,
)

__all__ = ['Summary']

_CELLS = 64
_TRIM = 0.8  # share of differences that measure the noise
_NORMAL = 0.5586 * np.sqrt(2)  # mean of the smallest 80 % of |differences|, in sigma
_MAPS = 9
_PROFILES = 18
_CROPS = 4
_CROP = 49  # pixels
_SIDE = 16  # pixels; a frame is not trimmed below
# Which map stands where when rows become columns: the noises along x and y swap.
TRANSPOSED = (0, 1, 2, 4, 3, 5, 6, 7, 8)
# Which profile stands where when what is across is flipped: the outer parts swap.
ACROSS = (0, 1, 2, 5, 4, 3, 6, 7, 8, 11, 10, 9, 12, 13, 14, 15, 16, 17)


def _trimmed(image: np.ndarray) -> np.ndarray:
    """Return a frame without rows and columns of one value: borders, gaps of chips."""
    for axis in (1, 0):
        there = image.min(axis=axis) < image.max(axis=axis)
        if not there.all() and there.sum() >= _SIDE:
            image = image.compress(there, axis=1 - axis)
    return image


def _cells(image: np.ndarray) -> np.ndarray:
    """Return the pixels of 64x64 cells, (64, 64, pixels of one)."""
    (y, ny), (x, nx) = (starts(size, _CELLS) for size in image.shape)
    rows = y[:, None] + np.arange(ny)
    columns = x[:, None] + np.arange(nx)
    cells = image[rows.ravel()][:, columns.ravel()].reshape(_CELLS, ny, _CELLS, nx)
    return cells.transpose(0, 2, 1, 3).reshape(_CELLS, _CELLS, ny * nx)


def _ranked(values: np.ndarray, *shares: float) -> list[np.ndarray]:
    """Return quantiles along the last axis, as values that are there."""
    ranks = [
        min(int(share * values.shape[-1]), values.shape[-1] - 1) for share in shares
    ]
    ordered = np.sort(values, axis=-1)  # faster than to part by several ranks
    return [ordered[..., rank] for rank in ranks]


def _noise(differences: np.ndarray) -> np.ndarray:
    """Return the noise of each cell from differences of pixels side by side."""
    cells = np.abs(_cells(differences))
    n = max(int(_TRIM * cells.shape[-1]), 1)
    if n < cells.shape[-1]:
        cells = np.partition(cells, n, axis=-1)[..., :n]
    return cells.mean(axis=-1) / _NORMAL


def _levels(image: np.ndarray) -> Levels:
    """Measure a frame."""
    middle, high, top = _ranked(_cells(image), 0.5, 0.97, 1.0)
    along_x = _noise(image[:, 1::2] - image[:, : image.shape[1] // 2 * 2 : 2])
    along_y = _noise(image[1::2] - image[: image.shape[0] // 2 * 2 : 2])
    zero = float(np.quantile(middle, 0.05))
    both = np.minimum(along_x, along_y)
    dark = both[(middle <= np.quantile(middle, 0.2)) & (both > 0)]
    dark = dark if len(dark) else both[both > 0]
    # Levels that are not resolved by the digits of the file have no less noise.
    least = 1e-6 * float(np.abs(image).max()) + 1e-30
    sigma = max(float(np.median(dark)) if len(dark) else 0.0, least)
    return Levels(image, middle, high, top, (along_x, along_y), zero, sigma)


class Summary:
    """
    Levels of cells, profiles along both axes, and numbers.

    All levels are above that of the darkest twentieth of the cells, and in units of the
    noise there: pedestal, gain and unit change nothing.
    """

    name = 'frame-3'
    max_pixels: int | None = 3_000_000

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {
            'maps': (_MAPS, _CELLS, _CELLS),
            'profiles': (2, _PROFILES, BINS),
            'axes': (2, AXIS_NUMBERS),
            'numbers': (NUMBERS,),
            'crops': (_CROPS, _CROP, _CROP),
            'traces': (2, TRACES, LINES, BINS),
        }
        self.meanings = {
            'maps': 'per cell of a 64x64 grid: median, 97th percentile and maximum as '
            'arcsinh of sigma, logarithms of the noise along x and y, median and 97th '
            'percentile over the largest, median without what rows and columns share '
            'as arcsinh of sigma and over the largest',
            'profiles': 'along x and y, in 256 bins: largest and least in the bin of '
            'the 10th, 50th and 90th percentile across and of the medians of three '
            'parts across, as arcsinh of sigma; means of the percentiles over the '
            'largest; the same of the brightest line of pixels above the others',
            'axes': 'along x and y: contrast, peaks, moments, likeness of the three '
            'parts and of neighbours, what lies along the brightest line',
            'numbers': 'levels, noise, sharp pixels, shares of rows and columns: the '
            'same whichever axis is which',
            'crops': 'pixels about the brightest of four cells, as arcsinh of sigma: '
            'the brightest cell, that of most contrast, those of rank 90 and 50 %',
            'traces': 'along x and y, in 256 bins: means of groups of pixels across '
            'the three brightest traces, as these bend, as arcsinh of sigma; largest '
            'and least on the trace; means over the largest; above both sides',
        }

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return maps, profiles and numbers of one frame."""
        found = _levels(_trimmed(np.asarray(pixels, dtype=np.float32)))
        profiles = [_collapsed(found, axis) for axis in (0, 1)]
        # Of each axis: the brightest line of pixels at right angles to it.
        lines = [brightest(found, each) for each in (found.image.T, found.image)]
        return {
            'maps': _maps(found),
            'profiles': np.stack(
                [
                    np.concatenate([_binned(profile), _line(line)])
                    for profile, (line, _) in zip(profiles, lines[::-1], strict=True)
                ]
            ),
            'axes': np.stack(
                [
                    axis_numbers(p, *line)
                    for p, line in zip(profiles, lines, strict=True)
                ]
            ),
            'numbers': numbers(found),
            'crops': _crops(found),
            'traces': np.stack(
                [traces(found, each) for each in (found.image, found.image.T)]
            ),
        }

    def flip(
        self, inputs: dict[str, np.ndarray], y: bool, x: bool
    ) -> dict[str, np.ndarray]:
        """Return the inputs of the flipped frame."""
        dy, dx = (-1 if each else 1 for each in (y, x))
        along_x, along_y = np.moveaxis(inputs['profiles'], -3, 0)
        along_x = along_x[..., list(ACROSS), :] if y else along_x
        along_y = along_y[..., list(ACROSS), :] if x else along_y
        on_x, on_y = np.moveaxis(inputs['traces'], -4, 0)
        on_x = on_x[..., list(MIRRORED), :] if y else on_x
        on_y = on_y[..., list(MIRRORED), :] if x else on_y
        return {
            'maps': inputs['maps'][..., ::dy, ::dx],
            'profiles': np.stack([along_x[..., ::dx], along_y[..., ::dy]], axis=-3),
            'axes': inputs['axes'],
            'numbers': inputs['numbers'],
            'crops': inputs['crops'][..., ::dy, ::dx],
            'traces': np.stack([on_x[..., ::dx], on_y[..., ::dy]], axis=-4),
        }


def _maps(found: Levels) -> np.ndarray:
    middle, high, top = map(found.of, (found.middle, found.high, found.top))
    flattened = found.flattened
    scale = max(float(np.quantile(high, 0.995)), 3.0)
    least = max(float(np.quantile(flattened, 0.995)), 1.0)
    maps = [
        compressed(middle),
        compressed(high),
        compressed(top - middle),
        *(np.log10(noise / found.sigma + 0.1) / 2 for noise in found.noise),
        (middle / scale).clip(-1, 1.5),
        (high / scale).clip(-1, 1.5),
        compressed(flattened),
        (flattened / least).clip(-1, 1.5),
    ]
    return np.stack(maps).astype(np.float32).clip(-3, 3)


def _crops(found: Levels) -> np.ndarray:
    """Return the pixels about the brightest one of some cells."""
    image, order = found.image, np.argsort(found.high, axis=None, kind='stable')
    contrast = int(np.argmax(found.high - found.middle))
    ranks = (len(order) - 1, int(0.9 * len(order)), len(order) // 2)
    first, *others = (int(order[rank]) for rank in ranks)
    crops = []
    for cell in (first, contrast, *others):
        place = np.unravel_index(cell, found.high.shape)
        box = []
        for size, number in zip(image.shape, place, strict=True):
            corners, length = starts(size, _CELLS)
            box.append(slice(corners[number], corners[number] + length))
        part = image[tuple(box)]
        inside = np.unravel_index(int(np.argmax(part)), part.shape)
        rows, columns = (
            _about(edge.start + int(at), size)
            for edge, at, size in zip(box, inside, image.shape, strict=True)
        )
        crops.append(image[rows[:, None], columns])
    return compressed(found.of(np.stack(crops))).astype(np.float32).clip(-3, 3)


def _about(middle: int, size: int) -> np.ndarray:
    """Return the pixels about one, as many as a crop has, within an axis."""
    half = _CROP // 2
    middle = min(max(middle, half), max(size - 1 - half, half))
    return np.arange(middle - half, middle + half + 1).clip(0, size - 1)


def _collapsed(found: Levels, axis: int) -> np.ndarray:
    """
    Return profiles along the other axis, (6, pixels of it).

    The 10th, 50th and 90th percentiles across, and the medians of three parts across.
    """
    few = spread(found.image.shape[axis], 450)
    some = found.image.take(few, axis)
    across = np.ascontiguousarray(some.T if axis == 0 else some)
    third = across.shape[1] // 3 or 1
    parts = (across[:, :third], across[:, third:-third], across[:, -third:])
    medians = [_ranked(each, 0.5)[0] for each in parts]
    return found.of(np.stack([*_ranked(across, 0.1, 0.5, 0.9), *medians]))


def _binned(profiles: np.ndarray) -> np.ndarray:
    """Return the largest and least in 256 bins, and means over the largest of all."""
    bins = binned(profiles)
    scale = max(float(np.quantile(profiles[2], 0.998)), 3.0)
    return np.concatenate(
        [
            compressed(bins.max(axis=2)),
            compressed(bins.min(axis=2)),
            (bins[:3].mean(axis=2) / scale).clip(-1, 1.5),
        ]
    ).astype(np.float32)


def _line(line: np.ndarray) -> np.ndarray:
    """Return the largest and least in 256 bins, and medians over nearly the largest."""
    bins = binned(line)
    middle = np.median(bins, axis=1)
    scale = max(float(np.quantile(middle, 0.98)), 3.0)
    return np.stack(
        [
            compressed(bins.max(axis=1)),
            compressed(bins.min(axis=1)),
            (middle / scale).clip(-1, 1.5),
        ]
    ).astype(np.float32)
