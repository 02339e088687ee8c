"""
The rooms of the house: what is generic names no task, and tasks are built alike.

A task is a folder of one name on each floor. Its classes are in the ``classes.py`` of
the core's folder, from which these tests know which names are its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from astrosieve.classes import ClassSet
from astrosieve.images.instruments import INSTRUMENTS

ROOT = Path(__file__).parents[2]
CORE = ROOT / 'src' / 'astrosieve'
TRAINING = ROOT / 'training' / 'astrosieve_training'
PLUGINS = ROOT / 'plugins' / 'astrosieve_plugins'
TASKS = sorted(path.parent.name for path in CORE.glob('*/classes.py'))
GENERIC = [
    *(CORE / name for name in ('images', 'models', 'tables', 'commands', 'pages')),
    *(
        CORE / f'{name}.py'
        for name in ('atomic', 'classes', 'figures', 'flags', 'machine', 'markdown')
    ),
    *(TRAINING / name for name in ('learn', 'judge')),
    *(TRAINING / f'{name}.py' for name in ('settings', 'stages', 'steps', 'versions')),
]
INSTRUMENT_ROWS = CORE / 'images' / 'instruments.py'


def files(*places: Path) -> list[Path]:
    """Return the Python files of folders, and files that are named themselves."""
    found = []
    for place in places:
        found += sorted(place.rglob('*.py')) if place.is_dir() else [place]
        assert found[-1].is_file(), place
    return found


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Return the strings of a file that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    prose = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and node not in prose:
            yield node.lineno, text


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)}
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


def classes_of(task: str) -> ClassSet:
    found: ClassSet = import_module(f'astrosieve.{task}.classes').CLASSES
    return found


def test_there_are_tasks() -> None:
    """The tests below have something to look at."""
    assert 'source' in TASKS
    assert all(len(classes_of(task)) > 1 for task in TASKS)


@pytest.mark.parametrize('path', files(*GENERIC), ids=lambda path: path.stem)
def test_generic_modules_name_no_task_and_no_class(path: Path) -> None:
    """Neither a string is a task's or a class's name, nor an import a task's module."""
    classes = {name for task in TASKS for name in classes_of(task)}
    own = {*TASKS, *classes, *(f'p_{name}' for name in classes)}
    found = [(line, text) for line, text in strings(path) if text in own]
    # Within longer strings only names that are no words of prose.
    joined = '|'.join(sorted(name for name in own if '_' in name))
    pattern = re.compile(rf'(?<![a-z_])({joined})(?![a-z_])')
    found += [(line, text) for line, text in strings(path) if pattern.search(text)]
    assert found == []
    tops = {
        name.split('.')[1]
        for name in imports(path)
        if name.startswith(('astrosieve.', 'astrosieve_training.'))
    }
    assert not tops & set(TASKS)


@pytest.mark.parametrize(
    'path',
    [path for path in files(CORE, PLUGINS) if path != INSTRUMENT_ROWS],
    ids=lambda path: path.stem,
)
def test_detectors_are_named_in_one_module(path: Path) -> None:
    """What is known of an instrument is its row, and asked for by its header."""
    names = {row.name for row in INSTRUMENTS} | {row.detector for row in INSTRUMENTS}
    names -= {''} | {name for name in names if name.isdigit()}
    assert names
    pattern = re.compile(rf'\b({"|".join(sorted(names))})\b')
    assert [(n, text) for n, text in strings(path) if pattern.search(text)] == []


@pytest.mark.parametrize('task', TASKS)
def test_a_task_is_a_folder_on_each_floor(task: str) -> None:
    """Core, training, configurations, tests and documentation have its name."""
    folders = [
        CORE / task,
        TRAINING / task,
        TRAINING / 'configs' / task,
        ROOT / 'tests' / 'core' / task,
        ROOT / 'tests' / 'training' / task,
    ]
    assert [folder for folder in folders if not folder.is_dir()] == []
    assert (ROOT / 'docs' / 'tasks' / f'{task}.md').is_file()


@pytest.mark.parametrize('task', TASKS)
def test_a_task_imports_no_other(task: str) -> None:
    """What two tasks need lies in a room below them."""
    others = {
        f'{package}.{other}'
        for package in ('astrosieve', 'astrosieve_training')
        for other in TASKS
        if other != task
    }
    for path in files(CORE / task, TRAINING / task):
        tops = {'.'.join(name.split('.')[:2]) for name in imports(path)}
        assert not tops & others, path


def test_what_joins_the_tasks_stands_above_them() -> None:
    """The report imports tasks; no other file imports it."""
    joined = {name for path in files(CORE / 'report') for name in imports(path)}
    assert {'astrosieve.source.exposures', 'astrosieve.contaminant.segment'} <= joined
    for path in files(CORE, PLUGINS, TRAINING):
        if CORE / 'report' not in path.parents:
            tops = {'.'.join(name.split('.')[:2]) for name in imports(path)}
            assert 'astrosieve.report' not in tops, path


@pytest.mark.parametrize('path', files(CORE, PLUGINS, TRAINING), ids=str)
def test_nothing_imports_a_command_line(path: Path) -> None:
    """Commands are reached by entry points and by the tables of the two programs."""
    lines = {
        'astrosieve.cli',
        'astrosieve_training.cli',
        *(f'astrosieve.{task}.command' for task in TASKS),
        *(f'astrosieve_training.{task}.commands' for task in TASKS),
    }
    assert not imports(path) & lines


@pytest.mark.parametrize('folder', [CORE, TRAINING])
def test_the_programs_are_tables(folder: Path) -> None:
    """The module of a program holds little more than the names of its commands."""
    assert len((folder / 'cli.py').read_text(encoding='utf-8').splitlines()) < 80
