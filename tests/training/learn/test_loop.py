"""The loop: repeatable, resumable, never fooled by other data or a broken loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')

import torch
from torch import nn

from astrosieve_training.learn import loop
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.learn.loop import (
    RunState,
    TrainingError,
    _rate,
    predict_logits,
    train_run,
)
from astrosieve_training.learn.losses import BinaryLoss, ClassLoss
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import ConfigError

SETTINGS = LoopSettings(epochs=3, batch_size=32, learning_rate=0.01, runs=1)


@dataclass(frozen=True)
class Squares:
    """Bright squares on the left or dark ones on the right, and where they are."""

    images: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None = None

    @property
    def key(self) -> str:
        weight = {} if self.weight is None else {'weight': self.weight}
        return arrays_key({'images': self.images, 'target': self.target, **weight})

    def __len__(self) -> int:
        return len(self.images)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        images = self.images[rows]
        if rng is not None:
            images = images + rng.normal(0, 0.1, images.shape).astype(np.float32)
        weight = None if self.weight is None else self.weight[rows]
        return {'images': images}, self.target[rows], weight


def squares(n: int, seed: int, *, maps: bool = False) -> Squares:
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.5, (n, 1, 6, 6)).astype(np.float32)
    right = rng.integers(2, size=n)
    truth = np.zeros((n, 2, 6, 6), dtype=np.float32)
    for image, each, where in zip(images, truth, right, strict=True):
        image[0, 2:4, 1 + 2 * where : 3 + 2 * where] += 3 - 6 * where
        each[where, 2:4, 1 + 2 * where : 3 + 2 * where] = 1
    return Squares(images, truth if maps else right)


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(),
        nn.Linear(108, 2),
    )  # fmt: skip


def build_maps() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), nn.ReLU(), nn.Conv2d(3, 2, 3, padding=1)
    )


def run(path: Path, **changes: Any) -> RunState:
    values: dict[str, Any] = {
        'build': build,
        'training': squares(100, 1),
        'validation': squares(40, 2),
        'loss': ClassLoss(torch.ones(2)),
        'settings': SETTINGS,
        'seed': 5,
        'number': 0,
        'path': path,
        'key': '',
        **changes,
    }
    return train_run(**values)


def same(one: RunState, other: RunState) -> bool:
    return one.best.keys() == other.best.keys() and all(
        bool((one.best[key] == other.best[key]).all()) for key in one.best
    )


def test_training_is_deterministic(tmp_path: Path) -> None:
    """Seed and number decide; torch's own generator is where it was."""
    before = torch.random.get_rng_state()
    one = run(tmp_path / 'a.pt')
    two = run(tmp_path / 'b.pt')
    assert bool((torch.random.get_rng_state() == before).all())
    assert same(one, two)
    assert one.history == two.history
    assert not same(one, run(tmp_path / 'c.pt', seed=6))
    assert not same(one, run(tmp_path / 'd.pt', number=1))


def test_classes_are_learnt(tmp_path: Path) -> None:
    """An easy set is told apart, and the best epoch is that of the lowest loss."""
    state = run(tmp_path / 'a.pt', settings=replace(SETTINGS, epochs=8))
    losses = [each['validation_loss'] for each in state.history]
    assert state.best_loss == min(losses)
    assert state.best_epoch == 1 + losses.index(min(losses))
    assert state.history[-1]['validation_accuracy'] > 0.95


def test_maps_are_learnt(tmp_path: Path) -> None:
    """A target of (N, C, ny, nx) is nothing special; ignored pixels do not matter."""
    training, validation = squares(100, 1, maps=True), squares(40, 2, maps=True)
    weight = np.ones((100, 1, 6, 6), dtype=np.float32)
    weight[:, :, 0] = 0
    wrong = training.target.copy()
    wrong[:, :, 0] = 1
    found = [
        run(
            tmp_path / f'{number}.pt',
            build=build_maps,
            training=Squares(training.images, target, weight),
            validation=validation,
            loss=BinaryLoss(torch.ones(2)),
            settings=replace(SETTINGS, epochs=10, learning_rate=0.05),
        )
        for number, target in enumerate((training.target, wrong))
    ]
    assert same(*found)
    assert found[0].history[-1]['validation_accuracy'] > 0.97
    assert found[0].history == found[1].history


def test_softmax_maps_are_learnt(tmp_path: Path) -> None:
    """A class number for each pixel."""
    sets = [
        Squares(each.images, each.target[:, 0].astype(np.int64))
        for each in (squares(100, 1, maps=True), squares(40, 2, maps=True))
    ]
    state = run(
        tmp_path / 'a.pt', build=build_maps, training=sets[0], validation=sets[1],
        settings=replace(SETTINGS, epochs=10, learning_rate=0.05),
    )  # fmt: skip
    assert state.history[-1]['validation_accuracy'] > 0.97


@pytest.mark.parametrize('schedule', ['constant', 'one-cycle'])
def test_resumed_training_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """A run that stops in its third epoch goes on and gives the same."""
    settings = replace(SETTINGS, epochs=4, schedule=schedule)
    whole = run(tmp_path / 'whole.pt', settings=settings)
    save = loop.save_state
    calls = []

    def stop(state: dict[str, Any], path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        save(state, path)

    monkeypatch.setattr(loop, 'save_state', stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'part.pt', settings=settings)
    monkeypatch.setattr(loop, 'save_state', save)
    part = run(tmp_path / 'part.pt', settings=settings)
    assert part.history == whole.history
    assert same(part, whole)


def test_damaged_state_is_not_trusted(tmp_path: Path) -> None:
    """A file cut short is made again."""
    path = tmp_path / 'a.pt'
    whole = run(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert same(whole, run(path))


def changed(examples: Squares, **arrays: np.ndarray) -> Squares:
    return replace(examples, **arrays)


@pytest.mark.parametrize(
    'changes',
    [
        {'training': changed(squares(100, 1), target=1 - squares(100, 1).target)},
        {'training': changed(squares(100, 1), images=squares(100, 1).images[::-1])},
        {'training': changed(squares(100, 1), weight=np.full(100, 2, dtype='f4'))},
        {'validation': squares(40, 3)},
        {'validation': changed(squares(40, 2), target=1 - squares(40, 2).target)},
        {'key': 'other'},
        {'seed': 6},
        {'number': 1},
        {'settings': replace(SETTINGS, learning_rate=0.02)},
        {'start': build().state_dict()},
    ],
    ids=lambda changes: '-'.join(changes),
)
def test_run_of_anything_else_is_not_used(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Other labels of the same images, another validation set, order, or settings."""
    path = tmp_path / 'a.pt'
    first = run(path)
    written = path.stat().st_mtime_ns
    assert run(path).key == first.key
    assert path.stat().st_mtime_ns == written
    other = run(path, **changes)
    assert other.key != first.key
    assert path.stat().st_mtime_ns != written


def test_keys_of_arrays_see_every_value() -> None:
    """Names, types, shapes, order and values."""
    rng = np.random.default_rng(0)
    values = rng.random((4, 3)).astype(np.float32)
    swapped = values[[1, 0, 2, 3]]
    keys = {
        arrays_key(each)
        for each in (
            {'a': values},
            {'b': values},
            {'a': values.astype(np.float64)},
            {'a': values.reshape(3, 4)},
            {'a': swapped},
            {'a': values, 'b': values},
            {'a': np.nextafter(values, 2)},
        )
    }
    assert len(keys) == 7
    assert arrays_key({'a': values}) == arrays_key({'a': np.asfortranarray(values)})


class TestDivergence:
    """What came to nothing is no result."""

    def test_loss_that_is_not_finite(self, tmp_path: Path) -> None:
        """Steps too long end the training, with what to change."""
        settings = replace(SETTINGS, learning_rate=1e30)
        with pytest.raises(
            TrainingError, match=r'run 0, epoch 1: .*Lower train\.learning_rate \(now 1'
        ):
            run(tmp_path / 'a.pt', settings=settings)

    @pytest.mark.parametrize('value', [math.nan, math.inf])
    def test_input_that_is_not_finite(self, tmp_path: Path, value: float) -> None:
        """It is named."""
        training = squares(100, 1)
        training.images[50, 0, 2, 2] = value
        with pytest.raises(TrainingError, match="the input 'images' holds values that"):
            run(tmp_path / 'a.pt', training=training)

    def test_extra_loss_counts(self, tmp_path: Path) -> None:
        """It is part of what must be finite."""
        with pytest.raises(TrainingError, match='the loss is nan'):
            run(
                tmp_path / 'a.pt',
                extra_loss=lambda network, rng: torch.tensor(math.nan),
            )

    @pytest.mark.parametrize('started', [False, True])
    def test_validation_that_is_never_finite(
        self, tmp_path: Path, started: bool
    ) -> None:
        """There is no best epoch, and the start is no result; asked again, neither."""
        validation = squares(40, 2)
        validation.images[7] = math.nan
        start = build().state_dict() if started else None
        for _ in range(2):
            with pytest.raises(TrainingError, match='validation set is not finite aft'):
                run(tmp_path / 'a.pt', validation=validation, start=start)

    def test_nothing_to_learn_from(self, tmp_path: Path) -> None:
        """One example, or none to validate on."""
        for changes in ({'training': squares(1, 1)}, {'validation': squares(0, 2)}):
            with pytest.raises(TrainingError, match='are too few'):
                run(tmp_path / 'a.pt', **changes)

    def test_last_example_alone_is_left_out(self, tmp_path: Path) -> None:
        """Batch normalisation needs two in a batch."""
        state = run(tmp_path / 'a.pt', training=squares(65, 1))
        assert all(np.isfinite(each['loss']) for each in state.history)


def test_extra_loss_pulls(tmp_path: Path) -> None:
    """It is lowered with the loss, with chance of its own."""
    drawn = []

    def small(network: nn.Module, rng: np.random.Generator) -> torch.Tensor:
        drawn.append(rng.random())
        return 10 * torch.stack([(p**2).sum() for p in network.parameters()]).sum()

    free = run(tmp_path / 'a.pt')
    held = run(tmp_path / 'b.pt', extra_loss=small, key='held')

    def size(state: RunState) -> float:
        return float(sum((v.float() ** 2).sum() for v in state.network.values()))

    assert len(set(drawn)) == 12
    assert size(held) < size(free)


def test_start_keeps_its_batch_normalisation(tmp_path: Path) -> None:
    """Parameters move, running means do not; a start that is best stays."""
    start = run(tmp_path / 'a.pt', settings=replace(SETTINGS, epochs=8)).best
    state = run(tmp_path / 'b.pt', start=start)
    assert not bool((state.network['0.weight'] == start['0.weight']).all())
    assert bool((state.network['1.running_mean'] == start['1.running_mean']).all())
    wrong = changed(squares(100, 1), target=1 - squares(100, 1).target)
    kept = run(tmp_path / 'c.pt', start=start, training=wrong)
    assert kept.best_epoch == 0
    assert all(bool((kept.best[key] == start[key]).all()) for key in start)


def test_validation_asks_what_is_given(tmp_path: Path) -> None:
    """The caller says how a network is asked."""
    asked: list[int] = []

    def predict(network: nn.Module, inputs: dict[str, np.ndarray]) -> np.ndarray:
        asked.append(len(inputs['images']))
        return predict_logits(network, inputs)

    settings = replace(SETTINGS, epochs=1, batch_size=4)
    state = run(tmp_path / 'a.pt', predict=predict, settings=settings)
    assert asked == [32, 8]
    whole = run(tmp_path / 'b.pt', settings=settings).history
    assert state.history == whole
    network = build()
    network.load_state_dict(state.network)
    examples = squares(40, 2)
    logits = torch.from_numpy(predict_logits(network, {'images': examples.images}))
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(examples.target))
    assert whole[0]['validation_loss'] == pytest.approx(expected.item(), rel=1e-6)


def test_one_cycle_rises_and_falls() -> None:
    """From 4 % up to the whole after 15 % of the steps, then down to nothing."""
    assert _rate('one-cycle', 0.0) == pytest.approx(0.04)
    assert _rate('one-cycle', 0.15) == pytest.approx(1.0)
    assert _rate('one-cycle', 1.0) == pytest.approx(0.0, abs=1e-12)
    rates = [_rate('one-cycle', done) for done in np.linspace(0, 1, 201)]
    top = int(np.argmax(rates))
    assert top == 30
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert {_rate('constant', done) for done in (0.0, 0.5, 1.0)} == {1.0}


def test_schedule_and_decay_change_the_training(tmp_path: Path) -> None:
    """Each setting reaches the optimiser."""
    found = [
        run(tmp_path / f'{i}.pt', settings=replace(SETTINGS, **each))
        for i, each in enumerate(
            (
                {},
                {'schedule': 'one-cycle'},
                {'weight_decay': 0.5},
                {'optimizer': 'sgd'},
                {'optimizer': 'sgd', 'momentum': 0.9},
            )
        )
    ]
    assert len({state.history[-1]['loss'] for state in found}) == 5


def test_run_ends_where_nothing_gets_better(tmp_path: Path) -> None:
    """After as many epochs as the patience says, and no further when asked again."""
    settings = replace(SETTINGS, epochs=40, learning_rate=0.5, patience=2)
    state = run(tmp_path / 'a.pt', settings=settings)
    assert len(state.history) == state.best_epoch + 2 < 40
    again = run(tmp_path / 'a.pt', settings=settings)
    assert again.history == state.history


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'epochs': 0}, r'^epochs must be 1 or more'),
        ({'batch_size': 1}, r'^batch_size must be 2 or more'),
        ({'learning_rate': 0.0}, r'^learning_rate must be positive'),
        ({'weight_decay': -1.0}, r'^weight_decay must be 0 or more'),
        ({'optimizer': 'adam'}, r"^optimizer must be one of 'adamw', 'sgd'"),
        ({'schedule': 'linear'}, r"^schedule must be one of 'constant', 'one-cycle'"),
    ],
)
def test_settings_have_rules(changes: dict[str, Any], words: str) -> None:
    """The message names the key and the rule."""
    with pytest.raises(ConfigError, match=words):
        replace(SETTINGS, **changes)


def test_unknown_device_is_named(tmp_path: Path) -> None:
    """Before anything is trained."""
    with pytest.raises(TrainingError, match=r"train\.device 'abacus' cannot be used"):
        run(tmp_path / 'a.pt', settings=replace(SETTINGS, device='abacus'))
