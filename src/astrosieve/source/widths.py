"""Widths of the PSF that a network may assume, and stars that it finds by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model
from astrosieve.source.preprocessing import fit_without_width, get_preprocessing

__all__ = ['averaged', 'star_chooser', 'width_hypotheses']

_WIDTHS = (1.6, 2.1, 2.8, 3.7)


def width_hypotheses(inputs: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """
    Return inputs that a network can be asked about, one for each width to assume.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Of any preprocessing.

    Returns
    -------
    hypotheses : list of dict
        The inputs alone where the width of the PSF is known, or no input. Else one
        for each of several widths from 1.6 to 3.7 pixels, in place of NaN: the
        probabilities are to be averaged over them.
    """
    fwhm = inputs.get('fwhm')
    if fwhm is None or not np.isnan(fwhm).any():
        return [inputs]
    return [
        {**inputs, 'fwhm': np.where(np.isnan(fwhm), np.float32(width), fwhm)}
        for width in _WIDTHS
    ]


def averaged(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    inputs: dict[str, np.ndarray],
) -> np.ndarray:
    """
    Return probabilities, where the width of the PSF is not known means over several.

    Parameters
    ----------
    predict : callable
        Takes inputs and returns probabilities, as
        `astrosieve.models.registry.Model.predict` does.
    inputs : dict of str to `~numpy.ndarray`
        Of any preprocessing.

    Returns
    -------
    probabilities : (N, C) float32 `~numpy.ndarray`
    """
    parts = [predict(each) for each in width_hypotheses(inputs)]
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)


def star_chooser(
    model: Model,
) -> Callable[[MeasuredImage, np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
    """
    Return what finds the stars by which the width of an image's PSF is measured.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        For sources.

    Returns
    -------
    chooser : callable or None
        For the parameter ``likely_stars`` of `~astrosieve.images.MeasuredImage`: called
        with an image and (N, 2) places, asks the model about them under each width to
        assume. None for a model that is told no width, and for one that learnt the
        width which stars seem to have.
    """
    card = model.card
    preprocessing = get_preprocessing(card.preprocessing)
    if not preprocessing.needs_fwhm or preprocessing.apparent:
        return None
    star = card.classes.index('star')

    def chooser(
        image: MeasuredImage, places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        batch = fit_without_width(preprocessing, image)(places)
        likely = np.zeros((len(places), len(_WIDTHS)))
        if batch.valid.any():
            known = {name: each[batch.valid] for name, each in batch.inputs.items()}
            likely[batch.valid] = np.stack(
                [model.predict(each)[:, star] for each in width_hypotheses(known)],
                axis=1,
            )
        return np.array(_WIDTHS), likely

    return chooser
