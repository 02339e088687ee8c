"""The stream: each candidate is scored once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from astrosieve.cli import main
from astrosieve.commands import folders
from astrosieve.commands.folders import InUseError
from astrosieve.exceptions import OutputError
from astrosieve.models.registry import Model
from astrosieve.transient.score import Scorer
from astrosieve.transient.store import Store, read_scores
from astrosieve.transient.stream import FolderStream, Sink

Draw = Callable[..., np.ndarray]


class Night:
    """A folder in which packets arrive, and what is said of them."""

    def __init__(self, folder: Path, model: Model, packets: Any, draw: Draw) -> None:
        self.folder = folder / 'night'
        self.output = folder / 'scores'
        for each in (self.folder, self.output):
            each.mkdir()
        self.model = model
        self.packets = packets
        self.planes = {'r': draw('r')[0], 'b': draw('b')[0]}
        self.said: list[dict[str, Any]] = []
        self.troubles: list[tuple[str, str]] = []
        self.store: Store | None = None

    def packet(self, *numbers: int) -> bytes:
        """Return packets of these numbers, of which even ones are real."""
        return self.packets.ztf(
            *(
                self.packets.ztf_record(self.planes['rb'[n % 2]], n, object=f'o{n % 3}')
                for n in numbers
            )
        )

    def arrive(self, *numbers: int) -> None:
        """Let a file of packets arrive."""
        (self.folder / f'{numbers[0]}.avro').write_bytes(self.packet(*numbers))

    def start(self, **options: Any) -> FolderStream:
        """Return a stream that begins, or begins again."""
        if self.store is not None:
            self.store.__exit__()
        self.store = Store(self.output)
        sink = Sink(self.store, Scorer(self.model), self.said.append, **options)
        return FolderStream(
            self.folder,
            sink,
            lambda path, text: self.troubles.append((path.name, text)),
        )

    def ids(self) -> list[int]:
        """Return the numbers of what was said."""
        return [int(each['id']) - 2 * 10**18 for each in self.said]


@pytest.fixture
def night(
    tmp_path: Path,
    model: Model,
    packets: Any,
    stamps_of: Draw,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Night]:
    """A night without a file."""
    monkeypatch.setattr(folders, '_SETTLED', 0.01)
    made = Night(tmp_path, model, packets, stamps_of)
    yield made
    if made.store is not None:
        made.store.__exit__()


def scan(stream: FolderStream) -> int:
    """Look twice, so that what does not change is at rest."""
    stream.scan()
    return stream.scan()


def test_each_candidate_once(night: Night) -> None:
    """Also after a restart, in another file, or twice in one."""
    stream = night.start()
    night.arrive(0)
    night.arrive(1, 2, 1)
    assert scan(stream) == 0
    assert night.ids() == [0, 1, 2]
    assert [each['class_name'] for each in night.said] == ['real', 'noise', 'real']
    assert night.said[1]['file'] == '1.avro'
    assert sum(night.said[0]['p'].values()) == pytest.approx(1, abs=1e-5)
    scan(stream)
    night.arrive(3, 0)
    scan(stream)
    assert night.ids() == [0, 1, 2, 3]
    stream = night.start()
    night.arrive(4)
    scan(stream)
    assert night.ids() == [0, 1, 2, 3, 4]
    table = read_scores(night.output)
    assert len(table) == 5
    assert list(table['object']) == ['o0', 'o1', 'o2', 'o0', 'o1']
    assert list(table['class_name'] == 'real') == [True, False] * 2 + [True]


def test_half_written_files_wait(night: Night) -> None:
    """Until they rest; one that stays torn is said, and scored when it is whole."""
    stream = night.start()
    content = night.packet(0, 1, 2)
    path = night.folder / 'n.avro'
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        stream.scan()
    assert night.said == night.troubles == []
    assert stream.scan() == 1  # at rest, and torn: no word yet
    assert night.troubles == []
    stream.scan()
    ((name, text),) = night.troubles
    assert name == 'n.avro'
    assert 'not a readable packet' in text or 'not whole' in text
    stream.scan()
    assert len(night.troubles) == 1
    path.write_bytes(content)
    assert scan(stream) == 0
    table = read_scores(night.output)
    assert len(table) == 3
    assert {*table['reason']} == {''}


def test_bad_packets_do_not_end_it(night: Night, stamps_of: Draw) -> None:
    """Empty files, corrupt gzip, no cutouts, unknown schemas, other files."""
    stream = night.start()
    record = night.packets.ztf_record(night.planes['r'], 7)
    record['cutoutDifference']['stampData'] = b'\x1f\x8b' + b'rubbish' * 9
    none = night.packets.ztf_record(night.planes['r'], 8)
    none |= dict.fromkeys(('cutoutScience', 'cutoutTemplate', 'cutoutDifference'))
    (night.folder / 'bad.avro').write_bytes(night.packets.ztf(record, none))
    (night.folder / 'empty.avro').touch()
    (night.folder / 'wire.avro').write_bytes(b'\0\0\0\0\x01rubbish')
    (night.folder / 'notes.txt').write_text('not looked at')
    np.save(night.folder / 'x.npy', stamps_of('r'))
    night.arrive(9)
    scan(stream)
    stream.scan()
    reasons = {each['id']: each['reason'] for each in night.said}
    assert set(reasons) == {
        *('2000000000000000007', '2000000000000000008', '2000000000000000009'),
        *('empty', 'wire', 'x'),
    }
    assert reasons['2000000000000000009'] == reasons['x'] == ''
    assert 'cutoutDifference' in reasons['2000000000000000007']
    assert 'no cutouts' in reasons['2000000000000000008']
    assert 'the file is empty' in reasons['empty']
    assert 'unknown schema' in reasons['wire']
    assert {name for name, _ in night.troubles} == {'empty.avro', 'wire.avro'}
    night.said.clear()
    stream = night.start()
    scan(stream)
    assert night.said == []


def test_what_was_kept_is_said(night: Night) -> None:
    """Where the process ended between the two, the next one says it."""
    stream = night.start()
    night.arrive(0, 1)

    def ends(event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    stream.sink.report = ends
    stream.scan()
    with pytest.raises(KeyboardInterrupt):
        stream.scan()
    stream = night.start()
    scan(stream)
    assert night.ids() == [0, 1]


def test_objects(night: Night) -> None:
    """What all stamps of an object say, those of earlier files too."""
    stream = night.start(by_object=True)
    night.arrive(0)
    scan(stream)
    night.arrive(6)
    scan(stream)
    first, second = night.said
    assert first['object_p_real'] == pytest.approx(first['p_real'], rel=1e-3)
    assert (first['object_n'], second['object_n']) == (1, 2)
    assert second['object_class_name'] == 'real'


def test_a_full_disk(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, and nothing is left out when there is room again."""
    stream = night.start()
    night.arrive(0)
    add = stream.sink.store.add

    def full(*args: Any) -> None:
        msg = 'transients.sqlite: cannot be written (disk is full)'
        raise OutputError(msg)

    monkeypatch.setattr(stream.sink.store, 'add', full)
    assert scan(stream) == stream.scan() == 1
    assert len(night.troubles) == 1
    monkeypatch.setattr(stream.sink.store, 'add', add)
    assert stream.scan() == 0
    assert night.ids() == [0]


def test_a_folder_that_goes_away(night: Night) -> None:
    """It is said once, and looked for again."""
    stream = night.start()
    night.folder.rmdir()
    assert scan(stream) == 1
    ((_, text),) = night.troubles
    assert 'cannot be read (No such file' in text
    night.folder.mkdir()
    night.arrive(0)
    assert scan(stream) == 0
    assert night.ids() == [0]


def test_whoever_reads_has_enough(night: Night) -> None:
    """A closed pipe is no trouble of the folder: it ends the stream."""
    stream = night.start()
    night.arrive(0)

    def closed(event: dict[str, Any]) -> None:
        raise BrokenPipeError

    stream.sink.report = closed
    stream.scan()
    with pytest.raises(BrokenPipeError):
        stream.scan()


def test_one_stream_writes(night: Night) -> None:
    """A second one is refused; a damaged database too, with the cure."""
    night.start()
    with pytest.raises(InUseError, match='another stream writes'):
        Store(night.output)
    assert night.store is not None
    night.store.__exit__()
    night.store = None
    (night.output / 'transients.sqlite').write_bytes(b'rubbish' * 1000)
    with pytest.raises(OutputError, match=r'is damaged .* move it away'):
        Store(night.output)
    with pytest.raises(OutputError, match='no scores of a stream'):
        read_scores(night.output / 'none.sqlite')


def test_the_command_once(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron does: what is there is scored, lines are text or JSON."""
    monkeypatch.chdir(night.folder.parent)
    night.arrive(0, 1)
    words = ['transients', '--stream', 'night', '--once']
    words += ['--model', str(night.model.path)]
    result = CliRunner().invoke(main, [*words, '--by-object'])
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith('2000000000000000000 of o0: real, p_real = 1.000, of 1 st')
    assert 'noise, p_real = 0.000' in second
    night.arrive(2, 3)
    (night.folder / 'torn.avro').write_bytes(night.packet(4)[:500])
    result = CliRunner().invoke(main, [*words, '--json', '--keep', 'real'])
    assert result.exit_code == 1
    (event,) = map(json.loads, result.stdout.splitlines())
    assert event['id'] == '2000000000000000002'
    assert 'torn.avro' in result.stderr
    assert len(read_scores('night_transients')) == 5


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['x.npz', '--stream', '.'], '--stream goes without files'),
        (['--stream', '.', '--kafka', 'h:1', '--topic', 't'], 'without another stream'),
        (['--kafka', 'h:1'], '--kafka and --topic go together'),
        (['--stream', 'none'], 'does not exist'),
    ],
)
def test_usage(words: list[str], message: str) -> None:
    """What does not go together is refused."""
    result = CliRunner().invoke(main, ['transients', *words])
    assert result.exit_code == 2
    assert message in ' '.join(result.output.replace('│', ' ').split())


def test_the_command_follows_until_it_is_ended(night: Night) -> None:
    """Killed in the middle, it goes on where it was; SIGTERM ends it in peace."""
    command = [
        *(sys.executable, '-c', 'from astrosieve.cli import main; main()'),
        *('transients', '--stream', night.folder, '-o', night.output, '--every', '0.2'),
        *('--json', '--model', night.model.path),
    ]
    said: list[str] = []
    for number, ending in enumerate((signal.SIGKILL, signal.SIGTERM)):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for part in range(2):
            night.arrive(number * 20 + part * 10, number * 20 + part * 10 + 1)
            said += [process.stdout.readline() for _ in range(2)]
        time.sleep(0.1)
        os.kill(process.pid, ending)
        rest, errors = process.communicate(timeout=30)
        said += rest.splitlines()
        if ending == signal.SIGTERM:
            assert 'ended; 4 candidates were scored' in errors
            assert process.returncode == 0
    ids = [int(json.loads(each)['id']) - 2 * 10**18 for each in said]
    assert sorted({*ids}) == [0, 1, 10, 11, 20, 21, 30, 31]
    with sqlite3.connect(night.output / 'transients.sqlite') as database:
        (n,) = database.execute('SELECT count(*) FROM score').fetchone()
    database.close()
    assert n == 8
