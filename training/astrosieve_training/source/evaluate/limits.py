"""
What the network must reach: leaks at a given completeness, and their limits.

Stars of S/N 10 and more in images whose PSF is 1.4 to 4 pixels wide set the threshold;
what else has that score is the leak, counted at S/N 20 and more. A galaxy is resolved
where its half-light radius exceeds half the PSF's FWHM. Uncontested detections only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.models.metrics import threshold_at_completeness
from astrosieve_training.judge.limits import Limit, share

__all__ = [
    'ABSOLUTE_LIMITS',
    'CALIBRATION_LIMITS',
    'COMPLETENESS',
    'EXTENDED_COMPLETENESS',
    'FAINT_LIMIT',
    'RELATIVE_FLOOR',
    'STAR_SNR',
    'faint_leak',
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


RELATIVE_LIMITS = {'random forest': 1 / 10, 'isr2024-same-exposures': 1 / 3}
"""Largest leak over that of another method on the same sample."""


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
) -> dict[str, dict[str, Any]]:
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
    leaks : dict of str to dict
        ``star`` and each class with members: see `share`. Empty without stars.
    """
    groups = members(rows)
    if not groups['star'].any():
        return {}
    threshold = threshold_at_completeness(scores[groups['star']], completeness)
    kept = scores >= threshold
    return {
        name: share(int((kept & group).sum()), int(group.sum()))
        for name, group in groups.items()
        if group.any()
    }


def faint_leak(
    scores: np.ndarray, rows: Table, *, without: str = ''
) -> dict[str, Any] | None:
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
    leak : dict or None
        Share of all that is no star, but has a class, at 97 % completeness of the
        stars; None without either.
    """
    snr = np.asarray(rows['snr'], dtype=float)
    label = np.asarray(rows['label'], dtype=str)
    faint = _counted(rows) & (snr >= FAINT_SNR[0]) & (snr < FAINT_SNR[1])
    star = faint & (label == 'star')
    other = faint & (label != 'star') & (label != without)
    if not star.any() or not other.any():
        return None
    kept = scores >= threshold_at_completeness(scores[star], FAINT_COMPLETENESS)
    return share(int((kept & other).sum()), int(other.sum()))


def stars_on_extended(
    scores: np.ndarray, rows: Table, threshold: float
) -> dict[str, Any]:
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
    completeness : dict
        See `share`. Stars of S/N 20 and more where the light of nebulae and galaxies
        in the 3x3 pixels exceeds 3 times the noise there.
    """
    label = np.asarray(rows['label'], dtype=str)
    on = _counted(rows) & (label == 'star')
    on &= np.asarray(rows['snr'], dtype=float) >= OTHER_SNR
    on &= np.asarray(rows['extended_snr'], dtype=float) > 3
    return share(int((on & (scores >= threshold)).sum()), int(on.sum()))


def relative_limits(
    measured: Mapping[str, dict[str, Any]],
    others: Mapping[str, Mapping[str, dict[str, Any]]],
) -> Iterator[Limit]:
    """
    Yield the limits that other methods set on the same sample.

    Parameters
    ----------
    measured : dict
        `leaks` of the network.
    others : dict of str to dict
        `leaks` of the other methods, by name.

    Yields
    ------
    limit : `Limit`
    """
    for method, factor in RELATIVE_LIMITS.items():
        for name in ABSOLUTE_LIMITS:
            theirs = others.get(method, {}).get(name)
            if theirs is None or name not in measured:
                continue
            limit = max(theirs['share'] * factor, RELATIVE_FLOOR)
            what = f'{name}: {factor:.2f} of the leak of {method}'
            yield Limit(what, measured[name], limit)
