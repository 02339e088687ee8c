"""The steps of the task transient."""

from __future__ import annotations

from pathlib import Path

import click

from astrosieve.commands.options import output_folder_option, overwrite_option
from astrosieve_training.steps import StepGroup, need, seed_option


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
