"""The steps of the task transient."""

from __future__ import annotations

from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option, overwrite_option
from astrosieve.models.registry import load_model
from astrosieve.transient.readers import read_candidates
from astrosieve.transient.score import Scorer
from astrosieve_training.steps import (
    EXISTING_FILE,
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
    update_option,
)

_CONFIG = 'transient'
_ALERTS = click.option(
    '--alerts',
    type=EXISTING_FOLDER,
    help='Folder of real alerts, ztf_train.npz and .csv; else that of the data folder.',
)
_PUBLISHED = click.option(
    '--published',
    type=EXISTING_FILE,
    help='Labelled stamps of the SDSS-II Supernova Survey, npz or HDF5 with images and '
    'ans, in place of simulated ones.',
)


@click.group(cls=StepGroup)
def transient() -> None:
    """Is a candidate of a difference image real, or bogus, and of which kind?"""


@transient.command()
@click.option(
    '-n',
    '--number',
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help='Fields.',
)
@output_folder_option('the stamps')
@seed_option('Seed of the first field; 0 by default.')
@click.option(
    '--survey',
    'surveys',
    multiple=True,
    help='Survey to resemble, one of several if given again; all by default.',
)
@click.option('--bands', is_flag=True, help='Differences in three bands.')
@overwrite_option
def simulate(
    number: int,
    output: Path,
    seed: int | None,
    surveys: tuple[str, ...],
    bands: bool,
    overwrite: bool,
) -> None:
    """
    Write stamps of the candidates of simulated fields.

    stamps.npz is what `astrosieve transients` reads; truth.ecsv says what they are.
    """
    output.mkdir(parents=True, exist_ok=True)
    table = need('transient.simulate').write_candidates(
        range(seed or 0, (seed or 0) + number), output, surveys=surveys, bands=bands,
        overwrite=overwrite,
    )  # fmt: skip
    click.echo(f'{len(table)} candidates written to {output}')


@transient.command()
@config_option(_CONFIG)
@training_folder_option
@seed_option("In place of the file's.")
@_ALERTS
@_PUBLISHED
@click.option(
    '--from',
    'start',
    metavar='NAME|PATH',
    help='Model to go on with, by the labels of a survey: needs --stamps and --labels.',
)
@click.option(
    '--stamps',
    multiple=True,
    type=EXISTING_FILE,
    help='With --from: stamps, as astrosieve transients reads them.',
)
@click.option(
    '--labels',
    type=EXISTING_FILE,
    help='With --from: their labels, as the page of the step label saves them.',
)
def train(
    config: str,
    output: Path | None,
    seed: int | None,
    alerts: Path | None,
    published: Path | None,
    start: str | None,
    stamps: tuple[Path, ...],
    labels: Path | None,
) -> None:
    """
    Train a network on simulated candidates, unlabelled real alerts beside them.

    An interrupted training goes on where it stopped. With --from a model's network goes
    on with labels of your survey: some hundred are enough.
    """
    if bool(start) != bool(stamps and labels):
        msg = '--from, --stamps and --labels go together'
        raise click.UsageError(msg)
    if start:
        _tune(start, stamps, labels, output)
        return
    loaded = need('transient.config').load_config(config)
    loaded, folder = training_of(loaded, seed, output)
    real = _alert_folder(alerts) if loaded.unlabelled else None
    run = need('transient.train').train(loaded, folder, real, published=published)
    counts = ', '.join(f'{n} {name}' for name, n in run.summary['counts'].items())
    click.echo(f'{counts}; calibration error {run.summary["calibration_error"]:.4f}')
    click.echo(f'written to {folder}')


def _tune(
    start: str, stamps: tuple[Path, ...], labels: Path | None, output: Path | None
) -> None:
    """Go on with a model by labels."""
    model, tune = load_model(start, task='transient'), need('transient.tune')
    config = tune.config_of(model)
    known = need('transient.label').read_labels(labels)
    examples = need('transient.labelled').labelled_examples(stamps, known, config)
    folder = output or Path(f'{config.name}-run')
    folder.mkdir(parents=True, exist_ok=True)
    run = tune.tuned(model, config, examples, folder)
    click.echo(f'{len(examples)} labels; epoch {run.summary["epoch"]} is the best')
    click.echo(f'written to {folder}')


@transient.command()
@click.argument('stamps', nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    '-o',
    '--output',
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help='The page, an HTML file.',
)
@click.option(
    '--model',
    metavar='NAME|PATH',
    help='Scores the candidates, so that doubtful ones come first.',
)
@click.option('--labels', type=EXISTING_FILE, help='Labels that the page begins with.')
@click.option('-n', '--number', type=click.IntRange(min=1), help='Candidates at most.')
@overwrite_option
def label(
    stamps: tuple[Path, ...],
    output: Path,
    model: str | None,
    labels: Path | None,
    number: int | None,
    overwrite: bool,
) -> None:
    """
    Write a page on which candidates are labelled by eye.

    It shows their stamps as a contact sheet; R, B and U say real, bogus and unsure, and
    labels.csv is saved, for the step train with --from.
    """
    candidates = [each for path in stamps for each in read_candidates(path, order=None)]
    p = None
    if model is not None:
        p = Scorer(model).score(candidates).p_real
    module = need('transient.label')
    known = module.read_labels(labels) if labels else {}
    n = module.write_page(
        output, candidates, p_real=p, labels=known, number=number, overwrite=overwrite
    )
    click.echo(f'{n} candidates on {output}')


@transient.command()
@RUN
@output_folder_option('weights, card and manifest')
def export(run: Path, output: Path) -> None:
    """Write a training's network as ONNX, with its card."""
    output.mkdir(parents=True, exist_ok=True)
    loaded = need('transient.train').load_run(run)
    card, difference = need('transient.export').export_run(loaded, output)
    say_exported(card, difference, output)


@transient.command()
@JUDGED_BY
@judged_option
@output_folder_option('the report')
@_ALERTS
@click.option(
    '--beside',
    multiple=True,
    type=EXISTING_FOLDER,
    help='Training of another network, to be judged on the same candidates.',
)
@_PUBLISHED
@click.option(
    '--curve/--no-curve',
    default=True,
    help='Whether to measure what labels of a survey gain.',
)
@update_option
@readmes_option
def evaluate(
    run: str,
    model: str,
    output: Path,
    alerts: Path | None,
    beside: tuple[Path, ...],
    published: Path | None,
    curve: bool,
    update: bool,
    readmes: tuple[Path, ...],
) -> None:
    """Judge a model: unseen surveys, real alerts, the benchmark's learners."""
    config, training = config_of(run, 'transient'), folder_of(run)
    load_run = need('transient.train').load_run
    judged = load_model(model, task='transient')
    say('judging')
    output.mkdir(parents=True, exist_ok=True)
    report = need('transient.evaluate').judge(
        judged,
        config,
        output,
        fields=training / 'fields' if training else None,
        alerts=_alert_folder(alerts) if config.training.fields else None,
        others=[load_run(each) for each in beside],
        published=published,
        curve=curve,
    )
    hand_over(report, output, update=update, readmes=readmes, table=judged.card.name)


def _alert_folder(given: Path | None) -> Path | None:
    """Return the folder of real alerts, and say where there is none."""
    folder: Path | None = given or need('transient.datasets').alert_folder()
    if folder is None:
        say('no real alerts: set ASTROSIEVE_DATA, or give --alerts')
    return folder
