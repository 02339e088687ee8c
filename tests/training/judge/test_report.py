"""Reports on a model of fruit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from astrosieve.exceptions import OutputError
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model, load_model
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import (
    Report,
    Section,
    plain,
    replace_between,
    slug,
)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Model:
    """A model in a folder of its own."""
    folder = tmp_path / 'weights'
    folder.mkdir()
    for path in (tiny_model, tiny_model.with_suffix('.json')):
        shutil.copy(path, folder / f'tiny-1.0.0{path.suffix}')
    return load_model(folder / 'tiny-1.0.0.onnx')


def make_report(model: Model, *, binding: bool = True) -> Report:
    limits = [
        ('a basket', Limit('pears called apples', Share(1, 1000), 0.01)),
        ('a basket', Limit('plums called apples', Share(0, 0), 0.01)),
        ('another', Limit('apples kept', Share(70, 100), 0.95, least=True)),
        ('another', Limit('error', Number(0.001, 9), 0.01)),
    ]
    return Report(
        model,
        summary=[*markdown_table(('basket', 'right'), [('a', Share(9, 10))]), '', 'N.'],
        limits=limits,
        sections=[Section('A basket', ['Ten fruits.', '', 'Ripe.'])],
        numbers={'baskets': {'a': {'apple': Share(9, 10), 'far': np.inf}}},
        scope='ripe fruit',
        measured={'a': {'apple': Share(1, 3)}},
        binding=binding,
    )


def test_markdown_holds_all_parts_in_order(model: Model) -> None:
    """Title, what holds of all, summary, limits, sections."""
    lines = make_report(model).markdown().split('\n')
    assert lines[0] == '# tiny 1.0.0, judged'
    assert lines[2].startswith(f'SHA-256 {model.card.sha256}. Shares with their 95 %')
    assert lines[2].endswith(' and counts; ripe fruit.')
    headings = [line for line in lines if line.startswith('#')]
    assert headings[1:] == ['## Limits', '## A basket']
    assert lines[lines.index('## Limits') + 4 :][:4] == [
        '| a basket | pears called apples | 0.10% (0.02% to 0.56%; 1/1000) | '
        'at most 1.00% | yes |',
        '| a basket | plums called apples | none in the sample | at most 1.00% | '
        '**no** |',
        '| another | apples kept | 70.00% (60.42% to 78.11%; 70/100) | '
        'at least 95.00% | **no** |',
        '| another | error | 0.0010 (9) | at most 0.01 | yes |',
    ]
    assert lines[-4:] == ['Ten fruits.', '', 'Ripe.', '']


def test_files_are_written(model: Model, tmp_path: Path) -> None:
    """JSON that any reader takes, Markdown, and what was drawn, are named."""
    paths = make_report(model).write(tmp_path / 'out')
    assert [path.name for path in paths] == ['tiny-judge.json', 'tiny-judge.md']
    found = json.loads(paths[0].read_text())
    assert found['baskets'] == {'a': {'apple': Share(9, 10).as_dict(), 'far': None}}
    assert found['limits'][0] == {
        'sample': 'a basket', 'what': 'pears called apples',
        'measured': Share(1, 1000).as_dict(), 'limit': 0.01, 'least': False,
        'holds': True,
    }  # fmt: skip
    assert [each['holds'] for each in found['limits']] == [True, False, False, True]


def test_card_gets_the_tables(model: Model) -> None:
    """Tables and rounded numbers; the hash holds, and the rest stays."""
    report = make_report(model)
    paths = report.update_card()
    assert all(path.is_file() for path in paths)
    again = load_model(model.path)
    assert again.card.metrics['tables'] == report.card_lines()
    assert (
        '| another | error | 0.0010 (9) | at most 0.01 | yes |' in report.card_lines()
    )
    assert again.card.metrics['judge']['a']['apple']['share'] == 0.33333
    assert again.card.classes == model.card.classes


def test_readme_says_what_does_not_hold(model: Model, tmp_path: Path) -> None:
    """The summary, and each broken limit with what was measured."""
    path = tmp_path / 'README.md'
    path.write_text('a\n<!-- table:fruit begin -->\nold\n<!-- table:fruit end -->\nb\n')
    report = make_report(model)
    report.update_readme(path, 'fruit')
    text = path.read_text()
    assert '\nold\n' not in text
    assert text.startswith('a\n<!-- table:fruit begin -->\n\n| basket | right |\n')
    assert text.endswith('\n\n<!-- table:fruit end -->\nb\n')
    assert (
        'Of 4 limits 2 hold; not: plums called apples (a basket): none in the sample, '
        'at most 1.00%; apples kept (another): 70.00%'
    ) in text


def test_a_readme_has_the_short_table_and_a_page_the_whole(
    model: Model, tmp_path: Path
) -> None:
    """Where there is a short one; the markers say which of them a file gets."""
    report = replace(make_report(model), short=['| a row |'])
    assert report.readme_lines()[:2] == ['| a row |', '']
    assert report.readme_lines()[2:] == make_report(model).readme_lines()[-1:]
    for table, lines in (
        ('fruit', report.readme_lines()),
        ('fruit-all', report.card_lines()),
    ):
        path = tmp_path / f'{table}.md'
        path.write_text(f'<!-- table:{table} begin -->\n<!-- table:{table} end -->\n')
        report.update_readme(path, 'fruit')
        assert path.read_text().split('\n')[2:-3] == lines
    assert replace(report, binding=False).readme_lines() == ['| a row |']


def test_limits_that_do_not_bind_stay_in_the_report(model: Model) -> None:
    """Card and README then show the summary alone."""
    report = make_report(model, binding=False)
    assert report.card_lines() == report.readme_lines() == report.summary
    assert 'pears called apples' in report.markdown()


@pytest.mark.parametrize(
    'text',
    [
        'nothing\n',
        '<!-- table:fruit end -->\n<!-- table:fruit begin -->\n',
        '<!-- table:other begin -->\n<!-- table:other end -->\n',
    ],
)
def test_readme_without_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    """The message names the markers."""
    path = tmp_path / 'README.md'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(OutputError, match='table:fruit begin'):
        replace_between(path, 'fruit', ['x'])
    assert path.read_text(encoding='utf-8') == text


def test_plain_values() -> None:
    """What JSON cannot hold becomes None; shares are written out."""
    assert plain({'a': (Share(0, 0), float('nan'), 'x', 2)}) == {
        'a': [{'k': 0, 'n': 0, 'share': None, 'low': 0.0, 'high': 1.0}, None, 'x', 2]
    }
    assert plain([0.123456789], 5) == [0.12346]


def test_names_of_files() -> None:
    """Letters and digits, the rest dashes."""
    assert slug('ACS/HRC (held back)') == 'acs-hrc-held-back'
