"""What every step of every task needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from astrosieve.commands.base import Command

__all__ = [
    'EXISTING_FILE',
    'EXISTING_FOLDER',
    'StepGroup',
    'config_option',
    'need',
    'say',
    'seed_option',
]

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


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


class StepGroup(click.Group):
    """A group of steps, which have the form of all commands."""

    command_class = Step
