"""Options that commands share."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from astrosieve.commands import options


@click.command()
@options.fwhm_option
@options.nsigma_option
@options.unit_option
@options.columns_option
@options.prior_option
@options.keep_option('all')
@options.model_option('toy')
@options.output_folder_option('everything')
@options.overwrite_option
def show(**given: object) -> None:
    """Print what was understood."""
    click.echo(json.dumps(given, default=str))


def run(*words: str) -> Result:
    return CliRunner().invoke(show, words)


def test_defaults() -> None:
    """What is not given is None, or what the help says."""
    assert json.loads(run().stdout) == {
        'fwhm': None, 'nsigma': 5.0, 'unit': None, 'columns': None, 'prior': {},
        'keep': [], 'model': 'toy', 'output': '.', 'overwrite': False,
    }  # fmt: skip


def test_values() -> None:
    """Shares, columns and units are read."""
    given = json.loads(
        run(
            '--fwhm', '1.5', '--unit', 'DN/s', '--columns', 'x, 2',
            '--prior', 'pear=0.2', '--prior', ' plum =.3', '--keep', 'pear',
            '-o', 'there',
        ).stdout
    )  # fmt: skip
    assert given['columns'] == ['x', '2']
    assert given['prior'] == {'pear': 0.2, 'plum': 0.3}
    assert (given['fwhm'], given['unit'], given['output']) == (1.5, 'DN/s', 'there')


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--fwhm', '0'), '--fwhm must be positive; got 0.0'),
        (('--nsigma', 'inf'), '--nsigma must be positive; got inf'),
        (('--fwhm', 'nan'), '--fwhm must be positive; got nan'),
        (('--unit', 'furlong'), 'furlong'),
        (('--columns', 'x'), "'x' must be X,Y"),
        (('--columns', 'x,'), "'x,' must be X,Y"),
        (('--prior', 'pear'), "'pear' must be CLASS=SHARE"),
        (('--prior', 'pear=much'), "'pear=much' must be CLASS=SHARE"),
    ],
)
def test_misuse(words: tuple[str, ...], message: str) -> None:
    """What cannot be read exits with 2 and says why."""
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_chosen_model(tiny_model: Path) -> None:
    """A model is held against the task and the options before any work."""
    name = str(tiny_model)
    model = options.chosen_model(name, 'source', keep=('star', 'unscored'))
    assert model.card.task == 'source'
    wrong: tuple[tuple[str, dict[str, object], str], ...] = (
        ('blob', {}, "for task 'source', not 'blob'"),
        ('source', {'operating_point': 'best'}, "no operating point 'best'"),
        ('source', {'prior': {'plum': 0.5}}, 'prior names plum'),
        ('source', {'keep': ('plum',)}, '--keep plum: model tiny has'),
    )
    for task, given, message in wrong:
        with pytest.raises(click.UsageError, match=message):
            options.chosen_model(name, task, **given)


def test_damaged_model_is_no_misuse(tiny_model: Path, tmp_path: Path) -> None:
    """A file that is not the registered one fails with 1, not as a wrong option."""
    path = tmp_path / 'tiny.onnx'
    path.write_bytes(tiny_model.read_bytes()[:-1])
    path.with_suffix('.json').write_bytes(tiny_model.with_suffix('.json').read_bytes())
    with pytest.raises(click.ClickException, match='damaged') as caught:
        options.chosen_model(str(path), 'source')
    assert caught.value.exit_code == 1
