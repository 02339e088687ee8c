"""
The loop of training: any network, examples and loss; resumable after each epoch.

A run depends on what it is given, its seed and its number alone. After each epoch its
state is written; an interrupted run goes on from there and gives the same parameters
as one that was never interrupted (same torch, same threads, on the CPU).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError
from astrosieve_training.learn.examples import Examples, arrays_key
from astrosieve_training.learn.losses import Loss
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.versions import digest

__all__ = [
    'RunState',
    'TrainingError',
    'predict_logits',
    'save_state',
    'tensors',
    'train_run',
]

Predict = Callable[[nn.Module, dict[str, np.ndarray]], np.ndarray]
ExtraLoss = Callable[[nn.Module, np.random.Generator], torch.Tensor]
_WARM = 0.15  # share of the steps in which the rate of 'one-cycle' rises


class TrainingError(AstrosieveError, ArithmeticError):
    """A training that cannot come to a result."""


@dataclass
class RunState:
    """
    A run after an epoch, as its file keeps it.

    Parameters
    ----------
    key : str
        Hash of everything that the run depends on.
    network, optimizer : dict
        States after the last epoch.
    best : dict of str to `torch.Tensor`
        Parameters of the lowest validation loss.
    best_loss : float
        That loss.
    best_epoch : int
        Its epoch; 0 where none was better than the start.
    history : list of dict
        Per epoch: ``epoch``, ``loss``, ``accuracy``, ``validation_loss``,
        ``validation_accuracy``.
    seconds : float
        Time of all epochs.
    """

    key: str
    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    best: dict[str, torch.Tensor]
    best_loss: float = math.inf
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        training: tuple[float, float],
        validation: tuple[float, float],
    ) -> None:
        """Add an epoch: the network after it, its losses and accuracies."""
        epoch = len(self.history) + 1
        self.history.append(
            {
                'epoch': epoch,
                'loss': training[0],
                'accuracy': training[1],
                'validation_loss': validation[0],
                'validation_accuracy': validation[1],
            }
        )
        if validation[0] < self.best_loss:
            self.best_loss, self.best_epoch = validation[0], epoch
            self.best = _copied(network)
        self.network, self.optimizer = network.state_dict(), optimizer.state_dict()


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's generator, and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def tensors(
    inputs: Mapping[str, np.ndarray], device: torch.device | str = 'cpu'
) -> list[torch.Tensor]:
    """Return inputs in the network's order, as torch computes them fastest."""
    return [
        torch.from_numpy(value)
        .contiguous(
            memory_format=torch.channels_last
            if value.ndim == 4
            else torch.contiguous_format
        )
        .to(device)
        for value in inputs.values()
    ]


def predict_logits(
    network: nn.Module, inputs: Mapping[str, np.ndarray], *, chunk_size: int = 1024
) -> np.ndarray:
    """
    Run a network as it is in evaluation.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.
    inputs : mapping of str to `~numpy.ndarray`
        Arrays of N rows, in the order of the network's arguments.
    chunk_size : int, optional
        Rows at a time.

    Returns
    -------
    logits : (N, C, ...) float32 `~numpy.ndarray`
    """
    network.eval()
    device = next(network.parameters()).device
    n = len(next(iter(inputs.values())))
    with torch.inference_mode():
        parts = [
            network(
                *(
                    torch.from_numpy(each[i : i + chunk_size]).to(device)
                    for each in inputs.values()
                )
            )
            .cpu()
            .numpy()
            for i in range(0, n, chunk_size)
        ]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write what torch can read without running code."""
    with atomic_path(path, overwrite=True) as temporary:
        torch.save(state, temporary)


def _load(path: Path, key: str) -> RunState | None:
    """Return a saved state if it is whole and made with the same settings."""
    try:
        saved = torch.load(path, weights_only=True, map_location='cpu')
    except FileNotFoundError:
        return None
    except Exception:  # torch has no common base for damaged files
        path.unlink()
        return None
    return RunState(**saved) if saved.get('key') == key else None


def _rate(schedule: str, done: float) -> float:
    """Return the learning rate over its highest, after a share of all steps."""
    if schedule == 'constant':
        return 1.0
    if done < _WARM:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / _WARM)) / 2
    return (1 + math.cos(math.pi * (done - _WARM) / (1 - _WARM))) / 2


def _optimizer(network: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    """Return what changes the parameters."""
    parameters, rate, decay = (
        network.parameters(), settings.learning_rate, settings.weight_decay,
    )  # fmt: skip
    if settings.optimizer != 'adamw':
        kind = {'sgd': torch.optim.SGD, 'rmsprop': torch.optim.RMSprop}
        return kind[settings.optimizer](
            parameters, lr=rate, momentum=settings.momentum, weight_decay=decay
        )
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)


def _built(
    build: Callable[[], nn.Module], settings: LoopSettings, seed: int, number: int
) -> nn.Module:
    """Return a network with fresh parameters, where and as torch is fastest."""
    torch.set_num_threads(settings.threads)
    entropy = np.random.SeedSequence([seed, number]).generate_state(1)
    with _torch_seed(int(entropy[0])):
        network = build()
    try:
        place: Any = {'device': settings.device, 'memory_format': torch.channels_last}
        return network.to(**place)
    except (RuntimeError, AssertionError) as error:
        msg = f"train.device {settings.device!r} cannot be used ({error}); try 'cpu'"
        raise TrainingError(msg) from error


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}


def _truth(
    target: np.ndarray, weight: np.ndarray | None, device: torch.device | str = 'cpu'
) -> tuple[torch.Tensor, torch.Tensor | None]:
    return (
        torch.from_numpy(target).to(device),
        None if weight is None else torch.from_numpy(weight).to(device),
    )


@dataclass
class _Runner:
    """A network on its way down."""

    network: nn.Module
    loss: Loss
    settings: LoopSettings
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    extra_loss: ExtraLoss | None
    predict: Predict

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Return loss and accuracy of examples as they are."""
        total = right = 0.0
        size = 8 * self.settings.batch_size  # without gradients there is room for more
        for first in range(0, len(examples), size):
            rows = np.arange(first, min(first + size, len(examples)))
            inputs, target, weight = examples.batch(rows, None)
            logits = torch.from_numpy(self.predict(self.network, inputs))
            truth = _truth(target, weight)
            total += self.loss.plain(logits, *truth).item() * len(rows)
            right += self.loss.accuracy(logits, *truth).item() * len(rows)
        return total / len(examples), right / len(examples)

    def epoch(
        self, examples: Examples, rng: np.random.Generator, what: str
    ) -> tuple[float, float]:
        """Show all examples once; return loss and accuracy on the way."""
        size = self.settings.batch_size
        order = rng.permutation(len(examples))
        total, right, seen = 0.0, 0.0, 0
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            if len(rows) > 1:  # batch normalisation needs two
                inputs, target, weight = examples.batch(rows, rng)
                loss, accuracy = self._step(inputs, target, weight, rng, what)
                total += loss * len(rows)
                right += accuracy * len(rows)
                seen += len(rows)
            self.schedule.step()
        return total / seen, right / seen

    def _step(
        self,
        inputs: dict[str, np.ndarray],
        target: np.ndarray,
        weight: np.ndarray | None,
        rng: np.random.Generator,
        what: str,
    ) -> tuple[float, float]:
        device = self.settings.device
        truth = _truth(target, weight, device)
        self.optimizer.zero_grad()
        half = torch.autocast(
            torch.device(device).type, torch.bfloat16, enabled=self.settings.half
        )
        with half:
            logits = self.network(*tensors(inputs, device)).float()
        loss = total = self.loss(logits, *truth)
        if self.extra_loss is not None:
            total = loss + self.extra_loss(self.network, rng)
        if not math.isfinite(total.item()):
            raise TrainingError(self._diverged(total.item(), inputs, what))
        total.backward()
        self.optimizer.step()
        return loss.item(), self.loss.accuracy(logits.detach(), *truth).item()

    def _diverged(self, loss: float, inputs: dict[str, np.ndarray], what: str) -> str:
        spoilt = [name for name, v in inputs.items() if not np.isfinite(v).all()]
        if spoilt:
            return (
                f'{what}: the loss is {loss}, as the input {spoilt[0]!r} holds values '
                'that are not finite; take them out of the examples'
            )
        return (
            f'{what}: the loss is {loss}: the steps are too long. Lower '
            f'train.learning_rate (now {self.settings.learning_rate:g}), or look for '
            'inputs that are not scaled'
        )


def train_run(
    build: Callable[[], nn.Module],
    training: Examples,
    validation: Examples,
    loss: Loss,
    settings: LoopSettings,
    *,
    seed: int,
    number: int,
    path: Path,
    key: str,
    start: Mapping[str, torch.Tensor] | None = None,
    extra_loss: ExtraLoss | None = None,
    predict: Predict = predict_logits,
) -> RunState:
    """
    Train once, from fresh parameters or from those of a model.

    Parameters
    ----------
    build : callable
        Returns a network with fresh parameters of torch's generator.
    training, validation : `~astrosieve_training.learn.examples.Examples`
        To learn from, and to choose the best parameters by.
    loss : `~astrosieve_training.learn.losses.Loss`
        What is lowered.
    settings : `~astrosieve_training.learn.settings.LoopSettings`
        Epochs, batches, rates.
    seed, number : int
        Of the training and of the run; they decide everything random.
    path : `~pathlib.Path`
        State after the last epoch; an existing one of the same run is gone on with.
    key : str
        Hash of what stands behind ``build``, ``loss``, ``extra_loss`` and ``predict``:
        their settings, data and code. The rest is hashed here.
    start : mapping of str to `torch.Tensor`, optional
        Parameters to go on from. The batch normalisation then stays as it is.
    extra_loss : callable, optional
        Takes network and generator, returns what is added to the loss of each step.
    predict : callable, optional
        Takes the network and inputs, returns their logits; for validation.

    Returns
    -------
    state : `RunState`

    Raises
    ------
    TrainingError
        If a loss is not finite, or there is too little to learn from.
    """
    if len(training) < 2 or not len(validation):
        msg = (
            f'{len(training)} examples to train on and {len(validation)} to validate '
            'on are too few; give two and one at least'
        )
        raise TrainingError(msg)
    known = arrays_key({k: v.numpy() for k, v in start.items()}) if start else ''
    key = digest(
        key, settings, seed, number, training.key, validation.key, known,
        torch.__version__,
    )  # fmt: skip
    network = _built(build, settings, seed, number)
    if start is not None:
        network.load_state_dict(start)
    optimizer = _optimizer(network, settings)
    state = _load(path, key) or RunState(key, {}, {}, _copied(network))
    if state.history:
        network.load_state_dict(state.network)
        optimizer.load_state_dict(state.optimizer)
    done, steps = len(state.history), -(-len(training) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: _rate(settings.schedule, step / (settings.epochs * steps)),
        last_epoch=done * steps - 1,
    )
    run = _Runner(network, loss, settings, optimizer, schedule, extra_loss, predict)
    if start is not None and not done:
        state.best_loss = min(math.inf, run.evaluate(validation)[0])  # inf for NaN
    for epoch in range(done + 1, settings.epochs + 1):
        if settings.patience and epoch - state.best_epoch > settings.patience:
            break
        began = time.perf_counter()
        rng = np.random.default_rng([seed, 2, number, epoch])
        network.train(start is None)
        shown = run.epoch(training, rng, f'run {number}, epoch {epoch}')
        state.add(network, optimizer, shown, run.evaluate(validation))
        state.seconds += time.perf_counter() - began
        save_state(vars(state), path)
    if not math.isfinite(state.best_loss):
        msg = (
            f'run {number}: the loss of the validation set is not finite after any '
            'epoch; look for values in it that are not finite, or lower '
            f'train.learning_rate (now {settings.learning_rate:g})'
        )
        raise TrainingError(msg)
    return state
