"""Labels carried from places in the combined image back to the exposures."""

from __future__ import annotations

import numpy as np
from astropy.table import Table, vstack

from astrosieve.catalogs import positions
from astrosieve.labels import make_labels
from astrosieve_training.label.naming import NamingSettings
from astrosieve_training.label.regions import UNLABELLED

__all__ = ['carry_labels', 'label_table']

_NEAR = 0.5  # pixels between a peak and its place (WFC3 ISR 2024-14)
_MOST = 2.0  # share of electrons above which the exposure lacks what is in the sky


def carry_labels(
    peaks: Table,
    members: np.ndarray,
    places: Table,
    share: np.ndarray,
    settings: NamingSettings,
    *,
    min_snr: float,
) -> np.ndarray:
    """
    Label the peaks of exposures by what is at their places.

    A peak takes its place's class where it lies within half a pixel of it and has
    the electrons that the combined image promises. One whose electrons are not in
    the combined image is a cosmic ray, whatever lies beneath, or a defect if it
    stays on the detector. The rest is unlabelled.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.label.places.find_peaks`, N rows.
    members : (N,) int `~numpy.ndarray`
        The place of each peak, by its ``id``.
    places : `~astropy.table.Table`
        ``id``, ``u``, ``v``, ``label`` of the places that have been embedded.
    share : (N,) `~numpy.ndarray`
        Of each peak's electrons in the combined image.
    settings : `~astrosieve_training.label.naming.NamingSettings`
        Limits of ``share``.
    min_snr : float
        S/N below which a peak is not labelled.

    Returns
    -------
    labels : (N,) str `~numpy.ndarray`
        Names of classes, or 'unlabelled'.
    """
    row = np.full(int(members.max(initial=-1)) + 1, -1)
    row[np.asarray(places['id'])] = np.arange(len(places))
    known = row[members] >= 0
    at = row[members[known]]
    labels = np.full(len(peaks), UNLABELLED, dtype='U12')
    labels[known] = np.asarray(places['label'], dtype='U12')[at]
    distance = np.zeros(len(peaks))
    distance[known] = np.hypot(
        *(np.asarray(peaks[c])[known] - np.asarray(places[c])[at] for c in 'uv')
    )
    absent = share < settings.absent
    there = (share >= settings.present) & (share <= _MOST)
    empty = labels == 'cosmic_ray'
    real = known & ~empty & (labels != UNLABELLED)
    labels[real & absent] = 'cosmic_ray'
    labels[real & ~absent & ~(there & (distance <= _NEAR))] = UNLABELLED
    labels[empty & ~absent] = UNLABELLED
    # A defect that chance has put on a source, or on other defects.
    labels[real & np.asarray(peaks['sharp'])] = UNLABELLED
    # A hot pixel that another exposure does not show as bright may be a hit.
    stays = np.asarray(peaks['stays'])
    labels[np.asarray(peaks['hot'] | peaks['stays']) & absent] = UNLABELLED
    labels[stays & absent] = 'bad_pixel'
    # The same limit for all classes: else what is faint would be learnt as a star.
    labels[np.asarray(peaks['snr'] < min_snr)] = UNLABELLED
    return labels


def label_table(peaks: Table, labels: np.ndarray, names: list[str]) -> Table:
    """
    Return labels as a table that files, `train` and the viewer understand.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.label.places.find_peaks`.
    labels : (N,) str `~numpy.ndarray`
        As from `carry_labels`.
    names : list of str
        File names of the exposures, by number.

    Returns
    -------
    table : `~astropy.table.Table`
        As from `~astrosieve.labels.make_labels`, without what is unlabelled, and
        with ``ra``, ``dec``.
    """
    numbers = np.asarray(peaks['exposure'])
    extvers = np.asarray(peaks['extver'])
    parts = []
    for number, name in enumerate(names):
        for extver in np.unique(extvers):
            rows = (numbers == number) & (extvers == extver) & (labels != UNLABELLED)
            part = make_labels(
                name, int(extver), positions(peaks[rows]), labels[rows].tolist()
            )
            for column in ('ra', 'dec'):
                part[column] = peaks[column][rows]
            parts.append(part)
    return vstack(parts)
