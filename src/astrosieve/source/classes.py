"""The classes of detections, each in one entry."""

from __future__ import annotations

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES', 'REPORT_CLASSES']

# Markers of stars, cosmic rays and spikes as in figures 6 and 7 of WFC3 ISR 2024-14;
# inks of Okabe & Ito (2008).
CLASSES = ClassSet(
    [
        ClassInfo(
            'star',
            'stars',
            'the core of a point source',
            Marker('#1fd655', 'o', 'circle', '#56b4e9'),
            ink='#0072b2',
        ),
        ClassInfo(
            'cosmic_ray',
            'cosmic rays',
            'the track of an energetic particle in the detector',
            Marker('#ff3b30', 'x', 'x', '#d55e00'),
            ink='#d55e00',
        ),
        ClassInfo(
            'spike',
            'spikes',
            "another part of a bright star's PSF: diffraction spike, halo, bleed",
            Marker('#3d8bff', 'D', 'diamond', '#f0e442'),
            ink='#009e73',
        ),
        ClassInfo(
            'extended',
            'resolved galaxies',
            'a galaxy, a knot of one, or nebulosity',
            Marker('#ffb000', 's', 'box', '#cc79a7'),
            ink='#cc79a7',
        ),
        ClassInfo(
            'bad_pixel',
            'bad pixels',
            'a defect of the detector: hot or bad pixel, column',
            Marker('#d56bff', '+', 'cross', '#e69f00'),
            ink='#e69f00',
        ),
        ClassInfo(
            'background',
            'sky',
            'nothing but noise',
            Marker('#9aa0a6', '.', 'cross'),
        ),
    ]
)
"""What a detection can be, in the order of tables and legends."""

REPORT_CLASSES = ('star', 'cosmic_ray', 'spike')
"""Those of WFC3 ISR 2024-14."""
