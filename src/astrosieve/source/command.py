"""The commands ``astrosieve classify`` and ``astrosieve demo``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from astropy.table import Table

from astrosieve.atomic import check_output
from astrosieve.classes import UNSCORED
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
)
from astrosieve.commands.console import Say, as_options, console
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    columns_option,
    exptime_option,
    ext_option,
    format_option,
    fwhm_option,
    gain_option,
    images_argument,
    json_option,
    keep_option,
    model_option,
    nsigma_option,
    origin_option,
    output_folder_option,
    output_option,
    overwrite_option,
    prior_option,
    skip_existing_option,
    unit_option,
)
from astrosieve.commands.remote import Input
from astrosieve.exceptions import CatalogError
from astrosieve.figures import require_matplotlib, save_figure
from astrosieve.images.exposures import Chip, list_chips, root_name
from astrosieve.images.mosaic import arrange
from astrosieve.pages import save_page
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_exposure, explain_row
from astrosieve.source.options import check_finder, finder_option
from astrosieve.tables.catalogs import (
    position_columns,
    read_catalog,
    select_classes,
    write_catalog,
)
from astrosieve.tables.regions import write_regions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@click.command(cls=Command)
@images_argument
@output_option('ROOT_sources.ecsv')
@ext_option
@finder_option
@fwhm_option
@nsigma_option
@click.option(
    '--saturated/--no-saturated',
    default=True,
    show_default=True,
    help='Give saturated stars a row each, which finders miss.',
)
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
    metavar='FILE',
    help='Draw the classes over the image: PNG, PDF, SVG, or a page to pan and zoom '
    '(.html), as the name says; a folder for several images.',
)
@click.option(
    '--regions',
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
@skip_existing_option
@json_option
@batch_options
def classify(images: tuple[Input, ...], **given: Any) -> None:
    """
    Detect and classify the sources of images.

    One row per detection: positions from 0, class_name, a probability per
    class, flags.
    """
    if given['catalog'] is None:
        check_finder(given['finder'])
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
        origin=None if given['origin'] is None else float(given['origin']),
        **{
            name: given[name]
            for name in (
                'finder', 'fwhm', 'nsigma', 'saturated', 'unit', 'gain', 'exptime',
                'operating_point', 'prior', 'cosmic_ray_hint', 'columns',
            )
        },
    )  # fmt: skip
    if given['explain'] or (given['plot'] and not _is_page(given['plot'])):
        require_matplotlib()
    rows = _given_rows(given['catalog'])
    if rows is not None:
        x, y, counted_from = _columns_of(rows, options)
        console().note(
            f'{given["catalog"]}: positions from {x}, {y}, the first pixel at '
            f'{counted_from:g}'
        )
    asked = _Asked(
        options,
        catalog=rows,
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
    left: Sequence[Input] = images
    if given['skip_existing']:
        left, plan = without_existing(images, plan)
    read = [] if given['catalog'] is None else [given['catalog']]
    run_batch(left, plan, asked.classify, protect=read, model=model)


def _given_rows(path: Path | None) -> Table | None:
    try:
        return None if path is None else read_catalog(path)
    except CatalogError as error:
        raise click.UsageError(str(error)) from error


def _columns_of(rows: Table, options: ClassifyOptions) -> tuple[str, str, float]:
    try:
        return position_columns(rows, columns=options.columns, origin=options.origin)
    except CatalogError as error:
        raise click.UsageError(str(error)) from error


@dataclass(frozen=True)
class _Asked:
    """What is done with each image."""

    options: ClassifyOptions
    ext: tuple[str, ...] = ()
    catalog: Table | None = None
    keep: tuple[str, ...] = ()
    explain: tuple[int, ...] = ()
    format: str | None = None
    overwrite: bool = False

    def classify(self, image: Path, outputs: Outputs, say: Say) -> Answer:
        """Classify one image, write what was asked for, return what to print."""
        chips: list[Chip] = []
        tables: list[Table] = []
        target, plot = outputs['-o'] or STDOUT, outputs['--plot']

        def on_chip(chip: Chip, table: Table) -> None:
            say(chip.name)
            tables.append(select_classes(table, self.keep))
            if plot is not None:  # pixels need memory
                chips.append(chip)

        regions = self._region_files(image, outputs['--regions'])
        folder = Path() if target == STDOUT else target.parent
        explained = {
            number: folder / f'{root_name(image)}_explain_{number}.png'
            for number in self.explain
        }
        files = [target, *([plot] if plot else []), *regions, *explained.values()]
        for path in files:
            if path != STDOUT:
                check_output(path, overwrite=self.overwrite)
        table = classify_exposure(
            image, self.options, ext=self.ext, catalog=self.catalog, on_chip=on_chip
        )
        kept = select_classes(table, self.keep)
        # All that can fail is made before anything is written.
        pictures: dict[Path, Figure | str] = {
            path: self._explanation(image, table, number)
            for number, path in explained.items()
        }
        if plot is not None:
            pictures[plot] = _overlay(chips, tables, page=_is_page(plot))
        with delivered(target) as path:
            write_catalog(kept, path, format=self.format, overwrite=self.overwrite)
        for path, picture in pictures.items():
            if isinstance(picture, str):
                save_page(picture, path, overwrite=self.overwrite)
            else:
                save_figure(picture, path, overwrite=self.overwrite)
        for path, part in zip(regions, tables, strict=False):
            write_regions(part, path, CLASSES, overwrite=self.overwrite)
        return replace(_summary(image, table, kept, files), rows=kept)

    def _region_files(self, image: Path, path: Path | None) -> list[Path]:
        """Return a file of regions per chip; one chip has the name that was given."""
        if path is None:
            return []
        chips = list_chips(image, self.ext)
        if len(chips) == 1:
            return [path]
        return [
            path.with_stem(f'{path.stem}_{extname.lower()}{extver}')
            for extname, extver in chips
        ]

    def _explanation(self, image: Path, table: Table, number: int) -> Figure:
        """Draw why a row has its class."""
        from astrosieve.source.plotting import explanation_figure

        rows = np.flatnonzero(np.asarray(table['id']) == number)
        if not len(rows):
            msg = f'--explain {number}: no row has this id; there are {len(table)} rows'
            raise CatalogError(msg)
        explanation = explain_row(image, table[rows[0]], self.options, ext=self.ext)
        x, y = explanation.position
        return explanation_figure(
            explanation, f'{image.name}: detection {number} at ({x:.1f}, {y:.1f})'
        )


def _is_page(path: str | Path) -> bool:
    return Path(path).suffix.lower() in ('.html', '.htm')


def _overlay(
    chips: Sequence[Chip], tables: Sequence[Table], *, page: bool
) -> Figure | str:
    """Draw the classes over the chips, each in its place."""
    from astrosieve.source.plotting import overlay_figure, overlay_page

    drawn = (
        [chip.sci for chip in chips],
        tables,
        [chip.name for chip in chips],
        arrange([chip.sci.shape for chip in chips], [chip.wcs for chip in chips]),
    )
    if page:
        return overlay_page(*drawn, title=chips[0].path.name)
    return overlay_figure(*drawn)


def _summary(image: Path, table: Table, kept: Table, files: list[Path]) -> Answer:
    """Say what was found and where it is."""
    counts = Counter(np.asarray(table['class_name'], dtype=str).tolist())
    classes = {name: counts[name] for name in CLASSES.ordered(counts)}
    text = f'{image.name}: {len(table)} detections'
    if len(table):
        text += ': ' + ', '.join(f'{n} {name}' for name, n in classes.items())
    if len(kept) < len(table):
        text += f'; {len(kept)} kept'
        lost = counts[UNSCORED] - int((kept['class_name'] == UNSCORED).sum())
        if lost:
            text += f', {lost} unscored dropped (--keep unscored keeps them)'
    written = [str(path) for path in files]
    return Answer(
        f'{text} -> {", ".join(written)}',
        {
            'input': str(image),
            'detections': len(table),
            'classes': classes,
            'kept': len(kept),
            'warnings': as_options(table.meta.get('warnings', '')),
            'written': written,
        },
    )


@click.command(cls=Command)
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
        console().note("no picture: pip install 'astrosieve[plot]'")
        plot = None

    def work(image: Path, outputs: Outputs, say: Say) -> Answer:
        said = asked.classify(image, outputs, say)
        text = f'{said.text}\n{compare_with_truth(read_catalog(table))}'
        return Answer(text, said.data)

    run_batch([image], [{'-o': table, '--plot': plot, '--regions': None}], work)
