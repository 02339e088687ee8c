"""What the core imports, and what it must not."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    'torch',
    'photutils',
    'drizzlepac',
    'ginga',
    'scipy',
    'sklearn',
    'matplotlib',
    'dask',
    'galsim',
    'astrosieve_plugins',
    'astrosieve_training',
}
FORBIDDEN = {
    'astrosieve': HEAVY - {'matplotlib', 'dask'},
    'astrosieve_plugins': {'torch', 'astrosieve_training'},
    'astrosieve_training': {'astrosieve_plugins', 'drizzlepac', 'ginga'},
}
FOLDERS = {
    'astrosieve': ROOT / 'src' / 'astrosieve',
    'astrosieve_plugins': ROOT / 'plugins' / 'astrosieve_plugins',
    'astrosieve_training': ROOT / 'training' / 'astrosieve_training',
}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after some code."""
    code += '\nimport sys\nprint(*{name.partition(".")[0] for name in sys.modules})'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_is_light() -> None:
    """The package itself loads neither numpy nor astropy nor onnxruntime."""
    loaded = modules_after('import astrosieve')
    assert not loaded & {'numpy', 'astropy', 'onnxruntime', 'click', *HEAVY}


def test_core_loads_no_host() -> None:
    """Not the core's modules either bring in a host, torch or scipy."""
    names = (
        *('blob.command', 'frametype.command', 'transient.command', 'report.command'),
        *('source.classify', 'source.exposures', 'source.command', 'source.demo'),
    )
    loaded = modules_after('\n'.join(f'import astrosieve.{name}' for name in names))
    assert 'numpy' in loaded
    assert not loaded & HEAVY


def test_classification_loads_no_host(tiny_model: Path) -> None:
    """Nor does a classification; matplotlib comes with astropy's ZScale if there."""
    loaded = modules_after(
        'import numpy as np; from astrosieve import classify_sources\n'
        'image = np.random.default_rng(0).normal(size=(40, 40))\n'
        'table = classify_sources(image, [[20, 20]], unit="electron", '
        f'model={str(tiny_model)!r})\n'
        'assert table["class_name"][0] != "unscored"'
    )
    assert 'onnxruntime' in loaded
    assert not loaded & (HEAVY - {'matplotlib'})


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


@pytest.mark.parametrize('package', FOLDERS)
def test_imports_run_one_way(package: str) -> None:
    """Plugins and training import the core; no arrow runs back or across."""
    files = list(FOLDERS[package].rglob('*.py'))
    assert files
    for path in files:
        tops = {name.partition('.')[0] for name in imported(path)}
        assert not tops & FORBIDDEN[package], path


def test_plugins_do_not_import_each_other() -> None:
    """Each adapter stands alone; a folder's own modules are its own."""
    folder = FOLDERS['astrosieve_plugins']
    for path in folder.rglob('*.py'):
        own = path.relative_to(folder).parts[0].removesuffix('.py')
        others = {
            name.split('.')[1]
            for name in imported(path)
            if name.startswith('astrosieve_plugins.')
        }
        assert others <= {own}, path


def module_names() -> dict[str, Path]:
    """Return the files of the three import roots, by their dotted names."""
    names = {}
    for package, folder in FOLDERS.items():
        for path in folder.rglob('*.py'):
            parts = path.relative_to(folder).with_suffix('').parts
            if parts[-1] == '__init__':
                parts = parts[:-1]
            names['.'.join([package, *parts])] = path
    return names


def test_no_import_loops() -> None:
    """The files form floors: each uses those below it alone, also when it runs."""
    modules = module_names()
    assert {'astrosieve.source.classify', 'astrosieve_training.cli'} <= set(modules)
    uses = {}
    for name, path in modules.items():
        used = set()
        for full in imported(path):
            parts = full.split('.')
            # The module itself, or the one that holds the imported name.
            for end in (len(parts), len(parts) - 1):
                if '.'.join(parts[:end]) in modules:
                    used.add('.'.join(parts[:end]))
                    break
        uses[name] = used - {name}
    while uses:
        floor = {name for name, used in uses.items() if not used & set(uses)}
        assert floor, f'these import each other: {sorted(uses)}'
        uses = {name: used for name, used in uses.items() if name not in floor}


@pytest.mark.parametrize(
    'package', ['astrosieve', 'astrosieve.images', 'astrosieve.models']
)
def test_packages_hand_on_names(package: str) -> None:
    """They name their home's own things, list them, and hide no mistakes."""
    room = import_module(package)
    assert room.__all__
    for name in room.__all__:
        thing = getattr(room, name)
        assert thing.__name__ == name
        assert thing.__module__.startswith(f'{package}.')
    assert set(room.__all__) <= set(dir(room))
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'soup'"):
        _ = room.soup


def test_handing_on_loads_nothing() -> None:
    """Names of a room cost nothing until they are used."""
    loaded = modules_after('import astrosieve.images, astrosieve.models')
    assert not loaded & {'numpy', 'astropy', *HEAVY}
