"""The steps of the task frametype."""

from __future__ import annotations

from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option, overwrite_option
from astrosieve.models.registry import load_model
from astrosieve_training.steps import (
    EXISTING_FOLDER,
    JUDGED_BY,
    RUN,
    StepGroup,
    config_of,
    config_option,
    folder_of,
    hand_over,
    judged_option,
    need,
    readmes_option,
    say,
    say_exported,
    seed_option,
    training_folder_option,
    training_of,
    training_or_model,
    update_option,
)

_CONFIG = 'frametype'
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
@training_folder_option
@seed_option("In place of the file's.")
@_REAL
@click.option(
    '--start',
    metavar='RUN|NAME|PATH',
    help='A finished training of frametype, or a model, whose networks these begin '
    'with.',
)
def train(
    config: str,
    output: Path | None,
    seed: int | None,
    real: Path | None,
    start: str | None,
) -> None:
    """
    Train a network: on simulated frames, then with real ones among them.

    An interrupted training goes on where it stopped.
    """
    loaded = need('frametype.config').load_config(config)
    loaded, folder = training_of(loaded, seed, output)
    run = need('frametype.train').train(
        loaded,
        folder,
        _real_folder(real),
        start=training_or_model(start, 'frametype') if start else None,
    )
    counts = ', '.join(f'{n} {name}' for name, n in run.summary['counts'].items())
    click.echo(f'{counts}; calibration error {run.summary["calibration_error"]:.4f}')
    click.echo(f'written to {folder}')


@frametype.command()
@RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    loaded = need('frametype.train').load_run(run)
    card, difference = need('frametype.export').export_run(loaded, output)
    say_exported(card, difference, output)


@frametype.command()
@JUDGED_BY
@judged_option
@output_folder_option('the report')
@_REAL
@click.option(
    '--spit',
    type=EXISTING_FOLDER,
    help='Training of frametype-spit, to be judged on the same frames.',
)
@update_option
@readmes_option
def evaluate(
    run: str,
    model: str,
    output: Path,
    real: Path | None,
    spit: Path | None,
    update: bool,
    readmes: tuple[Path, ...],
) -> None:
    """
    Judge a model: unseen spectrographs, real frames, header rules, a forest.

    One whose networks learnt from real frames wants its training: that keeps what they
    said of cameras and nights that they had not seen.
    """
    if readmes and not update:
        msg = '--readme writes tables, and needs --update'
        raise click.UsageError(msg)
    load_run = need('frametype.train').load_run
    folder = folder_of(run)
    trained = load_run(folder) if folder else None
    judged = load_model(model, task='frametype')
    say('judging')
    report = need('frametype.evaluate').judge(
        judged,
        trained.config if trained else config_of(run, 'frametype'),
        output,
        run=trained,
        real=_real_folder(real),
        spit=load_run(spit) if spit else None,
    )
    hand_over(report, output, update=update, readmes=readmes, table='frametype')


def _real_folder(given: Path | None) -> Path | None:
    """Return the folder of real frames, and say where there is none."""
    folder: Path | None = given or need('frametype.datasets').real_folder()
    if folder is None:
        say('no real frames: set ASTROSIEVE_DATA, or give --real')
    return folder
