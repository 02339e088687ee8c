"""The report's network: subframes, training, judgement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')

import torch
from astropy.table import Table
from click.testing import CliRunner

from astrosieve.blob.score import score_subframes
from astrosieve.exceptions import ModelError
from astrosieve.models.registry import load_model
from astrosieve_training.blob.commands import blob
from astrosieve_training.blob.config import ImageSet
from astrosieve_training.blob.isr2021.config import (
    SubframeConfig,
    load_subframe_config,
)
from astrosieve_training.blob.isr2021.datasets import (
    drawn_subframes,
    judged_subframes,
)
from astrosieve_training.blob.isr2021.evaluate import judge_subframes, saliency
from astrosieve_training.blob.isr2021.export import export_subframe_run
from astrosieve_training.blob.isr2021.train import (
    SubframeRun,
    load_subframe_run,
    train_subframes,
)
from astrosieve_training.blob.networks.isr2021 import build
from astrosieve_training.configs import config_kind
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages

pytestmark = pytest.mark.usefixtures('converted_once')
LOOP = LoopSettings(epochs=2, batch_size=20, runs=1)
TINY = SubframeConfig(
    name='blob-tiny',
    images=ImageSet(2, 10),
    judged=ImageSet(2, 20),
    subframes=40,
    validated=20,
    train=LOOP,
    then=replace(LOOP, optimizer='sgd', patience=1),
    ablation=replace(LOOP, epochs=1),
    ablation_subframes=40,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('isr2021')


@pytest.fixture(scope='module')
def run(folder: Path) -> SubframeRun:
    return train_subframes(TINY, folder)


def test_shipped_configuration_is_that_of_the_report() -> None:
    """Numbers as the report gives them; the flagship's file is of another kind."""
    config = load_subframe_config()
    assert config_kind('blob', 'blob-isr2021') == 'isr2021'
    assert config_kind('blob', 'blob') == 'pyramid'
    assert (config.subframes, config.noise) == (16_000, 0.75)
    assert (config.filters, config.pooling, config.dense) == ((8, 16), 4, 128)
    assert config.dropout == (0.15, 0.3)
    assert config.train.batch_size == config.then.batch_size == 100
    assert (config.train.epochs, config.train.optimizer) == (5, 'adamw')
    assert config.train.weight_decay == 0
    assert config.then.optimizer == 'sgd'
    assert config.train.epochs + config.then.epochs == 200


def test_images_to_judge_by_are_others() -> None:
    """A seed in both sets is refused."""
    with pytest.raises(ConfigError, match='share an image'):
        replace(TINY, judged=ImageSet(5, 11))


def test_network_has_the_layers_of_the_report() -> None:
    """Two convolutions of 5x5, pooling by 4, 128 and 2 neurons."""
    network = build(TINY)
    sizes = [tuple(each.shape) for each in network.parameters() if each.ndim > 1]
    assert sizes == [(8, 1, 5, 5), (16, 8, 5, 5), (128, 16 * 16 * 16), (2, 128)]
    assert network(torch.zeros(3, 1, 256, 256)).shape == (3, 2)


def test_noise_alone_lets_few_cells_speak_at_first() -> None:
    """Inputs of the dense layer are mostly zero, so that first steps kill no neuron."""
    torch.manual_seed(0)
    network = build(TINY)
    cells = network.seen(1.25 * torch.randn(4, 1, 256, 256))
    assert 0.05 < (cells > 0).float().mean() < 0.15
    assert 0.2 < cells.std() < 1


def test_subframes_are_standardised_and_half_have_blobs(tmp_path: Path) -> None:
    """Variance is that of the noise more than one; drawn again they are the same."""
    stages = Stages(tmp_path, tidy=False)
    first, again = (drawn_subframes(TINY, 'training', 12, stages) for _ in range(2))
    assert first.images.shape == (12, 256, 256)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.key == again.key
    assert first.target.tolist() == [0, 1] * 6
    inputs, target, _ = first.batch(np.arange(12), None)
    assert inputs['image'].shape == (12, 1, 256, 256)
    spread = inputs['image'][target == 0].std()
    assert spread == pytest.approx(np.sqrt(1 + 0.75**2), rel=0.3)
    other = drawn_subframes(TINY, 'validation', 12, stages)
    assert other.key != first.key


def test_judged_subframes_leave_out_what_is_neither(tmp_path: Path) -> None:
    """At most sixteen an image; those with a blob have its depth."""
    subframes, depth, grown = judged_subframes(TINY)
    assert 20 <= len(subframes) <= 32
    np.testing.assert_array_equal(depth > 0, subframes.target == 0)
    assert not grown[subframes.target == 0].any()


def test_saliency_points_at_what_counts() -> None:
    """A network that looks at one pixel has its map there."""

    class Corner(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            value = image[:, 0, 10, 20]
            return torch.stack([2 * value, -value], 1)

    maps = saliency(Corner(), np.ones((2, 64, 64), np.float32))
    assert maps.shape == (2, 64, 64)
    assert np.unravel_index(maps[1].argmax(), (64, 64)) == (10, 20)
    assert maps[0].sum() == pytest.approx(3, rel=1e-3)


def test_training_is_kept_and_taken_up(run: SubframeRun, folder: Path) -> None:
    """What is loaded gives what was trained; a second call trains nothing anew."""
    epochs = run.summary['epochs']
    assert epochs['adam'] == 2
    assert 1 <= epochs['sgd'] <= 2
    loaded = load_subframe_run(folder)
    assert loaded.config == TINY
    image = torch.randn(2, 1, 256, 256)
    with torch.inference_mode():
        assert torch.equal(loaded.network(image), run.network(image))
    assert train_subframes(TINY, folder).summary == run.summary
    with pytest.raises(ConfigError, match='run the step train'):
        load_subframe_run(folder / 'nothing')


def test_exported_network_is_judged_and_used(
    run: SubframeRun, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Table, matrix, figures and ablation are made; subframes of an image scored."""
    card, difference = export_subframe_run(run, folder / 'weights', n=20)
    assert difference < 1e-3
    model = load_model(folder / 'weights' / f'{card.name}-{card.version}.onnx')
    monkeypatch.setattr('astrosieve_training.blob.isr2021.evaluate._TEST', 20)
    report = judge_subframes(model, run, folder / 'judged')
    assert any('94%' in line for line in report.summary)
    assert len(report.limits) == 6
    assert all(path.stat().st_size > 5000 for path in report.write(folder)[2:])
    table = score_subframes(
        np.random.default_rng(0).normal(0, 0.01, (1014, 1014)), model=model
    )
    assert len(table) == 16
    assert table['x_first'][[0, 3]].tolist() == [0, 758]
    assert ((table['p_blob'] >= 0) & (table['p_blob'] <= 1)).all()
    with pytest.raises(ValueError, match='fewer than a subframe'):
        score_subframes(np.zeros((100, 300)), model=model)


def test_steps_know_the_published_network(run: SubframeRun, folder: Path) -> None:
    """Export takes its training for what it is; --ablation is for it alone."""
    done = CliRunner().invoke(blob, ['export', str(folder), '-o', str(folder / 'two')])
    assert done.exit_code == 0, done.output
    assert 'blob-tiny-1.0 written' in done.output
    (folder / 'other').mkdir()
    asked = ['evaluate', str(folder / 'other'), '--model', 'blob', '-o', str(folder)]
    done = CliRunner().invoke(blob, [*asked, '--ablation'])
    assert done.exit_code == 2
    assert '--ablation is for a training of the published network' in done.output
    asked[1] = 'blob-isr2021'
    done = CliRunner().invoke(blob, asked)
    assert done.exit_code == 2
    assert 'is judged with its training' in done.output


def test_monitor_is_written(tmp_path: Path) -> None:
    """Images and truth, and how many."""
    done = CliRunner().invoke(
        blob, ['simulate', '-n', '2', '-o', str(tmp_path), '--reference-pixels']
    )
    assert done.exit_code == 0, done.output
    assert '2 images written' in done.output
    assert len(list(tmp_path.glob('*_flt.fits'))) == 2
    assert {'x', 'y', 'since'} <= set(Table.read(tmp_path / 'blobs.ecsv').colnames)
    assert 'since' not in Table.read(tmp_path / 'known.ecsv').colnames


def test_other_networks_are_refused() -> None:
    """A model that marks places is told from one that tells subframes apart."""
    with pytest.raises(ModelError):
        score_subframes(np.zeros((300, 300)), model='source')
