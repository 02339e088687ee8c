"""Commands called from Python, on many inputs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from astrosieve.commands.console import Console, about_it
from astrosieve.commands.remote import is_url
from astrosieve.entries import command_entries
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning

__all__ = ['batch']

_MANIFESTS = ('.csv', '.ecsv', '.parquet', '.vot')


def batch(
    command: str,
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    run: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    time_limit: float | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """
    Do what a command does, for many inputs.

    Parameters
    ----------
    command : str
        Name of a command that takes images: 'classify', 'segment', 'blobs',
        'frametype', 'transients'.
    inputs : path-like, or iterable of path-like
        Files, folders, addresses that fsspec knows (``s3://bucket/name.fits``); with
        ``*`` all that match. A name that ends with csv, ecsv, vot or parquet is that
        of a table with a column ``file``, ``path``, ``url``, ``uri`` or ``name``.
    run : path-like, optional
        Folder of the run. Called again with it, work goes on where it ended.
    jobs : int, optional
        How many inputs are worked on at once; else as many as pay.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers do the work.
    time_limit : float, optional
        Seconds after which an input is given up.
    **options
        The command's other options: ``fwhm=2.5``, ``write_dq=True``,
        ``prior={'star': 0.2}``.

    Returns
    -------
    answers : list of dict
        Of each input that was worked on, in their order; ``error`` says why one
        failed.

    Raises
    ------
    TypeError, ValueError
        If there is no such command or option, or its value does not fit.
    AstrosieveError
        If nothing can be done at all.

    Examples
    --------
    >>> from astrosieve import batch
    >>> from astrosieve.source.demo import demo_exposure
    >>> answers = batch('classify', demo_exposure(), output='catalogs', run='night')
    >>> answers[0]['written']
    ['night/catalogs/demo_flc_sources.ecsv']
    """
    entries = command_entries()
    if command not in entries:
        known = ', '.join(sorted(entries))
        msg = f'there is no command {command!r}; known are {known}'
        raise ValueError(msg)
    called: click.Command = entries[command].load()
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    own = {'run': run, 'jobs': jobs, 'scheduler': scheduler, 'time_limit': time_limit}
    words = _words(called, {**own, **options})
    words.append('--')
    for each in inputs:
        words += _files(os.fspath(each))
    console = _Collected()
    try:
        called.main(words, prog_name=command, standalone_mode=False, obj=console)
    except click.ClickException as error:
        raise ValueError(error.format_message()) from error
    except SystemExit:
        if console.problem and not console.answers:
            raise AstrosieveError(console.problem) from None
    return console.answers


def _words(command: click.Command, options: Mapping[str, Any]) -> list[str]:
    """Return options as the command line has them."""
    known = {each.name: each for each in command.params}
    words: list[str] = []
    for name, value in options.items():
        if value is None:
            continue
        option = known.get(name)
        if not isinstance(option, click.Option):
            listed = ', '.join(sorted(filter(None, known)))
            msg = f'{command.name} has no option {name!r}; it has {listed}'
            raise TypeError(msg)
        if option.is_flag:
            flags = option.opts if value else option.secondary_opts
            words += flags[:1]
            continue
        if isinstance(value, Mapping):
            value = [f'{key}={share}' for key, share in value.items()]
        if isinstance(value, (list, tuple)) and not option.multiple:
            value = ','.join(map(str, value))
        several = isinstance(value, (list, tuple))
        for each in value if several else [value]:
            words += [f'{option.opts[-1]}={each}']
    return words


def _files(name: str) -> list[str]:
    if is_url(name):
        return [name]
    if name.lower().endswith(_MANIFESTS):
        return [f'@{name}']
    if '*' not in name or Path(name).exists():
        return [name]
    path = Path(name)
    found = sorted(map(str, Path(path.anchor).glob(str(path.relative_to(path.anchor)))))
    if not found:
        msg = f'{name}: no such file'
        raise ValueError(msg)
    return found


class _Collected(Console):
    """Keeps what a command says; its warnings are Python's."""

    def __init__(self) -> None:
        super().__init__()
        self.json = True
        self.level = -1
        self.answers: list[dict[str, Any]] = []
        self.problem = ''

    def answer(self, text: str, data: dict[str, Any] | None = None) -> None:
        self.answers.append(data or {'text': text})

    def failure(self, path: str | os.PathLike[str], text: str) -> None:
        self.answers.append({'input': str(path), 'error': text})

    def warning(self, text: str, about: str = '') -> None:
        warnings.warn(about_it(about, text), AstrosieveWarning, stacklevel=2)

    def error(self, text: str, about: str = '') -> None:
        self.problem = about_it(about, text)

    def note(self, text: str) -> None:
        pass

    def finish(self) -> None:
        pass
