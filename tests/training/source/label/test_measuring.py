"""What the combined image says of places and peaks, and which places are embedded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('galsim')
pytest.importorskip('scipy')

from astrosieve.tables.catalogs import positions
from astrosieve_training.source.label.combined import Combined
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.light import CombinedImage
from astrosieve_training.source.label.measuring import Measured, measure_places
from astrosieve_training.source.label.peaks import box_sums, find_dips
from astrosieve_training.source.label.places import SkyFrame, merge_peaks
from astrosieve_training.source.label.settings import (
    EmbeddingSettings,
    LabelSettings,
    PeakSettings,
)

if TYPE_CHECKING:
    from tests.training.conftest import Dithered

SETTINGS = LabelSettings()
EXPTIME = 800.0


@dataclass(frozen=True)
class Field:
    """What is measured: peaks, their places, dips, and the combined image."""

    dithered: Dithered
    members: np.ndarray
    places: Table
    dips: Table
    combined: Combined

    def measure(
        self, combined: Combined | None = None, settings: LabelSettings = SETTINGS
    ) -> Measured:
        return measure_places(
            self.dithered.peaks,
            self.members,
            self.places,
            self.dips,
            combined or self.combined,
            settings,
            [chips[0] for chips in self.dithered.exposures],
        )

    def measure_with(self, dips: Table) -> Measured:
        return replace(self, dips=dips).measure()


@pytest.fixture(scope='module')
def field(dithered: Dithered) -> Field:
    """An image of the first exposure's true light, in electrons per second."""
    chips = [exposure[0] for exposure in dithered.exposures]
    frame = SkyFrame(chips)
    members, places = merge_peaks(dithered.peaks, SETTINGS.peaks)
    dips = find_dips(dithered.exposures, frame, SETTINGS.peaks)
    planes = dithered.truths[0].planes
    light = planes['star'] + planes['spike'] + planes['extended']
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    y, x = np.indices(light.shape)
    assert chips[0].wcs is not None
    sky = chips[0].wcs.pixel_to_world(x.ravel(), y.ravel())
    covered = np.zeros(light.shape, dtype=np.int16)
    for chip in chips:
        assert chip.wcs is not None
        there = np.round(chip.wcs.world_to_pixel(sky)).reshape(2, *light.shape)
        covered += ((there >= 0) & (there < light.shape[0])).all(axis=0)
    sci = ((light + noise) / EXPTIME).astype(np.float32)
    combined = Combined(sci, covered, covered, chips[0].wcs, 1.0, len(chips))
    return Field(dithered, members, places, dips, combined)


@pytest.fixture(scope='module')
def measured(field: Field) -> Measured:
    return field.measure()


def pixels(field: Field, table: Table) -> np.ndarray:
    """Return where peaks or places are in the combined image."""
    wcs = field.combined.wcs
    assert wcs is not None
    return np.column_stack(wcs.all_world2pix(table['ra'], table['dec'], 0))


def within(field: Field, table: Table) -> np.ndarray:
    xy = pixels(field, table)
    return np.all((xy > 0) & (xy < 255), axis=1)


def looking(field: Field) -> np.ndarray:
    """Return how many exposures look at each place; none off the image."""
    x, y = np.floor(pixels(field, field.places) + 0.5).astype(int).T
    inside = (x >= 0) & (x < 256) & (y >= 0) & (y < 256)
    there = field.combined.covered[y.clip(0, 255), x.clip(0, 255)]
    return np.where(inside, there, 0)


class TestPeaks:
    """Of each peak, what lasts and what is noise."""

    def test_share(self, field: Field, measured: Measured) -> None:
        """All of a star lasts, in each of its exposures; of a ray nothing."""
        dithered = field.dithered
        inside = within(field, dithered.peaks)
        share = np.asarray(measured.peaks['share'])
        stars = share[inside & dithered.of_class('star')]
        assert len(stars) > 250
        assert np.median(stars) == pytest.approx(1, abs=0.05)
        assert np.mean(stars > SETTINGS.naming.present) > 0.97
        rays = share[inside & dithered.of_class('cosmic_ray')]
        assert len(rays) > 250
        assert np.median(rays) == 0
        assert np.mean(rays < SETTINGS.naming.absent) > 0.97

    def test_lasting(self, field: Field, measured: Measured) -> None:
        """In units of one exposure's noise: of a star its own S/N, of a ray none."""
        dithered = field.dithered
        inside = within(field, dithered.peaks)
        lasting = np.asarray(measured.peaks['lasting'])
        stars = inside & dithered.of_class('star')
        peaks = dithered.peaks[stars]
        # The nine pixels hold more than the four.
        ratio = lasting[stars] / np.asarray(peaks['electrons'] / peaks['noise'])
        assert 1 < np.median(ratio) < 1.5
        assert lasting[stars].min() > 3
        # Many a ray lies on the light of a star; of the others nothing lasts.
        light = np.zeros(len(inside))
        for number, truth in enumerate(dithered.truths):
            mine = np.asarray(dithered.peaks['exposure'] == number)
            planes = [truth.planes[name] for name in ('star', 'spike', 'extended')]
            image = np.sum(planes, axis=0)
            light[mine] = box_sums(image, positions(dithered.peaks[mine]))
        dark = np.asarray(light < dithered.peaks['noise'])
        rays = lasting[inside & dithered.of_class('cosmic_ray') & dark]
        assert len(rays) > 80
        # Crowds raise the sky, so that what is dark lies below it.
        assert -4 < np.median(rays) < 1
        assert np.mean(rays < 3) > 0.95

    def test_less_counts(self, field: Field, measured: Measured) -> None:
        """Of the image and the other exposures: a ray left in the image is none."""
        dithered = field.dithered
        rays = dithered.of_class('cosmic_ray') & within(field, dithered.peaks)
        rays &= np.asarray(dithered.peaks['again'] < 0.2)
        dirty = field.combined.sci.copy()
        dirty += dithered.truths[0].planes['cosmic_ray'] / np.float32(EXPTIME)
        found = field.measure(replace(field.combined, sci=dirty)).peaks[rays]
        others = dithered.peaks[rays]
        assert (found['share'] <= np.maximum(others['again'], 0)).all()
        assert (found['lasting'] <= others['again_snr']).all()
        more = found['lasting'] - measured.peaks['lasting'][rays]
        assert np.mean(more > 3) < 0.02
        # And the others alone are not enough either.
        black = replace(field.combined, sci=field.combined.sci.copy())
        stars = dithered.of_class('star', 100) & within(field, dithered.peaks)
        x, y = np.round(pixels(field, dithered.peaks[stars])[0]).astype(int)
        black.sci[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = 0
        (first,) = field.measure(black).peaks[np.flatnonzero(stars)[:1]]
        assert first['share'] == 0
        assert abs(first['lasting']) < 3

    def test_noise(self, field: Field) -> None:
        """By dips: none without, all where dips are like what was there once."""
        peaks = field.dithered.peaks
        none = field.measure_with(field.dips[:0])
        assert (none.peaks['noise'] == 0).all()
        all_noise = field.measure_with(peaks)
        found = all_noise.peaks
        once = np.asarray(found['share'] < SETTINGS.naming.absent)
        once &= ~np.asarray(peaks['hot'] | peaks['stays'] | peaks['charged'])
        assert 300 < once.sum() < len(peaks) - 300
        # What lasts, or has charge of its own, is no noise.
        assert (found['noise'][~once] == 0).all()
        assert (found['noise'][once] == 1).mean() > 0.95
        faint = field.measure_with(peaks[peaks['contrast'] < 20]).peaks['noise']
        bright = np.asarray(peaks['contrast'] > 60)
        assert (faint[once & bright] == 0).all()
        assert np.median(faint[once & np.asarray(peaks['contrast'] < 10)]) > 0.9

    def test_noise_is_not_embedded(self, field: Field, measured: Measured) -> None:
        """Empty places are those of hits."""
        peaks = field.dithered.peaks
        found = field.measure_with(peaks[peaks['contrast'] < 60])
        hits = np.asarray(found.peaks['share'] < SETTINGS.naming.absent)
        hits &= np.asarray(found.peaks['noise'] <= SETTINGS.naming.hit)
        hit = np.bincount(field.members, hits) > 0
        empty = np.asarray(found.places['share'] < SETTINGS.naming.absent)
        assert hit[found.places['id'][empty]].all()
        assert 50 < empty.sum() < measured.report['places empty'] - 50
        assert found.report['places not empty'] == measured.report['places not empty']

    def test_covered(self, field: Field, measured: Measured) -> None:
        """Where enough exposures look; at the edge, if a cutout shows enough."""
        xy = np.floor(pixels(field, field.places) + 0.5).astype(int)
        looks = looking(field)
        whole = np.all((xy >= 5) & (xy < 251), axis=1)
        covered = np.asarray(measured.peaks['covered'])
        inner, enough = whole[field.members], (looks >= 2)[field.members]
        np.testing.assert_array_equal(covered[inner], enough[inner])
        assert not covered[~enough].any()
        assert measured.report['places covered'] == (looks >= 2).sum()
        assert 0 < np.mean(looks < 2) < 0.2
        settings = replace(SETTINGS, peaks=PeakSettings(min_exposures=4))
        all_look = np.asarray(field.measure(settings=settings).peaks['covered'])
        np.testing.assert_array_equal(all_look, covered & (looks >= 4)[field.members])

    def test_holes(self, field: Field, measured: Measured) -> None:
        """Next to pixels without data nothing is covered, and nothing embedded."""
        sci = field.combined.sci.copy()
        sci[100:140, 100:140] = np.nan
        found = field.measure(replace(field.combined, sci=sci))
        xy = np.floor(pixels(field, field.places) + 0.5)
        hole = np.all((xy >= 99) & (xy <= 140), axis=1)
        assert hole.sum() > 10
        assert not found.peaks['covered'][hole[field.members]].any()
        assert not np.isin(np.flatnonzero(hole), found.places['id']).any()
        away = np.any((xy < 94) | (xy > 145), axis=1)[field.members]
        np.testing.assert_array_equal(
            found.peaks['covered'][away], measured.peaks['covered'][away]
        )

    def test_small_holes(self, field: Field, measured: Measured) -> None:
        """One pixel without data in the nine is enough."""
        xy = np.column_stack([measured.places['x'], measured.places['y']])
        x, y = np.floor(xy[::10] + 0.5).astype(int).T
        good = (x > 2) & (x < 253) & (y > 2) & (y < 253)
        x, y, ids = x[good], y[good], measured.places['id'][::10][good]
        assert len(ids) > 50
        assert measured.peaks['covered'][np.isin(field.members, ids)].all()
        for dx, dy, lost in ((0, 0, True), (1, 1, True), (-1, 0, True), (2, 0, False)):
            sci = field.combined.sci.copy()
            sci[y + dy, x + dx] = np.nan
            found = field.measure(replace(field.combined, sci=sci))
            covered = found.peaks['covered'][np.isin(field.members, ids)]
            assert np.mean(covered) == 0 if lost else np.mean(covered) > 0.9

    def test_none_covered(self, field: Field) -> None:
        """The cures are named."""
        nowhere = replace(field.combined, covered=np.ones((256, 256), dtype=np.int16))
        with pytest.raises(LabelError, match=r'covered by 2 .*lower --min-exposures'):
            field.measure(nowhere)


class TestPlaces:
    """Which places are embedded, and what is said of them."""

    def test_chosen(self, field: Field, measured: Measured) -> None:
        """Covered; with light, or a hit; no defects, and no noise."""
        chosen = measured.places
        peaks, of_peaks = field.dithered.peaks, measured.peaks
        assert len(chosen) == len(measured.cutouts) > 300
        assert len(np.unique(chosen['id'])) == len(chosen)
        n = len(field.places)
        covered = np.zeros(n, dtype=bool)
        covered[field.members] = of_peaks['covered']
        assert covered[chosen['id']].all()
        highest = np.full(n, -np.inf)
        np.maximum.at(highest, field.members, of_peaks['share'])
        np.testing.assert_array_equal(chosen['share'], highest[chosen['id']])
        charged = np.asarray(peaks['hot'] | peaks['stays'] | peaks['charged'])
        defect = np.bincount(field.members, charged) >= 0.5 * np.bincount(field.members)
        empty = np.asarray(chosen['share'] < SETTINGS.naming.absent)
        assert not defect[chosen['id'][empty]].any()
        hit = np.bincount(
            field.members,
            (of_peaks['share'] < SETTINGS.naming.absent)
            & (of_peaks['noise'] <= SETTINGS.naming.hit),
        )
        assert (hit[chosen['id'][empty]] > 0).all()
        report = measured.report
        assert report['places not empty'] == (~empty).sum()
        assert report['places empty'] == empty.sum()
        assert report['places that stay on the detector'] == defect.sum()
        fwhm = float(field.dithered.truths[0].fwhm)
        assert report['fwhm'] == pytest.approx(fwhm, rel=0.35)

    def test_light(self, field: Field, measured: Measured) -> None:
        """What is not empty has as much light as is asked."""
        places = measured.places
        xy = np.column_stack([places['x'], places['y']])
        light = CombinedImage(field.combined.sci).light(xy)
        empty = np.asarray(places['share'] < SETTINGS.naming.absent)
        assert (light[~empty] >= SETTINGS.peaks.min_snr).all()
        settings = replace(SETTINGS, peaks=PeakSettings(min_snr=100))
        few = field.measure(settings=settings).places
        assert set(few['id']) == set(places['id'][empty | (light >= 100)])
        assert len(few) < len(places)

    def test_names(self, field: Field, measured: Measured) -> None:
        """Places of stars are stars, those of rays are rays."""
        dithered = field.dithered
        row = np.full(len(field.places), -1)
        row[measured.places['id']] = np.arange(len(measured.places))
        physics = np.asarray(measured.places['physics'], dtype=str)
        for name in ('star', 'cosmic_ray'):
            rows = row[field.members[dithered.of_class(name)]]
            found = physics[rows[rows >= 0]]
            assert len(found) > 200
            assert np.mean(found == name) > 0.95

    def test_always(self, field: Field, measured: Measured) -> None:
        """Three quarters of the exposures that look find it, two at least."""
        places = measured.places
        assert set(places['n_found']) == {1, 2, 3, 4}
        covering = looking(field)[places['id']]
        np.testing.assert_array_equal(places['n_covering'], covering)
        fewest = np.array([0, 0, 2, 3, 3])[covering]
        always = np.asarray(places['n_found'] >= fewest)
        np.testing.assert_array_equal(places['always'], always)
        assert 50 < always.sum() < len(places) - 50

    def test_sample(self, field: Field, measured: Measured) -> None:
        """Of many places some; neither kind crowds out the other."""
        there, nothing = (
            measured.report[f'places {name}empty'] for name in ('not ', '')
        )
        assert min(there, nothing) > 120
        for samples in (100, 200):
            embedding = EmbeddingSettings(samples=samples, n_neighbors=5)
            few = field.measure(settings=replace(SETTINGS, embedding=embedding))
            empty = np.asarray(few.places['share'] < SETTINGS.naming.absent)
            assert len(few.places) == samples
            assert empty.sum() == samples // 2
            assert np.isin(few.places['id'], measured.places['id']).all()
            # Peaks are measured whether their places are embedded or not.
            assert len(few.peaks) == len(measured.peaks)
            other = replace(embedding, seed=1)
            again = field.measure(settings=replace(SETTINGS, embedding=other))
            assert set(again.places['id']) != set(few.places['id'])

    def test_no_wcs(self, field: Field) -> None:
        """Then there must be one chip of the image's shape."""
        plain = replace(field.combined, wcs=None)
        sky = field.places.copy()
        sky['ra'] = np.nan
        for places, combined in ((sky, field.combined), (field.places, plain)):
            with pytest.raises(LabelError, match=r'there are 4 of .*Give it a WCS'):
                replace(field, places=places).measure(combined)
