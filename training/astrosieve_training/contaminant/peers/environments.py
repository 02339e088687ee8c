"""Environments of other networks, which would not live beside ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ['PEERS', 'make_environments', 'python_of']

PEERS = {
    'deepcr': ('deepCR==0.3.1', 'matplotlib'),
    'cosmic-conn': ('cosmic-conn==0.6.1', 'torch==2.13.0'),
    'maximask': ('MaxiMask==1.4.1',),
}
"""What is installed for each: Zhang & Bloom 2020, ApJ 889, 24; Xu et al. 2023, ApJ 942,
73; Paillassa, Bertin & Bouy 2020, A&A 634, A48."""


def python_of(folder: Path, name: str) -> Path:
    """Return the interpreter of an environment."""
    return folder / name / 'bin' / 'python'


def make_environments(folder: Path, say: Callable[[str], None]) -> dict[str, str]:
    """
    Make those environments that are not there.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Gets a folder for each.
    say : callable
        Told, in a line, what begins.

    Returns
    -------
    problems : dict of str to str
        By name; empty where the environment is ready.
    """
    problems = {}
    for name, packages in PEERS.items():
        say(name)
        python = python_of(folder, name)
        steps = [[str(python), '-m', 'pip', 'install', '-q', *packages]]
        if not python.is_file():
            steps.insert(0, [sys.executable, '-m', 'venv', str(folder / name)])
        problems[name] = ''
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                problems[name] = done.stderr.strip().rpartition('\n')[2]
                break
    return problems
