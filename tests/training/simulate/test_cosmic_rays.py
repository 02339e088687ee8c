"""Cosmic rays: angles, rates, charge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from astrosieve_training.simulate import CosmicRayTemplates, compare
from astrosieve_training.simulate.cosmic_rays import (
    cosmic_ray_image,
    expected_hits,
    heavy_particles,
)
from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.particles import sample_directions
from astrosieve_training.simulate.real_hits import cosmic_ray_statistics, real_hits


def test_angles_of_an_isotropic_flux() -> None:
    """p(theta) is proportional to cos(theta) sin(theta)."""
    cos_theta, phi = sample_directions(20_000, np.random.default_rng(1))
    theta = np.arccos(cos_theta)
    assert stats.kstest(theta, lambda t: np.sin(t) ** 2).pvalue > 0.01
    assert stats.kstest(phi / (2 * np.pi), 'uniform').pvalue > 0.01


def test_angles_of_muons() -> None:
    """On a level detector muons add two powers of the cosine."""
    cos_theta, _ = sample_directions(20_000, np.random.default_rng(2), muons=True)
    assert stats.kstest(cos_theta, lambda m: m**4).pvalue > 0.01


def test_expected_hits_of_a_chip() -> None:
    """A chip of WFC3/UVIS catches some 25,000 hits in 1,230 seconds."""
    n = expected_hits((2051, 4096), 15.0, 1.1, 1230.0)
    assert n == pytest.approx(25_570, rel=0.01)


def test_rate_and_covered_pixels() -> None:
    """As many hits as the rate says; two per cent of the pixels after 1,230 s."""
    shape = (600, 600)
    rng = np.random.default_rng(3)
    hits = cosmic_ray_image(shape, Slab(), rng, rate=1.1, exptime=1230.0)
    n = expected_hits(shape, 15.0, 1.1, 1230.0)
    assert len(hits.x) == pytest.approx(n, abs=5 * np.sqrt(n))
    assert 0.01 < (hits.image > 30).mean() < 0.05


def test_charge_is_conserved() -> None:
    """The image holds the electrons of the table's hits, save at the border."""
    rng = np.random.default_rng(4)
    hits = cosmic_ray_image((400, 400), Slab(), rng, rate=1.1, exptime=600.0)
    assert hits.image.sum() == pytest.approx(hits.electrons.sum(), rel=0.02)


def test_charge_of_a_minimum_ionising_particle() -> None:
    """Most tracks leave 50 to 110 electrons per micrometre of their path."""
    rng = np.random.default_rng(5)
    slab = Slab(15.0, 16.0, 4.5)
    hits = cosmic_ray_image((900, 900), slab, rng, rate=1.1, exptime=900.0)
    primary = (hits.kind == 'primary') & (np.abs(hits.x - 450) < 380)
    primary &= (np.abs(hits.y - 450) < 380) & (hits.theta < 1.2)
    path = slab.thickness_um / np.cos(hits.theta[primary])
    assert 50 < np.median(hits.electrons[primary] / path) < 110


def test_heavy_particles() -> None:
    """Blobs of half to two and a half pixels, some drawn out, their charge kept."""
    hits = heavy_particles((2000, 2000), 300, np.random.default_rng(8))
    assert len(hits.x) == len(hits.electrons) > 280
    assert set(hits.kind) == {'heavy'}
    assert hits.image.sum() == pytest.approx(hits.electrons.sum(), rel=1e-4)
    inner = (np.abs(np.stack([hits.x, hits.y]) - 1000) < 960).all(axis=0)
    assert (hits.electrons[inner] >= 0.1 * 2.7e5 * 0.999).all()
    assert hits.electrons.max() <= 6 * 2.7e5
    assert 0.2 < (hits.length > 0).mean() < 0.4
    round_ones = np.flatnonzero(inner & (hits.length == 0))
    spreads = []
    for x, y in zip(hits.x[round_ones], hits.y[round_ones], strict=True):
        box = hits.image[round(y) - 9 : round(y) + 10, round(x) - 9 : round(x) + 10]
        across = np.arange(round(x) - 9, round(x) + 10) - x
        spreads.append(np.sqrt((box.sum(axis=0) * across**2).sum() / box.sum()))
    assert np.quantile(spreads, 0.05) > 0.4
    assert 0.8 < np.median(spreads) < 1.5
    assert np.quantile(spreads, 0.9) < 3
    again = heavy_particles((2000, 2000), 300, np.random.default_rng(8))
    assert np.array_equal(hits.image, again.image)
    assert not heavy_particles((9, 9), 0, np.random.default_rng(8)).image.any()


def test_deterministic() -> None:
    """The same seed gives the same hits, bit for bit."""
    a, b = (
        cosmic_ray_image(
            (200, 200), Slab(), np.random.default_rng(6), rate=1.0, exptime=500.0
        )
        for _ in range(2)
    )
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.electrons, b.electrons)


def test_none_without_time_or_rate() -> None:
    """No rate, no hits."""
    hits = cosmic_ray_image(
        (64, 64), Slab(), np.random.default_rng(7), rate=0.0, exptime=100.0
    )
    assert hits.image.max() == 0
    assert len(hits.x) == 0


def test_site_is_checked() -> None:
    """An unknown site is named."""
    with pytest.raises(ValueError, match="'orbit' or 'ground'"):
        cosmic_ray_image(
            (64, 64), Slab(), np.random.default_rng(8), rate=1, exptime=1, site='moon'
        )


def test_templates_keep_their_charge() -> None:
    """A real hit put into an image brings its electrons."""
    stamp = np.zeros((5, 3))
    stamp[1:4, 1] = (100, 900, 50)
    templates = CosmicRayTemplates([stamp])
    image = np.zeros((50, 50))
    x, y, electrons, length = templates.add(
        image, np.array([25.0, 100.0]), np.array([25.0, 25.0]), np.random.default_rng(9)
    )
    assert image.sum() == pytest.approx(1050)
    assert electrons[0] == pytest.approx(1050)
    assert electrons[1] == 0
    assert np.hypot(x[0] - 25, y[0] - 25) < 3
    assert length[0] == 5


def test_no_templates() -> None:
    """An empty list of templates is refused."""
    with pytest.raises(ValueError, match='empty'):
        CosmicRayTemplates([])


def test_statistics_measure_a_track() -> None:
    """A straight track of known length comes out as long."""
    image = np.zeros((40, 40))
    image[20, 10:22] = 500.0
    hits = cosmic_ray_statistics(image, 5.0)
    assert len(hits.table) == 1
    row = hits.table[0]
    assert row['length'] == pytest.approx(12)
    assert row['total'] == pytest.approx(6000)
    assert row['peak'] == 500
    assert row['width'] < 1.5


@pytest.mark.parametrize('source', ['uvis', 'wfpc2', 'lsst'])
def test_simulated_hits_resemble_real_ones(data_dir, source: str) -> None:
    """No distribution of length, width, peak or charge differs by more than 0.25."""
    real = real_hits(data_dir, source)
    simulated = compare.simulated_hits(source, np.random.default_rng(10), n_pixels=700)
    result = compare.compare_hits(real, simulated)
    assert len(real.table) > 100
    assert max(v['ks'] for v in result.values()) < 0.25


def test_real_hits_as_templates(data_dir) -> None:
    """The hits of the frames that may serve are found."""
    templates = CosmicRayTemplates(real_hits(data_dir, 'wfpc2').stamps)
    assert len(templates) > 100
    rng = np.random.default_rng(11)
    hits = cosmic_ray_image(
        (300, 300), Slab(), rng, rate=1.0, exptime=300.0, templates=templates,
        template_share=0.5,
    )  # fmt: skip
    assert 0.3 < (hits.kind == 'template').mean() < 0.7
