"""The model of candidates that travels with the package."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve import load_model, score_transients
from astrosieve.models.registry import Model

SIDE, FWHM, NOISE = 63, 3.0, 5.0


@pytest.fixture(scope='module')
def shipped() -> Model:
    return load_model('transient')


def star(flux: float, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """Return a star near the middle of a stamp."""
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    sigma = FWHM / 2.3548
    light = np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * sigma**2))
    return flux * light / light.sum()


def triplet(search: np.ndarray, template: np.ndarray, seed: int) -> np.ndarray:
    """Return noisy science, template and their difference."""
    rng = np.random.default_rng(seed)
    science = search + rng.normal(0, NOISE, search.shape)
    before = template + rng.normal(0, NOISE / 3, search.shape)
    return np.stack([science, before, science - before])


def test_limits_of_size(shipped: Model) -> None:
    """At most 1.5 MB."""
    assert shipped.path.stat().st_size <= 1_500_000
    assert {'transient', 'variable', 'moving', 'dipole'} <= {*shipped.card.classes}


def test_plain_cases(shipped: Model) -> None:
    """A new star is real; a misregistered one and a hot pixel are not."""
    empty = np.zeros((SIDE, SIDE))
    hot = empty.copy()
    hot[SIDE // 2, SIDE // 2] = 500
    new = [triplet(star(1500), empty, seed) for seed in range(8)]
    off = [triplet(star(3e4, 0.3), star(3e4, -0.3), seed) for seed in range(8)]
    hit = [triplet(hot, empty, seed) for seed in range(8)]
    p = np.asarray(score_transients(np.stack([*new, *off, *hit]))['p_real'])
    assert (p[:8] > 0.8).all()
    assert (p[8:] < 0.2).all()


def test_flux_scale_and_pedestal_do_not_count(shipped: Model) -> None:
    """As for other units, and skies that were not subtracted."""
    stamps = np.stack([
        triplet(star(600), np.zeros((SIDE, SIDE)), seed) for seed in range(4)
    ])  # fmt: skip
    other = stamps * 0.01
    other[:, :2] += 30
    one, two = (
        np.asarray(score_transients(each)['p_real']) for each in (stamps, other)
    )
    assert two == pytest.approx(one, abs=1e-3)


def test_centring_does_not_count(shipped: Model) -> None:
    """A candidate that is two pixels off keeps what is said of it."""
    stamps = np.stack([
        triplet(star(1500), np.zeros((SIDE, SIDE)), seed) for seed in range(4)
    ])  # fmt: skip
    moved = np.roll(stamps, (2, -1), axis=(-2, -1))
    one, two = (
        np.asarray(score_transients(each)['p_real']) for each in (stamps, moved)
    )
    assert two == pytest.approx(one, abs=0.02)
