"""The documentation says what the code says."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import click
import pytest

from astrosieve.blob.command import blobs
from astrosieve.commands.models import models
from astrosieve.contaminant.classes import CLASSES as PIXEL_CLASSES
from astrosieve.contaminant.command import segment
from astrosieve.models.registry import list_models, load_model
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
MADE = ('_build', 'cards', 'jupyter_execute')  # when the manual is built
PAGES = sorted(
    p for p in DOCS.rglob('*.md') if p.relative_to(DOCS).parts[0] not in MADE
)


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


@pytest.mark.parametrize(
    ('task', 'model'),
    [
        ('source', 'source'),
        ('contaminant', 'contaminant'),
        ('contaminant', 'contaminant-verdict'),
        ('blob', 'blob'),
        ('blob', 'blob-isr2021'),
        ('frametype', 'frametype'),
        ('transient', 'transient'),
        ('transient', 'transient-negm2021'),
    ],
)
def test_results_are_the_card_s(task: str, model: str) -> None:
    """All of them stand on the page of the task."""
    lines = load_model(model).card.metrics['tables']
    assert table_of(DOCS / 'tasks' / f'{task}.md', f'{model}-all') == lines


def test_few_results_matter() -> None:
    """They are those of the card that the page of figures shows."""
    lines = load_model('source').card.metrics['tables']
    short = table_of(DOCS / 'figures.md', 'source')
    rows = [line for line in short if line.startswith('|')]
    assert len(rows) == 2 + 5
    assert [line for line in lines if line in rows] == rows


@pytest.mark.parametrize(('name', 'fewest'), [('front', 5), ('papers', 12)])
def test_figures_taken_from_cards_are_theirs(name: str, fewest: int) -> None:
    """What `python docs/front_page.py` writes there; run it where a card changed."""
    spec = spec_from_file_location('front_page', DOCS / 'front_page.py')
    assert spec is not None
    assert spec.loader is not None
    front_page = module_from_spec(spec)
    spec.loader.exec_module(front_page)
    make, pages = front_page.TABLES[name]
    rows = make().splitlines()
    assert len(rows) >= 2 + fewest
    for page in pages:
        assert table_of(page, name) == rows, 'run python docs/front_page.py'


@pytest.mark.parametrize(
    ('pages', 'commands', 'fewest'),
    [
        (('tasks/source',), (classify, models, *source.commands.values()), 30),
        (('tasks/blob', 'monitor'), (blobs, *blob.commands.values()), 15),
        (('tasks/contaminant',), (segment, *contaminant.commands.values()), 12),
        (
            ('tasks/transient', 'hosts/alerts'),
            (transients, *transient.commands.values()),
            20,
        ),
    ],
)
def test_documented_options_exist(
    pages: tuple[str, ...], commands: tuple[click.Command, ...], fewest: int
) -> None:
    """Each option named in the pages of a task is one of its commands or steps."""
    texts = [(DOCS / f'{page}.md').read_text(encoding='utf-8') for page in pages]
    named = named_options('\n'.join(texts))
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


def test_what_examples_import_is_public() -> None:
    """Readers copy it, so that the page of the interface has it."""
    text = (DOCS / 'api.md').read_text(encoding='utf-8')
    public = set(re.findall(r':: ([\w.]+)', text))
    for module in re.findall(r'automodule:: ([\w.]+)', text):
        public |= {f'{module}.{name}' for name in import_module(module).__all__}
    known = {name.rpartition('.')[2] for name in public}
    imported = re.compile(
        r'(?:>>> |^)from astrosieve(?:_plugins)?(?:\.[\w.]+)? '
        r'import (\([^)]*\)|[\w, ]+)',
        re.M,
    )
    examples = [
        (name, page.stem)
        for page in PAGES
        if page.stem != 'adding'  # for contributors, who go behind the doors
        for names in imported.findall(page.read_text(encoding='utf-8'))
        for name in re.findall(r'\w+', names)
    ]
    assert len(examples) > 40
    assert sorted({each for each in examples if each[0] not in known}) == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """What a page links to, or shows, lies beside it, or is the page of a model."""
    text = page.read_text(encoding='utf-8')
    links = re.findall(r'\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)', text)
    cards = {(DOCS / 'cards' / f'{name}.md').resolve() for name in list_models()}
    paths = [(page.parent / link).resolve() for link in links]
    assert [path for path in paths if not path.is_file() and path not in cards] == []


def test_extras_are_the_package_s() -> None:
    """The page says of each extra what it is for."""
    project = tomllib.loads((DOCS.parent / 'pyproject.toml').read_text('utf-8'))
    text = (DOCS / 'install.md').read_text(encoding='utf-8')
    named = re.findall(r'^\| `([a-z0-9]+)` \|', text, re.M)
    assert sorted(named) == sorted(project['project']['optional-dependencies'])


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


def test_contributing_names_what_is_there() -> None:
    """Folders and files of the plan, entry points, and extras of the command."""
    root = DOCS.parent
    text = (root / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    settings = tomllib.loads((root / 'pyproject.toml').read_text('utf-8'))
    links = re.findall(r'\]\((?!https?:)([^)#]+)', text)
    paths = re.findall(r'`((?:docs|tests|src|training)/[\w/.]+)`', text)
    assert links
    assert [each for each in (*links, *paths) if not (root / each).exists()] == []
    groups = set(settings['project']['entry-points']) - {'ginga.rv.plugins'}
    named = re.findall(r'^\| `(astrosieve\.\w+)` \|', text, re.M)
    assert groups | {'astrosieve.models'} == set(named)
    extras = re.findall(r"'?\.\[([\w,]+)\]", text)
    known = set(settings['project']['optional-dependencies'])
    assert {name for each in extras for name in each.split(',')} <= known


@pytest.mark.parametrize('page', [*PAGES, DOCS.parent / 'README.md'], ids=str)
def test_pictures_say_what_is_to_be_seen(page: Path) -> None:
    """Those who do not see a picture are told what it shows."""
    texts = re.findall(r'!\[([^\]]*)\]\(', page.read_text(encoding='utf-8'))
    assert [each for each in texts if len(each) < 40] == []


def test_pictures_are_made_by_commands() -> None:
    """Contributors read which, of each picture of the manual."""
    text = (DOCS.parent / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| (`[^|]+) \| (.*) \|', text, re.M)
    patterns = [each for first, _ in rows for each in re.findall(r'[\w*]+\.png', first)]
    names = [path.name for path in (DOCS / 'images').iterdir()]
    assert len(names) > 15
    assert [
        name for name in names if not any(fnmatch(name, each) for each in patterns)
    ] == []
    scripts = {each for _, rest in rows for each in re.findall(r'tests/\S+\.py', rest)}
    assert len(scripts) == 3
    assert all((DOCS.parent / each).is_file() for each in scripts)
