"""The command ``astrosieve frametype``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from astrosieve.atomic import atomic_path, check_output, protected
from astrosieve.commands.base import Command
from astrosieve.commands.batch import STDOUT, Answer, delivered, run_batch, without_run
from astrosieve.commands.console import Say, console
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    format_option,
    images_argument,
    json_option,
    model_option,
    overwrite_option,
)
from astrosieve.commands.remote import Input, is_folder
from astrosieve.exceptions import AstrosieveError
from astrosieve.frametype.classify import TypedFrame, classify_file
from astrosieve.frametype.frames import list_frames
from astrosieve.frametype.night import (
    Row,
    contact_sheet,
    frame_table,
    night_rows,
    summary_lines,
)
from astrosieve.images.exposures import root_name
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import write_catalog

FILES_GROUP = 'astrosieve.frame_files'
"""Entry points that write types into files of other programs."""


@click.command(cls=Command)
@images_argument
@click.option(
    '-o',
    '--output',
    metavar='PATH',
    help="Table of all frames ('-' for standard output), or a folder for it; else "
    'NAME_frametypes.ecsv here, NAME being the first input.',
)
@click.option(
    '--summary',
    is_flag=True,
    help='Print the night, disagreements with the headers first, and write a contact '
    'sheet beside the table.',
)
@click.option(
    '--pypeit',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar='FILE',
    help='Write the types into the column frametype of this PypeIt file.',
)
@model_option('frametype')
@format_option
@overwrite_option
@json_option
@batch_options
def frametype(images: tuple[Input, ...], **given: Any) -> None:
    """
    Tell what kind of spectral frames there are: FITS files, or folders of them.

    One row per frame: bias, dark, arc, flat, science, standard or unknown, from the
    image alone; header_type is what the header says. A file of several extensions has
    a row as a whole, and one for each.
    """
    without_run('output', 'summary', 'pypeit')
    paths = _frames(images)
    first = images[0]
    if is_folder(first):
        first = first.resolve()
    target = _target(first, given['output'], given['format'] or 'ecsv')
    sheet = _sheet(first, target) if given['summary'] else None
    write_types = _writer('pypeit') if given['pypeit'] else None
    model = chosen_model(given['model'], 'frametype')
    read = [model.path, *([given['pypeit']] if given['pypeit'] else [])]
    together = console().run is None  # a run keeps each by itself
    if together:
        with protected([*paths, *read]):
            for path in (target, sheet):
                if path is not None and path != STDOUT:
                    check_output(path, overwrite=given['overwrite'])
    console().stdout_taken |= target == STDOUT
    rows: list[Row] = []
    # The summary says all of it again, in its own order.
    work = _Typing(model, quiet=given['summary'] and not console().json)
    ended: SystemExit | None = None
    try:
        run_batch(
            paths,
            [None] * len(paths),
            work.type_file,
            protect=read,
            model=model,
            collect=(lambda path, found: rows.extend(found)) if together else None,
        )
    except SystemExit as error:  # frames that could be typed are written all the same
        ended = error
    if together:
        title = f'Frames of {first.name}'
        _write(rows, model, target, sheet, title, write_types, given)
    if ended is not None:
        raise ended


def _frames(inputs: Sequence[Input]) -> list[Input]:
    """Return the files that are meant, those of folders by name."""
    paths: list[Input] = []
    for each in inputs:
        try:
            paths += list_frames(each) if is_folder(each) else [each]
        except AstrosieveError as error:
            raise click.UsageError(str(error)) from error
    return paths


def _target(first: Input, output: str | None, suffix: str) -> Path:
    """Return the table's path."""
    name = f'{root_name(first)}_frametypes.{suffix}'
    if output is None:
        return Path(name)
    path = Path(output)
    if output.endswith('/') or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return path / name
    return path


def _sheet(first: Input, target: Path) -> Path | None:
    """Return the path of the contact sheet, or None where it cannot be drawn."""
    if find_spec('matplotlib') is None:
        console().note("no contact sheet: pip install 'astrosieve[plot]'")
        return None
    if target == STDOUT:
        return Path(f'{root_name(first)}_frametypes.html')
    return target.with_suffix('.html')


def _writer(name: str) -> Any:
    found = list(entry_points(group=FILES_GROUP, name=name))
    if not found:
        msg = f'nothing here writes files of {name}; reinstall astrosieve'
        raise click.UsageError(msg)
    return found[0].load()


def _write(
    rows: Sequence[Row],
    model: Model,
    target: Path,
    sheet: Path | None,
    title: str,
    write_types: Any,
    given: dict[str, Any],
) -> None:
    """Write the night's table, and what else was asked for."""
    table = frame_table(rows, model.card.classes)
    table.meta['model'] = f'{model.card.name} {model.card.version}'
    table.meta['sha256'] = model.card.sha256
    with delivered(target) as path:
        write_catalog(table, path, format=given['format'], overwrite=given['overwrite'])
    if sheet is not None:
        with atomic_path(sheet, overwrite=given['overwrite']) as temporary:
            page = contact_sheet(rows, title)
            temporary.write_text(page, encoding='utf-8')
    if write_types is not None:
        written = write_types(given['pypeit'], table)
        console().note(f'{given["pypeit"]}: {written} types written')
    if given['summary'] and not console().json:
        console().answer('\n'.join(summary_lines(rows)))


@dataclass(frozen=True)
class _Typing:
    """What is done with each file."""

    model: Model
    quiet: bool = False

    def type_file(self, path: Path, plan: None, say: Say) -> Answer:
        """Type a file, return its rows and what to print."""
        try:
            frames = classify_file(path, self.model)
        except Exception as error:
            text = ' '.join(str(error).split()).removeprefix(f'{path}: ')
            failed = Row(path, None, text or type(error).__name__)
            return Answer(result=[failed], error=error)
        whole, rows = frames[0], night_rows(path, frames)
        text = '' if self.quiet else _line(path, whole)
        table = frame_table(rows, self.model.card.classes)
        table.remove_column('file')  # the run tells it in full
        return Answer(text, _data(path, whole), rows, table)


def _line(path: Path, frame: TypedFrame) -> str:
    text = f'{path.name}: {frame.frame_type}'
    best = max(frame.probabilities.values())
    text += f' (p = {best:.2f}, {max(frame.votes.values())} votes)'
    return text if frame.agrees else f'{text}; the header says {frame.header_type}'


def _data(path: Path, frame: TypedFrame) -> dict[str, Any]:
    return {
        'input': str(path),
        'frame_type': frame.frame_type,
        'probabilities': frame.probabilities,
        'votes': frame.votes,
        'header_type': frame.header_type,
        'agrees': frame.agrees,
    }
