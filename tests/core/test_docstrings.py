"""Examples of docstrings are run, all of them: none is skipped but for its host."""

from __future__ import annotations

import doctest
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

import astrosieve
import astrosieve_plugins

_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
_HOSTS = {'ginga_classify': 'ginga', 'correctors': 'tweakwcs'}


def _modules() -> list[str]:
    """Return the modules that have an example."""
    found = []
    for package in (astrosieve, astrosieve_plugins):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob('*.py')):
            if '    >>> ' in path.read_text(encoding='utf-8'):
                parts = path.relative_to(folder.parent).with_suffix('').parts
                found.append('.'.join(parts))
    return found


@pytest.mark.parametrize('name', _modules())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They say what they are said to say, in an empty folder."""
    for word, host in _HOSTS.items():
        if word in name.split('.') and find_spec(host) is None:
            pytest.skip(f'{host} is not installed')
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [each for each in finder.find(module) if each.examples]
    assert tests
    runner = doctest.DocTestRunner(optionflags=_OPTIONS)
    said: list[str] = []
    for each in tests:
        assert not any(example.options for example in each.examples)
        runner.run(each, out=said.append)
    assert not runner.failures, ''.join(said)
