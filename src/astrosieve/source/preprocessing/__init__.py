"""
From an image and positions to the inputs of a network.

Training and inference share what is here, so that a network never sees
pixels prepared in another way than those it was trained on. A preprocessing
has a versioned name, which the model card states.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

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
    'fit_without_width',
    'get_preprocessing',
]

_PREPROCESSINGS: dict[str, Callable[[], SourcePreprocessing]] = {
    ZScaleLog.name: ZScaleLog,
    'local-noise-1': partial(LocalNoise, apparent=True),
    'local-noise-2': LocalNoise,
}

_FITTED: WeakKeyDictionary[MeasuredImage, dict[str, FittedPreprocessing]] = (
    WeakKeyDictionary()
)


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
    fitted = fit_without_width(preprocessing, image)
    if not preprocessing.needs_fwhm:
        return fitted
    apparent = preprocessing.apparent
    return fitted.told(image.weighed_apparent_fwhm if apparent else image.weighed_fwhm)


def fit_without_width(
    preprocessing: SourcePreprocessing, image: MeasuredImage
) -> FittedPreprocessing:
    """
    Fit a preprocessing to an image, once; the width of its PSF is not asked for.

    Parameters
    ----------
    preprocessing, image
        As for `fit_image`.

    Returns
    -------
    fitted : callable
        As from `fit_image`.
    """
    mine = _FITTED.setdefault(image, {})
    name = preprocessing.name
    if name not in mine:
        mesh = image.mesh if preprocessing.needs_fwhm else None
        mine[name] = preprocessing.fit(image.sci, spoilt=image.spoilt, mesh=mesh)
    return mine[name]
