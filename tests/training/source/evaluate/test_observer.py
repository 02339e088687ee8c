"""What can be told at all of faint galaxies and stars."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('scipy')
pytest.importorskip('photutils')

from astrosieve.models.registry import Model
from astrosieve_training.simulate import optics
from astrosieve_training.simulate.extended import render_galaxies
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import FinderConfig
from astrosieve_training.source.datasets.detections import simulated_set
from astrosieve_training.source.evaluate import observer
from astrosieve_training.source.evaluate.observer import check_faint, distance_from_star

PSF = optics.moffat_psf(2.5, 3.0)
OFFSETS = np.arange(-5, 6)
HERE = (5.0, 5.0)


def galaxy(radius: float, flux: float = 1000.0) -> np.ndarray:
    known = {
        'x': 5.2, 'y': 4.9, 'flux': flux, 'radius': radius, 'n': 1.0,
        'axis_ratio': 0.8, 'angle': 0.3, 'arms': 0.0,
    }  # fmt: skip
    table = {name: np.array([value]) for name, value in known.items()}
    return render_galaxies((11, 11), table, PSF)


def test_a_star_is_no_distance_from_itself() -> None:
    """Of whatever flux, wherever in its pixel."""
    for x, y, flux in ((0.3, -0.4, 500), (0, 0, 20_000), (-0.9, 0.7, 3_000)):
        star = flux * PSF.value(OFFSETS[None] - x, OFFSETS[:, None] - y)
        distance = distance_from_star(star, np.full(star.shape, 10.0), PSF, HERE)
        assert distance < 2e-3 * flux / 10


def test_larger_galaxies_and_less_noise() -> None:
    """Distances grow with the size, and in proportion to the S/N."""
    noise = np.full((11, 11), 5.0)
    small, medium, large = (
        distance_from_star(galaxy(radius), noise, PSF, HERE)
        for radius in (0.4, 1.5, 3.0)
    )
    assert 0 < 3 * small < medium < large
    twice = distance_from_star(galaxy(1.5), noise / 2, PSF, HERE)
    assert twice == pytest.approx(2 * medium, rel=1e-3)


def test_the_distance_is_that_of_the_best_test() -> None:
    """Told apart in noise as often as the distance says."""
    rng = np.random.default_rng(1)
    light, noise = galaxy(1.5), np.full((11, 11), 24.0)
    distance = distance_from_star(light, noise, PSF, HERE)
    assert 0.8 < distance < 3
    target = light / noise

    def residual(x: float, y: float) -> np.ndarray:
        star = PSF.value(OFFSETS[None] - x, OFFSETS[:, None] - y) / noise
        return target - (star * target).sum() / (star * star).sum() * star

    grid = np.linspace(-0.5, 0.5, 41)
    left = min((residual(x, y) for x in grid for y in grid), key=np.linalg.norm)
    assert np.linalg.norm(left) == pytest.approx(distance, rel=0.01)
    unit = left / np.linalg.norm(left)
    noises = rng.normal(0, 1, (20_000, *light.shape))
    star = ((target - left + noises) * unit).sum(axis=(1, 2))
    other = ((target + noises) * unit).sum(axis=(1, 2))
    kept = np.quantile(star, 0.97)
    expected = float(observer.norm.sf(distance - observer.norm.ppf(0.97)))
    assert np.mean(other <= kept) == pytest.approx(expected, abs=0.02)


def test_beside_a_network(model: Model, cache: Path) -> None:
    """By the galaxies' sizes; the observer is better where these are resolved."""
    exposures = ExposureSet(
        name='faint', n=2, seed=40, cameras=('demo',), scenes=('deep',),
        shape=(400, 400),
    )  # fmt: skip
    detections = simulated_set(
        exposures,
        finders=(FinderConfig('peaks', 4.0),),
        preprocessing='zscale-log-1',
        folder=cache,
        progress=False,
    )
    rows = detections.rows
    indifferent: Any = SimpleNamespace(
        rows=rows, scores={'none': np.random.default_rng(0).random(len(rows))}
    )
    lines = check_faint({'faint': indifferent}, [exposures], cache)
    cells = [line.strip('| ').split(' | ') for line in lines[4:]]
    assert [row[1] for row in cells][-2:] == ['all extended', 'all others']
    told = {row[1]: float(row[3].rstrip('%')) for row in cells}
    network = {row[1]: float(row[2].split('%')[0]) for row in cells}
    assert network['all others'] > 80
    assert told['all others'] < told['all extended'] < 70
    assert told['galaxies, half-light radius 1.5 to inf FWHM'] == 0
    few = ExposureSet(
        name='none', n=1, seed=45, cameras=('demo',), scenes=('empty',),
        shape=(64, 64),
    )  # fmt: skip
    nothing: Any = SimpleNamespace(rows=rows[:0], scores={'none': np.zeros(0)})
    assert len(check_faint({'none': nothing}, [few], cache)) == 4
