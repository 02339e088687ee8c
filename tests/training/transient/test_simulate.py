"""Fields, differences and candidates, simulated."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner
from scipy import ndimage

from astrosieve.transient.classes import CLASSES, SURVEY_CLASSES
from astrosieve_training.cli import main
from astrosieve_training.transient.simulate import (
    HELD_BACK,
    SURVEYS,
    Candidates,
    joined,
    make_band_candidates,
    make_candidates,
)
from astrosieve_training.transient.simulate.faults import draw_edge
from astrosieve_training.transient.simulate.fields import draw_sky, expose
from astrosieve_training.transient.simulate.psf import SeeingPSF
from astrosieve_training.transient.simulate.subtraction import subtract
from astrosieve_training.transient.simulate.surveys import Conditions, survey_named

LEARNT = [each.name for each in SURVEYS]


@pytest.fixture(scope='module')
def candidates() -> Candidates:
    """Return candidates of several fields."""
    return joined([make_candidates(seed, LEARNT) for seed in range(5)])


def test_seed_decides_a_field() -> None:
    """Two fields of the same seed are the same, those of two seeds are not."""
    first, again, other = (
        make_candidates(seed, ['ztf'], shape=(256, 256)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.stamps, again.stamps)
    assert first.label.tolist() == again.label.tolist()
    assert not np.array_equal(first.snr, other.snr)


def test_no_survey_is_learnt_from_and_judged() -> None:
    """Surveys that are held back are others than those learnt from."""
    assert not {each.name for each in HELD_BACK} & set(LEARNT)


def test_candidates_are_of_many_kinds(candidates: Candidates) -> None:
    """A few fields have real candidates and most artefacts, none overwhelming."""
    names, counts = np.unique(candidates.label, return_counts=True)
    assert set(names) <= {*CLASSES}
    assert {'transient', 'variable', 'moving', 'dipole', 'residual', 'cosmic_ray'} <= {
        *names
    }
    assert counts.max() < 0.4 * len(candidates)
    assert (candidates.snr > 4).all()
    assert (candidates.share < 0.6).mean() < 0.2


def test_candidate_is_in_the_middle(candidates: Candidates) -> None:
    """The difference of real candidates is largest near the middle of the stamp."""
    real = candidates.take(
        np.isin(candidates.label, ('transient', 'variable')) & (candidates.snr > 20)
    )
    half = real.stamps.shape[2] // 2
    near = np.nan_to_num(np.abs(real.stamps[:, 2]))[:, half - 4 : half + 5,
                                                    half - 4 : half + 5]  # fmt: skip
    flat = near.reshape(len(near), -1).argmax(axis=1)
    away = np.hypot(flat // 9 - 4, flat % 9 - 4)
    assert len(real) > 10
    assert np.median(away) < 1.5
    assert (away < 3).mean() > 0.9


def test_supernova_is_in_the_search_alone(candidates: Candidates) -> None:
    """A transient's stamp is brighter in the middle of the difference, or fainter."""
    new = candidates.take((candidates.label == 'transient') & (candidates.snr > 15))
    middle = new.stamps.shape[2] // 2
    near = slice(middle - 1, middle + 2)
    difference = new.stamps[:, 2]
    level = np.nanmedian(difference, axis=(1, 2))
    light = np.nanmean(difference[:, near, near], axis=(1, 2)) - level
    assert len(new) > 5
    assert (light > 0).mean() > 0.8


def test_psf_keeps_the_flux() -> None:
    """Stars of an elongated PSF with coma have the flux that was asked for."""
    psf = SeeingPSF(2.0, 3.5, (0.1, -0.1), (0.1, 0.2))
    image = np.zeros((101, 101), np.float32)
    psf.add(image, np.array([50.3]), np.array([49.8]), np.array([1000.0]), 1e-4)
    assert image.sum() == pytest.approx(1000, rel=0.01)
    x = np.arange(101)
    assert (image * x).sum() / image.sum() == pytest.approx(50.3 + 0.1 / 6, abs=0.05)


@pytest.mark.parametrize('survey', ['ztf', 'decam'])
def test_subtraction_takes_stars_away(survey: str) -> None:
    """Of the light of stars in their places little is left, whoever subtracts."""
    rng = np.random.default_rng(2)
    conditions = replace(
        Conditions.drawn(survey_named(survey), rng), shift=(0, 0), refraction=(0, 0)
    )
    shape = (384, 384)
    sky = draw_sky(conditions, shape, rng)
    field = expose(sky, conditions, rng, np.zeros(shape, bool))
    made = subtract(field, rng)
    before, after = (each.planes['static'] for each in (field.search, field.template))
    static = made.plain(before, after)
    ratio = sky.flux / conditions.faintest
    moderate = (ratio > 3) & (ratio < 50)
    inside = (sky.x > 20) & (sky.x < 360) & (sky.y > 20) & (sky.y < 360)
    good = np.flatnonzero(moderate & inside)
    column, row = np.rint(sky.x[good]).astype(int), np.rint(sky.y[good]).astype(int)
    left = ndimage.uniform_filter(static, 7)[row, column]
    light = ndimage.uniform_filter(before, 7)[row, column]
    assert np.median(np.abs(left / light)) < 0.05


def test_components_add_up_to_the_image() -> None:
    """Planes of an exposure sum to what the detector gives."""
    rng = np.random.default_rng(4)
    conditions = Conditions.drawn(survey_named('small'), rng)
    shape = (256, 256)
    sky = draw_sky(conditions, shape, rng)
    field = expose(sky, conditions, rng, draw_edge(shape, rng))
    for exposure in (field.search, field.template):
        total = np.sum(list(exposure.planes.values()), axis=0)
        scale = np.abs(exposure.image).max()
        np.testing.assert_allclose(total, exposure.image, atol=1e-4 * scale)


def test_bands_have_the_ten_classes_by_eye() -> None:
    """Three-band candidates are of the survey's classes; moving ones move."""
    made = make_band_candidates(1)
    assert made.stamps.shape[1:] == (3, 69, 69)
    assert set(made.label) <= {*SURVEY_CLASSES}
    assert {'artifact', 'moving', 'variable'} <= set(made.label)
    again = make_band_candidates(1)
    np.testing.assert_array_equal(made.stamps, again.stamps)


def test_files_are_written(tmp_path: Path) -> None:
    """The step writes stamps as the command reads them, and the truth beside."""
    asked = ['transient', 'simulate', '--survey', 'ztf', '-o', str(tmp_path)]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    truth = Table.read(tmp_path / 'truth.ecsv')
    with np.load(tmp_path / 'stamps.npz') as kept:
        assert kept['id'].tolist() == truth['id'].tolist()
        assert kept['stamps'].shape == (len(truth), 63, 63, 3)
    assert set(truth['survey']) == {'ztf'}
    done = CliRunner().invoke(main, asked)
    assert done.exit_code != 0
    assert '--overwrite' in done.output
    done = CliRunner().invoke(main, [*asked, '--survey', 'zft', '--overwrite'])
    assert "did you mean 'ztf'" in done.output


def test_simulation_is_fast() -> None:
    """A core makes thirty candidates a second and more, a field within seconds."""
    began = time.perf_counter()
    made = joined([make_candidates(seed, LEARNT) for seed in range(20, 23)])
    assert len(made) / (time.perf_counter() - began) > 30
