"""Colours and shapes of the classes, for every overlay and region file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from astrosieve.classes import Marker

__all__ = ['CLASSES', 'CONVENTIONS', 'MARKERS', 'marker_for']


CLASSES = ('star', 'cosmic_ray', 'spike', 'extended', 'bad_pixel', 'background')
"""The classes of detections, in the order of tables and legends."""


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


# The palette of Okabe & Ito (2008), distinct to colour-blind eyes on its own.
_OKABE_ITO = {
    'star': '#56b4e9',
    'cosmic_ray': '#d55e00',
    'spike': '#f0e442',
    'extended': '#cc79a7',
    'bad_pixel': '#e69f00',
    'background': '#9aa0a6',
    'unscored': '#ffffff',
}


CONVENTIONS: Mapping[str, Mapping[str, Marker]] = {
    'report': MARKERS,
    'colour-blind': {
        name: replace(MARKERS[name], color=color) for name, color in _OKABE_ITO.items()
    },
}
"""Markers by convention: the report's, and colours for colour-blind eyes."""


def marker_for(name: str, convention: str = 'report') -> Marker:
    """
    Return a class's marker; classes of other people's models share one.

    Parameters
    ----------
    name : str
        The class.
    convention : {'report', 'colour-blind'}, optional
        Whose colours.

    Returns
    -------
    marker : `Marker`

    Raises
    ------
    ValueError
        If there is no such convention.
    """
    if convention not in CONVENTIONS:
        msg = f'convention must be one of {", ".join(CONVENTIONS)}; got {convention!r}'
        raise ValueError(msg)
    return CONVENTIONS[convention].get(name, _OTHER)
