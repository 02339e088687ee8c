"""What finders report, against the truth of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table, vstack

from astrosieve.blob.preprocessing import ImagePreprocessing, Prepared
from astrosieve.blob.subframes import SIDE, subframe_boxes, subframe_numbers
from astrosieve.models.metrics import Share
from astrosieve_training.blob.images import prepared_image
from astrosieve_training.blob.matching import match
from astrosieve_training.blob.simulate import SimulatedDifference

__all__ = ['FAINT', 'USUAL', 'Finder', 'Judged', 'judged_images']

USUAL = (0.05, 0.2)
"""Depths of usual blobs."""

FAINT = (0.03, 0.05)
"""Depths of faint ones."""

_NEAR = 3.0  # pixels


@dataclass(frozen=True)
class Finder:
    """
    Something that finds blobs, or tells subframes that have one.

    Parameters
    ----------
    name : str
        What tables call it.
    find : callable
        Takes a simulated difference and the prepared image. Returns a table with ``x``,
        ``y`` and ``score``, the best first, and perhaps ``radius``, ``depth`` and their
        errors; or, of subframes alone, (N,) scores.
    threshold : float
        Lowest score that is reported.
    """

    name: str
    find: Callable[[SimulatedDifference, Prepared], Table | np.ndarray]
    threshold: float


@dataclass(frozen=True)
class Judged:
    """
    What a finder reports of a sample of images.

    Parameters
    ----------
    sample, by : str
        Which images, and who.
    n_images : int
        How many.
    subframes : `~astropy.table.Table`
        ``image``, ``number``, ``depth`` (of the deepest blob whose centre is in it; 0
        for none), ``clear`` (no blob of another one reaches into it), ``called``.
    blobs : `~astropy.table.Table`
        The true ones: ``image``, their own columns, ``edge``, ``close``, ``found``, and
        what was said of them. Without columns, as all below, of who tells subframes
        alone.
    others : `~astropy.table.Table`
        Reported blobs that are none.
    dips : `~astropy.table.Table`
        True dips: ``image``, ``x``, ``y``, ``called``.
    candidates : `~astropy.table.Table`
        ``score`` of all candidates, also of those that are not reported, and ``real``.
    """

    sample: str
    by: str
    n_images: int
    subframes: Table
    blobs: Table = field(default_factory=Table)
    others: Table = field(default_factory=Table)
    dips: Table = field(default_factory=Table)
    candidates: Table = field(default_factory=Table)

    @property
    def places(self) -> bool:
        """Whether it was said where blobs are."""
        return bool(self.blobs.colnames)

    def subframe_share(self, depths: tuple[float, float] | None) -> Share:
        """Return the share of subframes that are called what they are."""
        depth, called = (np.asarray(self.subframes[n]) for n in ('depth', 'called'))
        if depths is None:
            without = (depth == 0) & np.asarray(self.subframes['clear'])
            return Share.of(~called, without)
        return Share.of(called, (depth >= depths[0]) & (depth < depths[1]))

    def found(self, members: np.ndarray) -> Share:
        """Return the share of some true blobs that is found."""
        return Share.of(np.asarray(self.blobs['found']), members)

    def within(self, depths: tuple[float, float]) -> np.ndarray:
        """Return which true blobs are as deep."""
        depth = np.asarray(self.blobs['depth'])
        inside: np.ndarray = (depth >= depths[0]) & (depth < depths[1])
        return inside

    def of_kind(self, kind: str) -> np.ndarray:
        """Return which true blobs are of a kind."""
        chosen: np.ndarray = np.asarray(self.blobs['kind']) == kind
        return chosen


def judged_images(
    sample: str,
    images: Iterable[SimulatedDifference],
    finders: Sequence[Finder],
    prepare: ImagePreprocessing,
) -> list[Judged]:
    """
    Let finders look at images, and compare.

    Parameters
    ----------
    sample : str
        Which images.
    images : iterable of `~astrosieve_training.blob.simulate.SimulatedDifference`
        Images of one shape.
    finders : sequence of `Finder`
        Who is judged.
    prepare : `~astrosieve.blob.preprocessing.ImagePreprocessing`
        Prepares images for finders.

    Returns
    -------
    judged : list of `Judged`
        One for each finder.
    """
    parts: list[list[dict[str, Table]]] = [[] for _ in finders]
    n_images = 0
    for made in images:
        prepared = prepared_image(made, prepare)
        for number, finder in enumerate(finders):
            found = finder.find(made, prepared)
            if isinstance(found, Table):
                tables = _compared(made, found, finder.threshold)
            else:
                tables = _told(made, found, finder.threshold)
            for table in tables.values():
                table['image'] = np.full(len(table), n_images)
            parts[number].append(tables)
        n_images += 1
    return [
        Judged(
            sample,
            finder.name,
            n_images,
            **{
                name: vstack([each[name] for each in own], metadata_conflicts='silent')
                for name in own[0]
            },
        )
        for finder, own in zip(finders, parts, strict=True)
    ]


def _truth(made: SimulatedDifference) -> Table:
    """Return the true blobs, and which are at the edge or close to another."""
    truth = made.blobs.copy()
    ny, nx = made.data.shape
    x, y, radius = (np.asarray(truth[n], dtype=float) for n in ('x', 'y', 'radius'))
    to_edge = np.minimum(np.minimum(x, nx - 1 - x), np.minimum(y, ny - 1 - y)) + 0.5
    away = np.hypot(x[:, None] - x, y[:, None] - y)
    truth['edge'] = to_edge < 1.5 * radius
    truth['close'] = (away < radius[:, None] + radius).sum(axis=1) > 1
    return truth


def _subframes(made: SimulatedDifference) -> Table:
    """Return subframes with the depth of their deepest blob."""
    shape = made.data.shape
    boxes = subframe_boxes(shape)
    depth, clear = np.zeros(len(boxes)), np.ones(len(boxes), bool)
    x, y, radius, depths = (
        np.asarray(made.blobs[n], dtype=float) for n in ('x', 'y', 'radius', 'depth')
    )
    np.maximum.at(depth, subframe_numbers(x, y, shape), depths)
    for number, (rows, columns) in enumerate(boxes):
        across = np.maximum(np.maximum(columns.start - x, x - columns.start - SIDE), 0)
        along = np.maximum(np.maximum(rows.start - y, y - rows.start - SIDE), 0)
        clear[number] = not (np.hypot(across, along) < 1.5 * radius).any()
    return Table({'number': np.arange(len(boxes)), 'depth': depth, 'clear': clear})


def _told(
    made: SimulatedDifference, scores: np.ndarray, threshold: float
) -> dict[str, Table]:
    subframes = _subframes(made)
    subframes['called'] = scores >= threshold
    return {'subframes': subframes}


def _compared(
    made: SimulatedDifference, found: Table, threshold: float
) -> dict[str, Table]:
    truth, subframes = _truth(made), _subframes(made)
    real = match(found['x'], found['y'], truth)
    reported = np.asarray(found['score']) >= threshold
    matched = reported & (real >= 0)
    truth['found'] = np.zeros(len(truth), bool)
    truth['found'][real[matched]] = True
    for name in found.colnames:
        said = np.full(len(truth), np.nan)
        said[real[matched]] = found[name][matched]
        truth[f'said_{name}'] = said
    others = found['x', 'y', 'score'][reported & (real < 0)]
    # What is found beside the border of a subframe counts to that of the true centre.
    shape = made.data.shape
    called = np.zeros(len(subframes), bool)
    called[subframe_numbers(truth['x'], truth['y'], shape)[truth['found']]] = True
    called[subframe_numbers(others['x'], others['y'], shape)] = True
    subframes['called'] = called
    dips = Table({n: np.asarray(made.dips[n], dtype=float) for n in ('x', 'y')})
    away = np.hypot(
        np.asarray(dips['x'])[:, None] - np.asarray(others['x']),
        np.asarray(dips['y'])[:, None] - np.asarray(others['y']),
    )
    reach = np.maximum(np.asarray(made.dips['radius'], dtype=float), _NEAR)
    dips['called'] = (away <= reach[:, None]).any(axis=1)
    candidates = Table({'score': np.asarray(found['score']), 'real': real >= 0})
    return {
        'subframes': subframes,
        'blobs': truth,
        'others': others,
        'dips': dips,
        'candidates': candidates,
    }
