"""Classified catalogues as `tweakwcs` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astrosieve.exceptions import ExposureError
from astrosieve.images.exposures import root_name
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import positions
from astrosieve.tables.coordinate_files import detection_flux
from astrosieve_plugins.tweakreg_catalogs.catalog_files import catalog_exposure
from astrosieve_plugins.tweakreg_catalogs.hosts import host
from astrosieve_plugins.tweakreg_catalogs.selection import MIN_STARS, make_selection

__all__ = ['make_correctors']


def make_correctors(
    exposures: Sequence[str | Path],
    finder: str = 'dao',
    keep: Sequence[str] = ('star',),
    operating_point: str | None = 'balanced',
    *,
    model: str | Model = 'source',
    min_stars: int = MIN_STARS,
    **options: Any,
) -> list[Any]:
    """
    Return correctors with classified catalogues, for ``tweakwcs.align_wcs``.

    Parameters
    ----------
    exposures : sequence of path-like
        FITS files with a WCS in each SCI extension.
    finder, keep, operating_point, model, min_stars, **options
        As for `write_catalogs`.

    Returns
    -------
    correctors : list of `tweakwcs.FITSWCSCorrector`
        One for each chip; those of an exposure have one ``group_id``.
        ``meta['catalog']`` holds ``x``, ``y`` (0-based), ``flux``, ``p_star``; it is
        empty for a chip without stars, which then moves with its group.

    Raises
    ------
    AstrosieveError
        If tweakwcs or stwcs is not installed.
    ExposureError
        If an exposure cannot be read or has no WCS.

    Examples
    --------
    Two copies of one exposure lie as they are:

    >>> from shutil import copyfile
    >>> from tweakwcs import XYXYMatch, align_wcs
    >>> from astrosieve.source.demo import demo_exposure
    >>> from astrosieve_plugins.tweakreg_catalogs import make_correctors
    >>> files = [copyfile(demo_exposure(), f'{name}_flc.fits.gz') for name in 'ab']
    >>> correctors = make_correctors(files)
    >>> fit = XYXYMatch(searchrad=1.0, separation=0.1, tolerance=0.5)
    >>> matched = align_wcs(correctors, fitgeom='shift', match=fit)
    >>> correctors[1].meta['fit_info']['status']
    'SUCCESS'
    """
    corrector = host('tweakwcs').FITSWCSCorrector
    hst_wcs = host('stwcs.wcsutil').HSTWCS
    selection = make_selection(
        keep,
        operating_point=operating_point,
        model=model,
        min_stars=min_stars,
        finder=finder,
        **options,
    )
    correctors = []
    for number, path in enumerate(exposures, 1):
        catalog = catalog_exposure(path, selection)
        root = root_name(path)
        for extver in catalog.chips:
            with fits.open(path) as hdus:
                wcs = hst_wcs(hdus, ext=('SCI', extver))
            if not wcs.has_celestial:
                msg = f'{path}[SCI,{extver}]: the extension has no celestial WCS'
                raise ExposureError(msg)
            rows = catalog.rows(extver)
            xy = positions(rows)
            table = Table(
                {
                    'x': xy[:, 0],
                    'y': xy[:, 1],
                    'flux': detection_flux(rows),
                    'p_star': np.asarray(rows['p_star']),
                },
                meta={'name': f'{root}_sci{extver}'},
            )
            meta = {
                'catalog': table,
                'group_id': number,
                'name': f'{root}_sci{extver}',
            }
            correctors.append(corrector(wcs, meta=meta))
    return correctors
