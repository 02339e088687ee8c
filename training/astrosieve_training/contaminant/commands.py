"""The steps of the task contaminant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from astrosieve.commands.options import output_folder_option
from astrosieve.models.registry import load_model
from astrosieve_training.configs import config_kind
from astrosieve_training.steps import (
    EXISTING_FOLDER,
    JUDGED_BY,
    RUN,
    StepGroup,
    config_of,
    config_option,
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

_CONFIG = 'contaminant'
_VERDICT = 'verdict'  # kind of network that judges whole images
_IMAGES = click.option(
    '--images',
    type=click.Path(file_okay=False, path_type=Path),
    help="Keeps the simulated images, for several trainings; RUN's own by default.",
)


@click.group(cls=StepGroup)
def contaminant() -> None:
    """Which pixels are spoilt, and by what?"""


def _room(kind: str | None) -> str:
    """Return where networks of a kind are trained and judged."""
    return 'contaminant.verdict' if kind == _VERDICT else 'contaminant'


def _tell_matthews(run: Any) -> None:
    """Tell how well the classes of a training are told at their thresholds."""
    for name, each in run.summary['matthews'].items():
        click.echo(f'{name}: Matthews coefficient {each:.3f}')


@contaminant.command()
@config_option(_CONFIG)
@training_folder_option
@_IMAGES
@click.option(
    '--start',
    metavar='RUN|NAME|PATH',
    help='Finished training of pixels, or model, whose parameters this one begins '
    'with.',
)
@seed_option("In place of the file's.")
def train(
    config: str,
    output: Path | None,
    images: Path | None,
    start: str | None,
    seed: int | None,
) -> None:
    """
    Train a network on simulated images: of pixels, or of whole images.

    An interrupted training goes on where it stopped.
    """
    kind = config_kind('contaminant', config)
    room, whole = _room(kind), kind == _VERDICT
    loaded = need(f'{room}.config').load_config(config)
    loaded, folder = training_of(loaded, seed, output)
    if whole and start:
        raise click.UsageError('--start is for networks of pixels')
    begun = {'start': training_or_model(start, 'contaminant')} if start else {}
    run = need(f'{room}.train').train(loaded, folder, images=images, say=say, **begun)
    click.echo(f'{run.summary["images"]} images; epoch {run.summary["epoch"]}')
    if whole:
        click.echo(run.point)
    else:
        _tell_matthews(run)
    click.echo(f'written to {folder}')


@contaminant.command()
@RUN
@config_option(_CONFIG)
@output_folder_option('the training')
@_IMAGES
def calibrate(run: Path, config: str, output: Path, images: Path | None) -> None:
    """
    Fit probabilities and thresholds of a training of pixels anew, as --config says.

    Its network stays as it is; the training that is written has it, too.
    """
    room = need('contaminant.train')
    loaded = need('contaminant.config').load_config(config)
    output.mkdir(parents=True, exist_ok=True)
    made = room.calibrate_run(
        room.load_run(run), loaded, output, images=images, say=say
    )
    _tell_matthews(made)
    click.echo(f'written to {output}')


@contaminant.command()
@RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    room = _room(kind_of(run, 'contaminant'))
    loaded = need(f'{room}.train').load_run(run)
    card, difference = need(f'{room}.export').export_run(loaded, output)
    say_exported(card, difference, output)


@contaminant.command()
@output_folder_option('the environments')
def peers(output: Path) -> None:
    """
    Make an environment for each other network, with its weights: needs the internet.

    evaluate --peers FOLDER then judges them too.
    """
    made = need('contaminant.peers.environments').make_environments(output, say)
    for name, problem in made.items():
        click.echo(f'{name}: {problem or "ready"}')


@contaminant.command()
@JUDGED_BY
@judged_option
@output_folder_option('the report')
@update_option
@readmes_option
@click.option(
    '--beside',
    multiple=True,
    metavar='NAME|PATH',
    help='Another model of this task, judged beside it; several times for several.',
)
@click.option(
    '--peers',
    type=EXISTING_FOLDER,
    help='Environments of other networks, made by the step peers.',
)
def evaluate(
    run: str,
    model: str,
    output: Path,
    update: bool,
    readmes: tuple[Path, ...],
    beside: tuple[str, ...],
    peers: Path | None,
) -> None:
    """
    Judge a model beside astroscrappy, Hough transforms and other networks.

    On simulated instruments that no training image had, and on real frames. A network
    that judges whole images, beside moments of detected sources.
    """
    kind = kind_of(run, 'contaminant')
    whole = kind == _VERDICT
    if whole and (beside or peers):
        msg = '--beside and --peers are for networks that map pixels'
        raise click.UsageError(msg)
    judged = load_model(model, task='verdict' if whole else 'contaminant')
    config = config_of(run, _room(kind))
    output.mkdir(parents=True, exist_ok=True)
    sections: dict[str, str] = {}
    if whole:
        report = need('contaminant.verdict.evaluate').judge(judged, config, output)
    else:
        sections = need('contaminant.evaluate.judge').TABLES
        report = need('contaminant.evaluate.judge').judge(
            judged,
            config,
            output,
            others=[load_model(each, task='contaminant') for each in beside],
            peers=peers,
        )
    hand_over(
        report,
        output,
        update=update,
        readmes=readmes,
        table=judged.card.name,
        sections=sections,
    )


@contaminant.command()
@click.option(
    '--config',
    default='contaminant',
    show_default=True,
    metavar='NAME|FILE',
    help='The ablation: a name, or a TOML file.',
)
@output_folder_option('trainings and table')
@_IMAGES
@readmes_option
def ablate(
    config: str, output: Path, images: Path | None, readmes: tuple[Path, ...]
) -> None:
    """Train small networks that lack one thing each, and compare them."""
    module = need('contaminant.ablation')
    replace_between = need('judge.report').replace_between
    lines = module.ablate(module.load_ablation(config), output, images, say)
    for line in lines:
        click.echo(line)
    for page in readmes:
        replace_between(page, 'contaminant-ablation', lines)
