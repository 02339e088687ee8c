"""TweakReg, really run: on classified catalogues, and with its finder filtered."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from click.testing import CliRunner

from astrosieve.cli import main
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, ExposureError
from astrosieve_plugins.tweakreg_catalogs import (
    filtered_tweakreg,
    make_correctors,
    run_tweakreg,
    updating,
    write_catalogs,
)
from astrosieve_plugins.tweakreg_catalogs.aligning import in_whole_pixels
from astrosieve_plugins.tweakreg_catalogs.figures import match_figure, residual_figure
from astrosieve_plugins.tweakreg_catalogs.inputs import read_exposures
from astrosieve_plugins.tweakreg_catalogs.running import failed_alignment

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    drizzlepac_catalogs = pytest.importorskip('drizzlepac.catalogs')
    tweakwcs = pytest.importorskip('tweakwcs')

SETTINGS = {'minobj': 10, 'searchrad': 10.0, 'searchunits': 'pixels'}
FINDING = {'computesig': False, 'skysigma': 4.0, 'threshold': 8.0, 'conv_width': 2.4}
ORIGINAL = drizzlepac_catalogs.ImageCatalog.generateXY


@pytest.fixture(autouse=True)
def leaves_drizzlepac_alone() -> Any:
    """Whatever happened, TweakReg's finder is its own again, and so is the folder."""
    folder = Path.cwd()
    yield
    assert drizzlepac_catalogs.ImageCatalog.generateXY is ORIGINAL
    assert Path.cwd() == folder


@pytest.fixture
def options(tiny_model: Path) -> dict[str, Any]:
    return {'model': str(tiny_model), 'fwhm': 2.4, 'operating_point': 'balanced'}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / 'work'
    folder.mkdir()
    return folder


def place(field: Any, folder: Path) -> list[str]:
    """Link exposures into a folder; return their names."""
    for path in field.paths:
        (folder / path.name).symlink_to(path)
    return [path.name for path in field.paths]


def wcs_error(path: Path, true: list[WCS]) -> float:
    """Return by how much the WCS of a file is off, pixels, at worst."""
    x, y = (g.ravel() for g in np.meshgrid([20, 110, 200], [20, 100, 180]))
    worst = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for extver, wcs in enumerate(true, 1):
            sky = WCS(fits.getheader(path, ('SCI', extver))).all_pix2world(x, y, 0)
            there = wcs.all_world2pix(*sky, 0)
            worst = max(worst, float(np.hypot(there[0] - x, there[1] - y).max()))
    return worst


class TestCatalogFiles:
    """``TweakReg(catfile=write_catalogs(...))``."""

    @pytest.mark.parametrize('empty', [None, (1, 2)])
    def test_recovers_the_shift(
        self,
        empty: Any,
        make_alignable: Callable[..., Any],
        options: dict,
        work: Path,
        tmp_path: Path,
    ) -> None:
        """The known errors come back, also where a chip has no star."""
        field = make_alignable(3, empty_chip=empty)
        names = place(field, work)
        with ExitStack() as stack:
            stack.enter_context(pytest.MonkeyPatch.context()).chdir(work)
            catfile = write_catalogs(names, tmp_path, finder='peaks', **options)
        found, log = run_tweakreg(names, work, catfile=catfile, **SETTINGS)
        assert [each.status for each in found] == ['reference', 'aligned', 'aligned']
        for one, shift in zip(found[1:], ((2.3, -1.7), (-3.1, 0.8)), strict=True):
            assert one.shift == pytest.approx([-s for s in shift], abs=0.05)
            assert max(one.rms) < 0.1
            assert one.n_matches > 15
        assert 'Found' in log

    def test_matches_are_those_of_the_files(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """Rows of the matches point at positions of the chips."""
        field = make_alignable(2)
        names = place(field, work)
        with ExitStack() as stack:
            stack.enter_context(pytest.MonkeyPatch.context()).chdir(work)
            catfile = write_catalogs(names, work, finder='peaks', **options)
        found, _ = run_tweakreg(names, work, catfile=catfile, **SETTINGS)
        matches = found[1].matches
        for row in matches:
            stars = field.stars[1][row['extver'] - 1]
            offset = np.hypot(*(stars + 1 - (row['x'], row['y'])).T)
            assert offset.min() < 0.5
        lines = np.vstack(
            [np.loadtxt(work / f'{Path(names[1]).stem}_sci{i}.coo') for i in (1, 2)]
        )
        assert np.allclose(lines[matches['id']][:, 0], matches['x'], atol=1e-3)

    def test_quiet_and_in_its_folder(
        self,
        make_alignable: Callable[..., Any],
        work: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Nothing is printed, and an error of TweakReg is one of ours."""
        field = make_alignable(1)
        names = place(field, work)
        with pytest.raises(AstrosieveError, match=r'TweakReg gave up: .*gone\.list'):
            run_tweakreg(names, work, exclusions='gone.list', **SETTINGS)
        with pytest.raises(ExposureError, match=r'gone\.fits: no such file'):
            run_tweakreg([*names, 'gone.fits'], work, **SETTINGS)
        shown = capfd.readouterr()
        assert shown.out + shown.err == ''


class TestFilteredTweakreg:
    """TweakReg's own finder, filtered."""

    def test_keeps_stars(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """Hits that its finder takes are gone; the shift comes out."""
        field = make_alignable(2)
        names = place(field, work)
        before, _ = run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)
        with filtered_tweakreg(**options) as seen:
            after, _ = run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)
        assert sum(before[1].n_sources) > sum(after[1].n_sources) + 50
        n_true = sum(map(len, field.stars[1]))
        assert 0.8 * n_true < sum(after[1].n_sources) <= n_true
        assert after[1].shift == pytest.approx([-2.3, 1.7], abs=0.05)
        assert [(s.path.name, s.extver) for s in seen] == [
            (name, extver) for name in names for extver in (1, 2)
        ]
        assert [int(s.kept.sum()) for s in seen[2:]] == list(after[1].n_sources)

    def test_numbers_run_on(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """Matches name the chip that their stars lie on."""
        field = make_alignable(2)
        names = place(field, work)
        with filtered_tweakreg(**options) as seen:
            found, _ = run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)
        kept = np.concatenate([np.full(s.kept.sum(), s.extver) for s in seen[2:]])
        matches = found[1].matches
        assert set(matches['extver']) == {1, 2}
        assert np.array_equal(kept[matches['id']], matches['extver'])

    def test_chip_without_stars(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """TweakReg goes on where nothing of a chip is kept."""
        field = make_alignable(2, empty_chip=(1, 2))
        names = place(field, work)
        with filtered_tweakreg(min_stars=0, **options) as seen:
            found, _ = run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)
        assert not seen[3].kept.any()
        assert found[1].shift == pytest.approx([-2.3, 1.7], abs=0.05)

    def test_rescue_is_said(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """The warning is not swallowed with TweakReg's talk."""
        field = make_alignable(2)
        names = place(field, work)
        with (
            filtered_tweakreg(min_stars=100, **options),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter('always')
            run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)
        said = [str(w.message) for w in caught if w.category is AstrosieveWarning]
        assert len(said) == 4
        assert 'b_flc.fits[SCI,2]' in said[3]
        assert 'fewer than 50: 50 are kept by highest p_star' in said[3]

    def test_exclusions_and_inclusions(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """Regions of TweakReg act before the filter, chip by chip."""
        field = make_alignable(2)
        names = place(field, work)
        (work / 'out.reg').write_text('image\n-circle(110,100,70)\n')
        (work / 'in.reg').write_text('image\nbox(110,60,200,100,0)\n')
        (work / 'regions.list').write_text(
            f'{names[0]} out.reg\n{names[1]} None in.reg\n'
        )
        with filtered_tweakreg(min_stars=0, **options) as seen:
            run_tweakreg(
                names, work, imagefindcfg=FINDING, exclusions='regions.list',
                **{**SETTINGS, 'minobj': 3},
            )  # fmt: skip
        by_chip = {(s.path.name, s.extver): s.table for s in seen}
        x, y = (by_chip[names[0], 1][f'{axis}_centroid'] + 1 for axis in 'xy')
        assert len(x) > 20
        assert np.hypot(x - 110, y - 100).min() > 69
        assert by_chip[names[1], 2]['y_centroid'].max() < 111
        assert by_chip[names[0], 2]['y_centroid'].max() > 150

    def test_reference_image_with_its_own_settings(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """``refimagefindcfg`` finds, and the filter keeps, in the reference too."""
        field = make_alignable(2)
        names = place(field, work)
        with filtered_tweakreg(min_stars=0, **options) as seen:
            found, _ = run_tweakreg(
                [names[1]], work, refimage=names[0], imagefindcfg=FINDING,
                refimagefindcfg={**FINDING, 'threshold': 200.0}, **SETTINGS,
            )  # fmt: skip
        counts = {(s.path.name, s.extver): len(s.table) for s in seen}
        assert counts[names[0], 1] < counts[names[1], 1]
        assert found[0].shift == pytest.approx([-2.3, 1.7], abs=0.05)

    def test_subarray(
        self, make_alignable: Callable[..., Any], options: dict, work: Path
    ) -> None:
        """One chip, cut out of a frame of another size, aligns with the full one."""
        field = make_alignable(2)
        with fits.open(field.paths[1]) as hdus:
            part = fits.HDUList([hdus[0].copy()])
            for name in ('SCI', 'ERR', 'DQ'):
                hdu = hdus[name, 1].copy()
                hdu.data = hdu.data[10:190, 20:]
                if name == 'SCI':
                    hdu.header['CRPIX1'] -= 20
                    hdu.header['CRPIX2'] -= 10
                part.append(hdu)
            part.writeto(work / 'sub_flc.fits')
        (work / 'a_flc.fits').symlink_to(field.paths[0])
        with filtered_tweakreg(**options):
            found, _ = run_tweakreg(
                ['a_flc.fits', 'sub_flc.fits'], work, imagefindcfg=FINDING, **SETTINGS
            )
        assert found[1].shift == pytest.approx([-2.3, 1.7], abs=0.05)
        assert len(found[1].n_sources) == 1

    def test_nests(self, options: dict) -> None:
        """The innermost filters alone; the finder comes back when all have left."""
        finder = drizzlepac_catalogs.ImageCatalog
        with filtered_tweakreg(**options):
            outer = finder.generateXY
            with filtered_tweakreg(('cosmic_ray',), **options):
                assert finder.generateXY is outer
            assert finder.generateXY is not ORIGINAL
        assert finder.generateXY is ORIGINAL

    def test_contexts_may_end_out_of_order(self, options: dict) -> None:
        """None is left in place by another's end."""
        one, other = filtered_tweakreg(**options), filtered_tweakreg(**options)
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert drizzlepac_catalogs.ImageCatalog.generateXY is not ORIGINAL
        other.__exit__(None, None, None)
        assert drizzlepac_catalogs.ImageCatalog.generateXY is ORIGINAL

    def test_restores_after_an_error(self, options: dict) -> None:
        """Also when interrupted."""
        with pytest.raises(KeyboardInterrupt), filtered_tweakreg(**options):
            raise KeyboardInterrupt
        assert drizzlepac_catalogs.ImageCatalog.generateXY is ORIGINAL

    def test_says_when_drizzlepac_has_moved(
        self, options: dict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message names what is missing, and what to use instead."""
        monkeypatch.delattr(drizzlepac_catalogs, 'ImageCatalog')
        with (
            pytest.raises(AstrosieveError, match=r'ImageCatalog\.generateXY') as caught,
            filtered_tweakreg(**options),
        ):
            pass
        assert 'write_catalogs' in str(caught.value)
        monkeypatch.undo()

    def test_says_when_the_catalogue_is_another(
        self,
        options: dict,
        make_alignable: Callable[..., Any],
        work: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A finder that leaves something else behind is refused."""

        def other(self: Any, **kwargs: Any) -> None:
            self.xypos = [np.zeros(3)]
            self.num_objects = 3

        names = place(make_alignable(2), work)
        with monkeypatch.context() as patch:
            patch.setattr(drizzlepac_catalogs.ImageCatalog, 'generateXY', other)
            with (
                filtered_tweakreg(**options),
                pytest.raises(AstrosieveError, match=r'no ImageCatalog\.xypos'),
            ):
                run_tweakreg(names, work, imagefindcfg=FINDING, **SETTINGS)


def test_tweakwcs_correctors(make_alignable: Callable[..., Any], options: dict) -> None:
    """Correctors by chip, grouped by exposure, which align_wcs aligns."""
    field = make_alignable(2, empty_chip=(1, 2))
    correctors = make_correctors(field.names, finder='peaks', **options)
    assert [c.meta['group_id'] for c in correctors] == [1, 1, 2, 2]
    catalog = correctors[0].meta['catalog']
    found = np.column_stack([catalog['x'], catalog['y']])
    offsets = np.linalg.norm(field.stars[0][0][:, None] - found[None], axis=2)
    assert offsets.min(axis=1).max() < 0.5
    assert len(correctors[3].meta['catalog']) == 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        tweakwcs.align_wcs(
            correctors,
            fitgeom='rscale',
            match=tweakwcs.XYXYMatch(searchrad=10, tolerance=3, separation=5),
        )
    assert correctors[2].meta['fit_info']['status'] == 'SUCCESS'
    x, y = np.array([20.0, 200.0]), np.array([30.0, 170.0])
    for corrector, true in zip(correctors[2:], field.wcs[1], strict=True):
        there = true.all_world2pix(*corrector.wcs.all_pix2world(x, y, 0), 0)
        assert np.hypot(there[0] - x, there[1] - y).max() < 0.1


class TestCommand:
    """``astrosieve tweakreg``."""

    @pytest.fixture
    def run(self, tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
        """Run the command with the hand-made network."""

        def _run(*arguments: object, output: str = 'out') -> Any:
            return CliRunner().invoke(
                main,
                [
                    'tweakreg', *map(str, arguments), '-o', str(tmp_path / output),
                    '--model', str(tiny_model), '--operating-point', 'balanced',
                    '--fwhm', '2.4', '--minobj', '10', '--searchrad', '0.5',
                ],
            )  # fmt: skip

        return _run

    def test_exposures_are_safe(
        self, make_alignable: Callable[..., Any], run: Any
    ) -> None:
        """No output can be one of the exposures, even with --overwrite."""
        field = make_alignable(2)
        content = field.paths[0].read_bytes()
        result = run(*field.names, '--log', field.paths[0], '--overwrite')
        assert result.exit_code == 1
        assert 'is one of the inputs' in result.output
        assert field.paths[0].read_bytes() == content

    def test_table_and_pictures(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """Before and after for each exposure; no header is changed."""
        field = make_alignable(2)
        content = [path.read_bytes() for path in field.paths]
        result = run(*field.names, '--finder', 'peaks', '--log', tmp_path / 'log')
        assert result.exit_code == 0, result.output
        table = Table.read(tmp_path / 'out' / 'tweakreg.ecsv')
        assert list(table['exposure']) == ['a_flc', 'a_flc', 'b_flc', 'b_flc']
        assert list(table['stage']) == ['before', 'after'] * 2
        assert list(table['status'][2:]) == ['aligned', 'aligned']
        assert table['sources'][3] < table['sources'][2]
        assert table['dx'][3] == pytest.approx(-2.3, abs=0.05)
        assert table['dy'][3] == pytest.approx(1.7, abs=0.05)
        assert 'no header is changed' in result.output
        assert 'b_flc  after' in result.output
        for name in ('tweakreg_residuals.png', 'b_flc_matches.png'):
            start = (tmp_path / 'out' / name).read_bytes()[:8]
            assert start == b'\x89PNG\r\n\x1a\n'
        assert 'Performing fit' in (tmp_path / 'log').read_text()
        assert [path.read_bytes() for path in field.paths] == content
        assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
            'b_flc_matches.png',
            'tweakreg.ecsv',
            'tweakreg_residuals.png',
        ]

    def test_update_changes_headers_alone(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """WCS become true, pixels stay, and the original headers are kept."""
        field = make_alignable(3)
        before = []
        for path in field.paths:
            with fits.open(path) as hdus:
                before.append([(h.header.copy(), h.data) for h in hdus])
        listing = tmp_path / 'all.list'
        listing.write_text('a_flc.fits\nb_flc.fits\nc_flc.fits\n')
        result = run(f'@{listing}', '--finder', 'peaks', '--update', '--no-compare')
        assert result.exit_code == 0, result.output
        for number, path in enumerate(field.paths):
            assert wcs_error(path, field.wcs[number]) < (0.1 if number else 1e-6)
            with fits.open(path) as hdus:
                for (_, data), hdu in zip(before[number], hdus, strict=False):
                    assert data is None or np.array_equal(data, hdu.data)
            kept = path.with_name(f'{path.stem}_original.hdr').read_text()
            parts = [p for p in kept.split('# HDU ') if p.strip()]
            assert len(parts) == len(before[number])
            for part, (header, _) in zip(parts, before[number], strict=True):
                again = fits.Header.fromstring(part.partition('\n')[2], sep='\n')
                assert again.tostring() == header.tostring()
            headerlet = path.with_name(f'{path.stem}_original_hlet.fits')
            with fits.open(headerlet) as hdus:
                kept_pixel = hdus['SIPWCS', 1].header['CRPIX1']
            assert kept_pixel == pytest.approx(before[number][1][0]['CRPIX1'])
        assert not list(tmp_path.glob('.*'))

    def test_interrupted_update_changes_nothing(
        self,
        make_alignable: Callable[..., Any],
        run: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """All exposures are ready before the first is replaced."""
        field = make_alignable(2)
        content = [path.read_bytes() for path in field.paths]
        stage = updating._stage

        def broken(source: Path, path: Path) -> Path:
            if path.name.startswith('b'):
                raise OSError('disk full')
            return stage(source, path)

        monkeypatch.setattr(updating, '_stage', broken)
        result = run(*field.names, '--finder', 'peaks', '--update', '--no-compare')
        assert result.exit_code == 1
        assert 'disk full' in result.output
        assert [path.read_bytes() for path in field.paths] == content
        assert not list(tmp_path.glob('.*'))

    def test_own_finder_with_its_options(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """``--imagefindcfg`` and ``--exclusions`` choose TweakReg's own finder."""
        field = make_alignable(2)
        (tmp_path / 'out.reg').write_text('image\n-circle(110,100,50)\n')
        listing = tmp_path / 'regions.list'
        listing.write_text('a_flc.fits out.reg\nb_flc.fits None out.reg\n')
        finding = [f'--imagefindcfg={k}={v}' for k, v in FINDING.items()]
        plain = run(*field.names, *finding, output='plain')
        cut = run(*field.names, *finding, '--exclusions', listing, output='cut')
        assert plain.exit_code == cut.exit_code == 0, plain.output + cut.output
        tables = [
            Table.read(tmp_path / name / 'tweakreg.ecsv') for name in ('plain', 'cut')
        ]
        assert (tables[1]['sources'] < tables[0]['sources']).all()
        for table in tables:
            assert table['dx'][3] == pytest.approx(-2.3, abs=0.05)

    def test_reference_catalogue(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """One exposure is enough with a file of the sky."""
        field = make_alignable(2)
        sky = [
            w.pixel_to_world(*xy.T)
            for w, xy in zip(field.wcs[0], field.stars[0], strict=True)
        ]
        ra, dec = (
            np.concatenate([getattr(s, axis).deg for s in sky])
            for axis in ('ra', 'dec')
        )
        Table({'ra': ra, 'dec': dec}).write(tmp_path / 'ref.fits')
        result = run(
            field.names[1], '--finder', 'peaks', '--refcat', tmp_path / 'ref.fits',
            '--update',
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert wcs_error(field.paths[1], field.wcs[1]) < 0.1

    def test_different_sizes(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """A subarray aligns with a full frame; catalogues are written on request."""
        field = make_alignable(2)
        with fits.open(field.paths[1]) as hdus:
            part = fits.HDUList([hdus[0].copy(), hdus['SCI', 1].copy()])
            part[1].data = part[1].data[:, 30:]
            part[1].header['CRPIX1'] -= 30
            part.writeto(tmp_path / 'my sub.fits')
        result = run(
            field.names[0], tmp_path / 'my sub.fits', '--finder', 'peaks', '--catalogs'
        )
        assert result.exit_code == 0, result.output
        table = Table.read(tmp_path / 'out' / 'tweakreg.ecsv')
        assert table['dx'][3] == pytest.approx(-2.3, abs=0.05)
        assert (tmp_path / 'out' / 'my sub_sci1_rejected.coo').is_file()

    def test_what_cannot_be_aligned_is_said(
        self, make_alignable: Callable[..., Any], run: Any
    ) -> None:
        """Exit code 1, the exposure named, its header left alone."""
        field = make_alignable(2)
        other = make_alignable(1, names=('o',), seed=99)  # another sky, same place
        content = other.paths[0].read_bytes()
        result = run(
            *field.names, *other.names, '--finder', 'peaks', '--update', '--no-compare'
        )
        assert result.exit_code == 1
        assert 'not aligned: o_flc' in result.output
        assert other.paths[0].read_bytes() == content
        assert wcs_error(field.paths[1], field.wcs[1]) < 0.1

    @pytest.mark.parametrize(
        ('extra', 'code', 'message'),
        [
            (['--finder', 'none'], 2, 'must be one of'),
            (['--finder', 'dao', '--imagefindcfg', 'nsigma=2'], 2, '--finder tweakreg'),
            (['--imagefindcfg', 'nsigma'], 2, 'must be KEY=VALUE'),
            (['--set', 'soup=2'], 2, "no parameter 'soup'"),
            (['--set', 'updatehdr=True'], 2, 'the command sets it itself'),
            (['--refcat', 'a', '--gaia'], 2, 'not both'),
            (['--refcat', 'none.fits'], 1, 'no such file'),
            (['--exclusions', 'none.list'], 1, 'no such file'),
            (['--keep', 'soup'], 2, 'keep must name classes'),
            (['gone_flc.fits'], 1, 'no such file'),
            (['@gone.list'], 1, 'the list cannot be read'),
        ],
    )
    def test_refuses(
        self,
        extra: list[str],
        code: int,
        message: str,
        make_alignable: Callable[..., Any],
        run: Any,
        tmp_path: Path,
    ) -> None:
        """Each message names the cause; nothing is written."""
        field = make_alignable(2)
        result = run(*field.names, *extra)
        assert result.exit_code == code, result.output
        assert message in ' '.join(result.output.split())
        assert 'Traceback' not in result.output
        assert not list(tmp_path.glob('out/*'))

    def test_read_only_folder(
        self,
        make_alignable: Callable[..., Any],
        run: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Said before anything is computed, for results and for headers."""
        field = make_alignable(2)
        writable = os.access

        def access(path: Any, mode: int) -> bool:
            closed = os.fspath(path).startswith(str(tmp_path))
            return not (mode == os.W_OK and closed) and writable(path, mode)

        monkeypatch.setattr(os, 'access', access)
        result = run(*field.names)
        assert result.exit_code == 1
        assert 'cannot be written' in result.output
        monkeypatch.setattr(
            os,
            'access',
            lambda path, mode: 'flc' not in os.fspath(path) and writable(path, mode),
        )
        result = run(*field.names, '--update')
        assert result.exit_code == 1
        assert 'is read-only; make it writable' in result.output

    def test_compressed_exposures_are_not_updated(
        self, make_alignable: Callable[..., Any], run: Any, tmp_path: Path
    ) -> None:
        """They can be aligned, but their headers stay."""
        field = make_alignable(2)
        packed = tmp_path / 'p_flc.fits.gz'
        with fits.open(field.paths[1]) as hdus:
            hdus.writeto(packed)
        result = run(field.names[0], packed, '--finder', 'peaks', '--update')
        assert result.exit_code == 1
        assert 'unpack it' in result.output
        result = run(field.names[0], packed, '--finder', 'peaks', '--no-compare')
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ('options', 'pixels'),
    [
        ({}, 20),
        ({'searchrad': 0.51}, 11),
        ({'searchrad': 7.2, 'searchunits': 'pixels'}, 8),
        ({'searchrad': 9, 'searchunits': 'pixels'}, 9),
    ],
)
def test_search_radius_in_whole_pixels(
    options: dict, pixels: int, make_alignable: Callable[..., Any]
) -> None:
    """Any other shifts TweakReg's first guess; 0.05 arcsec to a pixel here."""
    exposures = read_exposures(make_alignable(1).paths)
    given = in_whole_pixels(options, exposures)
    assert given == {'searchrad': pixels, 'searchunits': 'pixels'}


def test_figures_of_nothing(make_alignable: Callable[..., Any]) -> None:
    """Without a fit there are no vectors, and the picture says so."""
    alone = {'before': [failed_alignment('a.fits')]}
    assert residual_figure(alone, {'a.fits': 'a'}) is None
    figure = match_figure(
        {1: np.random.default_rng(0).normal(size=(30, 40))},
        {'after': (failed_alignment('a.fits'), [])},
    )
    assert figure.axes[0].get_title(loc='left') == 'after: no fit'


@pytest.mark.parametrize('shape', [(512, 1024), (400, 400)])
def test_the_legend_of_matches_covers_no_title(shape: tuple[int, int]) -> None:
    """One legend below all panels; each says what was matched in it."""
    rng = np.random.default_rng(0)
    n = 60
    matches = Table(
        {
            'x': rng.uniform(1, shape[1], n),
            'y': rng.uniform(1, shape[0], n),
            'extver': np.resize([1, 2], n),
        }
    )
    one = replace(failed_alignment('a.fits'), status='aligned', matches=matches)
    names = np.resize(['star', 'star', 'cosmic_ray', 'cosmic_ray', 'spike', 'star'], n)
    figure = match_figure(
        {extver: rng.normal(size=shape) for extver in (1, 2)},
        {'before': (one, names), 'after': (one, ['star'] * n)},
    )
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        'star', 'cosmic ray', 'spike',
    ]  # fmt: skip
    texts = [axes.get_title(loc='left') for axes in figure.axes]
    assert texts[:2] == ['before: 30 matches on chip 2', 'after: 30 matches on chip 2']
    assert figure.axes[0].get_xlabel() == '20 star, 10 cosmic ray'
    labels = [
        label for axes in figure.axes for label in (axes.xaxis.label, axes._left_title)
    ]
    boxes = [each.get_window_extent(renderer) for each in (legend, *labels)]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
