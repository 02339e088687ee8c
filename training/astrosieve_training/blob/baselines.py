"""What a network is measured against: a matched filter, and DAOStarFinder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.blob.preprocessing import Prepared
from astrosieve_training.blob.matching import match
from astrosieve_training.blob.simulate import SimulatedDifference
from astrosieve_training.learn.calibrate import Aim, thresholds

__all__ = ['dao_blobs', 'fitted_profiles', 'matched_filter', 'tuned_thresholds']

_RADII = (3.0, 4.5, 6.5, 9.0, 13.0)  # pixels: half widths of Gaussians, radii of discs
_WIDEST = 29  # pixels: half of the widest kernel
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
    from scipy import fft
    from scipy.ndimage import maximum_filter

    usable = np.isfinite(prepared.signal)
    signal = np.where(usable, prepared.signal, 0).clip(-20, 20)
    shape = signal.shape
    wide = [fft.next_fast_len(n + 2 * _WIDEST, real=True) for n in shape]
    signal_fft, usable_fft = (
        fft.rfft2(plane.astype(np.float32), wide) for plane in (signal, usable)
    )
    best = np.full(shape, -np.inf, np.float32)
    radius, depth = np.zeros_like(best), np.zeros_like(best)
    for size, kernel in _kernels():
        reach = len(kernel) // 2
        inner = tuple(slice(reach, reach + n) for n in shape)
        overlap, weight = (
            fft.irfft2(plane * fft.rfft2(part.astype(np.float32), wide), wide)[inner]
            for plane, part in ((signal_fft, kernel), (usable_fft, kernel**2))
        )
        weight = np.maximum(weight, 1)
        score = overlap / np.sqrt(weight)
        better = score > best
        np.copyto(best, score, where=better)
        np.copyto(radius, size, where=better)
        np.copyto(depth, overlap / weight, where=better)
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


def fitted_profiles(found: Table, made: SimulatedDifference, threshold: float) -> Table:
    """
    Return blobs measured anew, by least squares of a round profile.

    The profile is ``depth * 2**-(r / radius)**steepness`` over a level, on 3 radii
    about each blob of at least the threshold; without a fit it stays as it is.
    """
    from scipy.optimize import least_squares

    fitted = found.copy()
    data = np.where(made.mask, np.nan, made.data)
    for row in fitted:
        if row['score'] < threshold:
            continue
        reach = int(np.ceil(3 * row['radius'])) + 2
        x0, y0 = (max(round(row[n]) - reach, 0) for n in 'xy')
        part = data[y0 : round(row['y']) + reach + 1, x0 : round(row['x']) + reach + 1]
        y, x = np.nonzero(np.isfinite(part))
        values = part[y, x]

        def off(p: np.ndarray, x: Any = x, y: Any = y, values: Any = values) -> Any:
            away = np.hypot(x - p[1], y - p[2]) / np.exp(p[3])
            with np.errstate(over='ignore'):  # far from it there is nothing
                return p[0] * np.exp2(-(away ** np.exp(p[4]))) + p[5] - values

        start = [
            row['depth'],
            row['x'] - x0,
            row['y'] - y0,
            np.log(row['radius']),
            0.7,
            0,
        ]
        if len(values) < 2 * len(start):
            continue
        scale = [row['depth'], 1, 1, 0.3, 0.3, row['depth']]
        fit = least_squares(
            off, start, x_scale=scale, loss='soft_l1', f_scale=0.02, max_nfev=40
        )
        depth, dx, dy, size, *_ = fit.x
        if depth > 0 and np.hypot(dx - start[1], dy - start[2]) < row['radius']:
            row['depth'], row['radius'] = depth, np.exp(size)
            row['x'], row['y'] = x0 + dx, y0 + dy
    return fitted


def tuned_thresholds(
    finders: Mapping[str, Find],
    images: Iterable[tuple[SimulatedDifference, Prepared]],
) -> dict[str, float]:
    """
    Return the score at which each finder does best, by the F1 of what it reports.

    Parameters
    ----------
    finders : mapping of str to callable
        Each takes a prepared image, returns a table with ``x``, ``y`` and ``score``.
    images : iterable of (SimulatedDifference, Prepared)
        Images with their truth; each is looked at once, and not kept.
    """
    scores: dict[str, list[np.ndarray]] = {name: [] for name in finders}
    real: dict[str, list[np.ndarray]] = {name: [] for name in finders}
    for made, prepared in images:
        for name, find in finders.items():
            found = find(prepared)
            scores[name].append(np.asarray(found['score']))
            real[name].append(match(found['x'], found['y'], made.blobs) >= 0)
    return {
        name: thresholds(
            np.concatenate(scores[name]), np.concatenate(real[name]),
            {'best': Aim('f1')},
        )['best']
        for name in finders
    }  # fmt: skip
