"""The command ``astrosieve models``."""

from __future__ import annotations

import json

import click

from astrosieve.commands.base import Command
from astrosieve.commands.console import console
from astrosieve.commands.options import json_option
from astrosieve.models.registry import list_models, load_model

_MORE = '(training data, hash, and how it was judged: --all)'


@click.command(cls=Command)
@click.argument('name', required=False)
@click.option(
    '--all',
    'whole',
    is_flag=True,
    help='Print the whole card: training data, hash, and all tables of results.',
)
@json_option
def models(name: str | None, whole: bool) -> None:
    """List the models, or print what there is to know of one."""
    said = console()
    if name is not None:
        card = load_model(name).card
        text = card.details() if whole else f'{card.summary()}\n{_MORE}'
        said.answer(text, json.loads(card.to_json()))
        return
    for known in list_models():
        card = load_model(known).card
        alias = '' if card.name == known else f' (is {card.name} {card.version})'
        classes = ', '.join(card.classes)
        said.answer(
            f'{known}{alias}: {classes}\n    {card.description}',
            {'name': known, 'model': card.name, 'classes': card.classes},
        )
