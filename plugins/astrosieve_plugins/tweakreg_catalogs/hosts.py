"""Drizzlepac, imported when it is needed, and what of it is not public."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType

from astrosieve.exceptions import AstrosieveError

__all__ = ['host', 'host_attribute']


def host(name: str) -> ModuleType:
    """
    Import a module of drizzlepac, stwcs or tweakwcs.

    Parameters
    ----------
    name : str
        Dotted name.

    Returns
    -------
    module : module

    Raises
    ------
    AstrosieveError
        If it is not installed or cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return import_module(name)
    except ImportError as error:
        top = name.partition('.')[0]
        if isinstance(error, ModuleNotFoundError) and error.name == top:
            msg = f"{top} is not installed: pip install 'astrosieve[tweakreg]'"
        else:
            msg = (
                f'{name} cannot be imported ({error}); install versions that go '
                "together: pip install 'astrosieve[tweakreg]'"
            )
        raise AstrosieveError(msg) from error


def host_attribute(name: str, owner: str, attribute: str, *, instead: str) -> object:
    """
    Return something of drizzlepac that is not public, if it is where it was.

    Parameters
    ----------
    name : str
        Module.
    owner : str
        Class in it, or empty for the module itself.
    attribute : str
        What is replaced later: it must be the owner's own and callable.
    instead : str
        What to use where it has moved.

    Returns
    -------
    owner : object
        The class or module that holds it.

    Raises
    ------
    AstrosieveError
        If it is not there any more.
    """
    where = '.'.join(part for part in (name, owner, attribute) if part)
    holder: object = None
    try:
        module = host(name)
        holder = getattr(module, owner, None) if owner else module
    except AstrosieveError as error:
        cause = error.__cause__
        if not isinstance(cause, ModuleNotFoundError) or cause.name != name:
            raise  # not installed, or broken, but not moved
    if holder is None or not callable(vars(holder).get(attribute)):
        raise AstrosieveError(moved(where, instead))
    return holder


def moved(where: str, instead: str) -> str:
    """Return what is said when drizzlepac is not as it was."""
    version = getattr(host('drizzlepac'), '__version__', 'unknown')
    return (
        f'drizzlepac {version} has no {where} as astrosieve knows it (tested with '
        f'3.11.0): {instead}'
    )
