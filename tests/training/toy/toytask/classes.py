"""The classes of toy frames."""

from __future__ import annotations

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES']

CLASSES = ClassSet(
    [
        ClassInfo('bump', 'bumps', 'more light', Marker('#1fd655', 'o', 'circle')),
        ClassInfo('dip', 'dips', 'less light', Marker('#ff3b30', 'x', 'x')),
        ClassInfo('flat', 'flat frames', 'neither', Marker('#9aa0a6', '.', 'cross')),
    ]
)
"""What a frame can show."""
