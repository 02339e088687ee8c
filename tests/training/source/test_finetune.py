"""Training from labels: from shipped weights or new, through to classify."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('scipy')
pytest.importorskip('galsim')

import torch
from astropy.table import Table, vstack
from click.testing import CliRunner

from astrosieve.exceptions import AstrosieveWarning, ModelError
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import load_model
from astrosieve.source.classify import classify_sources
from astrosieve.source.demo import demo_exposure, demo_truth
from astrosieve.source.labels import make_labels
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training import configs
from astrosieve_training.cli import main
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate import (
    label_positions,
    load_camera,
    random_camera,
    simulate_dithered_set,
)
from astrosieve_training.source.config import (
    FinderConfig,
    SourceConfig,
    TuneConfig,
    load_config,
)
from astrosieve_training.source.datasets.chips import find_sources, network_inputs
from astrosieve_training.source.datasets.examples import Examples, prepare
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.dataset import read_card, write_dataset
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings
from astrosieve_training.source.networks import build_network
from astrosieve_training.source.train.augment import _one_hypothesis
from astrosieve_training.source.train.datasets import prepare_datasets
from astrosieve_training.source.train.parity import inputs_of
from astrosieve_training.source.train.runs import _adapted, load_run, train_network
from astrosieve_training.source.train.warm_start import (
    Start,
    load_start,
    network_of,
    with_statistics,
)

DATA = Path(__file__).parents[2] / 'data'
SETTINGS = SplitSettings(min_class=15, seed=1)
KNOWN = ('star', 'cosmic_ray', 'spike')

TINY = """
name = 'tiny-tuned'
seed = 4
[network]
kind = 'multiscale'
preprocessing = 'local-noise-2'
classes = ['star', 'cosmic_ray', 'spike', 'extended', 'bad_pixel', 'background']
filters = [16, 32]
dense = [48, 32]
[train]
epochs = 2
batch_size = 64
learning_rate = 2e-4
runs = 1
[tune]
rehearsal_batch = 16
[tune.rehearsal]
name = 'rehearsal'
n = 1
seed = 7100
cameras = ['demo']
scenes = ['galaxies']
shape = [256, 256]
[[finders]]
name = 'peaks'
nsigma = 4.0
"""


@pytest.fixture(scope='module')
def exposures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Table]:
    """Two dithered exposures of a cluster, and the labels of their peaks."""
    folder = tmp_path_factory.mktemp('exposures')
    paths, tables = [], []
    made = simulate_dithered_set(
        load_camera('demo'), 2, seed=31, shape=(400, 400), scene='globular'
    )
    for number, exposure in enumerate(made):
        path = folder / f'demo{number}_flt.fits'
        exposure.write(path)
        chip = next(iter(read_chips(path)))
        found = find_sources(MeasuredImage.of_chip(chip), [FinderConfig('peaks')])
        xy = np.column_stack([found['x'], found['y']])
        truth = label_positions(exposure.truth, xy)
        names = np.asarray(truth['label'], dtype=str)
        good = np.isin(names, KNOWN) & ~np.asarray(truth['contested'])
        tables.append(make_labels(path.name, 1, xy[good], names[good]))
        paths.append(path)
    return paths, vstack(tables, metadata_conflicts='silent')


@pytest.fixture(scope='module')
def dataset(
    exposures: tuple[list[Path], Table], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The labels as a dataset of both preprocessings."""
    paths, labels = exposures
    folder = tmp_path_factory.mktemp('labelled') / 'dataset'
    sets = {
        name: cut_labels(paths, labels, preprocessing=name)
        for name in ('local-noise-2', 'zscale-log-1')
    }
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)  # the field is small
        write_dataset(
            folder, sets, {'how': 'truth'}, exposures=paths, settings=SETTINGS
        )
    return folder


@pytest.fixture(scope='module')
def start() -> Start:
    return load_start('source')


@pytest.fixture(scope='module')
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('config') / 'tiny.toml'
    path.write_text(TINY, encoding='utf-8')
    return path


@pytest.fixture
def quiet() -> Iterator[None]:
    """What is said of missing classes is tested once, where it is said."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        yield


def invoke(*args: object) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        result = CliRunner().invoke(main, ['source', *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope='module')
def tuned(
    dataset: Path, config_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A fine-tuning by command, exported; what the command said."""
    folder = tmp_path_factory.mktemp('tuned') / 'run'
    said = invoke(
        'train', '--dataset', dataset, '--from', 'source', '--config', config_file,
        '--name', 'my-camera', '-o', folder,
    )  # fmt: skip
    invoke('export', folder, '-o', folder / 'weights')
    return folder, said


@pytest.mark.parametrize('name', ['source', 'source-isr2024'])
def test_shipped_weights_are_read_into_torch(name: str) -> None:
    """Torch gives what onnxruntime gives, on inputs of all kinds."""
    begun = load_start(name)
    assert begun.difference < 1e-5
    network = build_network(begun.network)
    network.load_state_dict(begun.state)
    rng = np.random.default_rng(5)
    shapes = get_preprocessing(begun.network.preprocessing).shapes
    inputs = {
        key: rng.uniform(1.2, 4, (50, *shape)).astype(np.float32)
        for key, shape in shapes.items()
    }
    model = load_model(name, threads=1)
    logits = predict_logits(network, inputs) / model.card.temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(model.predict(inputs), expected, atol=1e-5)


def test_unknown_network_is_refused() -> None:
    """A model that was not trained here does not say how it is built."""
    with pytest.raises(ModelError, match='does not say how its network is built'):
        load_start(DATA / 'tiny.onnx')
    with pytest.raises(ModelError, match="no model 'sources'; known are"):
        load_start('sources')


def test_card_and_network_must_agree(start: Start) -> None:
    """A card that contradicts itself, or names what is not known here."""
    classes = (*start.card.classes[:-1], 'other')
    prior = dict.fromkeys(classes, 1 / 6)
    with pytest.raises(ModelError, match=r'has the classes .* its network'):
        network_of(replace(start.card, classes=classes, class_prior=prior))
    strange = replace(start.card, metrics={'network': {'kindd': 'multiscale'}})
    with pytest.raises(ModelError, match='a newer astrosieve may know it'):
        network_of(strange)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """The card promises another architecture than the file holds."""
    model = load_model('source-isr2024')
    onnx_path = tmp_path / 'mine.onnx'
    shutil.copy(model.path, onnx_path)
    network = load_config('source-isr2024').network

    def claim(**changes: Any) -> None:
        form = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in vars(replace(network, **changes)).items()
        }
        card = replace(model.card, name='mine', metrics={'network': form})
        onnx_path.with_suffix('.json').write_text(card.to_json(), encoding='utf-8')

    claim(filters=(32, 16))
    with pytest.raises(ModelError, match=r'3\.weight is \(32, 32, 3, 3\) in its ONNX'):
        load_start(onnx_path)
    claim(dense=(16, 16, 16))
    with pytest.raises(ModelError, match='it is another network'):
        load_start(onnx_path)
    claim()
    assert load_start(onnx_path).network == network


def test_command_fine_tunes_and_exports(
    tuned: tuple[Path, str], dataset: Path, start: Start
) -> None:
    """The card tells the truth: labels, region, classes that had none, the start."""
    folder, said = tuned
    counts = read_card(dataset)['counts']
    assert f'training: {counts["training"]["star"]} star' in said
    assert 'rehearsal: 0 star' in said
    card = ModelCard.from_json((folder / 'weights' / 'my-camera-1.0.json').read_text())
    assert card.classes == start.card.classes
    assert card.description.startswith(f'{start.label}, trained further on')
    assert 'labels of 2 exposures of wfc3-uvis-f606w (truth): ' in card.training_data
    assert f'; before that, as {start.label}: {start.card.training_data}' in (
        card.training_data
    )
    assert 'region of the sky, about 20% held back' in card.split
    assert any('No labels of extended, bad_pixel, background' in s for s in card.limits)
    assert card.metrics['start']['sha256'] == start.card.sha256
    assert card.metrics['network']['kind'] == 'multiscale'
    for point in card.operating_points.values():
        assert 'labels of 2 exposures of wfc3-uvis-f606w, region held back' in (
            point.sample
        )
    low, high = card.domain['fwhm']
    assert low <= start.card.domain['fwhm'][0]
    assert high >= start.card.domain['fwhm'][1]
    run = load_run(folder)
    absent = [card.classes.index(n) for n in ('extended', 'bad_pixel', 'background')]
    assert [run.calibration.offsets[i] for i in absent] == [0, 0, 0]
    assert np.isfinite(run.calibration.offsets).all()
    for part in run.summary['counts'].values():
        assert set(part) == set(card.classes)


def test_new_model_classifies(
    tuned: tuple[Path, str], exposures: tuple[list[Path], Table], tmp_path: Path
) -> None:
    """By the command, and in place of a photutils finder."""
    photutils = pytest.importorskip('photutils.detection')
    from astrosieve.cli import main as astrosieve_main
    from astrosieve_plugins.photutils_finder import ClassifiedStarFinder

    model = tuned[0] / 'weights' / 'my-camera-1.0.onnx'
    image = exposures[0][0]
    out = tmp_path / 'sources.ecsv'
    args = ['classify', str(image), '--model', str(model), '-o', str(out)]
    result = CliRunner().invoke(astrosieve_main, args)
    assert result.exit_code == 0, result.output
    table = Table.read(out)
    assert table.meta['model'].startswith('my-camera')
    assert (table['class_name'] == 'star').sum() > 20
    chip = next(iter(read_chips(image)))
    finder = ClassifiedStarFinder(
        photutils.DAOStarFinder(60.0, 2.0), model=str(model), unit='electron'
    )
    stars = finder(chip.sci - np.median(chip.sci))
    assert 10 < len(stars) < len(table)


def test_exported_model_can_be_trained_further(tuned: tuple[Path, str]) -> None:
    """Its card says how it is built."""
    begun = load_start(tuned[0] / 'weights' / 'my-camera-1.0.onnx')
    assert begun.label == 'my-camera 1.0'
    assert begun.difference < 1e-5


def test_finished_training_is_not_done_again(
    tuned: tuple[Path, str], dataset: Path, config_file: Path, tmp_path: Path,
    exposures: tuple[list[Path], Table],
) -> None:  # fmt: skip
    """The state is used again; another dataset or start is another training."""
    folder = tmp_path / 'run'
    shutil.copytree(tuned[0], folder)
    state = folder / 'run-00.pt'
    before = state.stat().st_mtime_ns
    args = ['train', '--from', 'source', '--config', config_file, '-o', folder]
    args += ['--name', 'my-camera']
    invoke(*args, '--dataset', dataset)
    assert state.stat().st_mtime_ns == before
    paths, labels = exposures
    other = tmp_path / 'other'
    sets = {'local-noise-2': cut_labels(paths, labels, preprocessing='local-noise-2')}
    sets['local-noise-2'].inputs['cutouts'] *= np.float32(1 + 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        write_dataset(other, sets, exposures=paths, settings=SETTINGS)
    key = torch.load(state, weights_only=True)['key']
    invoke(*args, '--dataset', other)
    assert torch.load(state, weights_only=True)['key'] != key
    args[2] = tuned[0] / 'weights' / 'my-camera-1.0.onnx'
    key = torch.load(state, weights_only=True)['key']
    invoke(*args, '--dataset', other)
    assert torch.load(state, weights_only=True)['key'] != key


def test_new_network_has_the_labelled_classes(
    dataset: Path, config_file: Path, tmp_path: Path
) -> None:
    """Without --from there is nothing that could know the others."""
    config = load_config(config_file)
    with pytest.warns(AstrosieveWarning, match='no labels of extended, bad_pixel, ba'):
        made, data = prepare_datasets(config, [dataset], cache=tmp_path, progress=False)
    assert made.network.classes == KNOWN
    assert data.rehearsal is None
    folder = tmp_path / 'run'
    invoke('train', '--dataset', dataset, '--config', config_file, '-o', folder)
    invoke('export', folder, '-o', folder)
    card = ModelCard.from_json((folder / 'tiny-tuned-1.0.json').read_text())
    assert card.classes == KNOWN
    assert 'start' not in card.metrics


def test_published_network_learns_from_a_dataset(
    dataset: Path, tmp_path: Path, quiet: None
) -> None:
    """The other preprocessing and the balancing of its configuration are used."""
    config = load_config('source-isr2024')
    made, data = prepare_datasets(config, [dataset], cache=tmp_path, progress=False)
    assert made.network == config.network
    assert set(data.training.inputs) == {'cutouts'}
    members = np.bincount(data.training.labels)
    assert members.max() <= 1.5 * members.min()
    free = replace(config, train=replace(config.train, balance=0.0))
    _, everything = prepare_datasets(free, [dataset], cache=tmp_path, progress=False)
    assert len(everything.training) > len(data.training)


def test_halves_of_the_validation_share_no_cutout(
    dataset: Path, tmp_path: Path, quiet: None
) -> None:
    """What chooses the epoch is apart from what calibrates."""
    config = load_config('source-isr2024')
    _, data = prepare_datasets(config, [dataset], cache=tmp_path, progress=False)
    one, other = data.holdout.rows, data.calibrating.rows
    assert len(one) > 20
    assert len(other) > 20
    for name in np.unique(one['exposure']):
        places = [
            np.rint(np.column_stack([rows['x'], rows['y']])[rows['exposure'] == name])
            for rows in (one, other)
        ]
        apart = np.abs(places[0][:, None] - places[1][None]).max(axis=2)
        assert apart.min() >= 11


def test_datasets_must_not_share_exposures(
    dataset: Path, tmp_path: Path, start: Start
) -> None:
    """The split of one is not that of the other."""
    twin = tmp_path / 'twin'
    shutil.copytree(dataset, twin)
    config = load_config('source-finetuned')
    with pytest.raises(DatasetError, match=r'both hold labels of demo0_flt\.fits'):
        prepare_datasets(config, [dataset, twin], start=start, cache=tmp_path)


def test_classes_that_do_not_meet(dataset: Path, tmp_path: Path) -> None:
    """A network for other classes than the labels'."""
    config = load_config('source-finetuned')
    network = replace(config.network, classes=('star', 'background'))
    with (
        pytest.warns(AstrosieveWarning, match='no class cosmic_ray, spike'),
        pytest.raises(DatasetError, match='a training needs two classes'),
    ):
        prepare_datasets(replace(config, network=network), [dataset], cache=tmp_path)


def test_configuration_for_datasets_simulates_nothing(tmp_path: Path) -> None:
    """It says what is missing."""
    with pytest.raises(ConfigError, match=r'for datasets of labels\. Give --da'):
        prepare(load_config('source-finetuned'), tmp_path)
    with pytest.raises(ConfigError, match=r"name must be .*; got 'a/b'"):
        SourceConfig(name='a/b')
    with pytest.raises(ConfigError, match=r'^stay must be 0 or more'):
        TuneConfig(stay=-1.0)


def test_missing_dataset_is_a_message(tmp_path: Path) -> None:
    """An empty folder is no dataset."""
    result = CliRunner().invoke(main, ['source', 'train', '--dataset', str(tmp_path)])
    assert result.exit_code == 1
    assert 'no such file; a dataset is the folder' in result.output


def demo_inputs() -> dict[str, np.ndarray]:
    """Return what networks see of the bundled exposure's detections."""
    chip = next(iter(read_chips(demo_exposure())))
    truth = demo_truth()
    xy = np.column_stack([truth['x_centroid'], truth['y_centroid']])
    arrays = network_inputs(MeasuredImage.of_chip(chip), xy, 'local-noise-2')
    return {k[6:]: v for k, v in arrays.items() if k.startswith('input_')}


def test_absent_classes_keep_their_probabilities(start: Start, tmp_path: Path) -> None:
    """Rehearsal holds what plain training loses; the labelled classes are learnt."""
    name = f'golden-{start.card.name}-{start.card.version}.npz'
    golden = np.load(DATA / name)['probabilities']
    inputs = demo_inputs()
    sure = np.flatnonzero((golden.max(axis=1) > 0.6) & np.isfinite(golden[:, 0]))
    called = golden[sure].argmax(axis=1)
    inputs = {key: value[sure] for key, value in inputs.items()}

    def examples(rows: np.ndarray, labels: np.ndarray) -> Examples:
        return Examples(
            {key: value[rows] for key, value in inputs.items()},
            labels.astype(np.int64),
            np.zeros(len(rows), dtype=np.float32),
            np.full(len(rows), 2.0, dtype=np.float32),
        )

    classes = list(start.card.classes)
    # Labels that contradict the old network: some stars are to be cosmic rays.
    star, hit = classes.index('star'), classes.index('cosmic_ray')
    there = np.flatnonzero((called == star) | (called == hit))
    labels = np.where(np.arange(len(there)) % 4 == 0, hit, called[there])
    training = examples(there, labels)
    absent = np.flatnonzero((called != star) & (called != hit))
    assert len(absent) > 10
    shown, asked = absent[::2], absent[1::2]
    rehearsal = examples(shown, called[shown])
    left = examples(asked, called[asked])
    config = load_config('source-finetuned')
    config = replace(
        config, train=replace(config.train, epochs=6, learning_rate=2e-3, batch_size=32)
    )

    def moved(rehearsed: Examples | None, path: str) -> float:
        state = train_network(
            training, training, config, 0, tmp_path / path, start=start,
            rehearsal=rehearsed,
        )  # fmt: skip
        assert state.best_epoch > 0
        network = build_network(start.network)
        network.load_state_dict(state.best)
        old = build_network(start.network)
        old.load_state_dict(start.state)
        before, after = (
            torch.softmax(torch.from_numpy(predict_logits(each, left.inputs)), 1)
            for each in (old, network)
        )
        return float((after - before).abs().amax(1).mean())

    assert moved(rehearsal, 'with.pt') < 0.6 * moved(None, 'without.pt')


def test_staying_near_the_start(start: Start, dataset: Path, tmp_path: Path) -> None:
    """The more the old parameters weigh, the less they move."""
    config = load_config('source-finetuned')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        config, data = prepare_datasets(
            replace(config, tune=TuneConfig()), [dataset], start=start, cache=tmp_path,
            progress=False,
        )  # fmt: skip
    assert data.rehearsal is None
    distances = []
    for stay in (0.0, 3.0):
        changed = replace(
            config,
            train=replace(config.train, epochs=1),
            tune=replace(config.tune, stay=stay),
        )
        state = train_network(
            data.training, data.validation, changed, 0, tmp_path / f'{stay}.pt',
            start=start,
        )  # fmt: skip
        moved = [
            float(((state.network[key] - value) ** 2).sum())
            for key, value in start.state.items()
            if value.is_floating_point()
        ]
        distances.append(sum(moved))
    assert 0 < distances[1] < 0.5 * distances[0]
    # The statistics of the batch normalisation are those of the start.
    for key, value in start.state.items():
        if 'running' in key:
            assert bool((state.network[key] == value).all())


def test_start_stays_where_nothing_is_better(start: Start, tmp_path: Path) -> None:
    """An epoch that makes it worse is not taken."""
    rng = np.random.default_rng(1)
    inputs = {
        'cutouts': rng.normal(0, 1, (64, 1, 11, 11)).astype(np.float32),
        'wide': rng.normal(0, 1, (64, 1, 11, 11)).astype(np.float32),
        'far': rng.normal(0, 1, (64, 1, 11, 11)).astype(np.float32),
        'fwhm': np.full((64, 1), 2.0, dtype=np.float32),
    }
    nothing, two = np.zeros(64, dtype=np.float32), np.full(64, 2, dtype=np.float32)
    right = Examples(inputs, np.full(64, 5), nothing, two)
    wrong = Examples(inputs, np.arange(64) % 2, nothing, two)
    config = load_config('source-finetuned')
    config = replace(config, train=replace(config.train, epochs=1))
    state = train_network(wrong, right, config, 0, tmp_path / 'a.pt', start=start)
    assert state.best_epoch == 0
    assert all(bool((state.best[k] == v).all()) for k, v in start.state.items())


def test_unknown_width_is_assumed() -> None:
    """Training draws one of the widths that inference averages over."""
    fwhm = np.full((400, 1), np.nan, dtype=np.float32)
    fwhm[:5] = 2.5
    drawn = _one_hypothesis({'fwhm': fwhm}, np.random.default_rng(0))
    assert (drawn[:5] == 2.5).all()
    assert set(np.unique(drawn[5:])) == {np.float32(w) for w in (1.6, 2.1, 2.8, 3.7)}
    known = np.full((3, 1), 2.0, dtype=np.float32)
    assert np.array_equal(
        _one_hypothesis({'fwhm': known}, np.random.default_rng(0)), known
    )


def test_demo_is_judged_as_before(tuned: tuple[Path, str], start: Start) -> None:
    """On the bundled exposure classes without labels keep their names."""
    chip = next(iter(read_chips(demo_exposure())))
    old, new = (
        classify_sources(chip.sci, demo_truth(), dq=chip.dq, unit='electron', model=m)
        for m in ('source', tuned[0] / 'weights' / 'my-camera-1.0.onnx')
    )
    mine = np.isin(old['class_name'], ('extended', 'bad_pixel', 'background'))
    assert mine.sum() > 10
    assert (old['class_name'] == new['class_name'])[mine].mean() > 0.8


@pytest.mark.parametrize('name', ['defocused', 'deep-depletion'])
def test_cameras_of_the_measurement(name: str) -> None:
    """They can be read, and are noisier than any that training draws."""
    folder = Path(configs.__file__).parent / 'source' / 'labelling'
    camera = load_camera(folder / f'{name}.toml')
    assert camera.name == name
    drawn = [random_camera(np.random.default_rng(seed)) for seed in range(200)]
    assert camera.read_noise > max(each.read_noise for each in drawn)


def test_card_is_json_that_any_reader_takes(tuned: tuple[Path, str]) -> None:
    """No NaN and no infinity."""
    path = tuned[0] / 'weights' / 'my-camera-1.0.json'

    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads(path.read_text(encoding='utf-8'), parse_constant=refuse)


def test_batches_of_a_start_are_as_its_file(start: Start) -> None:
    """In training too its logits are those of the ONNX file; as read they are not."""
    inputs = inputs_of(start.network.preprocessing, 400)
    tensors = [torch.from_numpy(value) for value in inputs.values()]
    found = []
    for state in (start.state, with_statistics(start, inputs).state):
        network = build_network(start.network)
        network.load_state_dict(state)
        with torch.no_grad():
            found.append((network.eval()(*tensors), network.train()(*tensors)))
    (expected, normalised), (same, trained) = found
    assert torch.allclose(same, expected, atol=1e-3)
    assert torch.allclose(trained, expected, atol=1e-3)
    assert (normalised - expected).abs().max() > 1


def test_start_of_another_form_is_refused(start: Start, tmp_path: Path) -> None:
    """A configuration that goes on from a model has its form."""
    config = load_config('source-multiscale')
    wider = replace(config, network=replace(config.network, dense=(64, 32)))
    with pytest.raises(ModelError, match='only one of the same form can be gone on'):
        _adapted(start, wider, None)
