"""Which blobs are found."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from astrosieve_training.blob.matching import match


def test_one_to_one() -> None:
    """Within the radius, three pixels at least; each true blob once, the first wins."""
    truth = Table({'x': [10.0, 50.0], 'y': [10.0, 50.0], 'radius': [1.0, 8.0]})
    x = np.array([12.0, 10.0, 57.0, 59.0])
    y = np.array([12.0, 10.0, 50.0, 50.0])
    assert match(x, y, truth).tolist() == [0, -1, 1, -1]
    assert match(x[:0], y[:0], truth).tolist() == []
    assert match(x, y, truth[:0]).tolist() == [-1] * 4
