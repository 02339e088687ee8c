"""The command: stamps in, a table of candidates or of objects out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result

from astrosieve.cli import main
from astrosieve.models.registry import Model

Run = Callable[..., Result]
Draw = Callable[..., np.ndarray]


@pytest.fixture
def run(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `astrosieve transients` with the model of means in an empty folder."""
    folder = tmp_path / 'work'
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: object) -> Result:
        words = ['transients', *map(str, arguments), '--model', str(model.path)]
        return CliRunner().invoke(main, words)

    return call


@pytest.fixture
def stamps(tmp_path: Path, stamps_of: Draw) -> Path:
    """An npz file of three real ones and two bogus, the fourth without pixels."""
    planes = stamps_of('rbrrb')
    planes[3] = np.nan
    path = tmp_path / 'night.npz'
    np.savez(path, stamps=np.moveaxis(planes, 1, 3), id=['a', 'b', 'c', 'd', 'e'])
    return path


def test_a_row_for_each_candidate(run: Run, stamps: Path) -> None:
    """In the order of the file, in a table beside where one works."""
    result = run(stamps)
    assert result.exit_code == 0, result.output
    assert result.output == 'night.npz: 5 candidates, 2 real, 1 unscored\n'
    table = Table.read('night_transients.ecsv')
    assert table.colnames[:3] == ['id', 'p_real', 'class_name']
    assert list(table['id']) == list('abcde')
    names = list(table['class_name'].filled(''))
    assert names == ['real', 'noise', 'real', '', 'noise']
    assert np.isnan(table['p_real'][3])
    assert table['reason'][3].startswith('blank')
    assert table.meta['model'] == 'means 1.0'
    again = run(stamps)
    assert again.exit_code != 0
    assert 'night_transients.ecsv' in again.output
    skipped = run(stamps, '--skip-existing')
    assert (skipped.exit_code, 'exists; skipped' in skipped.output) == (0, True)
    assert run(stamps, '--overwrite').exit_code == 0


def test_several_files_and_folders_make_one_table(
    run: Run, stamps: Path, stamps_of: Draw, tmp_path: Path
) -> None:
    """With a column that says the file; one that cannot be read keeps its row."""
    folder = tmp_path / 'more'
    folder.mkdir()
    np.save(folder / 'b.npy', stamps_of('r', n=31))
    (folder / 'c.npz').write_bytes(b'PK\x03\x04 damaged')
    (folder / 'd.avro').touch()
    result = run(stamps, folder, '-o', 'all.csv')
    assert result.exit_code == 1
    assert 'c.npz: not a readable npz' in result.output
    assert 'd.avro: the file is empty' in result.output
    table = Table.read('all.csv', format='csv')
    assert list(table['file'][5:]) == ['b.npy', 'c.npz', 'd.avro']
    assert list(table['id'][5:]) == ['b', 'c', 'd']
    assert list(table['class_name'].filled('')[5:]) == ['real', '', '']
    assert 'the file is empty' in table['reason'][7]


def test_json_and_standard_streams(run: Run, stamps: Path) -> None:
    """The summary as JSON; the table to standard output."""
    result = run(stamps, '--json')
    (said,) = json.loads(result.output)
    assert (said['candidates'], said['real'], said['unscored']) == (5, 2, 1)
    result = run(stamps, '-o', '-', '-q')
    assert result.exit_code == 0
    assert Table.read(result.output, format='ascii.ecsv')['id'][4] == 'e'


def test_keep_and_operating_point(run: Run, stamps: Path) -> None:
    """Rows of some classes; where real begins."""
    assert run(stamps, '--keep', 'real', '-o', 'r.ecsv').exit_code == 0
    assert list(Table.read('r.ecsv')['id']) == ['a', 'c']
    assert run(stamps, '--keep', 'unscored', '-o', 'u.ecsv').exit_code == 0
    assert list(Table.read('u.ecsv')['id']) == ['d']
    result = run(stamps, '--operating-point', 'pure', '-o', 'p.ecsv')
    assert result.exit_code == 0
    assert Table.read('p.ecsv').meta['threshold'] == pytest.approx(0.9999999)


def test_by_object(run: Run, stamps: Path, tmp_path: Path) -> None:
    """A row for each object; a table may say which stamps are its."""
    objects = tmp_path / 'o.csv'
    objects.write_text('candid,objectId\na,X\nc,X\nd,X\nb,Y\n')
    result = run(stamps, '--by-object', '--objects', objects)
    assert result.exit_code == 0, result.output
    table = Table.read('night_transients.ecsv')
    assert list(table['object']) == ['X', 'Y', 'e']
    assert list(table['n']) == [3, 1, 1]
    assert list(table['n_scored']) == [2, 1, 1]
    assert list(table['class_name']) == ['real', 'noise', 'noise']


def test_packets_by_object(
    run: Run, packets: Any, stamps_of: Draw, tmp_path: Path
) -> None:
    """Packets say their object and date; a bad one keeps its place."""
    records = [
        packets.ztf_record(each, k, object=f'ZTF{k % 2}')
        for k, each in enumerate(stamps_of('rbrb'))
    ]
    records[2]['cutoutDifference'] = None
    path = tmp_path / 'n.avro'
    path.write_bytes(packets.ztf(*records))
    assert run(path).exit_code == 0
    table = Table.read('n_transients.ecsv')
    assert list(table['object']) == ['ZTF0', 'ZTF1'] * 2
    assert table['reason'][2] == 'no_difference'
    assert run(path, '--by-object', '--overwrite').exit_code == 0
    table = Table.read('n_transients.ecsv')
    assert list(table['mjd_last']) == [59002.0, 59003.0]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], "Missing argument 'STAMPS...'"),
        (['S', '--bands', 'g,r'], 'bands must be three different names'),
        (['S', '--keep', 'star'], 'class_name is one of real, dipole, noise, unscored'),
        (['S', '--operating-point', 'best'], "no operating point 'best'"),
        (['S', '--prior', 'star=0.2'], 'prior names star'),
        (['.'], 'no file of stamps is in this folder'),
    ],
)
def test_usage(run: Run, stamps: Path, arguments: list[str], message: str) -> None:
    """What is wrong is said before anything is done, with exit code 2."""
    result = run(*(stamps if each == 'S' else each for each in arguments))
    assert result.exit_code == 2
    assert message in ' '.join(result.output.split())


def test_inputs_are_never_written_over(run: Run, stamps: Path) -> None:
    """Not even if asked."""
    before = stamps.read_bytes()
    result = run(stamps, '-o', stamps, '--overwrite')
    assert result.exit_code == 1
    assert stamps.read_bytes() == before


def test_a_run(run: Run, stamps: Path) -> None:
    """Each file has its rows in the data set, and there is no table of all."""
    dataset = pytest.importorskip('pyarrow.dataset')
    assert run(stamps, '--run', 'there').exit_code == 0
    rows = dataset.dataset('there/rows', partitioning='hive').to_table()
    assert rows['id'].to_pylist() == ['a', 'b', 'c', 'd', 'e']
    assert not list(Path().glob('*_transients.ecsv'))
    assert '1 of 1 images are done' in run(stamps, '--run', 'there').stderr
    assert run(stamps, '--run', 'there', '--by-object').exit_code == 2
