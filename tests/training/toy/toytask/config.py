"""Configurations of toy networks, one TOML file each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import Count, Settings, load_dataclass, one_of

__all__ = ['ToyConfig', 'load_config']


@dataclass(frozen=True)
class ToyConfig(Settings):
    """
    A network for toy frames.

    Parameters
    ----------
    name, version : str
        Of the model.
    kind : {'frames', 'maps'}
        Whether a frame has one class, or each pixel any number of them.
    seed : int
        Of everything random.
    n : int
        Frames to train on; half as many to validate, to calibrate, to judge.
    train : `~astrosieve_training.learn.settings.LoopSettings`
        The loop.
    """

    name: str
    kind: Annotated[str, one_of('frames', 'maps')]
    version: str = '1.0'
    seed: int = 0
    n: Count = 400
    train: LoopSettings = field(default_factory=LoopSettings)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the outputs."""
        return ('bump', 'dip', 'flat') if self.kind == 'frames' else ('bump', 'dip')

    @property
    def activation(self) -> Literal['softmax', 'sigmoid']:
        """What makes probabilities of the logits."""
        return 'softmax' if self.kind == 'frames' else 'sigmoid'


def load_config(name: str) -> ToyConfig:
    """Read a configuration of this folder."""
    config: ToyConfig = load_dataclass(
        ToyConfig, Path(__file__).with_name(f'{name}.toml')
    )
    return config
