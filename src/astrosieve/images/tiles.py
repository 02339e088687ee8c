"""Tiles of an image: cut, given to a network, and blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

__all__ = ['Tiling', 'cut_axis', 'run_tiles']


@dataclass(frozen=True)
class Tiling:
    """
    Squares that cover an image.

    Parameters
    ----------
    shape : (int, int)
        Shape of the image, (ny, nx).
    size : int
        Side of a tile, pixels.
    overlap : int
        Pixels that neighbours share, at least: the last tile of a row or column ends
        where the image does.

    Raises
    ------
    ValueError
        If a number cannot be.
    """

    shape: tuple[int, int]
    size: int
    overlap: int

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.size < 1:
            msg = f'an image of {self.shape} and tiles of {self.size} must have pixels'
            raise ValueError(msg)
        if not 0 <= self.overlap <= self.size // 2:
            msg = (
                f'overlap must lie between 0 and half of the size, {self.size // 2}; '
                f'got {self.overlap}'
            )
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self._starts(0)) * len(self._starts(1))

    def boxes(self) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns of each tile, row by row; small images have one."""
        for y, x in product(self._starts(0), self._starts(1)):
            yield (
                slice(y, min(y + self.size, self.shape[0])),
                slice(x, min(x + self.size, self.shape[1])),
            )

    def weights(self) -> Iterator[np.ndarray]:
        """Yield the share that each tile has in its pixels; they sum to one."""
        rows, columns = (list(self._shares(axis)) for axis in (0, 1))
        for y, x in product(rows, columns):
            yield np.outer(y, x)

    def _starts(self, axis: int) -> list[int]:
        last = max(self.shape[axis] - self.size, 0)
        return [*range(0, last, self.size - self.overlap), last]

    def _shares(self, axis: int) -> Iterator[np.ndarray]:
        """
        Yield the shares of tiles along an axis.

        They rise over the middle half of an overlap; the quarter at the edge of a
        tile, which is not one of the image, counts for nothing.
        """
        n = self.shape[axis]
        length = min(self.size, n)
        middles = np.arange(length, dtype=np.float32) + 0.5
        total = np.zeros(n, dtype=np.float32)
        starts = self._starts(axis)
        ramps = []
        for start in starts:
            inward = np.minimum(
                middles if start > 0 else np.inf,
                length - middles if start + length < n else np.inf,
            )
            width = max(self.overlap / 2, 0.5)
            ramp = np.clip((inward - self.overlap / 4) / width, 0, 1)
            ramps.append(np.broadcast_to(ramp, length))
            total[start : start + length] += ramp
        for start, ramp in zip(starts, ramps, strict=True):
            yield (ramp / total[start : start + length]).astype(np.float32)


def run_tiles(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tiling: Tiling,
    *,
    out: np.ndarray,
    chunk: int,
) -> None:
    """
    Run a network over an image, tile by tile.

    What a network says of a pixel from within a quarter of the overlap about it is
    said as of the whole image.

    Parameters
    ----------
    predict : callable
        Takes tiles (n, size, size), n at most ``chunk``, returns (n, C, size, size).
        An image smaller than a tile is continued by its last row and column.
    image : (ny, nx) `~numpy.ndarray`
        Image, or a memory map.
    tiling : `Tiling`
        Where to cut it.
    out : (C, ny, nx) float `~numpy.ndarray`
        Array or memory map to write to.
    chunk : int
        Tiles at a time; with the tiles' size it bounds the memory.

    Raises
    ------
    ValueError
        If image or output do not fit the tiling.
    """
    if image.shape != tiling.shape or out.shape[1:] != tiling.shape:
        msg = f'image {image.shape} and out {out.shape} must fit {tiling.shape}'
        raise ValueError(msg)
    out[...] = 0
    waiting: list[tuple[tuple[slice, slice], np.ndarray]] = []

    def finish() -> None:
        maps = predict(np.stack([_tile(image, box, tiling.size) for box, _ in waiting]))
        for (box, weight), values in zip(waiting, maps, strict=True):
            ny, nx = weight.shape
            out[(slice(None), *box)] += weight * values[:, :ny, :nx]
        waiting.clear()

    for each in zip(tiling.boxes(), tiling.weights(), strict=True):
        waiting.append(each)
        if len(waiting) == chunk:
            finish()
    if waiting:
        finish()


def _tile(image: np.ndarray, box: tuple[slice, slice], size: int) -> np.ndarray:
    tile = image[box]
    missing = [(0, size - n) for n in tile.shape]
    return np.pad(tile, missing, mode='edge') if any(m for _, m in missing) else tile


def cut_axis(
    n: int, *, size: int, overlap: int, step: int
) -> list[tuple[slice, slice]]:
    """
    Cut an axis into pieces that overlap, and say what of each counts.

    Parameters
    ----------
    n : int
        Pixels.
    size, overlap : int
        Longest piece, and what neighbours share at least, multiples of ``step``.
    step : int
        What the first pixel and the length of each piece are multiples of, as the
        grids of a network want it.

    Returns
    -------
    pieces : list of (slice, slice)
        Pieces, all of one length, of which the last may end beyond the axis; and what
        is taken from each, every pixel from where the edges are farther.
    """
    whole = -(-n // step) * step
    number = max(-(-(whole - overlap) // (size - overlap)), 1)
    length = -(-(whole + (number - 1) * overlap) // (number * step)) * step
    starts = [min(k * (length - overlap), whole - length) for k in range(number)]
    ends = [(b + a + length) // 2 for a, b in pairwise(starts)]
    return [
        (slice(start, start + length), slice(first, last))
        for start, first, last in zip(starts, [0, *ends], [*ends, n], strict=True)
    ]
