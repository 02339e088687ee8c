"""The page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astrosieve.classes import ClassSet
from astrosieve.commands.runs.folder import Subject, read_log
from astrosieve.commands.runs.summary import summary_page
from astrosieve.flags import FlagSet
from astrosieve.source.classes import CLASSES
from astrosieve.source.flags import CLASS_FLAGS

__all__ = ['run_report']

_TASKS: dict[str, tuple[ClassSet, FlagSet]] = {'classify': (CLASSES, CLASS_FLAGS)}
_OTHER = ClassSet([]), FlagSet([])


def run_report(folder: Path) -> tuple[str, dict[str, Any]]:
    """
    Return the page of a run, and how many images it is of.

    Parameters
    ----------
    folder : `~pathlib.Path`
        As ``--run`` has made it.

    Returns
    -------
    page : str
        HTML: what its summary says, and the first images with what was found.
    said : dict
        ``command``, ``images`` and ``failed``.

    Raises
    ------
    OutputError
        If the folder holds no run.
    """
    command = Subject.of(folder).command
    last = {
        each['input']: each['event'] for each in read_log(folder) if 'input' in each
    }
    classes, flags = _TASKS.get(command, _OTHER)
    failed = sum(event == 'failed' for event in last.values())
    page = summary_page(folder, classes=classes, flags=flags)
    return page, {'command': command, 'images': len(last), 'failed': failed}
