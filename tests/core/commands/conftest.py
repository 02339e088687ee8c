"""Fixtures of the tests of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

PIECES = '''
"""A command whose work does what the name of its input says."""

import ctypes
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import click
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.commands.base import Command
from astrosieve.commands.batch import Answer, OutputOption, plan_outputs, run_batch
from astrosieve.commands.options import (
    batch_options, images_argument, json_option, output_option, overwrite_option,
)
from astrosieve.exceptions import AstrosieveWarning, ExposureError, ModelIntegrityError


class Odd(Exception):
    """Cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f'{one} {two}')


@dataclass(frozen=True)
class Work:
    overwrite: bool

    def do(self, path, outputs, say):
        say('measuring')
        kind, _, number = path.stem.partition('-')
        text = path.read_text()
        if kind == 'bad':
            raise ExposureError('damaged')
        if kind == 'odd':
            raise Odd('strange', 'thing')
        if kind == 'slow':
            time.sleep(float(number))
        if kind == 'held':
            path.with_suffix('.begun').touch()
            while not Path('go').exists():
                time.sleep(0.05)
        if kind == 'crash':
            ctypes.string_at(0)
        if kind == 'once' and not (seen := path.with_suffix('.seen')).exists():
            seen.touch()
            os.kill(os.getpid(), 9)
        if kind == 'model' and os.environ.get('DAMAGED'):
            raise ModelIntegrityError('the weights are damaged')
        if kind == 'large':
            text *= 100_000
        if kind == 'warn':
            warnings.warn('all files are small', AstrosieveWarning)
        print('a library that prints')
        with atomic_path(outputs['-o'], overwrite=self.overwrite) as temporary:
            if kind == 'write':
                temporary.write_text('half')
                path.with_suffix('.begun').touch()
                time.sleep(60)
            temporary.write_text(text)
        data = {'input': path.name, 'process': os.getpid(),
                'threads': os.environ.get('OMP_NUM_THREADS')}
        rows = Table({'id': [1, 2], 'x_centroid': [1.0, 2.0], 'y_centroid': [2.0, 1.0],
                      'class_name': ['apple', 'pear'], 'p_apple': [0.9, 0.4],
                      'p_pear': [0.1, 0.6]})
        return Answer(f'{path.name}: {text}', data, result=text, rows=rows)


@click.command(cls=Command)
@images_argument
@output_option('ROOT_copy.txt')
@overwrite_option
@json_option
@batch_options
def pieces(images, output, overwrite):
    option = OutputOption('-o', output, '_copy.txt', always=True)
    collected = []
    try:
        run_batch(
            images, plan_outputs(images, [option]), Work(overwrite).do,
            collect=lambda path, text: collected.append(text),
        )
    finally:
        Path('collected').write_text(' '.join(collected))


if __name__ == '__main__':
    from pieces import pieces  # as the workers know it

    pieces()
'''


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """File of a command that workers can load; the current folder is empty."""
    folder = tmp_path / 'modules'
    folder.mkdir()
    module = folder / 'pieces.py'
    module.write_text(PIECES)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv('PYTHONPATH', str(folder))
    here = tmp_path / 'here'
    here.mkdir()
    monkeypatch.chdir(here)
    yield module
    sys.modules.pop('pieces', None)


@pytest.fixture
def run(pieces: Path) -> Callable[..., Result]:
    """Make files of these names, and run the command on them with these options."""

    def call(names: Sequence[str], *options: str) -> Result:
        for name in names:
            Path(name).write_text(f'of {name}')
        command = import_module('pieces').pieces
        return CliRunner().invoke(command, [*names, *options])

    return call
