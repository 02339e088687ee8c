"""The steps of the task source."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from astrosieve.commands.console import console
from astrosieve.commands.options import output_folder_option, overwrite_option
from astrosieve_training.steps import (
    EXISTING_FILE,
    EXISTING_FOLDER,
    StepGroup,
    config_option,
    need,
    say,
    seed_option,
)

_CONFIG = 'source-isr2024'
_TUNED = 'source-finetuned'


@click.group(cls=StepGroup)
def source() -> None:
    """Is a detection a star, a cosmic ray, a diffraction spike ...?"""


@source.command()
@click.option(
    '--camera', metavar='NAME|FILE', help='A camera; by default the configuration says.'
)
@click.option('-n', '--number', type=click.IntRange(min=1), help='How many exposures.')
@output_folder_option('the exposures')
@seed_option('Seed of the first exposure.')
@click.option('--scene', help="Scene preset, with --camera; 'field' by default.")
@click.option('--exptime', type=click.FloatRange(min=0, min_open=True), help='Seconds.')
@click.option(
    '--shape',
    type=(int, int),
    metavar='NY NX',
    help='Size of a subarray; full chips by default with --camera.',
)
@click.option(
    '--dithers',
    type=click.IntRange(min=1),
    default=1,
    help='Dithered exposures of each field, with --camera; -n then counts fields.',
)
@config_option(_CONFIG)
def simulate(
    camera: str | None,
    number: int | None,
    output: Path,
    seed: int | None,
    scene: str | None,
    exptime: float | None,
    shape: tuple[int, int] | None,
    dithers: int,
    config: str,
) -> None:
    """
    Write simulated exposures with their truth.

    Each is a FITS file like those of the camera (FLC: SCI, ERR, DQ) and a truth
    file: the electrons of each kind in each pixel, tables of stars, galaxies
    and cosmic rays. Files that are there with the same settings are kept.

    Without --camera the exposures are those that the configuration's network is
    trained on. The step train makes its own, by the same seeds, in its cache, so
    that these files are for looking at and for other programs.
    """
    written, kept = need('source.simulate').write_exposures(
        config,
        output,
        camera=camera,
        number=number,
        seed=seed,
        scene=scene,
        exptime=exptime,
        shape=shape,
        dithers=dithers,
    )
    click.echo(f'{written} exposures written to {output}, {kept} were there already')


@source.command()
@config_option(_CONFIG)
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the training; NAME-run in the current one by default.',
)
@seed_option("In place of the file's.")
@click.option(
    '--dataset',
    'datasets',
    multiple=True,
    type=EXISTING_FOLDER,
    help='Folder that the step label has written, to learn from in place of simulated '
    'exposures. May be given several times.',
)
@click.option(
    '--from',
    'start',
    metavar='NAME|PATH',
    help='Model to go on from; with --dataset, --config is then source-finetuned by '
    'default.',
)
@click.option('--name', help="Name of the model, in place of the file's.")
def train(
    config: str,
    output: Path | None,
    seed: int | None,
    datasets: tuple[Path, ...],
    start: str | None,
    name: str | None,
) -> None:
    """
    Train a network.

    Simulates, detects and labels what the configuration says, trains, and
    calibrates on exposures kept aside. An interrupted training goes on where it
    stopped.

    With --dataset the labels of one's own exposures take the place of simulated
    ones. With --from a trained network of the same form goes on learning.
    """
    source = click.get_current_context().get_parameter_source('config')
    if start is not None and datasets and source == ParameterSource.DEFAULT:
        config = _TUNED
    loaded = need('source.config').load_config(config)
    if seed is not None:
        loaded = replace(loaded, seed=seed)
    if name is not None:
        loaded = replace(loaded, name=name)
    folder = output or Path(f'{loaded.name}-run')
    began = (
        need('source.train.warm_start').load_start(start) if start is not None else None
    )
    if not datasets:
        run = need('source.train.runs').train(loaded, folder, start=began)
    else:
        loaded, data = need('source.train.datasets').prepare_datasets(
            loaded, datasets, start=began, cache=folder / 'cache'
        )
        run = need('source.train.runs').train(loaded, folder, data=data, start=began)
    _show_run(run, folder)


def _parse_names(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[int, str]:
    """Read NUMBER=CLASS options."""
    names = {}
    for value in values:
        number, equals, name = value.partition('=')
        if not equals or not number.strip().isdigit():
            msg = f'{value!r} must be NUMBER=CLASS, for instance 3=spike'
            raise click.BadParameter(msg)
        names[int(number)] = name.strip()
    return names


@source.command()
@click.argument(
    'exposures',
    nargs=-1,
    required=True,
    type=EXISTING_FILE,
)
@click.option(
    '-o',
    '--output',
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the dataset.',
)
@click.option('--aligned', is_flag=True, help='The WCS agree; TweakReg is not run.')
@click.option(
    '--combined',
    type=EXISTING_FILE,
    help='Your own combined image, in place of TweakReg and AstroDrizzle: the WCS are '
    'used as they are, and one exposure is enough.',
)
@click.option(
    '--labels',
    type=EXISTING_FILE,
    help="A file of labels, as the viewer's, in place of the whole procedure.",
)
@click.option(
    '--regions',
    type=EXISTING_FILE,
    help='Names, boxes and lassos: as page.html saves them, or written by hand.',
)
@click.option(
    '--rename', 'names', multiple=True, metavar='NUMBER=CLASS', callback=_parse_names,
    help="Name of a cluster, in place of the automatic one; 'unlabelled' leaves it "
    'out.',
)  # fmt: skip
@click.option(
    '--separation', type=click.FloatRange(min=1.5), default=5.0, show_default=True,
    help='Smallest distance of a peak from any brighter pixel, pixels.',
)  # fmt: skip
@click.option(
    '--min-electrons', type=click.FloatRange(min=0), default=100.0, show_default=True,
    help='Fewest electrons in the 2x2 pixels of a peak.',
)  # fmt: skip
@click.option(
    '--merge-radius', type=click.FloatRange(min=0.05), default=1.0, show_default=True,
    help='Largest distance of two peaks of one place, pixels of the detector.',
)  # fmt: skip
@click.option(
    '--min-exposures', type=click.IntRange(min=1), default=2, show_default=True,
    help='Exposures that must cover a place.',
)  # fmt: skip
@click.option(
    '--samples', type=click.IntRange(min=100), default=30_000, show_default=True,
    help='Largest number of places that are embedded.',
)  # fmt: skip
@click.option(
    '--neighbors', type=click.IntRange(min=2), default=35, show_default=True,
    help="UMAP's.",
)  # fmt: skip
@click.option(
    '--min-dist', type=click.FloatRange(0, 1), default=0.01, show_default=True,
    help="UMAP's.",
)  # fmt: skip
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    '--preprocessing', 'preprocessings', multiple=True, metavar='NAME',
    help="For which networks; by default those of 'source' and of 'source-isr2024'.",
)  # fmt: skip
@overwrite_option
def label(exposures: tuple[Path, ...], output: Path, **given: Any) -> None:
    """
    Label the detections of dithered exposures, without labelling by hand.

    The procedure of WFC3 ISR 2024-14: EXPOSURES (FLT, FLC; two or more of one field
    and filter) are aligned and combined, and what the combined image shows at their
    peaks is embedded by UMAP, clustered, named, and carried back. The folder gets a
    dataset for the step train, labels.ecsv, places.ecsv, contact sheets, figures, and
    page.html to look at, rename and draw in. An interrupted run goes on where it
    stopped.
    """
    outputs = need('source.label.outputs')
    preprocessings = given['preprocessings'] or outputs.PREPROCESSINGS
    began = time.perf_counter()

    def timed(text: str) -> None:
        say(f'{time.perf_counter() - began:5.0f} s  {text}')

    shared = {'preprocessings': preprocessings, 'overwrite': given['overwrite']}
    with console().warnings_of():
        if given['labels'] is not None:
            _only_labels(click.get_current_context())
            card = outputs.make_dataset_from_labels(
                exposures, given['labels'], output, **shared
            )
        else:
            labelling, card = outputs.make_dataset(
                exposures,
                output,
                _label_settings(given),
                regions=given['regions'],
                names=given['names'],
                say=timed,
                **shared,
            )
            for line in labelling.lines():
                click.echo(line)
    for line in need('source.label.dataset').summary_lines(card):
        click.echo(line)
    click.echo(f'written to {output}')


def _label_settings(given: dict[str, Any]) -> Any:
    settings = need('source.label.settings')
    return settings.LabelSettings(
        peaks=settings.PeakSettings(
            separation=given['separation'],
            min_electrons=given['min_electrons'],
            radius=given['merge_radius'],
            min_exposures=given['min_exposures'],
        ),
        embedding=settings.EmbeddingSettings(
            samples=given['samples'],
            n_neighbors=given['neighbors'],
            min_dist=given['min_dist'],
            seed=given['seed'],
        ),
        aligned=given['aligned'],
        combined='' if given['combined'] is None else str(given['combined']),
    )


def _only_labels(ctx: click.Context) -> None:
    """Refuse options that say nothing where the labels are given."""
    with_labels = {'exposures', 'output', 'labels', 'preprocessings', 'overwrite'}
    for parameter in ctx.command.params:
        name = parameter.name or ''
        if _given(ctx, name) and name not in with_labels:
            msg = f'{parameter.opts[0]} does not go with --labels, which gives them'
            raise click.UsageError(msg)


def _show_run(run: Any, folder: Path) -> None:
    for kind, counts in run.summary['counts'].items():
        listed = ', '.join(f'{n} {name}' for name, n in counts.items())
        click.echo(f'{kind}: {listed}')
    for number, each in enumerate(run.summary['runs']):
        mark = ' (taken)' if number == run.summary['best_run'] else ''
        if not each['best_epoch']:
            click.echo(
                f'run {number}: validation loss {each["best_loss"]:.4f} at the start, '
                f'no epoch was better, {each["seconds"]:.0f} s{mark}'
            )
            continue
        last = each['history'][each['best_epoch'] - 1]
        click.echo(
            f'run {number}: validation loss {each["best_loss"]:.4f}, accuracy '
            f'{last["validation_accuracy"]:.2%} after epoch {each["best_epoch"]}, '
            f'{each["seconds"]:.0f} s{mark}'
        )
    for name, point in run.calibration.operating_points.items():
        click.echo(f'{name}: {point}')
    click.echo(f'written to {folder}')


@source.command()
@click.argument('run', type=EXISTING_FOLDER)
@output_folder_option('the weights')
@click.option(
    '--keep',
    is_flag=True,
    help='Keep another version of the model that is there, as NAME-VERSION.',
)
def export(run: Path, output: Path, keep: bool) -> None:
    """
    Export a training as ONNX file, model card and manifest.

    RUN is the folder that the step train wrote. Torch and onnxruntime are
    compared on thousands of cutouts; if they differ nothing is written.
    """
    card, difference = need('source.export').export_run(run, output, keep=keep)
    click.echo(
        f'{output / f"{card.name}-{card.version}.onnx"}: differs from torch by '
        f'{difference:.2g} at most on {card.metrics["export"]["inputs"]} cutouts'
    )


@source.command()
@click.argument('model', default='source')
@config_option(_CONFIG)
@output_folder_option('tables and figures')
@click.option(
    '--figure',
    'figures',
    multiple=True,
    metavar='NAME',
    help='Draw a figure of WFC3 ISR 2024-14 in place of judging: curves, confusion, '
    'overlay, pooling, scan, drizzled; or cosmic-rays, frames (simulated beside real). '
    'May be given several times.',
)
@click.option(
    '--runs',
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help='Trainings of each kind for the figure pooling.',
)
@seed_option("Judge on other exposures: the first one's seed, in place of the file's.")
@click.option(
    '--update',
    is_flag=True,
    help="Write the tables into the model's card and, with --readme, into pages.",
)
@click.option(
    '--readme',
    'readmes',
    multiple=True,
    type=EXISTING_FILE,
    help="File with the markers '<!-- table:source begin -->' and '... end -->' for "
    "the rows that matter, 'table:source-all' for all; with --ablation "
    "'table:ablation', with --labelling 'table:labelling' or, with --config galaxies, "
    "'table:labelling-galaxies', with --figure confusion 'table:isr2024-confusion'. "
    'May be given several times.',
)
@click.option(
    '--ablation',
    is_flag=True,
    help='In place of judging a model, train and judge the networks of the table of '
    'what was tried; --config then names an ablation file. An interrupted table goes '
    'on.',
)
@click.option(
    '--labelling',
    is_flag=True,
    help='In place of judging a model, judge the labels of the step label, and what '
    'networks learn from them; with --config galaxies, those of fields with galaxies. '
    'Interrupted work goes on.',
)
def evaluate(
    model: str,
    config: str,
    output: Path,
    figures: tuple[str, ...],
    runs: int,
    seed: int | None,
    update: bool,
    readmes: tuple[Path, ...],
    ablation: bool,
    labelling: bool,
) -> None:
    """
    Judge a model beside its baselines.

    MODEL is a name, or the path of an ONNX file with its card beside it. The
    exposures are those of the configuration's section judge, made from their
    seeds, and the real frames, where they are found. With --ablation there is no
    MODEL: a network is trained for each row of a table, and judged.
    """
    if ablation or labelling:
        work = _ablate if ablation else _check_labels
        _refuse_others(click.get_current_context(), ablation=ablation)
        for path in work(click.get_current_context(), output, readmes):
            click.echo(path)
        return
    if figures:
        for path in need('source.evaluate.reproduction').draw(
            figures, model, output, runs=runs, pages=readmes
        ):
            click.echo(path)
        return
    loaded = need('source.config').load_config(config)
    if seed is not None:
        loaded = loaded.judged_from(seed)
    report = need('source.evaluate.judge').evaluate(model, loaded, output, say=say)
    for path in report.write(output):
        click.echo(path)
    if update:
        for path in report.update_card():
            click.echo(path)
        for page in readmes:
            report.update_readme(page, 'source')
            report.update_sections(page, need('source.evaluate.report').TABLES)
            click.echo(page)


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE


def _refuse_others(ctx: click.Context, *, ablation: bool) -> None:
    """Refuse options that say nothing where no model is judged."""
    refused = {
        'model': 'MODEL', 'figures': '--figure', 'runs': '--runs', 'seed': '--seed',
        'update': '--update',
    }  # fmt: skip
    if ablation:
        mine, allowed = '--ablation', '--config, --output and --readme'
        refused['labelling'] = '--labelling'
    else:
        mine, allowed = '--labelling', '--config, --output and --readme'
    for name, shown in refused.items():
        if _given(ctx, name):
            msg = (
                f'{shown} does not go with {mine}, which trains networks of its own; '
                f'{allowed} do'
            )
            raise click.UsageError(msg)


def _check_labels(
    ctx: click.Context, output: Path, readmes: Sequence[Path]
) -> list[Path]:
    """Judge the step label; return what was written."""
    settings = need('source.evaluate.labels.settings')
    name = ctx.params['config'] if _given(ctx, 'config') else 'source'
    checks = settings.load_label_checks(settings.label_checks_file(name))
    results = need('source.evaluate.labels.run').check_labels(checks, output, say=say)
    paths = [output / 'labelling.json', output / 'labelling.md']
    if readmes:
        lines = need('source.evaluate.labels.tables').table_lines(results)
        table = 'labelling' if name == 'source' else f'labelling-{name}'
        for page in readmes:
            need('judge.report').replace_between(page, table, lines)
    return [*paths, *readmes]


def _ablate(ctx: click.Context, output: Path, readmes: Sequence[Path]) -> list[Path]:
    """Make the table of what was tried; return what was written."""
    files = [ctx.params['config']] if _given(ctx, 'config') else []
    loaded = need('source.evaluate.ablation.settings').load_ablation(*files)
    results = need('source.evaluate.ablation.run').ablate(loaded, output, say=say)
    paths = [output / 'ablation.json', output / 'ablation.md']
    if readmes:
        lines = need('source.evaluate.ablation.tables').table_lines(loaded, results)
        for page in readmes:
            need('judge.report').replace_between(page, 'ablation', lines)
    return [*paths, *readmes]
