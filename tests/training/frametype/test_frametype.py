"""The task in small: drawn frames, a network, its export, its judge."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')

import torch
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from torch import nn

from astrosieve.frametype import CLASSES, UNKNOWN, classify_file
from astrosieve.frametype.preprocessing import FLIPS, Summary
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model, load_model
from astrosieve_training.frametype import datasets, evaluate, networks, simulate
from astrosieve_training.frametype.baselines import forest_types, header_types
from astrosieve_training.frametype.commands import frametype
from astrosieve_training.frametype.config import (
    FrameConfig,
    FrameSet,
    TreeSettings,
    load_config,
)
from astrosieve_training.frametype.datasets import (
    Frames,
    joined,
    real_frames,
    simulated_frames,
)
from astrosieve_training.frametype.evaluate import Judged, balanced, judge, matrix
from astrosieve_training.frametype.export import export_run
from astrosieve_training.frametype.networks.statistics import Statistics
from astrosieve_training.frametype.networks.trees import Trees, fit_trees
from astrosieve_training.frametype.train import Run, folds, load_run, train
from astrosieve_training.judge.report import Report
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate.spectra import FAMILIES
from astrosieve_training.stages import Stages

TYPES = CLASSES.names
pytestmark = pytest.mark.usefixtures('converted_once')


def drawn(
    seed: int, frame_type: str, number: int = 0, families: tuple[str, ...] = FAMILIES
) -> Any:
    """Return a frame that is easily told, of a detector of its own."""
    assert set(families) <= set(FAMILIES)
    rng = np.random.default_rng([seed, number, len(frame_type)])
    shape = (int(rng.integers(70, 110)), int(rng.integers(90, 140)))
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = np.zeros(shape)
    if frame_type == 'dark':
        light.flat[rng.integers(0, light.size, 60)] = 4000
    elif frame_type == 'flat':
        light += 20_000 * (y > 8)
    elif frame_type == 'arc':
        light += 5000 * (x % 17 < 2) * (y > 8)
    elif frame_type == 'science':
        light += 300 * (x % 23 < 2) + 900 * np.exp(-(((y - 40) / 2) ** 2))
        light.flat[rng.integers(0, light.size, 60)] = 4000
    elif frame_type == 'standard':
        light += 9000 * np.exp(-(((y - 40) / 2) ** 2))
    elif frame_type == UNKNOWN:
        light += 2000 * rng.pareto(2, shape)
    blank = frame_type == 'science' and seed % 8 == 7
    light *= not blank
    data = rng.normal(500 + light, 5 + np.sqrt(light)).astype(np.float32)
    data = data.T if seed % 2 else data
    return SimpleNamespace(
        data=data,
        truth=SimpleNamespace(
            frame_type=frame_type,
            kind=frame_type,
            family='long_slit',
            contested='bias' * blank,
        ),
    )


@pytest.fixture(scope='module')
def config() -> FrameConfig:
    loop = LoopSettings(
        epochs=8, batch_size=16, learning_rate=3e-3, schedule='one-cycle', runs=1
    )
    return replace(
        load_config('frametype'),
        training=FrameSet(18, 0, windows=1),  # trees bin few values at once
        validation=FrameSet(3, 100),
        calibrating=FrameSet(4, 200),
        judged=FrameSet(4, 300),
        train=loop,
        tune=replace(loop, epochs=1, learning_rate=1e-4),
        trees=TreeSettings(rounds=6, least=3),
        tune_part=4,
        real=1,
    )


@pytest.fixture(scope='module')
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real frames of two cameras, one of them in two nights."""
    folder = tmp_path_factory.mktemp('real')
    rows = []
    for number, (camera, night) in enumerate(
        [
            ('A', '2020-01-02T03:00:00'),
            ('A', '2020-01-02T20:00:00'),
            ('B', '2021-05-06'),
        ]
    ):
        for label in ('bias', 'arc', 'flat'):
            name = f'{number}-{label}.fits'
            header = fits.Header({'OBJECT': label if label != 'arc' else 'NGC 1'})
            hdu = fits.PrimaryHDU(drawn(500 + number, label).data, header)
            hdu.writeto(folder / name)
            rows.append((name, camera, label, night))
    with (folder / 'frames.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('file', 'instrument', 'label', 'date'))
        writer.writerows(rows)
    return folder


@dataclass(frozen=True)
class Made:
    folder: Path
    run: Run
    card: ModelCard
    difference: float
    model: Model
    report: Report


@pytest.fixture(scope='module')
def made(
    config: FrameConfig, real: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """A network all the way, on drawn frames."""
    folder = tmp_path_factory.mktemp('frametype')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, 'frame', drawn)
        patch.setattr(simulate, 'pixels_of', lambda *of: 10_000)
        run = train(config, folder / 'run', real, jobs=1)
        card, difference = export_run(run, folder / 'weights', n=32)
        model = load_model(
            folder / 'weights' / f'frametype-{config.version}.onnx', threads=1
        )
        report = judge(model, config, folder / 'run', run=run, real=real, jobs=1)
    return Made(folder, run, card, difference, model, report)


@pytest.mark.parametrize('name', ['frametype', 'frametype-spit'])
def test_configurations(name: str) -> None:
    """What comes with the package can be read, and its network be built."""
    config = load_config(name)
    assert config.name == name
    assert set(config.classes) <= set(TYPES)
    assert config.limits


def test_sets_share_no_spectrograph(config: FrameConfig) -> None:
    """A configuration that judges on what it learnt from is refused."""
    with pytest.raises(ConfigError, match='two sets share a spectrograph'):
        replace(config, judged=FrameSet(8, 10))
    with pytest.raises(ConfigError, match="did you mean 'frametype'"):
        load_config('frametyp')


def test_more_echelles_follow() -> None:
    """They are drawn by seeds of their own, which no other set may have."""
    some = FrameSet(3, 10, echelles=2)
    assert [len(some.families(seed)) for seed in some.seeds] == [4, 4, 4, 1, 1]
    assert some.families(14) == ('echelle',)


def test_flagship_is_small_and_symmetric() -> None:
    """At most 3 MB; a transposed frame gets the same answer."""
    from astrosieve.frametype.preprocessing.summary import TRANSPOSED

    config = load_config('frametype')
    network = networks.build(config, whole=True).eval()
    assert sum(p.numel() for p in network.parameters()) * 4 < 2_900_000
    rng = np.random.default_rng(3)
    maps, profiles, axes, numbers, crops, traces = (
        torch.tensor(rng.normal(size=(2, *shape)).astype(np.float32))
        for shape in Summary().shapes.values()
    )
    with torch.inference_mode():
        one = network(maps, profiles, axes, numbers, crops, traces)
        other = network(
            maps[:, list(TRANSPOSED)].transpose(2, 3), profiles.flip(1), axes.flip(1),
            numbers, crops.transpose(2, 3), traces.flip(1),
        )  # fmt: skip
    assert torch.allclose(one, other, atol=1e-5)


def test_statistics_are_those_of_the_flipped_frame() -> None:
    """Flipped, transposed or neither: the trees look at the same."""
    from astrosieve.frametype.preprocessing.summary import TRANSPOSED

    rng = np.random.default_rng(5)
    made = {n: rng.normal(size=(3, *s)) for n, s in Summary().shapes.items()}
    inputs = {name: each.astype(np.float32) for name, each in made.items()}
    turned = {
        'maps': inputs['maps'][:, list(TRANSPOSED)].swapaxes(2, 3),
        'profiles': inputs['profiles'][:, ::-1],
        'axes': inputs['axes'][:, ::-1],
        'numbers': inputs['numbers'],
        'crops': inputs['crops'].swapaxes(2, 3),
        'traces': inputs['traces'][:, ::-1],
    }
    look = Statistics()
    one, *others = (
        look(*(torch.from_numpy(np.ascontiguousarray(v)) for v in each.values()))
        for each in (inputs, turned, *(Summary().flip(inputs, *f) for f in FLIPS))
    )
    assert one.shape[0] == 3
    assert torch.isfinite(one).all()
    for other in others:
        assert torch.allclose(one, other, atol=1e-5)


def test_trees_are_those_that_were_grown() -> None:
    """As a part of the network they give what scikit-learn's own give."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 5)).astype(np.float32)
    y = np.digitize(x[:, 0] * x[:, 1], [-0.3, 0.3])
    settings = TreeSettings(rounds=9, leaves=7, depth=4)
    state = fit_trees(x, y, 3, settings, seed=2)
    trees = Trees(3, settings)
    trees.load_state_dict({n: torch.from_numpy(each) for n, each in state.items()})
    grown = HistGradientBoostingClassifier(
        max_iter=9, learning_rate=settings.learning_rate, max_leaf_nodes=7,
        max_depth=4, min_samples_leaf=settings.least, max_features=settings.shown,
        l2_regularization=1.0, class_weight='balanced', early_stopping=False,
        random_state=2,
    ).fit(x, y)  # fmt: skip
    told = trees(torch.from_numpy(x)).numpy()
    assert np.allclose(told, grown.decision_function(x), atol=1e-5)
    assert (told.argmax(1) == y).mean() > 0.8


def test_published_network() -> None:
    """69 million weights in the dense layer, for frames of the published size."""
    spit = load_config('frametype-spit')
    with torch.device('meta'):
        network = networks.build(spit)
    sizes = [p.numel() for p in network.parameters()]
    assert max(sizes) == 64 * 52 * 162 * 128
    small = networks.build(spit, {'image': (1, 20, 30)})
    assert small(torch.zeros(3, 1, 20, 30)).shape == (3, 5)


def test_contested_frames_are_left_out(
    config: FrameConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows nothing of its class is known, and can be set aside."""
    monkeypatch.setattr(simulate, 'frame', drawn)
    monkeypatch.setattr(simulate, 'pixels_of', lambda *of: 10_000)
    some = FrameSet(8, 0, oddities=2)
    frames = simulated_frames(config, some, Stages(tmp_path), 'x', jobs=1)
    assert len(frames) == 8 * (len(TYPES) + 1)
    assert (frames.contested != '').sum() == 1
    left = simulated_frames(config, some, Stages(tmp_path), 'x', decidable=True, jobs=1)
    assert len(left) == len(frames.decidable) == len(frames) - 1


def test_counts_are_balanced(made: Made, config: FrameConfig, real: Path) -> None:
    """Rarer classes are repeated; none is left out."""
    frames = real_frames(config, real)
    few = frames.take(np.array([0, 1, 2, 3, 6]))
    counts = np.bincount(few.balanced(0).target, minlength=len(TYPES))
    assert set(counts.tolist()) == {0, 3}
    assert len(joined([few, few])) == 10


def test_windows(config: FrameConfig, real: Path) -> None:
    """Windows of real frames stand for them: as many as asked, none like another."""
    windows = real_frames(config, real, windows=3)
    assert len(windows) == 3 * len(real_frames(config, real))
    assert sorted(set(windows.path.tolist())) == sorted(p.name for p in real.glob('*s'))
    assert len({each.tobytes() for each in windows.inputs['maps']}) == len(windows)


def test_flips_of_examples(config: FrameConfig, real: Path) -> None:
    """Shown again, a frame is flipped; without a generator it is as it was."""
    frames: Frames = real_frames(config, real)
    rows = np.zeros(40, dtype=int)
    same, target, _ = frames.batch(rows, None)
    assert (same['maps'] == same['maps'][0]).all()
    assert (target == target[0]).all()
    turned, _, _ = frames.batch(rows, np.random.default_rng(0))
    kinds = {each.tobytes() for each in turned['maps']}
    assert len(kinds) == 4


def test_folds(config: FrameConfig, real: Path) -> None:
    """Nobody is judged on what it learnt from; a night begins at noon."""
    frames = real_frames(config, real)
    assert sorted(set(frames.night.tolist())) == [
        '2020-01-01', '2020-01-02', '2021-05-06',
    ]  # fmt: skip
    found = folds(frames)
    assert set(found) == {'camera A', 'camera B', 'nights 1', 'nights 2'}
    for name, (learnt, judged) in found.items():
        assert not (learnt & judged).any()
        if name.startswith('camera'):
            assert not set(frames.origin[learnt]) & set(frames.origin[judged])
        else:
            assert set(frames.origin[judged]) == {'A'}
            assert not set(frames.night[learnt]) & set(frames.night[judged])


def test_network_learns(made: Made, real: Path) -> None:
    """Frames of detectors that it has not seen are called what they are."""
    right = [
        classify_file(path, made.model)[0].frame_type == path.stem.split('-')[1]
        for path in sorted(real.glob('*.fits'))
    ]
    assert np.mean(right) > 0.8
    assert made.difference < 1e-4
    assert made.card.classes == TYPES
    assert 'of 18 simulated spectrographs' in made.card.training_data
    assert made.card.metrics['export']['bytes'] < 3_000_000


def test_finished_training_is_read(made: Made) -> None:
    """The folder keeps all that the other steps need."""
    run = load_run(made.folder / 'run')
    assert run.config == made.run.config
    assert run.temperature == made.run.temperature
    assert run.least == made.run.least
    assert made.card.options == {'least_unknown': round(run.least, 4)}
    records = run.summary['real']
    assert {each['fold'] for each in records} == {
        'simulated frames alone', 'camera A', 'camera B', 'nights 1', 'nights 2',
    }  # fmt: skip
    assert len(records) == 9 + 9 + 6
    with pytest.raises(ConfigError, match='holds no finished training'):
        load_run(made.folder)


@pytest.mark.parametrize('of', ['model', 'folder'])
def test_networks_begin_with_others(
    made: Made, config: FrameConfig, of: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """At a rate of nearly nothing they stay what they began with; the card says so."""
    monkeypatch.setattr(simulate, 'frame', drawn)
    monkeypatch.setattr(simulate, 'pixels_of', lambda *of: 10_000)
    loop = replace(config.train, epochs=1, learning_rate=1e-9)
    few = replace(config, train=loop, trees=TreeSettings(), real=0)
    start = made.model if of == 'model' else made.folder / 'run'
    run = train(few, tmp_path, start=start, jobs=1)
    (begun,) = networks.member_states(run.network.state_dict(), 1)
    (other,) = networks.member_states(made.run.network.state_dict(), 1)
    assert begun.keys() == other.keys()
    layers = {
        f'{name}.weight'
        for name, layer in networks.build(few).named_modules()
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear))
    }
    assert len(layers) == 22
    for name in layers:
        torch.testing.assert_close(begun[name], other[name], atol=1e-5, rtol=1e-5)
    told = f'frametype {config.version}'
    told = told if of == 'model' else f'a training of {told}'
    card, _ = export_run(run, tmp_path / 'weights', n=32)
    assert card.training_data.endswith(f', begun with {told}')


def test_untuned_networks_are_asked_now(made: Made, real: Path) -> None:
    """What a training kept of real frames counts where it learnt from such alone."""
    frames = real_frames(made.run.config, real)
    kept = [{'fold': 'kept'}]
    summary = {**made.run.summary, 'real': kept}
    tuned = replace(made.run, summary=summary)
    untuned = replace(tuned, config=replace(made.run.config, real=0))

    def found(run: Run, real: Path | None) -> list[dict[str, Any]]:
        return evaluate._records(run.config, run, run.flips, run.least, real)

    assert found(tuned, real) == kept
    assert found(untuned, None) == kept
    records = found(untuned, real)
    names = ['simulated frames alone', *folds(frames)]
    assert list(dict.fromkeys(each['fold'] for each in records)) == names
    assert sum(each['fold'] == names[0] for each in records) == len(frames)


def test_model_is_judged_without_its_training(
    made: Made, config: FrameConfig, real: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What it says needs no training, unless that showed its networks real frames."""
    monkeypatch.setattr(simulate, 'frame', drawn)
    monkeypatch.setattr(simulate, 'pixels_of', lambda *of: 10_000)
    (tmp_path / 'frames').symlink_to(made.folder / 'run' / 'frames')
    with pytest.raises(ConfigError, match='kept by its training: give the folder'):
        judge(made.model, config, tmp_path, real=real, jobs=1)
    untuned = replace(config, real=0)
    report = judge(made.model, untuned, tmp_path, real=real, jobs=1)
    with_run = replace(made.run, config=untuned)
    other = judge(made.model, untuned, tmp_path, run=with_run, real=real, jobs=1)
    assert report.markdown() == other.markdown()
    assert 'real, simulated frames alone' in report.markdown()
    alone = [line for line in made.report.markdown().splitlines() if ' alone |' in line]
    assert alone
    assert all(line in report.markdown() for line in alone if 'real' not in line)


def test_parameters_of_members() -> None:
    """A whole network's parameters are those of its members, and back."""
    config = load_config('frametype')
    states = [networks.build(config).state_dict() for _ in range(2)]
    whole = networks.build(config, whole=True)
    whole.load_state_dict(networks.joined_states(states), strict=False)
    found = networks.member_states(whole.state_dict(), 2)
    for state, each in zip(states, found, strict=True):
        assert {*state} - {*each} == {'share', 'offsets'}
        assert all((state[name] == value).all() for name, value in each.items())


def test_report(made: Made, tmp_path: Path) -> None:
    """Simulated and real frames, headers and forests, beside the limits."""
    text = made.report.markdown()
    for said in (
        'simulated spectrographs | forest', 'simulated spectrographs | trees alone',
        'real, cameras left out', 'real | headers',
        'real, nights left out', 'science and standard', 'caught as unknown',
        'calibration error', '| long_slit |', '| arc | arc |',
        '4 simulated spectrographs, contested', '| science | bias |',
    ):  # fmt: skip
        assert said in text
    written = made.report.write(tmp_path)
    assert len(written) == 4
    assert all(path.stat().st_size for path in written)
    numbers = json.loads((tmp_path / 'frametype-judge.json').read_text())
    assert numbers['right']['4 simulated spectrographs, frametype'] > 0.7


def test_measures() -> None:
    """Balanced over classes, however many members each has."""
    judged = Judged(
        'some', 'me', np.array(['bias'] * 3 + ['arc']),
        np.array(['bias', 'bias', 'arc', UNKNOWN]),
    )  # fmt: skip
    assert balanced(judged).value == pytest.approx((2 / 3 + 0) / 2)
    assert balanced(judged, apart=('arc',)).value == pytest.approx(2 / 3)
    assert (judged.missed.k, judged.missed.n) == (1, 4)
    assert (judged.confused.k, judged.confused.n) == (1, 4)
    assert judged.pair('bias', 'arc').k == 1
    assert '| bias | 2 | 1 | 0 |' in '\n'.join(matrix(judged))


def test_baselines(config: FrameConfig, real: Path) -> None:
    """A forest learns drawn frames; headers say what they say."""
    frames = real_frames(config, real)
    types = forest_types(frames, frames, config.classes)
    assert (types == np.array(TYPES)[frames.target]).all()
    said = header_types(frames)
    assert set(said.tolist()) == {'bias', 'flat', UNKNOWN}


def test_steps(made: Made, tmp_path: Path) -> None:
    """The steps can be called; a step that lacks a training says so."""
    help_text = CliRunner().invoke(frametype, ['--help']).output
    for step in ('simulate', 'train', 'evaluate', 'export'):
        assert step in help_text
    out = str(tmp_path / 'w')
    result = CliRunner().invoke(
        frametype, ['export', str(made.folder / 'run'), '-o', out]
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / 'w' / made.model.path.name).is_file()
    result = CliRunner().invoke(frametype, ['export', str(tmp_path), '-o', out])
    assert result.exit_code == 1
    assert 'holds no finished training' in result.stderr


def test_simulated_spectrograph(tmp_path: Path, config: FrameConfig) -> None:
    """Frames of a simulated spectrograph are written, and made for training."""
    seed = next(s for s in range(900, 1000) if simulate.pixels_of(s) < 600_000)
    table = simulate.write_frames(range(seed, seed + 1), ('bias', 'arc'), tmp_path)
    assert table['frame_type'].tolist() == ['bias', 'arc']
    files = Table.read(tmp_path / 'frames.ecsv')['file'].tolist()
    assert sorted(files) == sorted(path.name for path in tmp_path.glob('*.fits'))
    small = replace(config, classes=('bias', 'arc'))
    frames = simulated_frames(
        small, FrameSet(1, seed), Stages(tmp_path / 's'), 'x', jobs=1
    )
    assert frames.target.tolist() == [0, 1]
    assert frames.origin.tolist() == [str(seed)] * 2
    again = simulated_frames(
        small, FrameSet(1, seed), Stages(tmp_path / 's'), 'x', jobs=1
    )
    assert again.key == frames.key


def test_real_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the frames of HST, if it is there."""
    monkeypatch.setenv('ASTROSIEVE_DATA', str(tmp_path))
    (tmp_path / 'hst').mkdir()
    assert datasets.real_folder() is None
    folder = tmp_path / 'others' / 'spectra'
    folder.mkdir(parents=True)
    (folder / 'frames.csv').write_text('file,instrument,label,date\n')
    assert datasets.real_folder() == folder
