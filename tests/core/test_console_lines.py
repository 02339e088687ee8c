"""Each line of the manual that one types is a line that the commands take."""

from __future__ import annotations

import ast
import gzip
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import click
import pytest
from click.testing import CliRunner

import astrosieve
from astrosieve.cli import main
from astrosieve.commands.calls import batch
from astrosieve.source.demo import demo_exposure
from astrosieve_training.cli import main as train

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', *sorted(ROOT.glob('docs/*.md'))]
PAGES += sorted(ROOT.glob('docs/[hpt]*/*.md'))
PROGRAMS = {'astrosieve': main, 'astrosieve-train': train}
START = re.compile(r'(?:.*[|*&/ ]\s*)?(astrosieve(?:-train)?) (.+)')


def typed_lines(text: str) -> list[str]:
    """Return the lines of shell blocks and of indented ones, continued ones joined."""
    blocks = re.findall(r'^```(?:sh|bash)\n(.*?)^```', text, re.M | re.S)
    text = re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)
    blocks += re.findall(r'(?:^    .+\n)+', text, re.M)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    return [line.strip() for line in lines if START.fullmatch(line.strip())]


LINES = [
    pytest.param(line, id=f'{page.stem}: {line[:60]}')
    for page in PAGES
    for line in typed_lines(page.read_text(encoding='utf-8'))
]


def parse(group: click.Command, words: list[str]) -> None:
    """Let a command read its words, as far as it does before it works."""
    context = click.Context(group)
    while isinstance(group, click.Group):
        name, command, words = group.resolve_command(context, words)
        assert command is not None
        group, context = command, click.Context(command, context, name)
    group.make_context(name, words, parent=context.parent)


@pytest.mark.parametrize('line', LINES)
def test_line(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command, options and their values are known, where the files are there."""
    monkeypatch.chdir(tmp_path)
    Path('list.txt').write_text('j1_flc.fits\n', encoding='utf-8')
    monkeypatch.setattr(click.Path, 'convert', lambda self, value, *_: Path(value))
    match = START.fullmatch(line)
    assert match is not None
    words = shlex.split(re.split(r'\s(?:>>?|&&|\||&)(?:\s|$)', match[2])[0])
    parse(PROGRAMS[match[1]], words)


def test_five_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page has one type first does what it says."""
    pytest.importorskip('matplotlib')
    monkeypatch.chdir(tmp_path)
    Path('j1_flc.fits').write_bytes(gzip.decompress(demo_exposure().read_bytes()))
    text = (ROOT / 'docs' / 'start.md').read_text(encoding='utf-8')
    lines = typed_lines(text)
    assert len(lines) == 3
    said = ''
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
        said += done.output
    assert 'operating point' in text
    assert 'truth, found as' in said
    assert 'purity' in said
    assert {*Path().iterdir()} >= {Path('stars.ecsv'), Path('stars.png')}


def code_blocks(page: str, language: str) -> list[str]:
    text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)


def test_a_model_of_another_distribution(tmp_path: Path, tiny_model: Path) -> None:
    """The page's module and entry point are all that it takes."""
    [module] = code_blocks('own.md', 'python')
    entry_point = code_blocks('own.md', 'toml')[0].split('\n\n')[0]
    group, line = re.findall(r'\[project.entry-points."(.*)"\]\n(.*)', entry_point)[0]
    package, info = tmp_path / 'my_camera', tmp_path / 'my_camera-1.0.dist-info'
    package.mkdir()
    info.mkdir()
    (package / '__init__.py').write_text(module, encoding='utf-8')
    for suffix in ('.onnx', '.json'):
        shutil.copy(tiny_model.with_suffix(suffix), package / f'my-camera-1.0{suffix}')
    head = 'Metadata-Version: 2.1\nName: my-camera\nVersion: 1.0\n'
    (info / 'METADATA').write_text(head, encoding='utf-8')
    text = f'[{group}]\n{line}'.replace('"', '')
    (info / 'entry_points.txt').write_text(text, encoding='utf-8')
    code = (
        'from astrosieve import list_models, load_model\n'
        'print("my-camera" in list_models(), load_model("my-camera").card.name)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=os.environ | {'PYTHONPATH': os.fspath(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ['True', 'tiny'], done.stderr


def test_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes the cluster, `batch` takes what the page gives it."""
    cluster = MagicMock()
    made = cluster.__enter__.return_value
    made.scheduler_address = 'tcp://host:8786'
    worker = {'spec': {'worker': {'spec': {'containers': [{}]}}}}
    jobqueue = MagicMock(SLURMCluster=MagicMock(return_value=cluster))
    operator = MagicMock(
        KubeCluster=MagicMock(return_value=cluster),
        make_cluster_spec=MagicMock(return_value=worker),
    )
    for name, module in {
        'dask_jobqueue': jobqueue,
        'dask_kubernetes': MagicMock(operator=operator),
        'dask_kubernetes.operator': operator,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    calls = MagicMock()
    monkeypatch.setattr(astrosieve, 'batch', calls, raising=False)
    blocks = [each for each in code_blocks('many.md', 'python') if '>>>' not in each]
    for block in blocks:
        exec(compile(block, 'many.md', 'exec'), {'__name__': '__main__'})
    assert len(calls.mock_calls) == len(blocks) == 2
    for call in calls.call_args_list:
        given = inspect.signature(batch).bind(*call.args, **call.kwargs).arguments
        assert given['scheduler'] == made.scheduler_address
        assert 'options' not in given


@pytest.mark.parametrize('page', ['hosts/hap.md', 'hosts/tweakreg.md'])
def test_calls_of_pipelines_are_python(page: str) -> None:
    """What needs exposures that match, or MAST, can be read, though not run here."""
    [block] = [b for b in code_blocks(page, 'python') if '>>>' not in b]
    ast.parse(block)
