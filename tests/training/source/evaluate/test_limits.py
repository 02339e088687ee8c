"""What the network must reach, on tables made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from astrosieve.models.metrics import Share
from astrosieve_training.source.evaluate.limits import (
    ABSOLUTE_LIMITS,
    FOREST_FACTOR,
    RELATIVE_FLOOR,
    RIVAL_FACTOR,
    faint_leak,
    leaks,
    members,
    relative_limits,
    stars_on_extended,
)

FOREST, NETWORK = 'forest', 'network'
FACTORS = {FOREST: FOREST_FACTOR, NETWORK: RIVAL_FACTOR}


def make_rows(labels: list[str], **columns: Any) -> Table:
    """Return rows that count: bright, of a usual PSF, valid, uncontested."""
    n = len(labels)
    values = {
        'label': np.array(labels),
        'snr': np.full(n, 50.0),
        'valid': np.ones(n, dtype=bool),
        'contested': np.zeros(n, dtype=bool),
        'psf_fwhm': np.full(n, 2.0),
        'fwhm': np.full(n, 2.1),
        'galaxy_radius': np.full(n, 5.0),
        'extended_snr': np.zeros(n),
    }
    for name, value in columns.items():
        values[name] = np.array(value)
    return Table(values)


class TestMembers:
    """Which rows count."""

    def test_snr(self) -> None:
        """Stars from S/N 10, the others from 20."""
        snr = [9.9, 10.0, 19.9, 20.0]
        for name, expected in (('star', 3), *((k, 1) for k in ABSOLUTE_LIMITS)):
            found = members(make_rows([name] * 4, snr=snr))
            assert found[name].sum() == expected, name
            assert sum(each.sum() for each in found.values()) == expected

    def test_contested_and_invalid_rows_do_not_count(self) -> None:
        """Nor do classes without a limit."""
        rows = make_rows(
            ['star', 'star', 'star', 'background'],
            contested=[True, False, False, False],
            valid=[True, False, True, True],
        )
        assert members(rows)['star'].tolist() == [False, False, True, False]
        assert not any(members(rows)[name].any() for name in ABSOLUTE_LIMITS)

    def test_width(self) -> None:
        """Of 1.4 to 4 pixels: the true one, or the measured where it is not known."""
        rows = make_rows(
            ['star'] * 6,
            psf_fwhm=[1.39, 1.4, 4.0, 4.1, np.nan, np.nan],
            fwhm=[2.0, 2.0, 2.0, 2.0, 2.0, 5.0],
        )
        assert members(rows)['star'].tolist() == [False, True, True, False, True, False]

    def test_galaxies_are_resolved(self) -> None:
        """Half-light radius over half of the FWHM; without radii all count."""
        rows = make_rows(['extended'] * 3, galaxy_radius=[0.99, 1.01, np.nan])
        assert members(rows)['extended'].tolist() == [False, True, False]
        rows.remove_column('galaxy_radius')
        assert members(rows)['extended'].all()


class TestLeaks:
    """Leaks at a completeness."""

    def test_bright_stars_set_the_threshold(self) -> None:
        """Faint, contested and invalid stars, however low, do not move it."""
        labels = ['star'] * 4 + ['cosmic_ray'] * 4 + ['star'] * 3
        scores = np.array([0.9, 0.8, 0.7, 0.6, 0.65, 0.61, 0.59, 0.1, 0.0, 0.0, 0.0])
        rows = make_rows(
            labels,
            snr=[10.0] * 4 + [20.0] * 4 + [9.0, 50.0, 50.0],
            contested=[False] * 9 + [True, False],
            valid=[True] * 10 + [False],
        )
        found = leaks(scores, rows)
        assert set(found) == {'star', 'cosmic_ray'}
        assert found['star'] == Share(4, 4)
        assert found['cosmic_ray'] == Share(2, 4)

    def test_completeness(self) -> None:
        """The threshold keeps 99.5 % of 1000 stars, or what is asked."""
        labels = ['star'] * 1000 + ['spike'] * 1000
        scores = np.concatenate([np.arange(1000), np.arange(1000)]).astype(float)
        rows = make_rows(labels)
        found = leaks(scores, rows)
        assert found['star'].k == 995
        assert found['spike'].k == 995
        assert leaks(scores, rows, completeness=0.9)['spike'].k == 900

    def test_faint_others_do_not_leak(self) -> None:
        """Below S/N 20 a cosmic ray is not counted."""
        rows = make_rows(['star', 'cosmic_ray', 'cosmic_ray'], snr=[10, 19, 21])
        assert leaks(np.array([0.5, 0.9, 0.1]), rows)['cosmic_ray'] == Share(0, 1)

    def test_no_stars(self) -> None:
        """Without stars there is no threshold, and no leak."""
        assert leaks(np.array([0.5]), make_rows(['spike'])) == {}


class TestFaint:
    """Leak at S/N 5 to 10."""

    def test_stars_of_that_brightness_set_the_threshold(self) -> None:
        """97 % of them are kept; bright ones do not count, nor do bright hits."""
        labels = ['star'] * 102 + ['cosmic_ray', 'background', 'spike', 'cosmic_ray']
        scores = np.array([*range(100), -5, -5, 2.5, 3.0, 98.0, 99.0])
        snr = [5.0] * 100 + [10.0, 4.9] + [7.0, 9.9, 5.0, 10.0]
        found = faint_leak(scores, make_rows(labels, snr=snr))
        assert found == Share(2, 3)

    def test_nothing_to_measure(self) -> None:
        """None where there are no stars, or nothing else."""
        scores = np.array([0.5, 0.6])
        for labels in (['star', 'star'], ['spike', 'spike']):
            assert faint_leak(scores, make_rows(labels, snr=[7, 7])) is None


def test_stars_on_extended_light() -> None:
    """Stars of S/N 20 where that light exceeds three times the noise."""
    rows = make_rows(
        ['star'] * 5 + ['extended'],
        snr=[20, 20, 19, 50, 50, 50],
        extended_snr=[3.1, 4, 9, 2.9, 9, 9],
    )
    found = stars_on_extended(np.array([0.5, 0.4, 0.9, 0.9, 0.9, 0.9]), rows, 0.5)
    assert found == Share(2, 3)


class TestRelativeLimits:
    """Limits that other methods set."""

    def test_factor_of_the_others_leak(self) -> None:
        """A tenth of the forest's, a third of the published network's."""
        mine = {'star': Share(995, 1000), 'cosmic_ray': Share(5, 1000)}
        theirs = {
            FOREST: {'cosmic_ray': Share(200, 1000)},
            NETWORK: {'cosmic_ray': Share(9, 1000)},
            'astroscrappy': {'cosmic_ray': Share(1, 1000)},
        }
        found = list(relative_limits(mine, theirs, FACTORS))
        assert [each.limit for each in found] == pytest.approx([0.02, 0.003])
        assert [each.measured for each in found] == [mine['cosmic_ray']] * 2
        assert FOREST in found[0].what
        assert NETWORK in found[1].what
        assert [each.holds for each in found] == [True, True]
        assert not any(each.least for each in found)

    def test_floor(self) -> None:
        """No limit is below 0.1 %, also where the other leaks nothing."""
        for k in (0, 5):
            theirs = {FOREST: {'spike': Share(k, 1000)}}
            mine = {'spike': Share(0, 1000)}
            (limit,) = relative_limits(mine, theirs, {FOREST: FOREST_FACTOR})
            assert limit.limit == RELATIVE_FLOOR == 0.001

    def test_what_the_network_lacks_is_not_limited(self) -> None:
        """Classes that are not in the sample are passed over."""
        theirs = {FOREST: {'spike': Share(1, 2)}, NETWORK: {'spike': Share(1, 2)}}
        assert list(relative_limits({}, theirs, FACTORS)) == []

    @pytest.mark.parametrize('missing', [FOREST, NETWORK])
    def test_missing_rival_is_no_success(self, missing: str) -> None:
        """A method that was renamed, or not judged, is named; its limit fails."""
        mine = {'star': Share(10, 10), 'spike': Share(0, 1000)}
        theirs = {name: {'spike': Share(900, 1000)} for name in FACTORS}
        theirs[f'{missing}, renamed'] = theirs.pop(missing)
        limits = {each.what: each for each in relative_limits(mine, theirs, FACTORS)}
        assert [each.holds for each in limits.values()].count(True) == 1
        (failed,) = (each for each in limits.values() if not each.holds)
        assert f'of the leak of {missing}, which was not judged' in failed.what
        assert failed.rule == 'not known'

    def test_class_that_the_rival_lacks_is_no_success(self) -> None:
        """A leak that nothing was measured for sets no limit that could hold."""
        theirs = {FOREST: {'extended': Share(1, 2)}}
        mine = {'spike': Share(0, 10)}
        (limit,) = relative_limits(mine, theirs, {FOREST: FOREST_FACTOR})
        assert not limit.holds
