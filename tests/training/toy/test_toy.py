"""The next task needs nothing that the generic rooms do not have."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('scipy')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')

from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from toytask.classes import CLASSES
from toytask.classify import classify_frames, map_classes
from toytask.command import toy
from toytask.config import load_config
from toytask.dataset import draw, make_frames
from toytask.evaluate import judge
from toytask.export import export
from toytask.preprocessing import Scaled
from toytask.train import Run, train

from astrosieve.exceptions import ModelError
from astrosieve.images.pixels import PIXEL_FLAGS
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model, load_model
from astrosieve_training.judge.report import Report

FOLDER = Path(__file__).parent / 'toytask'
NAMES = ('toy-frames', 'toy-maps')


@dataclass(frozen=True)
class Made:
    """A toy network all the way."""

    folder: Path
    run: Run
    card: ModelCard
    difference: float
    model: Model
    report: Report


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Both networks, trained, exported, loaded and judged."""
    every = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        run = train(load_config(name), folder / 'run')
        card, difference = export(run, folder / 'weights')
        path = folder / 'weights' / f'{name}-1.0.onnx'
        model = load_model(path, task='toy', threads=1)
        report = judge(model, folder / 'report')
        every[name] = Made(folder, run, card, difference, model, report)
    return every


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """An image of two by three frames, one of them lost; and what is no image."""
    rng = np.random.default_rng(11)
    shown = [['bump'], ['dip'], [], ['dip'], ['bump'], []]
    frames = [draw(kinds, rng, light=60)[0] for kinds in shown]
    pixels = np.block([frames[:3], frames[3:]])
    pixels[16:, 32:] = np.nan
    pixels[0, 0] = np.nan
    good, broken = tmp_path / 'good.fits', tmp_path / 'broken.fits'
    fits.PrimaryHDU(pixels).writeto(good)
    broken.write_text('no image')
    return good, broken


def test_only_generic_rooms_are_used() -> None:
    """No module of the task imports anything of another."""
    paths = list(FOLDER.glob('*.py'))
    assert len(paths) > 8
    tasks = {'source', 'contaminant', 'blob', 'frametype', 'transient'}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            names = []
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f'{node.module}.{each.name}' for each in node.names]
            for name in names:
                assert not tasks & set(name.split('.')), f'{path.name}: {name}'


@pytest.mark.parametrize('name', NAMES)
def test_network_learns(made: dict[str, Made], name: str) -> None:
    """Exported, it says of new frames what they show."""
    model = made[name].model
    assert sum(p.numel() for p in made[name].run.network.parameters()) < 150
    frames = make_frames(name.removeprefix('toy-'), 300, 77)
    inputs, target, weight = frames.batch(np.arange(300), None)
    p = model.predict(inputs)
    if weight is None:
        assert p.shape == (300, 3)
        assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert (p.argmax(axis=1) == target).mean() > 0.9
    else:
        assert p.shape == (300, 2, 16, 16)
        known = np.broadcast_to(weight > 0, p.shape)
        kept, there = (p > 0.5)[known], (target > 0)[known]
        assert kept[there].mean() > 0.7
        assert there[kept].mean() > 0.7


@pytest.mark.parametrize('name', NAMES)
def test_probabilities_hold(made: dict[str, Made], name: str) -> None:
    """On the whole and in bins; what is surely not there does not count."""
    kind = name.removeprefix('toy-')
    frames = make_frames(kind, 1500, 78)
    inputs, target, weight = frames.batch(np.arange(1500), None)
    p = made[name].model.predict(inputs)
    if weight is None:
        truth = target[:, None] == np.arange(3)
    else:
        shown = np.broadcast_to(weight > 0, p.shape)
        p, truth = (
            np.moveaxis(each, 1, -1)[np.moveaxis(shown, 1, -1)] for each in (p, target)
        )
        p, truth = p.reshape(-1, 2), truth.reshape(-1, 2) > 0
    for score, members in zip(p.T, truth.T, strict=True):
        assert score.mean() == pytest.approx(members.mean(), abs=0.02)
        number = (score * 8).astype(int).clip(max=7)
        gaps = np.abs(np.bincount(number, score - members, minlength=8))[1:]
        assert gaps.sum() < 0.1 * (number > 0).sum()


@pytest.mark.parametrize('name', NAMES)
def test_card_says_what_it_is(made: dict[str, Made], name: str) -> None:
    """Task, activation, inputs, prior, thresholds with their counts."""
    each = made[name]
    folder = each.folder / 'weights'
    assert each.difference < 1e-5
    assert each.model.card == each.card
    card = ModelCard.from_json((folder / f'{name}-1.0.json').read_text('utf-8'))
    assert card == each.card
    assert card.task == 'toy'
    assert set(card.inputs) == set(Scaled().shapes)
    assert set(card.class_prior) == set(card.classes) <= set(CLASSES)
    temperatures = np.atleast_1d(card.temperature)
    assert len(temperatures) == (1 if name == 'toy-frames' else 2)
    point = card.operating_points['best']
    assert set(point.threshold) == set(card.classes)
    assert point.measured['completeness of bump'].n > 20
    manifest = json.loads((folder / 'manifest.json').read_text('utf-8'))
    assert manifest['aliases'] == {'toy': name}
    with pytest.raises(ModelError, match="is for task 'toy', not 'cheese'"):
        load_model(folder / f'{name}-1.0.onnx', task='cheese')


@pytest.mark.parametrize('name', NAMES)
def test_report_is_written(made: dict[str, Made], name: str, tmp_path: Path) -> None:
    """As Markdown, JSON, a figure, a table of a README, and into the card."""
    each = made[name]
    assert all(limit.holds for _, limit in each.report.limits)
    assert len(each.report.limits) == 3 * len(each.card.classes)
    paths = each.report.write(tmp_path)
    assert {path.suffix for path in paths} == {'.json', '.md', '.png'}
    assert all(path.stat().st_size > 100 for path in paths)
    text = each.report.markdown()
    assert f'# {name} 1.0, judged' in text
    assert '| bumps |' in text
    numbers = json.loads(next(p for p in paths if p.suffix == '.json').read_text())
    assert min(numbers['areas'].values()) > 0.9
    readme = tmp_path / 'README.md'
    readme.write_text('<!-- table:toy begin -->\n<!-- table:toy end -->\n')
    each.report.update_readme(readme, 'toy')
    assert f'Of {len(each.report.limits)} limits' in readme.read_text()


def test_card_takes_the_tables(made: dict[str, Made], tmp_path: Path) -> None:
    """The model that is loaded again shows what was found."""
    import shutil

    weights = tmp_path / 'weights'
    shutil.copytree(made['toy-maps'].folder / 'weights', weights)
    model = load_model(weights / 'toy-maps-1.0.onnx', threads=1)
    judge(model, tmp_path / 'report', n=100).update_card()
    again = load_model(weights / 'toy-maps-1.0.onnx', threads=1).card
    assert '| bumps |' in again.details()
    assert again.operating_points == model.card.operating_points


@pytest.mark.parametrize('name', NAMES)
def test_finished_training_is_not_done_again(
    made: dict[str, Made], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same states give the same network."""
    folder = made[name].folder / 'run'
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = train(load_config(name), folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert again.temperature == made[name].run.temperature
    assert again.points == made[name].run.points


def test_command_classifies_frames(
    made: dict[str, Made], images: tuple[Path, Path], tmp_path: Path
) -> None:
    """A row for each frame; the broken image is named, the other is written."""
    out = tmp_path / 'out'
    model = made['toy-frames'].model
    args = [*map(str, images), '--model', str(model.path), '-o', str(out)]
    result = CliRunner().invoke(toy, args)
    assert result.exit_code == 1
    assert 'good.fits: 2 bump, 2 dip, 1 flat, 1 unscored' in result.stdout
    assert 'error: ' in result.stderr
    assert 'broken.fits' in result.stderr
    assert '1 of 2 images failed' in result.stderr
    assert [path.name for path in out.iterdir()] == ['good_toy.ecsv']
    table = Table.read(out / 'good_toy.ecsv')
    expected = ['bump', 'dip', 'flat', 'dip', 'bump', 'unscored']
    assert table['class_name'].tolist() == expected
    assert table['class_flags'][0] == PIXEL_FLAGS.non_finite
    assert np.isnan(table['p_bump'][5])
    direct = classify_frames(images[0], model)
    assert np.array_equal(direct['p_dip'][:5], table['p_dip'][:5])
    again = CliRunner().invoke(toy, [*args[:1], *args[2:]])
    assert again.exit_code == 1
    assert 'exists; give --overwrite' in again.stderr
    kept = CliRunner().invoke(
        toy, [*args[:1], *args[2:], '--overwrite', '--keep', 'dip']
    )
    assert kept.exit_code == 0
    assert 'good.fits: 2 dip' in kept.stdout


def test_command_writes_maps(
    made: dict[str, Made], images: tuple[Path, Path], tmp_path: Path
) -> None:
    """A plane for each class; the broken image is named here too."""
    model = made['toy-maps'].model
    args = [*map(str, images), '--model', str(model.path), '-o', str(tmp_path / 'out')]
    result = CliRunner().invoke(toy, args)
    assert result.exit_code == 1
    assert 'broken.fits' in result.stderr
    maps = fits.getdata(tmp_path / 'out' / 'good_toy.fits')
    assert maps.shape == (2, 32, 48)
    assert np.array_equal(maps, map_classes(images[0], model))
    there = (maps > 0.5).reshape(2, 2, 16, 3, 16).sum(axis=(2, 4)) > 3
    assert there[0].tolist() == [[True, False, False], [False, True, False]]
    assert there[1].tolist() == [[False, True, False], [True, False, False]]


def test_command_refuses_what_is_for_another_task() -> None:
    """A shipped model of another task is no toy."""
    result = CliRunner().invoke(toy, ['a.fits', '--model', 'source'])
    assert result.exit_code == 2
    assert "is for task 'source', not 'toy'" in result.stderr
