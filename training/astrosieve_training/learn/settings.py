"""How a network is trained, whatever it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from astrosieve_training.settings import (
    Count,
    Natural,
    NotNegative,
    Positive,
    Settings,
    at_least,
    one_of,
)

__all__ = ['LoopSettings', 'NetworkSettings', 'SeededImages']


@dataclass(frozen=True)
class SeededImages(Settings):
    """
    Simulated images.

    Parameters
    ----------
    images : int
        How many.
    seed : int
        Of the first; no two sets may share one.
    """

    images: Count
    seed: Natural

    @property
    def seeds(self) -> range:
        """Seeds of the images."""
        return range(self.seed, self.seed + self.images)


@dataclass(frozen=True)
class LoopSettings(Settings):
    """
    The loop of training.

    Parameters
    ----------
    epochs, batch_size : int
        Passes through the training set, and examples per step.
    optimizer : {'adamw', 'sgd', 'rmsprop'}
        AdamW, stochastic gradient descent, or RMSprop.
    learning_rate : float
        The highest, where there is a schedule.
    weight_decay : float
        With 0 AdamW is Adam.
    momentum : float
        Of stochastic gradient descent, and of RMSprop.
    schedule : {'constant', 'one-cycle'}
        Of the learning rate (Smith & Topin 2019, SPIE 11006, 1100612).
    patience : int
        Epochs without a lower validation loss after which a run ends; 0 for all epochs.
    runs : int
        Independent runs; the one of lowest validation loss is taken.
    threads : int
        Threads of torch; two wait for each other where the cores are shared.
    device : str
        Where torch computes: 'cpu', 'cuda' ... Runs are repeatable on the CPU alone.
    half : bool
        Whether convolutions are of bfloat16 while a network learns.
    """

    epochs: Count = 10
    batch_size: Annotated[int, at_least(2)] = 128
    optimizer: Annotated[str, one_of('adamw', 'sgd', 'rmsprop')] = 'adamw'
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    momentum: NotNegative = 0.0
    schedule: Annotated[str, one_of('constant', 'one-cycle')] = 'constant'
    patience: Natural = 0
    runs: Count = 3
    threads: Count = 1
    device: str = 'cpu'
    half: bool = False


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """
    What every configuration of a network says.

    Parameters
    ----------
    name, version, description, licence, limits, references
        For the model card.
    seed : int
        Of everything random.
    train : `LoopSettings`
        The loop.
    """

    name: str
    version: str = '1.0'
    description: str = ''
    licence: str = 'BSD-3-Clause'
    limits: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    seed: Natural = 0
    train: LoopSettings = field(default_factory=LoopSettings)
