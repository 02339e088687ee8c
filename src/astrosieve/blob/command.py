"""The command ``astrosieve blobs``."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.table import Table, vstack

from astrosieve.atomic import check_output
from astrosieve.blob.badpixels import write_bad_pixels
from astrosieve.blob.exposures import Examined, examine, read_known, write_difference
from astrosieve.blob.frames import N_REFERENCES, Frame, read_frame
from astrosieve.blob.log import Log
from astrosieve.blob.plotting import blob_figure, write_circles
from astrosieve.blob.regress import Regression
from astrosieve.blob.watch import Watch
from astrosieve.commands.base import Command
from astrosieve.commands.batch import (
    STDOUT,
    Answer,
    OutputOption,
    Outputs,
    delivered,
    plan_outputs,
    run_batch,
    without_existing,
    without_run,
)
from astrosieve.commands.console import Say, as_options, console
from astrosieve.commands.folders import changes
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    format_option,
    input_files,
    json_option,
    model_option,
    optional_images_argument,
    output_option,
    overwrite_option,
    skip_existing_option,
)
from astrosieve.commands.remote import Input, Remote, is_folder
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, CatalogError
from astrosieve.figures import require_matplotlib, save_figure
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import write_catalog

_REFERENCE = '--reference'


class _Command(Command):
    """A command whose option ``--reference`` takes all that follows it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        following = False
        for word in args:
            if following and not word.startswith('-'):
                spread += [_REFERENCE, word]
                continue
            following = word == _REFERENCE
            if not following:
                spread.append(word)
        if args and args[-1] == _REFERENCE:
            spread.append(_REFERENCE)  # for the message that its value is missing
        return super().parse_args(ctx, spread)


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Return a time as MJD."""
    if value is None:
        return -math.inf
    from astropy.time import Time

    try:
        return float(value)
    except ValueError:
        pass
    try:
        return float(Time(value).mjd)
    except ValueError as error:
        msg = f'{value!r} must be a time as 2021-03-01, 2021-03-01T12:00 or an MJD'
        raise click.BadParameter(msg) from error


def _references(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Path, ...]:
    """Return the references that are meant, of folders the FITS files."""
    paths: list[Path] = []
    for path in input_files(ctx, param, values):
        if isinstance(path, Remote):
            msg = f'{path}: references must be files of this machine'
            raise click.BadParameter(msg)
        inside = sorted(path.glob('*.fit*')) if path.is_dir() else [path]
        if not inside:
            msg = f'{path}: no FITS file is in this folder'
            raise click.BadParameter(msg)
        paths += inside
    return tuple(paths)


def _file(help: str, name: str, *, exists: bool = False) -> Any:
    kind = click.Path(path_type=Path, exists=exists, dir_okay=False)
    return click.option(f'--{name}', type=kind, metavar='FILE', help=help)


@click.command(cls=_Command)
@optional_images_argument
@click.option(
    _REFERENCE,
    multiple=True,
    callback=_references,
    metavar='REF...',
    help='Images before these: files, folders, @LISTs; all that follows the option. '
    'Without it the images are differences.',
)
@click.option(
    '--references',
    'n_references',
    type=click.IntRange(min=1),
    default=N_REFERENCES,
    show_default=True,
    metavar='N',
    help='How many of them to take, the last before an image.',
)
@output_option('ROOT_blobs.ecsv')
@_file('Table of blobs that are not to be found again.', 'known', exists=True)
@model_option('blob')
@click.option(
    '--plot', metavar='FILE', help='Draw the blobs; a folder for several images.'
)
@click.option(
    '--regions',
    metavar='REG',
    help='Write DS9 circles; a folder for several images.',
)
@click.option(
    '--save-difference',
    metavar='FITS',
    help='Write the difference image; a folder for several.',
)
@_file('Write found and known blobs as a bad-pixel table, DQ 512.', 'bad-pixels')
@_file('Bad-pixel table whose other pixels go into it.', 'add-to', exists=True)
@click.option(
    '--watch',
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar='FOLDER',
    help='Look at each image that arrives there, and report each new blob once. -o is '
    'the folder of the log and the pages; else NAME_blobs here.',
)
@click.option(
    '--since',
    callback=_since,
    metavar='TIME',
    help='Begin with images of this time; with a folder in place of images: look once, '
    'as cron does.',
)
@click.option(
    '--every',
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar='S',
    help='Seconds after which --watch looks again at the latest.',
)
@click.option(
    '--notify',
    metavar='CMD',
    help='Command that gets each new blob as JSON on its standard input.',
)
@_file(
    'Table of known blobs that must be found: completeness and false blobs.',
    'regress',
    exists=True,
)
@format_option
@overwrite_option
@skip_existing_option
@json_option
@batch_options
def blobs(images: tuple[Input, ...], **given: Any) -> None:
    """
    Find new blobs of WFC3/IR: where, how large, how deep.

    IMAGE is a difference image, (reference - image) / reference, or an image with
    others before it after --reference. One row per blob: positions from 0, radius,
    depth, p_blob, the subframe of 256x256 pixels, errors.
    """
    without_run('bad_pixels', 'regress', 'watch', 'since')
    watched = _watched(images, given)
    if watched is None and not images and not given['bad_pixels']:
        raise click.UsageError("Missing argument 'IMAGE...'.")
    if given['add_to'] and not given['bad_pixels']:
        raise click.UsageError('--add-to goes with --bad-pixels')
    known = _known(given['known'])
    if watched is None and not images:
        _only_known(known, given)
        return
    model = chosen_model(given['model'], 'blob')
    if watched is not None:
        _watch(watched, known, model, given)
    elif given['regress']:
        _regress(images, model, given)
    else:
        _find(images, known, model, given)


def _watched(images: Sequence[Input], given: dict[str, Any]) -> Path | None:
    """Return the folder that is to be watched, or looked at once."""
    once = given['since'] > -math.inf and given['watch'] is None
    if not once and given['watch'] is None:
        if given['notify']:
            raise click.UsageError('--notify goes with --watch or --since')
        return None
    folders = [image for image in images if is_folder(image)]
    if once and not (len(folders) == len(images) == 1):
        raise click.UsageError('--since goes with one folder, or with --watch')
    if not once and images:
        msg = f'--watch {given["watch"]} looks at its folder; leave out {images[0]}'
        raise click.UsageError(msg)
    for name in ('plot', 'regions', 'save_difference', 'bad_pixels', 'regress'):
        if given[name]:
            flag = f'--{name.replace("_", "-")}'
            raise click.UsageError(f'{flag} does not go with --watch and --since')
    return folders[0] if once else given['watch']


def _known(path: Path | None) -> Table | None:
    try:
        return None if path is None else read_known(path)
    except CatalogError as error:
        raise click.UsageError(str(error)) from error


def _only_known(known: Table | None, given: dict[str, Any]) -> None:
    """Write the known blobs as a bad-pixel table."""
    if known is None:
        raise click.UsageError('--bad-pixels without images needs --known')
    console().answer(*_bad_pixels([known], given))


def _bad_pixels(
    tables: Sequence[Table], given: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Write blobs as a bad-pixel table; return what to print."""
    path = given['bad_pixels']
    lacking = [each for each in tables if 'radius' not in each.colnames]
    if lacking:
        msg = '--bad-pixels: the table of known blobs has no column radius'
        raise click.UsageError(msg)
    plain = [
        Table({n: np.asarray(t[n], float) for n in ('x', 'y', 'radius')})
        for t in tables
    ]
    together = vstack(plain)
    dates = [t.meta['mjd'] for t in tables if 'mjd' in t.meta]
    pixels = write_bad_pixels(
        together,
        path,
        base=given['add_to'],
        use_after=min(dates, default=None),
        overwrite=given['overwrite'],
    )
    return (
        f'{len(together)} blobs, {pixels} pixels of DQ 512 -> {path}',
        {'blobs': len(together), 'pixels': pixels, 'written': [str(path)]},
    )


# Images


@dataclass
class _Asked:
    """What is done with each image."""

    model: Model
    known: Table | None
    references: tuple[Path, ...]
    n_references: int
    format: str | None = None
    overwrite: bool = False

    @cached_property
    def candidates(self) -> list[Frame]:
        """The references, read once; what cannot be read is said and left out."""
        frames = []
        for path in self.references:
            try:
                frames.append(read_frame(path))
            except AstrosieveError as error:
                msg = f'{error}; left out of the references'
                warnings.warn(msg, AstrosieveWarning, stacklevel=2)
        return frames

    def examined(self, path: Path) -> Examined:
        """Look for blobs in an image."""
        return examine(
            read_frame(path),
            self.candidates if self.references else None,
            model=self.model,
            known=self.known,
            n_references=self.n_references,
        )

    def held_against(self, image: Path, truth: Table, say: Say) -> Answer:
        """Look for blobs, and hold them against those that are known."""
        found = self.examined(image)
        regression = Regression(truth)
        regression.add(found)
        wrong = len(regression.false)
        return Answer(
            f'{image.name}: {len(found.blobs)} blobs, {wrong} of them false',
            {'input': str(image), 'blobs': len(found.blobs), 'false': wrong},
            regression,
        )

    def work(self, image: Path, outputs: Outputs, say: Say) -> Answer:
        """Look for blobs, write what was asked for, return what to print."""
        target = outputs['-o'] or STDOUT
        files = [
            target,
            *(path for flag, path in outputs.items() if path and flag != '-o'),
        ]
        for path in files:
            if path != STDOUT:
                check_output(path, overwrite=self.overwrite)
        found = self.examined(image)
        table, difference = found.table, found.difference
        figure = None
        if outputs['--plot']:
            figure = blob_figure(
                difference.data,
                difference.noise,
                found.blobs,
                known=self.known,
                title=image.name,
            )
        with delivered(target) as path:
            write_catalog(table, path, format=self.format, overwrite=self.overwrite)
        if figure is not None:
            save_figure(figure, outputs['--plot'] or '', overwrite=self.overwrite)
        if outputs['--regions']:
            write_circles(table, outputs['--regions'], overwrite=self.overwrite)
        if outputs['--save-difference']:
            where = outputs['--save-difference']
            write_difference(found, where, overwrite=self.overwrite)
        answer = _answer(image, found, table, files)
        return replace(answer, result=found.blobs, rows=table)


def _answer(
    image: Path, found: Examined, table: Table, files: Sequence[Path]
) -> Answer:
    """Say what was found and where it is."""
    difference = found.difference
    written = [str(path) for path in files]
    lines = [
        f'{image.name}: {len(table)} blob{"" if len(table) == 1 else "s"} -> '
        f'{", ".join(written)}'
    ]
    rows = [
        {
            name: round(float(row[name]), 4)
            for name in ('x', 'y', 'radius', 'depth', 'p_blob')
        }
        for row in table
    ]
    lines += [
        f'  x {row["x"]:7.1f}  y {row["y"]:7.1f}  radius {row["radius"]:4.1f}  '
        f'depth {100 * row["depth"]:4.1f} %  p {row["p_blob"]:.3f}'
        for row in rows
    ]
    data = {
        'input': str(image),
        'blobs': rows,
        'references': difference.n_references,
        'noise': difference.noise,
        'shift': list(difference.shift),
        'warnings': as_options(table.meta.get('warnings', '')),
        'written': written,
    }
    return Answer('\n'.join(lines), data)


def _find(
    images: tuple[Input, ...], known: Table | None, model: Model, given: dict[str, Any]
) -> None:
    """Look for blobs in images."""
    if given['plot']:
        require_matplotlib()
    asked = _Asked(
        model,
        known,
        given['reference'],
        given['n_references'],
        format=given['format'],
        overwrite=given['overwrite'],
    )
    suffix = f'_blobs.{given["format"] or "ecsv"}'
    plan = plan_outputs(
        images,
        [
            OutputOption('-o', given['output'], suffix, always=True),
            OutputOption('--plot', given['plot'], '_blobs.png'),
            OutputOption('--regions', given['regions'], '_blobs.reg'),
            OutputOption(
                '--save-difference', given['save_difference'], '_difference.fits'
            ),
        ],
    )
    left: Sequence[Input] = images
    if given['skip_existing']:
        left, plan = without_existing(images, plan)
    if given['bad_pixels']:
        check_output(given['bad_pixels'], overwrite=given['overwrite'])
    read = [given['known'], given['add_to'], *given['reference']]
    tables: list[Table] = []
    run_batch(
        left,
        plan,
        asked.work,
        protect=[path for path in read if path],
        model=model,
        collect=lambda image, blobs: tables.append(blobs),
    )
    if given['bad_pixels']:
        tables += [] if known is None else [known]
        console().answer(*_bad_pixels(tables, given))


# Regression


def _regress(images: tuple[Input, ...], model: Model, given: dict[str, Any]) -> None:
    """Hold what is found in an archive against a table; exit with 1 if it fails."""
    truth = _known(given['regress'])
    assert truth is not None
    asked = _Asked(
        model,
        None,
        given['reference'],
        given['n_references'],
    )
    regression = Regression(truth)
    target = Path(given['output'] or f'{given["regress"].stem}_regress.ecsv')
    if target != STDOUT:
        check_output(target, overwrite=given['overwrite'])
    console().stdout_taken |= target == STDOUT
    ended: SystemExit | None = None
    read = [given['regress'], *given['reference']]
    try:
        run_batch(
            images,
            [truth] * len(images),
            asked.held_against,
            protect=filter(None, read),
            model=model,
            collect=lambda image, one: regression.join(one),
        )
    except SystemExit as error:  # what could be looked at is written all the same
        ended = error
    with delivered(target) as path:
        write_catalog(
            regression.table, path, format=given['format'], overwrite=given['overwrite']
        )
    for name, x, y, p in regression.false:
        console().detail(f'{name}: false blob at ({x:.1f}, {y:.1f}), p = {p:.3f}')
    checks = regression.checks()
    for text, holds in checks:
        line = f'{"holds" if holds else "FAILS"}: {text}'
        if ended is not None:  # the answers have been given
            console().note(line)
        else:
            console().answer(line, {'check': text, 'holds': holds})
    if ended is not None:
        raise ended
    if not all(holds for _, holds in checks):
        console().finish()
        raise click.exceptions.Exit(1)


# The watch


def _watch(
    folder: Path, known: Table | None, model: Model, given: dict[str, Any]
) -> None:
    """Watch a folder, or look at it once."""
    said = console()
    lines, said.json = said.json, False
    name = folder.resolve().name
    output = Path(given['output'] or f'{name}_blobs')
    output.mkdir(parents=True, exist_ok=True)
    counts = {'new': 0}

    def report(event: dict[str, Any]) -> None:
        counts['new'] += 1
        said.stdout_taken = False
        text = json.dumps(event) if lines else _event_line(event)
        click.echo(text)

    with Log(output) as log:
        watch = Watch(
            folder,
            output,
            log,
            report=report,
            trouble=lambda path, text: said.error(text, about=str(path)),
            model=model,
            known=known,
            references=given['reference'],
            n_references=given['n_references'],
            since=given['since'],
            notify=given['notify'],
        )
        if given['watch'] is None:
            with said.warnings_of():
                failed = watch.scan(wait=True)
            if failed:
                said.note(f'{failed} images could not be looked at')
                raise click.exceptions.Exit(1)
            return
        try:
            for _ in changes(folder, given['every']):
                with said.warnings_of():
                    watch.scan()
        except (KeyboardInterrupt, SystemExit):
            said.note(f'ended; {counts["new"]} new blobs were reported')


def _event_line(event: dict[str, Any]) -> str:
    return (
        f'new blob {event["id"]} in {event["file"]}: x {event["x"]:.1f}, '
        f'y {event["y"]:.1f}, radius {event["radius"]:.1f}, depth '
        f'{100 * event["depth"]:.1f} %, p = {event["p_blob"]:.3f}'
    )
