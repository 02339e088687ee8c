"""The built distributions install and work without the source tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel built from the sdist, so that both are exercised."""
    folder = tmp_path_factory.mktemp('dist')
    source = tmp_path_factory.mktemp('source') / 'astrosieve'
    run('git', 'clone', '-q', str(ROOT), str(source), cwd=folder)
    run(sys.executable, '-m', 'build', '--no-isolation', '-o', str(folder), cwd=source)
    assert len(list(folder.glob('astrosieve-*.tar.gz'))) == 1
    (built,) = folder.glob('astrosieve-*.whl')
    return built


def test_packages_are_those_of_the_tree() -> None:
    """setup.cfg lists each folder that holds files, and no other."""
    settings = ConfigParser()
    settings.read(ROOT / 'setup.cfg', encoding='utf-8')
    listed = settings['options']['packages'].split()
    lines = settings['options']['package_dir'].splitlines()
    places = [line.split(' = ') for line in lines]
    found = set()
    for name, folder in (each for each in places if len(each) == 2):
        for path in (ROOT / folder).rglob('*'):
            inner = path.parent.relative_to(ROOT / folder).parts
            hidden = any(part.startswith('.') for part in inner)
            if path.is_file() and path.suffix != '.pyc' and not hidden:
                found.add('.'.join([name, *inner]))
    assert listed == sorted(found)


def test_wheel_carries_every_file_of_the_tree(wheel: Path) -> None:
    """Modules, weights, cards, demo, cameras, configurations, pages."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = [
        path.relative_to(ROOT / root).as_posix()
        for root in ('src', 'plugins', 'training')
        for path in (ROOT / root).rglob('*')
        if path.is_file() and path.suffix != '.pyc'
    ]
    wanted = [name for name in wanted if not re.search(r'(^|/)\.|egg-info', name)]
    assert len(wanted) > 200
    assert sorted(set(wanted) - names) == []
    assert any('/licenses/LICENSE' in name for name in names)


def test_wheel_runs_the_main_job(wheel: Path, tmp_path: Path) -> None:
    """The demo runs from the installed wheel, with its own weights."""
    site = tmp_path / 'site'
    run(
        *(sys.executable, '-m', 'pip', 'install', '-q', '--no-deps'),
        *('--target', str(site), str(wheel)),
        cwd=tmp_path,
    )
    code = (
        'import astrosieve, sys; from astrosieve.cli import main; '
        f'assert astrosieve.__file__.startswith({str(site)!r}); main(["demo"])'
    )
    done = run(sys.executable, '-c', code, cwd=tmp_path, PYTHONPATH=str(site))
    assert 'detections' in done.stdout
    assert (tmp_path / 'demo_flc_sources.ecsv').is_file()


def test_sdist_is_complete(wheel: Path) -> None:
    """Every file of the repository but those of its services is in it."""
    (sdist,) = wheel.parent.glob('astrosieve-*.tar.gz')
    with tarfile.open(sdist) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    tracked = run('git', 'ls-files', cwd=ROOT).stdout.split('\n')
    services = ('.ci/', '.github/', '.gitignore', '.pre-commit-config.yaml')
    wanted = {name for name in tracked if name and not name.startswith(services)}
    assert 'tests/data/tiny.onnx' in wanted
    assert sorted(wanted - names) == []


def test_wheel_needs_no_compiler(wheel: Path) -> None:
    """It is one for all machines, and says that it is typed."""
    assert wheel.name.endswith('-py3-none-any.whl')
    with zipfile.ZipFile(wheel) as archive:
        assert 'astrosieve/py.typed' in archive.namelist()


def project() -> dict[str, Any]:
    """Return what pyproject.toml says of the distribution."""
    settings = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))
    content: dict[str, Any] = settings['project']
    return content


def test_versions_are_one() -> None:
    """Those who cite and those who archive read the version that is installed."""
    said = project()
    cff = (ROOT / 'CITATION.cff').read_text(encoding='utf-8')
    assert f'\nversion: {said["version"]}\n' in cff
    codemeta = json.loads((ROOT / 'codemeta.json').read_text(encoding='utf-8'))
    assert codemeta['version'] == said['version']
    needed = [re.split('[><=]', each)[0] for each in said['dependencies']]
    assert sorted(codemeta['softwareRequirements']) == sorted(needed)
    zenodo = json.loads((ROOT / '.zenodo.json').read_text(encoding='utf-8'))
    assert zenodo['license'] == said['license']
    assert zenodo['description'] == codemeta['description']


def test_workflows_try_what_is_promised() -> None:
    """Each Python of the classifiers, on three systems, and the lowest versions."""
    text = (ROOT / '.github' / 'workflows' / 'tests.yml').read_text(encoding='utf-8')
    promised = re.findall(r'Python :: (3\.\d+)', str(project()['classifiers']))
    pythons = ', '.join(f"'{each}'" for each in promised)
    assert f'python: [{pythons}]' in text
    assert 'os: [ubuntu-latest, macos-latest, windows-latest]' in text
    lowest = (ROOT / '.ci' / 'lowest').read_text(encoding='utf-8')
    assert "--resolution lowest-direct '.[test]'" in lowest


def test_environments_of_their_own_are_tried_elsewhere_too() -> None:
    """Whatever has a script in ``.ci`` has a job, but for the one that is most."""
    text = (ROOT / '.github' / 'workflows' / 'tests.yml').read_text(encoding='utf-8')
    scripts = {path.name for path in (ROOT / '.ci').iterdir()} - {'run'}
    assert scripts == set(re.findall(r'- run: \.ci/(\w+)', text))
