"""
From a difference image to the inputs of a network.

Training and inference share what is here. A preprocessing has a versioned name, which
the model card states.
"""

from __future__ import annotations

from collections.abc import Callable

from astrosieve.blob.preprocessing._base import ImagePreprocessing, Prepared
from astrosieve.blob.preprocessing.local_noise import LocalNoise
from astrosieve.models.inputs import named_preprocessing

__all__ = ['ImagePreprocessing', 'LocalNoise', 'Prepared', 'get_preprocessing']

_PREPROCESSINGS: dict[str, Callable[[], ImagePreprocessing]] = {
    LocalNoise.name: LocalNoise,
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
