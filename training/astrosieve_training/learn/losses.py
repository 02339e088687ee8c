"""
Losses: of classes that exclude each other, and of classes that may overlap.

A loss is lowered in training; its ``plain`` form, without class weights and focus, is
what epochs and runs are compared by.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn import functional

__all__ = ['BinaryLoss', 'ClassLoss', 'Loss']

_NOTHING = 1e-12  # instead of 0, where nothing in a batch counts


class Loss(Protocol):
    """What a training lowers."""

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss that is lowered."""

    def plain(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss that epochs are compared by."""

    def accuracy(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the share of the target that is right."""


def _mean(each: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the weighted mean, of the elements that count."""
    if weight is None:
        return each.mean()
    weight = weight.expand_as(each)
    return (weight * each).sum() / weight.sum().clamp(min=_NOTHING)


class ClassLoss:
    """
    Cross-entropy of a softmax, of rows or of pixels.

    Logits are (N, C) with targets (N,), or (N, C, ny, nx) with targets (N, ny, nx).

    Parameters
    ----------
    weights : (C,) `torch.Tensor`
        How much each class counts.
    focal : float, optional
        Power of one minus the probability of the truth, by which each element counts
        (Lin et al. 2017, ICCV, 2980); 0 for cross-entropy.
    """

    def __init__(self, weights: torch.Tensor, focal: float = 0.0) -> None:
        self.weights = weights
        self.focal = focal

    def __call__(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean loss, weighted by class, focal if wanted."""
        each = functional.cross_entropy(logits, target, reduction='none')
        weights = self.weights.to(logits.device)[target]
        if weight is not None:
            weights = weights * weight
        if self.focal:
            each = each * (1 - torch.exp(-each)) ** self.focal
        return _mean(each, weights)

    def plain(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean cross-entropy."""
        if weight is None:
            return functional.cross_entropy(logits, target)
        return _mean(functional.cross_entropy(logits, target, reduction='none'), weight)

    def accuracy(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return how often the class of highest probability is the right one."""
        return _mean((logits.argmax(1) == target).double(), weight)


class BinaryLoss:
    """
    Cross-entropy of a sigmoid for each class, of rows or of pixels.

    Logits and targets are (N, C) or (N, C, ny, nx) alike, targets 0 or 1. A weight is
    of the same shape, or (N, 1, ny, nx).

    Parameters
    ----------
    weights : (C,) `torch.Tensor`
        How much each class counts.
    """

    def __init__(self, weights: torch.Tensor) -> None:
        self.weights = weights

    def __call__(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean loss, weighted by class."""
        weights = self.weights.to(logits.device)
        weights = weights.reshape(1, -1, *[1] * (logits.ndim - 2))
        weights = weights if weight is None else weights * weight
        return _mean(self._each(logits, target), weights)

    def plain(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean cross-entropy."""
        return _mean(self._each(logits, target), weight)

    def accuracy(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return how often a probability is on the right side of a half."""
        return _mean(((logits > 0) == target.bool()).double(), weight)

    @staticmethod
    def _each(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(
            logits, target.to(logits.dtype), reduction='none'
        )
