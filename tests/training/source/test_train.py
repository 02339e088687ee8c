"""Training: deterministic, resumable; the export is the trained network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('scipy')

from astropy.table import Table

from astrosieve.exceptions import OutputError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import load_model
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.losses import ClassLoss
from astrosieve_training.source.config import (
    SourceConfig,
    TrainConfig,
    config_from_dict,
)
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.datasets.examples import (
    Examples,
    TrainingData,
    split_examples,
)
from astrosieve_training.source.export import export_run
from astrosieve_training.source.train import runs as train_module
from astrosieve_training.source.train.augment import _spoil, _told_widths
from astrosieve_training.source.train.operating_points import Calibration, calibrate
from astrosieve_training.source.train.parity import inputs_of
from astrosieve_training.source.train.runs import load_run, train, train_network

CLASSES = ('star', 'cosmic_ray', 'spike')


def make_config(**train_values: Any) -> SourceConfig:
    sets = {
        name: {'n': 1, 'seed': seed, 'cameras': ['demo'], 'name': name}
        for seed, name in enumerate(('training', 'validation', 'calibrating'))
    }
    values = {'epochs': 3, 'batch_size': 32, 'runs': 1, 'threads': 1, **train_values}
    return config_from_dict({'name': 'tiny', 'seed': 5, 'train': values, **sets})


def make_examples(n: int, seed: int = 0) -> Examples:
    """Three kinds that are easily told apart: a blob, a dot, a diagonal."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    y, x = np.mgrid[-5:6, -5:6]
    kinds = np.array(
        [np.exp(-(x**2 + y**2) / 4), (x == 0) & (y == 0), np.abs(x - y) < 1],
        dtype=float,
    )
    cutouts = 0.6 * kinds[labels] + rng.normal(0.1, 0.03, (n, 11, 11))
    return Examples(
        {'cutouts': cutouts[:, None].astype(np.float32).clip(0, 1)},
        labels.astype(np.int64),
        np.full(n, 0.1, dtype=np.float32),
        np.full(n, 2.0, dtype=np.float32),
    )


def make_detections(n: int, seed: int) -> DetectionSet:
    examples = make_examples(n, seed)
    rows = Table(
        {
            'label': np.array(CLASSES)[examples.labels],
            'contested': np.zeros(n, dtype=bool),
            'valid': np.ones(n, dtype=bool),
            'exposure': np.full(n, f'e{seed}'),
        }
    )
    return DetectionSet(examples.inputs, rows)


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training on ready-made data in place of exposures."""
    folder = tmp_path_factory.mktemp('train') / 'run'
    data = TrainingData(
        make_examples(300, 1), make_examples(100, 2), make_detections(200, 3),
        make_detections(200, 4), {'training': {'star': 100}},
        {'fwhm': (1.7, 2.1), 'noise_ratio': (0.9, 1.1), 'unusable': (0.0, 0.25)},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, 'prepare', lambda *args, **kwargs: data)
        train(make_config(), folder, progress=False)
    return folder


@pytest.fixture(scope='module')
def exported(
    finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelCard, float]:
    """Folder of weights with the training exported, its card, the difference."""
    folder = tmp_path_factory.mktemp('export') / 'weights'
    return folder, *export_run(finished, folder)


def test_configuration_decides_the_run(tmp_path: Path) -> None:
    """The same seed gives the same parameters; settings, classes, labels others."""
    from dataclasses import replace

    training, validation = make_examples(200, 1), make_examples(60, 2)
    config = make_config(epochs=2, spoil=0.3)

    def key(examples: Examples, changed: SourceConfig) -> tuple[str, float]:
        path = tmp_path / 'a.pt'
        state = train_network(examples, validation, changed, 0, path)
        return state.key, state.history[-1]['loss']

    first = key(training, config)
    assert key(training, config) == first
    others = [
        key(training, replace(config, seed=6)),
        key(training, make_config(epochs=2, spoil=0.3, focal=2.0)),
        key(training, make_config(epochs=2, spoil=0.3, augment=False)),
        key(replace(training, labels=training.labels[::-1].copy()), config),
        key(replace(training, fill=training.fill + 0.5), config),
    ]
    assert len({first, *others}) == 6
    assert len({first[1], *(loss for _, loss in others)}) == 6


def test_training_learns(tmp_path: Path) -> None:
    """An easy set is learnt."""
    state = train_network(
        make_examples(400, 1), make_examples(100, 2), make_config(epochs=6), 0,
        tmp_path / 'a.pt',
    )  # fmt: skip
    assert state.history[-1]['validation_accuracy'] > 0.95


def test_rare_classes_count_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the most frequent over them, to the given power."""
    given = []

    class Spy(ClassLoss):
        def __init__(self, weights: Any, focal: float) -> None:
            given.append(weights.tolist())
            super().__init__(weights, focal)

    monkeypatch.setattr(train_module, 'ClassLoss', Spy)
    examples = make_examples(200, 1)
    rare = examples[np.flatnonzero((examples.labels > 0) | (np.arange(200) < 20))]
    counts = np.bincount(rare.labels)
    config = make_config(epochs=1, class_weight=0.5)
    train_network(rare, make_examples(40, 2), config, 0, tmp_path / 'a.pt')
    assert given[0] == pytest.approx(np.sqrt(counts.max() / counts), rel=1e-6)
    assert max(given[0]) > 1.5


class TestAugmentation:
    """What an epoch changes in the inputs."""

    def widths(
        self, jitter: float, unknown: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return told over measured (2) and true (2.3) widths; a tenth is not known."""
        n = 4000
        true = np.full(n, 2.3, dtype=np.float32)
        true[: n // 10] = np.nan
        examples = Examples(
            {'fwhm': np.full((n, 1), 2.0, dtype=np.float32)},
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.float32),
            true,
        )
        settings = TrainConfig(fwhm_jitter=jitter, fwhm_unknown=unknown)
        told = _told_widths(examples, settings, np.random.default_rng(0))
        assert told.shape == (n, 1)
        assert told.dtype == np.float32
        return told[: n // 10, 0], told[n // 10 :, 0]

    def test_half_is_told_the_true_width(self) -> None:
        """Without jitter exactly; where it is not known, the measured one."""
        unknown, known = self.widths(1e-9)
        assert (unknown == 2).all()
        true = np.float32(2.3)
        assert set(known.tolist()) == {2.0, float(true)}
        assert (known == true).mean() == pytest.approx(0.5, abs=0.03)

    def test_without_jitter_the_measured_width_is_told(self) -> None:
        """All of them, wherever there is one."""
        unknown, known = self.widths(0.0)
        assert (unknown == 2).all()
        assert (known == 2).all()

    def test_what_is_not_measured_is_told_as_it_is(self) -> None:
        """The true width stands in for one that could not be measured."""
        self.check_told([np.nan, 2.7], [3.0, np.float32(2.7)])

    def test_what_is_measured_wrongly_is_told_as_it_is(self) -> None:
        """A fifth off: hits or galaxies were taken for the stars."""
        self.check_told([2.3, 2.5, 3.6, 3.8], [3.0, 2.5, np.float32(3.6), 3.0])

    def check_told(self, measured: list[float], expected: list[float]) -> None:
        """Compare what is told without jitter, where the true width is 3 pixels."""
        n = len(measured)
        examples = Examples(
            {'fwhm': np.array(measured, dtype=np.float32)[:, None]},
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.float32),
            np.full(n, 3.0, dtype=np.float32),
        )
        settings = TrainConfig(fwhm_jitter=0.0)
        told = _told_widths(examples, settings, np.random.default_rng(0))
        assert told.ravel().tolist() == expected

    def test_some_are_told_nothing(self) -> None:
        """A share of them, whether measured or true."""
        for told in self.widths(1e-9, unknown=0.2):
            assert np.isnan(told).mean() == pytest.approx(0.2, abs=0.05)

    def test_told_widths_scatter(self) -> None:
        """By a log-normal factor of the given width about the true one."""
        _, known = self.widths(0.1)
        logs = np.log(known[known != 2] / 2.3)
        assert len(logs) == pytest.approx(1800, abs=110)
        assert logs.mean() == pytest.approx(0, abs=0.01)
        assert logs.std() == pytest.approx(0.1, rel=0.07)

    def test_spoilt_cutouts_take_their_fill(self) -> None:
        """The wanted share; never the centre, never more than is scored."""
        examples = make_examples(1000, 1)
        fill = np.arange(1000, dtype=np.float32) + 10
        examples = Examples(examples.inputs, examples.labels, fill, examples.fwhm)
        before = examples.inputs['cutouts'].copy()
        spoilt = _spoil(examples, 0.3, np.random.default_rng(0))
        assert np.array_equal(examples.inputs['cutouts'], before)
        changed = spoilt != before
        filled = spoilt == fill[:, None, None, None]
        assert np.array_equal(changed, filled)
        assert filled.any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.05)
        assert not filled[:, 0, 5, 5].any()
        assert filled.mean(axis=(1, 2, 3)).max() <= 0.3


def test_published_split_moves_the_excess_to_validation() -> None:
    """Nothing is lost, and the training part is balanced."""
    examples = make_examples(500, 1)
    few = np.flatnonzero((examples.labels != 2) | (np.arange(500) < 60))
    examples = examples[few]
    config = make_config(split='cutout')
    training, validation = split_examples(examples, config, np.random.default_rng(0))
    assert len(training) + len(validation) == len(examples)
    counts = np.bincount(training.labels)
    assert counts.max() <= 1.5 * counts.min()


def test_operating_points_keep_their_promise() -> None:
    """Thresholds are ordered, and measured with counts and intervals."""
    rng = np.random.default_rng(1)
    sets = [make_detections(3000, seed) for seed in (1, 2)]
    logits = []
    for each in sets:
        star = np.asarray(each.rows['label']) == 'star'
        logits.append(
            np.column_stack([np.where(star, 2, -2) + rng.normal(0, 2, 3000), *[
                rng.normal(0, 1, 3000) for _ in range(2)
            ]]).astype(np.float32)
        )  # fmt: skip
    settings = make_config().calibration
    found = calibrate(
        logits[0], sets[0], logits[1], sets[1], classes=CLASSES, settings=settings
    )
    points = found.operating_points
    assert set(points) == {'balanced', 'pure', 'complete'}
    assert points['complete'].threshold < points['balanced'].threshold
    assert points['balanced'].threshold < points['pure'].threshold
    complete = points['complete'].measured['completeness']
    assert complete.value == pytest.approx(0.99, abs=0.02)
    pure = points['pure'].measured['purity']
    assert pure.value == pytest.approx(0.99, abs=0.02)
    assert pure.low < pure.value < pure.high
    kept = points['pure'].measured['completeness'].k
    assert 0 < pure.k == kept < pure.n
    assert found.class_prior == dict.fromkeys(CLASSES, 1 / 3)
    from dataclasses import asdict

    assert Calibration.from_dict(json.loads(json.dumps(asdict(found)))) == found


def test_export_gives_a_model_that_loads(
    finished: Path, exported: tuple[Path, ModelCard, float]
) -> None:
    """Card, weights and manifest agree; the model predicts what torch does."""
    weights, card, difference = exported
    assert difference < 1e-5
    model = load_model(weights / 'tiny-1.0.onnx')
    assert model.card == card
    manifest = json.loads((weights / 'manifest.json').read_text())
    assert manifest['aliases'] == {'source': 'tiny'}
    assert manifest['models']['tiny']['sha256'] == card.sha256
    assert (weights / 'tiny-1.0.onnx').stat().st_size < 500_000
    assert card.metrics['export']['inputs'] >= 2000
    assert card.domain == {
        'fwhm': (1.7, 2.1), 'noise_ratio': (0.9, 1.1), 'unusable': (0.0, 0.25),
    }  # fmt: skip
    assert set(card.operating_points) == {'balanced', 'pure', 'complete'}
    run = load_run(finished)
    inputs = inputs_of('zscale-log-1', 64)
    assert inputs['cutouts'].min() >= 0
    assert inputs['cutouts'].max() <= 1
    logits = predict_logits(run.network, inputs) + np.array(run.calibration.offsets)
    scaled = np.exp(logits / card.temperature)
    expected = scaled / scaled.sum(axis=1, keepdims=True)
    actual = model.predict(inputs)
    assert actual == pytest.approx(expected, abs=1e-5)


def test_parity_inputs_of_several_scales() -> None:
    """Images in units of the noise reach ten thousand; a width is a width."""
    shapes = get_preprocessing('local-noise-2').shapes
    inputs = inputs_of('local-noise-2', 600)
    assert {name: value.shape[1:] for name, value in inputs.items()} == shapes
    assert not np.array_equal(inputs['wide'], inputs['far'])
    peaks = inputs['cutouts'].max(axis=(1, 2, 3))
    assert np.quantile(peaks, 0.05) < 10
    assert 3000 < peaks.max() <= 10_000
    assert inputs['fwhm'].min() > 1
    assert inputs['fwhm'].max() < 6
    assert np.ptp(inputs['fwhm']) > 3


def test_unfinished_training_cannot_be_exported(finished: Path, tmp_path: Path) -> None:
    """The message says which step to run; also of what another version left."""
    with pytest.raises(OutputError, match='no finished training there'):
        export_run(tmp_path, tmp_path / 'weights')
    shutil.copytree(finished, tmp_path / 'run')
    path = tmp_path / 'run' / 'summary.json'
    summary = json.loads(path.read_text())
    del summary['calibration']['operating_points']['pure']['measured']
    path.write_text(json.dumps(summary))
    with pytest.raises(OutputError, match='of another version of astrosieve'):
        export_run(tmp_path / 'run', tmp_path / 'weights')
