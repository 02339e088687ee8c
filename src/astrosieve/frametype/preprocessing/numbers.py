"""What is measured of a frame, whatever its size: the same for all its flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    'AXIS_NUMBERS',
    'BINS',
    'NUMBERS',
    'Levels',
    'axis_numbers',
    'binned',
    'brightest',
    'compressed',
    'numbers',
    'smoothed',
    'spread',
    'starts',
]

NUMBERS = 41
AXIS_NUMBERS = 33
BINS = 256
_TINY = 1e-9
_LAGS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Levels:
    """
    Level, noise and cells of a frame.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Pixels.
    middle, high, top : 2D `~numpy.ndarray`
        Of each cell the median, the 97th percentile and the maximum.
    noise : tuple of 2D `~numpy.ndarray`
        Of each cell, from neighbours along x and along y.
    zero, sigma : float
        Level and noise of the darkest cells.
    """

    image: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    top: np.ndarray
    noise: tuple[np.ndarray, np.ndarray]
    zero: float
    sigma: float

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return values above the zero level in units of the noise."""
        return (values - self.zero) / self.sigma

    @property
    def least_noise(self) -> np.ndarray:
        """Noise of each cell in units of that of the darkest."""
        return np.minimum(*self.noise) / self.sigma

    @property
    def flattened(self) -> np.ndarray:
        """Levels of the cells without what whole rows and columns share."""
        middle = self.of(self.middle)
        rows, columns = (np.quantile(middle, 0.2, axis=axis) for axis in (1, 0))
        return middle - rows[:, None] - columns + np.quantile(middle, 0.2)


def starts(size: int, n: int) -> tuple[np.ndarray, int]:
    """Return first pixels and length of n windows that cover an axis."""
    length = -(-size // n)
    return np.linspace(0, size - length, n).round().astype(int), length


def binned(profiles: np.ndarray) -> np.ndarray:
    """Return the pixels of 256 bins, (..., 256, pixels of one)."""
    start, length = starts(profiles.shape[-1], BINS)
    return profiles[..., start[:, None] + np.arange(length)]


def spread(n: int, most: int) -> np.ndarray:
    """Return some hundred places of n, the same from either end."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(int)


def compressed(values: np.ndarray | float) -> np.ndarray:
    """Return levels in units of the noise, compressed; 1 is about 1000 sigma."""
    return np.arcsinh(np.asarray(values) / 2) / 7


def _share(values: list[float]) -> list[float]:
    """Return shares as logarithms, from 0 for one in ten millions to 1."""
    return list(np.log10(np.asarray(values) + 1e-7) / 7 + 1)


def _parts(values: np.ndarray) -> list[float]:
    """Return which shares of a variance are of rows, of columns, of neither."""
    total = values.var() + _TINY
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - columns + values.mean()
    alone = sorted((rows.var() / total, columns.var() / total))
    return [*alone, rest.var() / total]


def _transfer(found: Levels) -> list[float]:
    """Return how the noise grows with the level: of photons, of steps, of nothing."""
    level = found.of(found.middle).astype(float).ravel()
    noise = found.least_noise.ravel() ** 2
    lit = level >= np.quantile(level, 0.2)
    x, y = np.log1p(np.maximum(level[lit], 0)), np.log(noise[lit] + 0.01)
    dx, dy = x - x.mean(), y - y.mean()
    slope = (dx * dy).sum() / ((dx**2).sum() + 1.0)
    match = (dx * dy).sum() / np.sqrt((dx**2).sum() * (dy**2).sum() + 1e-6)
    return [slope, match, y.mean() / 7, dy.std() / 3]


def _sharp(found: Levels) -> list[float]:
    """Return how many pixels rise above their neighbours, and how long they are."""
    image = found.image
    core = image[1:-1, 1:-1]
    beside = (image[1:-1, :-2], image[1:-1, 2:], image[:-2, 1:-1], image[2:, 1:-1])
    mean_x, mean_y = (beside[0] + beside[1]) / 2, (beside[2] + beside[3]) / 2
    noise = float(np.median(np.minimum(*found.noise)))
    limit = 8 * max(noise, found.sigma)
    over_x, over_y = core - mean_x > limit, core - mean_y > limit
    alone = over_x & over_y
    found_there = np.flatnonzero(alone)
    height = core.ravel()[found_there] - np.maximum(mean_x, mean_y).ravel()[found_there]
    counts = [alone.mean(), (over_x ^ over_y).mean()]
    counts += [float((height > 10 * limit).sum()) / core.size]
    dark = np.maximum(mean_x, mean_y) - core > limit
    counts.append(dark.mean())
    # A hit is sharp along both axes, yet has a neighbour that is bright too.
    best = np.maximum.reduce([each.ravel()[found_there] for each in beside])
    worst = np.minimum(mean_x, mean_y).ravel()[found_there]
    joined = (best - worst > 0.3 * (core.ravel()[found_there] - worst)).sum()
    return [*_share(counts), float(joined) / (len(found_there) + 10)]


def numbers(found: Levels) -> np.ndarray:
    """Return what holds whichever axis is which, (NUMBERS,)."""
    image = found.image
    middle, flattened = found.of(found.middle), found.flattened
    ny, nx = image.shape
    inner = image[ny // 10 : ny - ny // 10, nx // 10 : nx - nx // 10]
    few = np.ix_(*(spread(size, 700) for size in inner.shape))
    pixels = found.of(inner[few]).ravel()
    levels = [*np.quantile(middle, [0.25, 0.5, 0.75, 0.95, 1.0])]
    levels += [*np.quantile(pixels, [0.001, 0.5, 0.9, 0.99, 0.999, 1.0])]
    levels += [*np.quantile(flattened, [0.02, 0.5, 0.9, 0.98, 1.0])]
    lit = [float((middle > limit).mean()) for limit in (3, 10, 100)]
    lit += [float((flattened > limit).mean()) for limit in (1, 5, 50)]
    noises = np.log10(np.quantile(found.least_noise, [0.5, 0.95]) + 0.1)
    top = float(image.max())
    full = [
        (image >= top).mean(),
        (image > found.zero + 0.9 * (top - found.zero)).mean(),
    ]
    found_numbers = [
        *compressed(np.array(levels)), *lit, *noises, *_sharp(found), *_share(full),
        *_parts(compressed(middle)), *_parts(compressed(flattened)), *_transfer(found),
    ]  # fmt: skip
    return np.array(found_numbers, dtype=np.float32).clip(-3, 3)


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """Return means along the first axis, over windows of an odd width."""
    width = min(width, len(values) // 2 * 2 - 1)
    half = width // 2
    edges = [(half + 1, half), *[(0, 0)] * (values.ndim - 1)]
    sums = np.cumsum(np.pad(values, edges, mode='edge'), axis=0, dtype=float)
    return (sums[width:] - sums[:-width]) / width


def _fine(profile: np.ndarray) -> np.ndarray:
    """Return a profile without what is broad."""
    return profile - smoothed(profile, max(len(profile) // 16, 3) | 1)


def _match(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two profiles, at best over small shifts."""
    reach = max(len(first) // 50, 1)
    a, b = (each.astype(float) - each.mean() for each in (first, second))
    size = np.sqrt((a**2).sum() * (b**2).sum()) + _TINY
    n = len(a) + reach
    power = np.fft.rfft(a, 2 * n) * np.conj(np.fft.rfft(b, 2 * n))
    across = np.fft.irfft(power, 2 * n)
    best = max(across[: reach + 1].max(), across[-reach:].max())
    return float(best / size)


def _peaks(fine: np.ndarray, noise: float) -> list[float]:
    """Return how many peaks a profile has, how broad and how alike they are."""
    limit = max(6 * noise, 0.04 * float(fine.max()))
    over = np.concatenate([[False], fine > limit, [False]])
    starts, ends = (np.flatnonzero(over[1:] & ~over[:-1]),
                    np.flatnonzero(~over[1:] & over[:-1]))  # fmt: skip
    if not len(starts):
        return [0.0, 0.0, 0.0, 0.0]
    width = ends - starts
    return [
        np.log1p(len(starts)) / 5,
        np.log1p(float(np.median(width))) / 5,
        float(width.sum()) / len(fine),
        float(np.std(width) / np.mean(width)),
    ]


def _moments(values: np.ndarray) -> list[float]:
    """Return skewness and peakedness, compressed."""
    away = values.astype(float) - np.median(values)
    away /= away.std() + 1e-9
    return [float(np.arcsinh((away**n).mean())) / (2 * n - 2) for n in (3, 4)]


def _repeats(fine: np.ndarray) -> list[float]:
    """
    Return how alike a profile is to itself, moved; how far, and moved twice so far.

    A focus run shows one scene several times at equal steps.
    """
    n = len(fine)
    power = np.abs(np.fft.rfft(fine - fine.mean(), 2 * n)) ** 2
    likeness = np.fft.irfft(power, 2 * n)[:n]
    likeness /= likeness[0] + _TINY
    apart = np.flatnonzero(likeness < 0.1)
    if not len(apart) or not 0 < apart[0] < n // 2:
        return [0.0, 0.0, 0.0]
    at = int(apart[0] + np.argmax(likeness[apart[0] : n // 2]))
    twice = likeness[max(2 * at - 1, 0) : 2 * at + 2]
    again = float(twice.max()) if len(twice) else 0.0
    return [float(likeness[at]), float(np.log10(at / n)) / 3, again]


def brightest(found: Levels, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the brightest line of pixels above the others, and these, smoothed.

    ``across`` is the image with the line along its second axis: a trace has a star's
    spectrum there, a line of a lamp the slit, a hit next to nothing.
    """
    middle = np.median(across[:, spread(across.shape[1], 300)], axis=1)
    at = int(np.argmax(_fine(middle)))
    line = found.of(across[max(at - 1, 0) : at + 2].mean(axis=0))
    others = found.of(np.median(across[spread(len(across), 200)], axis=0))
    line, others = (smoothed(each, 3) for each in (line, others))
    return line - others, others


def _along(excess: np.ndarray, others: np.ndarray) -> list[float]:
    """Return what lies along the brightest line."""
    low, half, high = np.quantile(excess, [0.1, 0.5, 0.9])
    rough = np.abs(_fine(excess)).mean()
    return [
        *compressed(np.array([low, half, high])),
        float(rough / (abs(half) + rough + 1)),
        _match(excess + others, others),
        float(compressed(rough)),
    ]


def axis_numbers(
    profile: np.ndarray, excess: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """
    Return what holds along one axis, (AXIS_NUMBERS,).

    Parameters
    ----------
    profile : (6, N) `~numpy.ndarray`
        10th, 50th, 90th percentile across, and medians of three parts across, in units
        of the noise.
    excess, others : (M,) `~numpy.ndarray`
        What lies along the brightest line at right angles, see `brightest`.
    """
    low, middle, high = profile[:3]
    parts = profile[3:]
    fine, fine_high = _fine(middle), _fine(high)
    noise = 1.4826 * float(np.median(np.abs(np.diff(fine)))) / np.sqrt(2) + 1e-3
    thirds = [_fine(each) for each in parts]
    ends = _match(thirds[0], thirds[2])
    near = (_match(thirds[0], thirds[1]) + _match(thirds[2], thirds[1])) / 2
    wave = (middle - middle.mean()).astype(float)
    spread = (wave**2).mean() + _TINY
    n = len(wave)
    lags = [
        float((wave[lag:] * wave[:-lag]).mean() / spread) if lag < n else 0.0
        for lag in _LAGS
    ]
    base = float(np.quantile(middle, 0.1))
    values = [
        *compressed(
            np.array([
                wave.std(), fine.std(), fine.max(), -fine.min(), fine_high.std(),
                (high - middle).mean(), (middle - low).mean(), noise,
            ])
        ),
        *_peaks(fine, noise), *_moments(fine), *_moments(wave), ends, near, *lags,
        float((middle - base > 5).mean()),
        float((middle - base > 0.3 * (middle.max() - base)).mean()),
        *_along(excess, others), *_repeats(fine),
    ]  # fmt: skip
    return np.array(values, dtype=np.float32).clip(-3, 3)
