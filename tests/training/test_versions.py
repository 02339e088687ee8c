"""Versions of code: what they follow, and what they leave alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from astrosieve_training import versions

ROOT = Path(__file__).parents[2]

TOY = {
    '__init__.py': '',
    'paint.py': '''
        """Paint."""
        from typing import TYPE_CHECKING

        import json

        import numpy as np
        from toy.room import brush
        from toy.room.pots import pot
        from toy.lounge import chair

        if TYPE_CHECKING:
            from toy.types import Hue

        def paint(hue: 'Hue') -> None:
            """Paint."""
            import toy.late
    ''',
    'late.py': 'LATE = 1\n',
    'types.py': 'class Hue:\n    pass\n',
    'other.py': 'OTHER = 1\n',
    'room/__init__.py': '"""Room."""\nfrom toy.room.tools import tool as brush\n'
    'from toy.room.unused import rake\n',
    'room/tools.py': 'from . import handle\n\ndef tool():\n    return handle\n',
    'room/handle.py': 'LENGTH = 1  # cm\n',
    'lounge/__init__.py': """
        from astrosieve.lazy import lazy_names
        __getattr__, __dir__, __all__ = lazy_names(
            __name__, {'.chairs': ('chair',), '.sofas': ('sofa',)}
        )
    """,
    'lounge/chairs.py': 'chair = 1\n',
    'lounge/sofas.py': 'sofa = 1\n',
    'room/unused.py': 'rake = 1\n',
    'room/pots.py': 'pot = 1\n',
}


class Toy:
    """A package of toys, whose version is asked for again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in TOY.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text.replace('\n        ', '\n'), encoding='utf-8')

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding='utf-8')
        assert old in text
        path.write_text(text.replace(old, new), encoding='utf-8')

    def version(self, *names: str) -> str:
        versions.code_version.cache_clear()
        return versions.code_version(*map(import_module, names or ['toy.paint']))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    made = Toy(tmp_path / 'toy')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, '_PACKAGES', ('toy',))
    for name in [name for name in sys.modules if name.partition('.')[0] == 'toy']:
        monkeypatch.delitem(sys.modules, name)
    return made


@pytest.mark.parametrize(
    ('name', 'old', 'new'),
    [
        ('paint.py', 'Paint.', 'Paint it.'),
        ('paint.py', '"""Paint."""\n', ''),
        ('room/handle.py', '# cm', '# mm'),
        ('room/handle.py', 'LENGTH = 1', 'LENGTH = (\n    1\n)'),
        ('types.py', 'pass', 'hue = 1'),
        ('other.py', '1', '2'),
        ('room/unused.py', '1', '2'),
        ('lounge/sofas.py', '1', '2'),
        ('lounge/__init__.py', 'sofas', 'soft'),
        ('room/__init__.py', 'Room', 'A room'),
    ],
)
def test_what_does_not_count(toy: Toy, name: str, old: str, new: str) -> None:
    """Docstrings, comments, layout, types, and what is not imported."""
    before = toy.version()
    toy.edit(name, old, new)
    assert toy.version() == before


@pytest.mark.parametrize(
    ('name', 'old', 'new'),
    [
        ('paint.py', 'import json', 'import csv'),
        ('room/handle.py', '1', '2'),
        ('room/tools.py', 'return handle', 'return handle.LENGTH'),
        ('room/pots.py', '1', '2'),
        ('late.py', '1', '2'),
        ('lounge/chairs.py', '1', '2'),
    ],
)
def test_what_counts(toy: Toy, name: str, old: str, new: str) -> None:
    """What is imported, also in functions, relatively, or through a package."""
    before = toy.version()
    toy.edit(name, old, new)
    assert toy.version() != before


def test_new_modules_do_not_count(toy: Toy) -> None:
    """Only those that are imported, or given, do."""
    before = toy.version()
    (toy.folder / 'room' / 'new.py').write_text('NEW = 1\n', encoding='utf-8')
    assert toy.version() == before
    assert toy.version('toy.paint', 'toy.room.new') != before


def test_other_distributions_count(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their version, where they are imported; the library of Python does not."""
    asked: list[str] = []

    def installed(package: str) -> list[str]:
        asked.append(package)
        return [release]

    monkeypatch.setattr(versions, '_installed', installed)
    release = 'numpy 1'
    before = toy.version()
    release = 'numpy 2'
    assert toy.version() != before
    assert asked == ['numpy', 'numpy']


def test_missing_source_is_an_error(toy: Toy) -> None:
    """What cannot be read cannot be recognised."""
    toy.edit('paint.py', 'import json', 'import toy.gone')
    module = type(sys)('toy.gone')
    with pytest.raises(ImportError, match=r'no source of toy\.gone'):
        versions.code_version(module)


def reached(*names: str) -> tuple[dict[str, str], set[str]]:
    return versions._reached(tuple(map(import_module, names)))


def test_detections_know_all_that_detects() -> None:
    """Modules that measure and find, and photutils, are in the key of detections."""
    modules, others = reached(
        'astrosieve_training.source.datasets.detections',
        'astrosieve_plugins.photutils_finder',
    )
    assert {
        'astrosieve.images.background', 'astrosieve.images.dq',
        'astrosieve.images.exposures', 'astrosieve.images.measured',
        'astrosieve.images.pixels', 'astrosieve.images.psf', 'astrosieve.images.traits',
        'astrosieve.images.units', 'astrosieve.source.finders',
        'astrosieve.tables.catalogs', 'astrosieve_plugins.photutils_finder',
        'astrosieve_training.simulate.truth',
    } <= set(modules)  # fmt: skip
    assert {'numpy', 'scipy', 'astropy', 'photutils'} <= others


def test_exposures_know_the_simulator_alone() -> None:
    """No task, nothing that reads images or learns; GalSim's version."""
    modules, others = reached('astrosieve_training.simulate.plans')
    assert 'astrosieve_training.simulate.optics' in modules
    assert not [name for name in modules if '.source' in name or '.learn' in name]
    assert 'galsim' in others
    assert not {'torch', 'photutils'} & others


KEYS = """
import sys
import astrosieve_plugins.photutils_finder as finder
from astrosieve_training.simulate.plans import ExposurePlan, exposure_key
from astrosieve_training.source.datasets import detections
from astrosieve_training.source.networks import isr2024
from astrosieve_training.versions import code_version
assert detections.__file__.startswith(sys.argv[1]), detections.__file__
print(exposure_key(ExposurePlan('demo', 'field', 0.0, 1, (96, 96))))
print(code_version(detections, finder))
print(code_version(isr2024))
"""


@pytest.fixture
def keys_of_copy(tmp_path: Path) -> tuple[Path, Callable[[], list[str]]]:
    """A copy of the packages, and keys of an exposure, detections and a network."""
    for name in ('src/astrosieve', 'plugins/astrosieve_plugins'):
        shutil.copytree(ROOT / name, tmp_path / Path(name).name)
    training = tmp_path / 'astrosieve_training'
    shutil.copytree(ROOT / 'training' / 'astrosieve_training', training)

    def keys() -> list[str]:
        return subprocess.run(
            [sys.executable, '-c', KEYS, str(tmp_path)], check=True, text=True,
            env=os.environ | {'PYTHONPATH': str(tmp_path)}, stdout=subprocess.PIPE,
        ).stdout.split()  # fmt: skip

    return training, keys


def test_new_camera_and_network_spoil_no_cache(
    keys_of_copy: tuple[Path, Callable[[], list[str]]],
) -> None:
    """Other cameras and networks, and text, are no part of a key; one's own are."""
    pytest.importorskip('torch')
    pytest.importorskip('galsim')
    training, keys = keys_of_copy
    before = keys()
    (training / 'cameras' / 'new.toml').write_text('gain = 2.0\n', encoding='utf-8')
    networks = training / 'source' / 'networks'
    shutil.copy(networks / 'multiscale.py', networks / 'new.py')
    for path in (training / 'simulate' / 'optics.py', networks / 'isr2024.py'):
        text = path.read_text(encoding='utf-8')
        path.write_text('"""New."""\n' + text.split('"""', 2)[2], encoding='utf-8')
    assert keys() == before
    with (networks / 'isr2024.py').open('a', encoding='utf-8') as file:
        file.write('NEW = 1\n')
    camera = training / 'cameras' / 'demo.toml'
    text = camera.read_text(encoding='utf-8')
    camera.write_text(f'dark = 0.5\n{text}', encoding='utf-8')
    after = keys()
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, False]
