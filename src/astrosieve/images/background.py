"""What an image says of its own sky and noise, as a whole and from place to place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std, sigma_clip

from astrosieve.images.pixels import sample_pixels

__all__ = ['Background', 'BackgroundMesh', 'measure_background', 'measure_mesh']

_CELL = 32  # pixels along a side of a cell of the mesh
_PIXELS = 2_000_000  # of the image that are looked at at once
_QUIET = 0.1  # share of the cells that are called quiet
_LOWER = 0.1587  # one standard deviation below the median of a normal distribution


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
