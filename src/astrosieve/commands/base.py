"""The form of every command: help, verbosity, signals, errors."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from astrosieve import __version__
from astrosieve.commands.console import Console
from astrosieve.commands.streams import unwritten
from astrosieve.exceptions import AstrosieveError

__all__ = ['GIVEN', 'Command', 'ended_by_signals', 'unforeseen']

GIVEN = f'{__name__}.given'
"""In the meta of a context: the options that were given, as they were given."""

_ENDING = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name)
)


def unforeseen(error: Exception) -> str:
    """Return what is said of an error that nobody foresaw."""
    text = ' '.join(str(error).split())
    return (
        f'{type(error).__name__}: {text}. This should not happen: please report it to '
        f'the developers of astrosieve (this is {__version__}), with what --debug shows'
    )


def _set(name: str, value: Any) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that sets something of the console where an option is given."""

    def callback(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            setattr(ctx.ensure_object(Console), name, value)

    return callback


def _switch(*names: str, sets: tuple[str, Any], help: str) -> click.Option:
    return click.Option(
        names, is_flag=True, expose_value=False, callback=_set(*sets), help=help
    )


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End as an error does, so that nothing half-written is left."""
    sys.exit(128 + number)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a signal that ends the process end it as an error does."""
    try:
        # What the caller ignores, as nohup does, stays ignored.
        before = {
            each: signal.signal(each, _end)
            for each in _ENDING
            if signal.getsignal(each) != signal.SIG_IGN
        }
    except ValueError:  # not the main thread, which alone receives signals
        yield
        return
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class Command(click.Command):
    """
    A command with ``-h``, ``-v``, ``-q``, ``--debug`` and ``--version``.

    Errors of the package become one line and exit code 1; others say where to report
    them, or show their traceback with ``--debug``. A signal that ends the process is
    an error like any other, so that temporary files are taken away.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault('help_option_names', ['-h', '--help'])
        self.params += [
            _switch('-v', '--verbose', sets=('level', 1), help='Say more.'),
            _switch(
                '-q', '--quiet', sets=('level', -1), help='Say only what is wrong.'
            ),
            _switch(
                '--debug',
                sets=('debug', True),
                help='Show the traceback of an error that nobody foresaw.',
            ),
        ]
        click.version_option(__version__, prog_name='astrosieve')(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(args=[*args])
        known = {each.name for each in self.params if isinstance(each, click.Option)}
        ctx.meta[GIVEN] = {name: given[name] for name in given if name in known}
        rest = super().parse_args(ctx, args)
        if ctx.ensure_object(Console).run is not None and 'overwrite' in ctx.params:
            ctx.params['overwrite'] = True  # all that is written lies in its folder
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        console = ctx.ensure_object(Console)
        try:
            with ended_by_signals():
                result = super().invoke(ctx)
                console.finish()
                return result
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except AstrosieveError as error:
            console.error(str(error))
            sys.exit(1)
        except OSError as error:
            unwritten(error)
        except Exception as error:
            if console.debug:
                raise
            console.error(unforeseen(error))
            sys.exit(1)
