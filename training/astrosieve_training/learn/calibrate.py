"""
Calibration: from logits to probabilities that hold, and thresholds on them.

A softmax gets a temperature and an offset for each class (vector scaling with one
common scale; Guo et al. 2017, ICML 70, 1321), sigmoids one of each for each class. A
class counts as much as it is told to, whatever its share of the examples, and the
probabilities hold for that mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from astrosieve.models.metrics import threshold_at_completeness

__all__ = ['Aim', 'fit_scaling', 'fit_sigmoids', 'thresholds']


def fit_scaling(
    logits: np.ndarray,
    labels: np.ndarray,
    shares: np.ndarray,
    *,
    spread: float = np.inf,
) -> tuple[float, np.ndarray]:
    """
    Fit a temperature and offsets by maximum likelihood.

    Parameters
    ----------
    logits : (N, C) `~numpy.ndarray`
        Outputs of the network.
    labels : (N,) int `~numpy.ndarray`
        Class numbers.
    shares : (C,) `~numpy.ndarray`
        How much each class counts, however many members it has.
    spread : float, optional
        Standard deviation that the logarithm of the temperature and the offsets are
        expected to have, which keeps them finite where few labels are easily told
        apart.

    Returns
    -------
    temperature : float
        Divides the logits.
    offsets : (C,) `~numpy.ndarray`
        Added before the division; they sum to zero. Of a class without labels it is
        zero, and only the odds of the other classes are fitted.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    present, labels = np.unique(labels, return_inverse=True)
    n_classes = len(present)
    wide = logits[:, present].astype(np.float64)
    rows = np.arange(len(labels))
    counts = np.bincount(labels, minlength=n_classes)
    weights = (shares[present] / np.maximum(counts, 1))[labels]
    weights /= weights.sum()
    pull = 1 / (spread**2 * len(labels))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scale = np.exp(parameters[0])
        logp = log_softmax(wide * scale + parameters[1:], axis=1)
        residual = np.exp(logp)
        residual[rows, labels] -= 1
        residual *= weights[:, None]
        gradient = np.empty(n_classes + 1)
        gradient[0] = (residual * wide).sum() * scale
        gradient[1:] = residual.sum(axis=0)
        gradient += pull * parameters
        misfit = -(weights * logp[rows, labels]).sum()
        return misfit + pull * (parameters**2).sum() / 2, gradient

    fit = minimize(loss, np.zeros(n_classes + 1), jac=True, method='L-BFGS-B')
    temperature = float(np.exp(-fit.x[0]))
    offsets = np.zeros(logits.shape[1])
    offsets[present] = (fit.x[1:] - fit.x[1:].mean()) * temperature
    return temperature, offsets


def fit_sigmoids(
    logits: np.ndarray,
    labels: np.ndarray,
    shares: np.ndarray,
    *,
    spread: float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Fit a temperature and an offset for each class by itself.

    Parameters
    ----------
    logits : (N, C) or (N, C, ny, nx) `~numpy.ndarray`
        Outputs of the network, each to go through a sigmoid.
    labels : int `~numpy.ndarray`
        Of the same shape: 1 where the class is, 0 where it is not, -1 for what is to
        be ignored.
    shares : (C,) `~numpy.ndarray`
        Share of each class, in (0, 1), for which the probabilities hold.
    spread : float, optional
        See `fit_scaling`.

    Returns
    -------
    temperatures : (C,) `~numpy.ndarray`
        Divide the logits.
    offsets : (C,) `~numpy.ndarray`
        Added before the division. Of a class that is everywhere or nowhere it is zero,
        and its temperature 1.
    """
    scalings = []
    for number, share in enumerate(shares):
        known = labels[:, number] >= 0
        logit = logits[:, number][known] / 2
        # A sigmoid is the softmax of two logits that differ by its own.
        temperature, offsets = fit_scaling(
            np.column_stack([-logit, logit]),
            labels[:, number][known].astype(int),
            np.array([1 - share, share]),
            spread=spread,
        )
        scalings.append((temperature, 2 * offsets[1]))
    temperatures, offsets = np.array(scalings).T
    return temperatures, offsets


@dataclass(frozen=True)
class Aim:
    """
    What a threshold is to reach, measured on what it is fitted on.

    Parameters
    ----------
    what : {'f1', 'purity', 'completeness', 'false positives'}
        The best harmonic mean of purity and completeness; or the highest threshold
        with a completeness, or the lowest with a purity, or with at most a share of the
        negatives kept.
    value : float
        That purity, completeness, or share of the negatives.
    """

    what: Literal['f1', 'purity', 'completeness', 'false positives']
    value: float = float('nan')


def thresholds(
    scores: np.ndarray, positive: np.ndarray, aims: Mapping[str, Aim]
) -> dict[str, float]:
    """
    Return thresholds that reach their aims.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Kept is what has ``score >= threshold``.
    positive : (N,) bool `~numpy.ndarray`
        Truth.
    aims : mapping of str to `Aim`
        By name of the operating point.

    Returns
    -------
    thresholds : dict of str to float
        Each is a score that is there; the highest where none reaches its aim.

    Raises
    ------
    ValueError
        If there is nothing positive.
    """
    positive = np.asarray(positive, dtype=bool)
    if not positive.any():
        msg = 'none of the scores is of a positive example; there is nothing to keep'
        raise ValueError(msg)
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    right = np.cumsum(positive[order])
    kept = np.arange(1, len(order) + 1)
    last = np.append(ranked[1:] != ranked[:-1], True)  # all of equal score are kept
    ranked, right, kept = ranked[last], right[last], kept[last]
    purity, completeness = right / kept, right / right[-1]
    f1 = 2 * purity * completeness / np.maximum(purity + completeness, 1e-12)
    false = (kept - right) / max(kept[-1] - right[-1], 1)

    def lowest(good: np.ndarray) -> float:
        return float(ranked[np.flatnonzero(good)[-1]] if good.any() else ranked[0])

    found = {}
    for name, aim in aims.items():
        if aim.what == 'f1':
            found[name] = float(ranked[np.argmax(f1)])
        elif aim.what == 'purity':
            found[name] = lowest(purity >= aim.value)
        elif aim.what == 'completeness':
            found[name] = threshold_at_completeness(scores[positive], aim.value)
        else:
            found[name] = lowest(false <= aim.value)
    return found
