"""
How right the labels of the step label are, and what networks learn from them.

Dithered sets are simulated, labelled as a user would, and compared with their truth,
beside simpler ways to the same labels. The report's network is trained on the labels
and on the truth, and judged on other fields. The shipped network is fitted to cameras
that it has not seen by labels of their own. What is finished is not done again.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from astrosieve.atomic import atomic_path
from astrosieve.catalogs import positions
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.exposures import Chip, read_chips
from astrosieve.markers import CLASSES
from astrosieve.metrics import threshold_at_completeness
from astrosieve.registry import Model, load_model
from astrosieve_training import label
from astrosieve_training.config import (
    ExposurePlan,
    digest,
    load_config,
    load_dataclass,
)
from astrosieve_training.datasets import DetectionSet, detection_set, join
from astrosieve_training.export import export_run
from astrosieve_training.figures import slug
from astrosieve_training.label.carrying import carry_labels, label_table
from astrosieve_training.label.dataset import cut_labels, write_dataset
from astrosieve_training.label.embedding import EmbeddingSettings, find_clusters
from astrosieve_training.label.frames import data_folder, ngc1261
from astrosieve_training.label.naming import NamingSettings, name_clusters
from astrosieve_training.label.procedure import (
    Labelled,
    LabelSettings,
    label_exposures,
)
from astrosieve_training.label.regions import UNLABELLED
from astrosieve_training.label.stages import Stages
from astrosieve_training.label_tables import (
    COMPLETENESS,
    REPORT_CLASSES,
    summed,
    table_lines,
)
from astrosieve_training.labelled import prepare_labels
from astrosieve_training.simulate import Truth, label_positions, read_truth
from astrosieve_training.simulated_files import simulator_version, write_dithered_set
from astrosieve_training.train import train
from astrosieve_training.warm_start import load_start

__all__ = ['LabelChecks', 'check_labels', 'load_label_checks']

_FILE = Path(__file__).parent / 'configs' / 'labelling' / 'source.toml'


@dataclass(frozen=True)
class Field:
    """
    Dithered exposures of one kind of field.

    Parameters
    ----------
    name : str
        What tables call it.
    camera, scene : str
        Of the simulator.
    exptime : float
        Seconds; 0 for the camera's usual one.
    seeds : tuple of int
        Of the fields; the embedding has the same.
    exposures : int
        Of each field.
    shape : tuple of int
        ``(ny, nx)``; ``(0, 0)`` for all chips, whole.
    """

    name: str
    camera: str
    scene: str
    seeds: tuple[int, ...]
    exptime: float = 0.0
    exposures: int = 4
    shape: tuple[int, int] = (0, 0)

    def plan(self, seed: int) -> ExposurePlan:
        """Return what is simulated from a seed."""
        return ExposurePlan(
            _camera(self.camera), self.scene, self.exptime, seed, self.shape
        )


@dataclass(frozen=True)
class NetworkCheck:
    """
    A network trained on labels and on the truth.

    Parameters
    ----------
    config : str
        Its configuration, of which the exposures are not used.
    training, judged : tuple of int
        Seeds, of the first field.
    per_class : int
        Largest number of labels of a class from each field.
    """

    config: str
    training: tuple[int, ...]
    judged: tuple[int, ...]
    per_class: int = 8000


@dataclass(frozen=True)
class Tuned:
    """
    A camera that the shipped network is fitted to.

    Parameters
    ----------
    name, camera, scene : str
        What tables call it, and what is simulated.
    seed : int
        Of the field that is labelled.
    judged : tuple of int
        Seeds of the exposures that judge.
    labels : int
        Labels that are used, drawn at random, the classes as evenly as may be.
    exposures : int
        Of the field.
    shape : tuple of int
        ``(ny, nx)``.
    exptime : float
        Seconds; 0 for the camera's usual one.
    """

    name: str
    camera: str
    scene: str
    seed: int
    judged: tuple[int, ...]
    labels: int = 3000
    exposures: int = 4
    shape: tuple[int, int] = (1024, 1024)
    exptime: float = 0.0

    def field(self, seed: int) -> Field:
        """Return the field of a seed."""
        return Field(
            self.name, self.camera, self.scene, (seed,), self.exptime,
            self.exposures, self.shape,
        )  # fmt: skip


@dataclass(frozen=True)
class LabelChecks:
    """
    All that is checked.

    Parameters
    ----------
    fields : tuple of `Field`
        Whose labels are compared with the truth.
    network : `NetworkCheck` or None
        Of the first field.
    tuned : tuple of `Tuned`
        Cameras.
    seed : int
        Of what is drawn.
    """

    fields: tuple[Field, ...]
    network: NetworkCheck | None = None
    tuned: tuple[Tuned, ...] = ()
    seed: int = 0


def _camera(name: str) -> str:
    """Return a camera's name, or the file of one that only these checks have."""
    own = _FILE.parent / f'{name}.toml'
    return str(own) if own.is_file() else name


def load_label_checks(path: Path = _FILE) -> LabelChecks:
    """
    Read what is to be checked.

    Parameters
    ----------
    path : `~pathlib.Path`, optional
        TOML file; the packaged one by default.

    Returns
    -------
    checks : `LabelChecks`

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is not known or a value cannot be.
    """
    checks: LabelChecks = load_dataclass(LabelChecks, path)
    return checks


def _code_version() -> str:
    here = Path(label.__file__).parent
    texts = [path.read_text(encoding='utf-8') for path in sorted(here.glob('*.py'))]
    own = Path(__file__).read_text(encoding='utf-8')
    return digest(*texts, own, simulator_version())


@dataclass(frozen=True)
class _Set:
    """A field that is simulated and labelled."""

    labelled: Labelled
    paths: list[Path]
    truths: list[list[Truth]]

    def true_labels(self) -> Table:
        """Return the truth of each peak."""
        peaks = self.labelled.peaks
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


def _labelled_set(field: Field, seed: int, folder: Path, say: Callable) -> _Set:
    """Simulate and label one field."""
    pairs = write_dithered_set(field.plan(seed), field.exposures, folder / 'exposures')
    paths = [image for image, _ in pairs]
    settings = LabelSettings(aligned=True, embedding=EmbeddingSettings(seed=seed))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        labelled = label_exposures(
            paths, folder / f'{slug(field.name)}-{seed}', settings, say=say
        )
    return _Set(labelled, paths, [read_truth(truth) for _, truth in pairs])


def _ways(labelled: Labelled) -> dict[str, np.ndarray]:
    """Return the labels of all peaks, by the procedure and by simpler ways."""
    places, members = labelled.places, labelled.members
    naming, embedding = NamingSettings(), EmbeddingSettings()
    row = np.full(int(members.max()) + 1, -1)
    row[np.asarray(places['id'])] = np.arange(len(places))
    known = row[members] >= 0

    def of_places(names: np.ndarray) -> np.ndarray:
        labels = np.full(len(members), UNLABELLED, dtype='U12')
        labels[known] = names[row[members[known]]]
        return labels

    physics = np.asarray(places['physics'], dtype='U12')
    clusters = find_clusters(labelled.embedding, embedding)
    named = name_clusters(clusters, physics)
    alone = places.copy()
    alone['label'] = physics
    twice = np.where(np.asarray(places['n_found']) > 1, 'star', 'cosmic_ray')
    return {
        'whole': np.where(known, labelled.peak_labels, UNLABELLED),
        'clusters': of_places(np.array([named[n] for n in clusters], dtype='U12')),
        'physics': np.where(
            known,
            carry_labels(labelled.peaks, members, alone, labelled.measured, naming),
            UNLABELLED,
        ),
        'twice': of_places(twice),
    }


def _compared(given: np.ndarray, true: Table) -> dict[str, Any]:
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


def _check_field(field: Field, seed: int, folder: Path, say: Callable) -> dict:
    """Compare the labels of one field with its truth."""
    made = _labelled_set(field, seed, folder, say)
    true = made.true_labels()
    labelled = made.labelled
    sampled = np.isin(labelled.members, np.asarray(labelled.places['id']))
    ways = {
        name: _compared(given[sampled], true[sampled])
        for name, given in _ways(labelled).items()
    }
    return {
        'field': asdict(field) | {'seed': seed},
        'report': labelled.report,
        'ways': ways,
        'all': _compared(labelled.peak_labels, true),
    }


def _thinned(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows: at most so many of a class."""
    kept = [
        rng.permutation(np.flatnonzero(labels == name))[:most]
        for name in np.unique(labels)
    ]
    return np.sort(np.concatenate(kept))


def _label_rows(made: _Set, names: np.ndarray, rows: np.ndarray) -> Table:
    """Return the labels of some peaks as a table of labels."""
    labels = np.full(len(names), UNLABELLED, dtype='U12')
    labels[rows] = names[rows]
    return label_table(made.labelled.peaks, labels, [each.name for each in made.paths])


def _check_network(checks: LabelChecks, folder: Path, say: Callable) -> dict[str, Any]:
    """Train the report's network on labels and on the truth, and judge both."""
    settings, field = checks.network, checks.fields[0]
    assert settings is not None
    config = load_config(settings.config)
    name = config.network.preprocessing
    rng = np.random.default_rng([checks.seed, 1])
    cut: dict[str, list] = {'labels': [], 'truth': []}
    paths: list[Path] = []
    for seed in settings.training:
        made = _labelled_set(field, seed, folder, say)
        true = made.true_labels()
        names = {
            'labels': made.labelled.peak_labels,
            'truth': np.where(true['contested'], UNLABELLED, true['label']),
        }
        paths += made.paths
        for kind, given in names.items():
            rows = np.flatnonzero(np.isin(given, config.network.classes))
            rows = rows[_thinned(given[rows], settings.per_class, rng)]
            cut[kind].append(_label_rows(made, np.asarray(given), rows))
    judged = [
        _truth_set(field, seed, folder, name, config.network.classes, checks.seed)
        for seed in settings.judged
    ]
    sample = join(judged)
    results: dict[str, Any] = {}
    for kind, tables in cut.items():
        where = folder / f'network-{kind}'
        sets = {name: cut_labels(paths, vstack(tables), preprocessing=name)}
        write_dataset(where / 'dataset', sets, exposures=paths, overwrite=True)
        loaded, data = prepare_labels(
            replace(config, name=f'on-{kind}'), [where / 'dataset'],
            cache=where / 'cache',
        )  # fmt: skip
        run = train(loaded, where / 'run', data=data)
        card, _ = export_run(where / 'run', where / 'weights')
        path = where / 'weights' / f'{card.name}-{card.version}.onnx'
        results[kind] = {'counts': run.summary['counts']}
        results[kind] |= _judged(load_model(path), sample, REPORT_CLASSES)
    return results


def _truth_set(
    field: Field,
    seed: int,
    folder: Path,
    preprocessing: str,
    classes: Sequence[str],
    draw: int,
    most: int = 20_000,
) -> DetectionSet:
    """Return uncontested detections of a field with their truth."""
    pairs = write_dithered_set(field.plan(seed), field.exposures, folder / 'exposures')
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
            sets.append(found[rows[_thinned(names[rows], share, rng)]])
    return join(sets)


def _chips(path: Path) -> list[Chip]:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        return list(read_chips(path))


def _check_tuned(
    tuned: Tuned, checks: LabelChecks, folder: Path, say: Callable
) -> dict[str, Any]:
    """Fit the shipped network to a camera, and judge it beside others."""
    made = _labelled_set(tuned.field(tuned.seed), tuned.seed, folder, say)
    start = load_start('source')
    name = start.card.preprocessing
    classes = start.card.classes
    given = made.labelled.peak_labels
    rng = np.random.default_rng([checks.seed, tuned.seed])
    rows = np.flatnonzero(given != UNLABELLED)
    most = tuned.labels
    while len(_thinned(given[rows], most, rng)) > tuned.labels:
        most = int(0.95 * most)
    rows = rows[_thinned(given[rows], most, rng)]
    where = folder / f'tuned-{slug(tuned.name)}'
    cut = cut_labels(made.paths, _label_rows(made, given, rows), preprocessing=name)
    write_dataset(where / 'dataset', {name: cut}, exposures=made.paths, overwrite=True)
    judged = join(
        [
            _truth_set(
                replace(tuned.field(seed), exposures=1), seed, folder, name, classes,
                checks.seed,
            )
            for seed in tuned.judged
        ]
    )  # fmt: skip
    config = load_config('source-finetuned')
    known = np.unique(given[rows]).tolist()
    results: dict[str, Any] = {
        'labels': _compared(given, made.true_labels()),
        'used': {c: int((given[rows] == c).sum()) for c in np.unique(given[rows])},
        'shipped': _judged(load_model('source'), judged, known),
    }
    for kind, began in (('new', None), ('tuned', start)):
        loaded, data = prepare_labels(
            replace(config, name=f'{kind}-{slug(tuned.name)}'), [where / 'dataset'],
            start=began, cache=where / 'cache',
        )  # fmt: skip
        train(loaded, where / kind, data=data, start=began)
        card, _ = export_run(where / kind, where / 'weights')
        path = where / 'weights' / f'{card.name}-{card.version}.onnx'
        results[kind] = _judged(load_model(path), judged, known)
    return results


def _judged(model: Model, sample: DetectionSet, known: Sequence[str]) -> dict[str, Any]:
    """
    Count what a model calls right, and what it leaks at a completeness of stars.

    ``known`` are classes that all compared models have: among detections of these,
    only they compete, as a new network cannot err towards a class that it lacks.
    """
    probabilities = model.predict(sample.inputs)
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


def _check_ngc1261(folder: Path, say: Callable) -> dict[str, Any] | None:
    """Compare labels of a real exposure with those of its comparison."""
    data = data_folder()
    if data is None:
        return None
    path = data / 'wfpc2pc_ngc1261_f336w_single.fits'
    settings = LabelSettings(combined=str(data / 'wfpc2pc_ngc1261_f336w_median3.fits'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        labelled = label_exposures([path], folder / 'ngc1261', settings, say=say)
    xy = positions(labelled.peaks)
    compared = []
    for half in ('left', 'right'):
        frame = ngc1261(data, half)
        rows = frame.within(xy[:, 0], xy[:, 1])
        true = frame.label(xy[rows])
        compared.append(_compared(labelled.peak_labels[rows], true))
    return {'report': labelled.report, 'compared': summed(compared)}


def check_labels(
    checks: LabelChecks, folder: Path, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """
    Do all checks.

    Parameters
    ----------
    checks : `LabelChecks`
        What is checked.
    folder : `~pathlib.Path`
        Keeps exposures, stages and results; gets ``labelling.json`` and
        ``labelling.md``.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    results : dict
        ``fields`` (one dict per seed), ``network``, ``tuned``, ``ngc1261``.
    """
    tell = say or (lambda text: None)
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(folder / 'results', tell)
    code = _code_version()
    results: dict[str, Any] = {'fields': [], 'tuned': {}}
    for field in checks.fields:
        for seed in field.seeds:
            key = digest(code, field, seed)
            results['fields'].append(
                stages.record(
                    f'{slug(field.name)}-{seed}', key,
                    partial(_check_field, field, seed, folder, tell),
                )
            )  # fmt: skip
    key = digest(code)
    real = stages.record(
        'ngc1261', key, lambda: {'found': _check_ngc1261(folder, tell)}
    )
    results['ngc1261'] = real['found']
    if checks.network is not None:
        key = digest(code, checks.network, checks.fields[0], checks.seed)
        results['network'] = stages.record(
            'network', key, lambda: _check_network(checks, folder, tell)
        )
    for tuned in checks.tuned:
        key = digest(code, tuned, checks.seed)
        results['tuned'][tuned.name] = stages.record(
            f'tuned-{slug(tuned.name)}', key,
            partial(_check_tuned, tuned, checks, folder, tell),
        )  # fmt: skip
    text = json.dumps(results, indent=2) + '\n'
    with atomic_path(folder / 'labelling.json', overwrite=True) as temporary:
        temporary.write_text(text, encoding='utf-8')
    lines = '\n'.join(table_lines(results)) + '\n'
    with atomic_path(folder / 'labelling.md', overwrite=True) as temporary:
        temporary.write_text(lines, encoding='utf-8')
    return results
