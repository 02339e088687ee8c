"""The task in small: images, windows, a network, its export and its judge."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')
pytest.importorskip('photutils')

from click.testing import CliRunner

from astrosieve.blob import find_blobs
from astrosieve.blob.find import OPERATING_POINT
from astrosieve.blob.marks import FEATURES
from astrosieve.models.registry import Model, load_model
from astrosieve_training.blob.commands import blob
from astrosieve_training.blob.config import BlobConfig, ImageSet, load_config
from astrosieve_training.blob.export import export_run
from astrosieve_training.blob.images import (
    Windows,
    simulated_image,
    simulated_windows,
    turned_places,
)
from astrosieve_training.blob.train import Run, load_run, train
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.parity import ExportError
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages

SHAPE = (192, 208)
pytestmark = pytest.mark.usefixtures('converted_once')


@pytest.fixture(scope='module')
def config() -> BlobConfig:
    return replace(
        load_config('blob'),
        shape=SHAPE,
        side=96,
        windows=4,
        filters=(8, 8, 8, 8),
        training=ImageSet(10, 0, 4),
        validation=ImageSet(2, 100, 4),
        calibrating=ImageSet(6, 200, 3),
        judged=ImageSet(2, 300, 3),
        train=LoopSettings(epochs=6, batch_size=8, learning_rate=1e-2, runs=1),
    )


@dataclass(frozen=True)
class Made:
    folder: Path
    run: Run
    model: Model


@pytest.fixture(scope='module')
def made(config: BlobConfig, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp('run')
    run = train(config, folder)
    export_run(run, folder / 'weights', n=8)
    return Made(
        folder, run, load_model(folder / 'weights' / f'blob-{config.version}.onnx')
    )


@pytest.fixture(scope='module')
def windows(config: BlobConfig, tmp_path_factory: pytest.TempPathFactory) -> Windows:
    stages = Stages(tmp_path_factory.mktemp('images'))
    return simulated_windows(config, config.validation, stages, 'validation')


@pytest.mark.parametrize('kind', range(8))
def test_turned_places(kind: int) -> None:
    """Positions go where numpy takes the pixels."""
    image = np.zeros((9, 9))
    image[2, 7] = 1
    turned = np.rot90(image, kind % 4)
    turned = turned[:, ::-1] if kind >= 4 else turned
    x, y = turned_places(np.array([7.0]), np.array([2.0]), 9, kind)
    assert turned[int(y[0]), int(x[0])] == 1


def test_windows(windows: Windows, config: BlobConfig) -> None:
    """Centres are where the signal is high; without a generator all is fixed."""
    assert len(windows) == 8
    rows = np.arange(len(windows))
    again = windows.batch(rows, None)
    for one, other in zip(windows.batch(rows, None)[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one, other)
    inputs, target, weight = windows.batch(rows.repeat(6), np.random.default_rng(3))
    assert inputs['image'].shape == (48, 3, 96, 96)
    assert target.shape == (48, 6, 24, 24)
    assert weight.shape == (48, 1, 24, 24)
    cells = inputs['image'][:, 0].reshape(48, 24, 4, 24, 4).mean(axis=(2, 4))
    centres = target[:, 0] == 1
    assert centres.sum() > 20
    assert np.median(cells[centres]) > np.quantile(cells, 0.95)


def test_calibrated(made: Made) -> None:
    """Threshold, probabilities and errors are set; a training is read back."""
    run = made.run
    assert 0 < run.point.threshold < 1
    assert set(run.weights) == {*FEATURES, 'offset'}
    assert run.weights['logit'] > 0
    assert set(run.errors) == {'position', 'radius', 'depth'}
    again = load_run(made.folder)
    assert again.point == run.point
    assert again.config == run.config
    with pytest.raises(ConfigError, match='holds no finished training'):
        load_run(made.folder / 'weights')


def test_calibrated_anew(made: Made, config: BlobConfig, tmp_path: Path) -> None:
    """The network of a finished training says the same, with another probability."""
    others = replace(config, calibrating=ImageSet(6, 250, 3))
    run = train(others, tmp_path, trained=made.folder)
    assert not list(tmp_path.glob('run-*.pt'))
    assert run.summary == made.run.summary
    assert run.config.calibrating.seed == 250
    assert run.weights != made.run.weights
    marks = run.network.get_submodule('marks').weight
    assert (marks == made.run.network.get_submodule('marks').weight).all()


def test_calibrated_from_a_model(
    made: Made, config: BlobConfig, tmp_path: Path
) -> None:
    """The network of a model's file says what the training said."""
    run = train(config, tmp_path, trained=made.model)
    assert run.weights == pytest.approx(made.run.weights, rel=1e-2)
    told = made.run.summary['training_data']
    assert run.summary == load_run(tmp_path).summary == {'training_data': told}


def test_training_begins_with_another(
    made: Made, config: BlobConfig, tmp_path: Path
) -> None:
    """A training, or a model, hardly moves where it hardly learns; the card says so."""
    still = replace(config, train=replace(config.train, epochs=1, learning_rate=1e-9))
    marks = made.run.network.get_submodule('marks').weight.detach()
    version = config.version
    for name, start, told in (
        ('run', made.folder, f'a training of blob {version}'),
        ('model', made.model, f'blob {version}'),
    ):
        run = train(still, tmp_path / name, start=start)
        ours = run.network.get_submodule('marks').weight.detach()
        np.testing.assert_allclose(ours, marks, atol=1e-5)
        card, _ = export_run(run, tmp_path / name / 'weights', n=8)
        assert card.training_data.endswith(f'blobs, begun with {told}')


def test_one_way_to_begin(tmp_path: Path) -> None:
    """What is only calibrated does not begin; a network of subframes does neither."""
    both = ['train', '--start', 'blob', '--trained', 'blob', '-o', str(tmp_path / 'x')]
    result = CliRunner().invoke(blob, both)
    assert result.exit_code == 2
    assert 'give --trained or --start, not both' in result.output
    subframes = [
        'train', '--config', 'blob-isr2021', '--start', 'blob', '-o',
        str(tmp_path / 'x'),
    ]  # fmt: skip
    result = CliRunner().invoke(blob, subframes)
    assert result.exit_code == 2
    assert '--start is for networks that mark blobs' in result.output
    assert not (tmp_path / 'x').exists()


def test_exported(made: Made, config: BlobConfig) -> None:
    """The model takes images of any size, says what the network says, and is small."""
    card = made.model.card
    assert card.task == 'blob'
    assert card.activation == 'sigmoid'
    assert card.threshold(OPERATING_POINT, 'p_blob') == made.run.point.threshold
    assert card.options['errors'] == made.run.errors
    for shape in ((64, 64), (100, 70), SHAPE):
        image = simulated_image(replace(config, shape=shape, side=64), 5)
        table = find_blobs(
            image.data, mask=image.mask, model=made.model, min_probability=0.01
        )
        assert np.isfinite(np.asarray(table['depth'])).all()
    with pytest.raises(ExportError, match='more than 1000'):
        export_run(made.run, made.folder / 'small', max_bytes=1000, n=2)


def test_judged(made: Made, tmp_path: Path) -> None:
    """Limits, tables, baselines and figures; the card gets what the docs get."""
    page = tmp_path / 'blob.md'
    page.write_text('<!-- table:blob-all begin -->\n<!-- table:blob-all end -->\n')
    args = [
        'evaluate', str(made.folder), '--model', str(made.model.path), '-o',
        str(tmp_path / 'out'), '--update', '--readme', str(page),
    ]  # fmt: skip
    result = CliRunner().invoke(blob, args)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / 'out' / 'blob-judge.json').read_text())
    assert {each['what'] for each in report['limits']} >= {
        'subframes without', 'false blobs per image', 'dips rejected',
        'seconds of processor time',
    }  # fmt: skip
    text = (tmp_path / 'out' / 'blob-judge.md').read_text()
    stamps = [] if data_folder() is None else ['held-back stamps']  # real ones
    for name in ('matched filter', 'DAOStarFinder', 'pull', *stamps):
        assert name in text
    assert len(list((tmp_path / 'out').glob('*.png'))) == 3
    assert 'matched filter' in page.read_text()
    card = load_model(made.model.path).card
    assert 'tables' in card.metrics
    assert 'completeness' in card.operating_points[OPERATING_POINT].measured
