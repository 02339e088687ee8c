"""
From an image to the planes that a network sees.

Training and inference share what is here. A preprocessing has a versioned name, which
the model card states.
"""

from __future__ import annotations

from collections.abc import Callable

from astrosieve.contaminant.preprocessing._base import ImagePreprocessing, Levels
from astrosieve.contaminant.preprocessing.contrast import Contrast
from astrosieve.models.inputs import named_preprocessing

__all__ = ['Contrast', 'ImagePreprocessing', 'Levels', 'get_preprocessing']

_PREPROCESSINGS: dict[str, Callable[[], ImagePreprocessing]] = {
    Contrast.name: Contrast,
}


def get_preprocessing(name: str) -> ImagePreprocessing:
    """
    Return a preprocessing by the name that model cards state.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    return named_preprocessing(_PREPROCESSINGS, name)
