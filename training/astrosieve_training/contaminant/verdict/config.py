"""Configurations of networks that judge whole images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import NetworkSettings, SeededImages
from astrosieve_training.settings import (
    Count,
    Share,
    at_least,
    load_dataclass,
    one_of,
)

__all__ = ['KIND', 'ImageSet', 'VerdictConfig', 'load_config']

KIND = 'verdict'
"""What the key ``kind`` of such a file says."""


@dataclass(frozen=True)
class ImageSet(SeededImages):
    """
    Simulated images of several sizes.

    Parameters
    ----------
    sides : tuple of int
        Pixels along the sides of images, which take turns.
    """

    sides: tuple[Annotated[int, at_least(64)], ...] = (512, 256, 384, 192)


@dataclass(frozen=True)
class VerdictConfig(NetworkSettings):
    """
    A network that judges whole images.

    What all networks have is told by their base.

    Parameters
    ----------
    kind : {'verdict'}
        Architecture.
    training, small, validation, calibrating, judged
        Simulated images; ``small`` ones are trained on, too, and those to be judged are
        of families of instruments that the others do not have.
    clean, failed, harmless, moving : float
        As for `~astrosieve_training.contaminant.simulate.SimulationSettings`.
    shares : float
        Share of the images that each class has, for which the probabilities hold.
    width : int
        Numbers that are told of a cutout.
    shown : int
        Cutouts of each scale that the network is shown in training, drawn anew.
    dense : int
        Numbers before the verdict.
    dropout : float
        Share of the numbers that are left out in training.
    """

    training: ImageSet
    small: ImageSet
    validation: ImageSet
    calibrating: ImageSet
    judged: ImageSet
    kind: Annotated[str, one_of(KIND)] = KIND
    clean: Share = 0.5
    failed: Share = 0.6
    harmless: Share = 0.4
    moving: Share = 0.2
    shares: Share = 0.1
    width: Count = 48
    shown: Count = 6
    dense: Count = 64
    dropout: Share = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        sets = (
            self.training, self.small, self.validation, self.calibrating, self.judged
        )  # fmt: skip
        require_apart('an image', (each.seeds for each in sets))


def load_config(name: str | Path = 'contaminant-verdict') -> VerdictConfig:
    """
    Read a configuration of a network that judges whole images.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    config: VerdictConfig = load_dataclass(
        VerdictConfig, config_path('contaminant', name)
    )
    return config
