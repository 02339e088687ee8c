"""What lies along the brightest traces of a frame, followed as they bend."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from astrosieve.frametype.preprocessing.numbers import (
    Levels,
    binned,
    compressed,
    smoothed,
)

__all__ = ['LINES', 'MIRRORED', 'TRACES', 'traces']

TRACES = 3
_BLOCKS = 64
_SEEN = 8  # pixels of a block along the trace; without the largest and the least
_SLOPE = 0.25  # pixels across for one along, at most
_REACH = 8  # pixels across that a trace moves from block to block, at most
_BEND = 0.03  # what a pixel of such a move costs
_BESIDE = 32  # part of the frame at either side, that a trace is compared with
_APART = 12  # traces, at least: this part of the frame, in pixels
_ALONE = 8  # pixels apart, at least
# Pixels from the trace, of the middle and of each group at a side.
_EDGES = (0, 2, 4, 6, 9, 13, 19, 27)
_SIDES = len(_EDGES) - 2
_WIDTH = 2 * _SIDES + 1
LINES = _WIDTH + 4
# Which line stands where when what is across is flipped.
MIRRORED = (*range(_WIDTH - 1, -1, -1), *range(_WIDTH, LINES))


def _contrast(found: Levels, image: np.ndarray) -> np.ndarray:
    """Return how bright each line of each block is, above those at its sides."""
    n, along = image.shape
    columns = np.linspace(0, along, _BLOCKS + 1)
    first, last = columns[:-1].astype(int), np.ceil(columns[1:]).astype(int) - 1
    steps = np.arange(_SEEN // 2)[:, None] * (last - first) // (_SEEN - 1)
    places = np.concatenate([first + steps, last - steps]).T  # the same from either end
    seen = image[:, places.T].transpose(1, 0, 2)  # (pixels of a block, across, blocks)
    level = seen.sum(axis=0) - seen.max(axis=0) - seen.min(axis=0)
    level = found.of(level / (_SEEN - 2)).astype(float)
    # Above both sides: a step of the level (a border, an amplifier) is no trace.
    wide = max(n // _BESIDE, 1) | 1
    about, rows = smoothed(level, wide), np.arange(n)
    away = wide // 2 + 2
    below, above = about[(rows - away).clip(0)], about[(rows + away).clip(None, n - 1)]
    fine = smoothed(level, 3) - np.maximum(below, above)
    return np.ascontiguousarray(compressed(fine).T)


def _best(contrast: np.ndarray, reach: int) -> np.ndarray:
    """Return the brightest path from the first block to the last."""
    blocks, n = contrast.shape
    padded = np.full(n + 2 * reach, -np.inf)
    total = padded[reach:-reach]
    total[:] = contrast[0]
    moves = np.arange(-reach, reach + 1)
    cost = _BEND * np.abs(moves)[:, None]
    # What each line is reached from: a row for each move.
    reached = np.lib.stride_tricks.sliding_window_view(padded, n)
    taken = np.empty((blocks, n), dtype=int)
    for block in range(1, blocks):
        sums = reached - cost
        taken[block] = sums.argmax(axis=0)
        total[:] = sums.max(axis=0) + contrast[block]
    path = np.empty(blocks, dtype=int)
    path[-1] = int(np.argmax(total))
    for block in range(blocks - 1, 0, -1):
        path[block - 1] = path[block] + moves[taken[block, path[block]]]
    return path


def _paths(contrast: np.ndarray, along: int) -> list[np.ndarray]:
    """Return the brightest paths, each some way from those before."""
    n = contrast.shape[1]
    reach = int(np.clip(np.ceil(_SLOPE * along / _BLOCKS), 1, _REACH))
    apart = max(n // _APART, _ALONE)
    free, lines, paths = contrast.copy(), np.arange(n), []
    for _ in range(TRACES):
        path = _best(free, reach)
        free[np.abs(lines - path[:, None]) <= apart] = -1.0
        paths.append(path)
    return paths


def _groups(found: Levels, image: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Return means of the pixels about a path, by their distance from it."""
    n, along = image.shape
    middles = (np.arange(_BLOCKS) + 0.5) * along / _BLOCKS - 0.5
    rows = np.interp(np.arange(along), middles, path).round().astype(int)
    far = _EDGES[-1] - 1
    offsets = np.arange(-far, far + 1)[:, None]
    about = image[(rows + offsets).clip(0, n - 1), np.arange(along)]
    sides = [slice(a + far, b + far) for a, b in pairwise(_EDGES[1:])]
    groups = [
        *(about[::-1][each].mean(axis=0) for each in sides[::-1]),
        about[far - 1 : far + 2].mean(axis=0),
        *(about[each].mean(axis=0) for each in sides),
    ]
    return found.of(np.stack(groups))


def _lines(groups: np.ndarray) -> np.ndarray:
    """Return the lines of one trace, (LINES, BINS)."""
    bins = binned(groups)
    means = bins.mean(axis=2)
    middle = bins[_SIDES]
    sky = (bins[1] + bins[-2]) / 2  # before the last group, which may be another's
    scale = max(float(np.quantile(means[_SIDES], 0.98)), 3.0)
    return np.concatenate(
        [
            compressed(means),
            compressed(middle.max(axis=1))[None],
            compressed(middle.min(axis=1))[None],
            (means[_SIDES] / scale).clip(-1, 1.5)[None],
            compressed((middle - sky).mean(axis=1))[None],
        ]
    )


def traces(found: Levels, image: np.ndarray) -> np.ndarray:
    """
    Follow the brightest traces of a frame, along its second axis.

    A trace is where the sum of the contrast over 64 blocks of the axis is largest, of
    all paths that move little from block to block. An order has a star's spectrum
    there, or a lamp's; beside it are the sky, and the ends of the slit.

    Parameters
    ----------
    found : `Levels`
        Level and noise of the frame.
    image : 2D `~numpy.ndarray`
        Its pixels, or the transposed ones.

    Returns
    -------
    lines : (TRACES, LINES, BINS) float32 `~numpy.ndarray`
        Of each trace, the brightest first: means across of the groups of pixels at a
        distance of up to 26 on one side, on it, and on the other, as arcsinh of sigma;
        largest and least on it; means over nearly the largest; what it has above both
        sides.
    """
    image = np.ascontiguousarray(image)
    paths = _paths(_contrast(found, image), image.shape[1])
    made = np.stack([_lines(_groups(found, image, path)) for path in paths])
    return made.astype(np.float32).clip(-3, 3)
