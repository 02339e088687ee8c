"""The table of what was tried: its rows, and what they learn from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from astrosieve_training.judge.report import slug
from astrosieve_training.settings import ConfigError, build_dataclass, load_dataclass
from astrosieve_training.simulate.plans import ExposurePlan, ExposureSet
from astrosieve_training.source.config import (
    CalibrationConfig,
    FinderConfig,
    JudgeConfig,
    SourceConfig,
    load_config,
)

__all__ = ['Ablation', 'Group', 'Row', 'Selection', 'load_ablation']

_FILE = Path(__file__).parents[3] / 'configs' / 'source' / 'ablation' / 'source.toml'


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
        return slug(self.name)


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
    return load_dataclass(Ablation, Path(path))
