"""The watch: each new blob once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

from astrosieve.blob import watch as watch_module
from astrosieve.blob.command import blobs
from astrosieve.blob.log import Log
from astrosieve.blob.watch import Watch
from astrosieve.commands import folders
from astrosieve.exceptions import AstrosieveWarning, OutputError
from astrosieve.models.registry import Model

Run = Callable[..., Result]
NEW = [(120.0, 805.0), (300.0, 640.0), (702.0, 251.0)]
PROGRAM = """
import numpy as np
from astrosieve.blob import watch
from astrosieve.blob.command import blobs
watch.saliency = lambda *args, **options: np.eye(64, dtype=np.float32)
blobs()
"""  # without the seconds that a map of saliency needs


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Folder that is watched, empty."""
    folder = tmp_path / 'night'
    folder.mkdir()
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without waiting, and without the seconds that a map of saliency needs."""
    monkeypatch.setattr(folders, '_SETTLED', 0.01)
    fall = np.eye(64, dtype=np.float32)
    monkeypatch.setattr(watch_module, 'saliency', lambda *args, **options: fall)


@pytest.fixture
def run(
    quick: None, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Look at folder night once, as cron does."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        words = ['night', '--since', '2014-12-20', '--model', model.path, *arguments]
        return CliRunner().invoke(blobs, list(map(str, words)))

    return call


@pytest.fixture
def watch(quick: None, model: Model, tmp_path: Path, night: Path) -> Iterator[Watch]:
    """A watch of the folder whose reports and troubles are kept."""
    output = tmp_path / 'out'
    output.mkdir()
    told: list[Any] = []
    with Log(output) as log:
        yield Watch(
            night,
            output,
            log,
            report=told.append,
            trouble=lambda path, text: told.append((path.name, text)),
            model=model,
            since=57011.0,
        )


def told(watch: Watch) -> list[Any]:
    """Return what a watch has said."""
    return watch.report.__self__  # type: ignore[attr-defined, no-any-return]


def scan(watch: Watch) -> int:
    """Let a watch look twice, so that files are at rest."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        watch.scan()
        return watch.scan()


def copy(sequence: Path, night: Path, *numbers: int) -> None:
    for number in numbers:
        shutil.copy(sequence / f'i{number}_flt.fits', night)


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def places(found: list[dict[str, Any]]) -> np.ndarray:
    return np.array(sorted((each['x'], each['y']) for each in found))


def test_from_cron(run: Run, night: Path, sequence: Path) -> None:
    """Each run looks at what is new since the last; each new blob is reported once."""
    copy(sequence, night, *range(7))
    first = run('--json')
    assert first.exit_code == 0, first.output
    found = events(first.stdout)
    assert np.abs(places(found) - NEW[1:]).max() < 3
    assert {each['file'] for each in found} == {'i6_flt.fits'}
    assert all(
        {'id', 'depth', 'radius', 'p_blob', 'subframe', 'mjd'} <= {*each}
        for each in found
    )
    assert run('--json').stdout == ''
    copy(sequence, night, 7)
    second = events(run('--json').stdout)
    assert np.abs(places(second) - NEW[:1]).max() < 3
    assert [each['id'] for each in second] == [3]
    with closing(sqlite3.connect('night_blobs/blobs.sqlite')) as connection:
        query = 'SELECT id, new, saliency IS NOT NULL, reported IS NOT NULL FROM blob'
        rows = connection.execute(query).fetchall()
        assert sorted(rows) == [
            (1, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 0), (2, 1, 1, 1), (3, 1, 1, 1)
        ]  # fmt: skip
        subframes = connection.execute('SELECT count(*) FROM subframe').fetchone()
    assert subframes[0] % 16 == 0
    (page,) = Path('night_blobs').glob('*.html')
    text = page.read_text()
    assert '3 new blobs' in text
    assert text.count('alt="saliency"') == 3
    assert 'http' not in text


def test_plain_words(run: Run, night: Path, sequence: Path) -> None:
    """Without --json a line for people."""
    copy(sequence, night, *range(7))
    result = run()
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith('new blob ') and ' depth ' in line for line in lines)
    assert 'i6_flt.fits: has 6 references of the 30 asked for' in result.stderr


def test_too_few_before(watch: Watch, night: Path, sequence: Path) -> None:
    """An image with less than three before it is kept as a reference, and said so."""
    copy(sequence, night, 4, 5, 6)
    watch.scan()
    with pytest.warns(AstrosieveWarning, match='i6_flt.fits: 2 images before it are'):
        watch.scan()
    assert told(watch) == []
    assert watch.log.records[-1]['status'] == 'reference'


def test_references_and_known(run: Run, night: Path, sequence: Path) -> None:
    """Images of another folder are references; known blobs are not new."""
    copy(sequence, night, 6)
    Table({'x': [300.0], 'y': [640.0]}).write('known.csv')
    result = run('--json', '--known', 'known.csv', '--reference', sequence)
    assert result.exit_code == 0, result.output
    (event,) = events(result.stdout)
    assert abs(event['x'] - 702) < 3


def test_a_command_is_told(run: Run, night: Path, sequence: Path) -> None:
    """It gets each blob as JSON, once; where it fails, that is a line and no more."""
    copy(sequence, night, *range(7))
    code = "import sys; open('told', 'a').write(sys.stdin.read() + '\\n'); sys.exit(3)"
    result = run('--json', '--notify', f'{sys.executable} -c "{code}"')
    assert result.exit_code == 0, result.output
    assert events(Path('told').read_text()) == events(result.stdout)
    assert result.stderr.count('is reported, but') == 2
    assert 'ended with 3' in result.stderr
    run('--notify', f'{sys.executable} -c "{code}"')
    assert len(events(Path('told').read_text())) == 2
    copy(sequence, night, 7)
    gone = run('--notify', 'no-such-command')
    assert gone.exit_code == 0
    assert 'no-such-command could not be run' in gone.stderr


def test_two_that_overlap_are_two(watch: Watch) -> None:
    """Two blobs of one image are both new; of the next image both are known."""
    columns = {name: [6.0, 6.0] for name in watch_module._NUMBERS}
    columns |= {'x': [100.0, 104.5], 'y': [50.0, 50.0], 'subframe': [0, 0]}
    difference = SimpleNamespace(data=np.zeros((64, 64)))
    found = SimpleNamespace(blobs=Table(columns), difference=difference)
    first = watch._matched(found)
    assert [(each['id'], each['new']) for each in first] == [(1, True), (2, True)]
    watch.log.append({'kind': 'image', 'file': 'a', 'blobs': first})
    again = watch._matched(found)
    assert [(each['id'], each['new']) for each in again] == [(1, False), (2, False)]


def test_the_same_file_twice(watch: Watch, night: Path, sequence: Path) -> None:
    """A copy by another name, and a file written anew, are no new images."""
    copy(sequence, night, *range(7))
    scan(watch)
    shutil.copy(sequence / 'i6_flt.fits', night / 'again_flt.fits')
    copy(sequence, night, 6)
    os.utime(night / 'i6_flt.fits', (1, 1))
    assert scan(watch) == 0
    assert len(told(watch)) == 2
    kinds = [each['kind'] for each in watch.log.records]
    assert kinds.count('image') == 7
    assert kinds.count('copy') == 2


def test_a_file_that_is_still_written(
    watch: Watch, night: Path, sequence: Path
) -> None:
    """It is left alone until it rests, has a second try, and then is complained of."""
    copy(sequence, night, *range(6))
    scan(watch)
    content = (sequence / 'i6_flt.fits').read_bytes()
    path = night / 'i6_flt.fits'
    for n in range(1, 4):
        path.write_bytes(content[: n * 500_000])
        assert scan(watch) == 1  # it rests, and is torn: no word yet
        assert told(watch) == []
    watch.scan()
    watch.scan()
    ((name, text),) = told(watch)
    assert name == 'i6_flt.fits'
    assert 'truncated' in text
    path.write_bytes(content)
    assert scan(watch) == 0
    assert len(told(watch)) == 3


def test_the_clock_goes_back(
    watch: Watch, night: Path, sequence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the future and a log of the past: all is found, once."""
    copy(sequence, night, *range(7))
    os.utime(night / 'i6_flt.fits', (4e9, 4e9))
    scan(watch)
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now - 1e6)
    copy(sequence, night, 7)
    scan(watch)
    assert len(told(watch)) == 3
    logged = [each['logged'] for each in watch.log.records]
    assert logged == sorted(logged)
    assert len(list(watch.output.glob('*.html'))) == 1


def test_an_image_that_comes_late(watch: Watch, night: Path, sequence: Path) -> None:
    """An earlier image is compared with those before it, its blobs are known by now."""
    copy(sequence, night, *range(6), 7)
    scan(watch)
    assert len(told(watch)) == 3
    copy(sequence, night, 6)
    scan(watch)
    assert len(told(watch)) == 3
    assert watch.log.records[-1]['file'] == 'i6_flt.fits'
    assert len(watch.log.records[-1]['blobs']) == 2


def test_a_lost_log(watch: Watch, night: Path, sequence: Path) -> None:
    """The database is damaged while the watch is away: nothing is reported again."""
    copy(sequence, night, *range(7))
    scan(watch)
    watch.log.close()
    watch.log.database.write_bytes(b'rubbish' * 1000)
    with pytest.warns(AstrosieveWarning, match='is damaged'):
        watch.log = Log(watch.output)
    copy(sequence, night, 7)
    scan(watch)
    assert [each['id'] for each in told(watch)] == [1, 2, 3]
    with closing(sqlite3.connect(watch.log.database)) as connection:
        assert connection.execute('SELECT count(*) FROM image').fetchone() == (8,)


def test_a_full_disk(
    watch: Watch, night: Path, sequence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be logged is looked at again; what was said is not said again."""
    copy(sequence, night, *range(7))
    append = watch.log.append

    def full(record: dict[str, Any]) -> dict[str, Any]:
        if record['kind'] == failing[-1]:
            msg = 'blobs.jsonl: cannot be written (No space left on device)'
            raise OutputError(msg)
        return append(record)

    monkeypatch.setattr(watch.log, 'append', full)
    failing = ['image']
    assert scan(watch) == watch.scan() == 7
    failing.append('reported')
    assert scan(watch) == watch.scan() == 1
    troubles = [each for each in told(watch) if isinstance(each, tuple)]
    assert len(troubles) == 8  # each once
    failing.append('')
    assert scan(watch) == 0
    found = [each for each in told(watch) if isinstance(each, dict)]
    assert [each['id'] for each in found] == [1, 2]
    assert [r['id'] for r in watch.log.records if r['kind'] == 'reported'] == [1, 2]
    assert len(told(watch)) == 10


def test_a_folder_that_goes_away(watch: Watch, night: Path) -> None:
    """It is said once, and looked for again."""
    night.rmdir()
    assert watch.scan() == watch.scan() == 1
    assert len(told(watch)) == 1
    night.mkdir()
    assert watch.scan() == 0


class Process:
    """The command in a process of its own, watching folder night."""

    def __init__(self, model: Model, night: Path) -> None:
        self.journal = night.parent / 'out' / 'blobs.jsonl'
        self.process = subprocess.Popen(
            [
                sys.executable, '-c', PROGRAM, '--watch', str(night), '-o', 'out',
                '--json', '--every', '0.3', '--since', '57011', '--model',
                str(model.path),
            ],
            cwd=night.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for(self, n: int, kind: str = 'reported') -> None:
        """Wait until the journal has so many records of a kind."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            there = self.journal.exists()
            if there and self.journal.read_text().count(f'"{kind}"') >= n:
                return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        raise AssertionError(self.end(signal.SIGKILL))

    def end(self, number: int) -> tuple[str, str, int]:
        """End it by a signal; return stdout, stderr and exit code."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=300)
        return out, err, self.process.returncode


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(model: Model, night: Path, sequence: Path, number: int) -> None:
    """It ends at once, with a word and exit code 0; a second one is told meanwhile."""
    copy(sequence, night, *range(7))
    first = Process(model, night)
    first.wait_for(2)
    second = Process(model, night)
    _, err = second.process.communicate(timeout=300)
    assert second.process.returncode == 1
    assert 'another watch keeps the log' in err
    out, err, code = first.end(number)
    assert code == 0
    assert 'ended; 2 new blobs were reported' in err
    assert len(events(out)) == 2


@pytest.mark.parametrize('when', ['image', 'reported'])
def test_it_is_killed(model: Model, night: Path, sequence: Path, when: str) -> None:
    """Killed in the middle and started again it loses nothing, and repeats nothing."""
    copy(sequence, night, *range(8))
    first = Process(model, night)
    first.wait_for(7 if when == 'image' else 1, when)
    said = first.end(signal.SIGKILL)[0]
    second = Process(model, night)
    second.wait_for(3)
    said += second.end(signal.SIGTERM)[0]
    found = events(said)
    assert sorted(each['id'] for each in found) == [1, 2, 3]
    assert np.abs(places(found) - NEW).max() < 3
    records = events((night.parent / 'out' / 'blobs.jsonl').read_text())
    files = [each['file'] for each in records if each['kind'] == 'image']
    assert sorted(files) == [f'i{number}_flt.fits' for number in range(8)]


def test_images_that_cannot_be_read(run: Run, night: Path, sequence: Path) -> None:
    """Once: each is named, exit code 1, and the others are done."""
    copy(sequence, night, *range(7))
    (night / 'torn.fits').write_bytes(b'SIMPLE')
    fits.PrimaryHDU(np.ones((4, 4))).writeto(night / 'tiny.fits')
    (night / 'notes.txt').write_text('no image')
    result = run('--json')
    assert result.exit_code == 1
    assert len(events(result.stdout)) == 2
    assert 'torn.fits' in result.stderr
    assert 'tiny.fits: has 4x4 pixels' in result.stderr
    assert '2 images could not be looked at' in result.stderr
