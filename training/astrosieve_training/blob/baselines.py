"""What a network is measured against: a matched filter, and DAOStarFinder."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from astropy.table import Table

from astrosieve.blob.preprocessing import Prepared
from astrosieve_training.blob.matching import match
from astrosieve_training.blob.simulate import SimulatedDifference
from astrosieve_training.learn.calibrate import Aim, thresholds

__all__ = ['dao_blobs', 'matched_filter', 'tuned_threshold']

_RADII = (3.0, 4.5, 6.5, 9.0, 13.0)  # pixels: half widths of Gaussians, radii of discs
_LEAST = 3.0  # lowest signal over noise of a candidate
_APART = 9  # pixels: size of the square in which a peak is the highest
_FWHM = 11.0  # pixels, of DAOStarFinder's kernel: the typical blob

Find = Callable[[Prepared], Table]


def _kernels() -> list[tuple[float, np.ndarray]]:
    """Return radii and kernels of unit height."""
    kernels = []
    for radius in _RADII:
        reach = int(np.ceil(2.2 * radius))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        away = np.hypot(x, y) / radius
        kernels += [(radius, np.exp2(-(away**2))), (radius, (away <= 1) * 1.0)]
    return kernels


def matched_filter(prepared: Prepared) -> Table:
    """
    Return peaks of the signal over noise of Gaussians and discs of five sizes.

    Returns
    -------
    found : `~astropy.table.Table`
        ``x``, ``y``, ``score`` (signal over noise), ``radius``, ``depth``; the best
        first.
    """
    from scipy.ndimage import maximum_filter
    from scipy.signal import fftconvolve

    usable = np.isfinite(prepared.signal)
    signal = np.where(usable, prepared.signal, 0).clip(-20, 20)
    best = np.full(signal.shape, -np.inf)
    radius, depth = np.zeros(signal.shape), np.zeros(signal.shape)
    for size, kernel in _kernels():
        weight = fftconvolve(usable.astype(float), kernel**2, mode='same')
        height = fftconvolve(signal, kernel, mode='same') / np.maximum(weight, 1)
        score = height * np.sqrt(np.maximum(weight, 1))
        better = score > best
        for plane, value in ((best, score), (depth, height), (radius, size)):
            np.copyto(plane, value, where=better)
    peaks = (best >= maximum_filter(best, _APART)) & (best >= _LEAST)
    y, x = np.nonzero(peaks)
    _, noise = prepared.mesh.at(x, y)
    found = Table(
        {
            'x': x.astype(float),
            'y': y.astype(float),
            'score': best[y, x],
            'radius': radius[y, x],
            'depth': depth[y, x] * noise,
        }
    )
    return found[np.argsort(-found['score'], kind='stable')]


def dao_blobs(prepared: Prepared) -> Table:
    """
    Return what DAOStarFinder takes for stars, where blobs are positive.

    Returns
    -------
    found : `~astropy.table.Table`
        ``x``, ``y``, ``score`` (peak of the convolved image over its threshold); the
        best first.
    """
    import warnings

    from photutils.detection import DAOStarFinder
    from photutils.utils.exceptions import NoDetectionsWarning

    spoilt = ~np.isfinite(prepared.signal)
    signal = np.where(spoilt, 0, prepared.signal).clip(-20, 20)
    finder = DAOStarFinder(0.3, _FWHM)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NoDetectionsWarning)
        stars = finder(signal, mask=spoilt)
    if stars is None:
        return Table({name: np.zeros(0) for name in ('x', 'y', 'score')})
    x, y = (
        next(
            name
            for name in (f'{axis}_centroid', f'{axis}centroid')
            if name in stars.colnames
        )
        for axis in 'xy'
    )
    found = Table(
        {
            'x': np.asarray(stars[x], dtype=float),
            'y': np.asarray(stars[y], dtype=float),
            'score': np.asarray(stars['flux'], dtype=float),
        }
    )
    return found[np.argsort(-found['score'], kind='stable')]


def tuned_threshold(
    find: Find, images: Iterable[tuple[SimulatedDifference, Prepared]]
) -> float:
    """
    Return the score at which a finder does best, by the F1 of what it reports.

    Parameters
    ----------
    find : callable
        Takes a prepared image, returns a table with ``x``, ``y`` and ``score``.
    images : iterable of (SimulatedDifference, Prepared)
        Images with their truth.
    """
    scores, real = [], []
    for made, prepared in images:
        found = find(prepared)
        scores.append(np.asarray(found['score']))
        real.append(match(found['x'], found['y'], made.blobs) >= 0)
    all_scores, all_real = np.concatenate(scores), np.concatenate(real)
    return thresholds(all_scores, all_real, {'best': Aim('f1')})['best']
