"""The model of frames that travels with the package."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from astrosieve import classify_frame, load_model
from astrosieve.frametype import CLASSES
from astrosieve.models.registry import Model

GOLDEN = Path(__file__).parents[2] / 'data'


@pytest.fixture(scope='module')
def shipped() -> Model:
    return load_model('frametype')


@pytest.fixture(scope='module')
def frames() -> dict[str, np.ndarray]:
    drawn: dict[str, np.ndarray] = runpy.run_path(str(GOLDEN / 'make_golden.py'))[
        'frames'
    ]()
    return drawn


def test_card(shipped: Model) -> None:
    """Classes, data, split, limits, references, tables: all are stated; it is small."""
    card = shipped.card
    assert card.task == 'frametype'
    assert card.classes == CLASSES.names
    assert shipped.path.stat().st_size <= 3_000_000
    for text in (card.description, card.training_data, card.split, card.licence):
        assert text
    assert card.limits
    assert card.references
    assert card.metrics['tables']


def test_golden_scores(shipped: Model, frames: dict[str, np.ndarray]) -> None:
    """What it says of drawn frames is what it said when it was exported."""
    card = shipped.card
    expected = np.load(GOLDEN / f'golden-{card.name}-{card.version}.npz')
    found = np.array(
        [
            list(classify_frame(each, model=shipped).probabilities.values())
            for each in frames.values()
        ]
    )
    np.testing.assert_allclose(found, expected['probabilities'], atol=1e-4)


def test_types_that_anybody_would_tell(
    shipped: Model, frames: dict[str, np.ndarray]
) -> None:
    """Whatever the orientation, the gain and the pedestal."""
    for name, frame in frames.items():
        for turned in (frame, frame.T, frame[::-1, ::-1], 0.4 * frame - 7000):
            found = classify_frame(turned, model=shipped)
            assert found.frame_type == name, found
            assert max(found.votes.values()) == 4
