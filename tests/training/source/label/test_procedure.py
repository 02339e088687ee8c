"""The step label as a whole, through the command, on files."""

from __future__ import annotations

import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from click.testing import CliRunner, Result

pytest.importorskip('galsim')
pytest.importorskip('umap')
pytest.importorskip('sklearn')

from astrosieve.source.labels import (
    make_labels,
    merge_labels,
    read_labels,
    write_labels,
)
from astrosieve.tables.catalogs import positions
from astrosieve_training import cli
from astrosieve_training.simulate import load_camera
from astrosieve_training.simulate.exposure import (
    SimulatedExposure,
    simulate_dithered_set,
)
from astrosieve_training.simulate.truth import label_positions
from astrosieve_training.source.datasets.real.frames import ngc1261
from astrosieve_training.source.label import outputs, procedure
from astrosieve_training.source.label.combined import read_combined
from astrosieve_training.source.label.dataset import read_card, read_dataset
from astrosieve_training.source.label.outputs import make_dataset
from astrosieve_training.source.label.region_files import write_regions
from astrosieve_training.source.label.regions import Regions
from astrosieve_training.source.label.settings import (
    EmbeddingSettings,
    LabelSettings,
)
from astrosieve_training.source.label.shapes import Box

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    pytest.importorskip('drizzlepac')
    pytest.importorskip('tweakwcs')

SHAPE = (448, 448)
pytestmark = pytest.mark.usefixtures('distances_at_once')
SHIFT = (3.0, -2.0)  # of the second exposure's WCS
OPTIONS = ('--neighbors', '15', '--samples', '2000')
FILES = {
    'dataset.json', 'embedding.png', 'exposures.png', 'labels.ecsv', 'page.html',
    'places.ecsv', 'local-noise-2.npz', 'zscale-log-1.npz',
}  # fmt: skip


def label(*arguments: Any) -> Result:
    return CliRunner().invoke(
        cli.main, ['source', 'label', *(str(each) for each in arguments)]
    )


def times(folder: Path) -> dict[str, int]:
    """Return when each file was written, by its name."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob('*')
        if path.is_file()
    }


def assert_refused(result: Result, folder: Path, *said: str, code: int = 1) -> None:
    """Assert that a run ended with a message, and left nothing half-written."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert 'Traceback' not in result.output
    text = ' '.join(result.output.split())
    for each in said:
        assert each in text
    assert_tidy(folder)


def assert_tidy(folder: Path) -> None:
    """Assert that there is no dataset, and no temporary file or folder."""
    if not folder.is_dir():
        return
    assert not (folder / 'dataset.json').exists()
    assert not list(folder.glob('*.npz'))
    assert [p for p in folder.rglob('*') if p.name.startswith(('.', 'tmp'))] == []


@dataclass(frozen=True)
class Field:
    """A dithered set with its truth; ``shifted`` has one WCS that is wrong."""

    exposures: list[SimulatedExposure]
    paths: list[Path]
    shifted: list[Path]


@pytest.fixture(scope='module')
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Four exposures of a globular cluster."""
    folder = tmp_path_factory.mktemp('field')
    exposures = simulate_dithered_set(
        load_camera('acs-wfc-f814w'), 4, seed=11, shape=SHAPE, scene='globular',
        exptime=1230.0,
    )  # fmt: skip
    paths = [folder / f'e{i}_flc.fits' for i in range(4)]
    for path, exposure in zip(paths, exposures, strict=True):
        exposure.write(path)
    (folder / 'shifted').mkdir()
    shifted = [folder / 'shifted' / path.name for path in paths]
    for path, copy in zip(paths, shifted, strict=True):
        shutil.copy(path, copy)
    with fits.open(shifted[1], mode='update') as hdus:
        for axis, by in enumerate(SHIFT, 1):
            hdus['SCI'].header[f'CRPIX{axis}'] += by
    return Field(exposures, paths, shifted)


@dataclass(frozen=True)
class Run:
    """A run of the command, and its folder."""

    result: Result
    folder: Path


@pytest.fixture(scope='module')
def run(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole procedure: aligned, combined, embedded, named."""
    folder = tmp_path_factory.mktemp('run') / 'dataset'
    return Run(label(*field.shifted, '-o', folder, *OPTIONS), folder)


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """A copy of the dataset to work on, with the times of its files."""
    return Path(shutil.copytree(run.folder, tmp_path / 'copy'))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Principal components in place of UMAP, which takes its time; no sheets."""

    class Components:
        def __init__(self, flat: np.ndarray) -> None:
            self.mean = flat.mean(axis=0)
            self.axes = np.linalg.svd(flat - self.mean, full_matrices=False).Vh[:2]

        def transform(self, flat: np.ndarray) -> np.ndarray:
            placed: np.ndarray = (flat - self.mean) @ self.axes.T
            return placed

    def embed(cutouts: np.ndarray, settings: Any) -> tuple[np.ndarray, Any]:
        flat = cutouts.reshape(len(cutouts), -1)
        reducer = Components(flat)
        return reducer.transform(flat).astype(np.float32), reducer

    monkeypatch.setattr(procedure, 'embed', embed)
    monkeypatch.setattr(outputs, 'write_contact_sheets', lambda *args, **given: None)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is kept may be done again."""

    def refuse(*args: Any, **given: Any) -> None:
        pytest.fail('a stage was done again')

    for name in ('align', 'combine', 'find_peaks', 'find_dips'):
        monkeypatch.setattr(procedure, name, refuse)


def matrix(field: Field, labels: Table) -> Counter[tuple[str, str]]:
    """Count labels by what they say and what is true, where one thing prevails."""
    counts: Counter[tuple[str, str]] = Counter()
    for path, exposure in zip(field.paths, field.exposures, strict=True):
        mine = labels[labels['exposure'] == path.name]
        if not len(mine):
            continue
        true = label_positions(exposure.truth, positions(mine))
        sure = ~np.asarray(true['contested'])
        given = np.asarray(mine['label'], dtype=str)[sure].tolist()
        said = np.asarray(true['label'], dtype=str)[sure].tolist()
        counts += Counter(zip(given, said, strict=True))
    return counts


def share_right(counts: Counter[tuple[str, str]], name: str | None = None) -> float:
    rows = {k: n for k, n in counts.items() if name is None or k[0] == name}
    return sum(n for k, n in rows.items() if k[0] == k[1]) / sum(rows.values())


class TestRun:
    """A whole run on a simulated set."""

    def test_succeeds(self, run: Run) -> None:
        """What was found is said."""
        assert run.result.exit_code == 0, run.result.output
        text = run.result.output
        assert 'peaks at' in text
        for number in range(4):
            assert f'e{number}_flc.fits: ' in text
        assert 'places embedded' in text
        assert f'written to {run.folder}' in text
        for stage in ('aligned', 'peaks', 'dips', 'combined', 'embedding', 'dataset'):
            assert f's  {stage}' in run.result.stderr

    def test_files(self, run: Run) -> None:
        """All of them, and nothing else."""
        names = {path.name for path in run.folder.iterdir()}
        sheets = {name for name in names if name.startswith('cluster-')}
        assert names - sheets == FILES | {'stages'}
        kinds = {p.name.partition('-')[0] for p in (run.folder / 'stages').iterdir()}
        assert kinds == {'aligned', 'peaks', 'dips', 'combined', 'embedding'}
        places = Table.read(run.folder / 'places.ecsv')
        assert len(sheets) == len(np.unique(places['cluster']))

    def test_labels_are_true(self, run: Run, field: Field) -> None:
        """Of 3000 that are not contested, 98.5 %; of each class what its limit says."""
        labels = read_labels(run.folder / 'labels.ecsv')
        counts = matrix(field, labels)
        assert sum(counts.values()) > 2500
        assert share_right(counts) >= 0.985
        assert share_right(counts, 'star') >= 0.985
        assert share_right(counts, 'cosmic_ray') >= 0.985
        assert share_right(counts, 'bad_pixel') >= 0.98
        assert share_right(counts, 'spike') >= 0.85

    def test_labels_name_the_exposures(self, run: Run, field: Field) -> None:
        """As they were given, each with a fair part of the labels."""
        labels = read_labels(run.folder / 'labels.ecsv')
        counts = Counter(np.asarray(labels['exposure'], dtype=str).tolist())
        assert set(counts) == {path.name for path in field.shifted}
        assert min(counts.values()) > 0.6 * max(counts.values())
        assert set(labels['extver']) == {1}

    def test_aligned(self, run: Run, field: Field) -> None:
        """The WCS that was wrong by 3.6 pixels is right to a fifth."""
        (folder,) = (run.folder / 'stages').glob('aligned-*')
        wcs = [
            WCS(fits.getheader(folder / 'aligned' / f'e{i}_flc.fits', 'SCI'))
            for i in (0, 1)
        ]
        corners = np.array([[20.0, 20.0], [400.0, 30.0], [200.0, 420.0]])
        first, second = (e.wcs for e in field.exposures[:2])
        expected = second.all_world2pix(first.all_pix2world(corners, 0), 0)
        found = wcs[1].all_world2pix(wcs[0].all_pix2world(corners, 0), 0)
        assert np.abs(found - expected).max() < 0.2

    def test_places(self, run: Run, field: Field) -> None:
        """Each with its sky, its pixel, its numbers and its name."""
        places = Table.read(run.folder / 'places.ecsv')
        assert len(places) == 2000
        assert len(np.unique(places['id'])) == len(places)
        (image,) = (run.folder / 'stages').glob('combined-*/combined.fits')
        combined = read_combined(image)
        x, y = combined.wcs.all_world2pix(places['ra'], places['dec'], 0)
        np.testing.assert_allclose(places['x'], x, atol=0.01)
        np.testing.assert_allclose(places['y'], y, atol=0.01)
        row, column = np.round([y, x]).astype(int)
        np.testing.assert_array_equal(
            places['n_covering'], combined.covered[row, column]
        )
        assert places['n_covering'].min() >= 2
        assert places['n_found'].max() == 4
        labels = np.asarray(places['label'], dtype=str)
        physics = np.asarray(places['physics'], dtype=str)
        assert (
            np.mean(labels[labels != 'unlabelled'] == physics[labels != 'unlabelled'])
            > 0.8
        )
        assert np.isfinite(places['umap_1']).all()

    def test_card(self, run: Run, field: Field) -> None:
        """What was made of what, and how, with numbers that add up."""
        card = read_card(run.folder)
        labels = read_labels(run.folder / 'labels.ecsv')
        counted: Counter[str] = Counter()
        for counts in card['counts'].values():
            counted += Counter(counts)
        assert counted == Counter(np.asarray(labels['label'], dtype=str).tolist())
        assert {'star', 'cosmic_ray'} <= set(card['classes'])
        made = card['created_by']
        assert made['named by'] == 'physics'
        assert made['settings']['embedding']['n_neighbors'] == 15
        assert made['settings']['aligned'] is False
        assert made['found']['embedded'] == 2000
        names = [each['name'] for each in card['exposures']]
        assert names == [path.name for path in field.shifted]
        for name in ('zscale-log-1', 'local-noise-2'):
            assert len(read_dataset(run.folder, name).detections) == len(labels)

    def test_exposures_mix(self, run: Run) -> None:
        """The report's figure 8: rays of the exposures lie among stars."""
        card = read_card(run.folder)
        agreement = card['created_by']['exposure cutouts in the embedding']
        rays, stars = (
            right / there
            for right, there in (agreement['cosmic_ray'], agreement['star'])
        )
        assert agreement['cosmic_ray'][1] > 300
        assert rays < 0.4
        assert stars > rays + 0.2

    def test_page(self, run: Run) -> None:
        """Self-contained, with all cutouts."""
        text = (run.folder / 'page.html').read_text(encoding='utf-8')
        assert '4 exposures' in text
        assert 'http://' not in text.replace('http://www.w3.org', '')
        assert 'https://' not in text


class TestAgain:
    """Runs on a folder that holds a dataset."""

    def test_refused(self, copy: Path, field: Field) -> None:
        """Without --overwrite nothing is touched."""
        before = times(copy)
        result = label(*field.shifted, '-o', copy, *OPTIONS)
        assert result.exit_code == 1
        assert 'holds a dataset; give --overwrite' in result.output
        assert times(copy) == before

    def test_renamed(self, copy: Path, field: Field, no_work: None) -> None:
        """Names take effect without any stage; what goes missing is said."""
        places = Table.read(copy / 'places.ecsv')
        spikes = np.unique(places['cluster'][places['label'] == 'spike']).tolist()
        assert len(spikes) > 0
        before = read_labels(copy / 'labels.ecsv')
        stages = times(copy / 'stages')
        renamed = [f'--rename={number}=unlabelled' for number in spikes]
        result = label(*field.shifted, '-o', copy, *OPTIONS, '--overwrite', *renamed)
        assert result.exit_code == 0, result.output
        assert times(copy / 'stages') == stages
        after = read_labels(copy / 'labels.ecsv')
        assert (after['label'] != 'spike').all()
        for name in ('star', 'bad_pixel'):
            assert (after['label'] == name).sum() == (before['label'] == name).sum()
        assert 'no label of class spike' in result.stderr
        assert '--regions' in result.stderr
        assert read_card(copy)['created_by']['named by'] == 'physics and a person'
        for number in spikes:
            assert (copy / f'cluster-{number}-unlabelled.png').is_file()
            assert not (copy / f'cluster-{number}-spike.png').exists()

    def test_regions(
        self, copy: Path, field: Field, tmp_path: Path, no_work: None
    ) -> None:
        """A person's box overrules; a further name may be given with it."""
        places = Table.read(copy / 'places.ecsv')
        stars = places[places['label'] == 'star']
        middle = np.median(stars['umap_1'])
        box = Box('extended', -1e6, float(middle), -1e6, 1e6)
        write_regions(Regions(regions=(box,)), tmp_path / 'regions.json')
        result = label(
            *field.shifted, '-o', copy, *OPTIONS, '--overwrite',
            '--regions', tmp_path / 'regions.json',
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        after = Table.read(copy / 'places.ecsv')
        inside = np.asarray(after['umap_1']) <= middle
        assert (after['label'][inside] == 'extended').all()
        np.testing.assert_array_equal(after['label'][~inside], places['label'][~inside])
        labels = read_labels(copy / 'labels.ecsv')
        assert (labels['label'] == 'extended').sum() > 100

    def test_other_peaks(self, copy: Path, field: Field, quick: None) -> None:
        """Other peaks need neither TweakReg nor AstroDrizzle again."""
        before = times(copy / 'stages')
        result = label(
            *field.shifted, '-o', copy, *OPTIONS, '--overwrite',
            '--min-electrons', '300',
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        after = times(copy / 'stages')
        for stage, same in (
            ('aligned', True),
            ('combined', True),
            ('peaks', False),
            ('dips', False),
            ('embedding', False),
        ):
            old, new = (
                {k: t for k, t in each.items() if k.startswith(stage)}
                for each in (before, after)
            )
            assert (old == new) is same
            assert len(old) == len(new)

    def test_failure_keeps_the_old(self, copy: Path, field: Field) -> None:
        """A run that is refused leaves the dataset that is there."""
        before = {k: t for k, t in times(copy).items() if 'stages' not in k}
        result = label(*field.shifted, '-o', copy, *OPTIONS, '--overwrite', '--aligned')
        assert result.exit_code == 1
        assert 'misaligned' in result.output
        after = {k: t for k, t in times(copy).items() if 'stages' not in k}
        assert after == before


class TestInterrupted:
    """Runs that are broken off."""

    def test_resumes(
        self,
        field: Field,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        quick: None,
    ) -> None:
        """After a stop in UMAP nothing before it is done again."""
        folder = tmp_path / 'dataset'
        arguments = (*field.paths[:3], '-o', folder, *OPTIONS, '--aligned')

        def stop(*args: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(procedure, 'embed', stop)
            result = label(*arguments)
        assert result.exit_code == 1
        assert 'Aborted' in result.output
        assert_tidy(folder)
        assert sorted(
            p.name.partition('-')[0] for p in (folder / 'stages').iterdir()
        ) == ['combined', 'dips', 'peaks']
        before = times(folder / 'stages')
        for name in ('combine', 'find_peaks', 'find_dips'):
            monkeypatch.setattr(procedure, name, stop)
        result = label(*arguments)
        assert result.exit_code == 0, result.output
        after = times(folder / 'stages')
        assert before.items() <= after.items()
        assert {p.name for p in folder.iterdir()} >= FILES
        counts = matrix(field, read_labels(folder / 'labels.ecsv'))
        assert share_right(counts) >= 0.975

    def test_stopped_in_the_drizzle(
        self, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of it is left."""

        def stop(paths: list[Path], folder: Path) -> None:
            (folder / '.drizzle-abc').mkdir()
            (folder / '.drizzle-abc' / 'half.fits').write_bytes(b'half')
            raise KeyboardInterrupt

        monkeypatch.setattr(procedure, 'combine', stop)
        folder = tmp_path / 'dataset'
        result = label(*field.paths[:2], '-o', folder, *OPTIONS, '--aligned')
        assert result.exit_code == 1
        assert_tidy(folder)
        assert list((folder / 'stages').glob('combined-*')) == []


class TestOwnImage:
    """One exposure, and a combined image of the user's own."""

    def test_drizzled(
        self, run: Run, field: Field, tmp_path: Path, quick: None
    ) -> None:
        """Our own image, given as a file, labels one exposure."""
        (image,) = (run.folder / 'stages').glob('combined-*/combined.fits')
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder, *OPTIONS, '--combined', image)
        assert result.exit_code == 0, result.output
        counts = matrix(field, read_labels(folder / 'labels.ecsv'))
        assert counts['star', 'star'] > 500
        assert counts['cosmic_ray', 'cosmic_ray'] > 350
        ray_or_star = Counter({k: n for k, n in counts.items() if 'bad_pixel' not in k})
        assert share_right(ray_or_star) > 0.98
        kinds = {p.name.partition('-')[0] for p in (folder / 'stages').iterdir()}
        assert kinds == {'peaks', 'dips', 'embedding'}
        text = (folder / 'page.html').read_text(encoding='utf-8')
        assert '1 exposure, e0_flc.fits' in text

    @pytest.mark.parametrize('scale', [1.0, 1e-3])
    def test_without_wcs(
        self, field: Field, tmp_path: Path, quick: None, scale: float
    ) -> None:
        """Pixel by pixel like the exposure, in whatever unit."""
        truth = field.exposures[0].truth
        rng = np.random.default_rng(0)
        light = sum(truth.planes[n] for n in ('star', 'spike', 'extended'))
        median = scale * (light + rng.normal(60, 5, SHAPE))
        image = tmp_path / 'median.fits'
        fits.PrimaryHDU(median.astype(np.float32)).writeto(image)
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder, *OPTIONS, '--combined', image)
        assert result.exit_code == 0, result.output
        counts = matrix(field, read_labels(folder / 'labels.ecsv'))
        ray_or_star = Counter({k: n for k, n in counts.items() if 'bad_pixel' not in k})
        assert share_right(ray_or_star) > 0.98

    def test_of_other_shape(self, field: Field, tmp_path: Path) -> None:
        """Both shapes are said."""
        rng = np.random.default_rng(0)
        image = tmp_path / 'median.fits'
        fits.PrimaryHDU(rng.normal(0, 1, (300, 310))).writeto(image)
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder, *OPTIONS, '--combined', image)
        assert_refused(result, folder, '(448, 448)', '(300, 310)', 'Give it a WCS')

    def test_of_another_field(self, field: Field, tmp_path: Path) -> None:
        """That too few peaks are sources in it is said."""
        rng = np.random.default_rng(0)
        image = tmp_path / 'median.fits'
        fits.PrimaryHDU(rng.normal(0, 1, SHAPE)).writeto(image)
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder, *OPTIONS, '--combined', image)
        assert_refused(result, folder, 'of another field, is not aligned')

    def test_empty(self, field: Field, tmp_path: Path) -> None:
        """An image of one value is refused."""
        image = tmp_path / 'median.fits'
        fits.PrimaryHDU(np.ones(SHAPE)).writeto(image)
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder, *OPTIONS, '--combined', image)
        assert_refused(result, folder, 'has no noise')


class TestLabels:
    """A dataset of labels that people gave."""

    @pytest.fixture
    def given(self, run: Run, tmp_path: Path) -> Path:
        """Labels of stars and rays in two exposures, as the viewer writes them."""
        labels = read_labels(run.folder / 'labels.ecsv')
        path = tmp_path / 'by-hand.ecsv'
        tables = []
        for name in ('e0_flc.fits', 'e1_flc.fits'):
            mine = labels[labels['exposure'] == name]
            mine = mine[np.isin(mine['label'], ['star', 'cosmic_ray'])]
            tables.append(make_labels(name, 1, positions(mine), mine['label'].tolist()))
        write_labels(merge_labels(*tables), path)
        return path

    def test_dataset(self, field: Field, given: Path, tmp_path: Path) -> None:
        """No peak is looked for; the labels are those of the file."""
        folder = tmp_path / 'dataset'
        result = label(*field.paths[:2], '-o', folder, '--labels', given)
        assert result.exit_code == 0, result.output
        names = {path.name for path in folder.iterdir()}
        expected = {'dataset.json', 'labels.ecsv'}
        assert names == expected | {'local-noise-2.npz', 'zscale-log-1.npz'}
        labels = read_labels(given)
        again = read_labels(folder / 'labels.ecsv')
        assert again['label'].tolist() == labels['label'].tolist()
        card = read_card(folder)
        assert set(card['classes']) == {'star', 'cosmic_ray'}
        assert card['created_by']['how'] == 'labels of the file by-hand.ecsv'
        assert card['created_by']['labels'] == len(labels)
        result = label(*field.paths[:2], '-o', folder, '--labels', given)
        assert result.exit_code == 1
        assert '--overwrite' in result.output

    def test_own_labels(self, field: Field, given: Path, tmp_path: Path) -> None:
        """The dataset's own labels, edited, in place."""
        folder = tmp_path / 'dataset'
        arguments = (*field.paths[:2], '-o', folder, '--preprocessing', 'zscale-log-1')
        assert label(*arguments, '--labels', given).exit_code == 0
        own = folder / 'labels.ecsv'
        some = read_labels(own)[:-20]
        write_labels(some, own, overwrite=True)
        result = label(*arguments, '--labels', own, '--overwrite')
        assert result.exit_code == 0, result.output
        assert read_card(folder)['created_by']['labels'] == len(some)
        assert not (folder / 'local-noise-2.npz').exists()

    @pytest.mark.parametrize(
        'option', [('--aligned',), ('--seed', '3'), ('--rename', '1=star')]
    )
    def test_usage(
        self, field: Field, given: Path, tmp_path: Path, option: tuple[str, ...]
    ) -> None:
        """Options of the procedure do not go with labels that are given."""
        folder = tmp_path / 'dataset'
        result = label(*field.paths[:2], '-o', folder, '--labels', given, *option)
        assert_refused(result, folder, f'{option[0]} does not go with', code=2)

    def test_not_labels(self, field: Field, tmp_path: Path) -> None:
        """Another table is refused."""
        path = tmp_path / 'table.ecsv'
        Table({'x': [1, 2]}).write(path)
        folder = tmp_path / 'dataset'
        result = label(*field.paths[:2], '-o', folder, '--labels', path)
        assert_refused(result, folder, 'not a table of labels')


class TestBadInput:
    """Each with its cause and cure; nothing half-written."""

    @pytest.fixture
    def edited(self, field: Field, tmp_path: Path) -> Callable[..., list[Path]]:
        """Return a maker of copies of three, the second of which is changed."""

        def make(change: Callable[[fits.HDUList], None]) -> list[Path]:
            paths = []
            for number, path in enumerate(field.paths[:3]):
                paths.append(tmp_path / path.name)
                with fits.open(path) as hdus:
                    if number == 1:
                        change(hdus)
                    hdus.writeto(paths[-1])
            return paths

        return make

    def test_one_exposure(self, field: Field, tmp_path: Path) -> None:
        """One has no other to compare with."""
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], '-o', folder)
        assert_refused(result, folder, 'one exposure only', '--combined')

    def test_mixed_filters(
        self, edited: Callable[..., list[Path]], tmp_path: Path
    ) -> None:
        """The files of each are named."""

        def change(hdus: fits.HDUList) -> None:
            hdus[0].header['FILTER'] = 'F606W'

        folder = tmp_path / 'dataset'
        result = label(*edited(change), '-o', folder)
        assert_refused(result, folder, '2 filters', 'F606W: e1_flc.fits')

    def test_no_overlap(
        self, edited: Callable[..., list[Path]], tmp_path: Path
    ) -> None:
        """The fields are named."""

        def change(hdus: fits.HDUList) -> None:
            hdus['SCI'].header['CRVAL2'] += 1

        folder = tmp_path / 'dataset'
        result = label(*edited(change), '-o', folder)
        assert_refused(result, folder, 'no sky in common', 'e1_flc.fits')

    def test_misaligned(self, field: Field, tmp_path: Path) -> None:
        """By the share of unmatched peaks, with the shift that mends it."""
        folder = tmp_path / 'dataset'
        result = label(*field.shifted, '-o', folder, '--aligned')
        assert_refused(
            result, folder, 'e1_flc.fits: misaligned', '% of its', 'leave out --aligned'
        )
        text = ' '.join(result.output.split())
        shift = re.search(
            r'a shift of (\S+) pixels to the west and (\S+) to the north', text
        )
        assert shift is not None
        found = [float(value) for value in shift.groups()]
        assert np.hypot(*found) == pytest.approx(np.hypot(*SHIFT), abs=0.2)

    @pytest.mark.parametrize('left', [2000, 500_000])
    def test_truncated(self, field: Field, tmp_path: Path, left: int) -> None:
        """The file is named."""
        broken = tmp_path / 'broken_flc.fits'
        broken.write_bytes(field.paths[1].read_bytes()[:left])
        folder = tmp_path / 'dataset'
        result = label(field.paths[0], broken, '-o', folder)
        assert_refused(result, folder, 'broken_flc.fits')

    def test_nan(self, edited: Callable[..., list[Path]], tmp_path: Path) -> None:
        """An exposure without pixels is named."""

        def change(hdus: fits.HDUList) -> None:
            hdus['SCI'].data[:] = np.nan

        folder = tmp_path / 'dataset'
        result = label(*edited(change), '-o', folder, '--aligned')
        assert_refused(result, folder, 'e1_flc.fits: no peak', 'Leave the exposure out')

    def test_too_few_for_umap(self, run: Run, field: Field, tmp_path: Path) -> None:
        """Both numbers and the cures."""
        (image,) = (run.folder / 'stages').glob('combined-*/combined.fits')
        folder = tmp_path / 'dataset'
        result = label(
            field.paths[0], '-o', folder, '--combined', image, '--neighbors', '400'
        )
        assert_refused(
            result, folder, 'UMAP with 400 neighbours needs 1600 places', '--neighbors'
        )

    def test_too_bright(self, field: Field, tmp_path: Path) -> None:
        """No peak is that bright."""
        folder = tmp_path / 'dataset'
        result = label(
            *field.paths, '-o', folder, '--aligned', '--min-electrons', '1e9'
        )
        assert_refused(result, folder, 'no peak of 1e+09 electrons')

    @pytest.mark.parametrize(
        ('option', 'said', 'code'),
        [
            (('--neighbors', '1'), "'--neighbors': 1 is not in the range x>=2", 2),
            (('--merge-radius', '0'), "'--merge-radius'", 2),
            (('--preprocessing', 'nothing'), 'nothing', 1),
            (('--rename', '2=galaxy'), "no class 'galaxy'", 1),
        ],
    )
    def test_options(
        self, field: Field, tmp_path: Path, option: tuple[str, str], said: str,
        code: int,
    ) -> None:  # fmt: skip
        """Refused before any work."""
        folder = tmp_path / 'dataset'
        result = label(*field.paths, '-o', folder, *option)
        assert_refused(result, folder, said, code=code)
        assert not (folder / 'stages').exists()

    def test_rename_is_read(self, field: Field, tmp_path: Path) -> None:
        """What is not NUMBER=CLASS is a matter of usage."""
        folder = tmp_path / 'dataset'
        result = label(*field.paths, '-o', folder, '--rename', 'star')
        assert_refused(result, folder, 'must be NUMBER=CLASS', code=2)

    def test_cluster_that_is_not_there(
        self, copy: Path, field: Field, no_work: None
    ) -> None:
        """Those that are there are named; the old dataset stays."""
        before = times(copy)
        result = label(
            *field.shifted, '-o', copy, *OPTIONS, '--overwrite', '--rename', '999=star'
        )
        assert result.exit_code == 1
        assert 'cluster 999 is named but does not exist; there are' in result.output
        assert times(copy) == before

    def test_regions_of_another_embedding(
        self, copy: Path, field: Field, tmp_path: Path, no_work: None
    ) -> None:
        """They are refused; the old dataset stays."""
        box = Box('star', -1e6, 1e6, -1e6, 1e6)
        path = tmp_path / 'regions.json'
        write_regions(Regions(regions=(box,), embedding='0123456789ab'), path)
        before = times(copy)
        result = label(
            *field.shifted, '-o', copy, *OPTIONS, '--overwrite', '--regions', path
        )
        assert result.exit_code == 1
        assert 'drawn on another embedding' in result.output
        assert times(copy) == before

    def test_file_in_the_way(self, field: Field, tmp_path: Path) -> None:
        """Of the folder, of one above it, and of the stages."""
        (tmp_path / 'file').write_text('', encoding='utf-8')
        result = label(*field.paths, '-o', tmp_path / 'file')
        assert_refused(result, tmp_path, 'is a file', code=2)
        result = label(*field.paths, '-o', tmp_path / 'file' / 'dataset')
        assert_refused(result, tmp_path, 'cannot be made', 'another folder')
        (tmp_path / 'dataset').mkdir()
        (tmp_path / 'dataset' / 'stages').write_text('', encoding='utf-8')
        result = label(*field.paths, '-o', tmp_path / 'dataset')
        assert_refused(result, tmp_path / 'dataset', 'stages: cannot be made')


def test_same_again(field: Field, run: Run, tmp_path: Path, quick: None) -> None:
    """The function gives the same as before for the same seed, another for another."""
    (image,) = (run.folder / 'stages').glob('combined-*/combined.fits')
    found = []
    for number, seed in enumerate((0, 0, 1)):
        settings = LabelSettings(
            embedding=EmbeddingSettings(samples=700, n_neighbors=15, seed=seed),
            combined=str(image),
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of classes that are scarce
            labelling, card = make_dataset(
                field.paths[:1], tmp_path / str(number), settings
            )
        assert len(labelling.places) == 700
        assert card['created_by']['found']['embedded'] == 700
        found.append((tmp_path / str(number) / 'labels.ecsv').read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_ngc1261(data_dir: Path, tmp_path: Path) -> None:
    """
    A real exposure against the median of three, which has neither WCS nor unit.

    The truth is the comparison of the two frames, where it is plain.
    """
    hst = data_dir / 'hst'
    exposure = hst / 'wfpc2pc_ngc1261_f336w_single.fits'
    median = hst / 'wfpc2pc_ngc1261_f336w_median3.fits'
    result = label(exposure, '--combined', median, '-o', tmp_path, *OPTIONS)
    assert result.exit_code == 0, result.output
    labels = read_labels(tmp_path / 'labels.ecsv')
    xy = positions(labels)
    given = np.asarray(labels['label'], dtype=str)
    counts: Counter[tuple[str, str]] = Counter()
    for half in ('left', 'right'):
        frame = ngc1261(hst, half)
        mine = frame.within(*xy.T)
        true = frame.label(xy[mine])
        sure = ~np.asarray(true['contested'])
        names = np.asarray(true['label'], dtype=str)[sure].tolist()
        counts += Counter(zip(given[mine][sure].tolist(), names, strict=True))
    assert counts['star', 'star'] > 700
    assert counts['cosmic_ray', 'cosmic_ray'] > 500
    assert share_right(counts, 'star') > 0.99
    assert share_right(counts, 'cosmic_ray') > 0.99
    stars = sum(n for (_, true), n in counts.items() if true == 'star')
    assert counts['star', 'star'] > 0.97 * stars
    card = read_card(tmp_path)
    assert {'star', 'cosmic_ray'} <= set(card['classes'])
    assert [each['name'] for each in card['exposures']] == [exposure.name]
