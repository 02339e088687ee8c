"""A run for as long as it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from astrosieve.commands.runs.folder import Run, Subject
from astrosieve.commands.runs.summary import write_summary
from astrosieve.exceptions import OutputError

__all__ = ['going_on']


@contextmanager
def going_on(folder: Path, subject: Subject) -> Iterator[Run]:
    """Give a run for as long as it goes on; its summary page is written at the end."""
    run = Run(folder, subject)
    try:
        yield run
    except BaseException:
        with suppress(OutputError):  # why it ended is said
            write_summary(run.folder)
        raise
    else:
        write_summary(run.folder)
    finally:
        run.close()
