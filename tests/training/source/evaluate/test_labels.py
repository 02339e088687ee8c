"""How the labels of the step label are judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

pytest.importorskip('torch')
pytest.importorskip('galsim')

from astrosieve_training.cli import main
from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate import load_camera
from astrosieve_training.source.config import list_configs
from astrosieve_training.source.evaluate.labels import run as label_checks
from astrosieve_training.source.evaluate.labels import settings as label_settings
from astrosieve_training.source.evaluate.labels import tables as label_tables
from astrosieve_training.source.evaluate.labels import truth as label_truth
from astrosieve_training.source.evaluate.labels.run import check_labels
from astrosieve_training.source.evaluate.labels.settings import load_label_checks
from astrosieve_training.source.evaluate.labels.tables import summed, table_lines

NOTHING = {c: [0, 0] for c in ('star', 'cosmic_ray', 'spike', 'bad_pixel')}


def compared(n: int) -> dict[str, Any]:
    """Return counts of which all but one of n are right."""
    counts = {**NOTHING, 'star': [n - 1, n]}
    return {'right': [n - 1, n], 'given': counts, 'true': counts, 'labelled': counts}


def judged(right: int) -> dict[str, Any]:
    both = {'star': [right, 100], 'spike': [right - 1, 100]}
    return {
        'all': [2 * right, 200],
        'known': [2 * right, 200],
        'right': both,
        'leak': {'all': [100 - right, 100], 'spike': [100 - right, 100]},
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checks that take no time; returns what was done."""
    done: list[str] = []

    def check_field(field: Any, seed: int, *others: object) -> dict[str, Any]:
        done.append(f'{field.name} {seed}')
        ways = {way: compared(100) for way in label_tables._WAYS}
        report = {'embedded': 1000, 'clusters': {'0': {}}, 'seconds': {'peaks': 2.4}}
        return {
            'field': {'name': field.name, 'seed': seed},
            'report': report,
            'ways': ways,
            'all': compared(1000),
        }

    def check_network(*others: object) -> dict[str, Any]:
        done.append('network')
        return {'labels': judged(95), 'truth': judged(96)}

    def check_tuned(tuned: Any, *others: object) -> dict[str, Any]:
        done.append(tuned.name)
        fits = [
            {
                'seed': seed,
                'labels': compared(50),
                'used': {'star': 25, 'spike': 25},
                'new': judged(90 - i),
                'tuned': judged(97 + i),
            }
            for i, seed in enumerate(tuned.seeds)
        ]
        return {'known': ['star', 'spike'], 'shipped': judged(80), 'fits': fits}

    def check_real(*others: object) -> dict[str, Any]:
        done.append('ngc1261')
        return {'report': {}, 'compared': compared(300)}

    monkeypatch.setattr(label_checks, 'check_field', check_field)
    monkeypatch.setattr(label_checks, 'check_network', check_network)
    monkeypatch.setattr(label_checks, 'check_tuned', check_tuned)
    monkeypatch.setattr(label_checks, 'check_ngc1261', check_real)
    return done


def test_packaged_checks_use_seeds_of_their_own() -> None:
    """No field of the checks trains, chooses or judges anything else."""
    from astrosieve_training.source.config import load_config

    checks = load_label_checks()
    galaxies = load_label_checks(label_settings.label_checks_file('galaxies'))
    fields = [*checks.fields, *galaxies.fields, *galaxies.primitive]
    seeds = [seed for field in fields for seed in field.seeds]
    for tuned in checks.tuned:
        seeds += [*tuned.seeds, *tuned.judged]
    assert len(seeds) == len(set(seeds)) >= 5
    for name in list_configs():
        config = load_config(name)
        sets = [config.training, config.validation, config.calibrating]
        sets += [*config.judge.sets, config.tune.rehearsal]
        assert not {seed for each in sets for seed in each.seeds} & set(seeds)
    assert checks.network is not None
    assert not set(checks.network.training) & set(checks.network.judged)


def test_cameras_of_the_checks_are_not_in_training() -> None:
    """They can be read, and are no packaged cameras."""
    for tuned in load_label_checks().tuned:
        path = label_settings._camera(tuned.camera)
        assert path.endswith('.toml')
        assert load_camera(path).name == tuned.camera


def test_bad_files_are_refused(tmp_path: Path) -> None:
    """A missing file, broken TOML and an unknown key are named."""
    with pytest.raises(ConfigError, match=r'none\.toml: cannot be read'):
        load_label_checks(tmp_path / 'none.toml')
    with pytest.raises(ConfigError, match=r"'galaxy'.* did you mean 'galaxies'"):
        label_settings.label_checks_file('galaxy')
    path = tmp_path / 'checks.toml'
    path.write_text('fields = [')
    with pytest.raises(ConfigError, match='not valid TOML'):
        load_label_checks(path)
    path.write_text("[[fields]]\nname = 'a'\ncamera = 'demo'\nscenes = 'field'\n")
    with pytest.raises(ConfigError, match="'scene'"):
        load_label_checks(path)


def test_labels_are_compared_with_the_truth() -> None:
    """Contested and unlabelled detections do not count; each share has its base."""
    true = Table(
        {
            'label': ['star', 'star', 'star', 'spike', 'spike', 'cosmic_ray'],
            'contested': [False, False, True, False, False, False],
        }
    )
    given = np.array(['star', 'unlabelled', 'spike', 'star', 'spike', 'cosmic_ray'])
    counts = label_truth.compared(given, true)
    assert counts['right'] == [3, 4]
    assert counts['given']['star'] == [1, 2]
    assert counts['true']['spike'] == [1, 2]
    assert counts['labelled']['star'] == [1, 2]
    assert counts['given']['cosmic_ray'] == [1, 1]
    total = summed([counts, counts])
    assert total['right'] == [6, 8]
    assert total['given']['star'] == [2, 4]


def test_thinning_keeps_rare_classes() -> None:
    """At most so many of a class, and all of a rarer one."""
    labels = np.array(['star'] * 50 + ['spike'] * 3)
    rows = label_truth.thinned(labels, 10, np.random.default_rng(0))
    assert (labels[rows] == 'star').sum() == 10
    assert (labels[rows] == 'spike').sum() == 3
    assert (np.diff(rows) > 0).all()


def test_what_is_done_is_not_done_again(tmp_path: Path, quick: list[str]) -> None:
    """Results are kept one by one, and summed up in two files."""
    checks = load_label_checks()
    results = check_labels(checks, tmp_path)
    parts = sum(len(field.seeds) for field in checks.fields)
    assert len(quick) == parts + 2 + len(checks.tuned)
    assert check_labels(checks, tmp_path) == results
    assert len(quick) == parts + 2 + len(checks.tuned)
    assert json.loads((tmp_path / 'labelling.json').read_text()) == results
    text = (tmp_path / 'labelling.md').read_text()
    assert text.splitlines() == table_lines(results)
    # 5 x 99 of 500, and the sum of the fields' own counts.
    assert f'{99 * parts}/{100 * parts}' in text
    assert f'{999 * parts}/{1000 * parts}' in text
    # Fitted networks of three fields, right by 97, 98 and 99 %.
    assert '98.00% (97.00% to 99.00%)' in text
    assert '194/200' in text
    assert '299/300' in text


def test_command_writes_the_table_of_galaxies(tmp_path: Path, quick: list[str]) -> None:
    """`--config galaxies` judges its fields alone, and fills another place."""
    page = tmp_path / 'page.md'
    page.write_text(
        '<!-- table:labelling begin -->\nold\n<!-- table:labelling end -->\n'
        '<!-- table:labelling-galaxies begin -->\n'
        '<!-- table:labelling-galaxies end -->\n'
    )
    arguments = ['source', 'evaluate', '--labelling', '--config', 'galaxies']
    arguments += ['-o', str(tmp_path / 'out'), '--readme', str(page)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert 'network' not in quick
    assert 'ngc1261' not in quick
    checks = load_label_checks(label_settings.label_checks_file('galaxies'))
    assert len(quick) == sum(len(f.seeds) for f in (*checks.fields, *checks.primitive))
    text = page.read_text()
    assert 'old' in text
    assert 'whole procedure' in text
    assert 'extended' in text


def test_command_writes_the_tables(tmp_path: Path, quick: list[str]) -> None:
    """`evaluate --labelling` fills the place between the markers."""
    page = tmp_path / 'page.md'
    page.write_text(
        'a\n<!-- table:labelling begin -->\nold\n<!-- table:labelling end -->\nb\n'
    )
    arguments = ['source', 'evaluate', '--labelling', '-o', str(tmp_path / 'out')]
    done = CliRunner().invoke(main, [*arguments, '--readme', str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert 'old' not in text
    assert 'whole procedure' in text
    assert text.startswith('a\n')
    assert text.endswith('b\n')
    refused = CliRunner().invoke(main, [*arguments, '--seed', '3'])
    assert refused.exit_code == 2
    assert '--seed does not go with --labelling' in refused.output
    both = CliRunner().invoke(main, [*arguments, '--ablation'])
    assert both.exit_code == 2
    assert '--labelling does not go with --ablation' in both.output
