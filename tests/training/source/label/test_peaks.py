"""Peaks of exposures, what the others say of them, and the dips that noise makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.table import Row, Table
from astropy.wcs import WCS

pytest.importorskip('galsim')
pytest.importorskip('scipy')

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.exposures import Chip
from astrosieve.images.units import PixelUnit
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.label import peaks as label_peaks
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.peaks import (
    SIGNIFICANT,
    box_sums,
    brightest_box,
    find_dips,
    find_peaks,
    noise_share,
)
from astrosieve_training.source.label.places import SkyFrame
from astrosieve_training.source.label.settings import NamingSettings, PeakSettings

if TYPE_CHECKING:
    from tests.training.conftest import Dithered

SHAPE = (256, 256)
SKY, NOISE = 50.0, 20.0
DITHERS = ((0, 0), (7, 3), (-4, 9), (11, -6))
ELECTRONS = PixelUnit('electron')
NOISE_FROM = NamingSettings().noise


def frame_of(exposures: Sequence[Sequence[Chip]]) -> SkyFrame:
    return SkyFrame([chip for chips in exposures for chip in chips])


def peaks_of(exposures: Sequence[Sequence[Chip]], **given: Any) -> Table:
    return find_peaks(exposures, frame_of(exposures), PeakSettings(**given))


def dips_of(exposures: Sequence[Sequence[Chip]], **given: Any) -> Table:
    return find_dips(exposures, frame_of(exposures), PeakSettings(**given))


def empty_sky(
    n: int = 4, *, noise: float = NOISE, size: int = 160, seed: int = 0
) -> list[list[Chip]]:
    """Return exposures of noise, dithered by whole pixels."""
    rng = np.random.default_rng(seed)
    exposures = []
    for number, dither in enumerate(DITHERS[:n]):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
        wcs.wcs.crval = [30.0, 20.0]
        wcs.wcs.cdelt = [-1e-5, 1e-5]
        wcs.wcs.crpix = np.add(dither, size / 2)
        sci = rng.normal(SKY, noise, (size, size)).astype(np.float32)
        path = Path(f'e{number}_flc.fits')
        chip = Chip(sci, path, unit=ELECTRONS, exptime=800.0, wcs=wcs)
        exposures.append([chip])
    return exposures


def charge(exposures: list[list[Chip]], x: int, y: int, *electrons: float) -> None:
    """Set one pixel of the detector to electrons above the sky, in each exposure."""
    for (chip,), each in zip(exposures, electrons, strict=True):
        chip.sci[y, x] = SKY + each


def shine(exposures: list[list[Chip]], x: int, y: int, electrons: float) -> None:
    """Put a source without noise, at a pixel of the first exposure, on all."""
    kernel = SKY + electrons * np.outer([1, 2, 1], [1, 2, 1]) / 16
    for (chip,), (dx, dy) in zip(exposures, DITHERS, strict=False):
        chip.sci[y + dy - 1 : y + dy + 2, x + dx - 1 : x + dx + 2] = kernel


def peak_at(peaks: Table, x: float, y: float, exposure: int = 0) -> Row:
    mine = peaks[peaks['exposure'] == exposure]
    distance = np.hypot(mine['x_centroid'] - x, mine['y_centroid'] - y)
    assert distance.min() < 1
    return mine[int(distance.argmin())]


def defect(peak: Row) -> tuple[bool, ...]:
    """Return what is said of its pixel in the other exposures."""
    return tuple(bool(peak[name]) for name in ('stays', 'sharp', 'charged'))


class TestFindPeaks:
    """Peaks of simulated exposures."""

    def test_isolated_and_bright(self, dithered: Dithered) -> None:
        """No peak is near another of its chip, or fainter than was asked."""
        from scipy.spatial import cKDTree

        for number in range(4):
            xy = positions(dithered.peaks[dithered.peaks['exposure'] == number])
            assert len(xy) > 300
            distance, _ = cKDTree(xy).query(xy, k=2)
            assert distance[:, 1].min() > 4  # centroids, of pixels 5 apart
        assert dithered.peaks['electrons'].min() >= 100

    def test_electrons_are_true(self, dithered: Dithered) -> None:
        """3 % in the median, 15 % for all but a few; crowds raise the sky."""
        good = dithered.of_class('star') | dithered.of_class('cosmic_ray')
        ratios = []
        for number, truth in enumerate(dithered.truths):
            mine = good & np.asarray(dithered.peaks['exposure'] == number)
            image = sum(truth.planes.values())
            true = brightest_box(image, positions(dithered.peaks[mine]))
            ratios.append(np.asarray(dithered.peaks['electrons'])[mine] / true)
        ratio = np.concatenate(ratios)
        assert len(ratio) > 800
        assert np.median(ratio) == pytest.approx(1, abs=0.03)
        assert np.mean(np.abs(ratio - 1) < 0.15) > 0.98

    def test_snr_is_true(self, dithered: Dithered) -> None:
        """Too low rather than too high: crowds of stars count as noise."""
        good = dithered.of_class('star', 10) | dithered.of_class('cosmic_ray', 10)
        true = np.asarray(dithered.labels['snr'])[good]
        ratio = np.asarray(dithered.peaks['snr'])[good] / true
        assert 0.6 < np.median(ratio) < 1.05
        assert np.percentile(ratio, 95) < 1.2

    def test_sources_are_there_again(self, dithered: Dithered) -> None:
        """Stars have their electrons in the other exposures too, rays have not."""
        again = np.asarray(dithered.peaks['again'])
        stars = again[dithered.of_class('star')]
        assert np.nanmedian(stars) == pytest.approx(1, abs=0.03)
        assert np.nanpercentile(stars, 2) > 0.7
        rays = again[dithered.of_class('cosmic_ray')]
        assert np.nanmedian(rays) < 0.05
        assert np.mean(rays[np.isfinite(rays)] < 0.4) > 0.95

    def test_again_is_nan_where_no_other_looks(self, dithered: Dithered) -> None:
        """And only there."""
        peaks = dithered.peaks
        looks = np.zeros(len(peaks), dtype=int)
        for number, (chip,) in enumerate(dithered.exposures):
            xy = np.column_stack(chip.wcs.all_world2pix(peaks['ra'], peaks['dec'], 0))
            inside = ((xy > -0.5) & (xy < 255.5)).all(axis=1)
            looks += inside & np.asarray(peaks['exposure'] != number)
        np.testing.assert_array_equal(np.isnan(peaks['again']), looks == 0)
        assert 0 < (looks == 0).sum() < 60

    def test_defects_stay(self, dithered: Dithered) -> None:
        """What the other exposures show at the same pixel, and little else."""
        peaks = dithered.peaks
        xy = np.round(positions(peaks)).astype(int)
        planes = np.array(
            [t.planes['bad_pixel'][xy[:, 1], xy[:, 0]] for t in dithered.truths]
        )
        labels = np.asarray(dithered.labels['label'], dtype=str)
        steady = (labels == 'bad_pixel') & (planes.min(axis=0) > 150)
        steady &= planes.max(axis=0) < 1.2 * planes.min(axis=0)
        assert steady.sum() > 8
        assert peaks['stays'][steady].all()
        assert peaks['charged'][steady].all()
        other = dithered.of_class('star') | dithered.of_class('cosmic_ray')
        assert peaks['stays'][other].mean() < 0.003
        assert peaks['charged'][other].mean() < 0.06

    def test_hot_by_dq(self, dithered: Dithered) -> None:
        """DQ says what it knows of the peak's pixel."""
        peaks = dithered.peaks
        for number, (chip,) in enumerate(dithered.exposures):
            mine = peaks[peaks['exposure'] == number]
            x, y = np.round(positions(mine)).astype(int).T
            assert chip.dq is not None
            expected = (chip.dq[y, x] & 16) != 0
            # A centroid may be half a pixel off the peak.
            assert (expected == mine['hot']).mean() > 0.95
            assert mine['hot'].sum() > 10

    def test_undithered_nothing_stays(self, dithered: Dithered) -> None:
        """Of one pointing all stays, so that nothing can be told."""
        chips = dithered.exposures[0]
        same = [chips, [replace(chips[0], sci=chips[0].sci + 1)]]
        assert not peaks_of(same)['stays'].any()

    def test_other_exposure_times(self, dithered: Dithered) -> None:
        """Electrons are compared for equal times."""
        (chip,) = dithered.exposures[1]
        short = replace(chip, sci=chip.sci / 2, exptime=400.0)
        peaks = peaks_of([dithered.exposures[0], [short]])
        first = np.asarray(peaks['exposure'] == 0)
        n = int(first.sum())
        stars = dithered.of_class('star')[np.asarray(dithered.peaks['exposure'] == 0)]
        assert len(stars) == n
        assert np.nanmedian(peaks['again'][:n][stars]) == pytest.approx(1, abs=0.03)
        second = np.asarray(peaks['again'][n:])
        met = second[(second > 0.8) & (second < 1.25)]
        assert len(met) > 50
        assert np.median(met) == pytest.approx(1, abs=0.03)

    def test_units(self, dithered: Dithered) -> None:
        """Counts and rates become the same electrons."""
        (chip,) = dithered.exposures[0]
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

    def test_two_chips(self, dithered: Dithered) -> None:
        """Halves of a chip, each with its own WCS, have the whole one's peaks."""
        exposures = []
        for (chip,) in dithered.exposures:
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
        assert abs(len(peaks) / len(dithered.peaks) - 1) < 0.1
        # A source that the dither takes to the other chip is there again.
        again = np.asarray(peaks['again'])
        edge = np.asarray(peaks['y_centroid'])
        near = np.where(peaks['extver'] == 1, edge > 112, edge < 16)
        assert near.sum() > 100
        assert np.isfinite(again[near]).mean() > 0.97
        both = again[near] > 0.8
        assert both.mean() > 0.3

    def test_unknown_unit_is_said(self, dithered: Dithered) -> None:
        """Pixels of no unit are taken for electrons, with a warning."""
        (chip,) = dithered.exposures[0]
        with pytest.warns(AstrosieveWarning, match=r'e0_flc.fits\[SCI,1\]'):
            peaks_of([[replace(chip, unit=None)]])

    def test_one_exposure(self, dithered: Dithered) -> None:
        """Nothing can be said of what stays or is there again."""
        peaks = peaks_of(dithered.exposures[:1])
        assert np.isnan(peaks['again']).all()
        assert not peaks['stays'].any()
        assert np.isfinite(peaks['ra']).all()

    def test_without_wcs(self, dithered: Dithered) -> None:
        """The plane is the chip; the sky is not known."""
        (chip,) = dithered.exposures[0]
        peaks = peaks_of([[replace(chip, wcs=None)]])
        np.testing.assert_array_equal(peaks['u'], peaks['x_centroid'])
        np.testing.assert_array_equal(peaks['v'], peaks['y_centroid'])
        assert np.isnan(peaks['ra']).all()
        assert np.isnan(peaks['dec']).all()

    def test_one_without_wcs(self, dithered: Dithered) -> None:
        """Beside others that have one it cannot be placed."""
        (second,) = dithered.exposures[1]
        mixed = [dithered.exposures[0], [replace(second, wcs=None)]]
        with pytest.raises(LabelError, match=r'e1_flc.*has no WCS, other exposures'):
            peaks_of(mixed)

    def test_spoilt_pixels_are_no_peaks(self, dithered: Dithered) -> None:
        """Neither NaN, nor masked pixels, nor what DQ says is lost."""
        (chip,) = dithered.exposures[0]
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

    def test_no_peak_in_one(self, dithered: Dithered) -> None:
        """An empty chip beside others is no error here, and does not look."""
        (chip,) = dithered.exposures[1]
        empty = replace(chip, sci=np.full_like(chip.sci, np.nan))
        peaks = peaks_of([dithered.exposures[0], [empty]])
        assert set(peaks['exposure']) == {0}
        assert np.isnan(peaks['again']).all()

    def test_spoilt_pixels_do_not_look(self, dithered: Dithered) -> None:
        """A star on a bad part of another exposure is not missed there."""
        (chip,) = dithered.exposures[1]
        assert chip.dq is not None
        dq = chip.dq.copy()
        dq[:, 60:150] |= 4
        spoilt = [dithered.exposures[0], [replace(chip, dq=dq)], dithered.exposures[2]]
        stars = dithered.of_class('star')
        first = np.asarray(dithered.peaks['exposure'] == 0)
        again = np.asarray(peaks_of(spoilt)['again'])[: first.sum()][stars[first]]
        assert np.nanpercentile(again, 2) > 0.7
        pair = np.asarray(peaks_of(spoilt[:2])['again'])[: first.sum()][stars[first]]
        assert 0.2 < np.isnan(pair).mean() < 0.6
        assert np.nanpercentile(pair, 2) > 0.6

    def test_no_peak(self, dithered: Dithered) -> None:
        """The cure is named, for noise, one value, and NaN."""
        (chip,) = dithered.exposures[0]
        rng = np.random.default_rng(0)
        noise = rng.normal(50, 3, SHAPE).astype(np.float32)
        for sci in (noise, np.full_like(noise, 7), np.full_like(noise, np.nan)):
            with pytest.raises(LabelError, match=r'no peak of 100 .*--min-electrons'):
                peaks_of([[replace(chip, sci=sci, dq=None)]])


class TestBrightness:
    """How much a peak holds."""

    def test_box(self) -> None:
        """S/N of the nine pixels, the sky's noise in them, and the highest pixel."""
        exposures = empty_sky()
        shine(exposures, 80, 70, 1200)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert peak['noise'] == pytest.approx(3 * NOISE, rel=0.03)
        expected = 1200 / np.hypot(3 * NOISE, np.sqrt(1200))
        assert peak['snr'] == pytest.approx(expected, rel=0.05)
        assert peak['contrast'] == pytest.approx(1200 / 4 / NOISE, rel=0.05)

    def test_above_the_darkest_sky(self) -> None:
        """What a nebula, or a crowd, hides of the sky is counted."""
        exposures = empty_sky()
        shine(exposures, 80, 70, 600)
        flat = peak_at(peaks_of(exposures), 80, 70)
        for (chip,) in exposures:
            chip.sci[:, 32:] += 200
        lit = peak_at(peaks_of(exposures), 80, 70)
        assert lit['snr'] == pytest.approx(float(flat['snr']), rel=0.05)
        assert flat['most_snr'] == pytest.approx(600 / (3 * NOISE), rel=0.05)
        more = lit['most_snr'] - flat['most_snr']
        assert more == pytest.approx(9 * 200 / (3 * NOISE), rel=0.15)
        more = lit['most_contrast'] - flat['most_contrast']
        assert more == pytest.approx(200 / NOISE, rel=0.15)


class TestOnDetector:
    """What the other exposures show at the same pixel."""

    @pytest.mark.parametrize(
        ('electrons', 'stays', 'sharp', 'charged', 'held'),
        [
            ((400, 400, 400, 400), True, True, True, 400),
            # Steady, and too weak to be alone among its neighbours surely.
            ((120, 90, 90, 90), True, False, True, 90),
            # Never the same; the most that it had counts.
            ((1000, 150, 200, 900), True, True, True, 900),
            # Brighter or fainter than it ever was: not by its own charge alone.
            ((3000, 400, 400, 400), False, True, True, 400),
            ((150, 500, 500, 500), False, True, True, 500),
            # A hit on a pixel of weak charge, and on one of none.
            ((3000, 60, 60, 60), False, False, True, 60),
            ((3000, 0, 0, 0), False, False, False, 0),
            # Another hit in one of the others.
            ((3000, 0, 3000, 0), False, False, False, 0),
        ],
    )
    def test_charge(
        self,
        electrons: tuple[float, ...],
        stays: bool,
        sharp: bool,
        charged: bool,
        held: float,
    ) -> None:
        """Steady and unstable pixels, and what a hit adds to them."""
        exposures = empty_sky()
        charge(exposures, 80, 70, *electrons)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert defect(peak) == (stays, sharp, charged)
        # Of three pixels the median, above that of their neighbours.
        assert peak['charge'] == pytest.approx(held / (3 * NOISE), abs=0.4)

    def test_noise_has_none(self) -> None:
        """Of hits on empty pixels few seem charged, none to stay; 0 in the mean."""
        exposures = empty_sky(size=400)
        rng = np.random.default_rng(1)
        x, y = np.meshgrid(np.arange(20, 380, 12), np.arange(20, 380, 12))
        exposures[0][0].sci[y, x] += rng.uniform(1000, 5000, x.shape)
        peaks = peaks_of(exposures)
        hits = peaks[(peaks['exposure'] == 0) & (peaks['contrast'] > 30)]
        assert len(hits) == 900
        assert not hits['stays'].any()
        assert hits['charged'].mean() < 0.03
        assert hits['charge'].mean() == pytest.approx(0, abs=0.03)
        assert hits['charge'].std() < 0.3

    def test_extended_charge_is_not_sharp(self) -> None:
        """What its neighbours have too may be a source that hardly moves."""
        exposures = empty_sky()
        for y in (69, 70, 71):
            for x in (79, 80, 81):
                charge(exposures, x, y, *[400 + 100 * (x == 80 and y == 70)] * 4)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert defect(peak) == (True, False, True)

    def test_two_exposures(self) -> None:
        """One other says what is steady; alone there, it may be a star's core."""
        exposures = empty_sky(2)
        charge(exposures, 80, 70, 1000, 900)
        charge(exposures, 40, 70, 1000, 300)
        peaks = peaks_of(exposures)
        steady, other = (peak_at(peaks, x, 70) for x in (80, 40))
        assert defect(steady) == (True, False, True)
        assert defect(other) == (False, False, True)

    def test_exposure_times(self) -> None:
        """Charge grows with time, and so does what is said of it."""
        exposures = empty_sky()
        charge(exposures, 80, 70, 400, 200, 200, 200)
        short = [[replace(chip, exptime=400.0)] for (chip,) in exposures[1:]]
        peak = peak_at(peaks_of([exposures[0], *short]), 80, 70)
        assert peak['stays']
        assert peak['charge'] == pytest.approx(400 / (3 * 2 * NOISE), abs=0.4)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert peak['charge'] == pytest.approx(200 / (3 * NOISE), abs=0.4)

    def test_single_exposure(self) -> None:
        """No other, nothing said."""
        exposures = empty_sky(1)
        charge(exposures, 80, 70, 400)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert defect(peak) == (False, False, False)
        assert peak['charge'] == 0

    def test_same_pointing(self) -> None:
        """Without dither a source stays too: nothing is said."""
        exposures = empty_sky()
        charge(exposures, 80, 70, 400, 400, 400, 400)
        same = [[replace(chip, wcs=exposures[0][0].wcs)] for (chip,) in exposures]
        peak = peak_at(peaks_of(same), 80, 70)
        assert defect(peak) == (False, False, False)
        assert peak['charge'] == 0

    @pytest.mark.parametrize(
        'change', ['extver', 'shape', 'LTV1', 'LTV2'], ids=lambda name: str(name)
    )
    def test_other_pixels(self, change: str) -> None:
        """Other chips, and other parts of one, are not the same pixels."""
        exposures = empty_sky()
        charge(exposures, 80, 70, 400, 400, 400, 400)
        others = []
        for (chip,) in exposures[1:]:
            if change == 'extver':
                other = replace(chip, extver=2)
            elif change == 'shape':
                other = replace(chip, sci=chip.sci[:150])
            else:
                header = chip.header.copy()
                header[change] = -100.0
                other = replace(chip, header=header)
            others.append([other])
        peak = peak_at(peaks_of([exposures[0], *others]), 80, 70)
        assert defect(peak) == (False, False, False)
        assert peak['charge'] == 0

    def test_spoilt_in_others(self) -> None:
        """What is left says it; nothing is left, nothing is said."""
        exposures = empty_sky()
        charge(exposures, 80, 70, 400, 400, 400, 400)
        exposures[1][0].sci[70, 80] = np.nan
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert peak['stays']
        assert peak['charge'] == pytest.approx(400 / (3 * NOISE), abs=0.4)
        for (chip,) in exposures[2:]:
            chip.sci[70, 80] = np.nan
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert defect(peak) == (False, False, False)
        assert peak['charge'] == 0


class TestInSky:
    """What the other exposures show at the same place."""

    def test_source(self) -> None:
        """As much as here, in all that look."""
        exposures = empty_sky()
        shine(exposures, 80, 70, 1200)
        for number, (dx, dy) in enumerate(DITHERS):
            peak = peak_at(peaks_of(exposures), 80 + dx, 70 + dy, number)
            assert peak['again'] == pytest.approx(1, abs=0.02)
            assert peak['again_snr'] == pytest.approx(1200 / (3 * NOISE), rel=0.05)
            assert peak['looks'] == 3

    def test_nothing(self) -> None:
        """Noise of unit width, once divided by what several looks bring."""
        exposures = empty_sky(size=400)
        x, y = np.meshgrid(np.arange(20, 380, 12), np.arange(20, 380, 12))
        exposures[0][0].sci[y, x] += 3000
        peaks = peaks_of(exposures)
        hits = peaks[(peaks['exposure'] == 0) & (peaks['contrast'] > 30)]
        assert len(hits) == 900
        assert (hits['looks'] == 3).all()
        seen = np.asarray(hits['again_snr'] * np.sqrt(hits['looks']))
        assert seen.mean() == pytest.approx(0, abs=0.15)
        # A median is noisier than a mean.
        assert seen.std() == pytest.approx(1.16, abs=0.1)
        assert np.mean(seen > SIGNIFICANT) < 0.08

    def test_a_hit_is_no_source(self) -> None:
        """Neither among three others, nor the brighter of two."""
        for n in (4, 3):
            exposures = empty_sky(n)
            exposures[0][0].sci[70, 80] += 3000
            dx, dy = DITHERS[1]
            exposures[1][0].sci[70 + dy, 80 + dx] += 3000
            peak = peak_at(peaks_of(exposures), 80, 70)
            assert abs(peak['again_snr']) < 3
            assert peak['again'] < 0.1
            assert peak['looks'] == n - 1

    def test_off_the_chip(self) -> None:
        """Those that do not reach do not look."""
        exposures = empty_sky()
        # Dithers of 11 and -6, -4 and 9, 7 and 3 pixels take it off.
        for x, y, looks in ((157, 80, 1), (2, 157, 1), (157, 157, 0), (80, 155, 2)):
            exposures[0][0].sci[y, x] += 3000
            peak = peak_at(peaks_of(exposures), x, y)
            assert peak['looks'] == looks
            assert np.isnan(peak['again_snr']) == (looks == 0)
            assert np.isnan(peak['again']) == (looks == 0)

    def test_spoilt_pixels(self) -> None:
        """Boxes that hold NaN do not look."""
        exposures = empty_sky()
        shine(exposures, 80, 70, 1200)
        for left, number in ((2, 1), (1, 3), (0, 2)):
            dx, dy = DITHERS[number]
            exposures[number][0].sci[71 + dy, 80 + dx] = np.nan
            peak = peak_at(peaks_of(exposures), 80, 70)
            assert peak['looks'] == left
            if left:
                assert peak['again_snr'] == pytest.approx(20, rel=0.05)
            else:
                assert np.isnan(peak['again_snr'])

    def test_exposure_times(self) -> None:
        """Electrons of a longer exposure, in units of its own noise."""
        exposures = empty_sky()
        shine(exposures, 80, 70, 1200)
        twice = [[replace(chip, exptime=1600.0)] for (chip,) in exposures[1:]]
        peak = peak_at(peaks_of([exposures[0], *twice]), 80, 70)
        assert peak['again_snr'] == pytest.approx(600 / (3 * NOISE), rel=0.05)

    def test_without_wcs(self) -> None:
        """No other can look."""
        (first,) = empty_sky(1)[0]
        sci = first.sci.copy()
        sci[70, 80] += 3000
        (peak,) = peaks_of([[replace(first, sci=sci, wcs=None)]], min_electrons=1000)
        assert np.isnan(peak['again_snr'])
        assert peak['looks'] == 0


class TestSaturation:
    """Where the saturated pixels of a peak are."""

    @staticmethod
    def bled(*flagged: tuple[int, int]) -> tuple[list[list[Chip]], np.ndarray]:
        """Return one exposure, and its DQ with pixels (x, y) saturated."""
        exposures = empty_sky(1)
        dq = np.zeros((160, 160), dtype=np.int16)
        for x, y in flagged:
            dq[y, x] |= 256
        (chip,) = exposures[0]
        return [[replace(chip, dq=dq)]], dq

    def test_column(self) -> None:
        """From the middle of a column of 15 pixels, each peak by its own distance."""
        exposures, _ = self.bled(*((80, y) for y in range(63, 78)))
        for y in (63, 70, 77):
            charge(exposures, 80, y, 50_000)
        peaks = peaks_of(exposures)
        middle = peak_at(peaks, 80, 70)
        core = middle['u'], middle['v']
        for y, off_core in ((63, 7), (70, 0), (77, 7)):
            peak = peak_at(peaks, 80, y)
            assert peak['saturated']
            assert peak['off_core'] == pytest.approx(off_core)
            assert (peak['core_u'], peak['core_v']) == pytest.approx(core, abs=1e-3)

    def test_single_pixel(self) -> None:
        """Is its own middle."""
        exposures, _ = self.bled((80, 70))
        charge(exposures, 80, 70, 50_000)
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert (peak['saturated'], peak['off_core']) == (True, 0)

    def test_each_has_its_own(self) -> None:
        """What touches at a corner hangs together, what is a pixel away does not."""
        exposures, _ = self.bled((80, 70), (81, 71), (40, 70), (42, 70), (40, 60))
        for x, y in ((80, 70), (40, 70)):
            charge(exposures, x, y, 50_000)
        peaks = peaks_of(exposures)
        both, alone = (peak_at(peaks, x, 70) for x in (80, 40))
        assert both['off_core'] == pytest.approx(np.hypot(0.5, 0.5))
        assert alone['off_core'] == 0

    @pytest.mark.parametrize('bits', [0, 16, 4096, None])
    def test_not_saturated(self, bits: int | None) -> None:
        """Nothing is said of other peaks: none, other flags, or no DQ."""
        exposures, dq = self.bled((40, 40))
        charge(exposures, 80, 70, 50_000)
        dq[70, 80] |= bits or 0
        if bits is None:
            exposures = [[replace(exposures[0][0], dq=None)]]
        peak = peak_at(peaks_of(exposures), 80, 70)
        assert not peak['saturated']
        for name in ('off_core', 'core_u', 'core_v', 'core_ra', 'core_dec'):
            assert np.isnan(peak[name])


class TestDips:
    """Peaks of the image of other sign."""

    @pytest.fixture
    def any_depth(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Dips count that are plain among the noise."""
        monkeypatch.setattr(label_peaks, '_DEEPEST', np.inf)

    def test_deeper_than_noise(self) -> None:
        """A defect of one exposure alone is no noise, however dark."""
        exposures = empty_sky(1, noise=40.0)
        before = len(dips_of(exposures))
        for x in range(30, 130, 20):
            charge(exposures, x, 70, -1000)
        found = dips_of(exposures)
        assert 0 < len(found) <= before
        assert (found['contrast'] < 6).all()

    @staticmethod
    def once(peaks: Table) -> Table:
        """Return the peaks that were there once, as dips are chosen."""
        there = peaks['again_snr'] * np.sqrt(peaks['looks']) >= SIGNIFICANT
        return peaks[~(peaks['hot'] | peaks['stays'] | peaks['charged'] | there)]

    def test_noise_makes_as_many(self) -> None:
        """Of all brightnesses, as Poisson has it."""
        exposures = empty_sky(noise=40.0, size=400)
        peaks, dips = self.once(peaks_of(exposures)), dips_of(exposures)
        assert set(dips.colnames) == set(peaks.colnames)
        assert len(peaks) > 700
        for low, high in ((0, 99), (0, 3.3), (3.3, 3.6), (3.6, 99)):
            n, m = (
                int(((t['contrast'] >= low) & (t['contrast'] < high)).sum())
                for t in (peaks, dips)
            )
            assert abs(n - m) < 2.5 * np.sqrt(n + m)

    def test_stars_and_rays_make_none(self) -> None:
        """Where noise is too weak for any, there is none."""
        exposures = empty_sky(noise=5.0)
        for x in (40, 80, 120):
            shine(exposures, x, 60, 30_000)
            exposures[0][0].sci[90:96, x] += 4000
        assert len(peaks_of(exposures)) == 3 * 4 + 3
        dips = dips_of(exposures)
        assert len(dips) == 0
        assert set(dips.colnames) == set(peaks_of(exposures).colnames)

    def test_of_a_field(self, dithered: Dithered) -> None:
        """Far fewer than rays."""
        rays = dithered.peaks[dithered.of_class('cosmic_ray', 10)]
        dips = dips_of(dithered.exposures)
        assert len(rays) > 400
        assert len(dips) < 0.01 * len(rays)

    def test_once(self, any_depth: None) -> None:
        """Dark pixels and dark clouds are no noise, whatever is dark once is."""
        exposures = empty_sky(noise=5.0)
        charge(exposures, 80, 70, -300, -300, -300, -300)
        shine(exposures, 40, 70, -1200)
        charge(exposures, 120, 70, 0, -300, 0, 0)
        (dip,) = dips_of(exposures)
        assert dip['exposure'] == 1
        assert (dip['x_centroid'], dip['y_centroid']) == pytest.approx(
            (120, 70), abs=0.5
        )
        assert dip['contrast'] == pytest.approx(60, rel=0.1)

    def test_hot_pixels(self, any_depth: None) -> None:
        """What DQ calls hot is not counted."""
        exposures = empty_sky(noise=5.0)
        charge(exposures, 80, 70, -300, 0, 0, 0)
        assert len(dips_of(exposures)) == 1
        dq = np.zeros((160, 160), dtype=np.int16)
        dq[70, 80] = 16
        exposures[0] = [replace(exposures[0][0], dq=dq)]
        assert len(dips_of(exposures)) == 0

    @pytest.mark.parametrize(
        ('aside', 'electrons', 'found'),
        [
            ((3, 0), 600, False),
            ((3, -3), 600, False),
            ((0, 6), 600, True),
            ((3, 0), 200, True),
            ((4, 4), 600, True),
        ],
    )
    def test_near_brighter_pixels(
        self, aside: tuple[int, int], electrons: float, found: bool, any_depth: None
    ) -> None:
        """A peak there would not be one either; of the same exposure alone."""
        exposures = empty_sky(noise=5.0)
        charge(exposures, 80, 70, -400, 0, 0, 0)
        charge(exposures, 80 + aside[0], 70 + aside[1], electrons, 0, 0, 0)
        charge(exposures, 82, 72, 0, 900, 900, 0)
        assert (len(dips_of(exposures)) == 1) is found
        if not found:
            nearer = dips_of(exposures, separation=2.0)
            assert len(nearer) == 1

    def test_two_chips(self, any_depth: None) -> None:
        """Each chip's dips by its own pixels."""
        exposures = empty_sky(noise=5.0)
        charge(exposures, 80, 40, -400, 0, 0, 0)
        charge(exposures, 80, 120, -400, 0, 0, 0)
        charge(exposures, 83, 120, 900, 0, 0, 0)
        halves = []
        for (chip,) in exposures:
            assert chip.wcs is not None
            halves.append(
                [
                    replace(chip, extver=i, sci=chip.sci[rows], wcs=chip.wcs[rows])
                    for i, rows in ((1, slice(80)), (2, slice(80, None)))
                ]
            )
        (dip,) = dips_of(halves)
        assert (dip['exposure'], dip['extver']) == (0, 1)

    def test_says_nothing(self) -> None:
        """What is wrong with the exposures has been said of the peaks."""
        (chip,) = empty_sky(1, noise=40.0)[0]
        assert len(dips_of([[replace(chip, unit=None)]])) > 0

    def test_of_spoilt_images(self) -> None:
        """Of NaN or one value there is none, and no error."""
        (chip,) = empty_sky(1)[0]
        for value in (np.nan, 7.0):
            flat = replace(chip, sci=np.full_like(chip.sci, value))
            assert len(dips_of([[flat]])) == 0


def table_of(snr: np.ndarray, contrast: np.ndarray) -> Table:
    return Table({'snr': snr, 'contrast': contrast})


def noisy(n: int, seed: int) -> Table:
    """Return what noise makes: S/N of 2 to 5, contrast of 3 to 4."""
    rng = np.random.default_rng(seed)
    return table_of(rng.normal(3.5, 0.5, n), 3 + rng.exponential(0.3, n))


class TestNoiseShare:
    """How much of what was there once is noise."""

    def test_noise_is_noise(self) -> None:
        """Of pure noise nearly all, peak by peak; half where hits are as many."""
        peaks, dips = noisy(2000, 0), noisy(2000, 1)
        once = np.ones(2000, dtype=bool)
        share = noise_share(peaks, once, dips)
        assert share.max() <= 1
        assert share.mean() == pytest.approx(1, abs=0.08)
        assert np.mean(share > NOISE_FROM) > 0.9
        half = noise_share(peaks, once, dips[:1000])
        assert half.mean() == pytest.approx(0.5, abs=0.05)
        assert np.mean(half > NOISE_FROM) < 0.05

    def test_of_exposures(self) -> None:
        """As found: of noise nearly all, of bright hits nothing."""
        exposures = empty_sky(noise=40.0, size=400)
        x, y = np.meshgrid(np.arange(20, 380, 30), np.arange(20, 380, 30))
        exposures[0][0].sci[y, x] += 1000
        peaks, dips = peaks_of(exposures), dips_of(exposures)
        once = ~np.asarray(peaks['hot'] | peaks['stays'] | peaks['charged'])
        share = noise_share(peaks, once, dips)
        hits = np.asarray(peaks['contrast'] > 15)
        assert hits.sum() == x.size
        assert (share[hits] == 0).all()
        noise = once & ~hits
        assert noise.sum() > 700
        assert np.mean(share[noise]) > 0.85
        assert np.mean(share[noise] > NOISE_FROM) > 0.75
        assert (share[~once] == 0).all()

    def test_bright_hits(self) -> None:
        """No dip is like them, though there are many dips."""
        rng = np.random.default_rng(2)
        hits = table_of(rng.uniform(15, 100, 300), rng.uniform(15, 150, 300))
        share = noise_share(hits, np.ones(300, dtype=bool), noisy(3000, 1))
        assert (share == 0).all()

    def test_contrast_tells(self) -> None:
        """Sharp hits among noise of the same S/N are none of it."""
        sharp = table_of(noisy(500, 3)['snr'], np.full(500, 9.0))
        both = table_of(
            *(
                np.concatenate([t[name] for t in (noisy(500, 0), sharp)])
                for name in ('snr', 'contrast')
            )
        )
        share = noise_share(both, np.ones(1000, dtype=bool), noisy(500, 1))
        assert share[:500].mean() > 0.85
        assert (share[500:] == 0).all()

    def test_no_dips(self) -> None:
        """No noise."""
        share = noise_share(noisy(50, 0), np.ones(50, dtype=bool), noisy(0, 1))
        np.testing.assert_array_equal(share, np.zeros(50))

    def test_not_once(self) -> None:
        """Other peaks are no noise, and do not count."""
        peaks = noisy(1000, 0)
        once = np.arange(1000) % 2 == 0
        share = noise_share(peaks, once, noisy(500, 1))
        assert (share[~once] == 0).all()
        assert share[once].mean() == pytest.approx(1, abs=0.12)
        no = np.zeros(1000, dtype=bool)
        assert (noise_share(peaks, no, noisy(500, 1)) == 0).all()

    def test_few(self) -> None:
        """Fewer than are counted among else."""
        peaks = noisy(5, 0)
        once = np.array([True, False, True, True, False])
        share = noise_share(peaks, once, noisy(3, 1))
        assert (share[~once] == 0).all()
        assert (share[once] <= 1).all()
        alone = table_of(np.array([3.5]), np.array([3.3]))
        assert noise_share(alone, np.array([True]), alone).tolist() == [1]
        assert noise_share(alone[:0], np.array([], dtype=bool), alone).shape == (0,)


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


def test_box_sums() -> None:
    """Of 3x3 pixels about the nearest; less at edges; NaN off the image."""
    image = np.arange(600, dtype=np.float32).reshape(20, 30)
    image[15, 5] = np.nan
    xy = np.array([[12, 9], [12.4, 8.6], [0, 0], [-0.6, 4], [29, 20], [np.nan, 3]])
    found = box_sums(image, xy)
    np.testing.assert_array_equal(found[:3], [9 * 282, 9 * 282, 0 + 1 + 30 + 31])
    assert np.isnan(found[3:]).all()
    near = np.array([[4.0, 14.0], [6.0, 16.0], [7.0, 15.0], [5.0, 13.0]])
    np.testing.assert_array_equal(
        np.isnan(box_sums(image, near)), [True, True, False, False]
    )
    assert box_sums(image, np.empty((0, 2))).shape == (0,)
