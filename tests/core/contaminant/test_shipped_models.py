"""The model of contaminants that travels with the package."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve import load_model, segment_contaminants
from astrosieve.contaminant import Contaminants
from astrosieve.contaminant.classes import CLASSES

SIDE, FWHM = 256, 4.5
HITS = [(40, 60), (100, 200), (180, 30), (220, 140)]
STARS = [(70, 130), (150, 90), (200, 200), (30, 210)]


def frame() -> np.ndarray:
    """Return sky, broad stars, short tracks of hits and a dead column."""
    rng = np.random.default_rng(5)
    y, x = np.indices((SIDE, SIDE))
    light = np.full((SIDE, SIDE), 200.0)
    for row, column in STARS:
        away = (y - row) ** 2 + (x - column) ** 2
        light += 2000 * np.exp(-away / (2 * (FWHM / 2.3548) ** 2))
    data = rng.poisson(light) + rng.normal(0, 5, light.shape)
    for row, column in HITS:
        for step in range(6):
            data[row + step // 2, column + step] += 900
    data[:, 120] = 10
    return np.asarray(data, dtype=np.float32)


@pytest.fixture(scope='module')
def found() -> Contaminants:
    return segment_contaminants(frame())


def test_limits_of_size() -> None:
    """At most 3 MB, with all classes."""
    shipped = load_model('contaminant')
    assert shipped.path.stat().st_size <= 3_000_000
    assert {*shipped.card.classes} == {*CLASSES.names}


def test_plain_cases(found: Contaminants) -> None:
    """Tracks are cosmic rays, broad stars are objects, a dead column is one."""
    hits = found.where('cosmic_ray')
    for row, column in HITS:
        assert hits[row : row + 3, column : column + 6].sum() >= 4
    objects = found.where('object')
    for row, column in STARS:
        assert objects[row, column]
        assert not hits[row - 1 : row + 2, column - 1 : column + 2].any()
    assert found.where('bad_column')[:, 120].mean() > 0.9
    assert hits.mean() < 0.002


def test_units_do_not_count(found: Contaminants) -> None:
    """The map is the same in other units, and upon a pedestal, to 1 %."""
    for other in (frame() / 1000, frame() * 2.5 + 1000):
        same = segment_contaminants(other)
        assert np.abs(same.probabilities - found.probabilities).max() < 0.01


def test_nan_spoils_itself_only(found: Contaminants) -> None:
    """What is said of pixels far from it stays."""
    data = frame()
    data[128, 40] = np.nan
    without = segment_contaminants(data)
    assert np.isnan(without.probabilities[:, 128, 40]).all()
    far = np.s_[:, :, 150:]
    assert np.abs(without.probabilities[far] - found.probabilities[far]).max() < 0.02
