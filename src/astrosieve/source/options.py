"""Options of the commands that look for sources."""

from __future__ import annotations

import click

from astrosieve.source.finders import list_finders

__all__ = ['check_finder', 'finder_option']

finder_option = click.option(
    '--finder', default='dao', show_default=True, help='Source finder, by name.'
)


def check_finder(name: str) -> None:
    """Refuse the name of a finder that is not there."""
    if name not in list_finders():
        known = ', '.join(list_finders())
        msg = f'--finder must be one of {known}; got {name!r}'
        raise click.UsageError(msg)
