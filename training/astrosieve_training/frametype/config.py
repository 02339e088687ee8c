"""Configurations of networks for frames, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from astrosieve.frametype.classes import CLASSES
from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import LoopSettings, NetworkSettings
from astrosieve_training.settings import (
    Count,
    Natural,
    Rule,
    Settings,
    load_dataclass,
    one_of,
)

__all__ = ['FrameConfig', 'FrameSet', 'load_config']

_Names = Annotated[
    tuple[str, ...],
    Rule(f'some of {", ".join(CLASSES)}', lambda names: set(names) <= {*CLASSES}),
]


@dataclass(frozen=True)
class FrameSet(Settings):
    """
    Frames of simulated spectrographs.

    Parameters
    ----------
    spectrographs : int
        How many seeds, each with a layout of its own.
    seed : int
        Of the first spectrograph; no two sets may share one.
    frames : int
        Of each class and spectrograph.
    oddities : int
        Of what is none of the classes.
    windows : int
        Of each frame, beside the whole: cut at the edges, binned.
    largest : int
        Pixels; spectrographs with larger detectors are passed over.
    """

    spectrographs: Count
    seed: Natural
    frames: Count = 1
    oddities: Count = 1
    windows: Natural = 0
    largest: Count = 20_000_000

    @property
    def seeds(self) -> range:
        """Seeds of the spectrographs."""
        return range(self.seed, self.seed + self.spectrographs)


@dataclass(frozen=True)
class FrameConfig(NetworkSettings):
    """
    A network for frames.

    What all networks have is told by their base.

    Parameters
    ----------
    kind : {'frames', 'spit'}
        Architecture.
    preprocessing : str
        What makes its inputs.
    classes : tuple of str
        In the order of the outputs.
    training, validation, calibrating, judged : `FrameSet`
        Simulated frames, of spectrographs that differ from set to set.
    train : `~astrosieve_training.learn.settings.LoopSettings`
        The loop over simulated frames; its runs are the members of the network.
    tune : `~astrosieve_training.learn.settings.LoopSettings`
        The loop that goes on with real frames among them.
    repeated : bool
        Whether frames of rarer classes are repeated to equal counts; else they weigh
        more.
    real : int
        How many windows of each real frame are shown among the simulated frames.
    tune_part : int
        One in so many of the simulated frames is shown again beside the real ones.
    default : bool
        Whether the task's name means this model.
    """

    kind: Annotated[str, one_of('frames', 'spit')]
    preprocessing: str
    training: FrameSet
    validation: FrameSet
    calibrating: FrameSet
    judged: FrameSet
    classes: _Names = CLASSES.names
    tune: LoopSettings = field(default_factory=LoopSettings)
    repeated: bool = False
    real: Natural = 0
    tune_part: Count = 4
    default: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sets = (self.training, self.validation, self.calibrating, self.judged)
        require_apart('a spectrograph', (each.seeds for each in sets))


def load_config(name: str | Path) -> FrameConfig:
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
    config: FrameConfig = load_dataclass(FrameConfig, config_path('frametype', name))
    return config
