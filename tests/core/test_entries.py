"""The table of commands."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import EntryPoint

from astrosieve.entries import COMMANDS_GROUP, command_entries, short_help


def test_help_loads_nothing() -> None:
    """The list of commands costs no import of what they need."""
    code = (
        'import sys\nfrom astrosieve.cli import main\n'
        'try:\n    main(["--help"])\nexcept SystemExit:\n    pass\n'
        'assert not {"numpy", "astropy", "onnxruntime"} & set(sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert 'classify' in done.stdout
    assert 'Detect and classify the sources of images.' in done.stdout


def test_what_commands_say_of_themselves() -> None:
    """It is the first line of each one's own help."""
    for name, entry in command_entries().items():
        said = inspect.cleandoc(entry.load().help).partition('\n')[0]
        assert short_help(entry) == said != '', name


def test_commands_made_in_another_way() -> None:
    """A command whose text is not found is listed without it."""
    for place in ('astrosieve.cli:none', 'no.such.module:f'):
        assert short_help(EntryPoint('x', place, COMMANDS_GROUP)) == ''
