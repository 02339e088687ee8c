"""The embedding of cutouts, and clusters in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip('umap')
pytest.importorskip('sklearn')

from astrosieve_training.settings import ConfigError
from astrosieve_training.source.label.embedding import embed, find_clusters, transform
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.settings import EmbeddingSettings

SETTINGS = EmbeddingSettings(n_neighbors=10)
pytestmark = pytest.mark.usefixtures('distances_at_once')
_Y, _X = np.mgrid[-5:6, -5:6]


def cutouts_of(counts: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return round cutouts, then empty ones."""
    rng = np.random.default_rng(seed)
    star = np.exp(-(_X**2 + _Y**2) / 3.0)
    stars = star * rng.uniform(0.5, 1, (counts[0], 1, 1))
    signal = np.concatenate([stars, np.zeros((counts[1], 11, 11))])
    noisy: np.ndarray = signal + rng.normal(0, 0.02, signal.shape)
    return noisy.clip(0, 1).astype(np.float32)


@pytest.fixture(scope='module')
def embedded() -> tuple[np.ndarray, Any]:
    """Embedding and reducer of 120 stars and 80 of nothing."""
    return embed(cutouts_of((120, 80)), SETTINGS)


def blobs(*counts: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middles = [(15 * (i % 3), 15 * (i // 3)) for i in range(len(counts))]
    return np.concatenate(
        [rng.normal(m, 0.8, (n, 2)) for m, n in zip(middles, counts, strict=True)]
    )


@pytest.mark.parametrize(
    ('name', 'value', 'said'),
    [
        ('samples', 99, '100 or more'),
        ('n_neighbors', 1, '2 or more'),
        ('seed', -1, '0 or more'),
        ('min_dist', -0.1, 'between 0 and 1'),
        ('min_dist', float('nan'), 'between 0 and 1'),
        ('cluster_share', 0.0, 'above 0 and below 0.5'),
        ('part_share', 0.5, 'above 0 and below 0.5'),
    ],
)
def test_settings_have_limits(name: str, value: float, said: str) -> None:
    """Each is named."""
    with pytest.raises(ConfigError, match=f'{name} must be .*{said}; got'):
        EmbeddingSettings(**{name: value})  # type: ignore[arg-type]


def test_smallest_part() -> None:
    """A share of the places, but no handful."""
    assert EmbeddingSettings(part_share=0.003).min_part(30_000) == 90
    assert EmbeddingSettings(part_share=0.003).min_part(1000) == 30


@pytest.mark.parametrize(('n_neighbors', 'fewest'), [(35, 140), (10, 60)])
def test_too_few(n_neighbors: int, fewest: int) -> None:
    """Both numbers and what to do are said."""
    settings = EmbeddingSettings(n_neighbors=n_neighbors)
    cutouts = cutouts_of((fewest - 1, 0))
    with pytest.raises(
        LabelError, match=rf'needs {fewest} places .* are {fewest - 1}\..*--neighbors'
    ):
        embed(cutouts, settings)


def test_kinds_come_apart(embedded: tuple[np.ndarray, Any]) -> None:
    """In two dimensions, each kind in one cluster of its own."""
    points, _ = embedded
    assert points.shape == (200, 2)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()
    clusters = find_clusters(points, SETTINGS)
    assert len(set(clusters)) == 2
    assert len(set(clusters[:120])) == len(set(clusters[120:])) == 1


def test_seed_decides(embedded: tuple[np.ndarray, Any]) -> None:
    """The same seed gives the same embedding, to the bit; another another."""
    cutouts = cutouts_of((120, 80))
    again, _ = embed(cutouts, SETTINGS)
    np.testing.assert_array_equal(again, embedded[0])
    other, _ = embed(cutouts, EmbeddingSettings(n_neighbors=10, seed=1))
    assert not np.array_equal(other, embedded[0])


def test_transform(embedded: tuple[np.ndarray, Any]) -> None:
    """Others of the same kinds are placed among them; one alone too."""
    points, reducer = embedded
    others = cutouts_of((30, 20), seed=9)
    placed = transform(reducer, others)
    assert placed.shape == (50, 2)
    assert placed.dtype == np.float32
    middles = np.array([points[:120].mean(axis=0), points[120:].mean(axis=0)])
    distance = np.hypot(*(placed[:, None] - middles[None]).transpose(2, 0, 1))
    np.testing.assert_array_equal(distance.argmin(axis=1), np.repeat([0, 1], [30, 20]))
    assert transform(reducer, others[:1]).shape == (1, 2)


@pytest.mark.parametrize('counts', [(300, 300), (400, 150, 60), (200,) * 5])
def test_number_is_found(counts: tuple[int, ...]) -> None:
    """As many as there are blobs, of any sizes."""
    points = blobs(*counts)
    clusters = find_clusters(points, SETTINGS)
    truth = np.repeat(np.arange(len(counts)), counts)
    assert len(set(clusters)) == len(counts)
    assert len(set(zip(clusters.tolist(), truth.tolist(), strict=True))) == len(counts)


def test_outliers_join_the_nearest() -> None:
    """No point is left without a cluster."""
    points = np.concatenate([blobs(300, 300), [[4.5, 0.5], [11, -0.5], [30, 0]]])
    clusters = find_clusters(points, SETTINGS)
    assert set(clusters) == {0, 1}
    first, second = clusters[0], clusters[300]
    assert clusters[-3:].tolist() == [first, second, second]


def test_one_blob_is_one_cluster() -> None:
    """Where HDBSCAN finds none, all is one."""
    for seed in range(5):
        clusters = find_clusters(blobs(55, seed=seed), SETTINGS)
        np.testing.assert_array_equal(clusters, np.zeros(55))


def test_smallest_cluster() -> None:
    """Fewer than the share, or than 30, are none of their own."""
    points = blobs(3000, 3000, 45)
    assert len(set(find_clusters(points, SETTINGS))) == 2
    small = EmbeddingSettings(n_neighbors=10, cluster_share=0.005)
    assert len(set(find_clusters(points, small))) == 3
    assert len(set(find_clusters(blobs(300, 300, 25), small))) == 2
