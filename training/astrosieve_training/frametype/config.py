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
    Positive,
    Rule,
    Settings,
    Share,
    load_dataclass,
    one_of,
)
from astrosieve_training.simulate.spectra import FAMILIES

__all__ = ['FrameConfig', 'FrameSet', 'TreeSettings', 'load_config']

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
    echelles : int
        How many more seeds, after these, whose spectrographs are all echelles, the
        layout that is called right least often.
    """

    spectrographs: Count
    seed: Natural
    frames: Count = 1
    oddities: Count = 1
    windows: Natural = 0
    largest: Count = 20_000_000
    echelles: Natural = 0

    @property
    def seeds(self) -> range:
        """Seeds of the spectrographs."""
        return range(self.seed, self.seed + self.spectrographs + self.echelles)

    def families(self, seed: int) -> tuple[str, ...]:
        """Return the layouts that the spectrograph of a seed is drawn from."""
        more = seed >= self.seed + self.spectrographs
        return ('echelle',) if more else FAMILIES


@dataclass(frozen=True)
class TreeSettings(Settings):
    """
    Boosted trees on statistics of the inputs, beside the network.

    Parameters
    ----------
    rounds : int
        Trees for each class, each mending the sum of those before; 0 for none.
    leaves, depth : int
        At most, of a tree, and branchings from its root to a leaf.
    least : int
        Frames in a leaf, at least.
    shown : float
        Share of the statistics of which a branching may take one.
    learning_rate : float
        How much of a misfit a tree takes away.
    """

    rounds: Natural = 0
    leaves: Count = 12
    depth: Count = 6
    least: Count = 20
    shown: Share = 0.1
    learning_rate: Positive = 0.08


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
    trees : `TreeSettings`
        Trees whose logits and those of the network are averaged.
    repeated : bool
        Whether frames of rarer classes are repeated to equal counts; else they weigh
        more.
    real : int
        How many windows of each real frame are shown among the simulated frames; 0 for
        none, so that real frames are for the judge alone.
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
    trees: TreeSettings = field(default_factory=TreeSettings)
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
