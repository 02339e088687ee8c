"""What can spoil a pixel, or light it."""

from __future__ import annotations

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES', 'FAILURES', 'SPOILT']

# The colours are as far apart as fifteen can be, to eyes with all cones and to those
# without red or without green ones (Machado, Oliveira & Fernandes 2009).
CLASSES = ClassSet(
    [
        ClassInfo(
            'cosmic_ray',
            'cosmic rays',
            'the track of an energetic particle in the detector',
            Marker('#f0001e', 'x', 'x'),
        ),
        ClassInfo(
            'hot_pixel',
            'hot pixels',
            'a pixel with charge of its own, more than its neighbours',
            Marker('#e1a500', '+', 'cross'),
            ink='#b88600',
        ),
        ClassInfo(
            'bad_pixel',
            'bad pixels',
            'a pixel, or a few, that see too little light or none',
            Marker('#e15af0', 's', 'box'),
        ),
        ClassInfo(
            'hot_column',
            'hot columns',
            'a column, or a part of one, above its neighbours',
            Marker('#ff96b4', '|', 'box'),
            ink='#d9567c',
        ),
        ClassInfo(
            'bad_column',
            'bad columns',
            'a column, or a part of one, that sees too little light or none',
            Marker('#875aa5', '|', 'box'),
        ),
        ClassInfo(
            'bad_row',
            'bad rows',
            'a row, or a part of one, that is off its neighbours',
            Marker('#c39669', '_', 'box'),
        ),
        ClassInfo(
            'persistence',
            'persistence',
            'what remains of light of an earlier exposure',
            Marker('#3c8778', 'o', 'circle'),
        ),
        ClassInfo(
            'satellite_trail',
            'satellite trails',
            'the trail of a satellite, an aircraft or a meteor',
            Marker('#4bffff', '_', 'box'),
            ink='#009a9a',
        ),
        ClassInfo(
            'fringe',
            'fringes',
            'interference of the sky lines within the detector',
            Marker('#96b4e1', 'd', 'diamond'),
            ink='#5f86c0',
        ),
        ClassInfo(
            'saturation',
            'saturated pixels',
            'a pixel that is full, or its converter at its end',
            Marker('#e1f000', 'o', 'circle'),
            ink='#8a9300',
        ),
        ClassInfo(
            'bleed',
            'bleeds',
            'charge that ran over from a full pixel, along a column or a row',
            Marker('#d20f5a', '|', 'box'),
        ),
        ClassInfo(
            'spike',
            'spikes',
            'a diffraction spike of a bright star',
            Marker('#0f5aff', 'D', 'diamond'),
        ),
        ClassInfo(
            'nebulosity',
            'nebulosity',
            'light of gas or dust in the sky',
            Marker('#c3f0a5', 'h', 'circle'),
            ink='#7ba35d',
        ),
        ClassInfo(
            'object',
            'objects',
            'a star or a galaxy',
            Marker('#69ff69', '*', 'circle'),
            ink='#1f9e1f',
        ),
        ClassInfo(
            'reflection',
            'reflections',
            'a ghost of a bright star: a disc or a ring of light reflected in the '
            'camera',
            Marker('#0f871e', 'o', 'circle'),
        ),
    ]
)
"""In the order of planes and bits; several may hold in one pixel."""

SPOILT = (
    'cosmic_ray',
    'hot_pixel',
    'bad_pixel',
    'hot_column',
    'bad_column',
    'bad_row',
    'persistence',
    'satellite_trail',
    'saturation',
    'bleed',
)
"""Those whose pixels do not measure the sky: what masks leave out."""

FAILURES = {
    'tracking_lost': 'the stars are drawn out: tracking or guiding was lost',
    'doubled': 'each star is there twice, or more often: the telescope jumped',
    'out_of_focus': 'the stars are discs or rings',
}
"""What can go wrong with a whole image."""
