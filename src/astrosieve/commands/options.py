"""Arguments and options that commands share, each said once."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from astrosieve.classes import UNSCORED
from astrosieve.commands.console import Console
from astrosieve.commands.remote import Input, Remote, is_url, remote_files
from astrosieve.exceptions import AstrosieveError, ModelIntegrityError
from astrosieve.images.units import parse_unit
from astrosieve.models.registry import Model, load_model
from astrosieve.tables.catalogs import TABLE_FORMATS, read_catalog

__all__ = [
    'batch_options',
    'chosen_model',
    'columns_option',
    'exptime_option',
    'ext_option',
    'format_option',
    'fwhm_option',
    'gain_option',
    'images_argument',
    'input_files',
    'json_option',
    'keep_option',
    'model_option',
    'nsigma_option',
    'optional_images_argument',
    'origin_option',
    'output_folder_option',
    'output_option',
    'overwrite_option',
    'prior_option',
    'skip_existing_option',
    'unit_option',
]


_MANIFESTS = ('.csv', '.ecsv', '.parquet', '.vot')
_FILE_COLUMNS = ('file', 'path', 'url', 'uri', 'name')


def batch_options(command: Any) -> Any:
    """Add the options that say how a command works on many inputs."""
    for option in reversed(_BATCH_OPTIONS):
        command = option(command)
    return command


def _positive(
    ctx: click.Context, param: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not 0 < value < float('inf'):
        msg = f'{param.opts[0]} must be positive; got {value}'
        raise click.UsageError(msg)
    return value


def _prior(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    prior = {}
    for value in values:
        name, equals, share = value.partition('=')
        try:
            prior[name.strip()] = float(share)
        except ValueError:
            equals = ''
        if not equals:
            msg = f'{value!r} must be CLASS=SHARE, a class of the model and a number'
            raise click.BadParameter(msg)
    return prior


def _columns(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, str] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(','))
    if len(names) != 2 or not all(names):
        msg = f'{value!r} must be X,Y: two names or numbers'
        raise click.BadParameter(msg)
    return names[0], names[1]


def _unit(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        parse_unit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


def input_files(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Input, ...]:
    """Return the files that are meant: @LIST names them in a file, - is stdin."""
    paths: list[Input] = []
    for value in values:
        if is_url(value):
            paths += _remote(value)
        elif value == '-':
            paths.append(_stdin(ctx))
        elif value.startswith('@') and not Path(value).exists():
            paths += _listed(Path(value[1:]))
        else:
            paths.append(Path(value))
    if values and not paths:
        msg = f'{" ".join(values)} names no file'
        raise click.BadParameter(msg)
    return tuple(paths)


def _remote(url: str) -> list[Remote]:
    try:
        return remote_files(url)
    except AstrosieveError as error:
        raise click.BadParameter(str(error)) from error


def _listed(path: Path) -> list[Input]:
    """Return the files that a list or a table names, seen from where it is."""
    if path.name.lower().endswith(_MANIFESTS):
        names = _named(path)
    else:
        names = _lines(path)
    return [Remote(name) if is_url(name) else path.parent / name for name in names]


def _named(path: Path) -> list[str]:
    """Return the files that a table names."""
    try:
        table = read_catalog(path)
    except AstrosieveError as error:
        raise click.BadParameter(f'@{error}') from error
    columns = [name for name in _FILE_COLUMNS if name in table.colnames]
    if not columns:
        msg = f'@{path}: none of its columns is {", ".join(_FILE_COLUMNS)}'
        raise click.BadParameter(msg)
    return [str(name) for name in table[columns[0]]]


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f'@{path}: no list of files can be read from it ({error})'
        raise click.BadParameter(msg) from error
    names = [line.strip() for line in lines]
    return [name for name in names if name and name[0] != '#']


def _stdin(ctx: click.Context) -> Path:
    """Return a file with what standard input holds, there as long as the command."""
    folder = ctx.with_resource(tempfile.TemporaryDirectory(prefix='astrosieve-'))
    path = Path(folder) / 'stdin.fits'
    path.write_bytes(sys.stdin.buffer.read())
    return path


images_argument = click.argument(
    'images', nargs=-1, required=True, metavar='IMAGE...', callback=input_files
)
optional_images_argument = click.argument(
    'images', nargs=-1, metavar='[IMAGE...]', callback=input_files
)
ext_option = click.option(
    '--ext',
    multiple=True,
    metavar='SCI,1',
    help='Extension by name or number, or all; else every SCI extension.',
)
fwhm_option = click.option(
    '--fwhm',
    type=float,
    callback=_positive,
    help="FWHM of the PSF as the pixels see it, pixels; weighed with the stars' own.",
)
nsigma_option = click.option(
    '--nsigma',
    type=float,
    default=5.0,
    show_default=True,
    callback=_positive,
    help='Detection threshold over the noise of the sky.',
)
unit_option = click.option(
    '--unit',
    callback=_unit,
    help='Unit of the pixels: electron, electron/s, DN, DN/s.',
)
gain_option = click.option(
    '--gain',
    type=float,
    callback=_positive,
    metavar='E_PER_DN',
    help='Gain, electrons per DN.',
)
exptime_option = click.option(
    '--exptime',
    type=float,
    callback=_positive,
    metavar='S',
    help='Exposure time, seconds.',
)
prior_option = click.option(
    '--prior',
    multiple=True,
    metavar='CLASS=SHARE',
    callback=_prior,
    help='Expected share of a class in what is classified.',
)
origin_option = click.option(
    '--origin',
    type=click.Choice(['0', '0.5', '1']),
    help="Coordinate of the first pixel's centre in --catalog; else what its columns "
    'say, else 0.',
)
columns_option = click.option(
    '--columns',
    metavar='X,Y',
    callback=_columns,
    help='Position columns of --catalog, names or numbers from 1.',
)
format_option = click.option(
    '--format',
    type=click.Choice(list(TABLE_FORMATS)),
    help='Format of the table; else what the name of -o says, else ecsv.',
)
skip_existing_option = click.option(
    '--skip-existing', is_flag=True, help='Leave out images whose result is there.'
)


def _to_console(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        setattr(ctx.ensure_object(Console), str(param.name), value)


_BATCH_OPTIONS = (
    click.option(
        '--jobs',
        type=click.IntRange(min=1),
        metavar='N',
        expose_value=False,
        callback=_to_console,
        help='Work on N images at once, each in a process of its own; 1 in this one. '
        'Else on as many as cores and memory allow, where that pays.',
    ),
    click.option(
        '--time-limit',
        type=click.FloatRange(min=0, min_open=True),
        metavar='S',
        expose_value=False,
        callback=_to_console,
        help='Give up an image after S seconds, and go on with the others.',
    ),
    click.option(
        '--scheduler',
        metavar='ADDRESS',
        expose_value=False,
        callback=_to_console,
        help='Work on the workers of this Dask scheduler: its address, or its JSON '
        'file.',
    ),
    click.option(
        '--run',
        type=click.Path(path_type=Path, file_okay=False),
        metavar='FOLDER',
        expose_value=False,
        callback=_to_console,
        help='Keep all in this folder: tables, one data set of all rows, a log, a '
        'summary page. Called again, goes on where it ended.',
    ),
)


def _json(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Console).json = True


json_option = click.option(
    '--json',
    is_flag=True,
    expose_value=False,
    callback=_json,
    help='Print the summary as JSON.',
)
overwrite_option = click.option(
    '--overwrite', is_flag=True, help='Replace existing files.'
)


def model_option(default: str) -> Any:
    """Return the option ``--model``, with a task's own model as its default."""
    return click.option(
        '--model', default=default, show_default=True, help='Model, by name or path.'
    )


def keep_option(otherwise: str) -> Any:
    """Return the option ``--keep``, which says what is kept where it is not given."""
    return click.option(
        '--keep',
        multiple=True,
        metavar='CLASS',
        help=f'Keep only rows of this class; else {otherwise}.',
    )


def output_option(name: str) -> Any:
    """Return the option ``-o`` of a command that writes a file for each image."""
    return click.option(
        '-o',
        '--output',
        metavar='PATH',
        help=f"File for one image ('-' for standard output), folder for several; "
        f'else {name} here.',
    )


def output_folder_option(what: str) -> Any:
    """Return the option ``-o`` of a command that writes several files."""
    return click.option(
        '-o',
        '--output',
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        help=f'Folder for {what}; else the current one.',
    )


def chosen_model(
    name: str,
    task: str,
    *,
    operating_point: str | None = None,
    prior: Mapping[str, float] | None = None,
    keep: tuple[str, ...] = (),
) -> Model:
    """
    Load the model of a command and hold its options against the card.

    Parameters
    ----------
    name : str
        Name or path.
    task : str
        What the command does.
    operating_point, prior, keep
        As the options give them.

    Returns
    -------
    model : `~astrosieve.models.registry.Model`

    Raises
    ------
    UsageError
        If there is no such model, or it lacks what is asked.
    ClickException
        If its files are damaged.
    """
    try:
        model = load_model(name, task=task)
        if operating_point:
            model.card.operating_point(operating_point)
        if prior:
            model.card.complete_prior(prior)
    except ModelIntegrityError as error:
        raise click.ClickException(str(error)) from error
    except (AstrosieveError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    known = (*model.card.classes, UNSCORED)
    unknown = [each for each in keep if each not in known]
    if unknown:
        listed = ', '.join(known)
        msg = f'--keep {unknown[0]}: model {model.card.name} has {listed}'
        raise click.UsageError(msg)
    return model
