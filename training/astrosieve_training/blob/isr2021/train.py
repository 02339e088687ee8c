"""Training of the report's network: Adam, then stochastic gradient descent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from astrosieve_training.blob.isr2021.config import SubframeConfig
from astrosieve_training.blob.isr2021.datasets import Subframes, drawn_subframes
from astrosieve_training.blob.networks import isr2021
from astrosieve_training.learn import loop
from astrosieve_training.learn.losses import ClassLoss
from astrosieve_training.learn.runs import load_network, write_run
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = [
    'SubframeRun',
    'fitted',
    'load_subframe_run',
    'train_subframes',
]

_CHUNK = 100  # subframes that are looked at together


@dataclass(frozen=True)
class SubframeRun:
    """
    A finished training.

    Parameters
    ----------
    config : `~astrosieve_training.blob.isr2021.config.SubframeConfig`
        What was asked for.
    network : `torch.nn.Module`
        As it was in the best epoch.
    summary : dict
        Epochs of each loop, the best of all, losses, seconds.
    """

    config: SubframeConfig
    network: nn.Module
    summary: dict[str, Any]


def fitted(
    config: SubframeConfig,
    settings: LoopSettings,
    examples: tuple[Subframes, Subframes],
    path: Path,
    start: dict[str, torch.Tensor] | None = None,
) -> loop.RunState:
    """
    Run one loop.

    Parameters
    ----------
    config : `~astrosieve_training.blob.isr2021.config.SubframeConfig`
        The network.
    settings : `~astrosieve_training.learn.settings.LoopSettings`
        The loop.
    examples : tuple of `~astrosieve_training.blob.isr2021.datasets.Subframes`
        To learn from, and to choose the epoch by.
    path : `~pathlib.Path`
        Keeps its state.
    start : dict of str to `torch.Tensor`, optional
        Parameters to go on from; dropout stays as it is.
    """

    def build() -> nn.Module:
        network = isr2021.build(config)
        if start is not None:
            network.load_state_dict(start)
        return network

    begun = digest({k: v.tolist() for k, v in start.items()}) if start else ''
    return loop.train_run(
        build,
        *examples,
        ClassLoss(torch.ones(2)),
        settings,
        seed=config.seed,
        number=0,
        path=path,
        key=digest(config, begun, code_version(isr2021)),
        predict=partial(loop.predict_logits, chunk_size=_CHUNK),
    )


def train_subframes(config: SubframeConfig, folder: Path) -> SubframeRun:
    """
    Train a network.

    Parameters
    ----------
    config : `~astrosieve_training.blob.isr2021.config.SubframeConfig`
        What to do.
    folder : `~pathlib.Path`
        Keeps everything; an interrupted training goes on from there.

    Returns
    -------
    run : `SubframeRun`
    """
    stages = Stages(folder / 'images', tidy=False)
    examples = (
        drawn_subframes(config, 'training', config.subframes, stages),
        drawn_subframes(config, 'validation', config.validated, stages),
    )
    first = fitted(config, config.train, examples, folder / 'adam.pt')
    then = fitted(config, config.then, examples, folder / 'sgd.pt', first.network)
    best = min(first, then, key=lambda state: state.best_loss)
    network = isr2021.build(config)
    network.load_state_dict(best.best)
    summary = {
        'subframes': config.subframes,
        'epochs': {'adam': len(first.history), 'sgd': len(then.history)},
        'best': {'loop': 'adam' if best is first else 'sgd', 'epoch': best.best_epoch},
        'best_loss': best.best_loss,
        'history': first.history + then.history,
        'seconds': first.seconds + then.seconds,
    }
    run = SubframeRun(config, network.eval(), summary)
    content = {'config': asdict(config), 'summary': summary}
    write_run(folder, run.network, content)
    return run


def load_subframe_run(folder: Path) -> SubframeRun:
    """
    Return a finished training.

    Raises
    ------
    ConfigError
        If there is none in the folder.
    """
    config, network, content = load_network(folder, SubframeConfig, isr2021.build)
    return SubframeRun(config, network, content['summary'])
