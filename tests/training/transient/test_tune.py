"""Networks that go on with labels; the published set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip('torch')

import torch

from astrosieve.models.registry import Model, load_model
from astrosieve.transient.classes import SURVEY_CLASSES
from astrosieve.transient.preprocessing import get_preprocessing
from astrosieve_training.cli import main
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.reading import fill_from_onnx
from astrosieve_training.settings import ConfigError
from astrosieve_training.transient import networks
from astrosieve_training.transient.config import TransientConfig, load_config
from astrosieve_training.transient.export import export_run
from astrosieve_training.transient.labelled import published_sets
from astrosieve_training.transient.losses import KindLoss, RealLoss
from astrosieve_training.transient.train import Run, train
from astrosieve_training.transient.tune import config_of


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a network of the flagship's form that has learnt nothing, exported."""
    config = load_config('transient')
    torch.manual_seed(1)
    network = networks.build(config)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    n = len(config.classes)
    summary = {
        'counts': {'training': 1, 'validation': 1, 'calibrating': 1},
        'unlabelled': 0, 'calibration_error': 0.1, 'epochs': 1,
    }  # fmt: skip
    prior = dict.fromkeys(config.classes, 1 / n)
    run = Run(config, network.eval(), 1.5, prior, {}, summary)
    folder = tmp_path_factory.mktemp('weights')
    card, _ = export_run(run, folder, n=32)
    return load_model(folder / f'{card.name}-{card.version}.onnx', task='transient')


def test_network_is_read_back(model: Model) -> None:
    """What is read of an ONNX file gives what the file gives."""
    config = config_of(model)
    network = networks.build(config)
    fill_from_onnx(network, model.path, 'transient')
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.normal(0, 0.5, (8, *shape)).astype(np.float32)
        for name, shape in get_preprocessing(config.preprocessing).shapes.items()
    }
    logits = predict_logits(network, inputs)
    p = np.exp(logits / model.card.temperature)
    np.testing.assert_allclose(
        p / p.sum(axis=1, keepdims=True), model.predict(inputs), atol=2e-4
    )


def test_loss_is_of_the_sum_of_real_classes() -> None:
    """The plain loss is the cross-entropy of p_real."""
    loss = RealLoss([True, True, False], 2.0)
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    p = (logits / 2).softmax(1)[:, :2].sum(1)
    target = torch.tensor([1, 0])
    expected = -(p[0].log() + (1 - p[1]).log()) / 2
    assert loss.plain(logits, target, None).item() == pytest.approx(expected.item())
    assert loss.accuracy(logits, target, None).item() == 1


def test_kinds_and_real_are_both_learnt() -> None:
    """The plain loss is the sum of both; with nothing extra it is the classes' own."""
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [2.0, 0.0, 1.0]])
    target = torch.tensor([0, 2, 1])
    weights, real = torch.ones(3), [True, True, False]
    alone, both = (KindLoss(weights, real, extra) for extra in (0.0, 2.0))
    kinds = torch.nn.functional.cross_entropy(logits, target)
    of_real = RealLoss(real).plain(logits, torch.tensor([1, 0, 1]), None)
    assert alone.plain(logits, target).item() == pytest.approx(kinds.item())
    assert alone(logits, target).item() == pytest.approx(kinds.item())
    expected = kinds + 2 * of_real
    assert both.plain(logits, target).item() == pytest.approx(expected.item())
    assert both(logits, target).item() > alone(logits, target).item()


def test_labels_teach(model: Model, tmp_path: Path) -> None:
    """The step goes on with labels and writes a training that can be exported."""
    rng = np.random.default_rng(0)
    stamps = rng.normal(size=(120, 31, 31, 3)).astype(np.float32)
    real = np.arange(120) % 2 == 0
    stamps[real, 14:17, 14:17, 0] += 10
    stamps[real, 14:17, 14:17, 2] += 10
    stamps[~real, 15, 15, 2] += 30
    names = np.array([f'c{k}' for k in range(120)])
    np.savez(tmp_path / 'stamps.npz', stamps=stamps, id=names)
    rows = [f'{n},{"real" if r else "bogus"}' for n, r in zip(names, real, strict=True)]
    labels = tmp_path / 'labels.csv'
    labels.write_text('\n'.join(['id,label', *rows]))
    asked = [
        'transient', 'train', '--from', str(model.path), '--labels', str(labels),
        '--stamps', str(tmp_path / 'stamps.npz'), '-o', str(tmp_path / 'run'),
    ]  # fmt: skip
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert '120 labels' in done.output
    asked = ['transient', 'export', str(tmp_path / 'run'), '-o', str(tmp_path / 'out')]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    card = load_model(tmp_path / 'out' / 'transient-tuned-1.0.onnx').card
    assert card.operating_points['balanced'].measured['completeness'].value > 0.8
    labels.write_text('\n'.join(['id,label', *rows[:10]]))
    asked = [
        'transient', 'train', '--from', str(model.path), '--labels', str(labels),
        '--stamps', str(tmp_path / 'stamps.npz'), '-o', str(tmp_path / 'few'),
    ]  # fmt: skip
    done = CliRunner().invoke(main, asked)
    assert 'too few' in done.output


def published(path: Path, n: int = 80) -> TransientConfig:
    """Write a file of the published set's form; return a configuration for it."""
    rng = np.random.default_rng(0)
    answers = rng.integers(10, size=n)
    images = rng.normal(128, 10, (n, 69, 69, 3))
    images[answers > 2, 33:36, 33:36] += 100
    np.savez(path, images=images.clip(0, 255).astype(np.uint8), ans=answers)
    config = load_config('transient-negm2021')
    return replace(config, train=replace(config.train, epochs=1, threads=1))


def test_published_set_is_split_as_published(tmp_path: Path) -> None:
    """A quarter is judged, 30 % of the rest is for validation; classes are grouped."""
    path = tmp_path / 'set.npz'
    config = published(path)
    sets = published_sets(path, config)
    assert [len(sets[name]) for name in ('judged', 'validation', 'training')] == [
        20, 18, 42,
    ]  # fmt: skip
    facts = sets['training'].facts
    real = [SURVEY_CLASSES[name].real for name in facts.by_eye]
    assert (sets['training'].target == 0).tolist() == real
    with np.load(path) as kept:
        np.savez(tmp_path / 'bad.npz', images=kept['images'][:, :50], ans=kept['ans'])
    with pytest.raises(ConfigError, match='not that set'):
        published_sets(tmp_path / 'bad.npz', config)
    with pytest.raises(ConfigError, match='no published stamps'):
        published_sets(tmp_path / 'none.npz', config)


def test_galaxies_are_no_candidates(tmp_path: Path) -> None:
    """Galaxy10 SDSS, a file of the same form and size, is told by its classes."""
    counts = [3461, 6997, 6292, 394, 1534, 17, 589, 1121, 906, 519]
    answers = np.repeat(np.arange(10), counts)
    images = np.zeros((len(answers), 1, 1, 3), np.uint8)
    np.savez(tmp_path / 'galaxies.npz', images=images, ans=answers)
    with pytest.raises(ConfigError, match='this is Galaxy10 SDSS'):
        published_sets(tmp_path / 'galaxies.npz', load_config('transient-negm2021'))


def test_published_network_learns_from_a_file(tmp_path: Path) -> None:
    """A training on a file of that form needs nothing simulated."""
    config = published(tmp_path / 'set.npz')
    run = train(config, tmp_path, published=tmp_path / 'set.npz')
    assert run.summary['counts']['training'] == 42
    assert run.config.classes == ('real', 'bogus')
