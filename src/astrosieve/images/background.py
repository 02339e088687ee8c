"""What an image says of its own sky and noise, as a whole and from place to place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std, sigma_clip

from astrosieve.images.pixels import sample_pixels

__all__ = [
    'Background',
    'BackgroundMesh',
    'measure_background',
    'measure_mesh',
    'measure_noise',
]

_CELL = 32  # pixels along a side of a cell of the mesh
_PIXELS = 2_000_000  # of the image that are looked at at once
_QUIET = 0.1  # share of the cells that are called quiet
_SAMPLE = 100_000  # pixels among which the least difference is looked for
_LOWER = 0.1587  # one standard deviation below the median of a normal distribution
_SMALL = 0.3, 0.38532  # share of differences, and within how many deviations they are


@dataclass(frozen=True)
class Background:
    """
    Sky of an image.

    Parameters
    ----------
    level : float
        Level, in the image's unit.
    noise : float
        Standard deviation of a pixel, in the image's unit.
    """

    level: float
    noise: float


def measure_background(
    sci: np.ndarray, *, spoilt: np.ndarray | None = None, n_samples: int = 60_000
) -> Background:
    """
    Measure sky level and noise by sigma clipping of an even sample.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.
    n_samples : int, optional
        Pixels to look at.

    Returns
    -------
    background : `Background`
        NaN where there is no usable pixel.
    """
    sample = sample_pixels(sci, n_samples, spoilt=spoilt)
    if not sample.size:
        return Background(float('nan'), float('nan'))
    # Where coarse numbers give most pixels one value, their spread about the median
    # is zero, and the standard deviation has to do.
    spread = mad_std if mad_std(sample) > 0 else np.std
    clipped = sigma_clip(sample, sigma=3, maxiters=10, masked=False, stdfunc=spread)
    # An image without noise: the spread of all its pixels is all there is.
    noise = float(np.std(clipped)) or float(np.std(sample))
    return Background(float(np.median(clipped)), noise)


@dataclass(frozen=True)
class BackgroundMesh:
    """
    Sky of an image from place to place.

    Parameters
    ----------
    x, y : 1D `~numpy.ndarray`
        Middles of the columns and rows of cells, pixels, ascending.
    level, noise : (len(y), len(x)) float32 `~numpy.ndarray`
        Level and standard deviation in each cell, in the image's unit.
    """

    x: np.ndarray
    y: np.ndarray
    level: np.ndarray
    noise: np.ndarray

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Interpolate linearly.

        Parameters
        ----------
        x, y : (N,) `~numpy.ndarray`
            Positions, pixels; beyond the outermost middles the value is theirs.

        Returns
        -------
        level, noise : (N,) float32 `~numpy.ndarray`
        """
        left, right, tx = _neighbours(self.x, x)
        below, above, ty = _neighbours(self.y, y)
        weights = (
            (below, left, (1 - ty) * (1 - tx)),
            (above, left, ty * (1 - tx)),
            (below, right, (1 - ty) * tx),
            (above, right, ty * tx),
        )
        level, noise = (
            sum(plane[row, column] * weight for row, column, weight in weights)
            for plane in (self.level, self.noise)
        )
        return np.asarray(level, np.float32), np.asarray(noise, np.float32)

    def over(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """
        Interpolate linearly in each pixel of a box.

        Parameters
        ----------
        rows, columns : slice
            Pixels, from ``start`` to ``stop``.

        Returns
        -------
        level, noise : (ny, nx) float32 `~numpy.ndarray`
        """
        below, above, ty = _neighbours(self.y, np.arange(rows.start, rows.stop))
        left, right, tx = _neighbours(self.x, np.arange(columns.start, columns.stop))
        ty, tx = ty.astype(np.float32)[:, None], tx.astype(np.float32)
        planes = []
        for plane in (self.level, self.noise):
            lines = plane[below] + ty * (plane[above] - plane[below])
            full = lines[:, right]
            full -= lines[:, left]
            full *= tx
            full += lines[:, left]
            planes.append(full)
        return planes[0], planes[1]

    def smoothed(self) -> BackgroundMesh:
        """Return the mesh of the medians of each cell and its eight neighbours."""
        planes = []
        for plane in (self.level, self.noise):
            wide = np.pad(plane, 1, mode='edge')
            windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3))
            planes.append(np.median(windows, axis=(2, 3)).astype(np.float32))
        return BackgroundMesh(self.x, self.y, *planes)


def _neighbours(
    middles: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the middles on either side of values, and the way between them."""
    low = np.clip(np.searchsorted(middles, values) - 1, 0, max(len(middles) - 2, 0))
    high = np.minimum(low + 1, len(middles) - 1)
    gap = np.where(high > low, middles[high] - middles[low], 1)
    return low, high, np.clip((values - middles[low]) / gap, 0, 1) * (high > low)


def measure_mesh(
    sci: np.ndarray,
    *,
    spoilt: np.ndarray | None = None,
    background: Background | None = None,
) -> BackgroundMesh:
    """
    Measure sky and noise in cells of 32x32 pixels.

    The level is the median; the noise is how far the 15.87th percentile lies below
    it, because sources raise the upper side of the distribution first.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.
    background : `Background`, optional
        Of the whole image; measured where it is not given.

    Returns
    -------
    mesh : `BackgroundMesh`
        A cell without usable pixels has the level and noise of the whole image; no
        cell has less than half of the noise of the quietest tenth. NaN where no pixel
        is usable.
    """
    if not sci.size:
        nothing = np.full((1, 1), np.nan, dtype=np.float32)
        return BackgroundMesh(np.zeros(1), np.zeros(1), nothing, nothing)
    ny, nx = sci.shape
    y0, rows = _cells(ny)
    x0, columns = _cells(nx)
    # A few rows of cells at once: the samples of a large image need much memory.
    some = max(1, _PIXELS // (_CELL * nx))
    level, below = (
        np.concatenate(parts)
        for parts in zip(
            *(
                _percentiles(sci, spoilt, rows[n : n + some], columns)
                for n in range(0, len(rows), some)
            ),
            strict=True,
        )
    )
    with np.errstate(over='ignore'):
        noise = level - below
    known = np.isfinite(level)
    measured = np.isfinite(noise) & (noise > 0)
    if not (known & measured).all():
        whole = background or measure_background(sci, spoilt=spoilt)
        level = np.where(known, level, whole.level)
        noise = np.where(measured, noise, whole.noise)
    # The noise of the whole image holds its gradients: no floor for that of cells.
    floor = 0.5 * np.quantile(noise[measured], _QUIET) if measured.any() else 0.0
    noise = np.maximum(noise, floor)
    return BackgroundMesh(
        x0 + (columns[0][-1] - columns[0][0]) / 2,
        y0 + (rows[0][-1] - rows[0][0]) / 2,
        level.astype(np.float32),
        noise.astype(np.float32),
    )


def measure_noise(sci: np.ndarray, *, spoilt: np.ndarray | None = None) -> np.ndarray:
    """
    Measure the noise of a pixel in the cells of `measure_mesh`.

    It is that of the smallest three tenths of the differences of pixels two apart,
    along rows or along columns, whichever gives less: sources and their edges, stripes
    and defects make large differences.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.

    Returns
    -------
    noise : (cells, cells) float32 `~numpy.ndarray`
        Standard deviation, positive: a cell where nine tenths of the pixels do not
        differ has the median of the others, and none has less than half of the
        quietest tenth. Of numbers as coarse as their noise it holds the rounding. An
        image without noise has the standard deviation of all its pixels, or 1.
    """
    ny, nx = sci.shape
    (_, rows), (_, columns) = _cells(ny), _cells(nx)
    step = _step(sci, spoilt)
    some = max(1, _PIXELS // (_CELL * nx))
    parts = [
        _spread(sci, spoilt, rows[n : n + some], columns, step)
        for n in range(0, len(rows), some)
    ]
    noise = np.concatenate([each for each, _ in parts])
    measured = noise > 0
    varied = np.concatenate([each for _, each in parts]) & measured
    measured = varied if varied.any() else measured
    if not measured.any():
        whole = measure_background(sci, spoilt=spoilt).noise
        return np.full(noise.shape, whole if whole > 0 else 1, np.float32)
    noise[~measured] = np.median(noise[measured])
    floor = 0.5 * np.quantile(noise[measured], _QUIET)
    return np.maximum(noise, floor).astype(np.float32)


def _step(sci: np.ndarray, spoilt: np.ndarray | None) -> float:
    """Return the least difference of neighbours, 0 where there is none."""
    rows = slice(None, None, max(1, sci.size // _SAMPLE))
    with np.errstate(all='ignore'):
        steps = np.abs(np.diff(sci[rows], axis=1))
    good = np.isfinite(steps) & (steps > 0)
    if spoilt is not None:
        good &= (spoilt[rows, 1:] == 0) & (spoilt[rows, :-1] == 0)
    return float(steps[good].min()) if good.any() else 0.0


def _spread(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    rows: np.ndarray,
    columns: np.ndarray,
    step: float,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the noise in cells, and whether it is that of more than a few pixels.

    What numbers are rounded to is spread out, so that its place among the ranks does
    not jump. The noise is 0 where it is not known.
    """
    shape = (*rows.shape, *columns.shape)
    sample = sci[rows.ravel()][:, columns.ravel()].astype(np.float32)
    if spoilt is not None:
        sample[spoilt[rows.ravel()][:, columns.ravel()] != 0] = np.nan
    sample = sample.reshape(shape)
    best = np.full((shape[0], shape[2]), np.inf, np.float32)
    varied = np.ones(best.shape, bool)
    rng = np.random.default_rng(0)
    share, deviations = _SMALL
    for axis in (1, 3):
        with np.errstate(all='ignore'):
            each = np.diff(sample, axis=axis).transpose(0, 2, 1, 3)
            each = each.reshape(*best.shape, -1)
            rounding = step * rng.triangular(-1, 0, 1, each.shape)
            spread = np.abs(each + rounding.astype(np.float32))
        known = np.isfinite(spread).sum(axis=2)
        enough = known >= max(1, each.shape[2] // 16)
        plain = _ranked(np.abs(each), known, 1 - _QUIET)
        noise = _ranked(spread, known, share)
        noise /= np.float32(deviations * np.sqrt(2))
        varied &= (plain > 0) | ~enough
        best = np.fmin(best, np.where(enough, noise, np.inf))
    known = np.isfinite(best)
    return np.where(known, best, 0), varied & known


def _ranked(values: np.ndarray, known: np.ndarray, share: float) -> np.ndarray:
    """Return the value that a share of those known lie below; NaN is not known."""
    n = values.shape[2]
    if not n:
        return np.zeros(known.shape, np.float32)
    k = np.minimum((share * known).astype(int), np.maximum(known - 1, 0))
    if (known == n).all():
        place = int(k.flat[0])
        return np.partition(values, place, axis=2)[:, :, place]
    ranked = np.sort(values, axis=2)  # NaN last
    return np.take_along_axis(ranked, k[:, :, None], axis=2)[:, :, 0]


def _percentiles(
    sci: np.ndarray, spoilt: np.ndarray | None, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return median and 15.87th percentile of cells; a NaN median is not known."""
    sample = _in_cells(sci, rows, columns).astype(np.float32)
    if spoilt is None:
        n = sample.shape[2]
        low, middle = int(_LOWER * n), n // 2
        ranked = np.partition(sample, [low, middle], axis=2)
        return ranked[:, :, middle], ranked[:, :, low]
    sample[_in_cells(spoilt, rows, columns) != 0] = np.nan
    ranked = np.sort(sample, axis=2)  # NaN last
    n = np.isfinite(ranked).sum(axis=2)
    level, below = (
        np.take_along_axis(ranked, k[:, :, None], axis=2)[:, :, 0]
        for k in (n // 2, (_LOWER * n).astype(int))
    )
    enough = n >= max(1, sample.shape[2] // 16)
    return np.where(enough, level, np.nan), below


def _cells(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where cells begin along an axis, and the pixels looked at in each."""
    side = min(_CELL, n)
    begin = np.linspace(0, n - side, max(1, n // _CELL)).round().astype(int)
    step = 2 if side >= _CELL // 2 else 1
    return begin, begin[:, None] + np.arange(0, side, step)


def _in_cells(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the looked-at pixels of each cell, (cells in y, cells in x, pixels)."""
    grid = image[rows.ravel()][:, columns.ravel()]
    shape = (*rows.shape, *columns.shape)
    return grid.reshape(shape).transpose(0, 2, 1, 3).reshape(shape[0], shape[2], -1)
