"""Classes of a task: their names and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['Marker']


@dataclass(frozen=True)
class Marker:
    """
    How detections of one class are drawn.

    Parameters
    ----------
    color : str
        Hexadecimal colour; distinct to colour-blind eyes by shape as well.
    matplotlib, ds9 : str
        Shape, as matplotlib and DS9 call it.
    """

    color: str
    matplotlib: str
    ds9: str
