"""What every step needs: imports that name their extra, errors that are messages."""

from __future__ import annotations

import sys

import click
import pytest
from click.testing import CliRunner

from astrosieve.exceptions import AstrosieveError
from astrosieve_training.steps import StepGroup, need


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
