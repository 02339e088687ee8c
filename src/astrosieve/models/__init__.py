"""Networks in: cards, weights, and what they say."""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__all__ = [
    'Batch',
    'Model',
    'ModelCard',
    'OperatingPoint',
    'Preprocessing',
    'Share',
    'list_models',
    'load_model',
]

_HOMES = {
    'Batch': 'inputs',
    'Model': 'registry',
    'ModelCard': 'cards',
    'OperatingPoint': 'cards',
    'Preprocessing': 'inputs',
    'Share': 'metrics',
    'list_models': 'registry',
    'load_model': 'registry',
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
