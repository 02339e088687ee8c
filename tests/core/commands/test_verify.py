"""Images of a run, done again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from astrosieve.commands.runs.verify import verify

pytest.importorskip('pyarrow')


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a run of two exposures, classified by two workers."""
    monkeypatch.chdir(tmp_path)
    with resources.as_file(resources.files('astrosieve.data')) as folder:
        for name in ('a', 'b'):
            shutil.copy(folder / 'demo_flc.fits.gz', f'{name}_flc.fits.gz')
    _classify('night', 'a_flc.fits.gz', 'b_flc.fits.gz', '--jobs', '2')
    return tmp_path / 'night'


def _astrosieve(*words: str, threads: int = 1) -> subprocess.CompletedProcess[str]:
    program = 'from astrosieve.cli import main; main()'
    return subprocess.run(
        [sys.executable, '-c', program, *words],
        env=os.environ | {'OMP_NUM_THREADS': str(threads)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def _classify(run: str, *words: str, threads: int = 1) -> None:
    options = ('--finder', 'peaks', '--run', run, '-q')
    done = _astrosieve('classify', *words, *options, threads=threads)
    assert done.returncode == 0, done.stderr


def test_the_same_bytes(night: Path) -> None:
    """On any number of threads and of workers; what differs is named."""
    for threads in (1, 4):
        run = f'with-{threads}'
        _classify(run, 'a_flc.fits.gz', threads=threads)
        for path in Path(run).rglob('*_sources.ecsv'):
            assert path.read_bytes() == (night / 'tables' / path.name).read_bytes()
        part = Path('rows/image=a_flc/rows.parquet')
        assert (run / part).read_bytes() == (night / part).read_bytes()
    table = night / 'tables' / 'b_flc_sources.ecsv'
    table.write_text(table.read_text().replace(' star ', ' spike ', 1))
    result = _astrosieve('verify', 'night')
    assert result.returncode == 1
    assert 'a_flc.fits.gz: the same' in result.stdout
    assert 'b_flc.fits.gz: tables/b_flc_sources.ecsv differs' in result.stdout
    assert '1 of 2 images differ' in result.stderr


def test_no_run(tmp_path: Path) -> None:
    """A folder that holds none is said to."""
    result = CliRunner().invoke(verify, [str(tmp_path)])
    assert (result.exit_code, 'no run can be read' in result.stderr) == (1, True)
