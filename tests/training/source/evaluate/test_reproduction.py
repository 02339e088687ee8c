"""Figures and tables of the report, made again."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('scipy')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')

from astrosieve_training.source.evaluate.reproduction import _beside_published


def test_what_the_report_states_stands_beside_ours() -> None:
    """A row says what became of a class, the first column what is called a star."""
    matrix = np.array([[96, 1, 3], [1, 99, 0], [3, 2, 95]])
    head, _, *rows = _beside_published({'unseen': matrix, 'other': 2 * matrix})
    assert head.split(' | ')[2:] == ['here, unseen', 'here, other |']
    assert [row.split(' | ')[1] for row in rows] == [
        '94 % in the confusion matrix, 96 % in the abstract',
        'under 1 %', 'under 1 %', 'over 96 %',
    ]  # fmt: skip
    ours = [row.split(' | ')[2] for row in rows]
    assert [each.split('%')[0] for each in ours] == ['96.00', '1.00', '3.00', '96.00']
    assert all('/100)' in each for each in ours)
