"""Configurations: typos are named, impossible values refused."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import (
    config_from_dict,
    list_configs,
    load_config,
)
from astrosieve_training.versions import digest

MINIMAL = """
name = 'tiny'
{extra}
[training]
n = 2
seed = 0
cameras = ['demo']
[validation]
n = 1
seed = 10
cameras = ['demo']
[calibrating]
n = 1
seed = 20
cameras = ['demo']
{sections}
"""


def write(folder: Path, extra: str = '', sections: str = '') -> Path:
    path = folder / 'tiny.toml'
    path.write_text(MINIMAL.format(extra=extra, sections=sections), encoding='utf-8')
    return path


@pytest.mark.parametrize('name', list_configs())
def test_shipped_configurations_are_valid(name: str) -> None:
    """Each in the package can be read, and is named after its model, kept or newest."""
    config = load_config(name)
    assert name in (config.name, f'{config.name}-{config.version}')


def test_recipe_of_the_report() -> None:
    """The shipped configuration states the published recipe."""
    config = load_config('source-isr2024')
    assert config.network.filters == (32, 32)
    assert config.network.dense[0] == 16
    assert not config.network.pooling
    assert (config.train.batch_size, config.train.epochs) == (128, 10)
    assert config.train.balance == 1.5
    assert config.network.classes == ('star', 'cosmic_ray', 'spike')


def test_unknown_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    """A typo names the file, the key and the valid key that is meant."""
    path = write(tmp_path, sections='[train]\nepocs = 3\n')
    with pytest.raises(ConfigError, match=r"tiny.toml: unknown key 'train.epocs'") as e:
        load_config(path)
    assert "did you mean 'epochs'?" in str(e.value)


def test_unknown_key_in_a_list_of_tables(tmp_path: Path) -> None:
    """A typo in a list of tables says which of them."""
    path = write(tmp_path, sections="[[judge.sets]]\nnane = 'x'\n")
    with pytest.raises(ConfigError, match=r"'judge.sets\[0\].nane'.*'name'"):
        load_config(path)


@pytest.mark.parametrize(
    ('section', 'message'),
    [
        ('[train]\nepochs = 0\n', 'train.epochs must be 1 or more; got 0'),
        ('[train]\nepochs = 1.5\n', 'train.epochs must be an integer'),
        ('[train]\nepochs = true\n', 'train.epochs must be an integer'),
        ('[train]\naugment = 1\n', 'train.augment must be bool'),
        ('[train]\nlearning_rate = 0\n', 'train.learning_rate must be positive'),
        ("[train]\nsplit = 'field'\n", "must be one of 'exposure', 'cutout'"),
        ('[train]\nbalance = 0.5\n', 'train.balance must be 0, or 1 or more'),
        ("[network]\nclasses = ['star', 'planet']\n", 'network.classes must be of'),
        ("[network]\nclasses = 'star'\n", 'network.classes must be a list'),
        ("[train]\nschedule = 'cosine'\n", "must be one of 'constant', 'one-cycle'"),
        ('[train]\nfocal = -1.0\n', 'train.focal must be 0, or 1 or more'),
        ('[train]\nweight_decay = -0.1\n', 'train.weight_decay must be 0 or more'),
        ('[network]\nimages = []\n', 'network.images must be of'),
        ("[network]\ncontext = ['sky']\n", 'network.context must be of'),
        ("[judge]\nheld_back = ['moon']\n", 'judge.held_back must be of'),
        ('[calibration]\npure = 1.0\n', 'calibration.pure must be above 0 and below 1'),
        (
            "[[finders]]\nname = 'dao'\nnsigma = -1\n",
            r'finders\[0\].nsigma must be positive',
        ),
    ],
)
def test_impossible_values_are_refused(
    tmp_path: Path, section: str, message: str
) -> None:
    """The message names the key and the rule."""
    with pytest.raises(ConfigError, match=message.replace('(', r'\(')):
        load_config(write(tmp_path, sections=section))


def test_sets_may_be_thinned_and_varied(tmp_path: Path) -> None:
    """Plans tell of the variation; a negative limit is refused."""
    path = write(tmp_path)
    text = path.read_text(encoding='utf-8')
    head = '[training]\n'
    path.write_text(
        text.replace(head, f'{head}vary = true\nthin = 7\n'), encoding='utf-8'
    )
    training = load_config(path).training
    assert training.thin == 7
    assert all(plan.vary for plan in training.plans())
    assert not any(plan.vary for plan in load_config(path).validation.plans())
    path.write_text(text.replace(head, f'{head}thin = -1\n'), encoding='utf-8')
    with pytest.raises(ConfigError, match='thin must be 0 or more; got -1'):
        load_config(path)


def test_missing_key(tmp_path: Path) -> None:
    """What has no default must be there."""
    path = tmp_path / 'a.toml'
    path.write_text('seed = 1\n', encoding='utf-8')
    with pytest.raises(ConfigError, match="'name' is missing"):
        load_config(path)


def test_configuration_without_exposures(tmp_path: Path) -> None:
    """One for datasets names none; what it rehearses must not be judged as well."""
    path = tmp_path / 'a.toml'
    path.write_text("name = 'a'\n", encoding='utf-8')
    config = load_config(path)
    assert not config.training.n + config.validation.n + config.calibrating.n
    rehearsal = '[tune.rehearsal]\nn = 2\nseed = 19\ncameras = ["demo"]\n'
    with pytest.raises(ConfigError, match='share seeds'):
        load_config(write(tmp_path, sections=rehearsal))


def test_not_toml_and_no_such_file(tmp_path: Path) -> None:
    """The cause is named."""
    path = tmp_path / 'a.toml'
    path.write_text('name = ', encoding='utf-8')
    with pytest.raises(ConfigError, match='not valid TOML'):
        load_config(path)
    with pytest.raises(ConfigError, match='cannot be read'):
        load_config(tmp_path / 'b.toml')
    with pytest.raises(ConfigError, match=r"'source-isr2024'. Known: .*source-isr2024"):
        load_config('source-isr')


def test_sets_may_not_share_exposures(tmp_path: Path) -> None:
    """An exposure that is trained on cannot judge."""
    section = "[[judge.sets]]\nname = 'judge'\nn = 3\nseed = 0\ncameras = ['demo']\n"
    with pytest.raises(ConfigError, match="'judge' share seeds"):
        load_config(write(tmp_path, sections=section))


def test_configuration_survives_json(tmp_path: Path) -> None:
    """A run's record gives its configuration back."""
    import json

    config = load_config(write(tmp_path))
    assert config_from_dict(json.loads(json.dumps(asdict(config)))) == config


def test_plans_are_even_and_repeatable() -> None:
    """Each camera meets each scene and time; the seeds are the set's."""
    exposures = ExposureSet(
        n=8, seed=3, cameras=('a', 'b'), scenes=('s', 't'), exptimes=(1.0, 2.0)
    )
    plans = exposures.plans()
    assert plans == exposures.plans()
    assert [plan.seed for plan in plans] == list(range(3, 11))
    met = {(plan.camera, plan.scene, plan.exptime) for plan in plans}
    assert len(met) == 8


def test_digest_follows_the_settings() -> None:
    """The same settings have the same digest, others another."""
    one = ExposureSet(n=1, seed=0, cameras=('a',))
    assert digest(one, 1) == digest(ExposureSet(n=1, seed=0, cameras=('a',)), 1)
    assert digest(one, 1) != digest(one, 2)


def test_judge_can_be_moved_to_other_exposures() -> None:
    """The sets follow each other; exposures used before are refused."""
    config = load_config('source-isr2024')
    moved = config.judged_from(70_000)
    seeds = [seed for each in moved.judge.sets for seed in each.seeds]
    assert seeds == list(range(70_000, 70_000 + len(seeds)))
    with pytest.raises(ConfigError, match='share seeds'):
        config.judged_from(config.training.seed)


def test_shares_are_one_for_each_class(tmp_path: Path) -> None:
    """Two shares for three classes are refused."""
    with pytest.raises(ConfigError, match=r'calibration.shares must be one for each'):
        load_config(write(tmp_path, sections='[calibration]\nshares = [1.0, 2.0]\n'))
