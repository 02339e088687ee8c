"""Inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batch:
    """
    Inputs of a network for N positions.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, by the name of the network's input.
    flags : (N,) int32 `~numpy.ndarray`
        Bits of ``class_flags``.
    valid : (N,) bool `~numpy.ndarray`
        `False` where the row cannot be scored.
    """

    inputs: dict[str, np.ndarray]
    flags: np.ndarray
    valid: np.ndarray
