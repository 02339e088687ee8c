"""The command ``astrosieve transients``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.table import Table

from astrosieve.atomic import check_output, protected
from astrosieve.classes import UNSCORED
from astrosieve.commands.base import Command
from astrosieve.commands.batch import STDOUT, Answer, delivered, run_batch
from astrosieve.commands.console import Say, console
from astrosieve.commands.options import (
    chosen_model,
    format_option,
    input_files,
    json_option,
    model_option,
    overwrite_option,
    prior_option,
)
from astrosieve.exceptions import AstrosieveError
from astrosieve.tables.catalogs import write_catalog
from astrosieve.transient.by_object import combined, read_objects
from astrosieve.transient.candidates import Candidate, Order
from astrosieve.transient.classes import REAL
from astrosieve.transient.errors import StampError
from astrosieve.transient.readers import file_root, list_stamps, read_candidates
from astrosieve.transient.readers.packets import read_schema
from astrosieve.transient.score import Scored, Scorer, score_table


def _order(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> Order | None:
    try:
        return None if value is None else Order.of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _file(name: str, help: str) -> Any:
    kind = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.option(f'--{name}', type=kind, metavar='FILE', help=help)


@click.command(cls=Command)
@click.argument('stamps', nargs=-1, metavar='[STAMPS...]', callback=input_files)
@click.option(
    '-o',
    '--output',
    metavar='PATH',
    help="Table of all candidates ('-' for standard output), or a folder for it; else "
    'NAME_transients.ecsv here, NAME being the first input. Of a stream, its folder.',
)
@click.option(
    '--bands',
    metavar='A,B,C',
    callback=_order,
    help='What the planes are: science,template,difference in their order, or three '
    'bands, as g,r,i. Else triplets in this order; of pictures, bands.',
)
@_file('schema', 'Avro schema of packets that do not carry theirs.')
@click.option(
    '--by-object',
    is_flag=True,
    help='One row per object: the scores of its stamps combined.',
)
@_file('objects', 'Table of id and object, where stamps do not say their object.')
@model_option('transient')
@click.option(
    '--operating-point',
    metavar='NAME',
    help="Where real begins, by name from the model's card; else balanced.",
)
@prior_option
@click.option(
    '--keep',
    multiple=True,
    metavar='CLASS',
    help='Keep only rows of this class: real, an artefact, unscored; else all.',
)
@format_option
@overwrite_option
@json_option
def transients(stamps: tuple[Path, ...], **given: Any) -> None:
    """
    Tell real candidates of difference images from bogus ones.

    STAMPS are npz, FITS, HDF5, PNG or JPEG files, Avro packets, tar archives of them,
    or folders: science, template and difference of 21 to 101 pixels about each
    candidate, or differences in three bands. One row per candidate: p_real,
    class_name (real, or the artefact's name), a probability for each class.
    """
    if not stamps:
        raise click.UsageError("Missing argument 'STAMPS...'.")
    paths = _paths(stamps)
    first = stamps[0].resolve() if stamps[0].is_dir() else stamps[0]
    target = _target(first, given['output'], given['format'] or 'ecsv')
    scorer = _scorer(given)
    read = [scorer.model.path, given['objects'], given['schema']]
    with protected([*paths, *filter(None, read)]):
        _score(paths, target, scorer, given)


def _score(
    paths: Sequence[Path], target: Path, scorer: Scorer, given: dict[str, Any]
) -> None:
    """Score the candidates of files, and write their table."""
    if target != STDOUT:
        check_output(target, overwrite=given['overwrite'])
    try:
        known = read_objects(given['objects']) if given['objects'] else {}
        schema = read_schema(given['schema']) if given['schema'] else None
    except AstrosieveError as error:
        raise click.UsageError(str(error)) from error
    console().stdout_taken |= target == STDOUT
    run = _Run(scorer, given['bands'], schema)
    ended: SystemExit | None = None
    try:
        run_batch(paths, [None] * len(paths), run.score_file)
    except SystemExit as error:  # what could be scored is written all the same
        ended = error
    table = run.table(several=len(paths) > 1)
    if given['by_object']:
        table = combined(table, scorer, known)
    table = _kept(table, given['keep'])
    with delivered(target) as path:
        write_catalog(table, path, format=given['format'], overwrite=given['overwrite'])
    if ended is not None:
        raise ended


def _paths(inputs: Sequence[Path]) -> list[Path]:
    """Return the files that are meant, those of folders by name."""
    paths: list[Path] = []
    for each in inputs:
        inside = list_stamps(each) if each.is_dir() else [each]
        if not inside:
            msg = f'{each}: no file of stamps is in this folder'
            raise click.UsageError(msg)
        paths += inside
    return paths


def _target(first: Path, output: str | None, suffix: str) -> Path:
    """Return the table's path."""
    name = f'{file_root(first)}_transients.{suffix}'
    if output is None:
        return Path(name)
    path = Path(output)
    if output.endswith('/') or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return path / name
    return path


def _scorer(given: dict[str, Any]) -> Scorer:
    model = chosen_model(given['model'], 'transient', prior=given['prior'])
    try:
        scorer = Scorer(
            model, operating_point=given['operating_point'], prior=given['prior']
        )
    except AstrosieveError as error:
        raise click.UsageError(str(error)) from error
    known = (REAL, *scorer.artefacts, UNSCORED)
    unknown = [each for each in given['keep'] if each not in known]
    if unknown:
        listed = ', '.join(known)
        msg = f'--keep {unknown[0]}: class_name is one of {listed}'
        raise click.UsageError(msg)
    return scorer


def _kept(table: Table, keep: Sequence[str]) -> Table:
    """Return the rows of some classes; those without one are 'unscored'."""
    if not keep:
        return table
    names = np.asarray(table['class_name'], dtype=str)
    return table[np.isin(np.where(names == '', UNSCORED, names), list(keep))]


@dataclass
class _Run:
    """What was scored so far."""

    scorer: Scorer
    order: Order | None
    schema: Any
    parts: list[Scored] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def score_file(self, path: Path, plan: None, say: Say) -> Answer:
        """Score the candidates of a file, as far as they can be read."""
        before = len(self.parts)
        problem: StampError | None = None

        def candidates() -> Any:
            nonlocal problem
            try:
                yield from read_candidates(path, order=self.order, schema=self.schema)
            except StampError as error:
                problem = error
                yield Candidate(file_root(path), None, problem=str(error))

        for part in self.scorer.chunks(candidates()):
            self.parts.append(part)
            self.files += [path.name] * len(part.candidates)
            say(f'{path.name}: {len(self.files)} candidates')
        if problem is not None:
            raise problem
        new = self.parts[before:]
        names = [name for part in new for name in part.class_name]
        counts = {
            'candidates': len(names),
            'real': names.count(REAL),
            'unscored': names.count(''),
        }
        text = ', '.join(f'{n} {what}' for what, n in counts.items() if n)
        return Answer(f'{path.name}: {text}', {'input': str(path), **counts})

    def table(self, *, several: bool) -> Table:
        """Return all rows, with the file of each where there are several."""
        table = score_table(self.parts, self.scorer)
        if several:
            table.add_column(np.array(self.files, dtype=str), name='file', index=0)
        return table
