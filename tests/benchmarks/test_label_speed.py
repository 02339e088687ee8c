"""Time of the step label: the embedding alone, and four full exposures of two chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('umap')
pytest.importorskip('drizzlepac')

from astrosieve_training.simulate.files import write_dithered_set
from astrosieve_training.simulate.plans import ExposurePlan
from astrosieve_training.source.label.embedding import embed
from astrosieve_training.source.label.outputs import make_dataset
from astrosieve_training.source.label.settings import EmbeddingSettings, LabelSettings

N = 30_000


def make_cutouts(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return empty sky, stars of all magnitudes and streaks, in noise."""
    y, x = np.mgrid[-5:6, -5:6]
    cutouts = rng.normal(0.15, 0.03, (n, 11, 11))
    for i in range(n):
        kind = i % 5
        if kind < 3:
            continue
        brightness = 10 ** rng.uniform(-1.3, 1)
        dx, dy = rng.uniform(-0.5, 0.5, 2)
        if kind == 3:
            shape = np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 1.4)
        else:
            angle = rng.uniform(0, np.pi)
            shape = np.exp(-((x * np.sin(angle) - y * np.cos(angle) - dx) ** 2))
        cutouts[i] += np.log1p(brightness * shape)
    return cutouts.clip(0, 1).astype(np.float32)


@pytest.mark.benchmark(group='label')
def test_embedding(benchmark: object) -> None:
    """UMAP of 30,000 cutouts takes a minute at most, once it is compiled."""
    cutouts = make_cutouts(N, np.random.default_rng(0))
    embed(cutouts[:1000], EmbeddingSettings())  # compiles
    settings = EmbeddingSettings()
    benchmark.pedantic(embed, (cutouts, settings), rounds=1)  # type: ignore[attr-defined]
    seconds = benchmark.stats.stats.median  # type: ignore[attr-defined]
    assert seconds < 60


@pytest.mark.benchmark(group='label')
def test_whole_procedure(benchmark: object, tmp_path: Path) -> None:
    """Four full exposures of two chips are labelled in 15 minutes at most."""
    plan = ExposurePlan('wfc3-uvis-f336w', 'outskirts', 1230.0, 230000, (0, 0))
    paths = [image for image, _ in write_dithered_set(plan, 4, tmp_path)]

    def run() -> None:
        make_dataset(paths, tmp_path / 'dataset', LabelSettings())

    benchmark.pedantic(run, rounds=1)  # type: ignore[attr-defined]
    seconds = benchmark.stats.stats.median  # type: ignore[attr-defined]
    assert seconds < 15 * 60
    assert (tmp_path / 'dataset' / 'dataset.json').is_file()
