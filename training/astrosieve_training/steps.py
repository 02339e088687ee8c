"""What every step of every task needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from astrosieve.exceptions import AstrosieveError


def need(module: str) -> Any:
    """Import a module of this package; name the extra where something is missing."""
    try:
        return import_module(f'astrosieve_training.{module}')
    except ImportError as error:
        name = (error.name or '').partition('.')[0]
        if name in ('astrosieve', 'astrosieve_training'):
            raise
        msg = (
            f'this step needs {name or error}; install it with: '
            "pip install 'astrosieve[train]'"
        )
        raise click.ClickException(msg) from error


class StepGroup(click.Group):
    """A group whose commands turn the package's errors into messages."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AstrosieveError as error:
            raise click.ClickException(str(error)) from error
