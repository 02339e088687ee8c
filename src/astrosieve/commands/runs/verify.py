"""The command ``astrosieve verify``."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import click

from astrosieve import __version__
from astrosieve.commands.base import Command
from astrosieve.commands.calls import batch
from astrosieve.commands.console import console
from astrosieve.commands.options import json_option
from astrosieve.commands.runs.folder import Subject, read_log

__all__ = ['verify']


@click.command(cls=Command)
@click.argument('run', type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    '--sample',
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar='N',
    help='How many images are done again.',
)
@click.option(
    '--seed', type=int, default=0, show_default=True, help='Of the choice of images.'
)
@json_option
def verify(run: Path, sample: int, seed: int) -> None:
    """
    Do some images of a run again, and compare what is found, byte by byte.

    Exits with 1 where a file differs.
    """
    subject, said = Subject.of(run), console()
    if subject.version != __version__:
        said.note(f'{run}: was made by version {subject.version}, not {__version__}')
    done = {each['input']: each for each in read_log(run) if each['event'] == 'done'}
    chosen = random.Random(seed).sample(sorted(done), min(sample, len(done)))
    bad = 0
    for name in sorted(chosen):
        other = _differing(run, subject, done[name])
        bad += bool(other)
        said.answer(
            f'{name}: {", ".join(other) or "the same"}',
            {'input': name, 'files': sorted(done[name]['files']), 'differ': other},
        )
    if bad:
        said.note(f'{bad} of {len(chosen)} images differ')
        said.finish()
        raise click.exceptions.Exit(1)


def _differing(run: Path, subject: Subject, done: Mapping[str, Any]) -> list[str]:
    """Return what of an image is not the same when it is done again."""
    run = run.absolute()
    with (
        tempfile.TemporaryDirectory(prefix='astrosieve-') as folder,
        chdir(subject.cwd),
    ):
        answer = batch(
            subject.command, done['input'], run=folder, jobs=1, **subject.options
        )
        if 'error' in answer[0]:
            return [answer[0]['error']]
        if Subject.of(Path(folder)).sha256 != subject.sha256:
            return ['the model is another']
        return [
            f'{each} differs'
            for each in sorted(done['files'])
            if not _same(run / each, Path(folder) / each)
        ]


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
