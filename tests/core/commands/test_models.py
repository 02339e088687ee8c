"""The command ``models``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from astrosieve.commands.models import models
from astrosieve.models.registry import list_models, load_model


def test_list() -> None:
    """Each model has a line with its classes, and what it is."""
    result = CliRunner().invoke(models)
    assert result.exit_code == 0
    for name in list_models():
        assert f'\n{name}' in f'\n{result.stdout}'


def test_card(tiny_model: Path) -> None:
    """With a name or path the card is printed; one that is not there is an error."""
    assert 'classes' in CliRunner().invoke(models, [str(tiny_model)]).stdout
    whole = CliRunner().invoke(models, [str(tiny_model), '--all']).stdout
    assert 'preprocessing' in whole
    unknown = CliRunner().invoke(models, ['nothing'])
    assert unknown.exit_code == 1
    assert "no model 'nothing'" in unknown.stderr


@pytest.mark.parametrize('name', list_models())
def test_a_card_is_a_screen(name: str) -> None:
    """Of each shipped model; it says how to see the rest."""
    result = CliRunner().invoke(models, [name])
    lines = result.stdout.splitlines()
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 80
    assert '--all' in lines[-1]
    whole = CliRunner().invoke(models, [name, '--all']).stdout
    assert len(whole) > len(result.stdout)
    tables = load_model(name).card.metrics['tables']
    assert len(tables) > 5
    assert all(line in whole for line in tables)
