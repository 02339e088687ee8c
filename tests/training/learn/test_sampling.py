"""Which examples are shown."""

from __future__ import annotations

import numpy as np

from astrosieve_training.learn.sampling import balance


def test_balance_cuts_to_a_multiple_of_the_smallest() -> None:
    """No class keeps more than the ratio; what is cut is told."""
    labels = np.repeat([0, 1, 2], [100, 40, 10])
    kept, excess = balance(labels, np.random.default_rng(0), ratio=1.5)
    assert np.bincount(labels[kept]).tolist() == [15, 15, 10]
    assert len(kept) + len(excess) == 150
    assert not set(kept) & set(excess)
    everything, _ = balance(labels, np.random.default_rng(0), ratio=0)
    assert len(everything) == 150
