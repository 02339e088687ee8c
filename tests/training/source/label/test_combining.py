"""Exposures checked, aligned by TweakReg and combined by AstroDrizzle, really run."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, DistortionLookupTable
from scipy.ndimage import maximum_filter

from astrosieve.exceptions import ExposureError
from astrosieve.images.background import measure_background
from astrosieve_training.source.label import aligning, drizzling
from astrosieve_training.source.label.aligning import align
from astrosieve_training.source.label.combined import Combined, read_combined
from astrosieve_training.source.label.drizzling import combine
from astrosieve_training.source.label.errors import CombiningError
from astrosieve_training.source.label.exposures import check_exposures

pytest.importorskip('galsim')
from astrosieve_training.simulate import load_camera
from astrosieve_training.simulate.exposure import (
    SimulatedExposure,
    simulate_dithered_set,
)

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    pytest.importorskip('drizzlepac')

SHAPE = (256, 256)
SUFFIXES = {'flc': 'flc', 'c0m': 'c0m', 'ground': 'img'}


@dataclass
class Field:
    """A dithered set, as files, with what was simulated."""

    paths: list[Path]
    exposures: list[SimulatedExposure]


def make_field(folder: Path, camera: str = 'wfc3-uvis-f814w', n: int = 4) -> Field:
    loaded = load_camera(camera)
    exposures = simulate_dithered_set(
        loaded, n, seed=11, shape=SHAPE, scene='globular', exptime=1230.0
    )
    paths = [folder / f'e{i}_{SUFFIXES[loaded.layout]}.fits' for i in range(n)]
    for path, exposure in zip(paths, exposures, strict=True):
        exposure.write(path)
    return Field(paths, exposures)


@pytest.fixture(scope='module')
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Four exposures of a globular cluster."""
    return make_field(tmp_path_factory.mktemp('field'))


@pytest.fixture(scope='module')
def combined(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Combined:
    """What AstroDrizzle made of them."""
    return read_combined(combine(field.paths, tmp_path_factory.mktemp('combined')))


@pytest.fixture
def edited(field: Field, tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a maker of copies, the second of which has other keywords."""

    def make(ext: int = 0, n: int = 2, **cards: Any) -> list[Path]:
        copies = []
        for number, path in enumerate(field.paths[:n]):
            copy = tmp_path / path.name
            with fits.open(path) as hdus:
                if number == 1:
                    for name, value in cards.items():
                        if value is None:
                            hdus[ext].header.remove(name, ignore_missing=True)
                        else:
                            hdus[ext].header[name] = value
                hdus.writeto(copy)
            copies.append(copy)
        return copies

    return make


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_combined(
    combined: Combined, exposure: SimulatedExposure, x: Any, y: Any
) -> np.ndarray:
    sky = exposure.wcs.all_pix2world(x, y, 0)
    return np.column_stack(combined.wcs.all_world2pix(*sky, 0))


def light_of(exposure: SimulatedExposure) -> np.ndarray:
    return sum(exposure.truth.planes[n] for n in ('star', 'spike', 'extended'))


def electrons(field: Field, combined: Combined) -> np.ndarray:
    """Return electrons above the true sky: a crowded field's is measured too high."""
    excess = [
        measure_background(e.sci).level - np.median(e.sci - light_of(e))
        for e in field.exposures
    ]
    return combined.sci * field.exposures[0].exptime + float(np.mean(excess))


def boxes(image: np.ndarray, xy: np.ndarray, size: int = 5) -> np.ndarray:
    """Return boxes about positions, rounded."""
    half = size // 2
    x, y = np.round(xy).astype(int).T
    step = np.arange(-half, half + 1)
    return image[y[:, None, None] + step[:, None], x[:, None, None] + step]


def within(combined: Combined, xy: np.ndarray, edge: int = 30) -> np.ndarray:
    ny, nx = combined.sci.shape
    inside = (xy[:, 0] > edge) & (xy[:, 0] < nx - edge)
    return inside & (xy[:, 1] > edge) & (xy[:, 1] < ny - edge)


class TestCombine:
    """AstroDrizzle, really run."""

    def test_frame(self, field: Field, combined: Combined) -> None:
        """The frame is the least that holds all, turned and scaled like the first."""
        xy = np.concatenate(
            [
                in_combined(combined, e, [0, 255, 255, 0], [0, 0, 255, 255])
                for e in field.exposures
            ]
        )
        ny, nx = combined.sci.shape
        assert xy.min() > -0.5
        assert xy.min(axis=0) == pytest.approx([1, 1], abs=1.5)
        assert xy.max(axis=0) == pytest.approx([nx - 2, ny - 2], abs=1.5)
        first = xy[1] - xy[0]
        assert first == pytest.approx([255, 0], abs=0.01)
        assert combined.scale == 1.0
        assert combined.n_exposures == 4

    def test_stars_keep_their_light(self, field: Field, combined: Combined) -> None:
        """Also the cores of bright ones: 1 % in the median, 10 % at worst."""
        exposure = field.exposures[0]
        stars = exposure.truth.stars
        xy = in_combined(combined, exposure, stars['x'], stars['y'])
        struck = np.zeros(combined.sci.shape, dtype=bool)
        for each in field.exposures:
            y, x = np.nonzero(each.truth.planes['cosmic_ray'] > 30)
            column, row = np.round(in_combined(combined, each, x, y)).astype(int).T
            struck[row, column] = True
        image, light = electrons(field, combined), light_of(exposure)
        there = np.column_stack([stars['x'], stars['y']])
        good = within(combined, xy) & (np.asarray(stars['snr']) > 30)
        good &= within(combined, there)
        good[good] &= ~boxes(struck, xy[good]).any(axis=(1, 2))
        # Alone, or rounded positions would take in others.
        around = boxes(light, there[good], 9).sum(axis=(1, 2))
        good[good] &= around < 1.1 * np.asarray(stars['flux'])[good]
        assert good.sum() > 15

        def ratio(size: int) -> np.ndarray:
            seen = boxes(image, xy[good], size).sum(axis=(1, 2))
            return seen / boxes(light, there[good], size).sum(axis=(1, 2))

        assert np.median(ratio(9)) == pytest.approx(1, abs=0.01)
        assert ratio(5).min() > 0.9

    def test_saturated_stars_are_no_holes(
        self, field: Field, combined: Combined
    ) -> None:
        """All exposures contribute to the cores of saturated stars."""
        exposure = field.exposures[0]
        stars = exposure.truth.stars[exposure.truth.stars['saturated']]
        xy = in_combined(combined, exposure, stars['x'], stars['y'])
        xy = xy[within(combined, xy)]
        assert len(xy) > 0
        assert np.isfinite(boxes(combined.sci, xy)).all()
        assert boxes(combined.count, xy, 3).min() >= 3

    def test_cosmic_rays_are_gone(self, field: Field, combined: Combined) -> None:
        """Of their charge less than 1 % is left where nothing else is."""
        left = fallen = 0.0
        image = electrons(field, combined)
        for exposure in field.exposures:
            ray, light = exposure.truth.planes['cosmic_ray'], light_of(exposure)
            y, x = np.nonzero((ray > 100) & (maximum_filter(light, 5) < 20))
            xy = in_combined(combined, exposure, x, y)
            inside = within(combined, xy) & np.isfinite(boxes(image, xy, 1)).ravel()
            column, row = np.round(xy[inside]).astype(int).T
            left += float((image[row, column] - light[y, x][inside]).sum())
            fallen += float(ray[y, x][inside].sum()) / len(field.exposures)
        assert fallen > 2e4
        assert abs(left) < 0.01 * fallen

    def test_counts(self, field: Field, combined: Combined) -> None:
        """Covered is what the outlines say; hits take exposures out of the count."""
        yy, xx = np.indices(combined.sci.shape)
        expected = np.zeros(combined.sci.shape, dtype=int)
        edge = np.zeros(combined.sci.shape, dtype=bool)
        for exposure in field.exposures:
            sky = combined.wcs.all_pix2world(xx.ravel(), yy.ravel(), 0)
            x, y = (p.reshape(xx.shape) for p in exposure.wcs.all_world2pix(*sky, 0))
            depth = np.minimum(np.minimum(x, 255 - x), np.minimum(y, 255 - y))
            expected += depth > -0.5
            edge |= np.abs(depth + 0.5) < 1.5
            bad = (exposure.dq & (1 | 2 | 4 | 16 | 32 | 64)) != 0
            by, bx = np.nonzero(bad)
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    column, row = (
                        np.round(in_combined(combined, exposure, bx, by)).astype(int).T
                    )
                    row = np.clip(row + dy, 0, edge.shape[0] - 1)
                    edge[row, np.clip(column + dx, 0, edge.shape[1] - 1)] = True
        assert (~edge).sum() > 40_000
        np.testing.assert_array_equal(combined.covered[~edge], expected[~edge])
        assert (combined.count <= combined.covered).all()
        full = combined.covered == 4
        assert 0.6 < (combined.count[full] == 4).mean() < 0.95
        np.testing.assert_array_equal(np.isnan(combined.sci), combined.count == 0)

    def test_leaves_nothing_else(self, field: Field, tmp_path: Path) -> None:
        """One file; the exposures, the folder and the working folder as before."""
        before = [path.read_bytes() for path in field.paths[:2]]
        here = Path.cwd()
        path = combine(field.paths[:2], tmp_path / 'stages')
        assert path == tmp_path / 'stages' / 'combined.fits'
        assert names_in(path.parent) == ['combined.fits']
        assert [p.read_bytes() for p in field.paths[:2]] == before
        assert Path.cwd() == here
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ['PRIMARY', 'SCI', 'COUNT', 'COVERED']
            assert hdus[0].header['EXP0002'] == 'e1_flc.fits'
            assert hdus['SCI'].header['BUNIT'] == 'ELECTRONS/S'

    @pytest.mark.parametrize(
        'camera', ['ground-moffat', 'wfpc2-pc-f336w', 'wfc3-ir-f160w']
    )
    def test_any_camera(self, camera: str, tmp_path: Path) -> None:
        """Counts without DQ, one primary image, rates: stars are where they were."""
        field = make_field(tmp_path, camera, 3)
        combined = read_combined(combine(field.paths, tmp_path / 'stages'))
        exposure = field.exposures[0]
        stars = exposure.truth.stars
        good = (np.asarray(stars['snr']) > 100) & ~np.asarray(stars['saturated'])
        xy = in_combined(combined, exposure, stars['x'], stars['y'])
        good &= within(combined, xy)
        good[good] &= np.isfinite(boxes(combined.sci, xy[good])).all(axis=(1, 2))
        assert good.sum() > 5
        seen = boxes(combined.sci, xy[good]).sum(axis=(1, 2)) * exposure.exptime
        there = np.column_stack([stars['x'], stars['y']])[good]
        true = boxes(light_of(exposure), there).sum(axis=(1, 2))
        assert np.median(seen / true) == pytest.approx(1, abs=0.1)

    def test_tables_of_the_wcs_count(self, field: Field, tmp_path: Path) -> None:
        """Distortion in lookup tables moves what is drizzled."""
        paths = []
        for path in field.paths[:2]:
            with fits.open(path) as hdus:
                wcs = WCS(hdus['SCI'].header)
                for name, by in (('cpdis1', 20.0), ('cpdis2', 0.0)):
                    table = np.full((3, 3), by, dtype=np.float32)
                    lookup = DistortionLookupTable(table, (1, 1), (1, 1), (128, 128))
                    setattr(wcs, name, lookup)
                primary, *lookups = wcs.to_fits(relax=True)
                primary.header['BUNIT'] = 'ELECTRONS'
                hdus[1] = fits.ImageHDU(hdus[1].data, primary.header, name='SCI')
                hdus += lookups
                paths.append(tmp_path / path.name)
                hdus.writeto(paths[-1])
        exposure = field.exposures[0]
        combined = read_combined(combine(paths, tmp_path / 'stages'))
        brightest = exposure.truth.stars[np.argsort(exposure.truth.stars['flux'])[-30:]]
        x, y = np.asarray(brightest['x']), np.asarray(brightest['y'])
        # Pixel (x, y) is on the sky where (x + 20, y) would be without the table.
        xy = in_combined(combined, exposure, x + 20, y)
        good = within(combined, xy)
        assert good.sum() > 10
        level = np.nanpercentile(combined.sci, 98)
        assert np.mean(boxes(combined.sci, xy[good], 3).max(axis=(1, 2)) > level) > 0.9

    def test_failure_is_explained(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What AstroDrizzle said last, with the user's names; nothing is left."""
        monkeypatch.setitem(drizzling._DRIZZLE_OPTIONS, 'driz_cr_snr', 'high low')
        with pytest.raises(
            CombiningError, match=r"e0_flc.fits, e1_flc.fits: .*'high'.*--combined"
        ):
            combine(field.paths[:2], tmp_path)
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize('error', [KeyboardInterrupt, MemoryError])
    def test_interrupted(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
    ) -> None:
        """Nothing is left of a run that was broken off; an older result stays."""
        (tmp_path / 'combined.fits').write_text('older', encoding='utf-8')

        def stop(*args: Any, cwd: Path, **kwargs: Any) -> None:
            (cwd / 'e0000_single_sci.fits').write_text('half', encoding='utf-8')
            raise error

        monkeypatch.setattr(subprocess, 'run', stop)
        with pytest.raises(error):
            combine(field.paths[:2], tmp_path)
        assert names_in(tmp_path) == ['combined.fits']
        assert (tmp_path / 'combined.fits').read_text(encoding='utf-8') == 'older'

    def test_killed(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that the system ended is no result."""
        program = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'
        monkeypatch.setattr(drizzling, '_PROGRAM', program)
        with pytest.raises(CombiningError, match='signal 9; is there enough memory'):
            combine(field.paths[:2], tmp_path)

    def test_without_drizzlepac(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The extra is named."""
        monkeypatch.setattr(drizzling, 'find_spec', lambda name: None)
        with pytest.raises(CombiningError, match=r'pip install .*train.*--combined'):
            combine(field.paths, tmp_path)

    def test_no_usable_pixel(
        self, edited: Callable[..., list[Path]], tmp_path: Path
    ) -> None:
        """An exposure that is all bad is named."""
        paths = edited()
        with fits.open(paths[1], mode='update') as hdus:
            hdus['DQ'].data[:] = 4
        with pytest.raises(CombiningError, match=r'e1_flc.*no usable pixel; leave'):
            combine(paths, tmp_path / 'stages')


class TestChecks:
    """Exposures that cannot be labelled together."""

    def test_good(self, field: Field) -> None:
        """What is known of good ones."""
        found = check_exposures(field.paths, combined=False)
        assert [e.path for e in found] == field.paths
        first = found[0]
        assert (first.camera, first.filter_name) == ('WFC3/UVIS', 'F814W')
        assert first.exptime == 1230
        assert [c.shape for c in first.chips] == [SHAPE]
        assert first.chips[0].electrons_per_unit == 1

    @pytest.mark.parametrize('n', [0, 1])
    def test_too_few(self, field: Field, n: int) -> None:
        """One exposure is enough only beside a combined image."""
        with pytest.raises(CombiningError, match=r'Give two or more .* --combined'):
            check_exposures(field.paths[:n], combined=False)

    def test_one_with_an_image(self, edited: Callable[..., list[Path]]) -> None:
        """Then it needs neither WCS nor exposure time."""
        path = edited(1, CTYPE1=None)[1]
        with fits.open(path, mode='update') as hdus:
            del hdus[0].header['EXPTIME']
        (found,) = check_exposures([path], combined=True)
        assert found.chips[0].wcs is None
        assert found.exptime is None

    def test_twice(self, field: Field, tmp_path: Path) -> None:
        """By path, by link, by name and by what the header says."""
        first = field.paths[0]
        with pytest.raises(CombiningError, match=r'e0_flc.fits: given twice'):
            check_exposures([first, first], combined=False)
        link = tmp_path / 'other_flc.fits'
        link.symlink_to(first)
        with pytest.raises(CombiningError, match=r'other_flc.fits: given twice'):
            check_exposures([first, link], combined=False)
        same_name = tmp_path / 'e0_flc.fits'
        same_name.write_bytes(field.paths[1].read_bytes())
        with pytest.raises(CombiningError, match=r'the same name.*rename one'):
            check_exposures([first, same_name], combined=False)
        again = tmp_path / 'again_flt.fits'
        again.write_bytes(first.read_bytes())
        with pytest.raises(CombiningError, match=r'are the same exposure.*Leave one'):
            check_exposures([first, again], combined=False)

    @pytest.mark.parametrize(
        ('ext', 'cards', 'message'),
        [
            (
                0,
                {'FILTER': 'F336W'},
                r'2 filters \(F814W: e0_flc.fits, e2_flc.fits; F336W: e1_flc.fits\)',
            ),
            (0, {'DETECTOR': 'IR'}, r'2 cameras \(WFC3/UVIS: .*; WFC3/IR: e1_flc'),
            (0, {'FILTER': None, 'FILTER1': None}, 'none named: e1_flc'),
            (0, {'EXPTIME': None}, r'e1_flc.fits\[SCI,1\]: has no exposure time'),
            (1, {'CTYPE1': None}, r'e1_flc.fits\[SCI,1\]: has no celestial WCS'),
            (1, {'CRVAL1': 201.0}, r'2 fields \(e0_flc.fits, e2_flc.fits; e1_flc'),
            (1, {'CRVAL1': 21.69, 'CRVAL2': 47.48}, '2 fields .*check their WCS'),
            (1, {'BUNIT': None}, r'e1_flc.fits\[SCI,1\]: has no unit .*set BUNIT'),
            (1, {'BUNIT': 'Jy'}, r'in calibrated flux \(Jy\).*take a file'),
        ],
    )
    def test_refused(
        self,
        edited: Callable[..., list[Path]],
        ext: int,
        cards: dict[str, Any],
        message: str,
    ) -> None:
        """Each with its cause and its cure."""
        with pytest.raises(CombiningError, match=message):
            check_exposures(edited(ext, 3, **cards), combined=False)

    def test_counts_without_gain(self, edited: Callable[..., list[Path]]) -> None:
        """Counts are no electrons."""
        paths = edited(1, BUNIT='COUNTS')
        with fits.open(paths[1], mode='update') as hdus:
            for name in ('CCDGAIN', *(f'ATODGN{a}' for a in 'ABCD')):
                del hdus[0].header[name]
        with pytest.raises(CombiningError, match=r'is in DN and has no gain.*set GAIN'):
            check_exposures(paths, combined=False)

    def test_truncated(self, edited: Callable[..., list[Path]]) -> None:
        """A file that breaks off is named by its reader."""
        paths = edited()
        paths[1].write_bytes(paths[1].read_bytes()[:200_000])
        with pytest.raises(ExposureError, match=r'e1_flc.fits: the file is truncated'):
            check_exposures(paths, combined=False)


class TestAlign:
    """TweakReg, as it is registered, really run."""

    def test_recovers_shifts(
        self, edited: Callable[..., list[Path]], tmp_path: Path
    ) -> None:
        """The shift is found to a twentieth of a pixel, in a copy."""
        paths = edited()
        true = WCS(fits.getheader(paths[1], 1))
        with fits.open(paths[1], mode='update') as hdus:
            hdus['SCI'].header['CRPIX1'] += 4.0
            hdus['SCI'].header['CRPIX2'] -= 2.5
        before = paths[1].read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            aligned = align(paths, tmp_path / 'stages')
        assert [p.name for p in aligned] == ['e0_flc.fits', 'e1_flc.fits']
        assert names_in(tmp_path / 'stages') == ['aligned']
        assert paths[1].read_bytes() == before
        sky = WCS(fits.getheader(aligned[1], 1)).all_pix2world(128, 128, 0)
        assert true.all_world2pix(*sky, 0) == pytest.approx([128, 128], abs=0.05)

    @pytest.mark.parametrize('suffix', ['.gz', '.fz'])
    def test_compressed(self, field: Field, tmp_path: Path, suffix: str) -> None:
        """Copies are unpacked."""
        packed = tmp_path / f'e0_flc.fits{suffix}'
        with fits.open(field.paths[0]) as hdus:
            if suffix == '.fz':
                for number, hdu in enumerate(hdus[1:], 1):
                    hdus[number] = fits.CompImageHDU(
                        hdu.data,
                        hdu.header,
                        compression_type='GZIP_2',
                        quantize_level=0,
                    )
            hdus.writeto(packed)
        aligned = align([packed, field.paths[1]], tmp_path / 'stages')
        assert aligned[0].name == 'e0_flc.fits'
        np.testing.assert_array_equal(
            fits.getdata(aligned[0], 1), fits.getdata(field.paths[0], 1)
        )

    def test_cannot(
        self,
        edited: Callable[..., list[Path]],
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """The exposure is named, with the cure; nothing is printed or left."""
        paths = edited(n=3)
        with fits.open(paths[1], mode='update') as hdus:
            rng = np.random.default_rng(0)
            hdus['SCI'].data[:] = rng.normal(50, 5, SHAPE)
        with pytest.raises(CombiningError, match=r'not aligned: e1_flc.*--aligned'):
            align(paths, tmp_path / 'stages')
        assert capfd.readouterr() == ('', '')
        assert names_in(tmp_path / 'stages') == []

    def test_interrupted(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Control-C stays what it is."""

        def stop(paths: list[Path], folder: Path) -> list[Path]:
            (folder / 'half.fits').write_bytes(b'half')
            raise KeyboardInterrupt

        monkeypatch.setattr(aligning, 'find_aligner', lambda: stop)
        with pytest.raises(KeyboardInterrupt):
            align(field.paths, tmp_path)
        assert names_in(tmp_path) == []

    def test_not_registered(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What to install is said."""
        monkeypatch.setattr(aligning.metadata, 'entry_points', lambda **given: ())
        with pytest.raises(
            CombiningError, match=r'pip install .*\[tweakreg\].*--aligned'
        ):
            align(field.paths, tmp_path)


class TestReadCombined:
    """Images of the user's own."""

    def write(self, path: Path, *hdus: fits.ImageHDU) -> Path:
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
        return path

    def test_plain_image(self, field: Field, tmp_path: Path) -> None:
        """Where it has data it counts as covered; twice the pixel, twice the scale."""
        sci = np.ones((20, 30), dtype=np.float32)
        sci[:, :5] = np.nan
        wcs = field.exposures[0].wcs.deepcopy()
        wcs.wcs.cd = 2 * wcs.wcs.cd
        path = self.write(tmp_path / 'median.fits', fits.ImageHDU(sci, wcs.to_header()))
        found = read_combined(path, field.exposures[0].wcs)
        assert found.scale == pytest.approx(2)
        assert found.n_exposures == 0
        np.testing.assert_array_equal(found.covered, np.where(np.isnan(sci), 0, 2))

    def test_without_wcs(self, field: Field, tmp_path: Path) -> None:
        """Then its pixels are those of the exposure."""
        path = tmp_path / 'median.fits'
        fits.PrimaryHDU(np.ones((8, 9))).writeto(path)
        found = read_combined(path, field.exposures[0].wcs)
        assert found.wcs is None
        assert found.scale == 1
        assert found.sci.dtype == np.float32

    def test_drizzled(self, tmp_path: Path) -> None:
        """No weight is no data; bits of the chips of an exposure count once."""
        context = np.zeros((2, 40, 50), dtype=np.int32)
        context[0, :, 10:] |= 0b0001
        context[0, :, 5:30] |= 0b0010  # the other chip of the same exposure
        context[0, :, 10:] |= -(2**31)
        context[1, :, 10:] |= 0b1
        context[0, 20:23, 20:24] &= 2**31 - 1  # a cosmic ray was there
        weight = (context != 0).any(axis=0).astype(np.float32)
        header = fits.Header()
        for bit in range(33):
            header[f'D{bit + 1:03d}DATA'] = f'x{bit}_flc.fits[sci,1]'
        header['D001DATA'], header['D002DATA'] = (
            'a_flc.fits[sci,1]',
            'a_flc.fits[sci,2]',
        )
        path = self.write(
            tmp_path / 'x_drc.fits',
            fits.ImageHDU(weight + 7, header, name='SCI'),
            fits.ImageHDU(weight, name='WHT'),
            fits.ImageHDU(context, name='CTX'),
        )
        found = read_combined(path)
        assert found.n_exposures == 3
        expected = np.zeros((40, 50), dtype=int)
        expected[:, 5:] = 1
        expected[:, 10:] = 3
        np.testing.assert_array_equal(found.covered, expected)
        expected[20:23, 20:24] = 2
        np.testing.assert_array_equal(found.count, expected)
        np.testing.assert_array_equal(np.isnan(found.sci), expected == 0)

    def test_refused(self, field: Field, tmp_path: Path) -> None:
        """Exposures of two chips, and empty images, are no combined images."""
        two = [fits.ImageHDU(np.ones((5, 5)), name='SCI', ver=i) for i in (1, 2)]
        path = self.write(tmp_path / 'two.fits', *two)
        with pytest.raises(
            CombiningError, match='has 2 SCI extensions, as an exposure'
        ):
            read_combined(path)
        path = self.write(tmp_path / 'nan.fits', fits.ImageHDU(np.full((5, 5), np.nan)))
        with pytest.raises(CombiningError, match='no pixel with data'):
            read_combined(path)
        with pytest.raises(ExposureError, match='no such file'):
            read_combined(tmp_path / 'none.fits')
