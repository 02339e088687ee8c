"""Losses that know which classes are real."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from astrosieve_training.learn.losses import ClassLoss

__all__ = ['KindLoss', 'RealLoss']


@dataclass(frozen=True)
class RealLoss:
    """
    Cross-entropy of ``p_real``, where labels say no more than real or bogus.

    Parameters
    ----------
    real : list of bool
        Which classes are real.
    temperature : float
        Divides the logits.
    """

    real: list[bool]
    temperature: float = 1.0

    def _logit(self, logits: torch.Tensor) -> torch.Tensor:
        scaled, real = logits / self.temperature, torch.tensor(self.real)
        return scaled[:, real].logsumexp(1) - scaled[:, ~real].logsumexp(1)

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss; of the two classes each counts half."""
        each = functional.binary_cross_entropy_with_logits(
            self._logit(logits), target.float(), reduction='none'
        )
        share = target.float().mean().clamp(0.1, 0.9)
        counts = torch.where(target == 1, 0.5 / share, 0.5 / (1 - share))
        return (each * counts).mean()

    def plain(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean cross-entropy."""
        return functional.binary_cross_entropy_with_logits(
            self._logit(logits), target.float()
        )

    def accuracy(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return how often ``p_real`` is on the right side of a half."""
        return ((self._logit(logits) > 0) == target.bool()).double().mean()


class KindLoss(ClassLoss):
    """
    Cross-entropy of all classes, and that of ``p_real`` beside it.

    Parameters
    ----------
    weights : (C,) `torch.Tensor`
        How much each class counts.
    real : list of bool
        Which classes are real.
    extra : float
        How much ``p_real`` counts beside the classes.
    """

    def __init__(self, weights: torch.Tensor, real: list[bool], extra: float) -> None:
        super().__init__(weights)
        self.real, self.extra = torch.tensor(real).long(), extra
        self._of_real = RealLoss(real)

    def __call__(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean loss, weighted by class."""
        kinds = super().__call__(logits, target, weight)
        return kinds + self.extra * self._of_real(logits, self.real[target], weight)

    def plain(
        self,
        logits: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean cross-entropies."""
        kinds = super().plain(logits, target, weight)
        real = self._of_real.plain(logits, self.real[target], weight)
        return kinds + self.extra * real
