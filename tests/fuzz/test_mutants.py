"""A short hunt with mutants of files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from astrosieve.commands.work import Answer


@pytest.fixture
def mutants(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The hunt, where its workers find it."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield import_module('mutants')
    sys.modules.pop('mutants', None)


def test_files_that_are_well(mutants: ModuleType, tmp_path: Path) -> None:
    """Each reader reads what its mutants are made of."""
    for kind, (suffix, made, read) in mutants.KINDS.items():
        path = tmp_path / f'{kind}{suffix}'
        path.write_bytes(made())
        read(path)


def test_a_short_hunt(mutants: ModuleType) -> None:
    """No reader crashes, hangs, or raises what nobody foresaw."""
    kinds = sorted(mutants.KINDS)
    assert mutants.hunt(20 * len(kinds), 0, kinds, jobs=1, some=20) == []


def test_mutants_are_repeatable(mutants: ModuleType) -> None:
    """Seed and number make a mutant, and it differs from what it was made of."""
    made = [mutants.mutant('fits', 0, n) for n in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert made[0] != mutants.KINDS['fits'][1]()


def test_what_is_bad_is_found(
    mutants: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is none of the package's counts, with its number."""

    def read(path: Path) -> None:
        raise KeyError('BITPIX')

    monkeypatch.setitem(mutants.KINDS, 'fits', ('.fits', lambda: b'four', read))
    monkeypatch.setattr(mutants, '_limit_memory', lambda: None)
    answer: Answer = mutants.Fuzz(0, 2).read(Path('fits'), 5, lambda text: None)
    assert answer.result == [(5, "KeyError: 'BITPIX'"), (6, "KeyError: 'BITPIX'")]
