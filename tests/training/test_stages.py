"""Results of stages in files: kept, made again, never half there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from astrosieve.exceptions import AstrosieveError
from astrosieve_training.stages import Stages, file_hash

KINDS = ('table', 'arrays', 'files', 'record')


class Counted:
    """Makers of results of each kind that count how often they are asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None

    def content(self, kind: str) -> Callable[..., Any]:
        def make(*folder: Path) -> Any:
            self.calls += 1
            value = float(self.calls)
            if kind == 'files':
                path = folder[0] / 'deep' / 'one.txt'
                path.parent.mkdir(exist_ok=True)
                path.write_text(str(value), encoding='utf-8')
                if self.error is not None:
                    raise self.error
                return [path]
            if self.error is not None:
                raise self.error
            if kind == 'table':
                return Table(
                    {'a': [value, np.nan], 'b': ['xy', 'z'], 'c': [True, False]}
                )
            return {'a': np.array([value])} if kind == 'arrays' else {'a': value}

        return make


def value_of(kind: str, result: Any) -> float:
    if kind == 'files':
        return float(result[0].read_text(encoding='utf-8'))
    return float(result['a'] if kind == 'record' else result['a'][0])


@pytest.fixture
def made() -> Counted:
    return Counted()


def do(stages: Stages, made: Counted, kind: str, key: str) -> float:
    return value_of(kind, getattr(stages, kind)('work', key, made.content(kind)))


def names_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def test_file_hash(tmp_path: Path) -> None:
    """Of the bytes."""
    (tmp_path / 'a').write_bytes(b'abc')
    assert file_hash(tmp_path / 'a') == hashlib.sha256(b'abc').hexdigest()


@pytest.mark.parametrize('kind', KINDS)
def test_kept(tmp_path: Path, made: Counted, kind: str) -> None:
    """A result is made once, also by another object, and said when it is made."""
    said: list[str] = []
    for _ in range(3):
        assert do(Stages(tmp_path / 'stages', said.append), made, kind, 'k') == 1
    assert made.calls == 1
    assert said == ['work']


@pytest.mark.parametrize('kind', KINDS)
def test_other_key(tmp_path: Path, made: Counted, kind: str) -> None:
    """Another key makes it again, and takes the old one away; others stay."""
    stages = Stages(tmp_path)
    (tmp_path / 'workings-k').write_text('another stage', encoding='utf-8')
    do(stages, made, kind, 'k')
    before = names_in(tmp_path)
    assert do(stages, made, kind, 'l') == 2
    after = names_in(tmp_path)
    assert len(after) == len(before)
    assert not any('work-k' in name for name in after)
    assert 'workings-k' in after


@pytest.mark.parametrize('kind', KINDS)
def test_keys_that_share_a_folder(tmp_path: Path, made: Counted, kind: str) -> None:
    """What is not tidied keeps the results of each key."""
    stages = Stages(tmp_path, tidy=False)
    assert [do(stages, made, kind, key) for key in 'klk'] == [1, 2, 1]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('left', [0, 100])
def test_broken(tmp_path: Path, made: Counted, kind: str, left: int) -> None:
    """What is cut off, or gone, is made again."""
    stages = Stages(tmp_path)
    do(stages, made, kind, 'k')
    for name in names_in(tmp_path):
        path = tmp_path / name
        if kind == 'files':
            if path.name == 'one.txt':
                path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: left or 3])
    if kind == 'record':
        (tmp_path / 'work-k.json').write_text('{"a": ', encoding='utf-8')
    assert do(stages, made, kind, 'k') == 2
    assert do(stages, made, kind, 'k') == 2


def test_table_cut_in_its_rows(tmp_path: Path, made: Counted) -> None:
    """A table that breaks off late is broken too."""
    stages = Stages(tmp_path)
    do(stages, made, 'table', 'k')
    path = tmp_path / 'work-k.fits'
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 2880])
    assert do(stages, made, 'table', 'k') == 2


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'error', [KeyboardInterrupt(), AstrosieveError('no'), MemoryError()]
)
def test_interrupted(
    tmp_path: Path, made: Counted, kind: str, error: BaseException
) -> None:
    """Nothing of it counts, older results stay, and the next run does it."""
    stages = Stages(tmp_path)
    do(stages, made, kind, 'old')
    before = names_in(tmp_path)
    made.error = error
    with pytest.raises(type(error)):
        do(stages, made, kind, 'new')
    assert names_in(tmp_path) == before
    assert not (tmp_path / 'work-new').exists()
    assert do(stages, made, kind, 'old') == 1
    made.error = None
    assert do(stages, made, kind, 'new') == 3


def test_killed(tmp_path: Path, made: Counted) -> None:
    """What a process that was killed left in a folder of files is taken away."""
    (tmp_path / 'work-k').mkdir()
    (tmp_path / 'work-k' / '.half').write_text('half', encoding='utf-8')
    do(Stages(tmp_path), made, 'files', 'k')
    assert names_in(tmp_path) == ['work-k/deep/one.txt', 'work-k/files.txt']


def test_table_is_as_it_was(tmp_path: Path, made: Counted) -> None:
    """The first time and the second, with its types and what is not a number."""
    stages = Stages(tmp_path)
    for _ in range(2):
        table = stages.table('work', 'k', made.content('table'))
        np.testing.assert_array_equal(np.asarray(table['a']), [1, np.nan])
        assert table['b'].tolist() == ['xy', 'z']
        assert np.asarray(table['c']).dtype == bool
        assert table['c'].tolist() == [True, False]


def test_folder_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is a message."""
    (tmp_path / 'stages').write_text('', encoding='utf-8')
    with pytest.raises(AstrosieveError, match='stages: cannot be made'):
        Stages(tmp_path / 'stages')
