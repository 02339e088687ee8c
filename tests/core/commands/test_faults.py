"""What goes wrong with disks and models, for real."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from astrosieve.commands.engines import Workers
from astrosieve.commands.work import Job, Task
from astrosieve.exceptions import ModelIntegrityError
from astrosieve.models.registry import load_model
from astrosieve.source.command import _Asked
from astrosieve.source.exposures import ClassifyOptions

FULL = """
mount -t tmpfs -o size=1m none disk
"$@" --run disk/night 2> first
echo $? > first_code
rm large-1.fits
"$@" --run disk/night 2> second
echo $? > second_code
cp -r disk/night kept
"""
READ_ONLY = """
mount -t tmpfs -o ro none disk
"$@" --run disk/night 2> first
echo $? > first_code
"$@" -o disk 2> second
echo $? > second_code
"""


def _with_disk(script: str, *words: str) -> list[tuple[int, str]]:
    """Run a script that may mount a file system on ``disk``."""
    Path('disk').mkdir()
    alone = ['unshare', '--user', '--map-root-user', '--mount']
    shell = ['sh', '-c', script, 'sh', sys.executable, *words]
    subprocess.run([*alone, *shell], check=True, timeout=200)
    return [
        (int(Path(f'{name}_code').read_text()), Path(name).read_text())
        for name in ('first', 'second')
    ]


@pytest.mark.slow
def test_a_full_disk(pieces: Path) -> None:
    """It is said; when there is room again, the run goes on, and all is whole."""
    pytest.importorskip('pyarrow')
    for name in ('a', 'large-1', 'b'):
        Path(f'{name}.fits').write_text(f'text of {name}')
    words = ('a.fits', 'large-1.fits', 'b.fits', '--jobs', '2')
    (first, said), (second, again) = _with_disk(FULL, str(pieces), *words)
    assert first == 1
    assert 'No space left on device' in said
    assert second == 1  # the large one is missing by now
    assert 'No space left' not in again
    tables = {path.name: path.read_text() for path in Path('kept/tables').iterdir()}
    assert tables == {'a_copy.txt': 'text of a', 'b_copy.txt': 'text of b'}


@pytest.mark.slow
def test_a_disk_that_cannot_be_written(pieces: Path) -> None:
    """One line says so, for a run and for files."""
    pytest.importorskip('pyarrow')
    Path('a.fits').write_text('four')
    results = _with_disk(READ_ONLY, str(pieces), 'a.fits')
    for code, said in results:
        assert code == 1
        assert 'Traceback' not in said
    assert 'cannot be written: Read-only file system' in results[0][1]
    assert 'cannot be written' in results[1][1]


def test_weights_are_damaged_meanwhile(
    flc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """Each worker looks at the hash of what it opens, and says what is wrong."""
    for path in (tiny_model, tiny_model.with_suffix('.json')):
        shutil.copy(path, tmp_path)
    model = load_model(tmp_path / tiny_model.name)
    asked = _Asked(ClassifyOptions(model=model, finder='peaks', unit='electron'))
    model.path.write_bytes(model.path.read_bytes()[:-1] + b'!')
    plan = {'-o': tmp_path / 'out.ecsv', '--plot': None, '--regions': None}
    (done,) = Workers(Job(asked.classify), 1).run([Task(0, flc, plan)])
    assert isinstance(done.error, ModelIntegrityError)
    assert 'is damaged or not the registered file' in str(done.error)
    assert not (tmp_path / 'out.ecsv').exists()


def test_models_travel(tiny_weights: Path, tmp_path: Path) -> None:
    """A shipped model is found where it lies on the other machine."""
    model = pickle.dumps(load_model('source'))
    moved = model.replace(os.fsencode(tiny_weights), b'x' * len(str(tiny_weights)))
    assert pickle.loads(moved)._session._read()
