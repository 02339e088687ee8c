"""The places that peaks mark, and whether exposures are aligned."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('galsim')
pytest.importorskip('scipy')

from astrosieve.exceptions import AstrosieveWarning
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.peaks import find_peaks
from astrosieve_training.source.label.places import (
    SkyFrame,
    check_alignment,
    merge_peaks,
)
from astrosieve_training.source.label.settings import PeakSettings

if TYPE_CHECKING:
    from tests.training.conftest import Dithered

SETTINGS = PeakSettings()


def sky_peaks(
    rows: Sequence[tuple[int, float, float, float]],
    ra: Sequence[float] | None = None,
) -> Table:
    """Return peaks of (exposure, u, v, electrons)."""
    columns = np.array(rows, dtype=float)
    n = len(columns)
    return Table(
        {
            'exposure': columns[:, 0].astype(np.int16),
            'u': columns[:, 1],
            'v': columns[:, 2],
            'electrons': columns[:, 3],
            'ra': np.full(n, np.nan) if ra is None else np.array(ra, dtype=float),
            'dec': np.zeros(n),
            'saturated': np.zeros(n, dtype=bool),
            'off_core': np.full(n, np.nan),
            'hot': np.zeros(n, dtype=bool),
            'stays': np.zeros(n, dtype=bool),
        }
    )


def random_sets(
    shifts: Sequence[tuple[float, float]], n_stars: int = 60, n_rays: int = 300
) -> Table:
    """Return peaks of exposures of the same stars, each with rays of its own."""
    rng = np.random.default_rng(1)
    stars = rng.uniform(0, 500, (n_stars, 2))
    flux = 10 ** rng.uniform(2, 5, n_stars)
    rows = []
    for number, shift in enumerate(shifts):
        there = stars + shift + rng.normal(0, 0.1, stars.shape)
        rays = rng.uniform(0, 500, (n_rays, 2))
        for (u, v), electrons in zip(
            (*there, *rays), (*flux, *10 ** rng.uniform(2, 4.5, n_rays)), strict=True
        ):
            rows.append((number, u, v, electrons))
    return sky_peaks(rows)


def check(peaks: Table, names: Sequence[str]) -> list[float]:
    """Check the alignment of exposures of one length."""
    return check_alignment(peaks, names, [1.0] * len(names), SETTINGS)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('separation', 1.4),
        ('min_electrons', -1),
        ('nsigma', 0),
        ('min_snr', 2.9),
        ('radius', 0.0),
        ('min_exposures', 0),
        ('radius', float('nan')),
    ],
)
def test_settings_have_limits(name: str, value: float) -> None:
    """Each limit is named, also of what is not a number."""
    with pytest.raises(ConfigError, match=f'{name} must be .* or more'):
        PeakSettings(**{name: value})


class TestFrame:
    """The common plane."""

    def test_pixels_of_the_detector(self, dithered: Dithered) -> None:
        """Distances in the plane are those on the chip."""
        frame = SkyFrame([chips[0] for chips in dithered.exposures])
        xy = np.array([[10.0, 20.0], [200.0, 20.0], [200.0, 230.0]])
        for (chip,) in dithered.exposures:
            uv, sky = frame.place(chip, xy)
            sides = np.hypot(*np.diff(uv, axis=0).T)
            np.testing.assert_allclose(sides, [190, 210], rtol=1e-4)
            assert sky is not None
            assert chip.wcs is not None
            back = np.column_stack(chip.wcs.world_to_pixel(sky))
            np.testing.assert_allclose(back, xy, atol=1e-4)

    def test_same_star_same_place(self, dithered: Dithered) -> None:
        """Over the pole and over right ascension 0 too."""
        for crval in ((0.0, 89.9995), (359.99999, -30.0)):
            chips = []
            for (chip,) in dithered.exposures[:2]:
                assert chip.wcs is not None
                wcs = chip.wcs.deepcopy()
                wcs.wcs.crval = crval
                wcs.wcs.set()
                chips.append(replace(chip, wcs=wcs))
            frame = SkyFrame(chips)
            xy = np.array([[100.0, 128.0], [160.0, 120.0]])
            uv, sky = frame.place(chips[0], xy)
            assert chips[1].wcs is not None
            there = np.column_stack(chips[1].wcs.world_to_pixel(sky))
            np.testing.assert_allclose(frame.place(chips[1], there)[0], uv, atol=1e-3)


class TestMerge:
    """Peaks become places."""

    def test_brightest_takes_the_nearest(self) -> None:
        """One peak of each other exposure, the nearest within the radius."""
        peaks = sky_peaks(
            [
                (0, 10.0, 10.0, 500),  # the brightest
                (1, 10.6, 10.0, 400),
                (1, 9.7, 10.0, 300),  # nearer
                (2, 10.0, 10.9, 100),
                (2, 11.2, 10.0, 450),  # too far from the first, near the second
                (0, 50.0, 10.0, 90),
            ]
        )
        with pytest.warns(AstrosieveWarning, match='crowded'):
            members, places = merge_peaks(peaks, PeakSettings(radius=1.0))
        assert members[0] == members[2] == members[3]
        assert members[1] == members[4] != members[0]
        assert members[5] not in members[:5]
        assert len(places) == 3
        np.testing.assert_array_equal(places['id'], [0, 1, 2])
        np.testing.assert_array_equal(places['n_found'], [3, 2, 1])
        first = places[0]
        assert (first['u'], first['v']) == pytest.approx((9.9, 10.3))
        assert first['electrons'] == pytest.approx(300)

    def test_never_two_of_one_exposure(self, dithered: Dithered) -> None:
        """Every peak has a place, and its place one peak of each exposure."""
        members, places = merge_peaks(dithered.peaks, SETTINGS)
        numbers = np.asarray(dithered.peaks['exposure'])
        pairs = set(zip(members.tolist(), numbers.tolist(), strict=True))
        assert len(pairs) == len(dithered.peaks)
        np.testing.assert_array_equal(np.bincount(members), places['n_found'])
        uv = np.column_stack([dithered.peaks['u'], dithered.peaks['v']])
        at = np.column_stack([places['u'], places['v']])[members]
        assert np.hypot(*(uv - at).T).max() <= SETTINGS.radius
        stars = dithered.of_class('star')
        assert np.median(places['n_found'][members[stars]]) == 4
        rays = dithered.of_class('cosmic_ray')
        assert np.mean(places['n_found'][members[rays]] == 1) > 0.8

    def test_radius(self) -> None:
        """Decides what is one place."""
        peaks = sky_peaks([(0, 0, 0, 2), (1, 0.8, 0, 1)])
        assert len(merge_peaks(peaks, PeakSettings(radius=1.0))[1]) == 1
        assert len(merge_peaks(peaks, PeakSettings(radius=0.7))[1]) == 2

    def test_saturated_in_any(self) -> None:
        """Saturation of one peak is the place's, and where its charge is."""
        peaks = sky_peaks([(0, 0, 0, 2), (1, 0.1, 0, 1), (0, 9, 9, 1)])
        peaks['saturated'][1] = True
        peaks['off_core'][1] = 3.0
        _, places = merge_peaks(peaks, SETTINGS)
        np.testing.assert_array_equal(places['saturated'], [True, False])
        np.testing.assert_array_equal(places['off_core'], [3, np.nan])

    def test_saturated_in_several(self) -> None:
        """Of those that are saturated the mean distance."""
        peaks = sky_peaks([(i, 0.1 * i, 0, 9 - i) for i in range(4)])
        peaks['saturated'] = [True, True, False, True]
        peaks['off_core'] = [1.0, 2.0, np.nan, 6.0]
        _, places = merge_peaks(peaks, SETTINGS)
        assert places['off_core'].tolist() == [3.0]

    @pytest.mark.parametrize('turn', [0.0, 180.0])
    def test_right_ascension_0(self, turn: float) -> None:
        """The mean of both sides is between them, not opposite."""
        ra = (np.array([359.99999, 0.00001, 359.99998, 359.99996]) + turn) % 360
        peaks = sky_peaks(
            [(0, 0, 0, 4), (1, 0.1, 0, 3), (0, 9, 9, 2), (1, 9, 9, 1)], ra.tolist()
        )
        _, places = merge_peaks(peaks, SETTINGS)
        off = (np.asarray(places['ra']) - turn + 180) % 360 - 180
        assert off == pytest.approx([0, -3e-5], abs=1e-9)
        assert (places['ra'] >= 0).all()
        assert (places['ra'] < 360).all()
        np.testing.assert_array_equal(peaks['ra'], ra)

    def test_without_sky(self) -> None:
        """Nothing is known of it."""
        _, places = merge_peaks(sky_peaks([(0, 0, 0, 4), (1, 0.1, 0, 3)]), SETTINGS)
        assert np.isnan(places['ra']).all()

    def test_crowded(self) -> None:
        """Where neighbours compete, it is said, with the cure."""
        rng = np.random.default_rng(2)
        rows = [
            (number, *(rng.uniform(0, 40, 2)), 100.0 + i)
            for number in range(4)
            for i in range(200)
        ]
        peaks = sky_peaks(rows)
        with pytest.warns(AstrosieveWarning, match=r'crowded.*--merge-radius'):
            merge_peaks(peaks, SETTINGS)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            merge_peaks(peaks, PeakSettings(radius=0.1))


class TestAlignment:
    """Refused where peaks do not meet."""

    NAMES = ('a_flc.fits', 'b_flc.fits', 'c_flc.fits')

    def test_aligned(self, dithered: Dithered) -> None:
        """The shares of rays in the set are returned."""
        names = [chips[0].path.name for chips in dithered.exposures]
        unmatched = check(dithered.peaks, names)
        labels = np.asarray(dithered.labels['label'], dtype=str)
        numbers = np.asarray(dithered.peaks['exposure'])
        sky = ~np.asarray(dithered.peaks['hot'] | dithered.peaks['stays'])
        for number, share in enumerate(unmatched):
            mine = sky & (numbers == number)
            rays = np.mean(labels[mine] == 'cosmic_ray')
            assert share == pytest.approx(rays, abs=0.12)

    def test_mostly_rays(self) -> None:
        """Few stars among many rays are enough: these have no like brightness."""
        peaks = random_sets([(0, 0)] * 3, 40, 2000)
        unmatched = check(peaks, self.NAMES)
        assert all(0.95 < share < 0.98 for share in unmatched)

    def test_exposure_times(self) -> None:
        """A star is as bright in each second of a longer exposure."""
        peaks = random_sets([(0, 0)] * 2)
        peaks['electrons'][peaks['exposure'] == 1] *= 4
        check_alignment(peaks, self.NAMES[:2], [100.0, 400.0], SETTINGS)
        with pytest.raises(LabelError, match='misaligned'):
            check(peaks, self.NAMES[:2])

    @pytest.mark.parametrize('shift', [(7.3, -3.0), (1.5, 0.0), (-24.0, 19.0)])
    def test_shifted(self, shift: tuple[float, float]) -> None:
        """The exposure, the share and the shift that mends it are said."""
        peaks = random_sets([(0, 0), shift, (0, 0)])
        x, y = (rf'{-s:.1f}'.replace('-0.0', '-?0.0') for s in shift)
        said = rf'{x} pixels to the west and {y} to the north'
        with pytest.raises(
            LabelError, match=rf'^b_flc.fits: misaligned: .*% of its .*{said}'
        ) as raised:
            check(peaks, self.NAMES)
        assert 'astrosieve tweakreg' in str(raised.value)

    def test_shifted_wcs(self, dithered: Dithered) -> None:
        """As find_peaks sees it, of two exposures."""
        (chip,) = dithered.exposures[1]
        assert chip.wcs is not None
        wcs = chip.wcs.deepcopy()
        wcs.wcs.crpix = np.add(wcs.wcs.crpix, (7.3, -3.0))
        exposures = [dithered.exposures[0], [replace(chip, wcs=wcs)]]
        frame = SkyFrame([chip for chips in exposures for chip in chips])
        peaks = find_peaks(exposures, frame, SETTINGS)
        with pytest.raises(
            LabelError, match=r'misaligned: .* after a shift of'
        ) as said:
            check(peaks, self.NAMES[:2])
        found = re.search(
            r'a shift of (\S+) pixels to the west and (\S+) to', str(said.value)
        )
        assert found is not None
        shift = [float(value) for value in found.groups()]
        assert np.hypot(*shift) == pytest.approx(np.hypot(7.3, 3.0), abs=0.2)

    def test_other_field(self) -> None:
        """What shares nothing is not said to be shifted."""
        peaks = random_sets([(0, 0), (300, 300), (0, 0)])
        peaks['u'] %= 700
        with pytest.raises(
            LabelError, match=r'^b_flc.fits: .*no shift within 30 .*leave it out'
        ):
            check(peaks, self.NAMES)

    def test_rays_alone(self) -> None:
        """Chance does not make a match, over several draws."""
        for seed in range(5):
            rng = np.random.default_rng(seed)
            rows = [
                (number, *rng.uniform(0, 400, 2), 500.0)
                for number in (0, 1)
                for _ in range(3000)
            ]
            with pytest.raises(LabelError, match=r'shows another field|after a shift'):
                check(sky_peaks(rows), self.NAMES[:2])

    def test_no_peaks_in_one(self) -> None:
        """The exposure is named, or the others."""
        peaks = sky_peaks([(0, i, i, 1) for i in range(30)])
        for names, said in ((self.NAMES[:2], 'the other exposures: no peak'),):
            with pytest.raises(LabelError, match=said):
                check(peaks, names)
        peaks['exposure'] = 1
        with pytest.raises(
            LabelError, match=r'a_flc.fits: no peak.*Leave the exposure'
        ):
            check(peaks, self.NAMES[:2])

    def test_defects_do_not_count(self) -> None:
        """What stays on the detector would meet at no shift of the sky."""
        peaks = random_sets([(0, 0), (0, 0)], 0, 200)
        peaks['u'][200:], peaks['v'][200:] = peaks['u'][:200], peaks['v'][:200]
        check(peaks, self.NAMES[:2])
        peaks['stays'][:195] = True
        peaks['hot'][200:395] = True
        with pytest.raises(LabelError, match='misaligned'):
            check(peaks, self.NAMES[:2])
