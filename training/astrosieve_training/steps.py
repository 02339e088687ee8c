"""What every step of every task needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from astrosieve.commands.base import Command
from astrosieve.commands.streams import Group
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model, load_model
from astrosieve_training.configs import config_kind
from astrosieve_training.settings import ConfigError

__all__ = [
    'EXISTING_FILE',
    'EXISTING_FOLDER',
    'JUDGED_BY',
    'RUN',
    'StepGroup',
    'config_of',
    'config_option',
    'folder_of',
    'hand_over',
    'judged_option',
    'kind_of',
    'need',
    'readmes_option',
    'say',
    'say_exported',
    'seed_option',
    'training_folder_option',
    'training_of',
    'training_or_model',
    'update_option',
]

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

RUN = click.argument('run', type=EXISTING_FOLDER)
"""The folder of a finished training."""

JUDGED_BY = click.argument('run', metavar='RUN|CONFIG')
"""That, or a configuration: what a model is judged on is said by either."""

training_folder_option = click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the training; NAME-run in the current one by default.',
)
judged_option = click.option(
    '--model',
    required=True,
    metavar='NAME|PATH',
    help='The model that was exported from the training.',
)
update_option = click.option(
    '--update', is_flag=True, help="Write the tables into the model's card."
)
readmes_option = click.option(
    '--readme',
    'readmes',
    multiple=True,
    type=EXISTING_FILE,
    help='Page that gets the tables; several times for several.',
)


def config_option(default: str) -> Any:
    """Return the option ``--config``, with the task's own default."""
    return click.option(
        '--config',
        default=default,
        show_default=True,
        metavar='NAME|FILE',
        help='Configuration of the network: a name, or a TOML file.',
    )


def seed_option(text: str) -> Any:
    """Return the option ``--seed``, in place of that which a file says."""
    return click.option('--seed', type=click.IntRange(min=0), help=text)


def say(text: str) -> None:
    """Tell what begins, beside the results."""
    click.echo(text, err=True)


def training_of(config: Any, seed: int | None, output: Path | None) -> tuple[Any, Path]:
    """Return a configuration with the seed that was given, and a folder for it."""
    if seed is not None:
        config = replace(config, seed=seed)
    folder = output or Path(f'{config.name}-run')
    folder.mkdir(parents=True, exist_ok=True)
    return config, folder


def training_or_model(given: str, task: str) -> Path | Model:
    """Return the folder of a training, or the model of a task, that is meant."""
    folder = Path(given)
    return folder if folder.is_dir() else load_model(given, task=task)


def folder_of(given: str) -> Path | None:
    """
    Return the folder of a training; None where a configuration is meant.

    Raises
    ------
    ConfigError
        If a folder is meant that there is not.
    """
    path = Path(given)
    if path.is_dir():
        return path
    if path.suffix != '.toml' and path.name != given:
        msg = f'{given}: no such folder; give that of a training, or a configuration'
        raise ConfigError(msg)
    return None


def kind_of(given: str | Path, task: str) -> str | None:
    """Return the kind of network of a training, or of a configuration."""
    if folder := folder_of(str(given)):
        kind: str | None = need('learn.runs').run_kind(folder)
        return kind
    return config_kind(task, given)


def config_of(given: str, room: str) -> Any:
    """Return the configuration of a training in a folder, or the one of that name."""
    if folder := folder_of(given):
        return need(f'{room}.train').load_run(folder).config
    return need(f'{room}.config').load_config(given)


def say_exported(card: ModelCard, difference: float, output: Path) -> None:
    """Tell what was exported."""
    click.echo(
        f'{card.name}-{card.version} written to {output}; torch and onnxruntime differ '
        f'by {difference:.1e} at most'
    )


def hand_over(
    report: Any,
    output: Path,
    *,
    update: bool,
    readmes: Iterable[Path],
    table: str,
    sections: Mapping[str, str] | None = None,
) -> None:
    """
    Write a report, tell it, and write its tables where they are wanted.

    Parameters
    ----------
    report : `~astrosieve_training.judge.report.Report`
        The report.
    output : `~pathlib.Path`
        Its folder.
    update : bool
        Whether the model's card gets the tables.
    readmes : iterable of `~pathlib.Path`
        Pages that get them.
    table : str
        Their name there.
    sections : mapping of str to str, optional
        Parts of the report that pages may have, by the name of their table.
    """
    for path in report.write(output):
        click.echo(f'written: {path}')
    for line in [*report.summary, *report.limits_table()]:
        click.echo(line)
    if update:
        report.update_card()
    for page in readmes:
        report.update_readme(page, table)
        report.update_sections(page, sections or {})


@contextmanager
def _naming_the_extra() -> Iterator[None]:
    """Say what to install where something that is no part of us is missing."""
    try:
        yield
    except ImportError as error:
        name = (error.name or '').partition('.')[0]
        if name in ('astrosieve', 'astrosieve_training'):
            raise
        msg = (
            f'this step needs {name or error}; install it with: '
            "pip install 'astrosieve[train]'"
        )
        raise click.ClickException(msg) from error


def need(module: str) -> Any:
    """Import a module of this package; name the extra where something is missing."""
    with _naming_the_extra():
        return import_module(f'astrosieve_training.{module}')


class Step(Command):
    """A command that names the extra where something is missing, whenever it is."""

    def __init__(
        self, *args: Any, callback: Callable[..., Any] | None = None, **kwargs: Any
    ) -> None:
        named = callback and _naming_the_extra()(callback)
        super().__init__(*args, callback=named, **kwargs)


class StepGroup(Group):
    """A group of steps, which have the form of all commands."""

    command_class = Step
