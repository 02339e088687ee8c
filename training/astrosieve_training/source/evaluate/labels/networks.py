"""What networks learn from labels, and how a shipped one is fitted by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from astrosieve.models.metrics import threshold_at_completeness
from astrosieve.models.registry import Model, load_model
from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve.source.widths import averaged
from astrosieve_training.judge.report import slug
from astrosieve_training.source.config import load_config
from astrosieve_training.source.datasets.detections import DetectionSet, join
from astrosieve_training.source.evaluate.labels.settings import LabelChecks, Tuned
from astrosieve_training.source.evaluate.labels.tables import COMPLETENESS
from astrosieve_training.source.evaluate.labels.truth import (
    LabelledField,
    compared,
    labelled_field,
    thinned,
    truth_set,
)
from astrosieve_training.source.export import export_run
from astrosieve_training.source.label.carrying import label_table
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.dataset import write_dataset
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.train.datasets import prepare_datasets
from astrosieve_training.source.train.runs import train
from astrosieve_training.source.train.warm_start import load_start

__all__ = ['STARTED', 'TUNED', 'check_network', 'check_tuned', 'judged']

STARTED, TUNED = 'source', 'source-finetuned'  # a model, and a configuration


def _label_rows(made: LabelledField, names: np.ndarray, rows: np.ndarray) -> Table:
    """Return the labels of some peaks as a table of labels."""
    labels = np.full(len(names), UNLABELLED, dtype='U12')
    labels[rows] = names[rows]
    return label_table(made.labelling.peaks, labels, [each.name for each in made.paths])


def check_network(checks: LabelChecks, folder: Path, say: Callable) -> dict[str, Any]:
    """Train the report's network on labels and on the truth, and judge both."""
    settings, field = checks.network, checks.fields[0]
    assert settings is not None
    config = load_config(settings.config)
    name = config.network.preprocessing
    rng = np.random.default_rng([checks.seed, 1])
    cut: dict[str, list] = {'labels': [], 'truth': []}
    paths: list[Path] = []
    for seed in settings.training:
        made = labelled_field(field, seed, folder, say)
        true = made.true_labels()
        names = {
            'labels': made.labelling.peak_labels,
            'truth': np.where(true['contested'], UNLABELLED, true['label']),
        }
        paths += made.paths
        for kind, given in names.items():
            rows = np.flatnonzero(np.isin(given, config.network.classes))
            rows = rows[thinned(given[rows], settings.per_class, rng)]
            cut[kind].append(_label_rows(made, np.asarray(given), rows))
    sample = join(
        [
            truth_set(field, seed, folder, name, config.network.classes, checks.seed)
            for seed in settings.judged
        ]
    )
    results: dict[str, Any] = {}
    for kind, tables in cut.items():
        where = folder / f'network-{kind}'
        sets = {name: cut_labels(paths, vstack(tables), preprocessing=name)}
        write_dataset(where / 'dataset', sets, exposures=paths, overwrite=True)
        loaded, data = prepare_datasets(
            replace(config, name=f'on-{kind}'), [where / 'dataset'],
            cache=where / 'cache',
        )  # fmt: skip
        run = train(loaded, where / 'run', data=data)
        card, _ = export_run(where / 'run', where / 'weights')
        path = where / 'weights' / f'{card.name}-{card.version}.onnx'
        results[kind] = {'counts': run.summary['counts']}
        results[kind] |= judged(load_model(path), sample, REPORT_CLASSES)
    return results


@dataclass(frozen=True)
class _Draw:
    """Labels of one field, as many as a user may have."""

    made: LabelledField
    given: np.ndarray
    rows: np.ndarray

    @property
    def used(self) -> dict[str, int]:
        names = self.given[self.rows]
        return {c: int((names == c).sum()) for c in CLASSES if (names == c).any()}

    def write(self, folder: Path, preprocessing: str) -> None:
        """Write the dataset that a user would have."""
        table = _label_rows(self.made, self.given, self.rows)
        cut = cut_labels(self.made.paths, table, preprocessing=preprocessing)
        write_dataset(
            folder, {preprocessing: cut}, exposures=self.made.paths, overwrite=True
        )


def _draw(
    tuned: Tuned, seed: int, checks: LabelChecks, folder: Path, say: Callable
) -> _Draw:
    """Label a field, and draw labels at random, the classes as evenly as may be."""
    made = labelled_field(tuned.field(seed), seed, folder, say)
    given = made.labelling.peak_labels
    rng = np.random.default_rng([checks.seed, seed])
    rows = np.flatnonzero(given != UNLABELLED)
    most = tuned.labels
    while len(thinned(given[rows], most, rng)) > tuned.labels:
        most = int(0.95 * most)
    return _Draw(made, given, rows[thinned(given[rows], most, rng)])


def check_tuned(
    tuned: Tuned, checks: LabelChecks, folder: Path, say: Callable
) -> dict[str, Any]:
    """Fit the shipped network to a camera by each field, and judge it beside others."""
    start = load_start(STARTED)
    name = start.card.preprocessing
    sample = join(
        [
            truth_set(
                replace(tuned.field(seed), exposures=1), seed, folder, name,
                start.card.classes, checks.seed,
            )
            for seed in tuned.judged
        ]
    )  # fmt: skip
    draws = {seed: _draw(tuned, seed, checks, folder, say) for seed in tuned.seeds}
    known = [c for c in CLASSES if all(c in draw.used for draw in draws.values())]
    config = load_config(TUNED)
    fits = []
    for seed, draw in draws.items():
        where = folder / f'tuned-{slug(tuned.name)}-{seed}'
        draw.write(where / 'dataset', name)
        fit: dict[str, Any] = {
            'seed': seed,
            'labels': compared(draw.given, draw.made.true_labels()),
            'used': draw.used,
        }
        for kind, began in (('new', None), ('tuned', start)):
            loaded, data = prepare_datasets(
                replace(config, name=f'{kind}-{slug(tuned.name)}'), [where / 'dataset'],
                start=began, cache=where / 'cache',
            )  # fmt: skip
            train(loaded, where / kind, data=data, start=began)
            card, _ = export_run(where / kind, where / 'weights')
            path = where / 'weights' / f'{card.name}-{card.version}.onnx'
            fit[kind] = judged(load_model(path), sample, known)
        fits.append(fit)
    shipped = judged(load_model(STARTED), sample, known)
    return {'known': known, 'shipped': shipped, 'fits': fits}


def judged(model: Model, sample: DetectionSet, known: Sequence[str]) -> dict[str, Any]:
    """
    Count what a model calls right, and what it leaks at a completeness of stars.

    ``known`` are classes that all compared models have: among detections of these,
    only they compete, as a new network cannot err towards a class that it lacks.
    """
    probabilities = averaged(model.predict, sample.inputs)
    classes = np.array(model.card.classes)
    names = np.asarray(sample.rows['label'], dtype=str)
    called = classes[probabilities.argmax(axis=1)]
    columns = np.flatnonzero(np.isin(classes, known))
    among = classes[columns][probabilities[:, columns].argmax(axis=1)]
    common = np.isin(names, known)
    p_star = probabilities[:, list(classes).index('star')]
    star = names == 'star'
    kept = p_star >= threshold_at_completeness(p_star[star], COMPLETENESS)

    def share_of(hits: np.ndarray, rows: np.ndarray) -> list[int]:
        return [int(hits[rows].sum()), int(rows.sum())]

    kinds = [name for name in CLASSES if (names == name).any()]
    return {
        'all': share_of(called == names, np.ones(len(names), dtype=bool)),
        'known': share_of(among == names, common),
        'right': {name: share_of(called == names, names == name) for name in kinds},
        'leak': {
            'all': share_of(kept, ~star),
            **{n: share_of(kept, names == n) for n in kinds if n != 'star'},
        },
    }
