"""The manual as it is read: built, its pages, its search."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from astrosieve.models.registry import list_models, load_model

DOCS = Path(__file__).parents[2] / 'docs'
pytestmark = pytest.mark.manual


def build(folder: Path, *options: str) -> Path:
    """Build the manual as its configuration says; no warning is let pass."""
    done = subprocess.run(
        [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', *options,
         '-d', folder / 'doctrees', DOCS, folder / 'html'],
        env=os.environ | {'OMP_NUM_THREADS': '1'},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    return folder / 'html'


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp('manual'))


def text_of(page: Path) -> str:
    return page.read_text(encoding='utf-8')


@pytest.mark.parametrize(
    ('name', 'needs', 'said'),
    [
        ('alerts', 'torch', 'candidates written to incoming'),
        ('ccdproc', 'ccdproc', 'L.A.Cosmic</th>'),
        ('ginga', 'ginga', 'legend'),
        ('jupyter', 'matplotlib', 'with a marker for each detection'),
        ('labels', 'umap', 'labels are right'),
        ('photutils', 'photutils', 'unscored'),
        ('pypeit', 'torch', 'pixelflat,illumflat,trace'),
        ('tweakreg', 'drizzlepac', 'no header is changed (--update)'),
    ],
)
def test_notebooks_run(site: Path, name: str, needs: str, said: str) -> None:
    """What they say stands on whole lines; each has a picture that words describe."""
    pytest.importorskip(needs)
    page = text_of(site / 'notebooks' / f'{name}.html')
    assert said in page
    described = re.findall(r'<img alt="([^"]*)"', page)
    assert described
    assert all(len(words) > 40 and '.png' not in words for words in described)


def test_every_page_is_there(site: Path) -> None:
    """Each file is a page, each model has one, and all can be reached and searched."""
    for path in DOCS.rglob('*.md'):
        name = path.relative_to(DOCS).with_name(f'{path.stem}.html')
        if name.parts[0] != 'changes' or name.stem == 'README':
            assert (site / name).is_file(), name
    index = text_of(site / 'searchindex.js')
    for name in list_models():
        card = load_model(name).card
        assert f'cards/{card.name}' in index


def test_a_model_s_page_begins_with_what_fails(site: Path) -> None:
    """Its limits, and the aims that the tables say it misses, before all else."""
    card = load_model('source').card
    body = text_of(site / 'cards' / f'{card.name}.html')
    head = body.split('id="the-model"')[0]
    for limit in card.limits:
        assert limit.split(',')[0] in head
    broken = [line for line in card.metrics['tables'] if line.endswith('**no** |')]
    assert head.count('<tr class="row') == len(broken) + bool(broken)
    assert card.sha256 in body.replace('<wbr>', '')


def test_a_kept_version_s_page_names_its_own_card() -> None:
    """The command in its last line prints that version, not the next."""
    page_of = runpy.run_path(os.fspath(DOCS / 'model_pages.py'))['page_of']
    last = page_of('source-0.9', load_model('source').card).splitlines()[-1]
    assert last.endswith('`astrosieve models source-0.9 --all`.')


def test_nothing_is_taken_from_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts, pictures and formulae come with the pages."""
    loaded = re.compile(
        r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(https?:[^"]+)"'
    )
    for page in site.rglob('*.html'):
        found = [
            url for url in loaded.findall(text_of(page)) if 'rel="canon' not in url
        ]
        assert found == [], page
    assert '<math' in text_of(site / 'tasks' / 'source.html')


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=os.fspath(site))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def dom_of(url: str, profile: Path, *options: str) -> str:
    """Return what a page has become in a browser."""
    done = subprocess.run(
        [
            os.fspath(shutil.which('chromium') or 'chromium'), '--headless',
            '--no-sandbox', '--disable-gpu', f'--user-data-dir={profile}',
            '--virtual-time-budget=10000', '--dump-dom', *options, url,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.browser
@pytest.mark.parametrize(
    ('words', 'page'),
    [
        ('saturated', 'tasks/source'),
        ('ImageFileCollection', 'hosts/ccdproc'),
        ('SLURM', 'many'),
    ],
)
def test_search_finds(address: str, tmp_path: Path, words: str, page: str) -> None:
    """What one types is found on the page where it stands, in a browser."""
    text = dom_of(f'{address}/search.html?q={words}', tmp_path)
    results = text.split('id="search-results"')[1]
    assert f'href="{page}.html' in results


FRAMES = """<body><script>
const [width, ...pages] = location.search.slice(1).split(',');
Promise.all(pages.map(page => new Promise(done => {
  const frame = document.createElement('iframe');
  frame.width = width; frame.height = 800; frame.src = page;
  frame.onload = () => done([page, frame.contentDocument.body.scrollWidth]);
  document.body.append(frame);
}))).then(found => { document.title = JSON.stringify(found); });
</script></body>"""


@pytest.mark.browser
@pytest.mark.parametrize('width', [390, 1280])
def test_pages_fit(site: Path, address: str, tmp_path: Path, width: int) -> None:
    """Of pages with pictures, wide tables, code and signatures none must be pushed."""
    pages = [
        'index.html', 'api.html', 'figures.html', 'glossary.html', 'many.html',
        'cards/source-multiscale.html', 'papers/isr2024-14.html', 'tasks/blob.html',
        'tasks/contaminant.html', 'notebooks/labels.html',
    ]  # fmt: skip
    (site / 'frames.html').write_text(FRAMES, encoding='utf-8')
    text = dom_of(f'{address}/frames.html?{",".join([str(width), *pages])}', tmp_path)
    found = re.search(r'<title>(.*?)</title>', text)
    assert found is not None
    widths = dict(json.loads(found[1]))
    assert {page: wide for page, wide in widths.items() if wide > width} == {}
    assert len(widths) == len(pages)


@pytest.mark.browser
def test_pages_are_light_or_dark(address: str, tmp_path: Path) -> None:
    """As the reader's system is."""
    for theme, options in (('light', ()), ('dark', ('--force-dark-mode',))):
        text = dom_of(f'{address}/index.html', tmp_path / theme, *options)
        assert f'data-theme="{theme}"' in text
