"""The commands ``astrosieve classify`` and ``astrosieve demo``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
from astropy.table import Table

from astrosieve.atomic import check_output
from astrosieve.classes import UNSCORED
from astrosieve.commands.batch import for_each_image, in_folder
from astrosieve.commands.options import parse_columns, parse_prior, parse_unit_option
from astrosieve.exceptions import AstrosieveError, CatalogError, ModelIntegrityError
from astrosieve.images.exposures import Chip, root_name
from astrosieve.models.calibration import complete_prior
from astrosieve.models.registry import load_model
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_exposure, explain_row
from astrosieve.source.finders import list_finders
from astrosieve.tables.catalogs import read_catalog, select_classes, write_catalog
from astrosieve.tables.regions import write_regions


@dataclass(frozen=True)
class _Outputs:
    """Files to write for one image."""

    catalog: Path
    plot: Path | None
    regions: Path | None


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
        flag: in_folder(option, images, flag)
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


@click.command()
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
    callback=parse_columns,
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
    callback=parse_prior,
    help='Expected share of a class among the detections.',
)
@click.option(
    '--keep', multiple=True, metavar='CLASS', help='Write only rows of this class.'
)
@click.option(
    '--unit',
    callback=parse_unit_option,
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
        from astrosieve.figures import save_figure
        from astrosieve.source.plotting import overlay_figure

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
            write_regions(part, path, CLASSES, overwrite=overwrite)
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
    from astrosieve.figures import save_figure
    from astrosieve.source.plotting import explanation_figure

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
    text = f'{name}: {len(table)} detections'
    if len(table):
        text += ': ' + ', '.join(f'{counts[n]} {n}' for n in CLASSES.ordered(counts))
    if len(kept) < len(table):
        text += f'; {len(kept)} kept'
        lost = counts[UNSCORED] - int((kept['class_name'] == UNSCORED).sum())
        if lost:
            text += f', {lost} unscored dropped (--keep unscored keeps them)'
    return f'{text} -> {", ".join(map(str, written))}'


@click.command()
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
