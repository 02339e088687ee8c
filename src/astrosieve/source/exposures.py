"""Classified source catalogues of whole exposures: detect, classify, collect."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Row, Table, vstack

from astrosieve.classes import UNSCORED
from astrosieve.exceptions import AstrosieveWarning, CatalogError
from astrosieve.images.effective_psf import fit_positions
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.trails import common_trail
from astrosieve.models.registry import Model, load_model
from astrosieve.source.classify import classify_image
from astrosieve.source.explain import Explanation, explain_image
from astrosieve.source.finders import DEFAULT_FWHM, detect, with_saturated
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.widths import star_chooser
from astrosieve.tables.catalogs import add_classes, fill_masked, positions

__all__ = [
    'ClassifyOptions',
    'classify_chip',
    'classify_exposure',
    'explain_row',
]

_FITTED = ('x_fit', 'y_fit', 'x_err', 'y_err')
_NO_DETECTIONS = QTable({'id': [0], 'x_centroid': [0.0], 'y_centroid': [0.0]})[:0]


@dataclass(frozen=True)
class ClassifyOptions:
    """
    How exposures are searched and classified.

    Parameters
    ----------
    finder : str
        Name in the registry of finders.
    fwhm : float or None
        FWHM of the point-spread function, pixels. Finders take it as it is, networks
        weighed with that of the stars; None estimates it.
    nsigma : float
        Detection threshold in units of the sky's noise.
    saturated : bool
        Whether groups of saturated pixels, in which finders see no peak or several,
        have a row each.
    unit, gain, exptime
        What to use in place of the header's.
    model : str or `~astrosieve.models.registry.Model`
        Name, path, or a loaded model.
    operating_point : str or None
        Named threshold of the model.
    prior : dict of str to float
        Expected mix of classes.
    cosmic_ray_hint : bool
        Whether the cosmic-ray bits of DQ count.
    columns : tuple of str or None
        Position columns of given catalogues.
    origin : float or None
        Coordinate of the first pixel's centre in given catalogues; None for what
        their columns say.
    """

    finder: str = 'dao'
    fwhm: float | None = None
    nsigma: float = 5.0
    saturated: bool = True
    unit: str | None = None
    gain: float | None = None
    exptime: float | None = None
    model: str | Model = 'source'
    operating_point: str | None = None
    prior: Mapping[str, float] = field(default_factory=dict)
    cosmic_ray_hint: bool = True
    columns: tuple[str, str] | None = None
    origin: float | None = None

    def loaded(self) -> ClassifyOptions:
        """Return the same with the model itself in place of its name."""
        return replace(self, model=load_model(self.model, task='source'))

    def measured(self, chip: Chip) -> MeasuredImage:
        """Return a chip with what is known of it; what is said here comes first."""
        return MeasuredImage.of_chip(
            chip,
            unit=self.unit,
            gain=self.gain,
            exptime=self.exptime,
            fwhm=self.fwhm,
            likely_stars=star_chooser(load_model(self.model, task='source')),
        )

    def for_model(self) -> dict[str, Any]:
        """Return what the model is told, whatever the image."""
        return {
            'model': self.model,
            'operating_point': self.operating_point,
            'prior': self.prior,
            'cosmic_ray_hint': self.cosmic_ray_hint,
        }


def _detect(image: MeasuredImage, options: ClassifyOptions, name: str) -> Table:
    """Return a finder's detections, an empty table where there are none."""
    trail = common_trail(image.sci, background=image.background, spoilt=image.spoilt)
    if trail is not None:
        msg = (
            f'{name}: the stars are trailed: {trail.number} of {trail.total} bright '
            f'sources are {trail.length:.0f} pixels long at {trail.angle:.0f} degrees '
            'from +x. Trails are called extended; what is called star is none of them'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=4)
    if image.fwhm is None:
        msg = (
            f'{name}: too few stars to estimate the width of the PSF; the finder '
            f'takes {DEFAULT_FWHM} pixels. Give fwhm='
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=4)
    noise = image.background.noise
    if not noise > 0:
        what = 'one value only' if noise == 0 else 'no finite, unmasked pixel'
        msg = f'{name}: the image has {what}: nothing can be detected'
        warnings.warn(msg, AstrosieveWarning, stacklevel=4)
        return _NO_DETECTIONS.copy()
    found = detect(image, options.finder, nsigma=options.nsigma)
    if options.saturated:
        found = with_saturated(image, found)
    if found is None:
        return _NO_DETECTIONS.copy()
    table = QTable(found)
    table.meta.pop('date', None)  # the same image has the same catalogue at any time
    return table


def classify_chip(
    chip: Chip,
    options: ClassifyOptions,
    catalog: Table | None = None,
    *,
    image: MeasuredImage | None = None,
    on_chunk: Callable[[], None] | None = None,
) -> Table:
    """
    Detect and classify the sources of one chip.

    Parameters
    ----------
    chip : `~astrosieve.images.exposures.Chip`
        The chip.
    options : `ClassifyOptions`
        How.
    catalog : `~astropy.table.Table`, optional
        Detections to classify in place of the finder's.
    image : `~astrosieve.images.measured.MeasuredImage`, optional
        The chip, where it is measured already, by ``options.measured``.
    on_chunk : callable, optional
        Called after each run of the network; what it raises ends the work.

    Returns
    -------
    table : `~astropy.table.Table`
        As from `~astrosieve.source.classify.classify_image`, with ``extver``. What a
        finder found has ``x_fit``, ``y_fit``, ``x_err``, ``y_err`` too: positions of
        stars by the image's own PSF, as from
        `~astrosieve.images.effective_psf.fit_positions`; NaN for all else.
    """
    options = options.loaded()  # once, for the choice of stars and all detections
    image = image or options.measured(chip)
    found = catalog is None
    if catalog is None:
        catalog = _detect(image, options, chip.name)
        columns, origin = None, None
        found_by: dict[str, Any] = {
            'finder': options.finder,
            'nsigma': options.nsigma,
            'saturated': options.saturated,
        }
    else:
        columns, origin = options.columns, options.origin
        found_by = {'finder': 'catalog'}
    table = classify_image(
        image,
        catalog,
        columns=columns,
        origin=origin,
        extver=chip.extver,
        on_chunk=on_chunk,
        **options.for_model(),
    )
    if found:
        _add_fitted(table, image)
    options_used = json.loads(table.meta['options'])
    table.meta['options'] = json.dumps({**found_by, **options_used})
    return table


def _add_fitted(table: Table, image: MeasuredImage) -> None:
    """Add positions of stars by the image's own PSF to a table."""
    stars = np.asarray(table['class_name'] == 'star')
    fitted = fit_positions(image, positions(table), stars)
    columns = [*fitted.xy.T, *fitted.error.T]
    after = table.colnames.index('y_centroid') + 1
    table.add_columns(columns, [after] * 4, names=_FITTED)


def classify_exposure(
    path: str | Path,
    options: ClassifyOptions | None = None,
    *,
    ext: str | Sequence[str] | None = None,
    catalog: Table | None = None,
    on_chip: Callable[[Chip, Table], None] | None = None,
) -> Table:
    """
    Detect and classify the sources of an exposure, chip by chip.

    Parameters
    ----------
    path : path-like
        FITS file.
    options : `ClassifyOptions`, optional
        How.
    ext : str or sequence of str, optional
        As for `~astrosieve.images.read_chips`.
    catalog : `~astropy.table.Table`, optional
        Detections to classify in place of the finder's. A column ``extver``
        says which chip a row is of; without it there must be one chip only.
    on_chip : callable, optional
        Called with each chip and its table, while the chip is in memory.

    Returns
    -------
    table : `~astropy.table.Table`
        Detections of all chips; those of ``catalog`` in its order, those of a
        finder in its order, chip after chip, with ``id`` from 1.

    Raises
    ------
    ExposureError
        If the file cannot be read.
    CatalogError
        If the catalogue does not fit the exposure.
    """
    options = (options or ClassifyOptions()).loaded()
    tables: list[Table] = []
    rows = []
    left = None if catalog is None else np.ones(len(catalog), dtype=bool)
    for chip, mine in _chips_with_rows(path, ext, catalog):
        part = None if catalog is None or mine is None else catalog[mine]
        table = classify_chip(chip, options, part)
        if catalog is None:
            table['id'] = np.arange(len(table)) + sum(len(each) for each in tables) + 1
        elif 'id' not in catalog.colnames:
            table['id'] = np.arange(len(catalog))[mine] + 1
        if on_chip is not None:
            on_chip(chip, table)
        tables.append(table)
        if left is not None and mine is not None:
            left[mine] = False
            rows.append(mine)
    if catalog is None or left is None:
        return _stack(tables)
    if left.any():
        rest = np.flatnonzero(left)
        tables.append(_not_done(catalog[rest], options, tables[0]))
        rows.append(rest)
    table = _stack(tables)[np.argsort(np.concatenate(rows))]
    if 'id' not in catalog.colnames:
        table['id'] = np.arange(1, len(table) + 1)
    return table


def explain_row(
    path: str | Path,
    row: Row,
    options: ClassifyOptions,
    *,
    ext: str | Sequence[str] | None = None,
) -> Explanation:
    """
    Explain the class of one row of `classify_exposure`'s table.

    Parameters
    ----------
    path : path-like
        FITS file.
    row : `~astropy.table.Row`
        With ``x_centroid``, ``y_centroid``, ``extver``.
    options : `ClassifyOptions`
        Those of the classification.
    ext : str or sequence of str, optional
        That of the classification.

    Returns
    -------
    explanation : `~astrosieve.source.explain.Explanation`

    Raises
    ------
    CatalogError
        If the row could not be scored.
    """
    for chip in read_chips(path, ext):
        if chip.extver == row['extver']:
            position = float(row['x_centroid']), float(row['y_centroid'])
            return explain_image(
                options.measured(chip), position, **options.for_model()
            )
    msg = f'{path}: row {row["id"]} is of chip {row["extver"]}, which was not done'
    raise CatalogError(msg)


def _chips_with_rows(
    path: str | Path, ext: str | Sequence[str] | None, catalog: Table | None
) -> Iterator[tuple[Chip, np.ndarray | None]]:
    """Yield chips, each with the rows of the catalogue that are its own."""
    if catalog is None:
        for chip in read_chips(path, ext):
            yield chip, None
        return
    if 'extver' not in catalog.colnames:
        chips = iter(read_chips(path, ext))
        chip = next(chips)
        if next(chips, None) is not None:
            msg = (
                f'{path}: has several chips and the catalog no column extver; '
                "say which chip, as ext='SCI,1'"
            )
            raise CatalogError(msg)
        yield chip, np.arange(len(catalog))
        return
    extver = fill_masked(catalog['extver'])
    seen = np.zeros(len(catalog), dtype=bool)
    for chip in read_chips(path, ext):
        mine = extver == chip.extver
        seen |= mine
        yield chip, np.flatnonzero(mine)
    if not ext and not seen.all():
        strange = sorted({f'{value:g}' for value in extver[~seen]})
        msg = f'{path}: no chip for extver {", ".join(strange)} of the catalog'
        raise CatalogError(msg)


def _not_done(catalog: Table, options: ClassifyOptions, like: Table) -> Table:
    """Return the rows of chips that were not asked for, unscored."""
    classes = [n[2:] for n in like.colnames if n.startswith('p_')]
    flags = CLASS_FLAGS.value('unscored', 'other_chip')
    xy = positions(catalog, columns=options.columns, origin=options.origin)
    table = add_classes(
        catalog,
        xy=xy,
        class_names=np.full(len(catalog), UNSCORED),
        probabilities=np.full((len(catalog), len(classes)), np.nan, dtype=np.float32),
        classes=classes,
        flags=np.full(len(catalog), flags, dtype=np.int32),
        extver=None,
    )
    if 'sky_centroid' in like.colnames and 'sky_centroid' not in table.colnames:
        nowhere = np.full(len(table), np.nan)
        table['sky_centroid'] = SkyCoord(nowhere, nowhere, unit='deg')
    return table


def _stack(tables: Sequence[Table]) -> Table:
    """Stack the tables of chips; their warnings and widths are kept."""
    meta = dict(tables[0].meta)
    texts = [text for t in tables if (text := t.meta.get('warnings'))]
    meta['warnings'] = '; '.join(dict.fromkeys(texts))
    widths = [t.meta['fwhm'] for t in tables if 'fwhm' in t.meta]
    if widths:
        meta['fwhm'] = round(float(np.mean(widths)), 4)
    # Of no rows astropy 6 cannot tell whether their coordinates are alike.
    some = [table for table in tables if len(table)] or [tables[0]]
    stacked = vstack(some, metadata_conflicts='silent')
    stacked.meta.clear()
    stacked.meta.update(meta)
    return stacked
