"""Widths of the PSF that a network may assume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ['averaged', 'width_hypotheses']

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
