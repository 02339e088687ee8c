"""Names of a package that are loaded when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ['lazy_names']


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """
    Return ``__getattr__`` and ``__dir__`` of a package that hands names on.

    Parameters
    ----------
    package : str
        Name of the package.
    homes : dict of str to str
        The module of the package, by the name that it holds.

    Returns
    -------
    getattr, dir : callable
        See PEP 562.
    """

    def _getattr(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f'{package}.{homes[name]}'), name)
        msg = f'module {package!r} has no attribute {name!r}'
        raise AttributeError(msg)

    def _dir() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return _getattr, _dir
