"""The commands ``astrosieve classify`` and ``astrosieve demo``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.table import Table

from astrosieve.atomic import check_output
from astrosieve.classes import UNSCORED
from astrosieve.commands.batch import (
    OutputOption,
    Outputs,
    Say,
    plan_outputs,
    run_batch,
)
from astrosieve.commands.options import (
    chosen_model,
    columns_option,
    exptime_option,
    ext_option,
    format_option,
    fwhm_option,
    gain_option,
    images_argument,
    keep_option,
    model_option,
    nsigma_option,
    origin_option,
    output_folder_option,
    output_option,
    overwrite_option,
    prior_option,
    unit_option,
)
from astrosieve.exceptions import CatalogError
from astrosieve.images.exposures import Chip, root_name
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_exposure, explain_row
from astrosieve.source.finders import list_finders
from astrosieve.tables.catalogs import read_catalog, select_classes, write_catalog
from astrosieve.tables.regions import write_regions


@click.command()
@images_argument
@output_option('ROOT_sources.ecsv')
@ext_option
@click.option(
    '--finder', default='dao', show_default=True, help='Source finder, by name.'
)
@fwhm_option
@nsigma_option
@click.option(
    '--catalog',
    type=click.Path(path_type=Path),
    help='Classify the rows of this table (ECSV, FITS, ASCII) instead.',
)
@origin_option
@columns_option
@model_option('source')
@click.option(
    '--operating-point', metavar='NAME', help="Threshold on p_star of the model's card."
)
@prior_option
@keep_option('all')
@unit_option
@gain_option
@exptime_option
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
@format_option
@overwrite_option
def classify(images: tuple[Path, ...], **given: Any) -> None:
    """
    Detect and classify the sources of images.

    One row per detection: positions from 0, class_name, a probability per
    class, flags.
    """
    if given['finder'] not in list_finders() and given['catalog'] is None:
        known = ', '.join(list_finders())
        msg = f'--finder must be one of {known}; got {given["finder"]!r}'
        raise click.UsageError(msg)
    for flag, one in (('--catalog', given['catalog']), ('--explain', given['explain'])):
        if one and len(images) > 1:
            msg = f'{flag} goes with one image'
            raise click.UsageError(msg)
    model = chosen_model(
        given['model'],
        'source',
        operating_point=given['operating_point'],
        prior=given['prior'],
        keep=given['keep'],
    )
    options = ClassifyOptions(
        model=model,
        origin=float(given['origin']),
        **{
            name: given[name]
            for name in (
                'finder', 'fwhm', 'nsigma', 'unit', 'gain', 'exptime',
                'operating_point', 'prior', 'cosmic_ray_hint', 'columns',
            )
        },
    )  # fmt: skip
    asked = _Asked(
        options,
        catalog=_given_rows(given['catalog']),
        **{name: given[name] for name in ('ext', 'keep', 'explain', 'format')},
        overwrite=given['overwrite'],
    )
    plan = plan_outputs(
        images,
        [
            OutputOption(
                '-o',
                given['output'],
                f'_sources.{given["format"] or "ecsv"}',
                always=True,
            ),
            OutputOption('--plot', given['plot'], '_sources.png'),
            OutputOption('--regions', given['regions'], '_sources.reg'),
        ],
    )
    run_batch(images, plan, asked.classify)


def _given_rows(path: Path | None) -> Table | None:
    try:
        return None if path is None else read_catalog(path)
    except CatalogError as error:
        raise click.UsageError(str(error)) from error


@dataclass(frozen=True)
class _Asked:
    """What is done with each image."""

    options: ClassifyOptions
    ext: str | None = None
    catalog: Table | None = None
    keep: tuple[str, ...] = ()
    explain: tuple[int, ...] = ()
    format: str | None = None
    overwrite: bool = False

    def classify(self, image: Path, outputs: Outputs, say: Say) -> str:
        """Classify one image, write what was asked for, return what to print."""
        by_chip: list[tuple[Chip, Table]] = []

        def on_chip(chip: Chip, table: Table) -> None:
            say(chip.name)
            by_chip.append((chip, select_classes(table, self.keep)))

        target, plot, regions = (outputs[f] for f in ('-o', '--plot', '--regions'))
        assert target is not None  # it is always written
        for path in (target, plot):
            if path is not None:
                check_output(path, overwrite=self.overwrite)
        table = classify_exposure(
            image, self.options, ext=self.ext, catalog=self.catalog, on_chip=on_chip
        )
        kept = select_classes(table, self.keep)
        write_catalog(kept, target, format=self.format, overwrite=self.overwrite)
        written = [target]
        if plot is not None:
            self._draw(by_chip, plot)
            written.append(plot)
        if regions is not None:
            written += self._write_regions(by_chip, regions)
        for number in self.explain:
            path = target.with_name(f'{root_name(image)}_explain_{number}.png')
            self._explain(image, table, number, path)
            written.append(path)
        return _summary(image.name, table, kept, written)

    def _draw(self, by_chip: list[tuple[Chip, Table]], path: Path) -> None:
        from astrosieve.figures import save_figure
        from astrosieve.source.plotting import overlay_figure

        figure = overlay_figure(
            [chip.sci for chip, _ in by_chip],
            [table for _, table in by_chip],
            [chip.name for chip, _ in by_chip],
        )
        save_figure(figure, path, overwrite=self.overwrite)

    def _write_regions(
        self, by_chip: list[tuple[Chip, Table]], path: Path
    ) -> list[Path]:
        """Write a file of regions per chip; return their paths."""
        paths = [
            path.with_stem(f'{path.stem}_{chip.extname.lower()}{chip.extver}')
            if len(by_chip) > 1
            else path
            for chip, _ in by_chip
        ]
        for each, (_, table) in zip(paths, by_chip, strict=True):
            write_regions(table, each, CLASSES, overwrite=self.overwrite)
        return paths

    def _explain(self, image: Path, table: Table, number: int, path: Path) -> None:
        """Draw why a row has its class."""
        from astrosieve.figures import save_figure
        from astrosieve.source.plotting import explanation_figure

        rows = np.flatnonzero(np.asarray(table['id']) == number)
        if not len(rows):
            msg = f'--explain {number}: no row has this id; there are {len(table)} rows'
            raise CatalogError(msg)
        explanation = explain_row(image, table[rows[0]], self.options, ext=self.ext)
        x, y = explanation.position
        figure = explanation_figure(
            explanation, f'{image.name}: detection {number} at ({x:.1f}, {y:.1f})'
        )
        save_figure(figure, path, overwrite=self.overwrite)


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
@output_folder_option('the catalogue and the picture')
@overwrite_option
def demo(output: Path, overwrite: bool) -> None:
    """
    Classify a bundled, simulated exposure, and compare with its truth.

    Writes demo_flc_sources.ecsv and demo_flc_sources.png.
    """
    from astrosieve.source.demo import compare_with_truth, demo_exposure

    asked = _Asked(
        ClassifyOptions(model=chosen_model('source', 'source'), finder='peaks'),
        format='ecsv',
        overwrite=overwrite,
    )
    output.mkdir(parents=True, exist_ok=True)
    image = demo_exposure()
    table = output / f'{root_name(image)}_sources.ecsv'
    plot: Path | None = table.with_suffix('.png')
    if find_spec('matplotlib') is None:
        click.echo("no picture: pip install 'astrosieve[plot]'", err=True)
        plot = None

    def work(image: Path, outputs: Outputs, say: Say) -> str:
        said = asked.classify(image, outputs, say)
        return f'{said}\n{compare_with_truth(read_catalog(table))}'

    run_batch([image], [{'-o': table, '--plot': plot, '--regions': None}], work)
