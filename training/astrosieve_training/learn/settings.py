"""How a network is trained, whatever it is for."""

from __future__ import annotations

from dataclasses import dataclass

from astrosieve_training.settings import require

__all__ = ['LoopSettings']


@dataclass(frozen=True)
class LoopSettings:
    """
    The loop of training.

    Parameters
    ----------
    epochs, batch_size : int
        Passes through the training set, and examples per step.
    learning_rate : float
        Of AdamW; the highest, where there is a schedule.
    weight_decay : float
        Of AdamW; with 0 it is Adam.
    schedule : {'constant', 'one-cycle'}
        Of the learning rate (Smith & Topin 2019, SPIE 11006, 1100612).
    runs : int
        Independent runs; the one of lowest validation loss is taken.
    threads : int
        Threads of torch; two wait for each other where the cores are shared.
    device : str
        Where torch computes: 'cpu', 'cuda' ... Runs are repeatable on the CPU alone.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = 'constant'
    runs: int = 3
    threads: int = 1
    device: str = 'cpu'

    def __post_init__(self) -> None:
        for key in ('epochs', 'runs', 'threads'):
            value = getattr(self, key)
            require(value >= 1, f'train.{key}', value, '1 or more')
        require(self.batch_size >= 2, 'train.batch_size', self.batch_size, '2 or more')
        require(
            self.learning_rate > 0, 'train.learning_rate', self.learning_rate,
            'positive',
        )  # fmt: skip
        good = self.weight_decay >= 0
        require(good, 'train.weight_decay', self.weight_decay, '0 or more')
        good = self.schedule in ('constant', 'one-cycle')
        require(good, 'train.schedule', self.schedule, "'constant' or 'one-cycle'")
