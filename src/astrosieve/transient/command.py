"""The command ``astrosieve transients``."""

from __future__ import annotations

import json
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
from astrosieve.commands.batch import STDOUT, Answer, delivered, run_batch, without_run
from astrosieve.commands.console import Say, console
from astrosieve.commands.folders import changes
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    format_option,
    input_files,
    json_option,
    model_option,
    overwrite_option,
    prior_option,
    skip_existing_option,
)
from astrosieve.commands.remote import Input, is_folder
from astrosieve.exceptions import AstrosieveError
from astrosieve.tables.catalogs import write_catalog
from astrosieve.transient.by_object import combined, read_objects
from astrosieve.transient.candidates import Candidate, Order
from astrosieve.transient.classes import REAL
from astrosieve.transient.errors import StampError
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.kafka import consume, read_config
from astrosieve.transient.readers import file_root, list_stamps, read_candidates
from astrosieve.transient.readers.packets import read_schema
from astrosieve.transient.score import Scored, Scorer, score_table
from astrosieve.transient.store import Store
from astrosieve.transient.stream import FolderStream, Sink


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
@click.option(
    '--stream',
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar='FOLDER',
    help='Score what arrives there, each candidate once. -o is the folder of the '
    'scores; else NAME_transients here.',
)
@click.option(
    '--every',
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar='S',
    help='Seconds after which --stream looks again at the latest.',
)
@click.option(
    '--kafka', metavar='HOST:PORT', help='Score the packets of topics of these brokers.'
)
@click.option('--topic', multiple=True, metavar='NAME', help='Topic of --kafka.')
@click.option(
    '--group',
    default='astrosieve',
    show_default=True,
    metavar='NAME',
    help='Consumer group of --kafka.',
)
@_file('kafka-config', 'TOML file of more settings of librdkafka.')
@click.option(
    '--once',
    is_flag=True,
    help='Of --stream and --kafka: end when all that is there was scored.',
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
@skip_existing_option
@json_option
@batch_options
def transients(stamps: tuple[Input, ...], **given: Any) -> None:
    """
    Tell real candidates of difference images from bogus ones.

    STAMPS are npz, FITS, HDF5, PNG or JPEG files, Avro packets, tar archives of them,
    or folders: science, template and difference of 21 to 101 pixels about each
    candidate, or differences in three bands. One row per candidate: p_real,
    class_name (real, or the artefact's name), a probability for each class.
    """
    without_run('output', 'by_object', 'keep', 'stream', 'kafka')
    if _streams(stamps, given):
        _stream(_scorer(given), given)
        return
    paths = _paths(stamps)
    first = stamps[0]
    if is_folder(first):
        first = first.resolve()
    target = _target(first, given['output'], given['format'] or 'ecsv')
    if given['skip_existing'] and target != STDOUT and target.exists():
        skipped = {'input': str(first), 'skipped': str(target)}
        console().answer(f'{target} exists; skipped', skipped)
        return
    scorer = _scorer(given)
    read = [scorer.model.path, given['objects'], given['schema']]
    with protected([*paths, *filter(None, read)]):
        _score(paths, target, scorer, given)


def _streams(stamps: Sequence[Input], given: dict[str, Any]) -> bool:
    """Return whether a stream is asked for; refuse what does not go together."""
    asked = [f'--{name}' for name in ('stream', 'kafka') if given[name]]
    if len(asked) + bool(stamps) > 1:
        msg = f'{asked[0]} goes without files, and without another stream'
        raise click.UsageError(msg)
    if not asked and not stamps:
        raise click.UsageError("Missing argument 'STAMPS...'.")
    if bool(given['kafka']) != bool(given['topic']):
        raise click.UsageError('--kafka and --topic go together')
    return bool(asked)


def _score(
    paths: Sequence[Input], target: Path, scorer: Scorer, given: dict[str, Any]
) -> None:
    """Score the candidates of files, and write their table."""
    together = console().run is None  # a run keeps each by itself
    if together and target != STDOUT:
        check_output(target, overwrite=given['overwrite'])
    known, schema = _read(given)
    console().stdout_taken |= target == STDOUT
    run = _Run(scorer)
    ended: SystemExit | None = None
    try:
        run_batch(
            paths,
            [None] * len(paths),
            _Scoring(scorer, given['bands'], schema).score_file,
            collect=run.add if together else None,
            model=scorer.model,
        )
    except SystemExit as error:  # what could be scored is written all the same
        ended = error
    if together:
        _write(run.table(several=len(paths) > 1), target, scorer, known, given)
    if ended is not None:
        raise ended


def _write(
    table: Table,
    target: Path,
    scorer: Scorer,
    known: dict[str, str],
    given: dict[str, Any],
) -> None:
    """Write the table of all candidates that were scored."""
    if given['by_object']:
        table = combined(table, scorer, known)
    table = _kept(table, given['keep'])
    with delivered(target) as path:
        write_catalog(table, path, format=given['format'], overwrite=given['overwrite'])


def _read(given: dict[str, Any]) -> tuple[dict[str, str], Any]:
    """Return the objects that are known, and the schema."""
    try:
        known = read_objects(given['objects']) if given['objects'] else {}
        return known, read_schema(given['schema']) if given['schema'] else None
    except AstrosieveError as error:
        raise click.UsageError(str(error)) from error


def _stream(scorer: Scorer, given: dict[str, Any]) -> None:
    """Score what arrives, until the process is ended."""
    said = console()
    lines, said.json = said.json, False
    known, schema = _read(given)
    config = read_config(given['kafka_config']) if given['kafka_config'] else {}
    name = given['stream'].resolve().name if given['stream'] else given['topic'][0]
    output = Path(given['output'] or f'{name}_transients')
    output.mkdir(parents=True, exist_ok=True)
    n = 0

    def report(event: dict[str, Any]) -> None:
        nonlocal n
        n += 1
        if not given['keep'] or (event['class_name'] or UNSCORED) in given['keep']:
            click.echo(json.dumps(event) if lines else _line(event))

    failed = 0
    with Store(output) as store:
        sink = Sink(store, scorer, report, by_object=given['by_object'], known=known)
        try:
            if given['kafka']:
                consume(
                    given['kafka'],
                    list(given['topic']),
                    sink,
                    trouble=lambda text: said.error(text, about=given['kafka']),
                    group=given['group'],
                    config=config,
                    schema=schema,
                    once=given['once'],
                )
                return
            stream = FolderStream(
                given['stream'],
                sink,
                trouble=lambda path, text: said.error(text, about=str(path)),
                order=given['bands'],
                schema=schema,
            )
            if given['once']:
                failed = stream.scan(wait=True)
            else:
                for _ in changes(given['stream'], given['every']):
                    stream.scan()
        except (KeyboardInterrupt, SystemExit):
            said.note(f'ended; {n} candidates were scored')
    if failed:
        said.note(f'{failed} files could not be read')
        raise click.exceptions.Exit(1)


def _line(event: dict[str, Any]) -> str:
    """Return what is said of a candidate on a screen."""
    name = event['id'] + (f' of {event["object"]}' if event['object'] else '')
    if event['p_real'] is None:
        return f'{name}: unscored ({event["reason"]})'
    text = f'{name}: {event["class_name"]}, p_real = {event["p_real"]:.3f}'
    if event.get('object_p_real') is not None:
        stamps, together = event['object_n'], event['object_p_real']
        text += f', of {stamps} stamps {together:.3f}'
    return text


def _paths(inputs: Sequence[Input]) -> list[Input]:
    """Return the files that are meant, those of folders by name."""
    paths: list[Input] = []
    for each in inputs:
        inside: list[Input] = [each]
        if is_folder(each):
            inside = [*list_stamps(each)]
        if not inside:
            msg = f'{each}: no file of stamps is in this folder'
            raise click.UsageError(msg)
        paths += inside
    return paths


def _target(first: Input, output: str | None, suffix: str) -> Path:
    """Return the table's path."""
    name = f'{file_root(Path(first.name))}_transients.{suffix}'
    if output is None:
        return Path(name)
    path = Path(output)
    if output.endswith('/') or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return path / name
    return path


def _scorer(given: dict[str, Any]) -> Scorer:
    model = chosen_model(given['model'], 'transient')
    try:
        scorer = Scorer(
            model, operating_point=given['operating_point'], prior=given['prior']
        )
    except (AstrosieveError, ValueError) as error:
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


@dataclass(frozen=True)
class _Scoring:
    """What is done with each file."""

    scorer: Scorer
    order: Order | None
    schema: Any

    def score_file(self, path: Path, plan: None, say: Say) -> Answer:
        """Score the candidates of a file, as far as they can be read."""
        problem: StampError | None = None

        def candidates() -> Any:
            nonlocal problem
            try:
                yield from read_candidates(path, order=self.order, schema=self.schema)
            except StampError as error:
                problem = error
                yield Candidate(file_root(path), None, problem=str(error))

        parts: list[Scored] = []
        for part in self.scorer.chunks(candidates()):
            parts.append(part)
            say(
                f'{path.name}: {sum(len(each.candidates) for each in parts)} candidates'
            )
        names = [name for part in parts for name in part.class_name]
        counts = {
            'candidates': len(names),
            'real': names.count(REAL),
            'unscored': names.count(''),
        }
        text = ', '.join(f'{n} {what}' for what, n in counts.items() if n)
        data = {'input': str(path), **counts}
        rows = score_table(parts, self.scorer)
        return Answer(f'{path.name}: {text}', data, parts, rows, problem)


@dataclass
class _Run:
    """What was scored so far."""

    scorer: Scorer
    parts: list[Scored] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, path: Input, parts: list[Scored]) -> None:
        """Keep what was scored of a file; tell candidates that others had before."""
        for part in parts:
            names = [each.id for each in part.candidates]
            before = [name in self.seen for name in names]
            part.flags[before] |= STAMP_FLAGS.duplicate
            self.seen.update(names)
            self.files += [path.name] * len(names)
        self.parts += parts

    def table(self, *, several: bool) -> Table:
        """Return all rows, with the file of each where there are several."""
        table = score_table(self.parts, self.scorer)
        if several:
            table.add_column(np.array(self.files, dtype=str), name='file', index=0)
        return table
