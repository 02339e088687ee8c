"""What a place, or a subframe, of a difference image can hold."""

from __future__ import annotations

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES']

CLASSES = ClassSet(
    [
        ClassInfo(
            'blob',
            'blobs',
            'a spot on the mirror that is new: less light comes through',
            Marker('#ff3b30', 'o', 'circle', '#d55e00'),
        ),
        ClassInfo(
            'dip',
            'dips',
            'what remains of an older blob that has moved a little',
            Marker('#3d8bff', 's', 'box', '#0072b2'),
        ),
        ClassInfo(
            'no_blob',
            'subframes without a blob',
            'nothing that is new',
            Marker('#7a8494', '.', 'cross'),
        ),
    ]
)
"""Flagships mark blobs and dips; the report's network tells subframes apart."""
