"""The documentation says what the code says."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

from astrosieve.blob.command import blobs
from astrosieve.commands.models import models
from astrosieve.contaminant.classes import CLASSES as PIXEL_CLASSES
from astrosieve.contaminant.command import segment
from astrosieve.models.registry import load_model
from astrosieve.source.classes import CLASSES
from astrosieve.source.command import classify
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.transient.classes import CLASSES as CANDIDATES
from astrosieve.transient.command import transients
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve_training.blob.commands import blob
from astrosieve_training.contaminant.commands import contaminant
from astrosieve_training.source.commands import source
from astrosieve_training.transient.commands import transient

DOCS = Path(__file__).parents[2] / 'docs'
PAGES = sorted(DOCS.rglob('*.md'))


def named_options(text: str) -> set[str]:
    """Return the options that a page names."""
    return set(re.findall(r'[` ](--[a-z][a-z-]*)', text)) - {'--help'}


def options_of(*commands: click.Command) -> set[str]:
    """Return the options that commands have."""
    return {
        option
        for command in commands
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def test_tables_are_the_code_s() -> None:
    """The page of the task holds the tables that flags and classes print."""
    text = (DOCS / 'tasks' / 'source.md').read_text(encoding='utf-8')
    assert CLASS_FLAGS.document() in text
    assert CLASSES.document() in text
    text = (DOCS / 'tasks' / 'contaminant.md').read_text(encoding='utf-8')
    for number, info in enumerate(PIXEL_CLASSES.values()):
        assert f'| {number} | `{info.name}` | {info.meaning} |' in text


def test_tables_of_candidates_are_the_code_s() -> None:
    """Classes and flags stand on the page as the code has them."""
    text = (DOCS / 'tasks' / 'transient.md').read_text(encoding='utf-8')
    assert STAMP_FLAGS.document() in text
    for name, info in CANDIDATES.items():
        assert f'| `{name}` | {info.meaning} |' in text


def table_of(path: Path, name: str) -> list[str]:
    """Return the lines between the markers of a table."""
    text = path.read_text(encoding='utf-8')
    found = re.search(
        rf'<!-- table:{name} begin -->\n\n(.*?)\n\n<!-- table:{name} end -->',
        text,
        re.S,
    )
    assert found is not None
    return found[1].split('\n')


def test_results_are_the_card_s() -> None:
    """All of them on the page of the task; in the README the few that matter."""
    lines = load_model('source').card.metrics['tables']
    assert table_of(DOCS / 'tasks' / 'source.md', 'source-all') == lines
    short = table_of(DOCS.parent / 'README.md', 'source')
    rows = [line for line in short if line.startswith('|')]
    assert len(rows) == 2 + 5
    assert [line for line in lines if line in rows] == rows


@pytest.mark.parametrize(
    ('task', 'commands', 'fewest'),
    [
        ('source', (classify, models, *source.commands.values()), 30),
        ('blob', (blobs, *blob.commands.values()), 15),
        ('contaminant', (segment, *contaminant.commands.values()), 12),
        ('transient', (transients, *transient.commands.values()), 20),
    ],
)
def test_documented_options_exist(
    task: str, commands: tuple[click.Command, ...], fewest: int
) -> None:
    """Each option named in the page of the task is one of its commands or steps."""
    named = named_options((DOCS / 'tasks' / f'{task}.md').read_text(encoding='utf-8'))
    assert len(named) > fewest
    assert sorted(named - options_of(*commands)) == []


def test_the_python_interface_is_there() -> None:
    """Each name in docs/api.md can be imported; those of plugins need their hosts."""
    text = (DOCS / 'api.md').read_text(encoding='utf-8')
    names = re.findall(r':: (astrosieve\.[\w.]+)', text)
    assert len(names) > 20
    for name in names:
        module, _, attribute = name.rpartition('.')
        found = getattr(import_module(module), attribute, None)
        assert found is not None or import_module(name), name


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """What a page links to, or shows, lies beside it; each page is in the index."""
    text = page.read_text(encoding='utf-8')
    links = re.findall(r'\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)', text)
    assert [link for link in links if not (page.parent / link).is_file()] == []
    listed = (DOCS / 'index.md').read_text(encoding='utf-8').splitlines()
    name = page.relative_to(DOCS).with_suffix('').as_posix()
    assert name == 'index' or name in listed or 'changes' in page.parts


def test_news_fragments_have_a_type() -> None:
    """Each fragment would be found when a release is made, and says one thing."""
    settings = tomllib.loads((DOCS.parent / 'pyproject.toml').read_text('utf-8'))
    types = {each['directory'] for each in settings['tool']['towncrier']['type']}
    for path in (DOCS / 'changes').iterdir():
        if path.name == 'README.md':
            continue
        _, kind, suffix = path.name.split('.')
        assert (kind in types, suffix) == (True, 'md'), path.name
        text = path.read_text(encoding='utf-8')
        assert len(text.strip().splitlines()) == 1, path.name
