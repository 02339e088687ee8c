"""
From an image and positions to the inputs of a network.

Training and inference share what is here, so that a network never sees
pixels prepared in another way than those it was trained on. A preprocessing
has a versioned name, which the model card states.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from astrosieve.images.measured import MeasuredImage
from astrosieve.models.inputs import Batch, named_preprocessing
from astrosieve.source.preprocessing._base import (
    FittedPreprocessing,
    SourcePreprocessing,
)
from astrosieve.source.preprocessing.local_noise import LocalNoise
from astrosieve.source.preprocessing.zscale_log import ZScaleLog

__all__ = [
    'Batch',
    'FittedPreprocessing',
    'LocalNoise',
    'SourcePreprocessing',
    'ZScaleLog',
    'fit_image',
    'get_preprocessing',
]

_PREPROCESSINGS: dict[str, Callable[[], SourcePreprocessing]] = {
    ZScaleLog.name: ZScaleLog,
    'local-noise-1': partial(LocalNoise, apparent=True),
    'local-noise-2': LocalNoise,
}


def get_preprocessing(name: str) -> SourcePreprocessing:
    """
    Return a preprocessing by the name that model cards state.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    return named_preprocessing(_PREPROCESSINGS, name)


def fit_image(
    preprocessing: SourcePreprocessing, image: MeasuredImage
) -> FittedPreprocessing:
    """
    Fit a preprocessing to an image; what it asks for is measured.

    Parameters
    ----------
    preprocessing : `SourcePreprocessing`
        As from `get_preprocessing`.
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.

    Returns
    -------
    fitted : callable
        Takes (N, 2) positions, returns a `Batch`.
    """
    if not preprocessing.needs_fwhm:
        return preprocessing.fit(image.sci, spoilt=image.spoilt)
    apparent = preprocessing.apparent
    fwhm = image.weighed_apparent_fwhm if apparent else image.weighed_fwhm
    return preprocessing.fit(image.sci, spoilt=image.spoilt, fwhm=fwhm, mesh=image.mesh)
