"""Boosted trees on statistics, as a part of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from astrosieve_training.frametype.config import TreeSettings

__all__ = ['Trees', 'fit_trees']


class Trees(nn.Module):
    """
    Trees that add up to logits.

    All go down at once, a level at a time. Of each node there is the statistic that is
    looked at, the value above which the second of its branches is taken, and where its
    first branch is; the second lies beside it. A leaf is its own first branch.

    Parameters
    ----------
    n_classes : int
        Outputs; each round has a tree for each.
    settings : `~astrosieve_training.frametype.config.TreeSettings`
        How many there are, and how large.
    """

    root: Tensor
    statistic: Tensor
    branch: Tensor
    above: Tensor
    value: Tensor
    start: Tensor

    def __init__(self, n_classes: int, settings: TreeSettings) -> None:
        super().__init__()
        trees, nodes = settings.rounds * n_classes, 2 * settings.leaves - 1
        self.shape, self.depth = (settings.rounds, n_classes), settings.depth
        whole = torch.zeros(trees * nodes, dtype=torch.int64)
        self.register_buffer('root', torch.arange(trees) * nodes)
        self.register_buffer('statistic', whole.clone())
        self.register_buffer('branch', whole.clone())
        self.register_buffer('above', torch.full((trees * nodes,), torch.inf))
        self.register_buffer('value', torch.zeros(trees * nodes))
        self.register_buffer('start', torch.zeros(n_classes))

    def forward(self, statistics: Tensor) -> Tensor:
        """Return (N, C) logits of (N, F) statistics."""
        at = self.root.expand(statistics.shape[0], -1)
        for _ in range(self.depth):
            seen = statistics.gather(1, self.statistic[at])
            at = self.branch[at] + (seen > self.above[at])
        logits: Tensor = self.value[at].reshape(-1, *self.shape).sum(1) + self.start
        return logits


def fit_trees(
    statistics: np.ndarray,
    target: np.ndarray,
    n_classes: int,
    settings: TreeSettings,
    *,
    seed: int,
) -> dict[str, np.ndarray]:
    """
    Grow trees.

    Parameters
    ----------
    statistics : (N, F) `~numpy.ndarray`
        Of the frames.
    target : (N,) int `~numpy.ndarray`
        Class numbers; all classes must occur.
    n_classes : int
        How many there are.
    settings : `~astrosieve_training.frametype.config.TreeSettings`
        How they are grown.
    seed : int
        Which statistics a node may look at.

    Returns
    -------
    state : dict of str to `~numpy.ndarray`
        Of `Trees`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    grown = HistGradientBoostingClassifier(
        max_iter=settings.rounds,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        max_depth=settings.depth,
        min_samples_leaf=settings.least,
        max_features=settings.shown,
        l2_regularization=1.0,
        class_weight='balanced',
        early_stopping=False,
        random_state=seed,
    ).fit(statistics, target)
    trees = [_nodes(each.nodes) for some in grown._predictors for each in some]
    size = 2 * settings.leaves - 1
    state = {name: each.numpy() for name, each in
             Trees(n_classes, settings).state_dict().items()}  # fmt: skip
    for number, tree in enumerate(trees):
        first = number * size
        for name, values in tree.items():
            offset = first if name == 'branch' else 0
            state[name][first : first + len(values)] = values + offset
    state['start'][:] = grown._baseline_prediction.ravel()
    return state


def _nodes(grown: Any) -> dict[str, np.ndarray]:
    """Return the nodes of a grown tree, those of a branching side by side."""
    order, places = [0], [0]
    for node in order:
        places.append(len(order))
        if not grown['is_leaf'][node]:
            order += [int(grown['left'][node]), int(grown['right'][node])]
    nodes = grown[order]
    leaf = nodes['is_leaf'].astype(bool)
    own = np.arange(len(order))
    return {
        'statistic': np.where(leaf, 0, nodes['feature_idx']),
        'branch': np.where(leaf, own, places[1:]),
        'above': np.where(leaf, np.inf, nodes['num_threshold']),
        'value': np.where(leaf, nodes['value'], 0.0),
    }
