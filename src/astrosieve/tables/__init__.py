"""Rows out: catalogues, coordinate files, regions."""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.catalogs': (
            'positions',
            'read_catalog',
            'select_classes',
            'write_catalog',
        ),
        '.coordinate_files': ('read_coordinates', 'write_coordinates'),
        '.regions': ('write_regions',),
    },
)
