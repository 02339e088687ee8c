"""The steps of the task blob."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option
from astrosieve.models.registry import load_model
from astrosieve_training.steps import (
    EXISTING_FILE,
    EXISTING_FOLDER,
    StepGroup,
    config_option,
    need,
    say,
    seed_option,
)

_CONFIG = 'blob'
_RUN = click.argument('run', type=EXISTING_FOLDER)


@click.group(cls=StepGroup)
def blob() -> None:
    """Is there a new blob in a difference image, and where?"""


@blob.command()
@config_option(_CONFIG)
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the training; NAME-run in the current one by default.',
)
@seed_option("In place of the file's.")
def train(config: str, output: Path | None, seed: int | None) -> None:
    """
    Train a network on simulated differences.

    An interrupted training goes on where it stopped.
    """
    loaded = need('blob.config').load_config(config)
    if seed is not None:
        loaded = replace(loaded, seed=seed)
    folder = output or Path(f'{loaded.name}-run')
    folder.mkdir(parents=True, exist_ok=True)
    run = need('blob.train').train(loaded, folder)
    click.echo(f'{run.summary["blobs"]} blobs; {run.point}')
    click.echo(f'written to {folder}')


@blob.command()
@_RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    loaded = need('blob.train').load_run(run)
    card, difference = need('blob.export').export_run(loaded, output)
    click.echo(
        f'{card.name}-{card.version} written to {output}; torch and onnxruntime differ '
        f'by {difference:.1e} at most'
    )


@blob.command()
@_RUN
@click.option(
    '--model',
    required=True,
    metavar='NAME|PATH',
    help='The model that was exported from the training.',
)
@output_folder_option('the report')
@click.option('--update', is_flag=True, help="Write the tables into the model's card.")
@click.option(
    '--readme',
    'readmes',
    multiple=True,
    type=EXISTING_FILE,
    help='Page that gets the tables; several times for several.',
)
def evaluate(
    run: Path,
    model: str,
    output: Path,
    update: bool,
    readmes: tuple[Path, ...],
) -> None:
    """Judge a model beside a matched filter and DAOStarFinder, on unseen images."""
    loaded = need('blob.train').load_run(run)
    judged = load_model(model, task='blob')
    say('judging')
    output.mkdir(parents=True, exist_ok=True)
    report = need('blob.evaluate').judge(judged, loaded.config, output)
    for path in report.write(output):
        click.echo(f'written: {path}')
    for line in [*report.summary, *report.limits_table()]:
        click.echo(line)
    if update:
        report.update_card()
    for page in readmes:
        report.update_readme(page, 'blob')
