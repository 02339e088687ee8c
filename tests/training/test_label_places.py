"""Peaks of exposures, the places that they mark, and whether exposures are aligned."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from astropy.table import Table, vstack

pytest.importorskip('galsim')
pytest.importorskip('scipy')

from astrosieve.catalogs import positions
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.exposures import Chip, read_chips
from astrosieve.units import PixelUnit
from astrosieve_training.label.places import (
    LabelError,
    PeakSettings,
    SkyFrame,
    brightest_box,
    check_alignment,
    find_peaks,
    merge_peaks,
)
from astrosieve_training.simulate import load_camera
from astrosieve_training.simulate.exposure import simulate_dithered_set
from astrosieve_training.simulate.truth import Truth, label_positions

SHAPE = (256, 256)
SETTINGS = PeakSettings()


@dataclass(frozen=True)
class Field:
    """A dithered set, its peaks, and what they are in truth."""

    exposures: list[list[Chip]]
    truths: list[Truth]
    peaks: Table
    labels: Table


def peaks_of(exposures: Sequence[Sequence[Chip]], **given: Any) -> Table:
    frame = SkyFrame([chip for chips in exposures for chip in chips])
    return find_peaks(exposures, frame, PeakSettings(**given))


@pytest.fixture(scope='module')
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Four exposures of stars."""
    folder = tmp_path_factory.mktemp('field')
    made = simulate_dithered_set(
        load_camera('demo'), 4, seed=5, shape=SHAPE, scene='globular', exptime=800.0
    )
    exposures = []
    for i, exposure in enumerate(made):
        exposure.write(folder / f'e{i}_flc.fits')
        exposures.append(list(read_chips(folder / f'e{i}_flc.fits')))
    peaks = peaks_of(exposures)
    truths = [exposure.truth for exposure in made]
    labels = vstack(
        [
            label_positions(truth, positions(peaks[peaks['exposure'] == number]))
            for number, truth in enumerate(truths)
        ]
    )
    return Field(exposures, truths, peaks, labels)


def of_class(field: Field, name: str, snr: float = 30.0) -> np.ndarray:
    labels = field.labels
    good = np.asarray(labels['label'] == name) & ~np.asarray(labels['contested'])
    return good & np.asarray(labels['snr'] > snr) & ~np.asarray(labels['saturated'])


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
            'snr': columns[:, 3] / 10,
            'ra': np.full(n, np.nan) if ra is None else np.array(ra, dtype=float),
            'dec': np.zeros(n),
            'saturated': np.zeros(n, dtype=bool),
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
    with pytest.raises(LabelError, match=f'{name} must be at least'):
        PeakSettings(**{name: value})


class TestFindPeaks:
    """Peaks of simulated exposures."""

    def test_isolated_and_bright(self, field: Field) -> None:
        """No peak is near another of its chip, or fainter than was asked."""
        from scipy.spatial import cKDTree

        for number in range(4):
            xy = positions(field.peaks[field.peaks['exposure'] == number])
            assert len(xy) > 300
            distance, _ = cKDTree(xy).query(xy, k=2)
            assert distance[:, 1].min() > 4  # centroids, of pixels 5 apart
        assert field.peaks['electrons'].min() >= 100

    def test_electrons_are_true(self, field: Field) -> None:
        """3 % in the median, 15 % for all but a few; crowds raise the sky."""
        good = of_class(field, 'star') | of_class(field, 'cosmic_ray')
        ratios = []
        for number, truth in enumerate(field.truths):
            mine = good & np.asarray(field.peaks['exposure'] == number)
            image = sum(truth.planes.values())
            true = brightest_box(image, positions(field.peaks[mine]))
            ratios.append(np.asarray(field.peaks['electrons'])[mine] / true)
        ratio = np.concatenate(ratios)
        assert len(ratio) > 800
        assert np.median(ratio) == pytest.approx(1, abs=0.03)
        assert np.mean(np.abs(ratio - 1) < 0.15) > 0.98

    def test_snr_is_true(self, field: Field) -> None:
        """Too low rather than too high: crowds of stars count as noise."""
        good = of_class(field, 'star', 10) | of_class(field, 'cosmic_ray', 10)
        true = np.asarray(field.labels['snr'])[good]
        ratio = np.asarray(field.peaks['snr'])[good] / true
        assert 0.6 < np.median(ratio) < 1.05
        assert np.percentile(ratio, 95) < 1.2

    def test_sources_are_there_again(self, field: Field) -> None:
        """Stars have their electrons in the other exposures too, rays have not."""
        again = np.asarray(field.peaks['again'])
        stars = again[of_class(field, 'star')]
        assert np.nanmedian(stars) == pytest.approx(1, abs=0.03)
        assert np.nanpercentile(stars, 2) > 0.7
        rays = again[of_class(field, 'cosmic_ray')]
        assert np.nanmedian(rays) < 0.05
        assert np.mean(rays[np.isfinite(rays)] < 0.4) > 0.95

    def test_again_is_nan_where_no_other_looks(self, field: Field) -> None:
        """And only there."""
        peaks = field.peaks
        looks = np.zeros(len(peaks), dtype=int)
        for number, (chip,) in enumerate(field.exposures):
            xy = np.column_stack(chip.wcs.all_world2pix(peaks['ra'], peaks['dec'], 0))
            inside = ((xy > -0.5) & (xy < 255.5)).all(axis=1)
            looks += inside & np.asarray(peaks['exposure'] != number)
        np.testing.assert_array_equal(np.isnan(peaks['again']), looks == 0)
        assert 0 < (looks == 0).sum() < 60

    def test_defects_stay(self, field: Field) -> None:
        """What the other exposures show at the same pixel, and little else."""
        peaks = field.peaks
        xy = np.round(positions(peaks)).astype(int)
        planes = np.array(
            [t.planes['bad_pixel'][xy[:, 1], xy[:, 0]] for t in field.truths]
        )
        labels = np.asarray(field.labels['label'], dtype=str)
        steady = (labels == 'bad_pixel') & (planes.min(axis=0) > 150)
        steady &= planes.max(axis=0) < 1.2 * planes.min(axis=0)
        assert steady.sum() > 8
        assert peaks['stays'][steady].mean() > 0.9
        other = of_class(field, 'star') | of_class(field, 'cosmic_ray')
        assert peaks['stays'][other].mean() < 0.015

    def test_hot_by_dq(self, field: Field) -> None:
        """DQ says what it knows of the peak's pixel."""
        peaks = field.peaks
        for number, (chip,) in enumerate(field.exposures):
            mine = peaks[peaks['exposure'] == number]
            x, y = np.round(positions(mine)).astype(int).T
            assert chip.dq is not None
            expected = (chip.dq[y, x] & 16) != 0
            # A centroid may be half a pixel off the peak.
            assert (expected == mine['hot']).mean() > 0.95
            assert mine['hot'].sum() > 10

    def test_undithered_nothing_stays(self, field: Field) -> None:
        """Of one pointing all stays, so that nothing can be told."""
        chips = field.exposures[0]
        same = [chips, [replace(chips[0], sci=chips[0].sci + 1)]]
        assert not peaks_of(same)['stays'].any()

    def test_other_exposure_times(self, field: Field) -> None:
        """Electrons are compared for equal times."""
        (chip,) = field.exposures[1]
        short = replace(chip, sci=chip.sci / 2, exptime=400.0)
        peaks = peaks_of([field.exposures[0], [short]])
        first = np.asarray(peaks['exposure'] == 0)
        n = int(first.sum())
        stars = of_class(field, 'star')[np.asarray(field.peaks['exposure'] == 0)]
        assert len(stars) == n
        assert np.nanmedian(peaks['again'][:n][stars]) == pytest.approx(1, abs=0.03)
        second = np.asarray(peaks['again'][n:])
        met = second[(second > 0.8) & (second < 1.25)]
        assert len(met) > 50
        assert np.median(met) == pytest.approx(1, abs=0.03)

    def test_units(self, field: Field) -> None:
        """Counts and rates become the same electrons."""
        (chip,) = field.exposures[0]
        expected = peaks_of([[chip]])
        counts = replace(chip, sci=chip.sci / 4, unit=PixelUnit('DN'), gain=4.0)
        rates = replace(
            chip, sci=chip.sci / 800, unit=PixelUnit('electron', per_second=True)
        )
        for other in (counts, rates):
            found = peaks_of([[other]])
            assert len(found) == len(expected)
            np.testing.assert_allclose(
                found['electrons'], expected['electrons'], rtol=1e-3
            )

    def test_two_chips(self, field: Field) -> None:
        """Halves of a chip, each with its own WCS, have the whole one's peaks."""
        exposures = []
        for (chip,) in field.exposures:
            assert chip.dq is not None
            assert chip.wcs is not None
            exposures.append(
                [
                    replace(
                        chip,
                        extver=extver,
                        sci=chip.sci[rows],
                        dq=chip.dq[rows],
                        wcs=chip.wcs[rows],
                    )
                    for extver, rows in ((1, slice(128)), (2, slice(128, None)))
                ]
            )
        peaks = peaks_of(exposures)
        assert set(peaks['extver']) == {1, 2}
        assert abs(len(peaks) / len(field.peaks) - 1) < 0.1
        # A source that the dither takes to the other chip is there again.
        again = np.asarray(peaks['again'])
        edge = np.asarray(peaks['y_centroid'])
        near = np.where(peaks['extver'] == 1, edge > 112, edge < 16)
        assert near.sum() > 100
        assert np.isfinite(again[near]).mean() > 0.97
        both = again[near] > 0.8
        assert both.mean() > 0.3

    def test_unknown_unit_is_said(self, field: Field) -> None:
        """Pixels of no unit are taken for electrons, with a warning."""
        (chip,) = field.exposures[0]
        with pytest.warns(AstrosieveWarning, match=r'e0_flc.fits\[SCI,1\]'):
            peaks_of([[replace(chip, unit=None)]])

    def test_one_exposure(self, field: Field) -> None:
        """Nothing can be said of what stays or is there again."""
        peaks = peaks_of(field.exposures[:1])
        assert np.isnan(peaks['again']).all()
        assert not peaks['stays'].any()
        assert np.isfinite(peaks['ra']).all()

    def test_without_wcs(self, field: Field) -> None:
        """The plane is the chip; the sky is not known."""
        (chip,) = field.exposures[0]
        peaks = peaks_of([[replace(chip, wcs=None)]])
        np.testing.assert_array_equal(peaks['u'], peaks['x_centroid'])
        np.testing.assert_array_equal(peaks['v'], peaks['y_centroid'])
        assert np.isnan(peaks['ra']).all()
        assert np.isnan(peaks['dec']).all()

    def test_one_without_wcs(self, field: Field) -> None:
        """Beside others that have one it cannot be placed."""
        (second,) = field.exposures[1]
        mixed = [field.exposures[0], [replace(second, wcs=None)]]
        with pytest.raises(LabelError, match=r'e1_flc.*has no WCS, other exposures'):
            peaks_of(mixed)

    def test_spoilt_pixels_are_no_peaks(self, field: Field) -> None:
        """Neither NaN, nor masked pixels, nor what DQ says is lost."""
        (chip,) = field.exposures[0]
        n = len(peaks_of([[chip]]))
        assert chip.dq is not None
        sci, dq = chip.sci.copy(), chip.dq.copy()
        mask = np.zeros(SHAPE, dtype=bool)
        sci[: SHAPE[0] // 3] = np.nan
        mask[SHAPE[0] // 3 : SHAPE[0] // 2] = True
        dq[:, :100] |= 4
        left = peaks_of([[replace(chip, sci=sci, dq=dq, mask=mask)]])
        assert 0 < len(left) < n / 2
        assert left['x_centroid'].min() > 98.5
        assert left['y_centroid'].min() > SHAPE[0] // 2 - 1.5

    def test_no_peak_in_one(self, field: Field) -> None:
        """An empty chip beside others is no error here, and does not look."""
        (chip,) = field.exposures[1]
        empty = replace(chip, sci=np.full_like(chip.sci, np.nan))
        peaks = peaks_of([field.exposures[0], [empty]])
        assert set(peaks['exposure']) == {0}
        assert np.isnan(peaks['again']).all()

    def test_spoilt_pixels_do_not_look(self, field: Field) -> None:
        """A star on a bad part of another exposure is not missed there."""
        (chip,) = field.exposures[1]
        assert chip.dq is not None
        dq = chip.dq.copy()
        dq[:, 60:150] |= 4
        spoilt = [field.exposures[0], [replace(chip, dq=dq)], field.exposures[2]]
        stars = of_class(field, 'star')
        first = np.asarray(field.peaks['exposure'] == 0)
        again = np.asarray(peaks_of(spoilt)['again'])[: first.sum()][stars[first]]
        assert np.nanpercentile(again, 2) > 0.7
        pair = np.asarray(peaks_of(spoilt[:2])['again'])[: first.sum()][stars[first]]
        assert 0.2 < np.isnan(pair).mean() < 0.6
        assert np.nanpercentile(pair, 2) > 0.6

    def test_no_peak(self, field: Field) -> None:
        """The cure is named, for noise, one value, and NaN."""
        (chip,) = field.exposures[0]
        rng = np.random.default_rng(0)
        noise = rng.normal(50, 3, SHAPE).astype(np.float32)
        for sci in (noise, np.full_like(noise, 7), np.full_like(noise, np.nan)):
            with pytest.raises(LabelError, match=r'no peak of 100 .*--min-electrons'):
                peaks_of([[replace(chip, sci=sci, dq=None)]])


class TestFrame:
    """The common plane."""

    def test_pixels_of_the_detector(self, field: Field) -> None:
        """Distances in the plane are those on the chip."""
        frame = SkyFrame([chips[0] for chips in field.exposures])
        xy = np.array([[10.0, 20.0], [200.0, 20.0], [200.0, 230.0]])
        for (chip,) in field.exposures:
            uv, sky = frame.place(chip, xy)
            sides = np.hypot(*np.diff(uv, axis=0).T)
            np.testing.assert_allclose(sides, [190, 210], rtol=1e-4)
            assert sky is not None
            assert chip.wcs is not None
            back = np.column_stack(chip.wcs.world_to_pixel(sky))
            np.testing.assert_allclose(back, xy, atol=1e-4)

    def test_same_star_same_place(self, field: Field) -> None:
        """Over the pole and over right ascension 0 too."""
        for crval in ((0.0, 89.9995), (359.99999, -30.0)):
            chips = []
            for (chip,) in field.exposures[:2]:
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


def test_brightest_box() -> None:
    """Of all within a pixel the brightest 2x2; NaN off the image."""
    image = np.zeros((20, 30), dtype=np.float32)
    image[9:11, 12:14] = [[1, 2], [3, 4]]
    image[0, 0] = 5
    xy = np.array([[12.0, 9.0], [11.4, 8.4], [9.0, 9.0], [0, 0], [-0.6, 4], [29, 20]])
    found = brightest_box(image, xy)
    np.testing.assert_array_equal(found[:5], [10, 10, 0, 5, np.nan])
    assert np.isnan(found[5])
    assert brightest_box(image, np.empty((0, 2))).shape == (0,)
    assert np.isnan(brightest_box(image, np.array([[np.nan, 3.0]]))).all()


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
        assert first['peak_snr'] == pytest.approx(50)

    def test_never_two_of_one_exposure(self, field: Field) -> None:
        """Every peak has a place, and its place one peak of each exposure."""
        members, places = merge_peaks(field.peaks, SETTINGS)
        numbers = np.asarray(field.peaks['exposure'])
        pairs = set(zip(members.tolist(), numbers.tolist(), strict=True))
        assert len(pairs) == len(field.peaks)
        np.testing.assert_array_equal(np.bincount(members), places['n_found'])
        uv = np.column_stack([field.peaks['u'], field.peaks['v']])
        at = np.column_stack([places['u'], places['v']])[members]
        assert np.hypot(*(uv - at).T).max() <= SETTINGS.radius
        stars = of_class(field, 'star')
        assert np.median(places['n_found'][members[stars]]) == 4
        rays = of_class(field, 'cosmic_ray')
        assert np.mean(places['n_found'][members[rays]] == 1) > 0.8

    def test_radius(self) -> None:
        """Decides what is one place."""
        peaks = sky_peaks([(0, 0, 0, 2), (1, 0.8, 0, 1)])
        assert len(merge_peaks(peaks, PeakSettings(radius=1.0))[1]) == 1
        assert len(merge_peaks(peaks, PeakSettings(radius=0.7))[1]) == 2

    def test_saturated_in_any(self) -> None:
        """Saturation of one peak is the place's."""
        peaks = sky_peaks([(0, 0, 0, 2), (1, 0.1, 0, 1), (0, 9, 9, 1)])
        peaks['saturated'][1] = True
        _, places = merge_peaks(peaks, SETTINGS)
        np.testing.assert_array_equal(places['saturated'], [True, False])

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

    def test_aligned(self, field: Field) -> None:
        """The shares of rays in the set are returned."""
        names = [chips[0].path.name for chips in field.exposures]
        unmatched = check(field.peaks, names)
        labels = np.asarray(field.labels['label'], dtype=str)
        numbers = np.asarray(field.peaks['exposure'])
        sky = ~np.asarray(field.peaks['hot'] | field.peaks['stays'])
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

    def test_shifted_wcs(self, field: Field) -> None:
        """As find_peaks sees it, of two exposures."""
        (chip,) = field.exposures[1]
        assert chip.wcs is not None
        wcs = chip.wcs.deepcopy()
        wcs.wcs.crpix = np.add(wcs.wcs.crpix, (7.3, -3.0))
        peaks = peaks_of([field.exposures[0], [replace(chip, wcs=wcs)]])
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
