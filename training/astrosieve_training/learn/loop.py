"""The training loop: resumable after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.models.calibration import softmax
from astrosieve.source.preprocessing import width_hypotheses
from astrosieve_training.learn.losses import ClassLoss
from astrosieve_training.source.config import SourceConfig
from astrosieve_training.source.datasets.examples import Examples
from astrosieve_training.source.networks import build_network, network_module
from astrosieve_training.source.train.augment import augmented
from astrosieve_training.versions import code_version, digest

if TYPE_CHECKING:
    from astrosieve_training.source.train.warm_start import Start

__all__ = ['predict_logits', 'train_run']


_WARM = 0.15  # share of the steps in which the rate of 'one-cycle' rises


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's generator, and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def tensors(inputs: dict[str, np.ndarray]) -> list[torch.Tensor]:
    """Return inputs in the network's order, as torch computes them fastest."""
    return [
        torch.from_numpy(value).contiguous(memory_format=torch.channels_last)
        if value.ndim == 4
        else torch.from_numpy(value)
        for value in inputs.values()
    ]


def predict_logits(
    network: nn.Module, inputs: dict[str, np.ndarray], *, chunk_size: int = 1024
) -> np.ndarray:
    """
    Run a network as it is in evaluation.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, in the order of the network's arguments.
    chunk_size : int, optional
        Rows at a time.

    Returns
    -------
    logits : (N, C) float32 `~numpy.ndarray`
    """
    network.eval()
    parts = [
        _run(network, each, chunk_size=chunk_size) for each in width_hypotheses(inputs)
    ]
    if len(parts) == 1:
        return parts[0]
    # Logits of which the softmax is the mean of the probabilities.
    mean = np.mean([softmax(each) for each in parts], axis=0)
    return np.log(np.maximum(mean, 1e-30)).astype(np.float32)


def _run(
    network: nn.Module, inputs: dict[str, np.ndarray], *, chunk_size: int
) -> np.ndarray:
    n = len(next(iter(inputs.values())))
    with torch.inference_mode():
        parts = [
            network(
                *(torch.from_numpy(v[i : i + chunk_size]) for v in inputs.values())
            ).numpy()
            for i in range(0, n, chunk_size)
        ]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


def _evaluate(network: nn.Module, examples: Examples) -> tuple[float, float]:
    """Return loss and accuracy."""
    logits = torch.from_numpy(predict_logits(network, examples.inputs))
    labels = torch.from_numpy(examples.labels)
    loss = nn.functional.cross_entropy(logits, labels).item()
    return loss, float((logits.argmax(1) == labels).float().mean())


def save_state(state: dict[str, Any], path: Path) -> None:
    with atomic_path(path, overwrite=True) as temporary:
        torch.save(state, temporary)


def _load(path: Path, key: str) -> dict[str, Any] | None:
    """Return a saved state if it is whole and made with the same settings."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except FileNotFoundError:
        return None
    except Exception:  # torch has no common base for damaged files
        path.unlink()
        return None
    return state if state.get('key') == key else None


def _rate(schedule: str, done: float) -> float:
    """Return the learning rate over its highest, after a share of all steps."""
    if schedule == 'constant':
        return 1.0
    if done < _WARM:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / _WARM)) / 2
    return (1 + math.cos(math.pi * (done - _WARM) / (1 - _WARM))) / 2


def train_run(
    training: Examples,
    validation: Examples,
    config: SourceConfig,
    number: int,
    path: Path,
    *,
    start: Start | None = None,
    rehearsal: Examples | None = None,
    data_key: str = '',
) -> dict[str, Any]:
    """
    Train once, from fresh parameters or from those of a model.

    The batch normalisation of a model stays as it is.

    Parameters
    ----------
    training, validation : `Examples`
        To learn from, and to choose the best parameters by.
    config : `~astrosieve_training.source.config.SourceConfig`
        Network, training, seed.
    number : int
        Of the run; with the seed it decides everything random.
    path : `~pathlib.Path`
        State after the last epoch; an existing one with the same settings and
        data is gone on with.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        To go on from, in place of fresh parameters.
    rehearsal : `Examples`, optional
        What else a network that goes on is shown, see
        `~astrosieve_training.source.config.TuneConfig`.
    data_key : str, optional
        Hash of the training and validation data, where there is one.

    Returns
    -------
    state : dict
        ``best`` (parameters of the lowest validation loss), ``best_loss``,
        ``best_epoch`` (0 where none was better than ``start``), ``history`` (a dict
        per epoch), ``seconds``.
    """
    settings = config.train
    tuned: list[Any] = [start.card.sha256, config.tune] if start is not None else []
    if rehearsal is not None:
        tuned.append(float(rehearsal.inputs['cutouts'].sum(dtype=np.float64)))
    named = [data_key] if data_key else []
    key = digest(
        config.network,
        settings,
        config.seed,
        number,
        len(training),
        float(training.inputs['cutouts'].sum(dtype=np.float64)),
        torch.__version__,
        code_version(network_module(config.network.kind)),
        *named,
        *tuned,
    )
    torch.set_num_threads(settings.threads)
    entropy = np.random.SeedSequence([config.seed, number]).generate_state(1)
    with _torch_seed(int(entropy[0])):
        network = build_network(config.network)
    memory = None
    if start is not None:
        network.load_state_dict(start.state)
        from astrosieve_training.source.train.memory import Memory

        memory = Memory(start, rehearsal, config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    counts = np.bincount(training.labels, minlength=len(config.network.classes))
    weights = (counts.max() / np.maximum(counts, 1)) ** settings.class_weight
    criterion = ClassLoss(torch.tensor(weights, dtype=torch.float32), settings.focal)
    steps = -(-len(training) // settings.batch_size)
    state = _load(path, key)
    if state is None:
        state = {
            'key': key,
            'history': [],
            'best_loss': float('inf'),
            'best_epoch': 0,
            'best': {k: v.clone() for k, v in network.state_dict().items()},
            'seconds': 0.0,
        }
        if start is not None:
            state['best_loss'], _ = _evaluate(network, validation)
    else:
        network.load_state_dict(state['network'])
        optimizer.load_state_dict(state['optimizer'])
    for epoch in range(len(state['history']) + 1, settings.epochs + 1):
        started = time.perf_counter()
        rng = np.random.default_rng([config.seed, 2, number, epoch])
        order = rng.permutation(len(training))
        loss_sum, right = 0.0, 0
        network.train(start is None)
        for step in range(steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            if len(rows) < 2:  # batch normalisation needs two
                continue
            part = training[rows]
            inputs = tensors(augmented(part, settings, rng))
            labels = torch.from_numpy(part.labels)
            done = ((epoch - 1) * steps + step) / (settings.epochs * steps)
            for group in optimizer.param_groups:
                group['lr'] = settings.learning_rate * _rate(settings.schedule, done)
            optimizer.zero_grad()
            logits = network(*inputs)
            loss = criterion(logits, labels)
            loss_sum += loss.item() * len(labels)
            if memory is not None:
                loss = loss + memory(network, rng)
            loss.backward()
            optimizer.step()
            right += int((logits.argmax(1) == labels).sum())
        valid_loss, valid_accuracy = _evaluate(network, validation)
        state['history'].append(
            {
                'epoch': epoch,
                'loss': loss_sum / len(training),
                'accuracy': right / len(training),
                'validation_loss': valid_loss,
                'validation_accuracy': valid_accuracy,
            }
        )
        if valid_loss < state['best_loss']:
            state['best_loss'], state['best_epoch'] = valid_loss, epoch
            state['best'] = {
                k: v.detach().clone() for k, v in network.state_dict().items()
            }
        state['network'] = network.state_dict()
        state['optimizer'] = optimizer.state_dict()
        state['seconds'] += time.perf_counter() - started
        save_state(state, path)
    return state
