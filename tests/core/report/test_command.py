"""The command ``astrosieve report``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from astrosieve.cli import main
from astrosieve.report.command import report

Run = Callable[..., Result]


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    pixels_model: Path,
) -> Run:
    """Run the command with networks made by hand, in a folder of its own."""
    folder = tmp_path / 'work'
    folder.mkdir()
    monkeypatch.chdir(folder)
    models = ['--model', str(tiny_model), '--map', str(pixels_model)]

    def call(*arguments: object) -> Result:
        given = [*map(str, arguments), *models, '--finder', 'peaks']
        return CliRunner().invoke(main, ['report', *given])

    return call


def test_a_page_is_written(run: Run, flc: Path) -> None:
    """By the name of the exposure; one that is there is kept."""
    result = run(flc)
    assert result.exit_code == 0, result.stderr
    assert 'j1_flc.fits: ' in result.stdout
    assert ' doubtful; ' in result.stdout
    page = Path('j1_flc_report.html')
    text = page.read_text(encoding='utf-8')
    assert text.startswith('<!DOCTYPE html>')
    assert text.endswith('</html>\n')
    assert [path.name for path in Path().iterdir()] == ['j1_flc_report.html']
    again = run(flc)
    assert again.exit_code == 1
    assert 'exists' in again.stderr
    assert run(flc, '--overwrite').exit_code == 0
    assert page.read_text(encoding='utf-8') == text


def test_as_json(run: Run, flc: Path) -> None:
    """What the page counts is said to programs too."""
    result = run(flc, '--json', '-o', 'a.html', '--fwhm', '2')
    (said,) = json.loads(result.stdout)
    assert (said['input'], said['written']) == (str(flc), ['a.html'])
    assert said['fwhm'] == [2.0, 2.0]
    assert sum(said['classes'].values()) > said['doubtful'] >= 0
    assert said['shares']['cosmic_ray'] > 0
    assert Path('a.html').is_file()


def test_bad_input_is_named_and_the_rest_done(
    run: Run, flc: Path, tmp_path: Path
) -> None:
    """A text, a file that is missing, a folder that is no run."""
    (tmp_path / 'text.fits').write_text('no image')
    (tmp_path / 'empty').mkdir()
    bad = [tmp_path / name for name in ('text.fits', 'missing.fits', 'empty')]
    result = run(*bad, flc, '--jobs', '1')
    assert result.exit_code == 1
    for path in bad:
        assert path.name in result.stderr
    assert 'no run can be read from it' in result.stderr
    assert '3 of 4 images failed' in result.stderr
    assert [path.name for path in Path().iterdir()] == ['j1_flc_report.html']


def test_what_is_not_known_is_refused(run: Run, flc: Path) -> None:
    """A finder and a model of another task, before any work."""
    result = CliRunner().invoke(main, ['report', str(flc), '--finder', 'eye'])
    assert (result.exit_code, 'dao' in result.stderr) == (2, True)
    result = CliRunner().invoke(main, ['report', str(flc), '--map', 'source'])
    assert result.exit_code == 2
    assert list(Path().iterdir()) == []


def test_the_page_of_a_run(run: Run, flc: Path, tiny_model: Path) -> None:
    """Its summary, with images with switches of the classes, in words, and flags."""
    pytest.importorskip('pyarrow')
    given = ['--model', str(tiny_model), '--finder', 'peaks', '--run', 'night']
    done = CliRunner().invoke(main, ['classify', str(flc), 'missing.fits', *given])
    assert done.exit_code == 1
    result = run('night')
    assert result.exit_code == 0, result.stderr
    assert 'night: 2 images, 1 failed -> night_report.html' in result.stdout
    text = Path('night_report.html').read_text(encoding='utf-8')
    data = json.loads(text.split('id="data">')[1].split('</script>')[0])
    assert 'missing.fits' in data['failures'][0][0]
    sheet = data['sheet']
    assert [each['name'] for each in sheet['images']] == [
        'j1_flc.fits[SCI,1]',
        'j1_flc.fits[SCI,2]',
    ]
    marks = [mark for each in sheet['images'] for mark in each['marks']]
    assert sum(number for _, number in data['classes']) == len(marks)
    assert {name for _, _, name in marks} == set(sheet['markers'])
    for each in ('shape', 'colour'):
        told = [marker[each] for marker in sheet['markers'].values()]
        assert len(set(told)) == len(told) > 1
    assert 'cosmic ray' in dict(data['classes'])
    assert not any('_' in name for name in dict(data['classes']))
    made = dict(data['made'])
    assert made['command'] == 'astrosieve classify'
    assert len(made['SHA-256']) == 64
    assert all(each['picture'] for each in data['doubts'])
    summary = Path('night/summary.html').read_text(encoding='utf-8')
    inside = json.loads(summary.split('id="data">')[1].split('</script>')[0])
    assert inside['sheet'] is None
    assert inside['doubts'][0]['rivals'] == data['doubts'][0]['rivals']


def test_documented_options_exist() -> None:
    """Each option named in the page on the command is its own, or that of a run."""
    text = (Path(__file__).parents[3] / 'docs' / 'report.md').read_text('utf-8')
    named = set(re.findall(r'[` ](--[a-z][a-z-]*)', text))
    known = {option for each in report.params for option in each.opts}
    assert len(named) > 8
    assert named <= known
