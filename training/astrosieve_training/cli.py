"""
The command ``astrosieve-train TASK STEP``: a table of tasks.

A task's steps are imported when one of them is called, and what is heavy when a step
runs, so that ``--help`` works with the core alone.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from astrosieve_training.steps import StepGroup

__all__ = ['main']

_TASKS = ('blob', 'contaminant', 'frametype', 'source', 'transient')


class _Tasks(StepGroup):
    """A group of steps for each task, ``TASK/commands.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_TASKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _TASKS:
            return None
        module = import_module(f'astrosieve_training.{cmd_name}.commands')
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_Tasks, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(package_name='astrosieve')
def main() -> None:
    """
    Make, judge and export the networks of astrosieve.

    Needs the extra 'train': pip install 'astrosieve[train]'
    """


if __name__ == '__main__':
    sys.exit(main())
