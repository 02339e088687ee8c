"""Exposures by plan: drawn cameras and scenes, files and what is read back."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')

from astrosieve.exceptions import OutputError
from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate import (
    PRESETS,
    SceneConfig,
    SimulatedExposure,
    read_truth,
    vary_scene,
)
from astrosieve_training.simulate import files as simulated_files
from astrosieve_training.simulate.files import (
    load_exposure,
    write_dithered_set,
)
from astrosieve_training.simulate.plans import (
    ExposurePlan,
    plan_camera,
    simulate_plan,
)
from astrosieve_training.source.simulate import write_exposures

PLAN = ExposurePlan('demo', 'outskirts', 0.0, 5, (96, 112))


class TestVariedScenes:
    """Densities and brightness drawn about those of a scene."""

    def draw(self, scene: str | SceneConfig = 'field', n: int = 300) -> list:
        return [vary_scene(scene, np.random.default_rng(seed)) for seed in range(n)]

    def test_chance_comes_from_the_generator(self) -> None:
        """The same state gives the same scene, another another."""
        assert self.draw(n=20) == self.draw(n=20)
        assert len({str(asdict(each)) for each in self.draw(n=20)}) == 20

    def test_presets_may_be_named(self) -> None:
        """A name means the preset; an unknown one is refused."""
        one, other = self.draw('globular', 5), self.draw(PRESETS['globular'], 5)
        assert one == other
        with pytest.raises(ValueError, match='globula'):
            vary_scene('globula', np.random.default_rng(0))

    def test_densities_stay_within_bounds(self) -> None:
        """Stars by a third to twice, sky by a third to three times."""
        base = PRESETS['field']
        scenes = self.draw()
        stars = np.array([each.star_density for each in scenes]) / base.star_density
        sky = np.array([each.sky_factor for each in scenes]) / base.sky_factor
        assert stars.min() == pytest.approx(10**-0.5, rel=0.05)
        assert stars.max() == pytest.approx(10**0.3, rel=0.05)
        assert sky.min() == pytest.approx(10**-0.5, rel=0.05)
        assert sky.max() == pytest.approx(10**0.5, rel=0.05)

    def test_rare_things_come_to_half_of_the_scenes(self) -> None:
        """Bright stars and galaxies are added whatever the scene is."""
        empty = replace(PRESETS['field'], bright_stars=0, galaxy_density=0, nebula=0)
        scenes = self.draw(empty)
        bright = np.array([each.bright_stars for each in scenes])
        galaxies = np.array([each.galaxy_density for each in scenes])
        assert (bright > 0).mean() == pytest.approx(0.6, abs=0.1)
        assert (galaxies > 0).mean() == pytest.approx(0.5, abs=0.1)
        assert bright.max() <= 25
        assert galaxies.max() <= 150
        assert {each.nebula for each in scenes} == {0}

    def test_the_rest_is_the_scenes(self) -> None:
        """What is not a density or a brightness is not touched."""
        changed = {
            'star_density', 'bright_stars', 'saturation', 'galaxy_density', 'nebula',
            'sky_factor',
        }  # fmt: skip
        for scene in self.draw('trailed', 20):
            for field in fields(SceneConfig):
                if field.name not in changed:
                    assert getattr(scene, field.name) == getattr(
                        PRESETS['trailed'], field.name
                    )


def test_plans_are_repeatable() -> None:
    """A plan has its pixels; another seed has others."""
    one, again = simulate_plan(PLAN)[0], simulate_plan(PLAN)[0]
    assert one.sci.shape == (96, 112)
    assert np.array_equal(one.sci, again.sci)
    other = simulate_plan(replace(PLAN, seed=6))[0]
    assert not np.array_equal(one.sci, other.sci)


def test_varied_plans_are_repeatable() -> None:
    """The seed decides scene and time, apart from those of the plan."""
    plain = simulate_plan(PLAN)[0]
    varied = simulate_plan(replace(PLAN, vary=True))[0]
    again = simulate_plan(replace(PLAN, vary=True))[0]
    assert np.array_equal(varied.sci, again.sci)
    assert plain.scene == PRESETS['outskirts']
    assert varied.scene != plain.scene
    ratio = varied.exptime / plain.exptime
    assert 10**-0.7 <= ratio <= 10**0.3
    assert ratio != 1
    timed = simulate_plan(replace(PLAN, vary=True, exptime=100.0))[0]
    assert timed.exptime == pytest.approx(100 * ratio)


@pytest.fixture(params=[3, 4], ids=['seed 3', 'seed 4'])
def random_plan(request: pytest.FixtureRequest) -> ExposurePlan:
    return ExposurePlan('random', 'sparse', 0.0, request.param, (96, 96), vary=True)


def test_random_cameras_follow_the_seed(random_plan: ExposurePlan) -> None:
    """The same camera and pixels again; each seed has a camera of its own."""
    one, again = simulate_plan(random_plan)[0], simulate_plan(random_plan)[0]
    assert one.camera == again.camera
    assert np.array_equal(one.sci, again.sci)
    assert np.array_equal(one.dq, again.dq)
    other = plan_camera(replace(random_plan, seed=99))
    assert asdict(other) != asdict(one.camera)


def test_files_give_back_what_was_simulated(
    random_plan: ExposurePlan, tmp_path: Path
) -> None:
    """Pixels to the bit, DQ, unit, and the truth of stars and components."""
    expected = simulate_plan(random_plan)[0]
    chip, truth = load_exposure(random_plan, tmp_path / 'new')
    assert np.array_equal(chip.sci, expected.sci)
    assert chip.dq is not None
    assert np.array_equal(chip.dq, expected.dq)
    assert chip.exptime == pytest.approx(expected.exptime)
    assert truth.fwhm == pytest.approx(expected.truth.fwhm)
    assert len(truth.stars) == len(expected.truth.stars)
    assert truth.stars['x'] == pytest.approx(np.asarray(expected.truth.stars['x']))
    for name, plane in expected.truth.planes.items():
        assert truth.planes[name] == pytest.approx(plane, rel=1e-3, abs=0.05), name


def test_layouts_of_both_kinds_are_met() -> None:
    """Random cameras are of space and of the ground; their files differ."""
    plans = [ExposurePlan('random', 'field', 0.0, seed, (96, 96)) for seed in range(40)]
    layouts = {plan_camera(plan).layout for plan in plans}
    assert {'flc', 'ground'} <= layouts
    assert layouts <= set(simulated_files._SUFFIXES)


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[ExposurePlan]:
    """Return the plans that are simulated from now on."""
    calls: list[ExposurePlan] = []

    def counted(plan: ExposurePlan, n: int) -> list[SimulatedExposure]:
        calls.append(plan)
        return simulate_plan(plan, n)

    monkeypatch.setattr(simulated_files, 'simulate_plan', counted)
    return calls


def test_what_is_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time nothing is simulated; where the truth is lost, all is."""
    calls = count_calls(monkeypatch)
    first, _ = load_exposure(PLAN, tmp_path)
    again, _ = load_exposure(PLAN, tmp_path)
    assert len(calls) == 1
    assert np.array_equal(first.sci, again.sci)
    (tmp_path / f'{PLAN.label}_truth.fits').unlink()
    third, _ = load_exposure(PLAN, tmp_path)
    assert len(calls) == 2
    assert np.array_equal(first.sci, third.sci)


def test_files_of_other_settings_are_not_taken(tmp_path: Path) -> None:
    """An exposure of the same name that was made otherwise is in the way."""
    load_exposure(PLAN, tmp_path)
    with pytest.raises(OutputError, match='made with other settings'):
        load_exposure(replace(PLAN, vary=True), tmp_path)


def test_dithered_sets_show_one_field(tmp_path: Path) -> None:
    """Exposures of a set have the same stars at other places, and are kept."""
    pairs = write_dithered_set(PLAN, 3, tmp_path)
    assert [image.name for image, _ in pairs] == [
        f'{PLAN.label}-{i}_flc.fits' for i in range(3)
    ]
    stars = [read_truth(truth)[0].stars for _, truth in pairs]
    common = set(stars[0]['id']) & set(stars[1]['id'])
    assert len(common) > 0.5 * len(stars[0])
    star = next(iter(common))
    moved = [table['x'][table['id'] == star][0] for table in stars[:2]]
    assert abs(moved[0] - moved[1]) > 0.1
    before = [image.stat().st_mtime_ns for image, _ in pairs]
    again = write_dithered_set(PLAN, 3, tmp_path)
    assert [image.stat().st_mtime_ns for image, _ in again] == before


def test_dithers_need_a_camera(tmp_path: Path) -> None:
    """The sets of a configuration are of single exposures."""
    with pytest.raises(ConfigError, match='dithers go with --camera'):
        write_exposures('source-isr2024', tmp_path, dithers=4)
