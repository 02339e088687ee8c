"""What the step label leaves: tables, pages to look at, figures, and the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.source.labels import read_labels, write_labels
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.dataset import read_card, write_dataset
from astrosieve_training.source.label.figures import (
    draw_embedding,
    draw_exposures,
    exposure_agreement,
)
from astrosieve_training.source.label.page import write_page
from astrosieve_training.source.label.procedure import Labelling, label_exposures
from astrosieve_training.source.label.region_files import read_regions
from astrosieve_training.source.label.regions import Regions
from astrosieve_training.source.label.settings import LabelSettings, SplitSettings
from astrosieve_training.source.label.sheets import write_contact_sheets

__all__ = ['PREPROCESSINGS', 'make_dataset', 'make_dataset_from_labels']

PREPROCESSINGS = ('zscale-log-1', 'local-noise-2')
"""Of the shipped networks."""


def _prepare_folder(
    folder: Path, preprocessings: Sequence[str], *, overwrite: bool
) -> None:
    for name in preprocessings:
        get_preprocessing(name)  # what is not known is refused before the work
    if not overwrite and (folder / 'dataset.json').exists():
        msg = f'{folder}: holds a dataset; give --overwrite or another folder'
        raise OutputError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f'{folder}: cannot be made ({error.strerror}); name another folder'
        raise OutputError(msg) from error


def _write(
    folder: Path,
    paths: Sequence[Path],
    labels: Table,
    preprocessings: Sequence[str],
    split: SplitSettings,
    card: Mapping[str, Any],
) -> dict[str, Any]:
    """Cut labels out, and write them with their card."""
    sets = {
        name: cut_labels(paths, labels, preprocessing=name) for name in preprocessings
    }
    return write_dataset(
        folder, sets, card, exposures=paths, settings=split, overwrite=True
    )


def _title(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return f'1 exposure, {paths[0].name}'
    return f'{len(paths)} exposures, {paths[0].name} and others'


def make_dataset_from_labels(
    paths: Sequence[Path],
    labels: Path,
    folder: Path,
    *,
    preprocessings: Sequence[str] = PREPROCESSINGS,
    split: SplitSettings | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """
    Make a dataset of labels that people, or an earlier run, have given.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures.
    labels : `~pathlib.Path`
        File of labels, as the viewer writes it, see `astrosieve.source.labels`.
    folder : `~pathlib.Path`
        The dataset.
    preprocessings : sequence of str, optional
        For which networks.
    split : `~astrosieve_training.source.label.settings.SplitSettings`, optional
        Split and balance.
    overwrite : bool, optional
        Whether a dataset there may be replaced.

    Returns
    -------
    card : dict
        See `~astrosieve_training.source.label.dataset.write_dataset`.

    Raises
    ------
    CatalogError, DatasetError, ExposureError, OutputError
        If a file cannot be read or written, or the labels make no dataset.
    """
    _prepare_folder(folder, preprocessings, overwrite=overwrite)
    table = read_labels(labels)
    card = {'how': f'labels of the file {labels.name}', 'labels': len(table)}
    made = _write(folder, paths, table, preprocessings, split or SplitSettings(), card)
    if labels.resolve() != (folder / 'labels.ecsv').resolve():
        write_labels(table, folder / 'labels.ecsv', overwrite=True)
    return made


def make_dataset(
    paths: Sequence[Path],
    folder: Path,
    settings: LabelSettings,
    *,
    regions: Path | None = None,
    names: Mapping[int, str] | None = None,
    preprocessings: Sequence[str] = PREPROCESSINGS,
    split: SplitSettings | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[Labelling, dict[str, Any]]:
    """
    Label exposures by their combined image, and write all that comes of it.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        FLT- or FLC-like exposures of one field, camera and filter.
    folder : `~pathlib.Path`
        The dataset.
    settings : `~astrosieve_training.source.label.settings.LabelSettings`
        All settings of the labels.
    regions : `~pathlib.Path`, optional
        File of regions and names that a person gave, see
        `~astrosieve_training.source.label.regions`.
    names : mapping of int to str, optional
        Further names of clusters.
    preprocessings, split, overwrite
        As in `make_dataset_from_labels`.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    labelling : `~astrosieve_training.source.label.procedure.Labelling`
        What was found.
    card : dict
        See `~astrosieve_training.source.label.dataset.write_dataset`.

    Raises
    ------
    LabelError, CombiningError, RegionsError, DatasetError, ExposureError, OutputError
        If the exposures cannot be labelling, or a file cannot be read or written.
    """
    split = split or SplitSettings()
    _prepare_folder(folder, preprocessings, overwrite=overwrite)
    given = None if regions is None else read_regions(regions)
    if names:
        old = given or Regions()
        given = replace(old, names={**old.names, **names})
    labelling = label_exposures(paths, folder, settings, regions=given, say=say)
    tell = say or (lambda text: None)
    tell('pages and figures')
    places = labelling.places
    draw_embedding(folder / 'embedding.png', labelling)
    draw_exposures(folder / 'exposures.png', labelling)
    clusters = np.asarray(places['cluster'])
    write_contact_sheets(
        folder,
        labelling.cutouts,
        clusters,
        {**labelling.names, **(given.names if given else {})},
        rng=np.random.default_rng([settings.embedding.seed, 3]),
    )
    write_page(
        folder / 'page.html',
        embedding=labelling.embedding,
        cutouts=labelling.cutouts,
        magnitudes=labelling.magnitudes,
        clusters=clusters,
        names=labelling.names,
        title=_title(paths),
        magnitude_label='instrumental magnitude',
        regions=given,
        overwrite=True,
    )
    with atomic_path(folder / 'places.ecsv', overwrite=True) as temporary:
        places.write(temporary, format='ascii.ecsv', overwrite=True)
    write_labels(labelling.labels, folder / 'labels.ecsv', overwrite=True)
    tell('dataset')
    card = {
        'how': 'combined image, UMAP, clusters (WFC3 ISR 2024-14)',
        'settings': asdict(settings),
        'named by': 'physics' if given is None else 'physics and a person',
        'found': labelling.report,
        'exposure cutouts in the embedding': exposure_agreement(labelling),
    }
    _write(folder, paths, labelling.labels, preprocessings, split, card)
    return labelling, read_card(folder)
