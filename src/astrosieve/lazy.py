"""Names of a package that are loaded when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ['lazy_names']


def lazy_names(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """
    Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package : str
        Name of the package.
    names : dict of str to sequence of str
        The names that the package hands on, by the module that holds them:
        ``'.module'``, relative to the package.

    Returns
    -------
    getattr, dir : callable
        See PEP 562.
    all : list of str
        The names.
    """
    homes = {name: module for module, held in names.items() for name in held}

    def _getattr(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name], package), name)
        msg = f'module {package!r} has no attribute {name!r}'
        raise AttributeError(msg)

    def _dir() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return _getattr, _dir, sorted(homes)
