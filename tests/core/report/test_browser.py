"""The pages of an exposure and of a run in a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from astrosieve.cli import main
from astrosieve.pages import save_page
from astrosieve.report import ReportOptions, exposure_report
from astrosieve.source.exposures import ClassifyOptions

# The stars of the test's field lie on a grid, and are called doubled for it.
pytestmark = pytest.mark.filterwarnings(
    'ignore:j1_flc:astrosieve.exceptions.AstrosieveWarning'
)

DRIVE = """
<script>
const found = {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ink = () => {
  const { width, height } = $('marks');
  const pixels = $('marks').getContext('2d').getImageData(0, 0, width, height).data;
  return pixels.reduce((sum, value, i) => sum + (i % 4 === 3 && value > 0), 0);
};
const visible = (id) => !$(id).hidden && $(id).getBoundingClientRect().height > 0;
async function drive() {
  await pause(1500);
  found.status = $('status').textContent;
  found.summary = $('summary').textContent;
  const sections = ['doubts', 'psf', 'counts', 'facts', 'provenance', 'map'];
  found.sections = sections.filter(visible);
  found.all = ink();
  document.querySelector('#classes input').click();
  found.fewer = ink();
  document.querySelector('#classes input').click();
  found.before = viewer.world.getItemCount();
  document.querySelector('#layers input').click();
  await pause(500);
  const { pictures, opacity } = data.layers[0];
  const shownAt = () => pictures.map(({ item }) => item.getOpacity());
  found.layer = [viewer.world.getItemCount(), shownAt(), opacity];
  document.querySelector('#layers input').click();
  await pause(100);
  found.off = shownAt();
  document.querySelector('#doubts button.picture').click();
  await pause(500);
  found.card = $('card').innerText;
  found.dots = document.querySelectorAll('#psf circle').length;
  const page = document.documentElement;
  found.wide = page.scrollWidth - page.clientWidth;
  const output = document.createElement('output');
  output.dataset.found = btoa(unescape(encodeURIComponent(JSON.stringify(found))));
  document.body.append(output);
}
opened.then(drive).catch((error) => document.body.append(error.stack));
</script>
"""


def driven(path: Path, profile: Path, size: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [
            os.fspath(shutil.which('chromium') or 'chromium'), '--headless',
            '--no-sandbox', '--disable-gpu', f'--window-size={size}',
            f'--user-data-dir={profile}', '--virtual-time-budget=20000',
            '--dump-dom', *options, path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = re.search(r'data-found="([^"]*)"', done.stdout)
    assert told is not None, done.stdout[-2000:] + done.stderr
    content: dict[str, Any] = json.loads(base64.b64decode(told[1]))
    return content


@pytest.mark.browser
@pytest.mark.parametrize('size', ['1440,900', '500,900'])
def test_in_a_browser(
    flc: Path, tmp_path: Path, tiny_model: Path, pixels_model: Path, size: str
) -> None:
    """Classes and layers go on and off; a doubt leads to its place; all fits in."""
    rare = {'star': 1e-5}
    classify = ClassifyOptions(model=tiny_model, finder='peaks', prior=rare)
    report = exposure_report(flc, ReportOptions(classify, pixels_model))
    path = tmp_path / 'page.html'
    save_page(report.page.replace('</body>', f'{DRIVE}</body>'), path)
    told = driven(path, tmp_path / 'profile', size)
    assert told['status'] == ''
    assert told['summary'].startswith(f'{sum(report.classes.values())} detections; ')
    assert len(told['sections']) == 6
    assert told['fewer'] < told['all']
    assert told['before'] == 2
    items, opacities, wanted = told['layer']
    assert items == 4
    assert opacities == [wanted, wanted]
    assert told['off'] == [0, 0]
    first = re.search(r'"doubts": \[\{"id": "(\d+)"', report.page)
    assert first is not None
    assert first[1] in told['card']
    assert told['dots'] > 100
    assert told['wide'] <= 0


DRIVE_RUN = """
<script>
window.addEventListener('load', () => {
  const inkOf = (canvas) => {
    const { width, height } = canvas;
    const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
    return pixels.reduce((sum, value, i) => sum + (i % 4 === 3 && value > 0), 0);
  };
  const found = {};
  const ink = () => [...document.querySelectorAll('#sheet canvas')].map(inkOf);
  found.sections = [...document.querySelectorAll('section')].filter(
    (each) => !each.hidden && each.getBoundingClientRect().height > 0,
  ).map(({ id }) => id);
  found.glyphs = [...document.querySelectorAll('#classes canvas')].map(inkOf);
  found.all = ink();
  const boxes = [...document.querySelectorAll('#classes input')];
  boxes[0].click();
  found.fewer = ink();
  boxes.slice(1).forEach((box) => box.click());
  found.none = ink();
  const page = document.documentElement;
  found.wide = page.scrollWidth - page.clientWidth;
  found.dark = matchMedia('(prefers-color-scheme: dark)').matches;
  found.paper = getComputedStyle(document.body).backgroundColor;
  const output = document.createElement('output');
  output.dataset.found = btoa(JSON.stringify(found));
  document.body.append(output);
});
</script>
"""


@pytest.mark.browser
def test_a_run_in_a_browser(flc: Path, tmp_path: Path, tiny_model: Path) -> None:
    """Each class has its marker, which its switch hides; failures are shown first."""
    pytest.importorskip('pyarrow')
    night, page = str(tmp_path / 'night'), tmp_path / 'night_report.html'
    given = ['--model', str(tiny_model), '--finder', 'peaks', '--run', night]
    done = CliRunner().invoke(main, ['classify', str(flc), 'missing.fits', *given])
    assert done.exit_code == 1
    done = CliRunner().invoke(main, ['report', night, '-o', str(page)])
    assert done.exit_code == 0, done.stderr
    text = page.read_text(encoding='utf-8')
    page.write_text(text.replace('</body>', f'{DRIVE_RUN}</body>'), encoding='utf-8')
    told = driven(page, tmp_path / 'profile', '1440,900')
    assert told['sections'][:3] == ['failures', 'classes', 'sheet']
    assert min(told['glyphs']) > 0
    assert len(told['all']) == 2
    for fewer, before in zip(told['fewer'], told['all'], strict=True):
        assert 0 < fewer < before
    assert told['none'] == [0, 0]
    assert told['wide'] <= 0
    dark = driven(page, tmp_path / 'dark', '500,900', '--force-dark-mode')
    assert (told['dark'], dark['dark']) == (False, True)
    assert told['paper'] != dark['paper']
    assert dark['wide'] <= 0
