"""The steps of the task frametype."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option, overwrite_option
from astrosieve.models.registry import load_model
from astrosieve_training.steps import (
    EXISTING_FOLDER,
    StepGroup,
    config_option,
    need,
    say,
    seed_option,
)

_CONFIG = 'frametype'
_RUN = click.argument('run', type=EXISTING_FOLDER)
_REAL = click.option(
    '--real',
    type=EXISTING_FOLDER,
    help='Folder of real frames with frames.csv; else that of the data folder.',
)


@click.group(cls=StepGroup)
def frametype() -> None:
    """Is a spectral frame a bias, a dark, an arc, a flat, science, a standard?"""


@frametype.command()
@click.option(
    '-n', '--number', type=click.IntRange(min=1), default=1, show_default=True
)
@output_folder_option('the frames')
@seed_option('Seed of the first spectrograph.')
@config_option(_CONFIG)
@overwrite_option
def simulate(
    number: int, output: Path, seed: int | None, config: str, overwrite: bool
) -> None:
    """
    Write frames of simulated spectrographs, one of each type.

    frames.ecsv says what they are.
    """
    loaded = need('frametype.config').load_config(config)
    first = loaded.training.seed if seed is None else seed
    output.mkdir(parents=True, exist_ok=True)
    table = need('frametype.simulate').write_frames(
        range(first, first + number), loaded.classes, output, overwrite=overwrite
    )
    click.echo(f'{len(table)} frames written to {output}')


@frametype.command()
@config_option(_CONFIG)
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the training; NAME-run in the current one by default.',
)
@seed_option("In place of the file's.")
@_REAL
def train(
    config: str, output: Path | None, seed: int | None, real: Path | None
) -> None:
    """
    Train a network: on simulated frames, then with real ones among them.

    An interrupted training goes on where it stopped.
    """
    loaded = need('frametype.config').load_config(config)
    if seed is not None:
        loaded = replace(loaded, seed=seed)
    folder = output or Path(f'{loaded.name}-run')
    folder.mkdir(parents=True, exist_ok=True)
    run = need('frametype.train').train(loaded, folder, _real_folder(real))
    counts = ', '.join(f'{n} {name}' for name, n in run.summary['counts'].items())
    click.echo(f'{counts}; calibration error {run.summary["calibration_error"]:.4f}')
    click.echo(f'written to {folder}')


@frametype.command()
@_RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    loaded = need('frametype.train').load_run(run)
    card, difference = need('frametype.export').export_run(loaded, output)
    click.echo(
        f'{card.name}-{card.version} written to {output}; torch and onnxruntime differ '
        f'by {difference:.1e} at most'
    )


@frametype.command()
@_RUN
@click.option(
    '--model',
    required=True,
    metavar='NAME|PATH',
    help='The model that was exported from the training.',
)
@output_folder_option('the report')
@_REAL
@click.option(
    '--spit',
    type=EXISTING_FOLDER,
    help='Training of frametype-spit, to be judged on the same frames.',
)
@click.option(
    '--update',
    is_flag=True,
    help="Write the tables into the model's card and, with --readme, into pages.",
)
@click.option(
    '--readme',
    'readmes',
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='With --update: pages that hold the markers of the tables.',
)
def evaluate(
    run: Path,
    model: str,
    output: Path,
    real: Path | None,
    spit: Path | None,
    update: bool,
    readmes: tuple[Path, ...],
) -> None:
    """Judge a model: unseen spectrographs, real frames, header rules, a forest."""
    if readmes and not update:
        msg = '--readme writes tables, and needs --update'
        raise click.UsageError(msg)
    load_run = need('frametype.train').load_run
    loaded = load_run(run)
    judged = load_model(model, task='frametype')
    say('judging')
    report = need('frametype.evaluate').judge(
        judged,
        loaded.config,
        output,
        run=loaded,
        real=_real_folder(real),
        spit=load_run(spit) if spit else None,
    )
    for path in report.write(output):
        click.echo(f'written: {path}')
    for line in report.summary:
        click.echo(line)
    for line in report.limits_table():
        click.echo(line)
    if update:
        report.update_card()
        for page in readmes:
            report.update_readme(page, 'frametype')


def _real_folder(given: Path | None) -> Path | None:
    """Return the folder of real frames, and say where there is none."""
    folder: Path | None = given or need('frametype.datasets').real_folder()
    if folder is None:
        say('no real frames: set ASTROSIEVE_DATA, or give --real')
    return folder
