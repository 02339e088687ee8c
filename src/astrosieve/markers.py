"""Colours and shapes of the classes, for every overlay and region file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['CLASSES', 'MARKERS', 'Marker', 'marker_for']

CLASSES = ('star', 'cosmic_ray', 'spike', 'extended', 'bad_pixel', 'background')
"""The classes of detections, in the order of tables and legends."""


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


# Stars, cosmic rays and spikes as in figures 6 and 7 of WFC3 ISR 2024-14.
MARKERS = {
    'star': Marker('#1fd655', 'o', 'circle'),
    'cosmic_ray': Marker('#ff3b30', 'x', 'x'),
    'spike': Marker('#3d8bff', 'D', 'diamond'),
    'extended': Marker('#ffb000', 's', 'box'),
    'bad_pixel': Marker('#d56bff', '+', 'cross'),
    'background': Marker('#9aa0a6', '.', 'cross'),
    'unscored': Marker('#ffffff', '1', 'boxcircle'),
}
_OTHER = Marker('#00d0d0', 'p', 'arrow')


def marker_for(name: str) -> Marker:
    """Return a class's marker; classes of other people's models share one."""
    return MARKERS.get(name, _OTHER)
