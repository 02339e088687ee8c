"""What the pixels along a line say of classes that lie in straight lines."""

from __future__ import annotations

from functools import cache

import numpy as np

from astrosieve.contaminant.surroundings.cells import clipped_logits
from astrosieve.contaminant.surroundings.fitted import Fitted

__all__ = ['Lines']

_REACH = 16  # cells to either side
_DIRECTIONS = 32  # of lines; none along a row or a column, where detectors fail
_RANGES = ((-5.0, 0.0), (-8.0, -4.0))  # logits of cells that count as such


class Lines(Fitted):
    """
    What lies in a line is likelier where more of the line is there.

    A trail as faint as the noise is hardly likely in one pixel, and certain in five
    hundred along a line. Features are the means of the logits of cells along the line
    of up to 33 cells through each in which they are likeliest, of 32 directions, and
    over all lines through it; for logits that count within -5 and 0, and within -8 and
    -4, so that of what is faint all along a line, as of what is bright in a part of
    it, something is known.
    """

    option = 'lines'
    cell = 16
    n_features = 2 * len(_RANGES)

    @classmethod
    def features(cls, means: np.ndarray, rows: slice) -> np.ndarray:
        n, my, mx = means.shape
        first, last = (max(rows.start - _REACH, 0), min(rows.stop + _REACH, my))
        logits = clipped_logits(means[:, first:last])
        said = np.stack([logits.clip(*each) for each in _RANGES], axis=1)
        edges = (
            (_REACH - rows.start + first, _REACH + rows.stop - last),
            (_REACH, _REACH),
        )
        there = np.pad(np.ones(logits.shape[1:], np.float32), edges)
        wide = np.pad(said, ((0, 0), (0, 0), *edges)).reshape(-1, there.size)
        y, x = np.mgrid[: rows.stop - rows.start, :mx] + _REACH
        flat = (y * there.shape[1] + x).ravel()[:, None]
        best = np.full((len(wide), len(flat)), -np.inf, np.float32)
        total = np.zeros_like(best)
        for down, along in _lines():
            steps = flat + (down * there.shape[1] + along)
            mean = wide[:, steps].sum(axis=2) / there.ravel()[steps].sum(axis=1)
            np.maximum(best, mean, out=best)
            total += mean
        found = np.stack([best, total / _DIRECTIONS], axis=1)
        planes = found.reshape(n, cls.n_features, rows.stop - rows.start, mx)
        return np.moveaxis(planes, 1, 3)

    @classmethod
    def reach(cls, n: int, rows: slice) -> int:
        return rows.stop + _REACH


@cache
def _lines() -> tuple[np.ndarray, ...]:
    """Return the steps (2, N) along y and x to the cells of a line, of each."""
    lines = []
    for turn in np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS:
        along = np.array([np.sin(turn), np.cos(turn)])[:, None]
        longest = np.abs(along).max()
        half = round(_REACH * longest)
        steps = np.arange(-half, half + 1) / longest * along
        lines.append(np.rint(steps).astype(int))
    return tuple(lines)
