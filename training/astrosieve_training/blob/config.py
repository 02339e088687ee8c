"""Configurations of networks that mark blobs, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import NetworkSettings, SeededImages
from astrosieve_training.settings import (
    ConfigError,
    Count,
    Natural,
    NotNegative,
    Positive,
    load_dataclass,
    one_of,
)

__all__ = ['BlobConfig', 'ImageSet', 'load_config']


@dataclass(frozen=True)
class ImageSet(SeededImages):
    """
    Simulated difference images.

    Parameters
    ----------
    images, seed
        As for every set.
    blobs : int
        New blobs on each; 0 for as many as there usually are, none or a few.
    """

    blobs: Natural = 0


@dataclass(frozen=True)
class BlobConfig(NetworkSettings):
    """
    A network that marks blobs on whole images.

    What all networks have is told by their base.

    Parameters
    ----------
    kind : {'pyramid'}
        Architecture.
    preprocessing : str
        What makes its inputs.
    filters : tuple of int
        Of the convolutions at 1/2, 1/4, 1/8 and 1/16 of the resolution.
    shape : tuple of int
        Of the simulated images, (ny, nx).
    training, validation, calibrating, judged : `ImageSet`
        Simulated images; none is in two sets.
    windows : int
        Windows that an epoch shows of each image.
    side : int
        Pixels along a side of a window, a multiple of 16.
    least_depth : float
        Fraction of the light: what loses less is not reported. Old blobs that grow a
        little look like new ones, but for this.
    measuring : float
        How much position, radius and depth count beside the marks.
    default : bool
        Whether the task's name means this model.
    """

    training: ImageSet
    validation: ImageSet
    calibrating: ImageSet
    judged: ImageSet
    kind: Annotated[str, one_of('pyramid')] = 'pyramid'
    preprocessing: str = 'difference-1'
    filters: tuple[Count, Count, Count, Count] = (24, 40, 64, 96)
    shape: tuple[Count, Count] = (1014, 1014)
    windows: Count = 16
    side: Count = 256
    least_depth: NotNegative = 0.015
    measuring: Positive = 0.1
    default: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sets = (self.training, self.validation, self.calibrating, self.judged)
        require_apart('an image', (each.seeds for each in sets))
        if self.side % 16 or self.side > min(self.shape):
            msg = f'side must be a multiple of 16 within {self.shape}; got {self.side}'
            raise ConfigError(msg)


def load_config(name: str | Path) -> BlobConfig:
    """
    Read a configuration of a network that marks blobs.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    config: BlobConfig = load_dataclass(BlobConfig, config_path('blob', name))
    return config
