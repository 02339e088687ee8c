"""
From stamps to the inputs of a network.

Training and inference share what is here. A preprocessing has a versioned name, which
the model card states.
"""

from __future__ import annotations

from collections.abc import Callable

from astrosieve.models.inputs import named_preprocessing
from astrosieve.transient.preprocessing._base import (
    StampPreprocessing,
    Stamps,
    measure_levels,
)
from astrosieve.transient.preprocessing.negm2021 import Negm2021
from astrosieve.transient.preprocessing.noise_units import NoiseUnits

__all__ = [
    'Negm2021',
    'NoiseUnits',
    'StampPreprocessing',
    'Stamps',
    'get_preprocessing',
    'measure_levels',
]

_PREPROCESSINGS: dict[str, Callable[[], StampPreprocessing]] = {
    NoiseUnits.name: NoiseUnits,
    Negm2021.name: Negm2021,
}


def get_preprocessing(name: str) -> StampPreprocessing:
    """
    Return a preprocessing by the name that model cards state.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    return named_preprocessing(_PREPROCESSINGS, name)
