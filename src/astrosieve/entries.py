"""The commands of ``astrosieve``: where each is, and what it does."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

__all__ = ['COMMANDS_GROUP', 'command_entries', 'short_help']

COMMANDS_GROUP = 'astrosieve.commands'
"""Entry points by which other distributions add commands."""

_COMMANDS = {
    'blobs': 'astrosieve.blob.command:blobs',
    'classify': 'astrosieve.source.command:classify',
    'demo': 'astrosieve.source.command:demo',
    'frametype': 'astrosieve.frametype.command:frametype',
    'models': 'astrosieve.commands.models:models',
    'report': 'astrosieve.report.command:report',
    'transients': 'astrosieve.transient.command:transients',
    'segment': 'astrosieve.contaminant.command:segment',
    'verify': 'astrosieve.commands.runs.verify:verify',
}


def command_entries() -> dict[str, EntryPoint]:
    """Return the commands of the core and those that others add, by name."""
    added = {entry.name: entry for entry in entry_points(group=COMMANDS_GROUP)}
    own = {
        name: EntryPoint(name, place, COMMANDS_GROUP)
        for name, place in _COMMANDS.items()
    }
    return added | own


def short_help(entry: EntryPoint) -> str:
    """Return the first line of what a command says of itself, without loading it."""
    try:
        spec = find_spec(entry.module)
        assert spec is not None
        source = Path(str(spec.origin)).read_text(encoding='utf-8')
        functions = {
            node.name: ast.get_docstring(node) or ''
            for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef)
        }
        return functions[entry.attr].partition('\n')[0]
    except Exception:  # made in another way, or broken: that shows when it is called
        return ''
