"""
Tell what the things in astronomical images really are.

The public names are loaded when they are first used, so that
``import astrosieve`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import Any

__all__ = ['classify_sources', 'explain_source', 'list_models', 'load_model']

__version__ = _version('astrosieve')

_HOMES = {
    'classify_sources': 'source.classify',
    'explain_source': 'source.explain',
    'list_models': 'models.registry',
    'load_model': 'models.registry',
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
    msg = f'module {__name__!r} has no attribute {name!r}'
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
