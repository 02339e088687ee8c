"""Masks from DQ bits."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.dq import dq_to_mask


@pytest.mark.parametrize('dtype', ['i2', '>i2', 'u2', 'i4', '>i4', 'i8', 'u1'])
def test_any_integer_type(dtype: str) -> None:
    """The mask is the same for every integer type; bits it lacks are not set."""
    dq = np.array([[0, 4, 16], [20, 1, 2]], dtype=dtype)
    expected = [[False, True, False], [True, False, False]]
    assert dq_to_mask(dq, 4 | 8192).tolist() == expected


@pytest.mark.parametrize('dtype', [float, bool])
def test_other_types_are_refused(dtype: type) -> None:
    """Only integers are bit fields."""
    with pytest.raises(ValueError, match='dq must be an integer array'):
        dq_to_mask(np.zeros((2, 2), dtype=dtype), 4)
