"""What mattered: small trainings that lack one thing each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from astrosieve.atomic import atomic_path
from astrosieve.contaminant.classes import CLASSES
from astrosieve.markdown import markdown_table
from astrosieve_training.configs import config_path
from astrosieve_training.contaminant.config import (
    ContaminantConfig,
    ImageSet,
    LossSettings,
    NetworkConfig,
    load_config,
)
from astrosieve_training.contaminant.datasets import simulated_images, unpacked
from astrosieve_training.contaminant.scores import Tally
from astrosieve_training.contaminant.train import fit
from astrosieve_training.judge.report import plain, slug
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.settings import (
    Count,
    Settings,
    load_dataclass,
)
from astrosieve_training.stages import Stages

__all__ = ['Ablation', 'Trial', 'ablate', 'load_ablation']

_FILE = 'ablation.json'
_CHUNK = 4  # images that a network is shown at a time
_SHOWN = ('cosmic_ray', 'satellite_trail', 'bad_column', 'nebulosity')


@dataclass(frozen=True)
class Trial(Settings):
    """
    A training; what is not given is as in the base.

    Parameters
    ----------
    name : str
        What differs, in words.
    network, loss : optional
        Other settings.
    images : int, optional
        As many to learn from.
    """

    name: str
    network: NetworkConfig | None = None
    loss: LossSettings | None = None
    images: Count | None = None


@dataclass(frozen=True)
class Ablation(Settings):
    """
    Trainings to compare.

    Parameters
    ----------
    base : str
        Configuration that all start from.
    images, epochs : int
        To learn from, and how often.
    crop : int
        Pixels along a side of what the networks are shown.
    judged : `~astrosieve_training.contaminant.config.ImageSet`
        Images of other instruments, which serve for nothing else.
    trials : tuple of `Trial`
        The trainings.
    """

    base: str
    images: Count
    epochs: Count
    crop: Count
    judged: ImageSet
    trials: tuple[Trial, ...]


def load_ablation(name: str) -> Ablation:
    """
    Read an ablation: a TOML file, or one that comes with the package by its name.

    Raises
    ------
    ConfigError
        If there is none of that name, or it has unknown keys or impossible values.
    """
    ablation: Ablation = load_dataclass(
        Ablation, config_path('contaminant.ablation', name)
    )
    return ablation


def _config(ablation: Ablation, trial: Trial) -> ContaminantConfig:
    base = load_config(ablation.base)
    return replace(
        base,
        network=trial.network or base.network,
        loss=trial.loss or base.loss,
        training=replace(base.training, images=trial.images or ablation.images),
        judged=ablation.judged,
        crop=ablation.crop,
        train=replace(base.train, epochs=ablation.epochs),
    )


def _precisions(
    network: nn.Module, config: ContaminantConfig, stages: Stages
) -> dict[str, float]:
    """Return the average precision of each class, on instruments not learnt from."""
    images = simulated_images(config, config.judged, stages, 'ablation', judged=True)
    tallies = {name: Tally() for name in CLASSES.names}
    for first in range(0, len(images), _CHUNK):
        rows = slice(first, first + _CHUNK)
        logits = predict_logits(
            network, {'image': images.planes[rows].astype(np.float32)}
        )
        p = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        truth, ignore = unpacked(images.truth[rows]), unpacked(images.ignore[rows])
        for number, tally in enumerate(tallies.values()):
            tally.add(p[:, number], truth[:, number], ~ignore[:, number])
    return {name: tally.average_precision() for name, tally in tallies.items()}


def ablate(
    ablation: Ablation,
    folder: Path,
    images: Path | None,
    say: Callable[[str], None],
) -> list[str]:
    """
    Train, and judge all on the same images.

    Parameters
    ----------
    ablation : `Ablation`
        What to compare.
    folder : `~pathlib.Path`
        Keeps the trainings and ``ablation.json``.
    images : `~pathlib.Path` or None
        Keeps the simulated images.
    say : callable
        Told, in a line, what begins.

    Returns
    -------
    lines : list of str
        The table.
    """
    stages = Stages(images or folder / 'images', tidy=False)
    rows = []
    for trial in ablation.trials:
        say(trial.name)
        place = folder / slug(trial.name)
        place.mkdir(parents=True, exist_ok=True)
        config = _config(ablation, trial)
        network, summary = fit(config, place, stages)
        rows.append(
            {
                'name': trial.name,
                'precision': _precisions(network, config, stages),
                'parameters': sum(p.numel() for p in network.parameters()),
                'seconds': summary['seconds'],
            }
        )
    content = {'ablation': asdict(ablation), 'rows': plain(rows)}
    with atomic_path(folder / _FILE, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding='utf-8')
    return _table(ablation, rows)


def _table(ablation: Ablation, rows: list[dict[str, Any]]) -> list[str]:
    cells = []
    for row in rows:
        precision = row['precision']
        paper = [v for name, v in precision.items() if name != 'reflection']
        shown = (np.nanmean(paper), *(precision[name] for name in _SHOWN))
        cells.append(
            (
                row['name'],
                *(f'{value:.3f}' for value in shown),
                row['parameters'],
                f'{row["seconds"]:.0f}',
            )
        )
    head = ('trial, AP', 'mean of 14 classes', *_SHOWN, 'parameters', 'seconds')
    return [
        f'{ablation.images} images, {ablation.epochs} epochs; judged on '
        f'{ablation.judged.images} of other instruments.',
        '',
        *markdown_table(head, cells),
    ]
