"""
What was tried: the network with one thing changed at a time, as a table.

An ablation is a TOML file: a base configuration, exposures to judge on, and rows
that say what is changed. All rows learn from the same exposures, for the same number
of epochs, with the same seed, once; none is calibrated, as leaks at a completeness
only need an order. What is finished is written after each row and not done again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.models.calibration import softmax
from astrosieve_training.judge.limits import cell, share
from astrosieve_training.learn.loop import RunState
from astrosieve_training.settings import ConfigError, build_dataclass, load_dataclass
from astrosieve_training.simulate.plans import (
    ExposurePlan,
    ExposureSet,
    exposure_key,
)
from astrosieve_training.source.config import (
    CalibrationConfig,
    FinderConfig,
    JudgeConfig,
    SourceConfig,
    load_config,
)
from astrosieve_training.source.datasets.detections import DetectionSet, simulated_set
from astrosieve_training.source.datasets.examples import balance_examples, make_examples
from astrosieve_training.source.evaluate.limits import faint_leak, leaks
from astrosieve_training.source.networks import build_network, network_module
from astrosieve_training.source.train.predict import averaged_logits
from astrosieve_training.source.train.runs import train_network
from astrosieve_training.versions import code_version, digest

__all__ = [
    'Ablation',
    'Group',
    'Row',
    'Selection',
    'ablate',
    'load_ablation',
    'table_lines',
]

_FILE = Path(__file__).parents[2] / 'configs' / 'source' / 'ablation' / 'source.toml'
_MOST_BYTES = 500_000
_BYTES_PER_PARAMETER = 4
_COLUMNS = {
    'cosmic_ray': 'cosmic rays',
    'spike': 'spikes',
    'bad_pixel': 'bad pixels',
    'extended': 'resolved galaxies',
    'faint': 'S/N 5 to 10',
}


@dataclass(frozen=True)
class Selection:
    """
    Some of the exposures that all rows share.

    Parameters
    ----------
    cameras : tuple of str
        Those of these cameras; empty for all.
    n : int
        Of the first n; 0 for all.
    """

    cameras: tuple[str, ...] = ()
    n: int = 0

    def pick(self, plans: Sequence[ExposurePlan]) -> list[ExposurePlan]:
        """Return the exposures that are meant."""
        first = plans[: self.n or None]
        return [p for p in first if not self.cameras or p.camera in self.cameras]


@dataclass(frozen=True)
class Group:
    """
    Cameras that share a network where there is one per camera.

    Parameters
    ----------
    name : str
        What tables call it.
    cameras : tuple of str
        Of the base configuration.
    held_back : bool
        Whether its network judges the camera that is held back.
    """

    name: str
    cameras: tuple[str, ...]
    held_back: bool = False


@dataclass(frozen=True)
class Row:
    """
    One row of the table.

    Parameters
    ----------
    name, text : str
        What it is called, and what is changed.
    network, train : dict
        Values in place of the base configuration's, see
        `~astrosieve_training.source.config.NetworkConfig` and
        `~astrosieve_training.source.config.TrainConfig`.
    training : `Selection`
        What it learns from.
    per_camera : bool
        Whether each group of cameras has a network of its own.
    """

    name: str
    text: str
    network: dict = field(default_factory=dict)
    train: dict = field(default_factory=dict)
    training: Selection = field(default_factory=Selection)
    per_camera: bool = False

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')


def _changed(section: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return a section of a configuration with some values changed."""
    plain = json.loads(json.dumps(asdict(section)))  # lists, as in a file
    return build_dataclass(type(section), plain | values, where)


@dataclass(frozen=True)
class Ablation:
    """
    A table of what was tried.

    Parameters
    ----------
    base : str
        Configuration from which each row differs: a name, or a file.
    n : int
        The rows learn from the first n of the base's exposures.
    epochs : int
        Passes through them, unless a row says otherwise.
    judge, held_back : `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures to judge on: of the base's cameras, and of one that it lacks.
    finders : tuple of `~astrosieve_training.source.config.FinderConfig`
        Finders whose detections are judged.
    groups : tuple of `Group`
        All known cameras, by instrument.
    rows : tuple of `Row`
        The first is the base.
    """

    base: str
    n: int
    epochs: int
    judge: ExposureSet
    held_back: ExposureSet
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    finders: tuple[FinderConfig, ...] = (FinderConfig('peaks', 4.0),)

    def __post_init__(self) -> None:
        most = self.config.training.n
        if not 1 <= self.n <= most:
            msg = f'n must be 1 to {most}, the exposures of {self.base}; got {self.n}'
            raise ConfigError(msg)
        self._check_groups()
        if not self.rows:
            msg = 'an ablation needs rows; add [[rows]] with name and text'
            raise ConfigError(msg)
        folders: dict[str, str] = {}
        for row in self.rows:
            other = folders.setdefault(row.folder, row.name)
            if not row.folder or other is not row.name:
                msg = f'rows {other!r} and {row.name!r} need names of their own'
                raise ConfigError(msg)
            self._check_row(row)

    def _check_groups(self) -> None:
        listed = [camera for group in self.groups for camera in group.cameras]
        known = {*self.config.training.cameras, *self.judge.cameras} - {'random'}
        if sorted(listed) != sorted(known):
            msg = (
                f'groups must hold each known camera once: {sorted(known)}; '
                f'got {sorted(listed)}'
            )
            raise ConfigError(msg)
        if sum(group.held_back for group in self.groups) != 1:
            msg = 'one group must have held_back = true: the nearest to that camera'
            raise ConfigError(msg)

    def _check_row(self, row: Row) -> None:
        where = f'row {row.name!r}'
        if self.settings(row).train.split != 'exposure':
            msg = f"{where}: train.split must be 'exposure'"
            raise ConfigError(msg)
        if row.per_camera and row.training.cameras:
            msg = f'{where}: per_camera takes its cameras from the groups; drop cameras'
            raise ConfigError(msg)
        if not 0 <= row.training.n <= self.n:
            msg = f'{where}: training.n must be 0 to {self.n}; got {row.training.n}'
            raise ConfigError(msg)
        there = list(dict.fromkeys(plan.camera for plan in self.training.plans()))
        strange = [name for name in row.training.cameras if name not in there]
        if strange:
            msg = (
                f'{where}: training.cameras: no exposure of {strange[0]!r}; there are '
                f'those of {", ".join(there)}'
            )
            raise ConfigError(msg)
        for name, plans in self.parts(row):
            seen = {plan.camera for plan in plans}
            validating = {plan.camera for plan in self.config.validation.plans()}
            if not plans or (row.per_camera and not seen & validating):
                msg = f'{where}: no exposures to train or validate on for {name}'
                raise ConfigError(msg)

    @cached_property
    def config(self) -> SourceConfig:
        """The base, judged on the exposures of the ablation."""
        base = load_config(self.base)
        sets = (self.judge, self.held_back)
        # Refuses seeds that the base uses, to judge on as well.
        replace(base, judge=replace(base.judge, sets=(*base.judge.sets, *sets)))
        judge = JudgeConfig(sets=sets, finders=self.finders, real=False)
        return replace(base, judge=judge)

    @property
    def training(self) -> ExposureSet:
        """The exposures that the rows share."""
        return replace(self.config.training, n=self.n)

    def settings(self, row: Row) -> SourceConfig:
        """
        Return the configuration of a row.

        Raises
        ------
        ConfigError
            If a key is not known or a value cannot be; the row is named.
        """
        base = self.config
        train = replace(base.train, epochs=self.epochs, runs=1)
        try:
            return replace(
                base,
                training=self.training,
                real=replace(base.real, ngc1261=False),
                calibration=CalibrationConfig(),
                network=_changed(base.network, row.network, 'network'),
                train=_changed(train, row.train, 'train'),
            )
        except ConfigError as error:
            msg = f'row {row.name!r}: {error}'
            raise ConfigError(msg) from error

    def parts(self, row: Row) -> list[tuple[str, list[ExposurePlan]]]:
        """
        Return what each network of a row learns from.

        Parameters
        ----------
        row : `Row`
            The row.

        Returns
        -------
        parts : list of tuple
            A name and exposures: one pair, or one for each group.
        """
        plans = row.training.pick(self.training.plans())
        if not row.per_camera:
            return [('all cameras', plans)]
        return [
            (group.name, Selection(group.cameras).pick(plans)) for group in self.groups
        ]

    def key(self, row: Row) -> str:
        """Return a hash of all that decides the numbers of a row."""
        settings = self.settings(row)
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
            *self.groups,
            row.training,
            row.per_camera,
            [exposure_key(plan) for each in sets for plan in each.plans()],
            code_version(sys.modules[__name__], network),
        )


def load_ablation(path: str | Path = _FILE) -> Ablation:
    """
    Read an ablation.

    Parameters
    ----------
    path : path-like, optional
        TOML file; by default the one that comes with the package.

    Returns
    -------
    ablation : `Ablation`

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, a key is not known or a value cannot
        be, in any of its rows.
    """
    ablation: Ablation = load_dataclass(Ablation, Path(path))
    return ablation


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


def _measured(scores: np.ndarray, rows: Table) -> dict[str, Any]:
    """Return what is kept of the stars, and the leak of the rest."""
    found: dict[str, Any] = leaks(scores, rows)
    faint = faint_leak(scores, rows)
    return found if faint is None else {**found, 'faint': faint}


def _pooled(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the shares of several samples, each with its own threshold, as one."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: share(*(sum(p[name][key] for p in parts if name in p) for key in 'kn'))
        for name in names
    }


def _by_group(
    ablation: Ablation, networks: Sequence[_Network], detections: DetectionSet
) -> dict[str, Any]:
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
) -> dict[str, Any]:
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
        'key': ablation.key(row),
        'text': row.text,
        'networks': [name for name, _ in parts],
        'exposures': sum(len(plans) for _, plans in parts),
        'cutouts': sum(network.n_examples for network in networks),
        'parameters': n_parameters,
        'bytes': _BYTES_PER_PARAMETER * n_parameters,
        'seconds': sum(network.state.seconds for network in networks),
        'best_epochs': [network.state.best_epoch for network in networks],
        'samples': _judged(ablation, row, networks, data),
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
        if old.get(row.name, {}).get('key') == ablation.key(row)
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


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f'| {" | ".join(head)} |',
        f'|{" --- |" * len(head)}',
        *(f'| {" | ".join(row)} |' for row in rows),
    ]


def _size(result: Mapping[str, Any]) -> str:
    """Return the size of a row's networks."""
    each = result['bytes'] / len(result['networks'])
    text = f'{each / 1000:.0f}'
    if len(result['networks']) > 1:
        text = f'{len(result["networks"])} x {text}'
    return f'{text} (above {_MOST_BYTES / 1000:.0f})' if each > _MOST_BYTES else text


def _sample(exposures: ExposureSet) -> str:
    seeds = exposures.seeds
    return f'{exposures.n} exposures, seeds {seeds.start} to {seeds.stop - 1}'


def table_lines(ablation: Ablation, results: Mapping[str, dict[str, Any]]) -> list[str]:
    """
    Return the tables.

    Parameters
    ----------
    ablation : `Ablation`
        The rows; those that are not done are left out.
    results : dict of str to dict
        As `ablate` returns them.

    Returns
    -------
    lines : list of str
        Markdown: what each row is, then its leaks on all cameras, on the camera that
        is held back, and on the known cameras with a threshold for each instrument,
        which is how networks that know one instrument are compared with one that
        knows all.
    """
    rows = [row for row in ablation.rows if row.name in results]
    lines = [
        f'Each row is {ablation.config.name} with one thing changed, trained once for '
        f'{ablation.epochs} epochs on the detections of the first {ablation.n} of its '
        'training exposures, and judged on exposures on which no network was trained. '
        'kB: parameters of 4 bytes.',
        '',
        *_markdown(
            ('row', 'what is changed', 'exposures', 'cutouts', 'kB', 'training, s'),
            [
                (
                    row.name,
                    row.text,
                    str(results[row.name]['exposures']),
                    str(results[row.name]['cutouts']),
                    _size(results[row.name]),
                    f'{results[row.name]["seconds"]:.0f}',
                )
                for row in rows
            ],
        ),
        '',
        'Called stars where 99.5 % of the stars of S/N 10 and more are kept (PSF FWHM '
        '1.4 to 4 pixels): cosmic rays, spikes, bad pixels and resolved galaxies of '
        'S/N 20 and more; and all that is no star at S/N 5 to 10, where 97 % of the '
        'stars of that S/N are kept. Uncontested detections; 95 % Wilson intervals '
        'and counts.',
    ]
    groups = ', '.join(group.name for group in ablation.groups)
    nearest = next(group.name for group in ablation.groups if group.held_back)
    notes = {
        'judge': f'All cameras ({_sample(ablation.judge)}), one threshold. One network '
        'per camera has no entry: random cameras have no network.',
        'held_back': f'{ablation.held_back.name} ({_sample(ablation.held_back)}), '
        f'which no network was trained on. Of the networks per camera that of '
        f'{nearest}.',
        'known': f'The known cameras among the first, with a threshold for each of '
        f'{groups}; the counts are added.',
    }
    for name, note in notes.items():
        found = [(row, results[row.name]['samples'].get(name)) for row in rows]
        lines += [
            '',
            note,
            '',
            *_markdown(
                ('row', 'stars kept', *_COLUMNS.values()),
                [
                    (row.name, *(cell(each.get(key)) for key in ('star', *_COLUMNS)))
                    for row, each in found
                    if each is not None
                ],
            ),
        ]
    return lines
