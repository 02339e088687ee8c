"""Exposures combined by AstroDrizzle, really run."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, DistortionLookupTable
from scipy.ndimage import maximum_filter

from astrosieve.images.background import measure_background
from astrosieve_training.source.label import drizzling
from astrosieve_training.source.label.combined import Combined, read_combined
from astrosieve_training.source.label.drizzling import combine
from astrosieve_training.source.label.errors import CombiningError

pytest.importorskip('galsim')
from astrosieve_training.simulate.exposure import SimulatedExposure

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    pytest.importorskip('drizzlepac')


@pytest.fixture(scope='module')
def combined(field: Any, tmp_path_factory: pytest.TempPathFactory) -> Combined:
    """What AstroDrizzle made of them."""
    return read_combined(combine(field.paths, tmp_path_factory.mktemp('combined')))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_combined(
    combined: Combined, exposure: SimulatedExposure, x: Any, y: Any
) -> np.ndarray:
    sky = exposure.wcs.all_pix2world(x, y, 0)
    return np.column_stack(combined.wcs.all_world2pix(*sky, 0))


def light_of(exposure: SimulatedExposure) -> np.ndarray:
    return sum(exposure.truth.planes[n] for n in ('star', 'spike', 'extended'))


def electrons(field: Any, combined: Combined) -> np.ndarray:
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

    def test_frame(self, field: Any, combined: Combined) -> None:
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

    def test_stars_keep_their_light(self, field: Any, combined: Combined) -> None:
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

    def test_saturated_stars_are_no_holes(self, field: Any, combined: Combined) -> None:
        """All exposures contribute to the cores of saturated stars."""
        exposure = field.exposures[0]
        stars = exposure.truth.stars[exposure.truth.stars['saturated']]
        xy = in_combined(combined, exposure, stars['x'], stars['y'])
        xy = xy[within(combined, xy)]
        assert len(xy) > 0
        assert np.isfinite(boxes(combined.sci, xy)).all()
        assert boxes(combined.count, xy, 3).min() >= 3

    def test_cosmic_rays_are_gone(self, field: Any, combined: Combined) -> None:
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

    def test_counts(self, field: Any, combined: Combined) -> None:
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

    def test_leaves_nothing_else(self, field: Any, tmp_path: Path) -> None:
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
    def test_any_camera(
        self, make_field: Callable[..., Any], camera: str, tmp_path: Path
    ) -> None:
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

    def test_tables_of_the_wcs_count(self, field: Any, tmp_path: Path) -> None:
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
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
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
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that the system ended is no result."""
        program = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'
        monkeypatch.setattr(drizzling, '_PROGRAM', program)
        with pytest.raises(CombiningError, match='signal 9; is there enough memory'):
            combine(field.paths[:2], tmp_path)

    def test_without_drizzlepac(
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
