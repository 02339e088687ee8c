"""The page on which clusters are named and regions drawn."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('matplotlib')

from matplotlib.image import imread

from astrosieve.exceptions import OutputError
from astrosieve.source.classes import CLASSES
from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.page import write_page
from astrosieve_training.source.label.region_files import read_regions
from astrosieve_training.source.label.regions import (
    Regions,
    cluster_digest,
    embedding_digest,
)
from astrosieve_training.source.label.shapes import Box, Polygon

NAMES = {0: 'star', 1: 'cosmic_ray', 2: 'spike'}


def make_points(n: int, seed: int = 0) -> dict[str, Any]:
    """Return three clusters and points in none, with cutouts of noise."""
    rng = np.random.default_rng(seed)
    clusters = rng.integers(-1, 3, n)
    centres = np.array([(0, 0), (6, 0), (0, 6), (6, 6)])  # -1 is the last
    magnitudes = rng.uniform(18, 26, n)
    magnitudes[::7] = np.nan
    return {
        'embedding': (centres[clusters] + rng.normal(0, 0.7, (n, 2))).astype('f4'),
        'cutouts': rng.random((n, 11, 11), np.float32),
        'magnitudes': magnitudes,
        'clusters': clusters,
        'names': NAMES,
    }


class Page(HTMLParser):
    """What a page holds: text by element, and what it would fetch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding='utf-8'))
        self.close()
        self.texts = {tag: [t.strip() for t in ts] for tag, ts in self.texts.items()}
        self.data = json.loads(self.texts['script'][0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append('')

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts[self.tags[-1][0]][-1] += data

    def array(self, name: str, kind: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.data[name]), kind)

    def cutouts(self, n: int) -> np.ndarray:
        """Return the cutouts of the sprite, as shares of 255."""
        encoded = self.data['sprite'].removeprefix('data:image/png;base64,')
        image = imread(io.BytesIO(base64.b64decode(encoded)))
        size, columns = self.data['cutoutSize'], self.data['spriteColumns']
        rows = image.shape[0] // size
        tiles = image.reshape(rows, size, columns, size).transpose(0, 2, 1, 3)
        return tiles.reshape(-1, size, size)[:n, ::-1]


def test_page_holds_what_went_in(tmp_path: Path) -> None:
    """Positions, cutouts, magnitudes and clusters come back from the page."""
    points = make_points(150)
    path = tmp_path / 'page.html'
    write_page(path, **points, title='Field', magnitude_label='F336W magnitude')
    page = Page(path)
    embedding = page.array('embedding', '<f4').reshape(-1, 2)
    assert np.array_equal(embedding, points['embedding'])
    assert np.array_equal(page.array('clusters', '<i4'), points['clusters'])
    magnitudes = points['magnitudes'].astype('f4')
    assert np.array_equal(page.array('magnitudes', '<f4'), magnitudes, equal_nan=True)
    assert np.abs(page.cutouts(150) - points['cutouts']).max() < 0.51 / 255
    data = page.data
    assert data['names'] == {
        '-1': 'unlabelled',
        '0': 'star',
        '1': 'cosmic_ray',
        '2': 'spike',
    }
    assert data['embeddingDigest'] == embedding_digest(points['embedding'])
    assert data['clustersDigest'] == cluster_digest(points['clusters'])
    assert [each['name'] for each in data['classes']] == [*CLASSES, 'unlabelled']
    for each in data['classes'][:-1]:
        assert each['colours'][0] == CLASSES.marker(each['name']).color
        assert each['colours'][1] == CLASSES.marker(each['name'], 'colour-blind').color
    low, high = data['magnitudeRange']
    assert 18 < low < 18.5 < 25.5 < high < 26
    assert data['magnitudeLabel'] == 'F336W magnitude'


def test_page_fetches_nothing(tmp_path: Path) -> None:
    """No address but data, and a policy that forbids every other."""
    path = tmp_path / 'page.html'
    write_page(path, **make_points(50), title='Field')
    page = Page(path)
    sources = [a[k] for _, a in page.tags for k in ('src', 'href') if k in a]
    assert sources == ['data:,']
    assert not re.search(r'https?:|//[a-z]+\.[a-z]', path.read_text(encoding='utf-8'))
    (policy,) = [
        a['content'] for t, a in page.tags
        if t == 'meta' and a.get('http-equiv') == 'Content-Security-Policy'
    ]  # fmt: skip
    assert policy is not None
    assert "default-src 'none'" in policy
    assert {tag for tag, _ in page.tags} & {'link', 'iframe', 'img'} == {'link'}


def test_title_and_labels_cannot_end_their_element(tmp_path: Path) -> None:
    """Text with marks of HTML and of the template is shown as it is."""
    title = '</title></script><script>alert(1)</script> {{data}} & "F336W"'
    label = '</script><!--<script>magnitude'
    path = tmp_path / 'page.html'
    write_page(path, **make_points(20), title=title, magnitude_label=label)
    page = Page(path)
    assert page.texts['title'] == [title]
    assert page.texts['h1'] == [title]
    assert page.data['magnitudeLabel'] == label
    assert [tag for tag, _ in page.tags].count('script') == 2


def test_size_of_thirty_thousand_points(tmp_path: Path) -> None:
    """Even if the cutouts are noise, which nothing compresses."""
    path = tmp_path / 'page.html'
    write_page(path, **make_points(30_000), title='Field')
    assert path.stat().st_size < 8e6


def test_page_without_magnitudes(tmp_path: Path) -> None:
    """What is not finite is none, also if there are no others; one point will do."""
    points = make_points(1)
    path = tmp_path / 'page.html'
    write_page(path, **{**points, 'magnitudes': [np.inf]}, title='Field')
    page = Page(path)
    assert np.isnan(page.array('magnitudes', '<f4')).all()
    assert page.data['magnitudeRange'] == [0, 0]


def test_page_starts_with_regions(tmp_path: Path) -> None:
    """Regions that are given are in the page; those of another embedding are not."""
    points = make_points(50)
    digest = embedding_digest(points['embedding'])
    regions = Regions({0: 'spike'}, (Box('background', -1, 1, -1, 1),), digest)
    path = tmp_path / 'page.html'
    write_page(path, **points, title='Field', regions=regions)
    assert Page(path).data['regions'] == regions.as_dict()
    other = tmp_path / 'other.html'
    with pytest.raises(RegionsError, match='another embedding'):
        write_page(other, **make_points(50, seed=1), title='Field', regions=regions)
    assert not other.exists()


def test_page_that_cannot_be_written(tmp_path: Path) -> None:
    """Shapes must agree, and a page that is there is kept."""
    points = make_points(50)
    path = tmp_path / 'page.html'
    with pytest.raises(ValueError, match=r'\(50, 2\), \(49, 11, 11\), \(50,\)'):
        write_page(path, **{**points, 'cutouts': points['cutouts'][1:]}, title='Field')
    with pytest.raises(ValueError, match='N at least 1'):
        write_page(path, **make_points(0), title='Field')
    path.write_text('mine')
    with pytest.raises(OutputError, match='exists'):
        write_page(path, **points, title='Field')
    assert path.read_text() == 'mine'
    write_page(path, **points, title='Field', overwrite=True)
    assert Page(path).texts['title'] == ['Field']


DRIVE = """
<script>
const box = $('view').getBoundingClientRect();
$('view').setPointerCapture = () => {};
function point(kind, x, y) {
  const [px, py] = toScreen(x, y);
  $('view').dispatchEvent(new PointerEvent(kind, {
    clientX: box.left + $('view').clientLeft + px,
    clientY: box.top + $('view').clientTop + py, bubbles: true,
  }));
}
function stroke(places) {
  point('pointerdown', ...places[0]);
  for (const place of places.slice(1)) point('pointermove', ...place);
  point('pointerup', ...places.at(-1));
}
const key = (name, more) => $('view').dispatchEvent(
  new KeyboardEvent('keydown', { key: name, bubbles: true, ...more }));
const told = [];
const shots = [];
function note() {
  told.push($('status').textContent);
  shots.push([...labels].map((value) => CLASSES[value]));
}
async function drive() {
  fit();
  note();
  const first = [...labels].indexOf(0);
  point('pointermove', xy[2 * first], xy[2 * first + 1]);
  told.push($('card').textContent);
  key('l');
  stroke([...Array(40).keys()].map((k) => {
    const radius = 0.8 + 0.5 * Math.sin(0.785 * k);
    return [6 + radius * Math.cos(k / 6.4), radius * Math.sin(k / 6.4)];
  }));
  key('5');
  note();
  key('b');
  stroke([[-0.7, 6.9], [0.2, 6.5], [0.4, 5.4]]);
  document.querySelector('#naming [value="unlabelled"]').click();
  note();
  const choice = document.querySelector('#clusters [aria-label="Class of cluster 0"]');
  choice.value = 'extended';
  choice.dispatchEvent(new Event('change'));
  note();
  const saved = regionsText();
  for (let k = 0; k < 3; k++) key('z', { ctrlKey: true });
  note();
  await load(new File([saved], 'saved.json'));
  note();
  const other = saved.replace(data.embeddingDigest, '0'.repeat(12));
  await load(new File([other], 'other.json'));
  note();
  await load(new File([JSON.stringify(GRID)], 'grid.json'));
  note();
  document.body.textContent = '';
  document.body.dataset.found = btoa(JSON.stringify({ told, shots, saved }));
}
loadSprite().then(drive).catch((error) => document.body.append(error.stack));
</script>
"""


@pytest.mark.browser
def test_browser_and_python_label_alike(tmp_path: Path) -> None:
    """A lasso, a box and a name given on the page come back by its file."""
    points = make_points(4000)
    # Many points lie on edges and corners of regions whose corners are on a grid.
    points['embedding'] = np.rint(2 * points['embedding']) / 2
    rng = np.random.default_rng(3)
    corners = (rng.integers(-4, 17, (14, 7, 2)) / 2).tolist()
    polygons = [
        Polygon(name, tuple((x, y) for x, y in each))
        for name, each in zip(2 * [*CLASSES, 'unlabelled'], corners, strict=True)
    ]
    grid = Regions(regions=(*polygons, Box('spike', -0.5, 1, -1, 0.5)))
    path = tmp_path / 'page.html'
    write_page(path, **points, title='Field', magnitude_label='F336W')
    driven = tmp_path / 'driven.html'
    text = path.read_text(encoding='utf-8')
    drive = DRIVE.replace('GRID', json.dumps(grid.as_dict()))
    driven.write_text(text.replace('</body>', f'{drive}</body>'), encoding='utf-8')
    done = subprocess.run(
        [
            os.fspath(shutil.which('chromium') or 'chromium'), '--headless',
            '--no-sandbox', '--disable-gpu', '--window-size=1440,900',
            f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=20000',
            '--dump-dom', driven.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[-2000:] + done.stderr
    result = json.loads(base64.b64decode(found[1]))
    card, told = result['told'].pop(1), result['told']
    assert re.search(r'F336W(\d\d\.\d\d|not measured)cluster0class starrow\d+', card)
    assert told[1].endswith(' named bad_pixel.')
    assert told[2].endswith(' named unlabelled.')
    assert told[3:5] == ['Cluster 0 named extended.', 'Undone.']
    assert told[5] == 'Loaded saved.json.'
    assert 'drawn on another embedding' in told[6]
    assert told[7] == 'Loaded grid.json.'

    saved = tmp_path / 'regions.json'
    saved.write_text(result['saved'], encoding='utf-8')
    regions = read_regions(saved)
    assert [type(region) for region in regions.regions] == [Polygon, Box]
    where = points['embedding'], points['clusters'], NAMES
    wanted = [
        Regions(),
        Regions(regions=regions.regions[:1]),
        Regions(regions=regions.regions),
        regions,
        Regions(),
        regions,
        regions,
        grid,
    ]
    for shot, expected in zip(result['shots'], wanted, strict=True):
        assert shot == expected.apply(*where).tolist()
    labels = regions.apply(*where)
    for name in ('bad_pixel', 'extended', 'cosmic_ray', 'star', 'unlabelled'):
        assert (labels == name).any() == (name != 'star')
