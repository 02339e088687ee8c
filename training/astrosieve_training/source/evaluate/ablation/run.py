"""
What was tried: the network with one thing changed at a time, as a table.

An ablation is a TOML file: a base configuration, exposures to judge on, and rows
that say what is changed. All rows learn from the same exposures, for the same number
of epochs, with the same seed, once; none is calibrated, as leaks at a completeness
only need an order. What is finished is written after each row and not done again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.models.calibration import softmax
from astrosieve.models.metrics import Share
from astrosieve_training.judge.report import plain
from astrosieve_training.learn.loop import RunState
from astrosieve_training.simulate.plans import ExposurePlan, ExposureSet, exposure_key
from astrosieve_training.source.config import FinderConfig, SourceConfig
from astrosieve_training.source.datasets.detections import DetectionSet, simulated_set
from astrosieve_training.source.datasets.examples import balance_examples, make_examples
from astrosieve_training.source.evaluate.ablation.settings import Ablation, Row
from astrosieve_training.source.evaluate.ablation.tables import table_lines
from astrosieve_training.source.evaluate.limits import faint_leak, leaks
from astrosieve_training.source.networks import build_network, network_module
from astrosieve_training.source.train.predict import averaged_logits
from astrosieve_training.source.train.runs import train_network
from astrosieve_training.versions import code_version, digest

__all__ = ['ablate', 'row_key']

_BYTES_PER_PARAMETER = 4


@dataclass(frozen=True)
class _Data:
    """The detections of one preprocessing."""

    training: DetectionSet
    validation: DetectionSet
    judge: DetectionSet
    held_back: DetectionSet

    @classmethod
    def load(
        cls, ablation: Ablation, preprocessing: str, cache: Path, progress: bool
    ) -> _Data:
        def simulated(
            exposures: ExposureSet, finders: Sequence[FinderConfig]
        ) -> DetectionSet:
            return simulated_set(
                exposures,
                finders=finders,
                preprocessing=preprocessing,
                folder=cache,
                progress=progress,
            )

        learnt = ablation.config.finders
        return cls(
            simulated(ablation.training, learnt),
            simulated(ablation.config.validation, learnt),
            simulated(ablation.judge, ablation.finders),
            simulated(ablation.held_back, ablation.finders),
        )


def _within(rows: Table, column: str, names: Iterable[str]) -> np.ndarray:
    return np.isin(np.asarray(rows[column], dtype=str), list(names))


def _of_cameras(rows: Table, cameras: Iterable[str]) -> np.ndarray:
    return _within(rows, 'camera', [Path(camera).stem for camera in cameras])


@dataclass(frozen=True)
class _Network:
    """A trained network and what its training took."""

    module: Any
    star: int
    n_examples: int
    state: RunState

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.module.parameters())

    def scores(self, detections: DetectionSet) -> np.ndarray:
        """Return the probability of a star, as if classes were equally frequent."""
        logits = averaged_logits(self.module, detections.inputs)
        return softmax(logits)[:, self.star]


def _train(
    data: _Data,
    config: SourceConfig,
    plans: Sequence[ExposurePlan],
    cameras: Sequence[str],
    number: int,
    folder: Path,
) -> _Network:
    """Train on some exposures; validate on all, or on those of some cameras."""
    sky, holdout = data.training, data.validation
    wanted = _within(sky.rows, 'exposure', [plan.label for plan in plans])
    if not wanted.all():
        sky = sky[wanted]
    if cameras:
        holdout = holdout[_of_cameras(holdout.rows, cameras)]
    rng = np.random.default_rng([config.seed, 1])
    training, validation = balance_examples(
        make_examples(sky, config), make_examples(holdout, config), config, rng
    )
    path = folder / f'run-{number:02d}.pt'
    state = train_network(training, validation, config, number, path)
    module = build_network(config.network)
    module.load_state_dict(state.best)
    star = config.network.classes.index('star')
    return _Network(module, star, len(training), state)


def _measured(scores: np.ndarray, rows: Table) -> dict[str, Share]:
    """Return what is kept of the stars, and the leak of the rest."""
    found = leaks(scores, rows)
    faint = faint_leak(scores, rows)
    return found if faint is None else {**found, 'faint': faint}


def _pooled(parts: Sequence[Mapping[str, Share]]) -> dict[str, Share]:
    """Return the shares of several samples, each with its own threshold, as one."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: Share(
            sum(part[name].k for part in parts if name in part),
            sum(part[name].n for part in parts if name in part),
        )
        for name in names
    }


def _by_group(
    ablation: Ablation, networks: Sequence[_Network], detections: DetectionSet
) -> dict[str, Share]:
    """Judge the known cameras: a threshold, and perhaps a network, for each group."""
    parts = []
    for number, group in enumerate(ablation.groups):
        part = detections[_of_cameras(detections.rows, group.cameras)]
        if len(part):
            network = networks[number % len(networks)]
            parts.append(_measured(network.scores(part), part.rows))
    return _pooled(parts)


def _judged(
    ablation: Ablation, row: Row, networks: Sequence[_Network], data: _Data
) -> dict[str, dict[str, Share]]:
    """Return the measurements on all samples."""
    number = 0
    samples = {'known': _by_group(ablation, networks, data.judge)}
    if row.per_camera:
        number = [group.held_back for group in ablation.groups].index(True)
    else:
        samples['judge'] = _measured(networks[0].scores(data.judge), data.judge.rows)
    samples['held_back'] = _measured(
        networks[number].scores(data.held_back), data.held_back.rows
    )
    return samples


def _do(ablation: Ablation, row: Row, data: _Data, folder: Path) -> dict[str, Any]:
    """Train and judge one row."""
    config = ablation.settings(row)
    folder.mkdir(parents=True, exist_ok=True)
    parts = ablation.parts(row)
    networks = []
    for number, (_, plans) in enumerate(parts):
        cameras = ablation.groups[number].cameras if row.per_camera else ()
        networks.append(_train(data, config, plans, cameras, number, folder))
    n_parameters = sum(network.n_parameters for network in networks)
    return {
        'key': row_key(ablation, row),
        'text': row.text,
        'networks': [name for name, _ in parts],
        'exposures': sum(len(plans) for _, plans in parts),
        'cutouts': sum(network.n_examples for network in networks),
        'parameters': n_parameters,
        'bytes': _BYTES_PER_PARAMETER * n_parameters,
        'seconds': sum(network.state.seconds for network in networks),
        'best_epochs': [network.state.best_epoch for network in networks],
        'samples': plain(_judged(ablation, row, networks, data)),
    }


def _do_rows(
    ablation: Ablation,
    rows: Sequence[Row],
    folder: Path,
    cache: Path,
    finish: Callable[[Row, dict[str, Any]], None],
    progress: bool,
) -> None:
    """Do rows of one preprocessing; its detections are gone afterwards."""
    preprocessing = ablation.settings(rows[0]).network.preprocessing
    data = _Data.load(ablation, preprocessing, cache, progress)
    for row in rows:
        finish(row, _do(ablation, row, data, folder / row.folder))


def row_key(ablation: Ablation, row: Row) -> str:
    """Return a hash of all that decides the numbers of a row."""
    settings = ablation.settings(row)
    sets = (settings.training, settings.validation, *settings.judge.sets)
    network = network_module(settings.network.kind)
    return digest(
        settings.network,
        settings.train,
        settings.seed,
        settings.training,
        settings.validation,
        settings.finders,
        settings.judge,
        *ablation.groups,
        row.training,
        row.per_camera,
        [exposure_key(plan) for each in sets for plan in each.plans()],
        code_version(sys.modules[__name__], network),
    )


def ablate(
    ablation: Ablation,
    folder: Path,
    *,
    cache: Path | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, Any]]:
    """
    Train and judge the rows of an ablation.

    Parameters
    ----------
    ablation : `Ablation`
        The rows.
    folder : `~pathlib.Path`
        Gets ``ablation.json`` and ``ablation.md``, whole after each row, and
        ``ablation/ROW/run-NN.pt``. Rows that are there with the same settings are
        not done again, and an interrupted training goes on.
    cache : `~pathlib.Path`, optional
        Folder of the detections; ``cache`` in ``folder`` by default.
    progress : bool, optional
        Whether to show progress of the simulations.
    say : callable, optional
        Told of each row that is finished.

    Returns
    -------
    results : dict of str to dict
        By row: what it took, and its leaks on the samples ``judge``, ``known`` (see
        `table_lines`) and ``held_back``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = _read(folder / 'ablation.json')
    results = {
        row.name: {**old[row.name], 'text': row.text}
        for row in ablation.rows
        if old.get(row.name, {}).get('key') == row_key(ablation, row)
    }

    def finish(row: Row, result: dict[str, Any]) -> None:
        results[row.name] = result
        _write(ablation, results, folder)
        say(f'{row.name}: trained in {result["seconds"]:.0f} s')

    pending: dict[str, list[Row]] = {}
    for row in ablation.rows:
        if row.name in results:
            say(f'{row.name}: was done already')
        else:
            preprocessing = ablation.settings(row).network.preprocessing
            pending.setdefault(preprocessing, []).append(row)
    for rows in pending.values():
        _do_rows(
            ablation, rows, folder / 'ablation', cache or folder / 'cache', finish,
            progress,
        )  # fmt: skip
    _write(ablation, results, folder)
    return results


def _read(path: Path) -> dict[str, Any]:
    """Return the rows that are written already; none where the file is not whole."""
    try:
        rows: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))['rows']
    except (FileNotFoundError, ValueError, KeyError):
        return {}
    return rows


def _write(
    ablation: Ablation, results: Mapping[str, dict[str, Any]], folder: Path
) -> None:
    """Write numbers and tables."""
    rows = {row.name: results[row.name] for row in ablation.rows if row.name in results}
    numbers = {
        'base': ablation.config.name,
        'training': asdict(ablation.training),
        'epochs': ablation.epochs,
        'judge': asdict(ablation.judge),
        'held_back': asdict(ablation.held_back),
        'rows': rows,
    }
    title = f'# What was tried for {ablation.config.name}'
    for suffix, text in (
        ('json', json.dumps(numbers, indent=1)),
        ('md', '\n'.join([title, '', *table_lines(ablation, results)])),
    ):
        path = folder / f'ablation.{suffix}'
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(f'{text}\n', encoding='utf-8')
