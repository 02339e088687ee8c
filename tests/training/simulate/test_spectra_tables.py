"""Tables of lamps, skies and stars, and the sources made of them."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve_training.simulate.spectra import sources
from astrosieve_training.simulate.spectra.tables import TABLES, lines, names, table

WAVE = np.arange(3500.0, 9500.0, 0.5)


def test_tables_are_small_and_whole():
    """All lamps, skies and stars are there in 400 kB."""
    assert TABLES.stat().st_size < 400_000
    elements = {'Ne', 'Ar', 'He', 'Hg', 'Cd', 'Kr', 'Xe', 'Zn', 'Fe', 'ThAr', 'OH'}
    assert elements <= set(names('lines'))
    assert {'paranal', 'kast', 'lris-blue', 'lris-red'} <= set(names('sky'))
    assert len(names('star')) > 24
    assert TABLES.with_name('TABLES_LICENSES.txt').is_file()


@pytest.mark.parametrize(
    ('element', 'wavelength'),
    [('Ne', 6404.02), ('Hg', 5462.27), ('He', 5877.25), ('Ar', 7637.21),
     ('Cd', 6440.25), ('Kr', 5871.70), ('Xe', 8233.90), ('Zn', 4811.87)],
)  # fmt: skip
def test_known_lines_are_listed_in_vacuum(element, wavelength):
    """Lines known by heart are where they belong."""
    assert np.abs(lines(element)[0] - wavelength).min() < 1.0


def test_lines_keep_their_place_and_strength():
    """A line between two steps of a grid keeps its centre and its total."""
    out = sources.line_spectrum(WAVE, np.array([5000.13, 99.0]), np.array([3.0, 1.0]))
    assert out.sum() == pytest.approx(3.0)
    assert (out * WAVE).sum() / 3 == pytest.approx(5000.13, abs=0.01)


def test_the_night_sky_has_its_lines():
    """Oxygen at 5577 and OH in the red stand above the continuum."""
    sky = sources.night_sky(WAVE, np.random.default_rng(3))
    near = np.abs(WAVE - 5577.3) < 4
    assert sky[near].max() > 5 * np.median(sky[np.abs(WAVE - 5500) < 60])
    red = sky[WAVE > 8200]
    assert np.percentile(red, 99) > 5 * np.percentile(red, 20)


def test_stars_and_air_absorb():
    """Oxygen takes light at 7600; standards have hydrogen or slope."""
    air = sources.telluric(WAVE, 1.5)
    assert air[np.abs(WAVE - 7605) < 5].min() < 0.6
    assert air[np.abs(WAVE - 5500) < 50].min() > 0.98
    hot = sources.black_body(WAVE, 20000.0)
    assert hot[0] > hot[-1]
    assert np.isfinite(sources.black_body(WAVE, 280.0)).all()
    star = sources.random_star(WAVE, np.random.default_rng(1))
    assert star.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize('head', [6158, 6651, 7053])
def test_cool_stars_have_bands(head):
    """Of TiO, unlike one another, below 4100 K; sunlike stars have none."""

    def left(kelvin, seed):
        star = sources.random_star(
            WAVE, np.random.default_rng(seed), hot=0.0, coolest=kelvin,
            warmest=kelvin + 1,
        )  # fmt: skip
        before, after = (np.abs(WAVE - head - off) < 12 for off in (-15, 90))
        body = sources.black_body(WAVE, kelvin)
        return (star / body)[after].mean() / (star / body)[before].mean()

    cool = [left(3300.0, seed) for seed in range(20)]
    assert 0.3 < np.median(cool) < 0.8
    assert np.std(cool) > 0.04
    assert abs(left(5800.0, 1) - 1) < 0.1


def test_extinction_is_stronger_in_the_blue():
    """Air takes more of the blue, and more at a larger airmass."""
    for site in names('extinction'):
        once, twice = (sources.extinction(WAVE, site, a) for a in (1.0, 2.0))
        assert once[WAVE < 3800].mean() < once[WAVE > 6500].mean()
        assert (twice <= once).all()


def test_lamps_differ_in_strength_but_not_in_place():
    """Two lamps of an element have the same lines at other strengths."""
    a, b = (sources.arc_lamps(WAVE, ('Ne',), np.random.default_rng(s)) for s in (1, 2))
    assert ((a > 0) == (b > 0)).all()
    assert not np.allclose(a, b)
    assert np.isfinite(table('thar')).all()
