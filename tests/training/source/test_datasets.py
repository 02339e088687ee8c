"""Detections of simulated exposures: cached, resumable, labelled by the truth."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('tqdm')
pytest.importorskip('photutils')

from astropy.table import Table

from astrosieve.images.exposures import Chip
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import FinderConfig, config_from_dict
from astrosieve_training.source.datasets import detections as datasets
from astrosieve_training.source.datasets.detections import DetectionSet, simulated_set

EXPOSURES = ExposureSet(
    name='tiny', n=2, seed=40, cameras=('demo',), scenes=('outskirts',),
    shape=(200, 200), use_dq=(True, False),
)  # fmt: skip
FINDERS = (FinderConfig('peaks'), FinderConfig('dao'))


def make(
    folder: Path, exposures: ExposureSet = EXPOSURES, **options: Any
) -> DetectionSet:
    settings = {'finders': FINDERS, 'preprocessing': 'zscale-log-1', **options}
    return simulated_set(exposures, folder=folder, progress=False, **settings)


def names(folder: Path, kind: str) -> set[str]:
    """Return the names of the cache's files of a kind."""
    return {path.name for path in folder.glob(f'*-{kind}-*.npz')}


def keys(found: DetectionSet) -> list[tuple[Any, ...]]:
    """Return what tells rows apart, in their order."""
    columns = [found.rows[name].tolist() for name in ('exposure', 'finder', 'x', 'y')]
    return list(zip(*columns, strict=True))


def exposures_of(folder: Path) -> str:
    """Return the name of the folder of exposures."""
    (path,) = folder.glob('exposures-*')
    return path.name


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError


def peaks(data: np.ndarray, xy: np.ndarray, fwhm: float, chip: Chip) -> Table:
    """Return the brightest of the 3x3 pixels, as a baseline may want it."""
    x, y = np.floor(xy + 0.5).astype(int).T.clip(1, min(data.shape) - 2)
    steps = np.arange(-1, 2)
    boxes = data[y[:, None, None] + steps[:, None], x[:, None, None] + steps]
    return Table({'brightest': boxes.max(axis=(1, 2))})


@pytest.fixture(scope='module')
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the cache of a set."""
    folder = tmp_path_factory.mktemp('cache')
    make(folder)
    return folder


def test_set_has_truth_and_inputs(cache: Path) -> None:
    """Stars and hits are there, of both exposures and finders."""
    found = make(cache)
    labels = np.asarray(found.rows['label'])
    assert (labels == 'star').sum() > 10
    assert (labels == 'cosmic_ray').sum() > 10
    assert set(found.rows['finder']) == {'peaks-5', 'dao-5'}
    assert len(set(found.rows['exposure'])) == 2
    cutouts = found.inputs['cutouts']
    assert cutouts.shape == (len(found), 1, 11, 11)
    assert cutouts.dtype == np.float32
    assert cutouts.min() >= 0
    assert cutouts.max() <= 1
    fill = np.asarray(found.rows['fill'])
    assert ((fill > 0) & (fill < 0.3)).all()


def test_rows_say_what_the_image_is_like(cache: Path) -> None:
    """True and measured width, correlation of the noise, what a star lies on."""
    rows = make(cache).rows
    assert len(set(rows['psf_fwhm'])) == 1
    assert rows['fwhm'] == pytest.approx(rows['psf_fwhm'], rel=0.15)
    assert rows['noise_ratio'] == pytest.approx(np.ones(len(rows)), abs=0.1)
    assert len(set(rows['noise_ratio'])) == 2
    on = np.asarray(rows['extended_snr'])
    assert np.isfinite(on).all()
    assert (on >= 0).all()


def test_cache_is_used_and_equal(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is neither simulated nor read nor searched again."""
    before = make(cache)
    monkeypatch.setattr(datasets, 'load_exposure', refuse)
    again = make(cache)
    assert np.array_equal(before.inputs['cutouts'], again.inputs['cutouts'])
    for name in before.rows.colnames:
        np.testing.assert_array_equal(before.rows[name], again.rows[name], name)


def test_cache_holds_each_kind_apart(cache: Path) -> None:
    """Exposures in a folder, labels and inputs of each in files."""
    (folder,) = cache.glob('exposures-*')
    assert {path.name for path in folder.iterdir()} == {
        f'demo-outskirts-{seed}{end}'
        for seed in (40, 41)
        for end in ('.json', '_flc.fits', '_truth.fits')
    }
    for kind in ('labels', 'inputs'):
        assert len(names(cache, kind)) == 2
    assert not names(cache, 'columns')


@pytest.mark.parametrize('kind', ['labels', 'inputs'])
def test_damaged_cache_is_made_again(kind: str, cache: Path, tmp_path: Path) -> None:
    """A file cut short gives the same set as before; no wreck is left."""
    folder = tmp_path / 'cache'
    shutil.copytree(cache, folder)
    before = make(folder)
    files = {path.name for path in folder.iterdir()}
    path = folder / min(names(folder, kind))
    path.write_bytes(path.read_bytes()[:1000])
    again = make(folder)
    assert np.array_equal(before.inputs['cutouts'], again.inputs['cutouts'])
    assert before.rows['label'].tolist() == again.rows['label'].tolist()
    assert {path.name for path in folder.iterdir()} == files
    with np.load(path) as arrays:
        assert len(arrays.files) > 1


def test_exposures_serve_all_settings(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other finders have rows of their own, of exposures that are not made again."""
    folder = tmp_path / 'cache'
    shutil.copytree(cache, folder)
    from astrosieve_training.simulate import files as simulated_files

    monkeypatch.setattr(simulated_files, 'simulate_plan', refuse)
    found = make(folder, finders=FINDERS[:1])
    assert set(found.rows['finder']) == {'peaks-5'}
    assert set(keys(found)) < set(keys(make(folder)))
    for kind in ('labels', 'inputs'):
        assert len(names(folder, kind)) == 4
        assert names(cache, kind) < names(folder, kind)


def test_a_changed_camera_is_another_camera(tmp_path: Path) -> None:
    """What its file said before is kept apart, and is there when it says so again."""
    path = tmp_path / 'own.toml'
    exposures = replace(EXPOSURES, n=1, cameras=(str(path),))
    made = []
    for noise in (3.0, 9.0, 3.0):
        path.write_text(f'read_noise = {noise}\nshape = [200, 200]\n', encoding='utf-8')
        made.append(make(tmp_path / 'cache', exposures))
    assert keys(made[0]) == keys(made[2])
    assert keys(made[0]) != keys(made[1])
    for kind in ('labels', 'inputs'):
        assert len(names(tmp_path / 'cache', kind)) == 2
    assert len(list((tmp_path / 'cache').glob('exposures-*'))) == 2


def test_networks_share_labels(cache: Path, tmp_path: Path) -> None:
    """Another preprocessing adds inputs of its own for the same rows."""
    folder = tmp_path / 'cache'
    shutil.copytree(cache, folder)
    one, other = make(folder), make(folder, preprocessing='local-noise-2')
    assert names(folder, 'labels') == names(cache, 'labels')
    assert len(names(folder, 'inputs')) == 4
    assert list(other.inputs) == ['cutouts', 'wide', 'far', 'fwhm']
    assert {len(value) for value in other.inputs.values()} == {len(one)}
    assert one.rows['x'].tolist() == other.rows['x'].tolist()
    assert other.rows['fwhm'] == pytest.approx(other.inputs['fwhm'][:, 0])
    assert (np.asarray(other.rows['fill']) == 0).all()


def test_columns_of_baselines(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come beside the labels, row by row, and are cached apart."""
    folder = tmp_path / 'cache'
    shutil.copytree(cache, folder)
    found = make(folder, measure=peaks)
    brightest = np.asarray(found.rows['brightest'])
    star = np.asarray(found.rows['label']) == 'star'
    snr = np.asarray(found.rows['snr'])
    assert (brightest > 0).mean() > 0.99
    assert np.corrcoef(np.log(brightest[star & (brightest > 0)]),
                       np.log(snr[star & (brightest > 0)]))[0, 1] > 0.8  # fmt: skip
    assert len(names(folder, 'columns')) == 2
    assert names(folder, 'labels') == names(cache, 'labels')
    assert names(folder, 'inputs') == names(cache, 'inputs')
    monkeypatch.setattr(datasets, 'load_exposure', refuse)
    again = make(folder, measure=peaks)
    assert again.rows['brightest'].tolist() == brightest.tolist()


class TestThin:
    """A limit to the detections that an exposure gives."""

    @pytest.fixture(scope='class')
    @staticmethod
    def thinned(cache: Path) -> DetectionSet:
        return make(cache, replace(EXPOSURES, thin=9))

    def test_at_most_so_many_of_a_class(
        self, cache: Path, thinned: DetectionSet
    ) -> None:
        """In each exposure; those of rarer classes all stay."""
        everything = make(cache)
        for exposure in set(everything.rows['exposure']):
            counts, left = (
                Counter(each.rows['label'][each.rows['exposure'] == exposure].tolist())
                for each in (everything, thinned)
            )
            assert max(left.values()) == 9
            assert max(counts.values()) > 30
            assert set(left) == set(counts)

    def test_one_of_each_pixel(self, cache: Path, thinned: DetectionSet) -> None:
        """What two finders found is there once, in the order of the rows."""
        rows = make(cache, replace(EXPOSURES, thin=100_000)).rows
        for each in (rows, thinned.rows):
            pixels = np.floor(np.column_stack([each['x'], each['y']]) + 0.5)
            places = list(zip(each['exposure'], *pixels.T.tolist(), strict=True))
            assert len(set(places)) == len(places)
        assert set(rows['finder']) == {'peaks-5', 'dao-5'}
        every = make(cache).rows
        pixels = np.floor(np.column_stack([every['x'], every['y']]) + 0.5)
        places = set(zip(every['exposure'], *pixels.T.tolist(), strict=True))
        assert len(rows) == len(places) < len(every)

    def test_rows_are_of_the_whole_set(
        self, cache: Path, thinned: DetectionSet
    ) -> None:
        """A row keeps its truth and its inputs."""
        everything = make(cache)
        assert set(keys(thinned)) < set(keys(everything))
        order = {key: i for i, key in enumerate(keys(everything))}
        chosen = everything[np.array([order[key] for key in keys(thinned)])]
        assert np.array_equal(thinned.inputs['cutouts'], chosen.inputs['cutouts'])
        assert thinned.rows['label'].tolist() == chosen.rows['label'].tolist()

    def test_is_repeatable(
        self, cache: Path, thinned: DetectionSet, tmp_path: Path
    ) -> None:
        """The exposure's seed decides, not what is in the cache."""
        shutil.copytree(next(cache.glob('exposures-*')), tmp_path / exposures_of(cache))
        again = make(tmp_path, replace(EXPOSURES, thin=9))
        assert keys(again) == keys(thinned)


def test_whole_line_on_a_tiny_scale(tmp_path: Path) -> None:
    """Simulate, train, calibrate and export; the model classifies."""
    pytest.importorskip('torch')
    pytest.importorskip('onnxscript')
    from astrosieve import classify_sources
    from astrosieve.models.registry import load_model
    from astrosieve_training.source.export import export_run
    from astrosieve_training.source.train.runs import train

    def exposures(name: str, seed: int) -> dict[str, object]:
        return {
            'name': name, 'n': 1, 'seed': seed, 'cameras': ['demo'],
            'scenes': ['outskirts'], 'shape': [256, 256],
        }  # fmt: skip

    config = config_from_dict(
        {
            'name': 'tiny', 'seed': 1, 'finders': [{'name': 'peaks'}],
            'training': exposures('training', 50),
            'validation': exposures('validation', 60),
            'calibrating': exposures('calibrating', 70),
            'train': {'epochs': 3, 'runs': 2, 'batch_size': 32, 'balance': 0},
            'real': {'ngc1261': False},
        }
    )  # fmt: skip
    run = train(config, tmp_path / 'run', progress=False)
    assert run.summary['counts']['training']['star'] > 10
    assert len(run.summary['runs']) == 2
    card, _ = export_run(tmp_path / 'run', tmp_path / 'weights')
    assert card.domain['fwhm'][0] < card.domain['fwhm'][1]
    assert '1 simulated exposures (cameras demo' in card.training_data
    model = load_model(tmp_path / 'weights' / 'tiny-1.0.onnx')
    image = np.random.default_rng(0).normal(10, 3, (64, 64))
    table = classify_sources(image, [[20.0, 30.0]], model=model, unit='electron')
    assert table['class_name'][0] in card.classes


def test_whole_line_of_three_scales(tmp_path: Path) -> None:
    """A network of several inputs: what is learnt is what classify_sources does."""
    pytest.importorskip('torch')
    pytest.importorskip('onnxscript')
    from astrosieve import classify_sources
    from astrosieve.models.registry import load_model
    from astrosieve_training.judge.scores import roc
    from astrosieve_training.source.export import export_run
    from astrosieve_training.source.train.runs import train

    def exposures(name: str, seed: int, n: int = 1) -> dict[str, object]:
        return {
            'name': name, 'n': n, 'seed': seed, 'cameras': ['demo'], 'vary': True,
            'scenes': ['outskirts'], 'shape': [256, 256], 'thin': 200,
        }  # fmt: skip

    config = config_from_dict(
        {
            'name': 'tiny', 'seed': 1, 'finders': [{'name': 'peaks', 'nsigma': 4.0}],
            'training': exposures('training', 50, 3),
            'validation': exposures('validation', 60),
            'calibrating': exposures('calibrating', 70),
            'network': {
                'kind': 'multiscale', 'preprocessing': 'local-noise-2',
                'filters': [8, 8], 'dense': [16],
                'classes': ['star', 'cosmic_ray', 'spike', 'background'],
            },
            'train': {
                'epochs': 8, 'runs': 1, 'batch_size': 32, 'balance': 0,
                'learning_rate': 5e-3, 'schedule': 'one-cycle', 'class_weight': 0.35,
                'weight_decay': 1e-3,
            },
            'real': {'ngc1261': False},
        }
    )  # fmt: skip
    run = train(config, tmp_path / 'run', progress=False)
    card, difference = export_run(tmp_path / 'run', tmp_path / 'weights')
    assert difference < 1e-5
    assert list(card.inputs) == ['cutouts', 'wide', 'far', 'fwhm']
    low, high = card.domain['noise_ratio']
    assert 0.85 < low < 1 < high < 1.15
    assert run.summary['counts']['training']['background'] > 0

    unseen = ExposureSet(
        name='unseen', n=1, seed=80, cameras=('demo',), scenes=('outskirts',),
        shape=(256, 256),
    )  # fmt: skip
    cache = tmp_path / 'run' / 'cache'
    found = make(cache, unseen, preprocessing='local-noise-2')
    ((_, chip, _),) = datasets.simulated_exposures(unseen, cache)
    model = load_model(tmp_path / 'weights' / 'tiny-1.0.onnx')
    table = classify_sources(
        chip.sci,
        np.column_stack([found.rows['x'], found.rows['y']]),
        mask=chip.mask,
        dq=chip.dq,
        unit=chip.unit,
        model=model,
        cosmic_ray_hint=False,
    )
    valid = np.asarray(found.rows['valid'])
    expected = model.predict(found.inputs)[valid, 0]
    assert table['p_star'][valid] == pytest.approx(expected, abs=1e-3)
    assert (np.asarray(table['class_name'] == 'unscored') == ~valid).all()
    assert table.meta['warnings'] == ''
    label = np.asarray(found.rows['label'])
    judged = found.usable & np.isin(label, ('star', 'cosmic_ray'))
    curve = roc(np.asarray(table['p_star'])[judged], label[judged] == 'star')
    assert curve.area > 0.95
