"""
What the network must reach: leaks at a given completeness, and their limits.

Stars of S/N 10 and more in images whose PSF is 1.4 to 4 pixels wide set the threshold;
what else has that score is the leak, counted at S/N 20 and more. A galaxy is resolved
where its half-light radius exceeds half the PSF's FWHM. Uncontested detections only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from astropy.table import Table

from astrosieve.models.metrics import Share
from astrosieve_training.judge.limits import Limit
from astrosieve_training.judge.scores import rates_at, shares

__all__ = [
    'ABSOLUTE_LIMITS',
    'CALIBRATION_LIMITS',
    'COMPLETENESS',
    'EXTENDED_COMPLETENESS',
    'FAINT_COMPLETENESS',
    'FAINT_LIMIT',
    'FOREST_FACTOR',
    'RELATIVE_FLOOR',
    'RIVAL_FACTOR',
    'STAR_SNR',
    'faint_leak',
    'faint_members',
    'faint_threshold',
    'leaks',
    'members',
    'relative_limits',
    'stars_on_extended',
]

COMPLETENESS = 0.995
FAINT_COMPLETENESS = 0.97
FWHM_RANGE = (1.4, 4.0)
STAR_SNR = 10.0
OTHER_SNR = 20.0
FAINT_SNR = (5.0, 10.0)
FAINT_LIMIT = 0.01
EXTENDED_COMPLETENESS = 0.95
CALIBRATION_LIMITS = (0.01, 0.03)  # cameras trained on, and others

ABSOLUTE_LIMITS = {
    'cosmic_ray': 0.003,
    'spike': 0.005,
    'bad_pixel': 0.01,
    'extended': 0.10,
}
"""Largest leak of each class at `COMPLETENESS`; of resolved galaxies for 'extended'."""

FOREST_FACTOR = 1 / 10
"""Largest leak over that of the random forest on the same sample."""

RIVAL_FACTOR = 1 / 3
"""Largest leak over that of another network on the same sample."""

RELATIVE_FLOOR = 0.001
"""A relative limit is never below this leak."""


def _counted(rows: Table) -> np.ndarray:
    """Return the rows that count: scored, uncontested, of a usual PSF."""
    width = np.asarray(rows['psf_fwhm'], dtype=float)
    width = np.where(np.isfinite(width), width, np.asarray(rows['fwhm'], dtype=float))
    low, high = FWHM_RANGE
    return np.asarray(
        rows['valid'] & ~rows['contested'] & (width >= low) & (width <= high)
    )


def members(rows: Table) -> dict[str, np.ndarray]:
    """
    Return which rows count as stars, and as the other classes.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        As of a `~astrosieve_training.source.datasets.detections.DetectionSet`.

    Returns
    -------
    members : dict of str to (N,) bool `~numpy.ndarray`
        ``star``, and the classes of `ABSOLUTE_LIMITS`; 'extended' holds resolved
        galaxies where the radius is known, else all that is extended.
    """
    counted = _counted(rows)
    snr = np.asarray(rows['snr'], dtype=float)
    label = np.asarray(rows['label'], dtype=str)
    found = {'star': counted & (label == 'star') & (snr >= STAR_SNR)}
    for name in ABSOLUTE_LIMITS:
        found[name] = counted & (label == name) & (snr >= OTHER_SNR)
    if 'galaxy_radius' in rows.colnames:
        radius = np.asarray(rows['galaxy_radius'], dtype=float)
        resolved = radius > np.asarray(rows['psf_fwhm'], dtype=float) / 2
        found['extended'] &= resolved
    return found


def leaks(
    scores: np.ndarray, rows: Table, *, completeness: float = COMPLETENESS
) -> dict[str, Share]:
    """
    Measure the leak of each class at a completeness of stars.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Higher means more like a star.
    rows : `~astropy.table.Table`
        The truth.
    completeness : float, optional
        Share of the stars that are kept.

    Returns
    -------
    leaks : dict of str to `~astrosieve.models.metrics.Share`
        ``star`` and each class with members. Empty without stars.
    """
    groups = members(rows)
    if not groups['star'].any():
        return {}
    return rates_at(scores, groups['star'], completeness, groups)[1]


def faint_members(rows: Table) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which rows are faint stars, S/N 5 to 10, and which other faint detections.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        As for `members`.

    Returns
    -------
    star, other : (N,) bool `~numpy.ndarray`
    """
    snr = np.asarray(rows['snr'], dtype=float)
    star = np.asarray(rows['label'], dtype=str) == 'star'
    faint = _counted(rows) & (snr >= FAINT_SNR[0]) & (snr < FAINT_SNR[1])
    return faint & star, faint & ~star


def faint_threshold(scores: np.ndarray, rows: Table) -> float:
    """
    Return the score that 97 % of the faint stars have.

    Parameters
    ----------
    scores, rows
        As for `leaks`, with faint stars.

    Returns
    -------
    threshold : float
    """
    star, _ = faint_members(rows)
    return rates_at(scores, star, FAINT_COMPLETENESS, {})[0]


def faint_leak(scores: np.ndarray, rows: Table, *, without: str = '') -> Share | None:
    """
    Measure the leak among faint detections, S/N 5 to 10.

    Parameters
    ----------
    scores, rows
        As for `leaks`.
    without : str, optional
        A class that is left out.

    Returns
    -------
    leak : `~astrosieve.models.metrics.Share` or None
        Share of all that is no star, but has a class, at 97 % completeness of the
        stars; None without either.
    """
    star, other = faint_members(rows)
    if not star.any():
        return None
    other &= np.asarray(rows['label'], dtype=str) != without
    return shares(scores >= faint_threshold(scores, rows), {'': other}).get('')


def stars_on_extended(scores: np.ndarray, rows: Table, threshold: float) -> Share:
    """
    Measure the completeness of stars that lie on nebulae and galaxies.

    Parameters
    ----------
    scores, rows
        As for `leaks`.
    threshold : float
        Kept is what has at least this score.

    Returns
    -------
    completeness : `~astrosieve.models.metrics.Share`
        Stars of S/N 20 and more where the light of nebulae and galaxies
        in the 3x3 pixels exceeds 3 times the noise there.
    """
    label = np.asarray(rows['label'], dtype=str)
    on = _counted(rows) & (label == 'star')
    on &= np.asarray(rows['snr'], dtype=float) >= OTHER_SNR
    on &= np.asarray(rows['extended_snr'], dtype=float) > 3
    return Share.of(scores >= threshold, on)


def relative_limits(
    measured: Mapping[str, Share],
    others: Mapping[str, Mapping[str, Share]],
    factors: Mapping[str, float],
) -> Iterator[Limit]:
    """
    Yield the limits that other methods set on the same sample.

    Parameters
    ----------
    measured : dict of str to `~astrosieve.models.metrics.Share`
        `leaks` of the network.
    others : dict of str to dict
        `leaks` of the other methods, by name.
    factors : dict of str to float
        Largest leak over that of another method, by its name.

    Yields
    ------
    limit : `~astrosieve_training.judge.limits.Limit`
        Not known, and so not held, where the other was not judged.
    """
    for method, factor in factors.items():
        for name in ABSOLUTE_LIMITS:
            if name not in measured:
                continue
            what = f'{name}: {factor:.2f} of the leak of {method}'
            theirs = others.get(method, {}).get(name)
            if theirs is None:
                yield Limit(f'{what}, which was not judged', measured[name], np.nan)
            else:
                limit = max(theirs.value * factor, RELATIVE_FLOOR)
                yield Limit(what, measured[name], limit)
