"""The network of whole images in small: images, training, export and judge."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('joblib')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')
pytest.importorskip('scipy')
pytest.importorskip('galsim')
pytest.importorskip('photutils')

from click.testing import CliRunner

from astrosieve.contaminant.classes import FAILURES
from astrosieve.contaminant.verdict.judge import VERDICTS, verdict_of
from astrosieve.contaminant.verdict.preprocessing import CUTOUTS, SCALES, SIZE
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model, load_model
from astrosieve_training.configs import config_kind
from astrosieve_training.contaminant.commands import contaminant
from astrosieve_training.contaminant.verdict import evaluate
from astrosieve_training.contaminant.verdict.baselines import (
    FEATURES,
    cut_scores,
    moments,
)
from astrosieve_training.contaminant.verdict.config import (
    ImageSet,
    VerdictConfig,
    load_config,
)
from astrosieve_training.contaminant.verdict.datasets import (
    judged_image,
    simulated_sources,
)
from astrosieve_training.contaminant.verdict.export import export_run
from astrosieve_training.contaminant.verdict.real import real_images
from astrosieve_training.contaminant.verdict.train import (
    VerdictRun,
    load_run,
    measured_at,
    train,
)
from astrosieve_training.learn.runs import run_kind
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages

pytestmark = pytest.mark.usefixtures('converted_once')


@pytest.fixture(scope='module')
def config() -> VerdictConfig:
    sides = (160, 128)
    return replace(
        load_config(),
        failed=0.7,
        width=8,
        dense=8,
        training=ImageSet(16, 0, sides),
        small=ImageSet(8, 400, (64,)),
        validation=ImageSet(4, 100, sides),
        calibrating=ImageSet(24, 200, sides),
        judged=ImageSet(24, 300, sides),
        train=LoopSettings(epochs=2, batch_size=8, learning_rate=3e-3, runs=1),
    )


@dataclass(frozen=True)
class Made:
    folder: Path
    run: VerdictRun
    model: Model


@pytest.fixture(scope='module')
def made(config: VerdictConfig, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp('run')
    run = train(config, folder)
    export_run(run, folder / 'weights', n=8)
    model = load_model(next((folder / 'weights').glob('*.onnx')))
    return Made(folder, run, model)


def test_shipped_config() -> None:
    """It says its kind; no set shares an image."""
    config = load_config()
    assert config_kind('contaminant', 'contaminant-verdict') == 'verdict'
    assert config_kind('contaminant', 'contaminant') is None
    with pytest.raises(ConfigError, match='two sets share an image'):
        replace(config, judged=ImageSet(3, config.training.seed + 1))


def test_examples(config: VerdictConfig, tmp_path: Path) -> None:
    """Truth counts where it can be told; a few cutouts are shown, turned as one."""
    images = simulated_sources(config, {'some': config.training}, Stages(tmp_path))
    n = len(images)
    assert images.target.shape == images.weight.shape == (n, len(VERDICTS))
    assert not (images.starless & images.enough).any()
    assert (images.weight[images.starless] == [0, 0, 0, 1]).all()
    assert images.failed.any(axis=0).all()
    rows = np.arange(8)
    plain, *truth = images.batch(rows, None)
    shown, *same = images.batch(rows, np.random.default_rng(0))
    for one, other in zip(truth, same, strict=True):
        np.testing.assert_array_equal(one, other)
    assert plain['cutouts'].shape == (8, len(SCALES) * CUTOUTS, 2, SIZE, SIZE)
    assert shown['cutouts'].shape[1] == len(SCALES) * config.shown
    assert shown['numbers'].shape[1] == len(SCALES) * (2 + config.shown)
    np.testing.assert_allclose(
        np.sort(shown['stacks'].reshape(8, -1)),
        np.sort(plain['stacks'].reshape(8, -1)),
    )
    again = simulated_sources(config, {'some': config.training}, Stages(tmp_path))
    assert again.key == images.key


def test_judged_are_of_other_families(config: VerdictConfig) -> None:
    """They take turns, and are of all sizes."""
    made = [
        judged_image(config, config.judged.sides, seed, judged=True)
        for seed in range(8)
    ]
    assert len({each.meta['family'] for each in made}) == 4
    assert {each.sci.shape for each in made} == {(160, 160), (128, 128)}


def test_training(made: Made, config: VerdictConfig) -> None:
    """It can be loaded again, and its model says what its card names."""
    assert run_kind(made.folder) == 'verdict'
    assert load_run(made.folder).point == made.run.point
    card = made.model.card
    assert card.classes == VERDICTS
    assert card.class_prior == dict.fromkeys(VERDICTS, config.shares)
    assert {*card.operating_point('warn').measured} == {
        f'{name} {what}' for name in VERDICTS for what in ('found', 'false')
    }
    verdict = verdict_of(MeasuredImage.of(np.zeros((64, 64))), made.model)
    assert not verdict.told


def test_measured_at(config: VerdictConfig, tmp_path: Path) -> None:
    """Who knows the truth finds all, and says nothing falsely."""
    images = simulated_sources(config, {'some': config.calibrating}, Stages(tmp_path))
    limits = dict.fromkeys(VERDICTS, 0.5)
    measured = measured_at(limits, images.target, images)
    for name in FAILURES:
        assert measured[f'{name} found'].k == measured[f'{name} found'].n
        assert measured[f'{name} false'].k == 0
        assert measured[f'{name} found'].n + measured[f'{name} false'].n == (
            images.enough.sum()
        )


def test_moments() -> None:
    """Drawn-out stars are long and aligned; an empty image has none."""
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1, (128, 128))
    y, x = np.indices(image.shape)
    for row, column in rng.uniform(10, 118, (12, 2)):
        image += 100 * np.exp(-((y - row) ** 2) / 4 - (x - column) ** 2 / 60)
    found = dict(zip(FEATURES, moments(MeasuredImage.of(image)), strict=True))
    assert found['long'] > 1.8 * found['wide']
    assert found['aligned'] > 0.8
    empty = moments(MeasuredImage.of(rng.normal(0, 1, (64, 64))))
    assert not empty.any()
    ranks = cut_scores(np.stack([empty, [*found.values()]]))
    assert (ranks[1] >= ranks[0]).all()


def test_real_images_when_there_are_any() -> None:
    """The frame whose stars are drawn out is among them, and good ones are."""
    images = list(real_images())
    if not images:
        pytest.skip('real images are not there')
    known = {each.failures for each in images}
    assert {('tracking_lost',), ('doubled',), ()} <= known


def test_evaluate(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report has tables, limits, figure and JSON; options of maps are refused."""
    monkeypatch.setattr(evaluate, 'real_images', lambda: iter(()))
    monkeypatch.setattr(evaluate, '_TIMED', 64)
    words = ['evaluate', str(made.folder), '--model', str(made.model.path)]
    words += ['-o', str(tmp_path)]
    result = CliRunner().invoke(contaminant, [*words, '--peers', str(tmp_path)])
    assert result.exit_code == 2
    result = CliRunner().invoke(contaminant, [*words, '--update'])
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / 'contaminant-verdict-judge.json').read_text())
    assert {each['what'] for each in content['limits']} >= {
        f'AUC of {name}' for name in FAILURES
    }
    assert (tmp_path / 'contaminant-verdict-reliability.png').is_file()
    card = load_model(made.model.path).card
    assert 'forest on moments' in card.metrics['tables'][0]


def test_commands(config: VerdictConfig, made: Made, tmp_path: Path) -> None:
    """The kind of a training decides what is exported."""
    words = ['export', str(made.folder), '-o', str(tmp_path)]
    result = CliRunner().invoke(contaminant, words)
    assert result.exit_code == 0, result.output
    weights = next(tmp_path.glob('contaminant-verdict-*.onnx'))
    assert load_model(weights).card.task == 'verdict'
