"""Networks in: cards, weights, and what they say."""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.cards': ('ModelCard', 'OperatingPoint'),
        '.inputs': ('Batch', 'Preprocessing'),
        '.metrics': ('Share',),
        '.registry': ('Model', 'list_models', 'load_model'),
    },
)
