"""From logits to probabilities, and from one mix of classes to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = ['ACTIVATIONS', 'complete_prior', 'reweight', 'sigmoid', 'softmax']


def _scaled(logits: np.ndarray, temperature: float | Sequence[float]) -> np.ndarray:
    """Return logits (N, C, ...) over one temperature, or one for each class."""
    shape = (-1, *(1,) * (logits.ndim - 2))
    return logits / np.asarray(temperature, dtype=logits.dtype).reshape(shape)


def softmax(
    logits: np.ndarray, temperature: float | Sequence[float] = 1.0
) -> np.ndarray:
    """
    Return probabilities of classes that exclude each other.

    Parameters
    ----------
    logits : (N, C, ...) `~numpy.ndarray`
        Outputs of a network.
    temperature : float or sequence of float, optional
        Divides the logits, all or those of each class (Guo et al. 2017, ICML 70,
        1321).

    Returns
    -------
    probabilities : (N, C, ...) float32 `~numpy.ndarray`
        They sum to one along the second axis.
    """
    scaled = _scaled(logits.astype(np.float64), temperature)
    scaled -= scaled.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled.astype(np.float32)


def sigmoid(
    logits: np.ndarray, temperature: float | Sequence[float] = 1.0
) -> np.ndarray:
    """
    Return probabilities of each class on its own.

    Parameters
    ----------
    logits, temperature
        As for `softmax`.

    Returns
    -------
    probabilities : (N, C, ...) float32 `~numpy.ndarray`
    """
    scaled = _scaled(logits.astype(np.float32, copy=False), temperature)
    np.negative(scaled, out=scaled)
    with np.errstate(over='ignore'):  # of very unlikely ones: 1 / inf is 0
        np.exp(scaled, out=scaled)
    scaled += 1
    return np.reciprocal(scaled, out=scaled)


ACTIVATIONS: dict[str, Callable[..., np.ndarray]] = {
    'softmax': softmax,
    'sigmoid': sigmoid,
}
"""What makes probabilities of logits, by the name that cards give it."""


def complete_prior(
    prior: Mapping[str, float],
    card_prior: Mapping[str, float],
    *,
    exclusive: bool = True,
) -> dict[str, float]:
    """
    Complete an expected mix of classes.

    Parameters
    ----------
    prior : dict of str to float
        Expected share of some or all classes, each in (0, 1).
    card_prior : dict of str to float
        The mix that the model's probabilities hold for.
    exclusive : bool, optional
        Whether the classes exclude each other. Those that ``prior`` leaves out then
        share the rest in the card's proportions; else they keep the card's shares.

    Returns
    -------
    prior : dict of str to float
        A share for each class; of classes that exclude each other they sum to one.

    Raises
    ------
    ValueError
        If a class is not known, a share is not in (0, 1), or the sum cannot be 1.
    """
    unknown = sorted(set(prior) - set(card_prior))
    if unknown:
        msg = f'prior names {", ".join(unknown)}; classes are {", ".join(card_prior)}'
        raise ValueError(msg)
    for name, share in prior.items():
        if not 0 < share < 1:
            msg = f'prior of {name} must be a share between 0 and 1; got {share}'
            raise ValueError(msg)
    if not exclusive:
        return {**card_prior, **prior}
    given = sum(prior.values())
    rest = {name: share for name, share in card_prior.items() if name not in prior}
    if (rest and given >= 1) or (not rest and abs(given - 1) > 1e-3):
        msg = (
            f'the shares of prior sum to {given:g}; all classes together must give '
            '1, and fewer must leave a rest'
        )
        raise ValueError(msg)
    scale = (1 - given) / sum(rest.values()) if rest else 1.0
    complete = {name: share * scale for name, share in rest.items()}
    return {name: {**complete, **prior}[name] for name in card_prior}


def reweight(
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    factors: Mapping[str, float],
    rows: np.ndarray | None = None,
    exclusive: bool = True,
) -> np.ndarray:
    """
    Multiply the odds of classes, by Bayes' rule.

    Parameters
    ----------
    probabilities : (N, C, ...) `~numpy.ndarray`
        Of classes along the second axis.
    classes : sequence of str
        The C classes.
    factors : dict of str to float
        Factor per class: the new share over the old one, or a likelihood ratio; of
        classes that do not exclude each other the ratio of the odds.
    rows : (N,) bool `~numpy.ndarray`, optional
        Rows to change; all by default.
    exclusive : bool, optional
        Whether the classes exclude each other, so that the probabilities sum to one.

    Returns
    -------
    probabilities : (N, C, ...) float32 `~numpy.ndarray`
    """
    more = (1,) * (probabilities.ndim - 2)
    weights = np.array([factors.get(name, 1.0) for name in classes])
    weighted = probabilities.astype(np.float64) * weights.reshape(-1, *more)
    if exclusive:
        weighted /= weighted.sum(axis=1, keepdims=True)
    else:
        weighted /= weighted + (1 - probabilities)
    if rows is not None:
        weighted = np.where(rows.reshape(-1, 1, *more), weighted, probabilities)
    return weighted.astype(np.float32)
