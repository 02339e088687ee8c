"""Sources of an image: detect, classify, load, explain; nothing knows of widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astrosieve.exceptions import CatalogError
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import list_models
from astrosieve.source.explain import Explanation, explain_image
from astrosieve.source.exposures import ClassifyOptions, classify_chip
from astrosieve.source.labels import LABEL_FORMAT
from astrosieve.tables.catalogs import positions, read_catalog
from astrosieve_plugins.ginga_classify.shown import Target, read_target
from astrosieve_plugins.ginga_classify.work import Job

__all__ = ['Result', 'classify', 'explain', 'load']

_MOST_OUTSIDE = 0.01  # share of positions beyond the image that is still a coincidence
_MOST_OFF = 3.0  # pixels that the sky of a catalogue may be off the image's


@dataclass
class Result:
    """
    A classified catalogue and what it was made from.

    Parameters
    ----------
    key : tuple
        Of the `Target`.
    table : `~astropy.table.Table`
        The catalogue.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        With the model loaded.
    image : `~astrosieve.images.measured.MeasuredImage` or None
        Pixels and what is measured on them, while they are at hand.
    extver : int
        Version of the extension.
    """

    key: tuple
    table: Table
    options: ClassifyOptions
    image: MeasuredImage | None
    extver: int


def classify(
    target: Target, options: ClassifyOptions, job: Job, *, all_chips: bool = False
) -> list[Result]:
    """
    Detect and classify what a channel shows.

    Parameters
    ----------
    target : `Target`
        What is shown.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        How.
    job : `Job`
        Watches.
    all_chips : bool, optional
        Whether to do all SCI extensions of the file.

    Returns
    -------
    results : list of `Result`
        That of what is shown first.

    Raises
    ------
    AstrosieveError
        If it cannot be done.
    CancelledError
        If it is not wanted any more.
    """
    with job.alone():
        job.step(0.02, f'reading {target.name}')
        options = options.loaded()
        chips = {target.key: read_target(target, job)}
        path = None if target.planes else target.path
        if all_chips and path is not None and target.extname == 'SCI':
            for count, chip in enumerate(read_chips(path), start=1):
                chips.setdefault((target.key[0], f'[SCI,{count}]', ()), chip)
        results = []
        for number, (key, chip) in enumerate(chips.items()):
            results.append(_classify_chip(chip, options, key, job, number, len(chips)))
        job.step(1.0, 'done')
        return results


def _classify_chip(
    chip: Chip, options: ClassifyOptions, key: tuple, job: Job, number: int, total: int
) -> Result:
    of = f' ({number + 1} of {total})' if total > 1 else ''
    start = (number + 0.05) / total

    def watch() -> None:
        job.step(start + 0.6 / total, f'{chip.name}: classifying{of}')

    job.step(start, f'{chip.name}: detecting{of}')
    table = classify_chip(chip, options, on_chunk=watch)
    table['id'] = np.arange(1, len(table) + 1)
    return _result(key, table, options, chip)


def load(path: str | Path, target: Target, options: ClassifyOptions, job: Job) -> Any:
    """
    Read a catalogue for the image that a channel shows, or labels.

    Parameters
    ----------
    path : path-like
        Catalogue of ``astrosieve classify`` or of the plugin, or labels.
    target : `Target`
        What is shown.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        How to explain its rows; the catalogue's own model is preferred.
    job : `Job`
        Watches.

    Returns
    -------
    result : `Result` or `~astropy.table.Table`
        A table if the file holds labels.

    Raises
    ------
    CatalogError
        If the file is no such catalogue, or one of another image.
    """
    with job.alone():
        job.step(0.1, f'reading {Path(path).name}')
        table = read_catalog(path)
        if table.meta.get('format') == LABEL_FORMAT:
            return table
        if 'class_name' not in table.colnames:
            msg = (
                f'{path}: no column class_name. Classify it first: '
                'astrosieve classify IMAGE --catalog FILE'
            )
            raise CatalogError(msg)
        chip = read_target(target, job)
        job.step(0.6, 'comparing catalogue and image')
        table = _rows_of_chip(table, chip, path)
        _check_same_image(table, chip, path)
        if 'id' not in table.colnames:
            table.add_column(np.arange(1, len(table) + 1), name='id', index=0)
        name = str(table.meta.get('model', '')).partition(' ')[0]
        if name in list_models():
            options = replace(options, model=name)
        job.step(1.0, 'done')
        return _result(target.key, table, options.loaded(), chip)


def _result(key: tuple, table: Table, options: ClassifyOptions, chip: Chip) -> Result:
    """Return a result that is explained with the width of the PSF in its table."""
    options = replace(options, fwhm=table.meta.get('fwhm'))
    return Result(key, table, options, options.measured(chip), chip.extver)


def _rows_of_chip(table: Table, chip: Chip, path: str | Path) -> Table:
    """Return the rows that belong to a chip."""
    if 'extver' not in table.colnames or not len(table):
        return table
    extver = np.asarray(table['extver'])
    mine = table[extver == chip.extver]
    if not len(mine):
        known = ', '.join(str(n) for n in np.unique(extver))
        msg = f'{path}: no row is of extver {chip.extver}; it has {known}'
        raise CatalogError(msg)
    return mine


def _check_same_image(table: Table, chip: Chip, path: str | Path) -> None:
    """Refuse a catalogue whose positions are not in the image, or not in its sky."""
    xy = positions(table, columns=('x_centroid', 'y_centroid'))
    xy = xy[np.isfinite(xy).all(axis=1)]
    ny, nx = chip.sci.shape
    inside = ((xy > -0.5) & (xy < (nx - 0.5, ny - 0.5))).all(axis=1)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(xy):
        msg = (
            f'{path}: {outside} of {len(xy)} positions are outside of this image of '
            f'{nx}x{ny} pixels: a catalogue of another image'
        )
        raise CatalogError(msg)
    sky = table['sky_centroid'] if 'sky_centroid' in table.colnames else None
    if not isinstance(sky, SkyCoord) or chip.wcs is None:
        return
    x, y = positions(table, columns=('x_centroid', 'y_centroid')).T
    here = chip.wcs.pixel_to_world(x, y)
    pixel = np.sqrt(chip.wcs.proj_plane_pixel_area().to_value('arcsec2'))
    off = here.separation(sky).to_value('arcsec') / pixel
    off = off[np.isfinite(off)]
    if len(off) and np.median(off) > _MOST_OFF:
        msg = (
            f'{path}: its sky positions are {np.median(off):.3g} pixels off those of '
            'this image: a catalogue of another image'
        )
        raise CatalogError(msg)


def explain(
    result: Result, target: Target, position: tuple[float, float], job: Job
) -> Explanation:
    """
    Explain the class of a detection.

    Parameters
    ----------
    result : `Result`
        Where it comes from.
    target : `Target`
        What is shown.
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    job : `Job`
        Watches.

    Returns
    -------
    explanation : `~astrosieve.source.explain.Explanation`

    Raises
    ------
    CatalogError
        If the detection could not be scored.
    """
    with job.alone():
        job.step(0.1, 'explaining')
        options = result.options
        if result.image is None:
            result.image = options.measured(read_target(target, job))
        job.step(0.3, 'explaining')
        return explain_image(result.image, position, **options.for_model())
