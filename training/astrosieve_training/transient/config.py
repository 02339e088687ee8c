"""Configurations of networks for candidates, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from astrosieve.transient.classes import CLASSES, REAL, REAL_KINDS
from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import LoopSettings, NetworkSettings
from astrosieve_training.settings import (
    ConfigError,
    Natural,
    NotNegative,
    Rule,
    Settings,
    Share,
    load_dataclass,
    one_of,
)
from astrosieve_training.transient.simulate.surveys import HELD_BACK, SURVEYS

__all__ = ['FieldSet', 'TransientConfig', 'load_config']

_LEARNT = tuple(each.name for each in SURVEYS)
_KNOWN = (*_LEARNT, *(each.name for each in HELD_BACK))
_Surveys = Annotated[
    tuple[str, ...],
    Rule(f'some of {", ".join(_KNOWN)}', lambda names: set(names) <= {*_KNOWN}),
]
_Names = Annotated[
    tuple[str, ...],
    Rule(f'some of {", ".join(CLASSES)}', lambda names: set(names) <= {*CLASSES}),
]
_TOLD_APART = (
    *REAL_KINDS, 'dipole', 'residual', 'saturated', 'spike', 'satellite_trail',
    'cosmic_ray', 'bad_pixel', 'bad_template', 'noise',
)  # fmt: skip


@dataclass(frozen=True)
class FieldSet(Settings):
    """
    Candidates of simulated fields.

    Parameters
    ----------
    fields : int
        Fields of triplets, some 65 candidates each.
    band_fields : int
        Fields in three bands, some 35 candidates each.
    seed : int
        Of the first; no two sets may share one.
    surveys : tuple of str
        Of the triplets.
    """

    seed: Natural
    fields: Natural = 0
    band_fields: Natural = 0
    surveys: _Surveys = _LEARNT

    @property
    def seeds(self) -> range:
        """Seeds of the triplets; three-band fields have the same ones."""
        return range(self.seed, self.seed + max(self.fields, self.band_fields))


@dataclass(frozen=True)
class TransientConfig(NetworkSettings):
    """
    A network for candidates.

    What all networks have is told by their base.

    Parameters
    ----------
    kind : {'stamps', 'negm2021'}
        Architecture.
    preprocessing : str
        What makes its inputs.
    classes : tuple of str
        In the order of the outputs.
    training, validation, calibrating, judged : `FieldSet`
        Simulated fields. Where only ``training`` has any, its candidates are split:
        a quarter to be judged, 30 % of the rest for validation and calibration.
    labelled : `FieldSet`, optional
        Simulated fields of a survey not learnt from, on which fine-tuning is measured.
    prior : float
        Share of real candidates for which probabilities hold.
    incomplete : float
        Share of the triplets that lack a template, a difference, or a science image.
    unlabelled : float
        How much the answers to turned and unturned unlabelled alerts, which are to
        agree, count beside the truth; 0 for simulated candidates alone.
    binary : float
        How much the cross-entropy of ``p_real`` counts beside that of the classes.
    dropout : float
        Share of the dense layer's inputs that are left out in training.
    tune : `~astrosieve_training.learn.settings.LoopSettings`
        The loop that goes on with labels of a survey.
    default : bool
        Whether the task's name means this model.
    """

    training: FieldSet
    kind: Annotated[str, one_of('stamps', 'negm2021')] = 'stamps'
    preprocessing: str = 'stamps-1'
    validation: FieldSet | None = None
    calibrating: FieldSet | None = None
    judged: FieldSet | None = None
    labelled: FieldSet | None = None
    classes: _Names = _TOLD_APART
    prior: Share = 0.5
    incomplete: Share = 0.0
    unlabelled: NotNegative = 0.0
    binary: NotNegative = 0.0
    dropout: Share = 0.0
    tune: LoopSettings = field(default_factory=LoopSettings)
    default: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = (self.validation, self.calibrating, self.judged)
        if len({each is None for each in needed}) > 1:
            msg = 'give validation, calibrating and judged, or none of them'
            raise ConfigError(msg)
        others = (*needed, self.labelled)
        sets = [self.training, *(each for each in others if each is not None)]
        require_apart('a field', (each.seeds for each in sets))
        if not {REAL, *REAL_KINDS} & set(self.classes):
            msg = f"classes must have '{REAL}' or one of its kinds"
            raise ConfigError(msg)


def load_config(name: str | Path) -> TransientConfig:
    """
    Read a configuration.

    Parameters
    ----------
    name : str or path-like
        Name of one that comes with the package, or a TOML file.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    config: TransientConfig = load_dataclass(
        TransientConfig, config_path('transient', name)
    )
    return config
