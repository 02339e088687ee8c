"""Draws that an instrument is made of."""

from __future__ import annotations

import numpy as np

__all__ = ['log_uniform']


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
