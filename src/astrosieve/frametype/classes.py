"""The types of spectral frames, each in one entry."""

from __future__ import annotations

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES', 'UNKNOWN']

UNKNOWN = 'unknown'
"""The answer where an image is of no type, or its flips do not agree on one."""

CLASSES = ClassSet(
    [
        ClassInfo(
            'bias',
            'biases',
            'read out without exposure',
            Marker('#7a8494', '.', 'cross'),
        ),
        ClassInfo(
            'dark',
            'darks',
            'exposed with the shutter closed',
            Marker('#4b3f72', 's', 'box', '#000000'),
        ),
        ClassInfo(
            'arc',
            'arcs',
            'lines of a lamp, for wavelengths',
            Marker('#d56bff', '|', 'cross', '#cc79a7'),
        ),
        ClassInfo(
            'flat',
            'flats',
            'a continuum that fills the slit: lamp, dome, twilight',
            Marker('#ffb000', 'D', 'diamond', '#e69f00'),
        ),
        ClassInfo(
            'science',
            'science frames',
            'an object, or the sky, through the slit',
            Marker('#1fd655', 'o', 'circle', '#56b4e9'),
            ink='#108a35',
        ),
        ClassInfo(
            'standard',
            'standards',
            'a bright star of known flux',
            Marker('#3d8bff', '*', 'circle', '#0072b2'),
        ),
        ClassInfo(
            UNKNOWN,
            'unknown frames',
            'none of these: an image of the sky, a focus run, noise; or not certain',
            Marker('#ff3b30', 'x', 'x', '#d55e00'),
        ),
    ]
)
"""What a frame can be, in the order of tables and legends."""
