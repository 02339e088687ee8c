"""The command ``astrosieve``."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.table import Table

from astrosieve import __version__
from astrosieve.atomic import check_output
from astrosieve.exceptions import (
    AstrosieveError,
    AstrosieveWarning,
    CatalogError,
    ModelIntegrityError,
)
from astrosieve.images.exposures import Chip, root_name
from astrosieve.images.units import parse_unit
from astrosieve.models.calibration import complete_prior
from astrosieve.models.registry import list_models, load_model
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_exposure, explain_row
from astrosieve.source.finders import list_finders
from astrosieve.tables.catalogs import (
    UNSCORED,
    read_catalog,
    select_classes,
    write_catalog,
)
from astrosieve.tables.regions import write_regions

__all__ = ['main']

COMMANDS_GROUP = 'astrosieve.commands'


class _CommandGroup(click.Group):
    """Commands of the core, and those that other modules register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = {entry.name for entry in entry_points(group=COMMANDS_GROUP)}
        return sorted({*super().list_commands(ctx), *added})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for entry in entry_points(group=COMMANDS_GROUP, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return None


@click.group(cls=_CommandGroup)
@click.version_option(__version__, prog_name='astrosieve')
def main() -> None:
    """Tell what the things in astronomical images really are."""


@contextmanager
def report_warnings(name: str, seen: set[str]) -> Iterator[None]:
    """
    Say warnings on stderr in one line each, and each text once.

    Parameters
    ----------
    name : str
        What the warnings are about.
    seen : set of str
        Texts said before; new ones are added.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstrosieveWarning)
        warnings.filterwarnings('always', module='photutils')
        try:
            yield
        finally:
            for text in dict.fromkeys(str(w.message) for w in caught):
                if text not in seen:
                    seen.add(text)
                    where = '' if name in text else f'{name}: '
                    click.echo(f'warning: {where}{text}', err=True)


@dataclass(frozen=True)
class _Outputs:
    """Files to write for one image."""

    catalog: Path
    plot: Path | None
    regions: Path | None


def _in_folder(option: Path | None, images: tuple[Path, ...], flag: str) -> bool:
    """Return whether an output option names a folder."""
    if option is None:
        return False
    if len(images) > 1:
        if option.exists() and not option.is_dir():
            msg = f'{flag} must name a folder for several images; {option} is a file'
            raise click.UsageError(msg)
        return True
    return option.is_dir()


def _plan_outputs(
    images: tuple[Path, ...],
    output: Path | None,
    plot: Path | None,
    regions: Path | None,
    format: str | None,
) -> list[_Outputs]:
    """Return what to write for each image."""
    roots = [root_name(image) for image in images]
    twice = [root for root, n in Counter(roots).items() if n > 1]
    if twice:
        msg = (
            f'several images are called {twice[0]}: their catalogues would overwrite '
            'each other. Classify them one by one, with -o'
        )
        raise click.UsageError(msg)
    folders = {
        flag: _in_folder(option, images, flag)
        for flag, option in (('-o', output), ('--plot', plot), ('--regions', regions))
    }

    def place(option: Path | None, flag: str, name: str) -> Path | None:
        if option is not None and folders[flag]:
            option.mkdir(parents=True, exist_ok=True)
            return option / name
        return option

    return [
        _Outputs(
            place(output, '-o', f'{root}_sources.{format or "ecsv"}')
            or Path(f'{root}_sources.{format or "ecsv"}'),
            place(plot, '--plot', f'{root}_sources.png'),
            place(regions, '--regions', f'{root}_sources.reg'),
        )
        for root in roots
    ]


def _parse_prior(
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
            msg = f'{value!r} must be CLASS=SHARE, for instance cosmic_ray=0.8'
            raise click.BadParameter(msg)
    return prior


def _parse_columns(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, str] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(','))
    if len(names) != 2 or not all(names):
        msg = f'{value!r} must be X,Y: two names or numbers'
        raise click.BadParameter(msg)
    return names[0], names[1]


def _parse_unit(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    try:
        parse_unit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@main.command()
@click.argument(
    'images',
    nargs=-1,
    required=True,
    metavar='IMAGE...',
    type=click.Path(path_type=Path),
)
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path),
    help='File for one image, folder for several; else ROOT_sources.ecsv here.',
)
@click.option('--ext', metavar='SCI,1', help='Extension; else every SCI extension.')
@click.option(
    '--finder', default='dao', show_default=True, help='Source finder, by name.'
)
@click.option('--fwhm', type=float, help='FWHM of the PSF, pixels; else estimated.')
@click.option(
    '--nsigma',
    type=float,
    default=5.0,
    show_default=True,
    help='Detection threshold over the noise of the sky.',
)
@click.option(
    '--catalog',
    type=click.Path(path_type=Path),
    help='Classify the rows of this table (ECSV, FITS, ASCII) instead.',
)
@click.option(
    '--origin',
    type=click.Choice(['0', '0.5', '1']),
    default='0',
    show_default=True,
    help="Coordinate of the first pixel's centre in --catalog.",
)
@click.option(
    '--columns',
    metavar='X,Y',
    callback=_parse_columns,
    help='Position columns of --catalog, names or numbers from 1.',
)
@click.option(
    '--model', default='source', show_default=True, help='Model, by name or path.'
)
@click.option(
    '--operating-point', metavar='NAME', help="Threshold on p_star of the model's card."
)
@click.option(
    '--prior',
    multiple=True,
    metavar='CLASS=SHARE',
    callback=_parse_prior,
    help='Expected share of a class among the detections.',
)
@click.option(
    '--keep', multiple=True, metavar='CLASS', help='Write only rows of this class.'
)
@click.option(
    '--unit',
    callback=_parse_unit,
    help='Unit of the pixels: electron, electron/s, DN, DN/s.',
)
@click.option('--gain', type=float, metavar='E_PER_DN', help='Gain, electrons per DN.')
@click.option('--exptime', type=float, metavar='S', help='Exposure time, seconds.')
@click.option(
    '--cosmic-ray-hint/--no-cosmic-ray-hint',
    default=True,
    show_default=True,
    help='Let the cosmic-ray bits of DQ count as a hint.',
)
@click.option(
    '--plot',
    type=click.Path(path_type=Path),
    metavar='PNG',
    help='Draw the classes over the image; a folder for several images.',
)
@click.option(
    '--regions',
    type=click.Path(path_type=Path),
    metavar='REG',
    help='Write DS9 regions, a file per chip; a folder for several images.',
)
@click.option(
    '--explain',
    multiple=True,
    type=int,
    metavar='ID',
    help='Draw why this row has its class, as ROOT_explain_ID.png beside the table.',
)
@click.option(
    '--format',
    'format_',
    type=click.Choice(['ecsv', 'fits']),
    help='Format of the catalogue; else what the name of -o says, else ecsv.',
)
@click.option('--overwrite', is_flag=True, help='Replace existing files.')
def classify(
    images: tuple[Path, ...],
    output: Path | None,
    ext: str | None,
    finder: str,
    fwhm: float | None,
    nsigma: float,
    catalog: Path | None,
    origin: str,
    columns: tuple[str, str] | None,
    model: str,
    operating_point: str | None,
    prior: dict[str, float],
    keep: tuple[str, ...],
    unit: str | None,
    gain: float | None,
    exptime: float | None,
    cosmic_ray_hint: bool,
    plot: Path | None,
    regions: Path | None,
    explain: tuple[int, ...],
    format_: str | None,
    overwrite: bool,
) -> None:
    """
    Detect and classify the sources of images.

    One row per detection: positions from 0, class_name, a probability per
    class, flags.
    """
    if finder not in list_finders() and catalog is None:
        msg = f'--finder must be one of {", ".join(list_finders())}; got {finder!r}'
        raise click.UsageError(msg)
    for flag, value in (('--fwhm', fwhm), ('--nsigma', nsigma)):
        if value is not None and not 0 < value < float('inf'):
            msg = f'{flag} must be positive; got {value}'
            raise click.UsageError(msg)
    for flag, given in (('--catalog', catalog is not None), ('--explain', explain)):
        if given and len(images) > 1:
            msg = f'{flag} goes with one image'
            raise click.UsageError(msg)
    try:
        loaded = load_model(model)
        if operating_point:
            loaded.card.operating_point(operating_point)
        if prior:
            complete_prior(prior, loaded.card.class_prior)
        rows = None if catalog is None else read_catalog(catalog)
    except ModelIntegrityError as error:
        raise click.ClickException(str(error)) from error
    except (AstrosieveError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    unknown = [name for name in keep if name not in (*loaded.card.classes, UNSCORED)]
    if unknown:
        known = ', '.join((*loaded.card.classes, UNSCORED))
        msg = f'--keep {unknown[0]}: model {loaded.card.name} has {known}'
        raise click.UsageError(msg)
    options = ClassifyOptions(
        finder=finder,
        fwhm=fwhm,
        nsigma=nsigma,
        unit=unit,
        gain=gain,
        exptime=exptime,
        model=loaded,
        operating_point=operating_point,
        prior=prior,
        cosmic_ray_hint=cosmic_ray_hint,
        columns=columns,
        origin=float(origin),
    )
    plan = _plan_outputs(images, output, plot, regions, format_)

    def work(image: Path, outputs: _Outputs, say: Callable[[str], None]) -> str:
        return _classify_one(
            image,
            outputs,
            options,
            ext=ext,
            catalog=rows,
            keep=keep,
            explain=explain,
            format=format_,
            overwrite=overwrite,
            say=say,
        )

    for_each_image(images, plan, work)


def for_each_image(
    images: tuple[Path, ...],
    plan: list[Any],
    work: Callable[[Path, Any, Callable[[str], None]], str],
) -> None:
    """
    Do a piece of work for each image; exit with 1 if any of them failed.

    Parameters
    ----------
    images : tuple of `~pathlib.Path`
        Images.
    plan : list
        What ``work`` needs for each of them.
    work : callable
        Called with an image, its plan, and a function that shows what is being
        done; its answer is printed.
    """
    failed = 0
    seen: set[str] = set()
    with click.progressbar(
        length=len(images),
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        show_pos=True,
        item_show_func=lambda item: item,
    ) as bar:

        def say(text: str) -> None:
            bar.current_item = text
            bar.render_progress()

        for image, outputs in zip(images, plan, strict=True):
            say(image.name)
            try:
                with report_warnings(image.name, seen):
                    answer = work(image, outputs, say)
                click.echo(answer)
            except (AstrosieveError, ValueError, MemoryError) as error:
                failed += 1
                text = str(error) or type(error).__name__
                where = '' if image.name in text else f'{image}: '
                click.echo(f'error: {where}{text}', err=True)
            bar.update(1)
    if failed:
        if len(images) > 1:
            click.echo(f'{failed} of {len(images)} images failed', err=True)
        sys.exit(1)


def _classify_one(
    image: Path,
    outputs: _Outputs,
    options: ClassifyOptions,
    *,
    ext: str | None,
    catalog: Table | None,
    keep: tuple[str, ...],
    explain: tuple[int, ...],
    format: str | None,
    overwrite: bool,
    say: Callable[[str], None],
) -> str:
    """Classify one image, write what was asked for, return what to print."""
    panels: list[tuple[np.ndarray, Table, str]] = []
    by_chip: list[tuple[Chip, Table]] = []

    def on_chip(chip: Chip, table: Table) -> None:
        say(chip.name)
        table = select_classes(table, keep)
        if outputs.plot is not None:
            panels.append((chip.sci, table, chip.name))
        by_chip.append((chip, table))

    for path in (outputs.catalog, outputs.plot):
        if path is not None:
            check_output(path, overwrite=overwrite)
    table = classify_exposure(image, options, ext=ext, catalog=catalog, on_chip=on_chip)
    kept = select_classes(table, keep)
    write_catalog(kept, outputs.catalog, format=format, overwrite=overwrite)
    written = [outputs.catalog]
    if outputs.plot is not None:
        from astrosieve.source.plotting import overlay_figure, save_figure

        images, tables, titles = zip(*panels, strict=True)
        figure = overlay_figure(images, tables, titles)
        save_figure(figure, outputs.plot, overwrite=overwrite)
        written.append(outputs.plot)
    if outputs.regions is not None:
        for chip, part in by_chip:
            path = outputs.regions
            if len(by_chip) > 1:
                suffix = f'_{chip.extname.lower()}{chip.extver}'
                path = path.with_stem(path.stem + suffix)
            write_regions(part, path, overwrite=overwrite)
            written.append(path)
    for number in explain:
        path = outputs.catalog.with_name(f'{root_name(image)}_explain_{number}.png')
        _explain(image, table, number, options, ext=ext, path=path, overwrite=overwrite)
        written.append(path)
    return _summary(image.name, table, kept, written)


def _explain(
    image: Path,
    table: Table,
    number: int,
    options: ClassifyOptions,
    *,
    ext: str | None,
    path: Path,
    overwrite: bool,
) -> None:
    """Draw why a row has its class."""
    from astrosieve.source.plotting import explanation_figure, save_figure

    rows = np.flatnonzero(np.asarray(table['id']) == number)
    if not len(rows):
        msg = f'--explain {number}: no row has this id; there are {len(table)} rows'
        raise CatalogError(msg)
    explanation = explain_row(image, table[rows[0]], options, ext=ext)
    x, y = explanation.position
    figure = explanation_figure(
        explanation, f'{image.name}: detection {number} at ({x:.1f}, {y:.1f})'
    )
    save_figure(figure, path, overwrite=overwrite)


def _summary(name: str, table: Table, kept: Table, written: list[Path]) -> str:
    """Return one line on what was found and where it is."""
    counts = Counter(np.asarray(table['class_name'], dtype=str).tolist())
    others = sorted(set(counts) - {*CLASSES, UNSCORED})
    ordered = [n for n in (*CLASSES, *others, UNSCORED) if n in counts]
    text = f'{name}: {len(table)} detections'
    if len(table):
        text += ': ' + ', '.join(f'{counts[n]} {n}' for n in ordered)
    if len(kept) < len(table):
        text += f'; {len(kept)} kept'
        lost = counts[UNSCORED] - int((kept['class_name'] == UNSCORED).sum())
        if lost:
            text += f', {lost} unscored dropped (--keep unscored keeps them)'
    return f'{text} -> {", ".join(map(str, written))}'


@main.command()
@click.argument('name', required=False)
def models(name: str | None) -> None:
    """List the models, or print the card of one."""
    try:
        if name is not None:
            click.echo(load_model(name).card.summary())
            return
        for known in list_models():
            card = load_model(known).card
            alias = '' if card.name == known else f' (is {card.name})'
            click.echo(f'{known}{alias}: {", ".join(card.classes)}')
            click.echo(f'    {card.description}')
    except AstrosieveError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help='Folder for the catalogue and the picture; else the current one.',
)
@click.option('--overwrite', is_flag=True, help='Replace existing files.')
def demo(output: Path, overwrite: bool) -> None:
    """
    Classify a bundled, simulated exposure, and compare with its truth.

    Writes demo_flc_sources.ecsv and demo_flc_sources.png.
    """
    from astrosieve.source.demo import compare_with_truth, demo_exposure

    try:
        options = ClassifyOptions(model=load_model(), finder='peaks')
    except AstrosieveError as error:
        raise click.ClickException(str(error)) from error
    output.mkdir(parents=True, exist_ok=True)
    image = demo_exposure()
    root = root_name(image)
    plot: Path | None = output / f'{root}_sources.png'
    if find_spec('matplotlib') is None:
        click.echo("no picture: pip install 'astrosieve[plot]'", err=True)
        plot = None
    outputs = _Outputs(output / f'{root}_sources.ecsv', plot, None)

    def work(image: Path, outputs: _Outputs, say: Callable[[str], None]) -> str:
        said = _classify_one(
            image,
            outputs,
            options,
            ext=None,
            catalog=None,
            keep=(),
            explain=(),
            format='ecsv',
            overwrite=overwrite,
            say=say,
        )
        return f'{said}\n{compare_with_truth(read_catalog(outputs.catalog))}'

    for_each_image((image,), [outputs], work)
