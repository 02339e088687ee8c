"""Filters within drizzlepac: TweakReg's own finder, and HAP's cosmic-ray cut."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve import classify_sources as classify_detections
from astrosieve.exceptions import AstrosieveError, OutOfDomainWarning
from astrosieve.images.exposures import read_chips
from astrosieve.models.registry import Model
from astrosieve.source.exposures import classify_chip
from astrosieve_plugins.tweakreg_catalogs.hosts import host_attribute, moved
from astrosieve_plugins.tweakreg_catalogs.selection import (
    MIN_STARS,
    Selection,
    make_selection,
)

__all__ = ['FilteredChip', 'classify_sources', 'filtered_hap', 'filtered_tweakreg']

_FINDER = ('drizzlepac.catalogs', 'ImageCatalog', 'generateXY')
_HAP = 'drizzlepac.haputils.astrometric_utils'
_USE_FILES = (
    'write catalogues with write_catalogs and give them to TweakReg(catfile=...) '
    'instead, or install drizzlepac 3.11'
)
_USE_CLASSIFY = 'classify the catalogue with astrosieve.classify_sources instead'


@dataclass(frozen=True)
class FilteredChip:
    """
    What a filter did to one chip.

    Parameters
    ----------
    path : `~pathlib.Path`
        The exposure.
    extver : int
        The chip.
    table : `~astropy.table.Table`
        All that TweakReg's finder found, classified, in its order.
    kept : (N,) bool `~numpy.ndarray`
        Which rows are kept.
    rule : str
        By which rule.
    """

    path: Path
    extver: int
    table: Table
    kept: np.ndarray
    rule: str


class _Filters:
    """The filters in force; the one entered last is applied, alone."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.active: list[tuple[Selection, list[FilteredChip]]] = []
        self.original: Callable[..., None] | None = None

    def enter(self, item: tuple[Selection, list[FilteredChip]]) -> None:
        with self.lock:
            owner: Any = host_attribute(*_FINDER, instead=_USE_FILES)
            if not self.active:
                self.original = owner.generateXY
                owner.generateXY = _generate
            self.active.append(item)

    def leave(self, item: tuple[Selection, list[FilteredChip]]) -> None:
        with self.lock:
            self.active = [each for each in self.active if each is not item]
            if not self.active:
                owner: Any = host_attribute(*_FINDER, instead=_USE_FILES)
                owner.generateXY = self.original
                self.original = None


_FILTERS = _Filters()


def _generate(catalog: Any, **kwargs: Any) -> None:
    """Stand for ``ImageCatalog.generateXY``: find, classify, keep."""
    with _FILTERS.lock:
        original = _FILTERS.original
        selection, seen = _FILTERS.active[-1]
    assert original is not None  # set for as long as this function is in place
    original(catalog, **kwargs)
    _filter_chip(catalog, selection, seen)


@contextmanager
def filtered_tweakreg(
    keep: Sequence[str] = ('star',),
    *,
    operating_point: str | None = 'balanced',
    model: str | Model = 'source',
    min_stars: int = MIN_STARS,
    **options: Any,
) -> Iterator[list[FilteredChip]]:
    """
    Let TweakReg use its own finder, and filter what it finds.

    ``imagefindcfg``, ``refimagefindcfg``, exclusion and inclusion regions, and
    subarrays are TweakReg's own and work as ever: what its finder gives is
    classified, and only the kept rows go on.

    Parameters
    ----------
    keep : sequence of str, optional
        Classes to keep.
    operating_point : str or None, optional
        Named threshold of the model.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name, path, or a loaded model.
    min_stars : int, optional
        Where fewer rows of an exposure are kept, here its share of each chip, the
        operating point is lowered, then rows of highest ``p_star`` are added, with
        a warning.
    **options
        Further fields of `~astrosieve.source.exposures.ClassifyOptions`.

    Yields
    ------
    seen : list of `FilteredChip`
        Grows by one item for each chip that TweakReg searches.

    Raises
    ------
    AstrosieveError
        If drizzlepac is not installed, or its finder is not where it was.

    Notes
    -----
    It replaces a method of a class of drizzlepac that is not public, for as long as
    the context lasts, and puts it back whatever happens. Contexts may be nested: the
    innermost filters alone.

    Examples
    --------
    TweakReg is called as ever::

        with filtered_tweakreg():
            TweakReg(files, imagefindcfg={'threshold': 50})
    """
    selection = make_selection(
        keep,
        operating_point=operating_point,
        model=model,
        min_stars=min_stars,
        **options,
    )
    seen: list[FilteredChip] = []
    item = (selection, seen)
    _FILTERS.enter(item)
    try:
        yield seen
    finally:
        _FILTERS.leave(item)


def _filter_chip(catalog: Any, selection: Selection, seen: list[FilteredChip]) -> None:
    """Filter what an ``ImageCatalog`` has found, in place."""
    try:
        columns = [np.asarray(column) for column in catalog.xypos]
        path = Path(str(catalog.wcs.filename).partition('[')[0])
        extname, start = catalog.wcs.extname, int(catalog.start_id)
        n_found = int(catalog.num_objects)
    except (AttributeError, TypeError, ValueError) as error:
        where = f'ImageCatalog.xypos, .wcs or .num_objects ({error})'
        raise AstrosieveError(moved(where, _USE_FILES)) from error
    if len(columns) < 4 or any(len(column) != n_found for column in columns):
        raise AstrosieveError(moved('ImageCatalog.xypos', _USE_FILES))
    if n_found == 0:
        return
    ext = f'{extname[0]},{extname[1]}' if isinstance(extname, tuple) else str(extname)
    chip = next(iter(read_chips(path, ext)))
    found = Table({'x_centroid': columns[0] - 1, 'y_centroid': columns[1] - 1})
    found['flux'] = columns[2]
    options = replace(selection.options, columns=None, origin=0)
    table = classify_chip(chip, options, found)
    n_chips = max(1, sum(1 for _ in _versions(path, chip.extname)))
    share = -(-selection.min_stars // n_chips)
    kept, rule = selection.choose(table, chip.name, min_stars=share)
    seen.append(FilteredChip(path, chip.extver, table, kept, rule))
    left = [column[kept] for column in columns]
    # Numbers run on from chip to chip, as the finder's do.
    left[3] = np.arange(int(kept.sum()), dtype=columns[3].dtype) + start
    catalog.xypos = left
    catalog.num_objects = int(kept.sum())
    for name in ('sharp', 'round1', 'round2'):
        values = getattr(catalog, name, None)
        if values is not None and np.ndim(values) == 1 and len(values) == len(kept):
            setattr(catalog, name, np.asarray(values)[kept])


def _versions(path: Path, extname: str) -> list[int]:
    """Return the versions of an extension that a file has."""
    from astropy.io import fits

    with fits.open(path) as hdus:
        return [hdu.ver for hdu in hdus if hdu.name == extname]


def classify_sources(
    catalog: Any,
    fwhm: float,
    sources: tuple[int, int] | None = None,
    *,
    keep: Sequence[str] = ('star',),
    operating_point: str | None = None,
    model: str | Model = 'source',
    **options: Any,
) -> np.ndarray:
    """
    Tell cosmic rays from sources, in the place of HAP's function of this name.

    ``drizzlepac.haputils.astrometric_utils.classify_sources`` looks at the moments
    of segments; this looks at the pixels about their peaks.

    Parameters
    ----------
    catalog : `~photutils.segmentation.SourceCatalog`
        The segments of an image.
    fwhm : float
        FWHM of the point-spread function, pixels.
    sources : tuple of int, optional
        First and last row, the last not included.
    keep : sequence of str, optional
        Classes to keep; 'unscored' stands for what cannot be scored.
    operating_point : str, optional
        Named threshold of the model.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name, path, or a loaded model.
    **options
        Further options of `~astrosieve.classify_sources`, above all ``unit``.

    Returns
    -------
    kept : (N,) int32 `~numpy.ndarray`
        1 for what is kept, 0 for the rest, as HAP expects.

    Raises
    ------
    AstrosieveError
        If the catalogue does not give its image and peaks.
    """
    try:
        image = np.asarray(getattr(catalog, '_data'))  # noqa: B009  (its only name)
        x, y = (_peak(catalog, axis) for axis in 'xy')
    except AttributeError as error:
        msg = (
            f'the catalogue is not one of photutils.segmentation as astrosieve knows '
            f'it ({error}): {_USE_CLASSIFY}'
        )
        raise AstrosieveError(msg) from error
    rows = slice(*(sources or (0, len(x))))
    with warnings.catch_warnings():
        if options.get('unit') is None:
            # HAP hands over pixels without their unit.
            warnings.simplefilter('ignore', OutOfDomainWarning)
        table = classify_detections(
            image,
            np.column_stack([x, y])[rows],
            fwhm=float(fwhm),
            model=model,
            operating_point=operating_point,
            **options,
        )
    names = (keep,) if isinstance(keep, str) else list(keep)
    return np.isin(np.asarray(table['class_name'], dtype=str), names).astype(np.int32)


def _peak(catalog: Any, axis: str) -> np.ndarray:
    """Return where segments are brightest, as photutils 2 or 3 calls it."""
    for name in (f'max_value_{axis}index', f'maxval_{axis}index'):
        if hasattr(type(catalog), name):
            return np.atleast_1d(getattr(catalog, name)).astype(float)
    msg = f'no maxval_{axis}index'
    raise AttributeError(msg)


@contextmanager
def filtered_hap(**options: Any) -> Iterator[None]:
    """
    Put `classify_sources` into the HAP pipeline for as long as the context lasts.

    Parameters
    ----------
    **options
        Keyword options of `classify_sources`.

    Raises
    ------
    AstrosieveError
        If drizzlepac is not installed, or its function is not where it was.

    Examples
    --------
    The pipeline is called as ever::

        with filtered_hap(unit='electron'):
            catalogs = generate_source_catalog(hdus, fwhm=2.0)
    """
    module: Any = host_attribute(_HAP, '', 'classify_sources', instead=_USE_CLASSIFY)
    original = module.classify_sources
    module.classify_sources = partial(classify_sources, **options)
    try:
        yield
    finally:
        module.classify_sources = original
