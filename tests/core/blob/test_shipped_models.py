"""The models of blobs that travel with the package."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from astrosieve import find_blobs, load_model
from astrosieve.blob.find import OPERATING_POINT
from astrosieve.blob.score import score_subframes
from astrosieve.models.registry import Model

GOLDEN = Path(__file__).parents[2] / 'data'


@pytest.fixture(scope='module')
def shipped() -> Model:
    return load_model('blob')


def test_card(shipped: Model) -> None:
    """Operating point, data, split, limits, references: all are stated; it is small."""
    card = shipped.card
    assert card.task == 'blob'
    assert shipped.path.stat().st_size <= 2_500_000
    assert 0 < card.threshold(OPERATING_POINT, 'p_blob') < 1
    measured = card.operating_points[OPERATING_POINT].measured
    assert list(measured) == ['completeness', 'purity']
    assert measured['purity'].value > 0.9
    for text in (card.description, card.training_data, card.split, card.licence):
        assert text
    assert card.limits
    assert card.references
    assert card.metrics['tables']


def test_golden(shipped: Model) -> None:
    """What it says of a drawn difference is what it said when it was exported."""
    card = shipped.card
    expected = np.load(GOLDEN / f'golden-{card.name}-{card.version}.npz')['blobs']
    drawn = runpy.run_path(str(GOLDEN / 'make_golden.py'))['difference']()
    table = find_blobs(drawn, model=shipped)
    names = ('x', 'y', 'radius', 'depth', 'p_blob')
    found = np.column_stack([table[name] for name in names])
    assert len(expected) >= 5
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_offset_and_scale(shipped: Model) -> None:
    """Neither changes what is found; depths follow the scale."""
    drawn = runpy.run_path(str(GOLDEN / 'make_golden.py'))['difference']()
    expected = find_blobs(drawn, model=shipped)
    found = find_blobs(3 * drawn + 0.1, model=shipped)
    for name in ('x', 'y', 'p_blob'):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-2)
    np.testing.assert_allclose(found['depth'], 3 * expected['depth'], rtol=1e-2)


def test_edges(shipped: Model) -> None:
    """Half of a blob is enough, at each of the four edges."""
    drawn = runpy.run_path(str(GOLDEN / 'make_golden.py'))['difference']()
    ny, nx = drawn.shape
    places = np.array([(-0.4, 200), (nx - 0.6, 170), (150, -0.4), (220, ny - 0.6)])
    rows, columns = np.mgrid[:ny, :nx]
    for x, y in places:
        away = np.hypot(columns - x, rows - y)
        drawn += (0.025 * (1 - np.tanh((away - 5) / 1.5))).astype(np.float32)
    found = find_blobs(drawn, model=shipped)
    at = np.column_stack([found['x'], found['y']])
    nearest = np.hypot(*(at - places[:, None]).transpose(2, 0, 1)).min(axis=1)
    assert (nearest < 2).all()


def test_published_network() -> None:
    """It is as small as it may be, and says of subframes what it said when exported."""
    model = load_model('blob-isr2021')
    card = model.card
    assert model.path.stat().st_size <= 6_000_000
    assert card.classes == ('blob', 'no_blob')
    assert card.metrics['tables']
    expected = np.load(GOLDEN / f'golden-{card.name}-{card.version}.npz')
    drawn = runpy.run_path(str(GOLDEN / 'make_golden.py'))['difference']()
    found = score_subframes(drawn)
    assert len(found) == 4
    np.testing.assert_allclose(found['p_blob'], expected['probabilities'], atol=1e-3)
