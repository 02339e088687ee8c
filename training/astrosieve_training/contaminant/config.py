"""Configurations of networks that map contaminants, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.configs import config_path, require_apart
from astrosieve_training.learn.settings import NetworkSettings, SeededImages
from astrosieve_training.settings import (
    ConfigError,
    Count,
    Natural,
    NotNegative,
    Settings,
    Share,
    load_dataclass,
    one_of,
)

__all__ = [
    'ContaminantConfig',
    'ImageSet',
    'LossSettings',
    'NetworkConfig',
    'load_config',
]

MULTIPLE = 32
"""Of what rows and columns of an image must be multiples."""


@dataclass(frozen=True)
class ImageSet(SeededImages):
    """
    Simulated images of one size.

    Parameters
    ----------
    images, seed
        As for every set.
    side : int
        Pixels along a side.
    """

    side: Count = 256


@dataclass(frozen=True)
class NetworkConfig(Settings):
    """
    Architecture.

    Parameters
    ----------
    kind : {'unet', 'adass'}
        Which.
    preprocessing : str
        What makes its inputs.
    filters : tuple of int
        Of the levels, each of half the resolution of the one before.
    last, fine, detail, blocks, deep, lines
        Of 'unet', see `~astrosieve_training.contaminant.networks.unet.UNet`.
    """

    kind: Annotated[str, one_of('unet', 'adass')]
    filters: tuple[Count, ...]
    preprocessing: str = 'contrast-1'
    last: Count = 40
    fine: Natural = 8
    detail: Natural = 0
    blocks: Natural = 0
    deep: Natural = 0
    lines: Natural = 21


@dataclass(frozen=True)
class LossSettings(Settings):
    """
    What is lowered.

    Parameters
    ----------
    weighting : {'class', 'pixel'}
        Whether the pixels of a class count more the rarer it is, in its own map; or
        all maps of a pixel as much as the inverse shares of the classes that it has,
        smoothed by a Gaussian of 3x3 pixels, as in the paper.
    power : float
        Of the inverse share of a class, for 'class'; 0 for pixels that are all alike.
    dice : float
        How much the overlap of map and truth counts beside the cross-entropy
        (Milletari, Navab & Ahmadi 2016, 3DV, 565).
    objects : float
        How much more pixels of objects count that are no cosmic rays, in the map of
        these: cores of narrow stars are easily taken for hits. For 'class'.
    """

    weighting: Annotated[str, one_of('class', 'pixel')] = 'class'
    power: NotNegative = 0.5
    dice: NotNegative = 0.0
    objects: NotNegative = 0.0


@dataclass(frozen=True)
class ContaminantConfig(NetworkSettings):
    """
    A network that maps contaminants.

    What all networks have is told by their base.

    Parameters
    ----------
    network : `NetworkConfig`
        Architecture.
    training, validation, calibrating, judged : `ImageSet`
        Simulated images; none is in two sets. Those to be judged are of families of
        instruments that the others do not have.
    second : `~astrosieve_training.learn.settings.SeededImages`
        Images of the second generator, to be judged, too.
    loss : `LossSettings`
        What is lowered.
    crop : int
        Pixels along a side of what the network is shown, a multiple of 32.
    average : float
        Share of what is learnt in the parameters, where a training begins with another
        one; the rest is of that. 1 for what is learnt alone.
    regions : tuple of str
        Classes that fill regions: what is around a pixel counts for them.
    lines : tuple of str
        Classes that lie in straight lines: what is along these counts for them.
    default : bool
        Whether the task's name means this model.
    """

    network: NetworkConfig
    training: ImageSet
    validation: ImageSet
    calibrating: ImageSet
    judged: ImageSet
    second: SeededImages = field(default_factory=lambda: SeededImages(24, 5000000))
    loss: LossSettings = field(default_factory=LossSettings)
    crop: Count = 256
    average: Share = 1.0
    regions: tuple[Annotated[str, one_of(*CLASSES.names)], ...] = ()
    lines: tuple[Annotated[str, one_of(*CLASSES.names)], ...] = ()
    default: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sets = (self.training, self.validation, self.calibrating, self.judged)
        require_apart('an image', (each.seeds for each in sets))
        side = min(self.training.side, self.validation.side)
        if self.crop % MULTIPLE or self.crop > side:
            msg = (
                f'crop must be a multiple of {MULTIPLE} within the {side} pixels of '
                f'an image; got {self.crop}'
            )
            raise ConfigError(msg)
        if both := {*self.regions} & {*self.lines}:
            msg = f'{sorted(both)[0]} is in regions and in lines; take it from one'
            raise ConfigError(msg)


def load_config(name: str | Path) -> ContaminantConfig:
    """
    Read a configuration of a network that maps contaminants.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    config: ContaminantConfig = load_dataclass(
        ContaminantConfig, config_path('contaminant', name)
    )
    return config
