"""Classified catalogues of exposures as the files that TweakReg reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve import __version__
from astrosieve.atomic import atomic_path, check_output
from astrosieve.exceptions import CatalogError
from astrosieve.images.exposures import Chip, root_name
from astrosieve.models.registry import Model
from astrosieve.source.exposures import classify_exposure
from astrosieve.tables.coordinate_files import write_coordinates
from astrosieve_plugins.tweakreg_catalogs.selection import (
    MIN_STARS,
    Selection,
    make_selection,
)

__all__ = [
    'CATFILE',
    'ExposureCatalog',
    'catalog_exposure',
    'write_catalog_files',
    'write_catalogs',
]

CATFILE = 'astrosieve_catfile.list'
_EXTRA = ('class_name', 'p_star', 'class_flags')


@dataclass(frozen=True)
class ExposureCatalog:
    """
    Detections of an exposure and what is kept of them.

    Parameters
    ----------
    path : str
        The exposure, as it was given.
    chips : tuple of int
        EXTVER of its chips, in the order of the file.
    table : `~astropy.table.Table`
        All detections, classified.
    kept : (N,) bool `~numpy.ndarray`
        Which rows are kept.
    rule : str
        By which rule.
    """

    path: str
    chips: tuple[int, ...]
    table: Table
    kept: np.ndarray
    rule: str

    def rows(self, extver: int, kept: bool | None = True) -> Table:
        """
        Return the rows of a chip: the kept, the rejected, or all for None.

        Of those that are kept ``x_centroid`` and ``y_centroid`` are the fitted
        positions, where there are any; of others the finder's.
        """
        mine = np.asarray(self.table['extver']) == extver
        if kept is not None:
            mine &= self.kept == kept
        rows = self.table[mine]
        if kept:
            fitted = np.isfinite(rows['x_fit'])
            for axis in 'xy':
                rows[f'{axis}_centroid'][fitted] = rows[f'{axis}_fit'][fitted]
        return rows


def catalog_exposure(path: str | Path, selection: Selection) -> ExposureCatalog:
    """
    Detect, classify and choose the sources of an exposure.

    Parameters
    ----------
    path : path-like
        FITS file.
    selection : `Selection`
        How, and what is kept.

    Returns
    -------
    catalog : `ExposureCatalog`

    Raises
    ------
    ExposureError
        If the file cannot be read.
    """
    chips: list[int] = []

    def on_chip(chip: Chip, table: Table) -> None:
        chips.append(chip.extver)

    table = classify_exposure(path, selection.options, on_chip=on_chip)
    kept, rule = selection.choose(table, Path(path).name)
    return ExposureCatalog(str(path), tuple(chips), table, kept, rule)


def write_catalogs(
    exposures: Sequence[str | Path],
    outdir: str | Path = '.',
    finder: str = 'dao',
    keep: Sequence[str] = ('star',),
    operating_point: str | None = 'balanced',
    *,
    model: str | Model = 'source',
    min_stars: int = MIN_STARS,
    rejected: bool = False,
    overwrite: bool = False,
    on_exposure: Callable[[ExposureCatalog], None] | None = None,
    **options: Any,
) -> str:
    """
    Write catalogues of stars for ``TweakReg(catfile=...)``.

    Parameters
    ----------
    exposures : sequence of path-like
        FITS files, named as they will be given to TweakReg.
    outdir : path-like, optional
        Existing folder for the files.
    finder : str, optional
        Source finder, by name in the registry.
    keep : sequence of str, optional
        Classes to keep.
    operating_point : str or None, optional
        Named threshold of the model; None keeps what is likelier a star than
        anything else.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name, path, or a loaded model.
    min_stars : int, optional
        Where fewer rows of an exposure are kept, the operating point is lowered,
        then rows of highest ``p_star`` are added, with a warning.
    rejected : bool, optional
        Whether rejected rows are written too, as ``ROOT_sci1_rejected.coo``.
    overwrite : bool, optional
        Whether existing files may be replaced.
    on_exposure : callable, optional
        Called with the `ExposureCatalog` of each exposure.
    **options
        Further fields of `~astrosieve.source.exposures.ClassifyOptions`: ``fwhm``,
        ``nsigma``, ``saturated`` (False by default), ``unit``, ``gain``,
        ``exptime``, ``prior``, ``cosmic_ray_hint``.

    Returns
    -------
    catfile : str
        List of the exposures with their catalogues ``ROOT_sci1.coo``, one for each
        chip, absolute paths. Positions are 1-based. Each file begins with comments
        that name model and settings. It is written last: where it is, all
        catalogues are whole.

    Raises
    ------
    ExposureError
        If an exposure cannot be read.
    CatalogError
        If two exposures have the same name, or a path holds blanks, at which
        TweakReg would split it.
    OutputError
        If a file cannot be written.

    Warns
    -----
    AstrosieveWarning
        Where too few rows pass, and what is done.

    Examples
    --------
    >>> from astrosieve_plugins.tweakreg_catalogs import write_catalogs
    >>> from astrosieve.source.demo import demo_exposure
    >>> files = [demo_exposure()]
    >>> catfile = write_catalogs(files, '.')

    Of several exposures TweakReg takes the list::

        TweakReg(files, catfile=catfile, xcol=1, ycol=2, fluxcol=3, xyunits='pixels')
    """
    selection = make_selection(
        keep,
        operating_point=operating_point,
        model=model,
        min_stars=min_stars,
        finder=finder,
        **options,
    )
    outdir = Path(outdir).absolute()
    _check_names(exposures, outdir)
    check_output(outdir / CATFILE, overwrite=overwrite)
    catalogs = []
    for path in exposures:
        catalog = catalog_exposure(path, selection)
        if on_exposure is not None:
            on_exposure(catalog)
        catalogs.append(catalog)
    return write_catalog_files(
        catalogs,
        outdir,
        comments=selection.description,
        rejected=rejected,
        overwrite=overwrite,
    )


def _check_names(exposures: Sequence[str | Path], outdir: Path) -> None:
    """Refuse names that TweakReg's lists or our files cannot tell apart."""
    if not exposures:
        msg = 'exposures must name at least one file'
        raise CatalogError(msg)
    for path in (*exposures, outdir):
        if len(str(path).split()) != 1:
            msg = (
                f"'{path}': TweakReg splits its lists at blanks; use a path without, "
                'or the command astrosieve tweakreg, which renames its copies'
            )
            raise CatalogError(msg)
    twice = [r for r, n in Counter(map(root_name, exposures)).items() if n > 1]
    if twice:
        msg = f'several exposures are called {twice[0]}: their catalogues would collide'
        raise CatalogError(msg)


def write_catalog_files(
    catalogs: Sequence[ExposureCatalog],
    outdir: Path,
    *,
    comments: dict[str, object],
    filtered: bool = True,
    rejected: bool = False,
    overwrite: bool = False,
) -> str:
    """
    Write the catalogues of exposures and their list.

    Parameters
    ----------
    catalogs : sequence of `ExposureCatalog`
        The catalogues.
    outdir : `~pathlib.Path`
        Existing folder, absolute.
    comments : dict
        For the files' headers.
    filtered : bool, optional
        Whether only kept rows are written.
    rejected : bool, optional
        Whether rejected rows are written too.
    overwrite : bool, optional
        Whether existing files may be replaced.

    Returns
    -------
    catfile : str
        The list.
    """
    files: list[tuple[Path, Table, dict[str, object], tuple[str, ...]]] = []
    lines = []
    for number, catalog in enumerate(catalogs):
        root = root_name(catalog.path)
        words = [catalog.path]
        about = {
            'astrosieve': __version__,
            'exposure': Path(catalog.path).name,
            **comments,
            'kept': catalog.rule if filtered else 'all detections',
            'fwhm': catalog.table.meta.get('fwhm', 'unknown'),
        }
        for extver in catalog.chips:
            rows = catalog.rows(extver, True if filtered else None)
            note = {**about, 'extver': extver, 'rows': len(rows)}
            if not len(rows):
                rows = _off_the_chip(number, extver)
                note['empty'] = (
                    'no row is kept; TweakReg cannot read an empty file, hence one '
                    'line off the chip'
                )
            path = outdir / f'{root}_sci{extver}.coo'
            files.append((path, rows, note, ()))
            words.append(str(path))
            if rejected:
                rows = catalog.rows(extver, False)
                note = {**about, 'extver': extver, 'rejected rows': len(rows)}
                path = outdir / f'{root}_sci{extver}_rejected.coo'
                files.append((path, rows, note, _EXTRA))
        lines.append(' '.join(words))
    for path, *_ in files:
        check_output(path, overwrite=overwrite)
    catfile = outdir / CATFILE
    check_output(catfile, overwrite=overwrite)
    catfile.unlink(missing_ok=True)  # no list names files of two runs
    for path, rows, note, extra in files:
        write_coordinates(rows, path, comments=note, extra=extra, overwrite=overwrite)
    with atomic_path(catfile, overwrite=overwrite) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return str(catfile)


def _off_the_chip(number: int, extver: int) -> Table:
    """Return one row off the chip, elsewhere for each file, so that none match."""
    x, y = -500.0 - 37 * number, -500.0 - 91 * number - 17 * extver
    return Table({'x_centroid': [x], 'y_centroid': [y], 'flux': [0.0]})
