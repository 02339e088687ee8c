"""Labels by eye, and what is learnt from them."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from astrosieve.exceptions import OutputError
from astrosieve.transient.candidates import Candidate
from astrosieve_training.cli import main
from astrosieve_training.settings import ConfigError
from astrosieve_training.transient.label import read_labels, write_page


def some_candidates(n: int = 5) -> list[Candidate]:
    """Return candidates of several sizes, and one without stamps."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(n):
        side = (63, 31, 101)[k % 3]
        planes = rng.normal(100, 5, (3, side, side)).astype(np.float32)
        planes[:, side // 2, side // 2] += 100
        planes[1, :3] = np.nan
        made.append(Candidate(f'c{k}', planes))
    return [*made, Candidate('broken', None, problem='corrupt')]


def page_data(path: Path) -> dict:
    """Return what a page's script is given."""
    found = re.search(
        r'<script id="data"[^>]*>(.*?)</script>', path.read_text('utf-8'), re.DOTALL
    )
    assert found
    data: dict = json.loads(found[1])
    return data


def test_doubtful_candidates_come_first(tmp_path: Path) -> None:
    """The page begins with those whose probability is nearest a half."""
    candidates = some_candidates()
    p = np.array([0.99, 0.45, 0.02, 0.7, np.nan, np.nan])
    path = tmp_path / 'page.html'
    n = write_page(path, candidates, p_real=p, labels={'c1': 'real', 'other': 'bogus'})
    data = page_data(path)
    assert n == 5
    assert [each['id'] for each in data['candidates']] == ['c4', 'c1', 'c3', 'c2', 'c0']
    assert data['labels'] == {'c1': 'real'}
    with pytest.raises(OutputError):
        write_page(path, candidates)


def test_page_fetches_nothing(tmp_path: Path) -> None:
    """All is in one file; pictures are of the three planes side by side."""
    path = tmp_path / 'page.html'
    write_page(path, some_candidates(2), number=1)
    text = path.read_text('utf-8')
    assert not re.search(r'(?:src|href)="https?:', text)
    assert '{{' not in text
    (only,) = page_data(path)['candidates']
    content = base64.b64decode(only['image'].partition(',')[2])
    assert content[16:24] == (3 * 63 + 4).to_bytes(4, 'big') + (63).to_bytes(4, 'big')


DRIVE = """<script>
for (const key of ['r', 'b', 'u', 'z', 'b', 'ArrowLeft', 'Backspace', 'x', 'r'])
  document.dispatchEvent(new KeyboardEvent('keydown', { key }));
document.body.dataset.found = JSON.stringify([[...labels], status.textContent]);
</script>"""


@pytest.mark.browser
def test_keys_label(tmp_path: Path) -> None:
    """In a browser keys give labels, take them back, and move on."""
    path = tmp_path / 'page.html'
    write_page(path, some_candidates(4))
    text = path.read_text('utf-8').replace('</body>', f'{DRIVE}</body>')
    path.write_text(text, 'utf-8')
    done = subprocess.run(
        [
            shutil.which('chromium') or 'chromium', '--headless', '--no-sandbox',
            '--disable-gpu',
            f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=5000',
            '--dump-dom', path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stderr
    labels, told = json.loads(html.unescape(found[1]))
    assert dict(labels) == {'c0': 'real', 'c1': 'bogus', 'c3': 'real'}
    assert told.startswith('2 real, 1 bogus, 0 unsure, 1 left')


def test_labels_are_read(tmp_path: Path) -> None:
    """The last label of an id counts; what is no label is refused by name."""
    path = tmp_path / 'labels.csv'
    path.write_text('id,label\na,real\n"b,c",bogus\na,unsure\n')
    assert read_labels(path) == {'a': 'unsure', 'b,c': 'bogus'}
    path.write_text('id,label\na,rael\n')
    with pytest.raises(ConfigError, match="did you mean 'real'"):
        read_labels(path)
    path.write_text('name,what\na,real\n')
    with pytest.raises(ConfigError, match='columns id and label'):
        read_labels(path)


def test_step_writes_a_page(tmp_path: Path) -> None:
    """The step reads stamps as the command does."""
    rng = np.random.default_rng(0)
    stamps = rng.normal(size=(4, 63, 63, 3)).astype(np.float32)
    np.savez(tmp_path / 'stamps.npz', stamps=stamps, id=np.array(list('abcd')))
    page = tmp_path / 'page.html'
    asked = ['transient', 'label', str(tmp_path / 'stamps.npz'), '-o', str(page)]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert [each['id'] for each in page_data(page)['candidates']] == list('abcd')


def test_options_of_tuning_go_together() -> None:
    """A model without labels is refused, as are labels without a model."""
    done = CliRunner().invoke(main, ['transient', 'train', '--from', 'transient'])
    assert done.exit_code == 2
    assert 'go together' in done.output
