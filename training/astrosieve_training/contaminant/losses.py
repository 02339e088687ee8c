"""Losses of maps whose classes are rare, and may overlap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

__all__ = ['MapLoss']

_NOTHING = 1e-6  # pixels, instead of 0, where a class is nowhere in a batch


class MapLoss:
    """
    Cross-entropy of a sigmoid for each class, and the overlap of map and truth.

    Of each class the pixels that have it count more the rarer it is, and its loss is
    in units of that of the best constant: so all classes are equally important.

    Parameters
    ----------
    shares : (C,) `~numpy.ndarray`
        Of the pixels that each class has, within 0 and 1.
    power : float, optional
        Of the inverse share, by which pixels that have a class count.
    dice : float, optional
        How much one minus the Dice coefficient counts, of classes that a batch has.
    alike : dict of (int, int) to float, optional
        Numbers of a class and of another that is easily taken for it: how much more
        the pixels of the other count that are not of the class.
    """

    def __init__(
        self,
        shares: np.ndarray,
        *,
        power: float = 0.5,
        dice: float = 0.0,
        alike: Mapping[tuple[int, int], float] | None = None,
    ) -> None:
        more = shares**-power
        mean = shares * more + 1 - shares
        q = shares * more / mean
        constant = -mean * (q * np.log(q) + (1 - q) * np.log(1 - q))
        self.positive, self.negative = (
            torch.from_numpy(each).float().reshape(-1, 1, 1)
            for each in (more / constant, 1 / constant)
        )
        self.dice = dice
        self.alike = dict(alike or {})

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss, overlap included."""
        loss = self.plain(logits, target, weight)
        if not self.dice:
            return loss
        p, over = torch.sigmoid(logits.contiguous()), (0, 2, 3)
        if weight is not None:
            p, target = p * weight, target * weight
        members = target.sum(over)
        shared = (2 * (p * target).sum(over) + _NOTHING) / (
            p.sum(over) + members + _NOTHING
        )
        missed = (1 - shared)[members > 0]
        return loss + self.dice * missed.sum() / max(len(members), 1)

    def plain(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss, of the cross-entropy alone."""
        each = functional.binary_cross_entropy_with_logits(
            logits.contiguous(), target, reduction='none'
        )  # laid out as the target it takes half of the time
        counts = torch.lerp(
            self.negative.to(logits.device), self.positive.to(logits.device), target
        )
        for (number, other), more in self.alike.items():
            counts[:, number] += (
                more * counts[:, number] * target[:, other] * (1 - target[:, number])
            )
        if weight is not None:
            counts = counts * weight
        return (each * counts).mean()

    def accuracy(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return how often a probability is on the right side of a half, roughly."""
        few = (..., slice(None, None, 4), slice(None, None, 4))
        right = ((logits[few] > 0) == (target[few] > 0.5)).float()
        if weight is None:
            return right.mean()
        counts = (weight[few] > 0).float().expand_as(right)
        return (right * counts).sum() / counts.sum().clamp(min=1)
