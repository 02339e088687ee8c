"""Classified catalogues for TweakReg: files, choice of rows, inputs, references."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from photutils.utils.exceptions import NoDetectionsWarning

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import (
    AstrosieveError,
    AstrosieveWarning,
    CatalogError,
    ExposureError,
    ModelError,
    OutputError,
)
from astrosieve.tables.catalogs import positions
from astrosieve.tables.coordinate_files import read_coordinates
from astrosieve_plugins.tweakreg_catalogs import catalog_files, write_catalogs
from astrosieve_plugins.tweakreg_catalogs.inputs import (
    check_overlap,
    expand_lists,
    lay_out,
    read_exposures,
)
from astrosieve_plugins.tweakreg_catalogs.references import (
    fetch_gaia,
    read_reference,
    sky_positions,
    write_reference,
)
from astrosieve_plugins.tweakreg_catalogs.selection import make_selection

DATA = Path(__file__).parents[2] / 'data'


@pytest.fixture
def options(tiny_model: Path) -> dict[str, Any]:
    """Options of the hand-made network: its 'pure' keeps clear stars alone."""
    return {
        'model': str(tiny_model),
        'finder': 'peaks',
        'fwhm': 2.4,
        'operating_point': 'balanced',
    }


def nearest(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the distance of each found position to the next true one."""
    return np.hypot(*(found[:, None] - true[None]).transpose(2, 0, 1)).min(axis=1)


class TestWriteCatalogs:
    """Files for ``TweakReg(catfile=...)``."""

    def test_stars_alone_one_based(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """Each chip's file holds its stars, 1-based, and none of the hits."""
        field = make_alignable()
        out = tmp_path / 'out'
        out.mkdir()
        catfile = write_catalogs(field.names, out, **options)
        lines = [line.split() for line in Path(catfile).read_text().splitlines()]
        assert [line[0] for line in lines] == field.names
        for stars, line in zip(field.stars, lines, strict=True):
            assert len(line) == 3
            for true, name in zip(stars, line[1:], strict=True):
                raw = np.loadtxt(name)
                assert len(raw) >= 0.9 * len(true)
                assert nearest(raw[:, :2] - 1, true).max() < 0.5
                assert (raw[:, 2] > 0).all()

    def test_headers_name_model_and_settings(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """Comments say what made the file."""
        field = make_alignable(1)
        write_catalogs(field.names, tmp_path, **options)
        meta = read_coordinates(tmp_path / 'a_flc_sci2.coo').meta
        assert meta['model'].startswith('tiny ')
        assert meta['finder'] == 'peaks'
        assert meta['operating_point'] == 'balanced'
        assert meta['extver'] == '2'
        assert meta['exposure'] == 'a_flc.fits'

    def test_rejected_rows_beside_the_kept(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """Kept and rejected together are all detections; hits are among the latter."""
        field = make_alignable(1)
        seen = []
        write_catalogs(
            field.names, tmp_path, rejected=True, on_exposure=seen.append, **options
        )
        kept = read_coordinates(tmp_path / 'a_flc_sci1.coo')
        rejected = read_coordinates(tmp_path / 'a_flc_sci1_rejected.coo')
        assert len(kept) + len(rejected) == len(seen[0].rows(1, None))
        assert len(rejected) > 30
        assert nearest(positions(rejected), field.stars[0][0]).min() > 1
        line = (tmp_path / 'a_flc_sci1_rejected.coo').read_text().splitlines()[-1]
        assert line.split()[3] == 'cosmic_ray'

    def test_chip_without_stars_gets_a_line_off_the_chip(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """TweakReg cannot read an empty file; no two such lines agree."""
        places = []
        for number in range(2):
            folder = tmp_path / f'{number}'
            folder.mkdir()
        field = make_alignable(2, n_hits=0, empty_chip=(0, 2))
        other = make_alignable(2, n_hits=0, empty_chip=(1, 2), names=('d', 'e'), seed=8)
        names = [field.names[0], other.names[1]]
        with pytest.warns(NoDetectionsWarning):
            write_catalogs(names, tmp_path / '0', min_stars=0, **options)
        for name in ('a_flc_sci2.coo', 'e_flc_sci2.coo'):
            table = read_coordinates(tmp_path / '0' / name)
            assert len(table) == 1
            assert 'off the chip' in table.meta['empty']
            places.append(positions(table)[0])
            assert (places[-1] < -100).all()
        assert np.hypot(*(places[0] - places[1])) > 30

    def test_existing_files_are_kept(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """Nothing is replaced unasked, and then nothing is written."""
        field = make_alignable(2)
        (tmp_path / 'b_flc_sci1.coo').write_text('mine')
        with pytest.raises(OutputError, match=r'b_flc_sci1\.coo: exists'):
            write_catalogs(field.names, tmp_path, **options)
        assert not list(tmp_path.glob('a_flc*.coo'))
        assert not list(tmp_path.glob('*.list'))
        write_catalogs(field.names, tmp_path, overwrite=True, **options)
        assert (tmp_path / 'b_flc_sci1.coo').read_text() != 'mine'

    def test_interrupted_half_way_leaves_no_list(
        self,
        make_alignable: Callable[..., Any],
        options: dict,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The list is written last, and an old one goes first; no file is partial."""
        field = make_alignable(2)
        write_catalogs(field.names, tmp_path, **options)
        done = []

        def write(*args: Any, **kwargs: Any) -> None:
            if done:
                with atomic_path(args[1], overwrite=True) as path:
                    path.write_text('half')
                    raise KeyboardInterrupt
            done.append(args[1])

        monkeypatch.setattr(catalog_files, 'write_coordinates', write)
        with pytest.raises(KeyboardInterrupt):
            write_catalogs(field.names, tmp_path, overwrite=True, **options)
        assert not list(tmp_path.glob('*.list'))
        assert all('half' not in p.read_text() for p in tmp_path.glob('*.coo'))
        assert not list(tmp_path.glob('.*'))

    def test_names_that_tweakreg_would_split(
        self, make_alignable: Callable[..., Any], options: dict, tmp_path: Path
    ) -> None:
        """Blanks in paths, and roots that collide, are refused with the cure."""
        field = make_alignable(1)
        with pytest.raises(CatalogError, match='splits its lists at blanks'):
            write_catalogs(['my exposure.fits'], tmp_path, **options)
        with pytest.raises(CatalogError, match='several exposures are called a_flc'):
            write_catalogs([*field.names, 'x/a_flc.fits'], tmp_path, **options)
        with pytest.raises(CatalogError, match='at least one'):
            write_catalogs([], tmp_path, **options)

    @pytest.mark.parametrize(
        ('change', 'error', 'message'),
        [
            ({'keep': ('galaxy',)}, ModelError, 'keep must name classes of tiny'),
            ({'keep': ()}, ModelError, 'keep must name classes'),
            ({'operating_point': 'best'}, ModelError, 'best'),
            ({'min_stars': -1}, ValueError, 'min_stars must be 0 or more'),
        ],
    )
    def test_refuses(
        self,
        change: dict,
        error: type,
        message: str,
        options: dict,
        tmp_path: Path,
    ) -> None:
        """Wrong options are refused before any file is read."""
        with pytest.raises(error, match=message):
            write_catalogs(['none.fits'], tmp_path, **{**options, **change})


def classified(p_star: list[float], names: list[str] | None = None) -> Table:
    """Return a classified table of the hand-made network's three classes."""
    p = np.array(p_star, dtype=np.float32)
    if names is None:
        names = ['star' if value >= 0.99 else 'cosmic_ray' for value in p_star]
    return Table(
        {
            'class_name': names,
            'p_star': p,
            'p_cosmic_ray': 1 - p,
            'p_spike': np.zeros_like(p),
        }
    )


class TestRescue:
    """Too few stars: a stated rule, and a warning. Thresholds .99, .5, .01."""

    @pytest.fixture
    def selection(self, tiny_model: Path) -> Any:
        return make_selection(
            model=str(tiny_model), min_stars=3, operating_point='pure'
        )

    def test_enough(self, selection: Any) -> None:
        """Nothing is added and nothing said where enough rows pass."""
        table = classified([0.995, 0.999, 0.6, 0.991, 0.02])
        kept, rule = selection.choose(table, 'a')
        assert kept.tolist() == [True, True, False, True, False]
        assert rule == 'class star at operating point pure'

    def test_next_lower_operating_point(self, selection: Any) -> None:
        """The highest threshold that gives enough is taken, no lower."""
        table = classified([0.995, 0.999, 0.6, 0.02, 0.001])
        with pytest.warns(AstrosieveWarning, match='a: 2 rows pass') as caught:
            kept, rule = selection.choose(table, 'a')
        assert kept.tolist() == [True, True, True, False, False]
        assert rule == 'p_star at operating point balanced'
        assert 'fewer than 3: 3 are kept by p_star' in str(caught[0].message)

    def test_highest_p_star_last(self, selection: Any) -> None:
        """Below all thresholds the likeliest are added, as many as are wanted."""
        table = classified([0.002, 0.995, 0.004, 0.001, float('nan')])
        with pytest.warns(AstrosieveWarning, match='1 rows pass'):
            kept, rule = selection.choose(table, 'a')
        assert kept.tolist() == [True, True, True, False, False]
        assert rule == 'highest p_star'

    def test_fewer_detections_than_wanted(self, selection: Any) -> None:
        """All that can be scored are kept, and the shortage is said."""
        with pytest.warns(AstrosieveWarning, match='1 rows pass'):
            kept, _ = selection.choose(classified([0.995, 0.3]), 'a')
        assert kept.all()
        with pytest.warns(AstrosieveWarning, match='0 rows of 1 detections'):
            kept, _ = selection.choose(classified([float('nan')], ['unscored']), 'a')
        assert not kept.any()
        with pytest.warns(AstrosieveWarning, match='0 rows of 0 detections'):
            assert len(selection.choose(classified([]), 'a')[0]) == 0

    def test_saturated(self, tiny_model: Path) -> None:
        """Rows for plateaus are made only where they are asked for."""
        assert not make_selection(model=str(tiny_model)).options.saturated
        asked = make_selection(model=str(tiny_model), saturated=True)
        assert asked.options.saturated

    def test_other_classes(self, tiny_model: Path) -> None:
        """Without stars among the kept, thresholds on p_star do not apply."""
        selection = make_selection(('cosmic_ray',), model=str(tiny_model), min_stars=2)
        table = classified([0.6, 0.999, 0.1], ['star', 'star', 'cosmic_ray'])
        with pytest.warns(AstrosieveWarning, match='1 rows pass'):
            kept, rule = selection.choose(table, 'a')
        assert kept.tolist() == [True, False, True]
        assert rule == 'highest p_cosmic_ray'

    def test_warning_through_write_catalogs(
        self,
        make_alignable: Callable[..., Any],
        options: dict,
        tmp_path: Path,
    ) -> None:
        """The exposure is named, and its files say the rule."""
        field = make_alignable(1, n_stars=6)
        with pytest.warns(AstrosieveWarning, match=r'a_flc\.fits: \d rows pass'):
            write_catalogs(field.names, tmp_path, min_stars=15, **options)
        tables = [read_coordinates(tmp_path / f'a_flc_sci{i}.coo') for i in (1, 2)]
        assert sum(map(len, tables)) == 15
        assert tables[0].meta['kept'] == 'highest p_star'


class TestInputs:
    """Exposures and lists of them."""

    def test_lists(self, make_alignable: Callable[..., Any], tmp_path: Path) -> None:
        """Lines name files beside the list; comments and catalogues are passed over."""
        field = make_alignable(2)
        listing = tmp_path / 'all.list'
        listing.write_text('# mine\na_flc.fits a.coo\n\nb_flc.fits\n')
        assert expand_lists([f'@{listing}']) == field.paths
        assert expand_lists(['x.fits']) == [Path('x.fits')]

    def test_missing_in_a_list(self, tmp_path: Path) -> None:
        """List, line and file are named."""
        listing = tmp_path / 'all.list'
        listing.write_text('\ngone.fits\n')
        with pytest.raises(ExposureError, match=r'all\.list, line 2: .*gone\.fits'):
            expand_lists([f'@{listing}'])
        with pytest.raises(ExposureError, match='the list cannot be read'):
            expand_lists([f'@{tmp_path}/none.list'])

    def test_no_wcs(self, make_alignable: Callable[..., Any]) -> None:
        """The chip is named."""
        field = make_alignable(2)
        with fits.open(field.paths[1], mode='update') as hdus:
            for key in ('CTYPE1', 'CTYPE2'):
                del hdus['SCI', 2].header[key]
        with pytest.raises(ExposureError, match=r'b_flc\.fits\[SCI,2\].*no celestial'):
            read_exposures(field.paths)

    def test_one_exposure_only(self, make_alignable: Callable[..., Any]) -> None:
        """There is nothing to align it with."""
        with pytest.raises(ExposureError, match='one exposure only'):
            check_overlap(read_exposures(make_alignable(1).paths))

    def test_given_twice(self, make_alignable: Callable[..., Any]) -> None:
        """The same file is not aligned with itself."""
        path = make_alignable(1).paths[0]
        with pytest.raises(ExposureError, match='given twice'):
            read_exposures([path, path.parent / '.' / path.name])

    @pytest.mark.parametrize('crval', [(201.7, -47.48), (21.7, 47.5)])
    def test_no_overlap(
        self, crval: tuple[float, float], make_alignable: Callable[..., Any]
    ) -> None:
        """The one that stands apart is named, near or on the other side of the sky."""
        field = make_alignable(2)
        far = make_alignable(1, names=('far',), crval=crval)
        with pytest.raises(ExposureError, match=r'far_flc\.fits: overlaps none'):
            check_overlap(read_exposures([*field.paths, *far.paths]))

    def test_a_small_overlap_is_one(self, make_alignable: Callable[..., Any]) -> None:
        """Neighbours that share a strip are let through, whatever their sizes."""
        field = make_alignable(1)
        strip = 190 * 0.05 / 3600 / np.cos(np.deg2rad(47.5))
        other = make_alignable(1, names=('o',), crval=(201.7 + strip, -47.5))
        check_overlap(read_exposures([*field.paths, *other.paths]))

    def test_reference_elsewhere(self, make_alignable: Callable[..., Any]) -> None:
        """A reference catalogue must reach each exposure."""
        exposures = read_exposures(make_alignable(1).paths)
        check_overlap(exposures, SkyCoord([201.7, 3], [-47.5, 4], unit='deg'))
        with pytest.raises(CatalogError, match='no source within the exposure'):
            check_overlap(exposures, SkyCoord([201.7, 21.7], [-47.4, 47.5], unit='deg'))

    def test_names_that_tweakreg_can_read(
        self, make_alignable: Callable[..., Any], tmp_path: Path
    ) -> None:
        """Blanks, brackets and compression go; equal names are told apart."""
        field = make_alignable(2)
        odd = tmp_path / 'my [odd], exposure_flc.fits'
        field.paths[0].rename(odd)
        (tmp_path / 'sub').mkdir()
        packed = tmp_path / 'sub' / 'b_flc.fits.gz'
        with fits.open(field.paths[1]) as hdus:
            hdus.writeto(packed)
        exposures = read_exposures([odd, field.paths[1], packed])
        names = [each.name for each in exposures]
        assert names == ['my__odd___exposure_flc.fits', 'b_flc.fits', 'xb_flc.fits']
        work = tmp_path / 'work'
        work.mkdir()
        lay_out(exposures, work, copies=False)
        with fits.open(work / 'xb_flc.fits') as hdus:
            assert hdus['SCI', 2].data.shape == (200, 220)
        assert (work / 'b_flc.fits').is_symlink()


class TestReferences:
    """Reference catalogues of the sky."""

    @pytest.mark.parametrize('suffix', ['ecsv', 'fits', 'csv', 'vot'])
    def test_formats(self, suffix: str, tmp_path: Path) -> None:
        """ECSV, FITS, CSV and VOTable give the same positions."""
        path = tmp_path / f'ref.{suffix}'
        table = Table({'ra': [10.5, 11.5], 'dec': [-5.0, 5.0], 'Gmag': [18.0, 19.0]})
        table.write(path, format='votable' if suffix == 'vot' else None)
        sky = sky_positions(read_reference(path))
        assert np.allclose(sky.ra.deg, [10.5, 11.5])
        assert np.allclose(sky.dec.deg, [-5, 5])

    def test_text_without_names(self, tmp_path: Path) -> None:
        """First and second column are taken."""
        path = tmp_path / 'ref.txt'
        path.write_text('10.5 -5.0 18\n11.5 5.0 19\n')
        assert np.allclose(sky_positions(read_reference(path)).dec.deg, [-5, 5])

    def test_own_catalogues(self, tmp_path: Path) -> None:
        """What classify writes serves as a reference."""
        path = tmp_path / 'ref.ecsv'
        Table({'id': [1], 'sky_centroid': SkyCoord([10.5], [-5.0], unit='deg')}).write(
            path
        )
        assert sky_positions(read_reference(path)).ra.deg[0] == pytest.approx(10.5)

    def test_proper_motions_to_the_date(self) -> None:
        """Ten years of 100 mas/yr are an arcsecond; missing ones stay."""
        table = Table(
            {
                'ra': [10.0, 10.0],
                'dec': [60.0, 60.0],
                'pmra': np.ma.array([100.0, 0], mask=[False, True]),
                'pmdec': np.ma.array([-50.0, 0], mask=[False, True]),
                'ref_epoch': [2016.0, 2016.0],
            }
        )
        sky = sky_positions(table, 51_544.5 + 6 * 365.25)
        east = (sky.ra.deg - 10) * 3600 * np.cos(np.deg2rad(60))
        assert np.allclose(east, [-1, 0], atol=1e-6)
        assert np.allclose((sky.dec.deg - 60) * 3600, [0.5, 0], atol=1e-6)

    def test_written_for_tweakreg(self, tmp_path: Path) -> None:
        """Rows without a position go; without a magnitude they stay."""
        table = Table(
            {'ra': [1.0, np.nan, 3.0], 'dec': [4.0, 5.0, 6.0], 'mag': [20, 21, np.nan]}
        )
        path = tmp_path / 'ref.cat'
        assert write_reference(table, path) == 2
        assert np.allclose(np.loadtxt(path), [[1, 4, 20], [3, 6, 99]])

    @pytest.mark.parametrize(
        ('columns', 'message'),
        [
            ({'x': [1.0], 'y': [2.0]}, 'call them ra and dec'),
            ({'ra': ['a'], 'dec': ['b']}, 'must hold degrees'),
            ({'ra': [1.0], 'dec': [91.0]}, 'must hold declinations'),
            ({'ra': np.zeros(0), 'dec': np.zeros(0)}, 'no rows'),
        ],
    )
    def test_refuses(self, columns: dict, message: str, tmp_path: Path) -> None:
        """The file is named, with what is wrong with it."""
        path = tmp_path / 'ref.ecsv'
        Table(columns).write(path)
        with pytest.raises(CatalogError, match=f'ref.ecsv: .*{message}'):
            read_reference(path)

    def test_gaia_by_a_recorded_answer(
        self, make_alignable: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The archive is asked for the field; its table is a reference catalogue."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            gaia = pytest.importorskip('astroquery.gaia')
            from astroquery.utils.tap.conn.tests.DummyConnHandler import (
                DummyConnHandler,
            )
            from astroquery.utils.tap.conn.tests.DummyResponse import DummyResponse
            from astroquery.utils.tap.core import TapPlus
        job = 'http://test:1111/tap/async/1'
        handler = DummyConnHandler()
        for path, answer in (
            (None, DummyResponse(303)),
            ('async/1/phase', DummyResponse(200)),
            ('async/1/results/result', DummyResponse(200)),
        ):
            if path is None:
                answer.set_data(method='POST', headers=[['location', job]])
                handler.set_default_response(answer)
                continue
            body = 'COMPLETED'
            if path.endswith('result'):
                body = (DATA / 'gaia_dr3_answer.vot').read_text(encoding='utf-8')
            answer.set_data(method='GET', body=body)
            handler.set_response(path, answer)
        asked = []

        class Service(gaia.GaiaClass):
            def __init__(self, **options: Any) -> None:
                tap = TapPlus(url='http://test:1111/tap', connhandler=handler)
                super().__init__(
                    tap_plus_conn_handler=handler, datalink_handler=tap, **options
                )

            def launch_job_async(self, query: str, **options: Any) -> Any:
                asked.append(query)
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')
                    return super().launch_job_async(query, **options)

        monkeypatch.setattr(gaia, 'GaiaClass', Service)
        exposures = read_exposures(make_alignable(2).paths)
        table = fetch_gaia([f.corners for e in exposures for f in e.footprints])
        assert len(table) == 2
        assert {'ra', 'dec', 'pmra', 'pmdec', 'ref_epoch'} <= set(table.colnames)
        assert np.isfinite(sky_positions(table, 58000.0).ra.deg).all()
        circle = asked[0].partition('CIRCLE(')[2].partition(')')[0].split(',')
        ra, dec, radius = map(float, circle)
        assert ra == pytest.approx(201.7, abs=1e-3)
        assert dec == pytest.approx(-47.5, abs=1e-3)
        corners = SkyCoord(
            np.concatenate([f.corners.ra for e in exposures for f in e.footprints]),
            np.concatenate([f.corners.dec for e in exposures for f in e.footprints]),
        )
        centre = SkyCoord(ra, dec, unit='deg')
        assert corners.separation(centre).max().deg < radius < 0.01

    def test_gaia_that_does_not_answer(
        self, make_alignable: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message says what can be done."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            gaia = pytest.importorskip('astroquery.gaia')

        class Service:
            def __init__(self, **options: Any) -> None:
                raise ConnectionError('no route')

        monkeypatch.setattr(gaia, 'GaiaClass', Service)
        exposures = read_exposures(make_alignable(1).paths)
        with pytest.raises(AstrosieveError, match=r'does not answer \(no route\)'):
            fetch_gaia([f.corners for f in exposures[0].footprints])


def test_missing_drizzlepac_names_the_extra() -> None:
    """The command says what to install; the module itself needs no drizzlepac."""
    code = (
        'import sys; sys.modules["drizzlepac"] = None\n'
        'import astrosieve_plugins.tweakreg_catalogs\n'
        'from astrosieve.cli import main; main(["tweakreg", "a.fits", "b.fits"])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'astrosieve[tweakreg]'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_import_is_light() -> None:
    """Without being used, the adapter loads no host."""
    code = (
        'import sys, astrosieve_plugins.tweakreg_catalogs.command\n'
        'print(*{n.partition(".")[0] for n in sys.modules})'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    hosts = {'drizzlepac', 'stwcs', 'tweakwcs', 'stsci', 'astroquery', 'photutils'}
    assert not hosts & set(done.stdout.split())
