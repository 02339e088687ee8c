"""What every step needs: imports that name their extra, errors that are messages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from astrosieve.exceptions import AstrosieveError
from astrosieve_training.settings import ConfigError
from astrosieve_training.steps import StepGroup, config_of, kind_of, need
from astrosieve_training.transient.config import load_config


def test_need_imports_a_module() -> None:
    """By its name in the package."""
    assert need('versions').digest is sys.modules['astrosieve_training.versions'].digest


def test_need_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is named, and how to install it."""
    monkeypatch.delitem(sys.modules, 'astrosieve_training.stages', raising=False)
    monkeypatch.setitem(sys.modules, 'astropy.table', None)
    with pytest.raises(click.ClickException) as caught:
        need('stages')
    assert 'needs astropy; install it with: pip install' in str(caught.value)
    assert "'astrosieve[train]'" in str(caught.value)


def test_need_hides_no_mistake() -> None:
    """A module that the package itself lacks is an error of the package."""
    with pytest.raises(ImportError, match='no_such_module'):
        need('no_such_module')


def test_models_are_judged_by_a_configuration_s_name() -> None:
    """Shipped ones have no training here."""
    config = config_of('transient-negm2021', 'transient')
    assert config == load_config('transient-negm2021')
    assert kind_of('contaminant-verdict', 'contaminant') == 'verdict'
    assert kind_of('blob-isr2021', 'blob') == 'isr2021'
    with pytest.raises(ConfigError, match='no configuration'):
        config_of('no-such-thing', 'transient')
    for given in ('runs/no-such-thing', './no-such-thing'):
        with pytest.raises(ConfigError, match=f'{given}: no such folder'):
            config_of(given, 'transient')
        with pytest.raises(ConfigError, match='no such folder'):
            kind_of(given, 'transient')


def test_a_folder_is_taken_for_a_training(tmp_path: Path) -> None:
    """Whatever its name; one without a training says so."""
    pytest.importorskip('torch')
    with pytest.raises(ConfigError, match='holds no finished training'):
        config_of(str(tmp_path), 'transient')


@click.group(cls=StepGroup)
def toys() -> None:
    """Steps of a toy."""


@toys.command()
@click.argument('kind')
def fail(kind: str) -> None:
    """Fail."""
    raise {'ours': AstrosieveError, 'strange': RuntimeError}[kind]('the toy broke')


def test_errors_of_the_package_are_messages() -> None:
    """One line, no traceback; others say where to report them, or show it."""
    result = CliRunner().invoke(toys, ['fail', 'ours'])
    assert result.exit_code == 1
    assert result.output == 'error: the toy broke\n'
    result = CliRunner().invoke(toys, ['fail', 'strange'])
    assert result.exit_code == 1
    assert 'RuntimeError: the toy broke. This should not happen' in result.output
    result = CliRunner().invoke(toys, ['fail', 'strange', '--debug'])
    assert isinstance(result.exception, RuntimeError)


MISSING = """
import re
import subprocess
import sys
from pathlib import Path
for name in ('torch', 'galsim', 'sklearn', 'onnx', 'umap', 'tqdm', 'matplotlib', 'PIL'):
    sys.modules[name] = None
from astrosieve_training.cli import main
main()
"""


@pytest.mark.parametrize(
    ('arguments', 'code', 'said'),
    [
        ('--help', 0, 'source'),
        ('source --help', 0, 'simulate'),
        ('source simulate --help', 0, '--config'),
        ('source simulate', 1, "this step needs tqdm; .* pip install 'astrosieve"),
        ('source train', 1, "this step needs torch; .* pip install 'astrosieve"),
        ('source evaluate', 1, "this step needs sklearn; .* pip install 'astrosieve"),
    ],
)
def test_without_the_extra(
    arguments: str, code: int, said: str, tmp_path: Path
) -> None:
    """Help works with the core alone, and a step says what to install."""
    ran = subprocess.run(
        [sys.executable, '-c', MISSING, *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == code
    assert re.search(said, ran.stdout + ran.stderr)
    assert 'Traceback' not in ran.stderr
