"""The command ``astrosieve``: a table of commands, each imported when it is called."""

from __future__ import annotations

import os

import click

from astrosieve import __version__
from astrosieve.commands.streams import Group
from astrosieve.entries import command_entries, short_help
from astrosieve.machine import BLAS_THREADS

__all__ = ['main']

# The same image has the same catalogue on any number of cores.
for _name, _value in BLAS_THREADS.items():
    os.environ.setdefault(_name, _value)


class _CommandGroup(Group):
    """Commands of the core, and those that other modules register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(command_entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = command_entries().get(cmd_name)
        command: click.Command | None = entry.load() if entry else None
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        rows = [(name, short_help(e)) for name, e in sorted(command_entries().items())]
        with formatter.section('Commands'):
            formatter.write_dl(rows)


@click.group(
    cls=_CommandGroup, context_settings={'help_option_names': ['-h', '--help']}
)
@click.version_option(__version__, prog_name='astrosieve')
def main() -> None:
    """Tell what the things in astronomical images really are."""
