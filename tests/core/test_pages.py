"""Pages in one file."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest

from astrosieve.exceptions import OutputError
from astrosieve.pages import encoded, grey_png, mask_png, page_text, save_page
from astrosieve.pages.thumbnails import thumbnail


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a package with a page of its own."""
    folder = tmp_path / 'fruit_page'
    folder.mkdir()
    (folder / '__init__.py').touch()
    (folder / 'page.js').write_text("const weight = '{{title}}';")
    (folder / 'page.html').write_text(
        '<title>{{title}}</title><style>{{base.css}}</style>'
        '<script type="application/json">{{data}}</script><script>{{page.js}}</script>'
    )
    monkeypatch.syspath_prepend(tmp_path)
    return 'fruit_page'


def test_parts_are_put_in_once(package: str) -> None:
    """Title and data cannot end their element, nor stand for another part."""
    data = {'name': '</script><b>{{page.js}}', 'weights': [1.5, 2]}
    text = page_text(package, title='a </title> & {{data}}', data=data)
    assert '<title>a &lt;/title&gt; &amp; {{data}}</title>' in text
    inside = text.split('application/json">')[1].split('</script>')[0]
    assert json.loads(inside) == data
    assert "const weight = '{{title}}';" in text
    assert '--accent' in text.split('<style>')[1]


def test_numbers_that_json_lacks_are_refused(package: str) -> None:
    """A page that no browser reads is not written."""
    with pytest.raises(ValueError, match='JSON'):
        page_text(package, title='a', data={'x': float('nan')})


def test_a_page_that_is_there_is_kept(tmp_path: Path) -> None:
    """Unless it may be replaced."""
    path = tmp_path / 'a.html'
    save_page('one', path)
    with pytest.raises(OutputError, match='exists'):
        save_page('two', path)
    save_page('two', path, overwrite=True)
    assert path.read_text() == 'two'


def test_numbers_as_text() -> None:
    """In the type of the array, row by row."""
    values = np.arange(6, dtype='<f4').reshape(2, 3)
    content = base64.b64decode(encoded(values[:, ::-1]))
    assert np.frombuffer(content, '<f4').tolist() == [2, 1, 0, 5, 4, 3]
    assert base64.b64decode(encoded(b'\0ab')) == b'\0ab'


def test_grey_levels_come_back(tmp_path: Path) -> None:
    """Each level, the first row on top."""
    pyplot = pytest.importorskip('matplotlib.image')
    image = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(12, 64)
    path = tmp_path / 'a.png'
    path.write_bytes(grey_png(image))
    assert np.array_equal(np.rint(255 * pyplot.imread(path)), image)


def test_a_mask_lets_the_rest_show_through(tmp_path: Path) -> None:
    """Its colour where it holds, nothing elsewhere; rows of any length."""
    pyplot = pytest.importorskip('matplotlib.image')
    mask = np.random.default_rng(0).random((5, 19)) < 0.3
    path = tmp_path / 'a.png'
    path.write_bytes(mask_png(mask, '#ff8000'))
    found = np.rint(255 * pyplot.imread(path))
    assert np.array_equal(found[..., 3] == 255, mask)
    assert (found[~mask][:, 3] == 0).all()
    assert (found[mask][:, :3] == [255, 128, 0]).all()


def test_a_thumbnail_has_its_place_in_the_middle() -> None:
    """Also at the edge, beyond which all is black; outside there is none."""
    pyplot = pytest.importorskip('matplotlib.image')
    image = np.random.default_rng(0).normal(0, 1, (50, 60)).astype(np.float32)
    image[2, 57] = 1000
    assert thumbnail(image, 70, 2) == thumbnail(image, float('nan'), 2) == ''
    url = thumbnail(image, 57.4, 1.6, 21)
    found = pyplot.imread(io.BytesIO(base64.b64decode(url.partition(',')[2])))
    assert found.shape == (21, 21)
    assert np.unravel_index(found.argmax(), found.shape) == (10, 10)
    assert (found[:, 13:] == 0).all()
    assert (found[13:] == 0).all()
