"""The built distributions install and work without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

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


def test_wheel_carries_every_shipped_file(wheel: Path) -> None:
    """Weights, cards, demo and configurations of the tree are in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = ['astrosieve/py.typed']
    for root, package in (
        ('src', 'astrosieve/weights'),
        ('src', 'astrosieve/data'),
        ('training', 'astrosieve_training/cameras'),
        ('training', 'astrosieve_training/configs/source'),
        ('training', 'astrosieve_training/configs/source/labelling'),
        ('training', 'astrosieve_training/source/label'),
    ):
        files = [p.name for p in (ROOT / root / package).iterdir() if p.is_file()]
        assert len(files) > 1
        wanted += [f'{package}/{name}' for name in files]
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
