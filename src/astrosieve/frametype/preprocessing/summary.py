"""A frame of any size as maps, profiles and numbers of fixed size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['Summary']

_CELLS = 64
_BINS = 256
_TRIM = 0.8  # share of differences that measure the noise
_NORMAL = 0.5586 * np.sqrt(2)  # mean of the smallest 80 % of |differences|, in sigma
_MAPS = 7
_PROFILES = 9
_NUMBERS = 24
# Which map stands where when rows become columns: the noises along x and y swap.
TRANSPOSED = (0, 1, 2, 4, 3, 5, 6)


def _starts(size: int, n: int) -> tuple[np.ndarray, int]:
    """Return first pixels and length of n windows that cover an axis."""
    length = -(-size // n)
    return np.linspace(0, size - length, n).round().astype(int), length


def _cells(image: np.ndarray) -> np.ndarray:
    """Return the pixels of 64x64 cells, (64, 64, pixels of one)."""
    (y, ny), (x, nx) = (_starts(size, _CELLS) for size in image.shape)
    rows = y[:, None] + np.arange(ny)
    columns = x[:, None] + np.arange(nx)
    cells = image[rows.ravel()][:, columns.ravel()].reshape(_CELLS, ny, _CELLS, nx)
    return cells.transpose(0, 2, 1, 3).reshape(_CELLS, _CELLS, ny * nx)


def _ranked(values: np.ndarray, *shares: float) -> list[np.ndarray]:
    """Return quantiles along the last axis, as values that are there."""
    ranks = [
        min(int(share * values.shape[-1]), values.shape[-1] - 1) for share in shares
    ]
    ordered = np.partition(values, sorted(set(ranks)), axis=-1)
    return [ordered[..., rank] for rank in ranks]


def _noise(differences: np.ndarray) -> np.ndarray:
    """Return the noise of each cell from differences of pixels side by side."""
    cells = np.abs(_cells(differences))
    n = max(int(_TRIM * cells.shape[-1]), 1)
    if n < cells.shape[-1]:
        cells = np.partition(cells, n, axis=-1)[..., :n]
    return cells.mean(axis=-1) / _NORMAL


def _log(values: np.ndarray | float) -> np.ndarray:
    """Return levels in units of the noise, compressed; 1 is about 1000 sigma."""
    return np.arcsinh(np.asarray(values) / 2) / 7


@dataclass(frozen=True)
class _Measured:
    """Level, noise and cells of a frame."""

    image: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    top: np.ndarray
    noise: tuple[np.ndarray, np.ndarray]  # along x, along y
    zero: float
    sigma: float

    @classmethod
    def of(cls, image: np.ndarray) -> _Measured:
        cells = _cells(image)
        middle, high, top = _ranked(cells, 0.5, 0.97, 1.0)
        along_x = _noise(image[:, 1::2] - image[:, : image.shape[1] // 2 * 2 : 2])
        along_y = _noise(image[1::2] - image[: image.shape[0] // 2 * 2 : 2])
        zero = float(np.quantile(middle, 0.05))
        both = np.minimum(along_x, along_y)
        dark = both[(middle <= np.quantile(middle, 0.2)) & (both > 0)]
        dark = dark if len(dark) else both[both > 0]
        # Levels that are not resolved by the digits of the file have no less noise.
        least = 1e-6 * float(np.abs(image).max()) + 1e-30
        sigma = max(float(np.median(dark)) if len(dark) else 0.0, least)
        return cls(image, middle, high, top, (along_x, along_y), zero, sigma)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Return values above the zero level in units of the noise."""
        return (values - self.zero) / self.sigma


class Summary:
    """
    Levels of cells, profiles along both axes, and numbers.

    All levels are above that of the darkest twentieth of the cells, and in units of the
    noise there: pedestal, gain and unit change nothing.
    """

    name = 'frame-1'
    max_pixels: int | None = 3_000_000

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {
            'maps': (_MAPS, _CELLS, _CELLS),
            'profiles': (2, _PROFILES, _BINS),
            'numbers': (_NUMBERS,),
        }
        self.meanings = {
            'maps': 'per cell of a 64x64 grid: median, 97th percentile and maximum as '
            'arcsinh of sigma, logarithms of the noise along x and y, median and 97th '
            'percentile over the largest',
            'profiles': 'along x and y, in 256 bins: largest and least in the bin of '
            'the 10th, 50th and 90th percentile across, as arcsinh of sigma; their '
            'means over the largest',
            'numbers': 'levels, noise, sharp pixels, contrast of the profiles: the '
            'same whichever axis is which',
        }

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return maps, profiles and numbers of one frame."""
        found = _Measured.of(np.asarray(pixels, dtype=np.float32))
        profiles = [_collapsed(found, axis) for axis in (0, 1)]
        return {
            'maps': _maps(found),
            'profiles': np.stack([_binned(each) for each in profiles]),
            'numbers': _numbers(found, profiles),
        }

    def flip(
        self, inputs: dict[str, np.ndarray], y: bool, x: bool
    ) -> dict[str, np.ndarray]:
        """Return the inputs of the flipped frame."""
        dy, dx = (-1 if each else 1 for each in (y, x))
        along_x, along_y = np.moveaxis(inputs['profiles'], -3, 0)
        return {
            'maps': inputs['maps'][..., ::dy, ::dx],
            'profiles': np.stack([along_x[..., ::dx], along_y[..., ::dy]], axis=-3),
            'numbers': inputs['numbers'],
        }


def _maps(found: _Measured) -> np.ndarray:
    middle, high, top = map(found.levels, (found.middle, found.high, found.top))
    scale = max(float(np.quantile(high, 0.995)), 3.0)
    maps = [
        _log(middle),
        _log(high),
        _log(top - middle),
        *(np.log10(noise / found.sigma + 0.1) / 2 for noise in found.noise),
        (middle / scale).clip(-1, 1.5),
        (high / scale).clip(-1, 1.5),
    ]
    return np.stack(maps).astype(np.float32).clip(-3, 3)


def _collapsed(found: _Measured, axis: int) -> np.ndarray:
    """Return the 10th, 50th and 90th percentiles across, (3, pixels of the axis)."""
    # A few hundred pixels across say enough.
    step = max(found.image.shape[axis] // 400, 1)
    rows = found.image[::step] if axis == 0 else found.image[:, ::step].T
    across = np.ascontiguousarray(rows.T)
    return found.levels(np.stack(_ranked(across, 0.1, 0.5, 0.9)))


def _binned(profiles: np.ndarray) -> np.ndarray:
    """Return the largest and least in 256 bins, and means over the largest of all."""
    start, length = _starts(profiles.shape[1], _BINS)
    bins = profiles[:, start[:, None] + np.arange(length)]
    scale = max(float(np.quantile(profiles[2], 0.998)), 3.0)
    return np.concatenate(
        [
            _log(bins.max(axis=2)),
            _log(bins.min(axis=2)),
            (bins.mean(axis=2) / scale).clip(-1, 1.5),
        ]
    ).astype(np.float32)


def _numbers(found: _Measured, profiles: list[np.ndarray]) -> np.ndarray:
    """Return what holds whichever axis is which."""
    image, sigma = found.image, found.sigma
    middle = found.levels(found.middle)
    pixels = found.levels(image[:: max(image.shape[0] // 500, 1)]).ravel()
    levels = [*np.quantile(middle, [0.25, 0.5, 0.75, 0.95, 1.0])]
    levels += [*np.quantile(pixels, [0.001, 0.5, 0.99, 0.999, 1.0])]
    lit = [float((middle > limit).mean()) for limit in (3, 10, 100)]
    noise = np.minimum(*found.noise) / sigma
    noises = np.log10(np.quantile(noise, [0.5, 0.95]) + 0.1)
    sharp, saturated = _sharp(found), float((image >= image.max()).mean())
    contrasts = []
    for profile in profiles:
        wave = profile[1] - np.median(profile[1])
        rough = np.abs(np.diff(profile[1], 2)).mean() if len(wave) > 2 else 0.0
        contrasts.append((_log(wave.std()), _log(rough)))
    ordered = np.sort(np.array(contrasts), axis=0).ravel()
    numbers = [
        *_log(np.array(levels)), *lit, *noises, *sharp,
        np.log10(saturated + 1e-7) / 7 + 1, *ordered,
    ]  # fmt: skip
    return np.array(numbers, dtype=np.float32).clip(-3, 3)


def _sharp(found: _Measured) -> list[float]:
    """Return how many pixels rise above their neighbours, and how long they are."""
    image = found.image
    core = image[1:-1, 1:-1]
    beside = (image[1:-1, :-2], image[1:-1, 2:], image[:-2, 1:-1], image[2:, 1:-1])
    mean_x, mean_y = (beside[0] + beside[1]) / 2, (beside[2] + beside[3]) / 2
    noise = np.median(np.minimum(*found.noise))
    limit = 8 * max(float(noise), found.sigma)
    over_x, over_y = core - mean_x > limit, core - mean_y > limit
    counts = [over_x & over_y, over_x ^ over_y]
    rates = [float(np.log10(each.mean() + 1e-7) / 7 + 1) for each in counts]
    alone = over_x & over_y
    faint = [(np.abs(mean - core) < 0.5 * np.abs(core)) for mean in (mean_x, mean_y)]
    lone = float(alone.sum())
    blurred = sorted(float((alone & each).sum() / (lone + 10)) for each in faint)
    return [*rates, blurred[1], float(blurred[0])]
