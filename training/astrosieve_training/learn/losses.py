"""Losses."""

from __future__ import annotations

import torch
from torch import nn


class ClassLoss:
    """Cross-entropy with class weights; focal where its power is not 0."""

    def __init__(self, weights: torch.Tensor, focal: float) -> None:
        self.weights = weights
        self.focal = focal

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        each = nn.functional.cross_entropy(logits, labels, reduction='none')
        weights = self.weights[labels]
        if self.focal:
            each = each * (1 - torch.exp(-each)) ** self.focal
        return (weights * each).sum() / weights.sum()
