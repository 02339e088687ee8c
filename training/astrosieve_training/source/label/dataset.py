"""
Datasets of labels: folders that networks are trained on.

A dataset is a folder: for each preprocessing what networks see of the labelled
detections, and a card that says where they come from and how they are split.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.images.exposures import read_chips
from astrosieve.models.registry import sha256_of
from astrosieve.source.classes import CLASSES
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    set_from_arrays,
)
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings
from astrosieve_training.source.label.splitting import (
    listed,
    split_by_sky,
    split_counts,
    view_width,
)
from astrosieve_training.stages import file_hash

__all__ = [
    'DATASET_FORMAT',
    'Dataset',
    'read_card',
    'read_dataset',
    'summary_lines',
    'write_dataset',
]

DATASET_FORMAT = 'astrosieve-dataset-1'
"""Value of ``format`` in ``dataset.json``."""

_CARD = 'dataset.json'


@dataclass(frozen=True)
class Dataset:
    """
    A dataset as it is read.

    Parameters
    ----------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        All rows, with the columns ``split`` (of `SPLITS`) and ``cell`` besides those
        of `cut_labels`.
    card : dict
        What ``dataset.json`` says.
    path : `~pathlib.Path`
        The folder.
    """

    detections: DetectionSet
    card: dict[str, Any]
    path: Path

    def part(self, *splits: str) -> DetectionSet:
        """Return the rows of some of `SPLITS`."""
        return self.detections[np.isin(self.detections.rows['split'], splits)]

    @property
    def sha256(self) -> str:
        """Hash of the arrays."""
        preprocessing = self.card['preprocessings']
        hashes = [preprocessing[name]['sha256'] for name in sorted(preprocessing)]
        return sha256_of(' '.join(hashes).encode())


def summary_lines(card: Mapping[str, Any]) -> list[str]:
    """
    Say what a dataset holds.

    Parameters
    ----------
    card : dict
        As from `read_card`.

    Returns
    -------
    lines : list of str
        One per split, and one for the classes that it does not have.
    """
    lines = [f'{name}: {listed(counts)}' for name, counts in card['counts'].items()]
    if card['missing']:
        lines.append(
            f'not in the dataset: {", ".join(card["missing"])}; a network trained on '
            'it alone will not know them'
        )
    return lines


def write_dataset(
    folder: str | Path,
    sets: Mapping[str, DetectionSet],
    card: Mapping[str, Any] | None = None,
    *,
    exposures: Sequence[str | Path],
    settings: SplitSettings | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """
    Split labelled detections, and write them as a dataset.

    Parameters
    ----------
    folder : path-like
        Made where it is not there. Gets ``PREPROCESSING.npz`` for each preprocessing,
        and ``dataset.json`` last.
    sets : dict of str to `~astrosieve_training.source.datasets.detections.DetectionSet`
        By preprocessing, as from `cut_labels` with the same exposures and labels. A
        row that is usable in all of them is split; the split is the same in all.
    card : dict, optional
        What else the card shall say; ``how`` is how the labels were made, in words that
        go into the card of a model.
    exposures : sequence of path-like
        The exposures, which the card names.
    settings : `SplitSettings`, optional
        Shares and limits.
    overwrite : bool, optional
        Whether an existing dataset may be replaced.

    Returns
    -------
    card : dict
        ``format``, ``version``, ``created_by`` (what ``card`` adds), ``classes``,
        ``missing`` (classes of `~astrosieve.source.classes.CLASSES` without members in
        the training half), ``counts`` (by split and class), ``settings``, ``exposures``
        (name, bytes, sha256, instrument, detector, filter, exptime), ``cameras``,
        ``preprocessings`` (by their versioned names: file, sha256, rows), ``gap``.

    Raises
    ------
    DatasetError
        If the sets are not about the same detections, or cannot be split.
    OutputError
        If a file cannot be written, or a dataset is there.
    """
    folder = Path(folder)
    settings = settings or SplitSettings()
    if not overwrite and (folder / _CARD).exists():
        msg = (
            f'{folder / _CARD}: exists; give --overwrite (overwrite=True) or another '
            'folder'
        )
        raise OutputError(msg)
    common = _common_rows(sets)
    gap = max(view_width(name) for name in sets)
    split = split_by_sky(DetectionSet({}, common), settings, gap=gap)
    for name in split.colnames:
        common[name] = split[name]
    counts = split_counts(common)
    classes = [name for name, n in counts['training'].items() if n]
    content: dict[str, Any] = {
        'format': DATASET_FORMAT,
        'version': version('astrosieve'),
        'created_by': dict(card or {}),
        'classes': classes,
        'missing': [name for name in CLASSES if name not in classes],
        'counts': counts,
        'settings': asdict(settings),
        'gap': gap,
        'exposures': _exposure_cards([Path(path) for path in exposures]),
        'cameras': sorted(set(np.asarray(common['camera'], str).tolist())),
        'preprocessings': {},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What the old card tells of is replaced from here on.
        (folder / _CARD).unlink(missing_ok=True)
    except OSError as error:
        msg = f'{folder}: cannot be written ({error.strerror})'
        raise OutputError(msg) from error
    for name, each in sets.items():
        content['preprocessings'][name] = _write_set(folder, name, each, split)
    with atomic_path(folder / _CARD, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    return content


def _common_rows(sets: Mapping[str, DetectionSet]) -> Table:
    """Return the rows of sets about the same detections, valid where all are."""
    first, *_ = sets.values()
    rows = first.rows.copy()
    for name, each in sets.items():
        same = len(each) == len(first) and all(
            (each.rows[c] == first.rows[c]).all()
            for c in ('exposure', 'extver', 'x', 'y', 'label')
        )
        if not same:
            msg = f'the set for {name} is about other detections than the first'
            raise DatasetError(msg)
        rows['valid'] &= each.rows['valid']
    return rows


def _write_set(
    folder: Path, preprocessing: str, detections: DetectionSet, split: Table
) -> dict[str, Any]:
    """Write a set and its split as arrays; return what the card says of it."""
    arrays = {f'input_{key}': value for key, value in detections.inputs.items()}
    for table in (detections.rows, split):
        arrays |= {f'row_{c}': np.asarray(table[c]) for c in table.colnames}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    path = folder / f'{preprocessing}.npz'
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(buffer.getvalue())
    sha256 = sha256_of(buffer.getvalue())
    return {'file': path.name, 'sha256': sha256, 'rows': len(detections)}


def _exposure_cards(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return name, size, hash, instrument and filter of each exposure."""
    cards = []
    for path in paths:
        chip = next(iter(read_chips(path)))
        cards.append(
            {
                'name': path.name,
                'bytes': path.stat().st_size,
                'sha256': file_hash(path),
                'instrument': chip.instrument,
                'detector': chip.detector,
                'filter': chip.filter_name,
                'exptime': chip.exptime,
            }
        )
    return cards


def read_card(folder: str | Path) -> dict[str, Any]:
    """
    Read the card of a dataset.

    Parameters
    ----------
    folder : path-like
        As `write_dataset` leaves it.

    Returns
    -------
    card : dict

    Raises
    ------
    DatasetError
        If there is none, it is damaged, or of another version.
    """
    path = Path(folder) / _CARD
    try:
        card = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        msg = (
            f'{path}: no such file; a dataset is the folder that astrosieve-train '
            'source label writes. If that was interrupted, run it again'
        )
        raise DatasetError(msg) from None
    except (OSError, ValueError) as error:
        msg = f'{path}: not the card of a dataset ({error}); label again'
        raise DatasetError(msg) from error
    found = card.get('format') if isinstance(card, dict) else None
    if found != DATASET_FORMAT:
        msg = f'{path}: its format is {found!r}, not {DATASET_FORMAT!r}; label again'
        raise DatasetError(msg)
    wanted = (
        'classes', 'missing', 'counts', 'settings', 'gap', 'exposures', 'cameras',
        'preprocessings', 'created_by',
    )  # fmt: skip
    missing = [key for key in wanted if key not in card]
    if missing:
        msg = f'{path}: says nothing of {missing[0]!r}; label again'
        raise DatasetError(msg)
    return dict(card)


def read_dataset(folder: str | Path, preprocessing: str) -> Dataset:
    """
    Read a dataset for one preprocessing.

    Parameters
    ----------
    folder : path-like
        As `write_dataset` leaves it.
    preprocessing : str
        Name of the preprocessing.

    Returns
    -------
    dataset : `Dataset`

    Raises
    ------
    DatasetError
        If it is not there or damaged, or was not made for the preprocessing.
    """
    folder = Path(folder)
    card = read_card(folder)
    there = card['preprocessings']
    if preprocessing not in there:
        msg = (
            f'{folder}: made for {", ".join(there)}, not for the preprocessing '
            f'{preprocessing!r} that the network needs; make it again: '
            'astrosieve-train source label EXPOSURES --labels '
            f'{folder / "labels.ecsv"} --preprocessing {preprocessing} -o DATASET'
        )
        raise DatasetError(msg)
    entry = there[preprocessing]
    path = folder / entry['file']
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror}); label again'
        raise DatasetError(msg) from error
    if sha256_of(content) != entry['sha256']:
        msg = f'{path}: damaged, or not the file that {_CARD} tells of; label again'
        raise DatasetError(msg)
    try:
        with np.load(io.BytesIO(content)) as arrays:
            found = set_from_arrays({key: arrays[key] for key in arrays.files})
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        msg = f'{path}: not a set of detections ({error}); label again'
        raise DatasetError(msg) from error
    return Dataset(found, card, folder)
