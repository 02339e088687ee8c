"""Folders of runs: what they hold, and that work goes on where it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from astrosieve.commands.runs.folder import Run, Subject, read_log
from astrosieve.commands.runs.summary import write_summary
from astrosieve.commands.work import Task
from astrosieve.exceptions import OutputError

pytest.importorskip('pyarrow')
Start = Callable[..., Result]


@pytest.fixture
def run(run: Start) -> Start:
    """Make files of these names, and run the command on them into ``night``."""
    return lambda names, *options: run(names, '--run', 'night', *options)


def log(event: str) -> list[dict[str, Any]]:
    """Return what is logged of one kind."""
    return [dict(each) for each in read_log(Path('night')) if each['event'] == event]


def rows() -> dict[str, list[Any]]:
    """Return the data set of all rows."""
    from pyarrow import dataset

    parts = dataset.dataset('night/rows', format='parquet', partitioning='hive')
    content: dict[str, list[Any]] = parts.to_table().to_pydict()
    return content


@pytest.mark.parametrize('jobs', ['1', '2'])
def test_what_a_run_holds(run: Start, jobs: str) -> None:
    """A table and a part of the data set per input, a log, a page; failures first."""
    result = run(['a.fits', 'bad-1.fits', 'warn-1.fits'], '--jobs', jobs)
    assert result.exit_code == 1, result.stderr
    assert Path('night/tables/a_copy.txt').read_text() == 'of a.fits'
    found = rows()
    here = Path.cwd()
    assert found['file'] == [f'{here}/{n}.fits' for n in ('a', 'a', 'warn-1', 'warn-1')]
    assert found['image'] == ['a', 'a', 'warn-1', 'warn-1']
    assert found['id'] == [1, 2, 1, 2]
    assert all(value != value for value in found['sky_centroid_ra'])
    (begin,) = log('begin')
    assert (begin['inputs'], begin['left']) == (3, 3)
    (failed,) = log('failed')
    assert (failed['input'], failed['error']) == (f'{here}/bad-1.fits', 'damaged')
    assert [each['warnings'] for each in log('done')] == [[], ['all files are small']]
    assert log('done')[0]['seconds'] >= 0
    page = Path('night/summary.html').read_text()
    data = json.loads(page.split('id="data">')[1].split('</script>')[0])
    assert data['failures'] == [[f'{here}/bad-1.fits', 'damaged']]
    assert data['classes'] == [['apple', 2], ['pear', 2]]
    assert data['doubts'][0]['said'] == 'pear 0.60'
    assert 'http' not in page.split('</head>')[0].split('Content-Security')[1]


def test_it_goes_on(run: Start) -> None:
    """What is done is not done again; what failed, or is not whole, is."""
    run(['a.fits', 'b.fits', 'bad-1.fits'])
    before = Path('night/tables/a_copy.txt').stat().st_mtime_ns
    Path('night/rows/image=b/rows.parquet').write_bytes(b'PAR1')
    result = run(['a.fits', 'b.fits', 'bad-1.fits', 'c.fits'])
    answers = [line for line in result.stdout.splitlines() if 'library' not in line]
    assert answers == ['b.fits: of b.fits', 'c.fits: of c.fits']
    assert '1 of 4 images are done' in result.stderr
    assert Path('night/tables/a_copy.txt').stat().st_mtime_ns == before
    assert sorted(rows()['image']) == ['a', 'a', 'b', 'b', 'c', 'c']


def test_another_run_is_refused(run: Start) -> None:
    """All of a run is done in the same way; its files lie in its folder."""
    run(['a.fits'])
    for words, reason in (
        (('-o', '/tmp/x'), 'name a folder within that of the run'),
        (('-o', 'other'), 'holds a run of another options'),
    ):
        result = run(['a.fits'], *words)
        assert result.exit_code != 0
        assert reason in result.stderr
    Path('night/run.json').write_text('{}')
    assert 'no run can be read from it' in run(['a.fits']).stderr


def test_a_second_one_is_told(run: Start) -> None:
    """Two processes do not write to one run."""
    first = Run(Path('night'), Subject('pieces', {}))
    assert 'another process is at work on this run' in run(['a.fits']).stderr
    first.close()
    assert run(['a.fits']).exit_code == 0


def test_names_are_distinct(tmp_path: Path) -> None:
    """A run keeps each input by its name, and refuses two of one."""
    started = Run(tmp_path / 'night', Subject('pieces', {}))
    tasks = [Task(n, Path(name) / 'a.fits', None) for n, name in enumerate('xy')]
    with pytest.raises(OutputError, match='several images are called a'):
        started.left(tasks)
    started.close()


def test_a_line_that_is_cut(run: Start) -> None:
    """The end of a log that is not whole is neither read nor continued."""
    run(['a.fits'])
    with Path('night/log.jsonl').open('a') as file:
        file.write('{"event": "done", "input": "/b')
    Path('night/tables/.half-b_copy.txt').touch()
    assert len(log('done')) == 1
    assert run(['a.fits', 'b.fits']).exit_code == 0
    assert len(log('done')) == 2
    assert not list(Path('night/tables').glob('.*'))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_resumed(pieces: Path, number: int) -> None:
    """After Ctrl-C or kill -9 each image is in the result once, and whole."""
    names = ['a.fits', 'b.fits', 'write-1.fits', 'c.fits']
    for name in names:
        Path(name).write_text(f'of {name}')
    words = [sys.executable, str(pieces), *names, '--run', 'night', '--jobs', '2']
    with subprocess.Popen(words, start_new_session=True) as process:
        end = time.monotonic() + 60
        while not (Path('write-1.begun').exists() and len(log('done')) == 3):
            assert time.monotonic() < end
            time.sleep(0.05)
        os.killpg(process.pid, number)
        assert process.wait(30) != 0
    assert not Path('night/tables/write-1_copy.txt').exists()
    Path('write-1.fits').rename('later.fits')  # it is as quick as the others
    names[2] = 'later.fits'
    subprocess.run([*words[:2], *names, *words[6:]], check=True, timeout=60)
    assert sorted(rows()['image'])[::2] == ['a', 'b', 'c', 'later']
    assert [each['inputs'] for each in log('begin')] == [4, 4]
    assert len({each['input'] for each in log('done')}) == len(log('done')) == 4


def test_the_clock_may_be_set_back(run: Start) -> None:
    """The order in the log counts, no time."""
    run(['a.fits'])
    text = Path('night/log.jsonl').read_text()
    Path('night/log.jsonl').write_text(text.replace('"time": "2', '"time": "9'))
    run(['a.fits', 'b.fits'])
    assert len(log('done')) == 2


def test_headers_cannot_harm_the_page(tmp_path: Path) -> None:
    """What files are called and say is text on the page."""
    subject = Subject('pieces', {}, model='</script><b>')
    started = Run(tmp_path / 'night', subject)
    started.close()
    page = write_summary(tmp_path / 'night').read_text()
    assert '</script><b>' not in page
