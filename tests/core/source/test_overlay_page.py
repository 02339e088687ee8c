"""The page on which an exposure and its classes are looked at."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from astrosieve import pages
from astrosieve.images.mosaic import Place
from astrosieve.images.stretch import grey
from astrosieve.pages import overlay, save_page
from astrosieve.source.classes import CLASSES
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.plotting import overlay_page

SHAPE = (60, 100)
PLACES = [Place(SHAPE), Place(SHAPE, 2j, -20 + 10j), Place(SHAPE, 1, 120 + 90j, True)]


def make_images() -> list[np.ndarray]:
    """Return noise with a block of bright pixels in one corner."""
    rng = np.random.default_rng(2)
    images = [rng.normal(50, 4, SHAPE).astype(np.float32) for _ in PLACES]
    for image in images:
        image[2:5, 90:95] = 3000
        image[30, 40] = np.nan
    return images


def make_table(n: int, seed: int, *, sky: bool = True) -> QTable:
    """Return detections of three classes, one of them unscored."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), n).astype(np.float32)
    names = np.array(['star', 'cosmic_ray', 'extended'])[p.argmax(axis=1)]
    names = names.astype('U10')
    names[0], p[0] = 'unscored', np.nan
    bits = np.zeros(n, dtype=np.int32)
    bits[0] = CLASS_FLAGS.value('unscored', 'edge')
    table = QTable(
        {
            'id': np.arange(n) + 1 + 1000 * seed,
            'x_centroid': rng.uniform(0, SHAPE[1] - 1, n),
            'y_centroid': rng.uniform(0, SHAPE[0] - 1, n),
            'class_name': names,
            'p_star': p[:, 0],
            'p_cosmic_ray': p[:, 1],
            'p_extended': p[:, 2],
            'class_flags': bits,
        }
    )
    if sky:
        table['sky_centroid'] = SkyCoord(
            182.6 + table['x_centroid'] / 1e5, table['y_centroid'] / 1e5, unit='deg'
        )
    return table


def page_of(tables: list[QTable], **options: Any) -> str:
    names = [f'a_flc.fits[SCI,{i + 1}]' for i in range(len(tables))]
    n = len(tables)
    return overlay_page(make_images()[:n], tables, names, PLACES[:n], **options)


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def column(data: dict[str, Any], name: str, kind: str = '<f4') -> np.ndarray:
    return np.frombuffer(base64.b64decode(data['columns'][name]), kind)


def test_page_holds_what_went_in() -> None:
    """Classes as the pictures draw them, probabilities, flags, positions, places."""
    tables = [make_table(n, i) for i, n in enumerate((5, 30, 8))]
    data = data_of(page_of(tables))
    assert data['ids'] == [str(i) for table in tables for i in table['id']]
    names = [each['name'] for each in data['classes']]
    assert names == ['star', 'cosmic ray', 'extended', 'unscored']
    for each in data['classes']:
        marker = CLASSES.marker(each['name'].replace(' ', '_'))
        safe = CLASSES.marker(each['name'].replace(' ', '_'), 'colour-blind')
        assert each['shape'] == marker.matplotlib
        assert each['colours'] == [marker.color, safe.color]
    kinds = [names[i].replace(' ', '_') for i in column(data, 'kind', 'u1')]
    assert kinds == [name for table in tables for name in table['class_name']]
    assert column(data, 'image', '<u2').tolist() == [0] * 5 + [1] * 30 + [2] * 8
    shares = column(data, 'shares').reshape(-1, 3)
    assert data['shareNames'] == ['star', 'cosmic ray', 'extended']
    assert np.array_equal(shares[5:35, 1], tables[1]['p_cosmic_ray'], equal_nan=True)
    assert np.isnan(shares[0]).all()
    assert column(data, 'bits', '<i4')[0] == CLASS_FLAGS.value('unscored', 'edge')
    assert [name for _, name, _ in data['flags']] == [f.name for f in CLASS_FLAGS]
    ra = np.concatenate([table['sky_centroid'].ra.deg for table in tables])
    assert np.array_equal(column(data, 'ra', '<f8'), ra)
    z = tables[2]['x_centroid'] + 1j * tables[2]['y_centroid']
    ours = column(data, 'left')[35:] - 1j * column(data, 'down')[35:]
    assert np.abs(ours - PLACES[2](z)).max() < 1e-4
    assert 'ra' not in data_of(page_of([make_table(5, 0, sky=False)]))['columns']


def test_images_have_the_greys_of_the_pictures() -> None:
    """To one part in a hundred; the first row is on top, but of mirrored ones."""
    image_module = pytest.importorskip('matplotlib.image')
    data = data_of(page_of([make_table(5, i) for i in range(3)]))
    for image, each in zip(make_images(), data['images'], strict=True):
        found = image_module.imread(io.BytesIO(base64.b64decode(each['png'])))
        wanted = np.nan_to_num(grey(image))
        wanted = wanted if each['mirrored'] else wanted[::-1]
        assert np.abs(found - wanted).max() < 0.01
    assert [each['mirrored'] for each in data['images']] == [False, False, True]
    assert [each['turn'] for each in data['images']] == pytest.approx([0, -90, 0])
    assert [each['width'] for each in data['images']] == pytest.approx([100, 200, 100])
    middles = [complex(*each['middle']).conjugate() for each in data['images']]
    assert middles == pytest.approx([place.centre for place in PLACES])


def test_large_images_are_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full frame stays as it is; a page stays small enough to be sent."""
    frame = np.random.default_rng(0).normal(0, 1, (2051, 4096)).astype(np.float32)
    text = overlay_page([frame], [make_table(5, 0)], ['a'])
    assert data_of(text)['images'][0]['step'] == 1
    assert len(text) < 10e6
    monkeypatch.setattr(overlay, '_PIXELS', 1000)
    (each,) = data_of(page_of([make_table(5, 0)]))['images']
    assert (each['step'], each['rows'], each['width']) == (3, 60, 102)


def test_page_fetches_nothing() -> None:
    """All is in it, and a policy forbids the rest; the library's licence is kept."""
    text = page_of([make_table(5, 0)], title='</script> & a')
    assert '<title>&lt;/script&gt; &amp; a</title>' in text
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    assert 'http' not in policy
    head = text.split('<script')[0]
    assert re.findall(r'(?:src|href)="([^"]*)"', head) == ['data:,']
    assert not re.search(r'<script[^>]*src', text)
    assert '//! openseadragon' in text
    assert 'Redistributions in binary form must reproduce' in text
    folder = Path(pages.__file__).parent
    library = gzip.decompress((folder / 'openseadragon.min.js.gz').read_bytes())
    # As npm has it, openseadragon 6.1.1.
    assert hashlib.sha256(library).hexdigest() == (
        '14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad'
    )
    licence = (folder / 'openseadragon.LICENSE.txt').read_text()
    assert 'OpenSeadragon contributors' in licence


def test_no_detections(flc: Path) -> None:
    """An empty table is a page of the image alone."""
    data = data_of(page_of([make_table(5, 0)[:0]]))
    assert (data['ids'], data['classes']) == ([], [])


DRIVE = """
<script>
const told = {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ink = () => {
  const { width, height } = $('marks');
  const pixels = $('marks').getContext('2d').getImageData(0, 0, width, height).data;
  return pixels.reduce((sum, value, i) => sum + (i % 4 === 3 && value > 0), 0);
};
const box = $('marks').getBoundingClientRect();
const screenOf = (i) => {
  const { scale, dx, dy } = view();
  return [left[i] * scale + dx, down[i] * scale + dy];
};
function point(kind, i) {
  const [px, py] = screenOf(i);
  const bubbles = kind !== 'pointerleave';
  (bubbles ? viewer.canvas : $('view')).dispatchEvent(new PointerEvent(kind, {
    clientX: box.left + px, clientY: box.top + py, bubbles,
    pointerId: 1, pointerType: 'mouse', isPrimary: true, button: 0,
    buttons: kind === 'pointerdown' ? 1 : 0,
  }));
}
async function drive() {
  await pause(1500);
  told.errors = $('status').textContent;
  told.pixels = data.images.map((each, i) => {
    const k = image.indexOf(i);
    const pixel = each.item.viewportToImageCoordinates(
      new OpenSeadragon.Point(left[k], down[k]), true);
    return [pixel.x, pixel.y, x[k], y[k]];
  });
  const last = n - 1;
  told.cursor = cursorText(...screenOf(last));
  point('pointermove', last);
  told.card = $('card').innerText;
  point('pointerleave', last);
  told.away = $('card').hidden;
  for (const kind of ['pointerenter', 'pointerdown', 'pointerup']) point(kind, 0);
  point('pointerleave', 0);
  told.kept = $('card').innerText;
  told.all = ink();
  document.querySelector('#classes input').click();
  told.hidden = [shown.slice(), ink()];
  $('none').click();
  told.none = ink();
  $('all').click();
  told.again = ink();
  told.colours = data.classes.map(colour);
  $('palette').click();
  told.report = data.classes.map(colour);
  $('find').elements.id.value = data.ids[last];
  $('find').requestSubmit();
  await pause(500);
  told.found = $('card').innerText;
  told.zoom = view().scale;
  told.ring = [$('ring').hidden, $('ring').style.left, $('view').clientWidth / 2];
  $('find').elements.id.value = 'nobody';
  $('find').requestSubmit();
  told.status = $('status').textContent;
  const output = document.createElement('output');
  output.dataset.found = btoa(JSON.stringify(told));
  document.body.append(output);
}
opened.then(drive).catch((error) => document.body.append(error.stack));
</script>
"""


@pytest.mark.browser
def test_in_a_browser(tmp_path: Path) -> None:
    """Images lie under their markers; classes go on and off; a marker tells all."""
    tables = [make_table(n, i) for i, n in enumerate((5, 30, 8))]
    path = tmp_path / 'page.html'
    text = page_of(tables, title='a_flc.fits')
    save_page(text.replace('</body>', f'{DRIVE}</body>'), path)
    done = subprocess.run(
        [
            os.fspath(shutil.which('chromium') or 'chromium'), '--headless',
            '--no-sandbox', '--disable-gpu', '--window-size=1440,900',
            f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=20000',
            '--dump-dom', path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[-2000:] + done.stderr
    told = json.loads(base64.b64decode(found[1]))
    assert told['errors'] == ''
    for (right, below, x, y), place in zip(told['pixels'], PLACES, strict=True):
        row = y + 0.5 if place.mirrored else SHAPE[0] - y - 0.5
        assert (right, below) == pytest.approx((x + 0.5, row), abs=0.01)
    row = tables[2][-1]
    x, y = float(row['x_centroid']), float(row['y_centroid'])
    pixel = re.search(r'SCI,3\]\s+x ([\d.]+)\s+y ([\d.]+)', told['cursor'])
    assert pixel is not None
    assert [float(each) for each in pixel.groups()] == pytest.approx([x, y], abs=0.06)
    for card in (told['card'], told['found']):
        assert str(row['id']) in card
        assert row['class_name'].replace('_', ' ') in card
        assert f'{x:.2f}, {y:.2f}' in card
        assert f'{row["p_star"]:.4f}' in card
    assert told['away']
    assert '1\n' in told['kept']
    assert 'unscored, edge' in told['kept']
    assert told['hidden'][0] == [False, True, True, True]
    assert told['none'] == 0 < told['hidden'][1] < told['all'] == told['again']
    names = CLASSES.ordered(['star', 'cosmic_ray', 'extended', 'unscored'])
    for said, convention in (('colours', 'colour-blind'), ('report', 'report')):
        assert told[said] == [CLASSES.marker(n, convention).color for n in names]
    assert told['zoom'] > 7
    hidden, at, middle = told['ring']
    assert not hidden
    assert float(at.removesuffix('px')) == pytest.approx(middle, abs=2)
    assert told['status'] == 'No detection has the id nobody.'
