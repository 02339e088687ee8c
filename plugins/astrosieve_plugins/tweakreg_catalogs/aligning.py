"""Exposures aligned on all detections and on the kept ones."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import root_name
from astrosieve_plugins.tweakreg_catalogs.catalog_files import (
    ExposureCatalog,
    catalog_exposure,
    write_catalog_files,
)
from astrosieve_plugins.tweakreg_catalogs.hooks import FilteredChip, filtered_tweakreg
from astrosieve_plugins.tweakreg_catalogs.hosts import host
from astrosieve_plugins.tweakreg_catalogs.inputs import (
    Exposure,
    check_overlap,
    lay_out,
    read_exposures,
)
from astrosieve_plugins.tweakreg_catalogs.references import write_reference
from astrosieve_plugins.tweakreg_catalogs.running import (
    Alignment,
    alignment_table,
    failed_alignment,
    run_tweakreg,
)
from astrosieve_plugins.tweakreg_catalogs.selection import Selection, make_selection
from astrosieve_plugins.tweakreg_catalogs.updating import put_in_place

__all__ = [
    'AFTER',
    'BEFORE',
    'OWN_FINDER',
    'AlignedSet',
    'align_copies',
    'align_exposures',
    'in_whole_pixels',
]

OWN_FINDER = 'tweakreg'
"""What TweakReg's own finder is called among the finders of the registry."""

BEFORE, AFTER = 'before', 'after'
_REFCAT = {
    'refxcol': 1, 'refycol': 2, 'refxyunits': 'degrees', 'rfluxcol': 3,
    'rfluxunits': 'mag',
}  # fmt: skip


@dataclass
class AlignedSet:
    """
    What came of aligning exposures.

    Parameters
    ----------
    exposures : list of `Exposure`
        The exposures.
    stages : dict
        Alignments before and after filtering, in the order of the exposures.
    classes : dict
        By name in TweakReg's folder: the class of each detection, all chips after
        each other, by stage.
    kept : list of `~pathlib.Path`
        Files that hold the original headers, where headers were updated.
    log : str
        What TweakReg printed.
    """

    exposures: list[Exposure]
    stages: dict[str, list[Alignment]] = field(default_factory=dict)
    classes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    kept: list[Path] = field(default_factory=list)
    log: str = ''

    @property
    def labels(self) -> dict[str, str]:
        """What to call the files of TweakReg's folder."""
        return {each.name: root_name(each.path) for each in self.exposures}

    @property
    def table(self) -> Table:
        """Rows for each exposure before and after."""
        return alignment_table(self.stages, self.labels)

    def match_classes(self, stage: str, one: Alignment) -> list[str]:
        """Return the class of each match of an exposure."""
        known = self.classes.get(one.name, {}).get(stage)
        ids = np.asarray(one.matches['id'])
        if known is None or (len(ids) and ids.max() >= len(known)):
            return ['unscored'] * len(ids)
        return [str(name) for name in known[ids]]


def align_exposures(
    exposures: list[Exposure],
    selection: Selection,
    *,
    reference: Table | None = None,
    update: bool = False,
    compare: bool = True,
    options: Mapping[str, Any] | None = None,
    catalogs_to: Path | None = None,
    overwrite: bool = False,
) -> AlignedSet:
    """
    Align exposures with TweakReg, on all detections and on the kept ones.

    Parameters
    ----------
    exposures : list of `Exposure`
        The exposures, checked.
    selection : `Selection`
        How sources are found, classified and chosen. The finder 'tweakreg' is
        TweakReg's own.
    reference : `~astropy.table.Table`, optional
        Reference catalogue of the sky.
    update : bool, optional
        Whether headers of the exposures are changed; of those that TweakReg cannot
        align they are not.
    compare : bool, optional
        Whether TweakReg is run on all detections as well.
    options : dict, optional
        Parameters of TweakReg.
    catalogs_to : `~pathlib.Path`, optional
        Folder to write the catalogues to.
    overwrite : bool, optional
        Whether catalogues there may be replaced.

    Returns
    -------
    aligned : `AlignedSet`

    Raises
    ------
    AstrosieveError
        If TweakReg gives up on the kept detections.
    """
    given = in_whole_pixels(dict(options or {}), exposures)
    result = AlignedSet(exposures)
    own_finder = selection.options.finder == OWN_FINDER
    with tempfile.TemporaryDirectory(prefix='astrosieve-') as work:
        folder = Path(work)
        names = lay_out(exposures, folder, copies=update)
        if reference is not None:
            dates = [each.mjd for each in exposures if each.mjd is not None]
            mjd = float(np.mean(dates)) if dates else None
            write_reference(reference, folder / 'reference.cat', mjd=mjd)
            given |= {'refcat': 'reference.cat', **_REFCAT}
        catalogs = []
        if not own_finder:
            catalogs = [_catalog(each, folder, selection) for each in exposures]
        for stage in (BEFORE, AFTER) if compare else (AFTER,):
            filtered = stage == AFTER
            stage_given = {**given, 'updatehdr': filtered and update}
            if catalogs:
                place = folder / stage
                place.mkdir()
                stage_given['catfile'] = write_catalog_files(
                    catalogs, place, comments=selection.description, filtered=filtered
                )
            _run_stage(result, stage, names, folder, stage_given, selection)
        _name_classes(result, catalogs)
        if catalogs and catalogs_to is not None:
            # As the exposures are called outside of this folder.
            write_catalog_files(
                [_renamed(c, e) for c, e in zip(catalogs, exposures, strict=True)],
                catalogs_to.absolute(),
                comments=selection.description,
                rejected=True,
                overwrite=overwrite,
            )
        after = result.stages[AFTER]
        done = [
            e for e, a in zip(exposures, after, strict=True) if a.status != 'failed'
        ]
        if not any(each.status == 'aligned' for each in after):
            return result
        if update:
            with put_in_place(done, folder) as kept:
                result.kept = kept
    return result


def in_whole_pixels(
    options: dict[str, Any], exposures: Sequence[Exposure]
) -> dict[str, Any]:
    """
    Return options with the search radius in whole pixels, rounded up.

    TweakReg rounds the radius up for its histogram of offsets, but reads the peak's
    place with the radius as it was: the first guess is off by the difference, which
    may be as much as the tolerance of the match.
    """
    radius = float(options.get('searchrad') or 1.0)
    if str(options.get('searchunits', 'arcseconds')) == 'arcseconds':
        scale = exposures[0].scale
        if options.get('refimage'):
            scale = read_exposures([Path(options['refimage'])])[0].scale
        radius /= scale
    pixels = float(np.ceil(radius - 1e-6))
    return {**options, 'searchrad': pixels, 'searchunits': 'pixels'}


def _catalog(exposure: Exposure, folder: Path, selection: Selection) -> ExposureCatalog:
    """Return the catalogue of an exposure, under its name in TweakReg's folder."""
    catalog = catalog_exposure(exposure.path, selection)
    return ExposureCatalog(
        exposure.name, catalog.chips, catalog.table, catalog.kept, catalog.rule
    )


def _renamed(catalog: ExposureCatalog, exposure: Exposure) -> ExposureCatalog:
    return ExposureCatalog(
        str(exposure.path), catalog.chips, catalog.table, catalog.kept, catalog.rule
    )


def _run_stage(
    result: AlignedSet,
    stage: str,
    names: list[str],
    folder: Path,
    options: dict[str, Any],
    selection: Selection,
) -> None:
    """Run TweakReg once, on all detections or on the kept ones."""
    with ExitStack() as stack:
        seen: list[FilteredChip] = []
        if stage == AFTER:
            seen = stack.enter_context(_filter_of(selection))
        try:
            alignments, log = run_tweakreg(names, folder, **options)
        except AstrosieveError:
            if stage == AFTER:
                raise
            # Without a filter it may well have nothing to stand on.
            alignments = [failed_alignment(name) for name in names]
            log = ''
    result.stages[stage] = alignments
    result.log += log
    for name in names:
        chips = sorted(
            (each for each in seen if each.path.name == name), key=lambda c: c.extver
        )
        if chips:
            own = result.classes.setdefault(name, {})
            tables = [np.asarray(c.table['class_name'], dtype=str) for c in chips]
            own[BEFORE] = np.concatenate(tables)
            own[AFTER] = np.concatenate(
                [t[c.kept] for t, c in zip(tables, chips, strict=True)]
            )


def _filter_of(selection: Selection) -> Any:
    """Return the filter of TweakReg's own finder that a selection describes."""
    options = selection.options
    return filtered_tweakreg(
        selection.keep,
        operating_point=options.operating_point,
        model=options.model,
        min_stars=selection.min_stars,
        fwhm=options.fwhm,
        unit=options.unit,
        gain=options.gain,
        exptime=options.exptime,
        prior=options.prior,
        cosmic_ray_hint=options.cosmic_ray_hint,
    )


def _name_classes(result: AlignedSet, catalogs: Sequence[ExposureCatalog]) -> None:
    """Note the classes of detections in the order of TweakReg's numbers."""
    for catalog in catalogs:
        own = result.classes.setdefault(catalog.path, {})
        for stage, kept in ((BEFORE, None), (AFTER, True)):
            parts = []
            for extver in catalog.chips:
                rows = catalog.rows(extver, kept)
                # A chip without rows has one line in its file, off the chip.
                names = np.asarray(rows['class_name'], dtype='U16')
                parts.append(names if len(rows) else np.array(['unscored']))
            own[stage] = np.concatenate(parts)


def align_copies(paths: Sequence[Path], folder: Path) -> list[Path]:
    """
    Align copies of exposures with each other on their stars.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures; they are left as they are.
    folder : `~pathlib.Path`
        An empty folder, where the copies are put, unpacked.

    Returns
    -------
    copies : list of `~pathlib.Path`
        With a new WCS, in the same order.

    Raises
    ------
    ExposureError
        If an exposure cannot be read, or has no sky in common with the others.
    AstrosieveError
        If one cannot be aligned, which is named, or drizzlepac is not installed.
    """
    host('drizzlepac')
    names = lay_out(read_exposures(paths), folder, copies=True)
    copies = read_exposures([folder / name for name in names])
    check_overlap(copies)
    result = align_exposures(copies, make_selection(), update=True, compare=False)
    failed = [one.name for one in result.stages[AFTER] if one.status == 'failed']
    if failed:
        msg = f'not aligned: {", ".join(result.labels[name] for name in failed)}'
        raise AstrosieveError(msg)
    return [copy.path for copy in copies]
