"""From logits to probabilities."""

from __future__ import annotations

import numpy as np


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
