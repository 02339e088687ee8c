"""The command ``astrosieve``: a table of commands, each imported when it is called."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from astrosieve import __version__

__all__ = ['main']

COMMANDS_GROUP = 'astrosieve.commands'

_COMMANDS = {
    'blobs': 'astrosieve.blob.command:blobs',
    'classify': 'astrosieve.source.command:classify',
    'demo': 'astrosieve.source.command:demo',
    'frametype': 'astrosieve.frametype.command:frametype',
    'models': 'astrosieve.commands.models:models',
    'transients': 'astrosieve.transient.command:transients',
    'segment': 'astrosieve.contaminant.command:segment',
}


class _CommandGroup(click.Group):
    """Commands of the core, and those that other modules register."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # help and versions too need room to be written to
            click.echo(f'error: cannot be written: {error.strerror or error}', err=True)
            sys.exit(1)

    @staticmethod
    def _entries() -> dict[str, EntryPoint]:
        added = {entry.name: entry for entry in entry_points(group=COMMANDS_GROUP)}
        own = {
            name: EntryPoint(name, place, COMMANDS_GROUP)
            for name, place in _COMMANDS.items()
        }
        return added | own

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries().get(cmd_name)
        command: click.Command | None = entry.load() if entry else None
        return command


@click.group(
    cls=_CommandGroup, context_settings={'help_option_names': ['-h', '--help']}
)
@click.version_option(__version__, prog_name='astrosieve')
def main() -> None:
    """Tell what the things in astronomical images really are."""
