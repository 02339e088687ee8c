"""What holds a network to the one that it started from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from astrosieve_training.learn.loop import tensors
from astrosieve_training.source.networks import build_network
from astrosieve_training.source.train.augment import augmented

if TYPE_CHECKING:
    from astrosieve_training.source.config import SourceConfig
    from astrosieve_training.source.datasets.examples import Examples
    from astrosieve_training.source.train.warm_start import Start


class Memory:
    """
    What holds a network to the one that it started from.

    Parameters
    ----------
    start : `~astrosieve_training.source.train.warm_start.Start`
        That network.
    rehearsal : `Examples` or None
        Detections of classes that have no labels.
    config : `~astrosieve_training.source.config.SourceConfig`
        Weights in the loss.
    """

    def __init__(
        self, start: Start, rehearsal: Examples | None, config: SourceConfig
    ) -> None:
        self.settings = config.tune
        self.train = config.train
        self.rehearsal = rehearsal
        self.members: list[np.ndarray] = []
        if rehearsal is not None:
            labels = rehearsal.labels
            self.members = [np.flatnonzero(labels == n) for n in np.unique(labels)]
        device = self.train.device
        self.start = {key: value.to(device) for key, value in start.state.items()}
        self.teacher = build_network(start.network)
        self.teacher.load_state_dict(start.state)
        self.teacher.to(device).eval()

    def __call__(self, network: nn.Module, rng: np.random.Generator) -> torch.Tensor:
        """Return what is to be added to the loss of labelled detections."""
        settings = self.settings
        device = self.train.device
        loss = torch.zeros((), device=device)
        if self.rehearsal is not None:
            # Each class as often as the others.
            number = rng.integers(len(self.members), size=settings.rehearsal_batch)
            rows = [rng.choice(self.members[each]) for each in number]
            part = self.rehearsal[np.array(rows)]
            inputs = tensors(augmented(part, self.train, rng), device)
            with torch.no_grad():
                known = torch.softmax(self.teacher(*inputs), 1)
            forgotten = nn.functional.cross_entropy(network(*inputs), known)
            loss = loss + settings.rehearsal_weight * forgotten
        if settings.stay:
            moved = [
                ((value - self.start[name]) ** 2).sum()
                for name, value in network.named_parameters()
            ]
            loss = loss + settings.stay * torch.stack(moved).sum()
        return loss
