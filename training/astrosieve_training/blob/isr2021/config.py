"""Configurations of networks that tell subframes apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from astrosieve_training.blob.config import ImageSet
from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import LoopSettings, NetworkSettings
from astrosieve_training.settings import (
    ConfigError,
    Count,
    NotNegative,
    Positive,
    at_least,
    load_dataclass,
    one_of,
)

__all__ = ['KIND', 'SubframeConfig', 'load_subframe_config']

KIND = 'isr2021'
"""What the key ``kind`` of such a file says."""


@dataclass(frozen=True)
class SubframeConfig(NetworkSettings):
    """
    A network that says of a subframe whether a blob is in it.

    What all networks have is told by their base.

    Parameters
    ----------
    kind : {'isr2021'}
        Architecture.
    images : `~astrosieve_training.blob.config.ImageSet`
        Simulated differences without new blobs: their left 75 % give the training's
        subframes, their right 25 % the validation's.
    judged : `~astrosieve_training.blob.config.ImageSet`
        Simulated differences with blobs, to judge by.
    subframes, validated : int
        Subframes to learn from, and to choose the epoch by; half have blobs.
    noise : float
        Standard deviation of what is added to a standardised subframe.
    strength : tuple of float
        Least and largest height of superimposed blobs, in standard deviations.
    most : int
        Blobs in a subframe; one at least.
    filters, pooling, dense, dropout
        As for `~astrosieve_training.blob.networks.isr2021.Architecture`.
    train, then : `~astrosieve_training.learn.settings.LoopSettings`
        The loop, and the one that goes on from there.
    ablation : `~astrosieve_training.learn.settings.LoopSettings`
        That of each row of the ablation table.
    ablation_subframes : int
        Subframes that each row learns from.
    """

    images: ImageSet
    judged: ImageSet
    kind: Annotated[str, one_of(KIND)] = KIND
    subframes: Annotated[int, at_least(4)] = 16_000
    validated: Annotated[int, at_least(4)] = 2_000
    noise: NotNegative = 0.75
    strength: tuple[Positive, Positive] = (1.5, 4.5)
    most: Count = 5
    filters: tuple[Count, ...] = (8, 16)
    pooling: Annotated[int, at_least(2)] = 4
    dense: Count = 128
    dropout: tuple[NotNegative, NotNegative] = (0.15, 0.3)
    then: LoopSettings = field(default_factory=LoopSettings)
    ablation: LoopSettings = field(default_factory=LoopSettings)
    ablation_subframes: Annotated[int, at_least(4)] = 2_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_apart('an image', (self.images.seeds, self.judged.seeds))
        if not self.strength[0] <= self.strength[1]:
            msg = f'strength must rise; got {self.strength}'
            raise ConfigError(msg)


def load_subframe_config(name: str | Path = 'blob-isr2021') -> SubframeConfig:
    """
    Read a configuration of a network that tells subframes apart.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    config: SubframeConfig = load_dataclass(SubframeConfig, config_path('blob', name))
    return config
