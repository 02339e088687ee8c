"""Flags of blobs."""

from __future__ import annotations

from astrosieve.flags import Flag, FlagSet

__all__ = ['BLOB_FLAGS']

BLOB_FLAGS = FlagSet(
    [
        Flag(1, 'edge', 'reaches beyond the image'),
        Flag(2, 'spoilt', 'a quarter of its pixels, or more, are not usable'),
        Flag(4, 'close', 'overlaps another blob of the table'),
    ]
)
"""The bits of the column ``flags``."""
