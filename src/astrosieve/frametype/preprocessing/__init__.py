"""
From a frame to the inputs of a network.

Training and inference share what is here. A preprocessing has a versioned name, which
the model card states.
"""

from __future__ import annotations

from collections.abc import Callable

from astrosieve.frametype.preprocessing._base import FLIPS, FramePreprocessing
from astrosieve.frametype.preprocessing.spit import Spit
from astrosieve.frametype.preprocessing.summary import Summary
from astrosieve.models.inputs import named_preprocessing

__all__ = ['FLIPS', 'FramePreprocessing', 'Spit', 'Summary', 'get_preprocessing']

_PREPROCESSINGS: dict[str, Callable[[], FramePreprocessing]] = {
    Spit.name: Spit,
    Summary.name: Summary,
}


def get_preprocessing(name: str) -> FramePreprocessing:
    """
    Return a preprocessing by the name that model cards state.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    return named_preprocessing(_PREPROCESSINGS, name)
