"""What a candidate of a transient survey can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from astrosieve.classes import ClassInfo, ClassSet, Marker

__all__ = ['CLASSES', 'REAL', 'REAL_KINDS', 'SURVEY_CLASSES', 'SurveyClass', 'is_real']

REAL = 'real'
"""``class_name`` of what is on the sky; of all else it is the artefact's name."""

REAL_KINDS = ('transient', 'variable', 'moving')
"""The classes whose probabilities sum to ``p_real``, where a network tells them."""

CLASSES = ClassSet(
    [
        ClassInfo(
            REAL,
            'real candidates',
            'on the sky, and changed or moved: any of the next three',
            Marker('#1fd655', 'o', 'circle', '#56b4e9'),
            ink='#108a35',
        ),
        ClassInfo(
            'transient',
            'transients',
            'a point source that is new: supernova or nova, in a galaxy or without one',
            Marker('#1fd655', '*', 'circle', '#009e73'),
            ink='#108a35',
        ),
        ClassInfo(
            'variable',
            'variables',
            'a star or a nucleus that the template has too, brighter or fainter',
            Marker('#00b8d9', 'D', 'diamond', '#56b4e9'),
            ink='#007a91',
        ),
        ClassInfo(
            'moving',
            'moving objects',
            'an asteroid: a point, or a short trail, where the template has nothing',
            Marker('#3d8bff', '>', 'arrow', '#0072b2'),
        ),
        ClassInfo(
            'bogus',
            'bogus candidates',
            'not on the sky; of networks that do not say what it is',
            Marker('#ff3b30', 'x', 'x', '#d55e00'),
        ),
        ClassInfo(
            'artefact',
            'artefacts',
            'of the instrument or the pipeline, neither dipole nor saturated star',
            Marker('#ff3b30', 'X', 'x', '#d55e00'),
        ),
        ClassInfo(
            'dipole',
            'dipoles',
            'positive and negative side by side: misregistration, or refraction',
            Marker('#ff8c00', 'd', 'diamond', '#e69f00'),
        ),
        ClassInfo(
            'saturated',
            'saturated stars',
            'what a saturated star leaves, its bleeding included',
            Marker('#d56bff', 's', 'box', '#cc79a7'),
        ),
        ClassInfo(
            'residual',
            'residuals',
            'what a galaxy or a bright star leaves where PSFs were not matched',
            Marker('#b08968', 'p', 'box', '#8c6d46'),
        ),
        ClassInfo(
            'spike',
            'spikes and ghosts',
            'a diffraction spike, halo or reflection of a bright star',
            Marker('#ffb000', '+', 'cross', '#f0e442'),
            ink='#a87400',
        ),
        ClassInfo(
            'satellite_trail',
            'satellite trails',
            'part of the trail of a satellite or an aeroplane',
            Marker('#c9a227', '|', 'cross', '#f0e442'),
            ink='#8a6d00',
        ),
        ClassInfo(
            'cosmic_ray',
            'cosmic rays',
            'a hit in the science image',
            Marker('#ff3b30', 'x', 'x', '#d55e00'),
        ),
        ClassInfo(
            'bad_pixel',
            'bad pixels',
            'hot pixels, bad columns, the edge of the detector',
            Marker('#7a8494', '1', 'cross', '#000000'),
        ),
        ClassInfo(
            'bad_template',
            'bad templates',
            'a defect, a hit or an object that the template has, and the sky has not',
            Marker('#4b3f72', 'v', 'boxcircle', '#000000'),
        ),
        ClassInfo(
            'noise',
            'noise peaks',
            'nothing but noise, or a background that was not taken off',
            Marker('#7a8494', '.', 'cross', '#7a8494'),
        ),
    ]
)
"""All that cards name; a network has those that it tells apart."""


class SurveyClass(NamedTuple):
    """
    How one of the ten visual classes is counted.

    Parameters
    ----------
    three : str
        Class of the grouping to three.
    real : bool
        Grouping to two.
    """

    three: str
    real: bool


SURVEY_CLASSES = {
    'artifact': SurveyClass('artefact', real=False),
    'dipole': SurveyClass('dipole', real=False),
    'saturated star': SurveyClass('dipole', real=False),
    'moving': SurveyClass(REAL, real=True),
    'variable': SurveyClass(REAL, real=True),
    'transient': SurveyClass(REAL, real=True),
    'SN other': SurveyClass(REAL, real=True),
    'SN bronze': SurveyClass(REAL, real=True),
    'SN silver': SurveyClass(REAL, real=True),
    'SN gold': SurveyClass(REAL, real=True),
}
"""
The classes by eye of the SDSS-II Supernova Survey, as Negm (2021) groups them.

The table of that work counts saturated stars as not real, its text as real: here the
table is followed. The grouping to three keeps dipoles and saturated stars together,
as 'dipole'.
"""


def is_real(classes: Sequence[str]) -> list[bool]:
    """Return of each class of a network whether its probability is part of p_real."""
    return [name == REAL or name in REAL_KINDS for name in classes]
