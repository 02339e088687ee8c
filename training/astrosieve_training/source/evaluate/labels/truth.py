"""Fields that are simulated and labelled as a user would, beside their truth."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import positions
from astrosieve_training.data_folder import data_folder
from astrosieve_training.judge.report import slug
from astrosieve_training.simulate import Truth, label_positions, read_truth
from astrosieve_training.source.config import load_config
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    detection_set,
    join,
)
from astrosieve_training.source.datasets.real.frames import ngc1261
from astrosieve_training.source.evaluate.labels.primitives import PrimitiveField
from astrosieve_training.source.evaluate.labels.settings import Field
from astrosieve_training.source.evaluate.labels.tables import summed
from astrosieve_training.source.label.carrying import carry_labels
from astrosieve_training.source.label.embedding import find_clusters
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.naming import name_clusters
from astrosieve_training.source.label.procedure import Labelling, label_exposures
from astrosieve_training.source.label.settings import (
    EmbeddingSettings,
    LabelSettings,
    NamingSettings,
)

__all__ = [
    'LabelledField',
    'check_field',
    'check_ngc1261',
    'compared',
    'labelled_field',
    'thinned',
    'truth_set',
]


@dataclass(frozen=True)
class LabelledField:
    """A field that is simulated and labelled."""

    labelling: Labelling
    paths: list[Path]
    truths: list[list[Truth]]

    def true_labels(self) -> Table:
        """Return the truth of each peak."""
        peaks = self.labelling.peaks
        xy = positions(peaks)
        names = np.full(len(peaks), '', dtype='U12')
        contested = np.zeros(len(peaks), dtype=bool)
        for number, truths in enumerate(self.truths):
            for extver, truth in enumerate(truths, 1):
                rows = np.asarray(peaks['exposure'] == number)
                rows &= np.asarray(peaks['extver'] == extver)
                true = label_positions(truth, xy[rows])
                names[rows], contested[rows] = true['label'], true['contested']
        return Table({'label': names, 'contested': contested})


def labelled_field(
    field: Field | PrimitiveField, seed: int, folder: Path, say: Callable
) -> LabelledField:
    """Simulate and label one field."""
    pairs = field.write(seed, folder / 'exposures')
    paths = [image for image, _ in pairs]
    settings = LabelSettings(aligned=True, embedding=EmbeddingSettings(seed=seed))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        labelling = label_exposures(
            paths, folder / f'{slug(field.name)}-{seed}', settings, say=say
        )
    return LabelledField(labelling, paths, [read_truth(truth) for _, truth in pairs])


def _ways(labelling: Labelling) -> dict[str, np.ndarray]:
    """Return the labels of all peaks, by the procedure and by simpler ways."""
    places, members = labelling.places, labelling.members
    naming, embedding = NamingSettings(), EmbeddingSettings()
    row = np.full(int(members.max()) + 1, -1)
    row[np.asarray(places['id'])] = np.arange(len(places))
    known = row[members] >= 0

    def of_places(names: np.ndarray) -> np.ndarray:
        labels = np.full(len(members), UNLABELLED, dtype='U12')
        labels[known] = names[row[members[known]]]
        return labels

    physics = np.asarray(places['physics'], dtype='U12')
    clusters = find_clusters(labelling.embedding, embedding)
    named = name_clusters(clusters, physics)
    alone = places.copy()
    alone['label'] = physics
    twice = np.where(np.asarray(places['n_found']) > 1, 'star', 'cosmic_ray')
    return {
        'whole': np.where(known, labelling.peak_labels, UNLABELLED),
        'clusters': of_places(np.array([named[n] for n in clusters], dtype='U12')),
        'physics': np.where(
            known,
            carry_labels(labelling.peaks, members, alone, labelling.measured, naming),
            UNLABELLED,
        ),
        'twice': of_places(twice),
    }


def compared(given: np.ndarray, true: Table) -> dict[str, Any]:
    """Count labels that are right, of those given and of the true ones."""
    names = np.asarray(true['label'], dtype=str)
    use = ~np.asarray(true['contested']) & (given != UNLABELLED)
    right = use & (given == names)
    there = ~np.asarray(true['contested'])
    return {
        'right': [int(right.sum()), int(use.sum())],
        'given': {
            c: [int((right & (given == c)).sum()), int((use & (given == c)).sum())]
            for c in CLASSES
        },
        'true': {
            c: [int((right & (names == c)).sum()), int((use & (names == c)).sum())]
            for c in CLASSES
        },
        'labelled': {
            c: [int((use & (names == c)).sum()), int((there & (names == c)).sum())]
            for c in CLASSES
        },
    }


def check_field(
    field: Field | PrimitiveField, seed: int, folder: Path, say: Callable
) -> dict:
    """Compare the labels of one field with its truth."""
    made = labelled_field(field, seed, folder, say)
    true = made.true_labels()
    labelling = made.labelling
    sampled = np.isin(labelling.members, np.asarray(labelling.places['id']))
    ways = {
        name: compared(given[sampled], true[sampled])
        for name, given in _ways(labelling).items()
    }
    return {
        'field': asdict(field) | {'seed': seed},
        'report': labelling.report,
        'ways': ways,
        'all': compared(labelling.peak_labels, true),
    }


def thinned(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows: at most so many of a class."""
    kept = [
        rng.permutation(np.flatnonzero(labels == name))[:most]
        for name in np.unique(labels)
    ]
    return np.sort(np.concatenate(kept))


def truth_set(
    field: Field,
    seed: int,
    folder: Path,
    preprocessing: str,
    classes: Sequence[str],
    draw: int,
    most: int = 20_000,
) -> DetectionSet:
    """Return uncontested detections of a field with their truth."""
    pairs = field.write(seed, folder / 'exposures')
    rng = np.random.default_rng([draw, seed])
    sets = []
    for image, truth in pairs:
        for chip, true in zip(_chips(image), read_truth(truth), strict=True):
            found = detection_set(
                chip,
                partial(label_positions, true),
                finders=load_config('source-isr2024').judge.finders[:1],
                preprocessing=preprocessing,
                exposure=f'{image.name}[{chip.extver}]',
                camera=field.camera,
                scene=field.scene,
            )
            names = np.asarray(found.rows['label'], dtype=str)
            rows = np.flatnonzero(found.usable & np.isin(names, classes))
            share = most // (len(pairs) * len(read_truth(truth)))
            sets.append(found[rows[thinned(names[rows], share, rng)]])
    return join(sets)


def _chips(path: Path) -> list[Chip]:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        return list(read_chips(path))


def check_ngc1261(folder: Path, say: Callable) -> dict[str, Any] | None:
    """Compare labels of a real exposure with those of its comparison."""
    data = data_folder()
    if data is None:
        return None
    path = data / 'wfpc2pc_ngc1261_f336w_single.fits'
    settings = LabelSettings(combined=str(data / 'wfpc2pc_ngc1261_f336w_median3.fits'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        labelling = label_exposures([path], folder / 'ngc1261', settings, say=say)
    xy = positions(labelling.peaks)
    counts = []
    for half in ('left', 'right'):
        frame = ngc1261(data, half)
        rows = frame.within(xy[:, 0], xy[:, 1])
        true = frame.label(xy[rows])
        counts.append(compared(labelling.peak_labels[rows], true))
    return {'report': labelling.report, 'compared': summed(counts)}
