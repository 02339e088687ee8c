"""
Tell what the things in astronomical images really are.

The public names are loaded when they are first used, so that
``import astrosieve`` itself costs nothing.
"""

from __future__ import annotations

from importlib.metadata import version as _version

from astrosieve.lazy import lazy_names

__all__ = ['classify_sources', 'explain_source', 'list_models', 'load_model']

__version__ = _version('astrosieve')

_HOMES = {
    'classify_sources': 'source.classify',
    'explain_source': 'source.explain',
    'list_models': 'models.registry',
    'load_model': 'models.registry',
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
