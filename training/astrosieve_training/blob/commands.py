"""The steps of the task blob."""

from __future__ import annotations

from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option
from astrosieve.models.registry import load_model
from astrosieve_training.configs import config_kind
from astrosieve_training.steps import (
    JUDGED_BY,
    RUN,
    StepGroup,
    config_of,
    config_option,
    folder_of,
    hand_over,
    judged_option,
    kind_of,
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

_CONFIG = 'blob'
_SUBFRAMES = 'isr2021'  # kind of network that tells subframes apart


@click.group(cls=StepGroup)
def blob() -> None:
    """Is there a new blob in a difference image, and where?"""


def _tells_subframes(given: str | Path) -> bool:
    """Return whether a training, or a configuration, is of the published network."""
    return kind_of(given, 'blob') == _SUBFRAMES


@blob.command()
@click.option(
    '-n',
    '--number',
    type=click.IntRange(min=1),
    default=31,
    show_default=True,
    help='Images, some days apart.',
)
@output_folder_option('the images')
@seed_option('Seed of the sequence; 0 by default.')
@click.option(
    '--reference-pixels', is_flag=True, help='Of 1024x1024 pixels, as raw images are.'
)
def simulate(
    number: int, output: Path, seed: int | None, reference_pixels: bool
) -> None:
    """
    Write a sequence of images of the monitor, F153M of the dark Earth.

    blobs.ecsv says which blobs came, and since when; known.ecsv which all images have.
    """
    module = need('blob.simulate')
    images = module.simulate_monitor(seed or 0, number)
    paths = module.write_monitor(images, output, reference_pixels=reference_pixels)
    last = images[-1]
    click.echo(
        f'{len(paths)} images written to {output}, {len(last.blobs)} new blobs upon '
        f'{len(last.known)} known ones'
    )


@blob.command()
@config_option(_CONFIG)
@training_folder_option
@seed_option("In place of the file's.")
@click.option(
    '--trained',
    metavar='RUN|NAME|PATH',
    help='A finished training of blob, or a model, whose network is only calibrated '
    'anew.',
)
@click.option(
    '--start',
    metavar='RUN|NAME|PATH',
    help='A finished training of blob, or a model, whose parameters this one begins '
    'with.',
)
def train(
    config: str,
    output: Path | None,
    seed: int | None,
    trained: str | None,
    start: str | None,
) -> None:
    """
    Train a network on simulated differences.

    An interrupted training goes on where it stopped.
    """
    subframes = config_kind('blob', config) == _SUBFRAMES
    known = {
        name: training_or_model(given, 'blob')
        for name, given in (('trained', trained), ('start', start))
        if given is not None
    }
    if subframes and known:
        raise click.UsageError(f'--{next(iter(known))} is for networks that mark blobs')
    if len(known) > 1:
        raise click.UsageError('give --trained or --start, not both')
    if subframes:
        loaded = need('blob.isr2021.config').load_subframe_config(config)
    else:
        loaded = need('blob.config').load_config(config)
    loaded, folder = training_of(loaded, seed, output)
    if subframes:
        run = need('blob.isr2021.train').train_subframes(loaded, folder)
        epochs = ', '.join(
            f'{n} of {name}' for name, n in run.summary['epochs'].items()
        )
        click.echo(f'{run.summary["subframes"]} subframes; epochs: {epochs}')
    else:
        run = need('blob.train').train(loaded, folder, **known)
        click.echo(f'{run.summary["training_data"]}; {run.point}')
    click.echo(f'written to {folder}')


@blob.command()
@RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    if _tells_subframes(run):
        loaded = need('blob.isr2021.train').load_subframe_run(run)
        export_run = need('blob.isr2021.export').export_subframe_run
    else:
        loaded = need('blob.train').load_run(run)
        export_run = need('blob.export').export_run
    card, difference = export_run(loaded, output)
    say_exported(card, difference, output)


@blob.command()
@JUDGED_BY
@judged_option
@output_folder_option('the report')
@update_option
@readmes_option
@click.option(
    '--isr',
    metavar='NAME|PATH',
    help='A network of the report, judged by its subframes beside the model.',
)
@click.option(
    '--ablation',
    is_flag=True,
    help="Try the other ideas of blob-isr2021's report too, each for minutes.",
)
def evaluate(
    run: str,
    model: str,
    output: Path,
    update: bool,
    readmes: tuple[Path, ...],
    isr: str | None,
    ablation: bool,
) -> None:
    """
    Judge a model beside a matched filter and DAOStarFinder, on unseen images.

    Of the published network: its table, confusion matrices and saliency maps.
    """
    subframes = _tells_subframes(run)
    if ablation and not subframes:
        msg = '--ablation is for a training of the published network, blob-isr2021'
        raise click.UsageError(msg)
    folder = folder_of(run)
    if subframes and folder is None:
        msg = 'blob-isr2021 is judged with its training: give its folder'
        raise click.UsageError(msg)
    judged = load_model(model, task='blob')
    say('judging')
    output.mkdir(parents=True, exist_ok=True)
    if subframes:
        loaded = need('blob.isr2021.train').load_subframe_run(folder)
        judge = need('blob.isr2021.evaluate').judge_subframes
        report = judge(judged, loaded, output, ablation=ablation)
    else:
        config, judge = config_of(run, 'blob'), need('blob.evaluate')
        others = [judge.subframe_finder(load_model(isr, task='blob'))] if isr else []
        report = judge.judge(judged, config, output, others=others)
    table = judged.card.name if subframes else 'blob'
    hand_over(report, output, update=update, readmes=readmes, table=table)
