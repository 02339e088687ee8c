"""
Source finders by name, found through the entry-point group ``astrosieve.finders``.

An entry is a factory: called with ``threshold`` (above the sky, in the image's
unit), ``fwhm`` (pixels) and ``scale`` (electrons per image unit) it returns a
finder, which is called as photutils finders are, ``finder(data, mask=mask)``,
and returns a table or None.

A finder whose detections depend on the pixels near them alone may have an attribute
``reach``: how far, in pixels, a pixel can matter to a detection; its position is
within half of that of its peak, and its rows are in the order of the peaks' pixels.
Large images are searched in bands then, with the same result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from astropy.table import Table, vstack

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.measured import MeasuredImage
from astrosieve.tables.catalogs import position_columns, positions

__all__ = [
    'DEFAULT_FWHM',
    'FinderFactory',
    'detect',
    'get_finder',
    'kernel_width',
    'list_finders',
    'with_saturated',
]

ENTRY_POINT_GROUP = 'astrosieve.finders'

_OWN = 1.0  # pixels from the middle of a plateau: the finder's row stands for it
_BAND = 2_000_000  # pixels that are searched at once: bounds the memory
_SAME = 1e-4  # pixels within which two detections are one
_Y_COLUMNS = ('y_centroid', 'ycentroid', 'y_peak')

DEFAULT_FWHM = 2.0
"""Width that finders are given, pixels, where that of the PSF is not known."""


class FinderFactory(Protocol):
    """What the entry points are."""

    def __call__(
        self, *, threshold: float, fwhm: float, scale: float
    ) -> Callable[..., Table | None]:
        """Return a finder."""


def list_finders() -> list[str]:
    """Return the names of the finders that are installed."""
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


def get_finder(name: str) -> FinderFactory:
    """
    Return a finder factory by name.

    Raises
    ------
    AstrosieveError
        If no distribution registers one of that name.
    """
    found = entry_points(group=ENTRY_POINT_GROUP, name=name)
    if not found:
        msg = f'no finder {name!r}; installed are {", ".join(list_finders()) or "none"}'
        raise AstrosieveError(msg)
    factory: Any = next(iter(found)).load()
    return factory


def kernel_width(image: MeasuredImage) -> float:
    """Return the width that finders are given, pixels: the PSF's where it is known."""
    return DEFAULT_FWHM if image.fwhm is None else image.fwhm


def detect(
    image: MeasuredImage, finder: str = 'dao', *, nsigma: float = 5.0
) -> Table | None:
    """
    Detect sources in an image with a finder of the registry.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image, with or without its sky; pixels that are not usable are masked.
    finder : str, optional
        Name of the finder.
    nsigma : float, optional
        Threshold in units of the sky's noise.

    Returns
    -------
    detections : `~astropy.table.Table` or None
        What the finder returns.
    """
    if not nsigma > 0:
        msg = f'nsigma must be positive; got {nsigma}'
        raise ValueError(msg)
    factory = get_finder(finder)
    background = image.background
    if not background.noise > 0:
        return None
    find = factory(
        threshold=nsigma * background.noise,
        fwhm=kernel_width(image),
        scale=image.electrons_per_unit,
    )
    ny, nx = image.sci.shape
    reach = getattr(find, 'reach', None)
    if reach is None or image.sci.size <= 2 * _BAND:
        return _find(find, image, slice(0, ny))
    rows = max(_BAND // nx, 10 * reach)
    return _find_in_bands(find, image, [*range(0, ny - rows // 2, rows), ny], reach)


def with_saturated(image: MeasuredImage, detections: Table | None) -> Table | None:
    """
    Return detections with one for each group of saturated pixels.

    Finders look for peaks, and a saturated star has none, or several. Of those within a
    pixel of the group's core one that is at most a pixel from its middle stays; where
    there is none, a row is added for the middle. A group with no light about it is no
    star's, however its charge has bled: it gets no row, and the finder's stay.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image; its DQ tells which pixels are saturated, else its flat tops do.
    detections : `~astropy.table.Table` or None
        As from `detect`.

    Returns
    -------
    detections : `~astropy.table.Table` or None
        The finder's rows, in its order, then those that are added: of the columns
        ``peak`` and ``peak_value`` the group's brightest pixel above the sky, of
        ``flux`` and ``flux_2x2`` the sum of its pixels, a lower limit; others are NaN,
        or 0 where they are whole numbers.
    """
    plateaus = image.plateaus
    if not len(plateaus):
        return detections
    if detections is None:
        detections = Table({'id': [0], 'x_centroid': [0.0], 'y_centroid': [0.0]})[:0]
    xy = positions(detections)
    _, core = plateaus.near(xy)
    core[(core >= 0) & plateaus.dark[core]] = -1
    mine = np.flatnonzero(core >= 0)
    away = np.hypot(
        xy[mine, 0] - plateaus.x[core[mine]], xy[mine, 1] - plateaus.y[core[mine]]
    )
    mine, away = mine[np.argsort(away)], np.sort(away)
    found, first = np.unique(core[mine], return_index=True)
    own = away[first] <= _OWN
    keep = core < 0
    keep[mine[first[own]]] = True
    new = np.setdiff1d(np.flatnonzero(~plateaus.dark), found[own])
    table = vstack(
        [detections[keep], _plateau_rows(image, detections, new)],
        metadata_conflicts='silent',
    )
    if 'id' in table.colnames:
        table['id'] = np.arange(1, len(table) + 1)
    return table


def _plateau_rows(image: MeasuredImage, like: Table, chosen: np.ndarray) -> Table:
    """Return rows of groups of saturated pixels, with the columns of a table."""
    plateaus = image.plateaus
    light = image.sci.ravel()[plateaus.pixels].astype(float) - image.background.level
    inner = plateaus.core >= 0
    core, light = plateaus.core[inner], light[inner]
    peak = np.full(len(plateaus), -np.inf)
    np.maximum.at(peak, core, light)
    flux = np.bincount(core, light)
    x_name, y_name, _ = position_columns(like)
    known = {
        'x_peak': np.rint(plateaus.x),
        'y_peak': np.rint(plateaus.y),
        **dict.fromkeys(('peak', 'peak_value'), peak),
        **dict.fromkeys(('flux', 'flux_2x2'), flux),
        x_name: plateaus.x,
        y_name: plateaus.y,
    }
    rows = type(like)()
    for name in like.colnames:
        kind = like[name].dtype
        nothing = np.nan if kind.kind in 'fc' else 0
        values = known.get(name, np.full(len(plateaus), nothing))[chosen]
        rows[name] = values.astype(kind) if kind.kind in 'iufcb' else ''
        rows[name].unit = like[name].unit
    return rows


def _find(
    find: Callable[..., Table | None], image: MeasuredImage, rows: slice
) -> Table | None:
    """Return the detections in some rows of an image; positions count from these."""
    mask = None if image.spoilt is None else image.spoilt[rows] != 0
    data = image.sci[rows] - np.float32(image.background.level)
    if mask is not None:
        data[mask] = 0  # a NaN would spread through the finder's convolution
    return find(data, mask=mask)


def _find_in_bands(
    find: Callable[..., Table | None],
    image: MeasuredImage,
    edges: Sequence[int],
    reach: int,
) -> Table | None:
    """Return the detections of bands of rows that overlap, as the whole image's."""
    tables: list[Table | None] = []
    for low, high in pairwise(edges):
        rows = slice(max(0, low - 2 * reach), min(high + 2 * reach, edges[-1]))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            found = _find(find, image, rows)
        if found is not None:
            for name in _Y_COLUMNS:
                if name in found.colnames:
                    found[name] += rows.start
            _say(said)
        if tables:
            tables[-1], found = _without_overlap(tables[-1], found, low, reach / 2)
        tables.append(found)
    full = [table for table in tables if table is not None and len(table)]
    if not full:
        _say(said)  # the finder's own way to say that there is nothing
        return None
    table = vstack(full, metadata_conflicts='silent')
    if 'id' in table.colnames:
        table['id'] = np.arange(1, len(table) + 1)
    return table


def _say(warned: Iterable[warnings.WarningMessage]) -> None:
    for each in warned:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _without_overlap(
    below: Table | None, above: Table | None, edge: int, near: float
) -> tuple[Table | None, Table | None]:
    """
    Return the detections of two bands, each detection in one of them.

    Both know what lies near the edge, in the same order: they are cut at a detection
    that both have, and where there is none near the edge at the edge itself.
    """
    ends = [
        np.empty((0, 2)) if each is None else positions(each) for each in (below, above)
    ]
    for i in np.flatnonzero(np.abs(ends[0][:, 1] - edge) <= near):
        same = np.flatnonzero((np.abs(ends[1] - ends[0][i]) < _SAME).all(axis=1))
        if below is not None and above is not None and len(same) == 1:
            return below[: i + 1], above[same[0] + 1 :]
    return (
        None if below is None else below[ends[0][:, 1] < edge],
        None if above is None else above[ends[1][:, 1] >= edge],
    )
