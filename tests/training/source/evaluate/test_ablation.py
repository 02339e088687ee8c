"""The table of what was tried: one thing changed at a time, resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('galsim')
pytest.importorskip('scipy')
pytest.importorskip('tqdm')
pytest.importorskip('photutils')

from astropy.table import Table
from click.testing import CliRunner

from astrosieve.models.metrics import Share
from astrosieve_training.cli import main
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.config import SourceConfig
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.datasets.examples import Examples
from astrosieve_training.source.evaluate.ablation import run as ablation_module
from astrosieve_training.source.evaluate.ablation.run import ablate, row_key
from astrosieve_training.source.evaluate.ablation.settings import (
    Ablation,
    Row,
    Selection,
    load_ablation,
)
from astrosieve_training.source.evaluate.ablation.tables import table_lines

BASE = """
name = 'tiny'
seed = 3
[network]
kind = 'multiscale'
preprocessing = 'local-noise-2'
classes = ['star', 'cosmic_ray', 'spike', 'extended', 'bad_pixel', 'background']
filters = [4, 4]
dense = [8]
[[finders]]
name = 'peaks'
[train]
epochs = 9
runs = 3
batch_size = 64
balance = 0
"""
ABLATION = """
base = '{base}'
n = 2
epochs = 1
[[finders]]
name = 'peaks'
[[groups]]
name = 'space'
cameras = ['demo']
held_back = true
[[groups]]
name = 'ground'
cameras = ['ground-moffat']
[[rows]]
name = 'base'
text = 'nothing'
"""
ROWS = """
[[rows]]
name = 'One Image!'
text = 'one image'
network = { images = ['noise'] }
[[rows]]
name = 'published'
text = 'another preprocessing'
[rows.network]
kind = 'isr2024'
preprocessing = 'zscale-log-1'
classes = ['star', 'cosmic_ray', 'spike']
[[rows]]
name = 'per camera'
text = 'two networks'
per_camera = true
"""


def section(name: str, seed: int, n: int, cameras: list[str]) -> str:
    return (
        f"[{name}]\nname = '{name}'\nn = {n}\nseed = {seed}\ncameras = {cameras}\n"
        "scenes = ['outskirts']\nshape = [200, 200]\n"
    )


def write(
    folder: Path, rows: str = ROWS, *, text: str = ABLATION, judge_seed: int = 330
) -> Path:
    """Write an ablation of the demo camera and one on the ground, and its base."""
    cameras = ['demo', 'ground-moffat']
    seeds = {'training': 300, 'validation': 310, 'calibrating': 320}
    base = BASE + ''.join(section(key, seeds[key], 2, cameras) for key in seeds)
    base += section('[judge.sets]', 350, 1, cameras)
    (folder / 'tiny.toml').write_text(base, encoding='utf-8')
    text = text.format(base=folder / 'tiny.toml') + rows
    text += section('judge', judge_seed, 2, cameras)
    text += section('held_back', 340, 1, ['demo'])
    path = folder / 'ablation.toml'
    path.write_text(text, encoding='utf-8')
    return path


def row_text(line: str) -> str:
    return f"[[rows]]\nname = 'other'\ntext = 'x'\n{line}\n"


@pytest.fixture(scope='module')
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ablation, Path]:
    """A finished ablation, run by the command."""
    folder = tmp_path_factory.mktemp('ablation')
    path = write(folder)
    readme = folder / 'README.md'
    readme.write_text(
        'a\n<!-- table:ablation begin -->\nold\n<!-- table:ablation end -->\nb\n'
    )
    args = ['--config', str(path), '-o', str(folder / 'out'), '--readme', str(readme)]
    result = CliRunner().invoke(main, ['source', 'evaluate', '--ablation', *args])
    assert result.exit_code == 0, result.output
    assert str(folder / 'out' / 'ablation.md') in result.output
    return load_ablation(path), folder


def test_shipped_ablation_is_valid() -> None:
    """Its rows are there, its exposures are new, none is of the held-back camera."""
    shipped = load_ablation()
    names = [row.name for row in shipped.rows]
    assert names[0] == 'base'
    assert {'published network', 'one network per camera'} <= set(names)
    first = shipped.settings(shipped.rows[0])
    assert first.network == shipped.config.network
    assert first.train == replace(shipped.config.train, epochs=shipped.epochs, runs=1)
    assert not set(shipped.held_back.cameras) & set(first.training.cameras)
    taken = {*first.training.seeds, *first.validation.seeds, *first.calibrating.seeds}
    assert not taken & {*shipped.judge.seeds, *shipped.held_back.seeds}


def test_rows_learn_from_the_bases_own_exposures() -> None:
    """The first n are the same ones as in the base's full training."""
    shipped = load_ablation()
    everything = shipped.config.training.plans()
    assert shipped.training.plans() == everything[: shipped.n]


def test_changes_of_a_row_are_made(tmp_path: Path) -> None:
    """What a row names is changed, the rest is the base's."""
    rows = (
        "[[rows]]\nname = 'a'\ntext = 'a'\nnetwork = { context = [] }\n"
        'train = { focal = 1, epochs = 2 }\n'
    )
    loaded = load_ablation(write(tmp_path, rows))
    base, changed = (loaded.settings(row) for row in loaded.rows)
    assert changed.network == replace(base.network, context=())
    assert changed.train == replace(base.train, focal=1.0, epochs=2)
    assert (base.train.epochs, base.train.runs) == (1, 1)
    assert row_key(loaded, loaded.rows[0]) != row_key(loaded, loaded.rows[1])


def test_exposures_are_chosen_per_camera() -> None:
    """By camera and number; one network per camera shares out the known ones."""
    shipped = load_ablation()
    plans = shipped.training.plans()
    cases = {
        'no random cameras': lambda i, plan: plan.camera != 'random',
        'random cameras alone': lambda i, plan: plan.camera == 'random',
        'half the exposures': lambda i, plan: i < shipped.n // 2,
    }
    by_name = {row.name: row for row in shipped.rows}
    for name, wanted in cases.items():
        [(_, chosen)] = shipped.parts(by_name[name])
        assert chosen == [plan for i, plan in enumerate(plans) if wanted(i, plan)]
        assert len(chosen) == shipped.n // 2
    parts = dict(shipped.parts(by_name['one network per camera']))
    assert list(parts) == [group.name for group in shipped.groups]
    for group in shipped.groups:
        assert {plan.camera for plan in parts[group.name]} == set(group.cameras)
    together = [plan for chosen in parts.values() for plan in chosen]
    assert len(together) == sum(plan.camera != 'random' for plan in plans)
    assert len(set(together)) == len(together)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('netwrok = {}', r"'rows\[1\].netwrok'; did you mean 'network'"),
        ("network = { contxt = ['wide'] }", "row 'other': unknown key 'network.contxt'"
         "; did you mean 'context'"),
        ("network = { context = ['near'] }", "row 'other': network.context must be"),
        ('train = { focal = -1 }', "row 'other': train.focal must be 0, or 1 or"),
        ("train = { split = 'cutout' }", "train.split must be 'exposure'"),
        ("training = { cameras = ['dmo'] }", "no exposure of 'dmo'; there are those of "
         'demo, ground-moffat'),
        ('training = { n = 3 }', 'training.n must be 0 to 2; got 3'),
        ("training = { n = 1, cameras = ['ground-moffat'] }", 'no exposures to train'),
        ("per_camera = true\ntraining = { cameras = ['demo'] }", 'drop cameras'),
    ],
)  # fmt: skip
def test_error_in_a_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    """A typo in any row is found before anything is trained."""
    path = write(tmp_path, row_text(line))
    with pytest.raises(ConfigError, match=f'ablation.toml: .*{message}'):
        load_ablation(path)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('n = 2', 'n = 3', 'n must be 1 to 2, the exposures of'),
        ("cameras = ['ground-moffat']", 'cameras = []', 'each known camera once'),
        ('held_back = true', '', 'one group must have held_back = true'),
        ("name = 'base'", "name = 'OTHER'", "'OTHER' and 'other' need names of their"),
        ("base = '{base}'", "base = 'nothing'", "no configuration 'nothing'"),
    ],
)
def test_error_in_the_table_is_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """Exposures, groups, names and the base are checked."""
    assert ABLATION.count(old) == 1
    path = write(tmp_path, row_text(''), text=ABLATION.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_ablation(path)


@pytest.mark.parametrize('seed', [301, 321, 339, 350])
def test_exposure_must_not_serve_twice(tmp_path: Path, seed: int) -> None:
    """Judging on the base's exposures, or twice on the same, is refused."""
    path = write(tmp_path, '', judge_seed=seed)
    with pytest.raises(ConfigError, match='share seeds'):
        load_ablation(path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """Missing, and not TOML."""
    with pytest.raises(ConfigError, match=r'none\.toml: cannot be read'):
        load_ablation(tmp_path / 'none.toml')
    (tmp_path / 'bad.toml').write_text('rows = [')
    with pytest.raises(ConfigError, match=r'bad\.toml: not valid TOML'):
        load_ablation(tmp_path / 'bad.toml')


def test_thresholds_of_groups_are_their_own() -> None:
    """Scores of one group that are lower throughout do not let the other's leak."""
    rows = Table(
        {
            'label': ['star'] * 200 + ['cosmic_ray'] * 50,
            'snr': np.full(250, 50.0),
            'psf_fwhm': np.full(250, 2.0),
            'fwhm': np.full(250, 2.0),
            'valid': np.ones(250, dtype=bool),
            'contested': np.zeros(250, dtype=bool),
        }
    )
    scores = np.repeat([0.9, 0.5], [200, 50])
    leaky = scores.copy()
    leaky[-10:] = 1.0
    parts = [
        ablation_module._measured(scores, rows),
        ablation_module._measured(leaky / 10, rows),
    ]
    pooled = ablation_module._pooled(parts)
    assert pooled == {'star': Share(400, 400), 'cosmic_ray': Share(10, 100)}


def test_every_row_is_trained_and_judged(done: tuple[Ablation, Path]) -> None:
    """Counts, sizes and leaks; no score for random cameras where there is none."""
    ablation, folder = done
    numbers = json.loads((folder / 'out' / 'ablation.json').read_text())
    rows = numbers['rows']
    assert list(rows) == ['base', 'One Image!', 'published', 'per camera']
    for row in ablation.rows:
        result = rows[row.name]
        assert result['key'] == row_key(ablation, row)
        assert result['exposures'] == 2
        assert result['seconds'] > 0
        assert result['bytes'] == 4 * result['parameters'] > 1000
        assert set(result['best_epochs']) == {1}
        for sample in ('known', 'held_back'):
            assert result['samples'][sample]['star']['n'] > 10
            assert result['samples'][sample]['cosmic_ray']['n'] > 10
        assert ('judge' in result['samples']) != row.per_camera
    one, two = rows['base'], rows['per camera']
    assert two['parameters'] == 2 * one['parameters']
    assert two['cutouts'] == one['cutouts']
    assert two['networks'] == ['space', 'ground']
    assert one['samples']['known']['star']['n'] == two['samples']['known']['star']['n']
    assert rows['published']['cutouts'] < one['cutouts']  # three classes of six
    found = sorted(str(p.relative_to(folder)) for p in folder.rglob('run-*.pt'))
    assert found == [
        'out/ablation/base/run-00.pt',
        'out/ablation/one-image/run-00.pt',
        'out/ablation/per-camera/run-00.pt',
        'out/ablation/per-camera/run-01.pt',
        'out/ablation/published/run-00.pt',
    ]


def test_tables_have_every_row(done: tuple[Ablation, Path]) -> None:
    """Each in the list and in the samples that it was judged on; README too."""
    ablation, folder = done
    text = (folder / 'out' / 'ablation.md').read_text()
    for row in ablation.rows:
        assert f'| {row.name} | {row.text} | 2 |' in text
        assert text.count(f'| {row.name} |') == (3 if row.per_camera else 4)
    assert '| row | stars kept | cosmic rays | spikes |' in text
    assert 'seeds 330 to 331' in text
    readme = (folder / 'README.md').read_text()
    body = text.split('\n', 2)[2].strip()
    assert readme == (
        f'a\n<!-- table:ablation begin -->\n\n{body}\n\n'
        '<!-- table:ablation end -->\nb\n'
    )


def test_size_over_the_limit_is_marked(done: tuple[Ablation, Path]) -> None:
    """Only what is above 500 kB, per network."""
    ablation, folder = done
    results = json.loads((folder / 'out' / 'ablation.json').read_text())['rows']
    results['base']['bytes'] = 500_001
    results['per camera']['bytes'] = 900_000
    lines = table_lines(ablation, results)
    sizes = {line.split(' | ')[0][2:]: line.split(' | ')[4] for line in lines[4:8]}
    assert sizes['base'] == '500 (above 500)'
    assert sizes['per camera'] == '2 x 450'


def test_finished_rows_are_not_done_again(
    done: tuple[Ablation, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same settings load no data and train nothing; the files stay the same."""
    ablation, folder = done
    out = folder / 'out'
    before = (out / 'ablation.json').read_text()

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ablation_module, 'simulated_set', refuse)
    monkeypatch.setattr(ablation_module, 'train_network', refuse)
    said: list[str] = []
    results = ablate(ablation, out, progress=False, say=said.append)
    assert said == [f'{row.name}: was done already' for row in ablation.rows]
    assert list(results) == [row.name for row in ablation.rows]
    assert (out / 'ablation.json').read_text() == before


def test_interrupted_table_goes_on(
    done: tuple[Ablation, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows before the interruption are written; only the rest is done afterwards."""
    ablation, folder = done
    cache = folder / 'out' / 'cache'
    do = ablation_module._do
    trained: list[str] = []

    def stop(plan: Ablation, row: Row, *args: Any) -> dict[str, Any]:
        if row.name == 'published' and 'published' not in trained:
            trained.append(row.name)
            raise KeyboardInterrupt
        trained.append(row.name)
        return do(plan, row, *args)

    monkeypatch.setattr(ablation_module, '_do', stop)
    with pytest.raises(KeyboardInterrupt):
        ablate(ablation, tmp_path, cache=cache, progress=False)
    # Rows of one preprocessing are done together, before those of the next.
    assert trained == ['base', 'One Image!', 'per camera', 'published']
    table = (tmp_path / 'ablation.md').read_text()
    assert '| per camera | two networks |' in table
    assert '| published |' not in table
    ablate(ablation, tmp_path, cache=cache, progress=False)
    assert trained[4:] == ['published']
    whole, again = (
        json.loads((path / 'ablation.json').read_text())['rows']
        for path in (folder / 'out', tmp_path)
    )
    assert list(again) == list(whole)
    for name in whole:
        assert again[name]['samples'] == whole[name]['samples']


def test_only_changed_rows_are_done_again(
    done: tuple[Ablation, Path], tmp_path: Path
) -> None:
    """Other settings of a row, or a damaged file, do not pass for finished."""
    ablation, folder = done
    out, cache = tmp_path / 'out', folder / 'out' / 'cache'
    out.mkdir()
    content = (folder / 'out' / 'ablation.json').read_text()
    (out / 'ablation.json').write_text(content)
    first = replace(ablation.rows[0], training=Selection(n=1))
    changed = replace(ablation, rows=(first, ablation.rows[1]))
    said: list[str] = []
    results = ablate(changed, out, cache=cache, progress=False, say=said.append)
    assert said[0] == 'One Image!: was done already'
    assert said[1].startswith('base: trained in')
    assert results['base']['exposures'] == 1
    assert set(json.loads((out / 'ablation.json').read_text())['rows']) == {
        'base', 'One Image!',
    }  # fmt: skip
    (out / 'ablation.json').write_text(content[:100])
    assert ablation_module._read(out / 'ablation.json') == {}


def test_networks_per_camera_see_their_own(
    done: tuple[Ablation, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is trained, validated and judged on its cameras; one on the held-back."""
    ablation, folder = done
    make, scores = ablation_module.make_examples, ablation_module._Network.scores
    learnt: list[set[str]] = []
    judged: list[tuple[int, set[str]]] = []

    def spy_make(detections: DetectionSet, config: SourceConfig) -> Examples:
        learnt.append(set(detections.rows['exposure']))
        return make(detections, config)

    def spy_scores(self: Any, detections: DetectionSet) -> np.ndarray:
        judged.append((self.n_examples, set(detections.rows['exposure'])))
        return scores(self, detections)

    monkeypatch.setattr(ablation_module, 'make_examples', spy_make)
    monkeypatch.setattr(ablation_module._Network, 'scores', spy_scores)
    alone = replace(ablation, rows=ablation.rows[-1:])
    ablate(alone, tmp_path, cache=folder / 'out' / 'cache', progress=False)
    space, ground = 'demo-outskirts-', 'ground-moffat-outskirts-'
    assert learnt == [
        {f'{space}300'}, {f'{space}310'}, {f'{ground}301'}, {f'{ground}311'},
    ]  # fmt: skip
    names = [exposures for _, exposures in judged]
    assert names == [{f'{space}330'}, {f'{ground}331'}, {f'{space}340'}]
    assert judged[0][0] == judged[2][0] != judged[1][0]


@pytest.mark.parametrize(
    ('args', 'named'),
    [
        (['source'], 'MODEL'),
        (['--figure', 'curves'], '--figure'),
        (['--seed', '1'], '--seed'),
        (['--runs', '2'], '--runs'),
        (['--update'], '--update'),
    ],
)
def test_what_does_not_go_with_an_ablation(args: list[str], named: str) -> None:
    """Options that judge a model are a usage error."""
    result = CliRunner().invoke(main, ['source', 'evaluate', '--ablation', *args])
    assert result.exit_code == 2
    assert f'{named} does not go with --ablation' in result.output
