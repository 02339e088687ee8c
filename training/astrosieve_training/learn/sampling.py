"""Which examples a network is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

__all__ = ['balance', 'label_numbers']


def label_numbers(rows: Table, classes: Sequence[str]) -> np.ndarray:
    """
    Return labels as numbers of classes.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With the column ``label``.
    classes : sequence of str
        Classes of the network.

    Returns
    -------
    numbers : (N,) int `~numpy.ndarray`
        -1 for labels that the network does not have.
    """
    labels = np.asarray(rows['label'], dtype=str)
    numbers = np.full(len(labels), -1)
    for number, name in enumerate(classes):
        numbers[labels == name] = number
    return numbers


def balance(
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    ratio: float = 1.5,
    largest: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Thin out classes that are too frequent.

    Parameters
    ----------
    labels : (N,) int `~numpy.ndarray`
        Class numbers.
    rng : `~numpy.random.Generator`
        Decides which rows stay.
    ratio : float, optional
        A class keeps at most this many times the rows of the smallest; 0 for all.
    largest : int, optional
        A class keeps at most so many.

    Returns
    -------
    kept, excess : `~numpy.ndarray`
        Row numbers, both in ascending order.
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    limit = len(labels) if largest is None else largest
    if ratio and len(counts):
        limit = min(limit, int(ratio * counts.min()))
    kept = [
        rng.permutation(np.flatnonzero(labels == number))[:limit]
        for number in np.unique(labels)
    ]
    keep = np.sort(np.concatenate([*kept, np.empty(0, dtype=int)]).astype(int))
    return keep, np.setdiff1d(np.arange(len(labels)), keep)
