"""The command ``astrosieve models``."""

from __future__ import annotations

import click

from astrosieve.exceptions import AstrosieveError
from astrosieve.models.registry import list_models, load_model


@click.command()
@click.argument('name', required=False)
def models(name: str | None) -> None:
    """List the models, or print the card of one."""
    try:
        if name is not None:
            click.echo(load_model(name).card.summary())
            return
        for known in list_models():
            card = load_model(known).card
            alias = '' if card.name == known else f' (is {card.name})'
            click.echo(f'{known}{alias}: {", ".join(card.classes)}')
            click.echo(f'    {card.description}')
    except AstrosieveError as error:
        raise click.ClickException(str(error)) from error
