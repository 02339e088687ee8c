"""Labels carried from places in the combined image back to the exposures."""

from __future__ import annotations

import numpy as np
from astropy.table import Table, vstack

from astrosieve.source.labels import make_labels
from astrosieve.tables.catalogs import positions
from astrosieve_training.simulate.truth import NOISE_LIMIT
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.settings import NamingSettings

__all__ = ['carry_labels', 'label_table']

_NEAR = 0.5  # pixels between a peak and its place (WFC3 ISR 2024-14)
_MOST = 2.0  # share of electrons above which the exposure lacks what is in the sky
_LESS = NOISE_LIMIT - 1.0  # surely less, for what is measured in other exposures
_LESS_HERE = NOISE_LIMIT - 0.5  # the same, for the highest pixel here


def carry_labels(
    peaks: Table,
    members: np.ndarray,
    places: Table,
    measured: Table,
    settings: NamingSettings,
) -> np.ndarray:
    """
    Label the peaks of exposures by what is at their places.

    A peak takes its place's class where it lies within half a pixel of it and has
    the electrons that the combined image promises. One whose electrons are not in
    the combined image is a cosmic ray, whatever lies beneath, or a defect if it
    stays on the detector. What holds less than three times the noise of its 3x3 pixels
    is background, as in the simulator's truth: weak charge of the detector, or peaks
    of which noise alone makes as many. The rest is unlabelled.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.peaks.find_peaks`, N rows.
    members : (N,) int `~numpy.ndarray`
        The place of each peak, by its ``id``.
    places : `~astropy.table.Table`
        ``id``, ``u``, ``v``, ``label`` of the places that have been embedded.
    measured : `~astropy.table.Table`
        ``share``, ``lasting``, ``noise``, ``covered`` of each peak, see
        `~astrosieve_training.source.label.measuring.Measured`.
    settings : `~astrosieve_training.source.label.settings.NamingSettings`
        Limits of ``share`` and ``noise``.

    Returns
    -------
    labels : (N,) str `~numpy.ndarray`
        Names of classes, or 'unlabelled'.
    """
    share, noise = np.asarray(measured['share']), np.asarray(measured['noise'])
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
    # The peak of a saturated core moves among its pixels.
    near = (distance <= _NEAR) | np.asarray(peaks['saturated'], dtype=bool)
    labels[real & ~absent & ~(there & near)] = UNLABELLED
    labels[empty & ~absent] = UNLABELLED
    # A defect that chance has put on a source, or on other defects.
    labels[real & np.asarray(peaks['sharp'])] = UNLABELLED
    # A pixel with charge of its own may have got more by a hit.
    stays = np.asarray(peaks['stays'])
    charged = np.asarray(peaks['hot'] | peaks['charged']) | stays
    labels[absent & (charged | (noise > settings.hit))] = UNLABELLED
    charge = np.asarray(peaks['charge'])
    labels[absent & stays & (charge >= NOISE_LIMIT)] = 'bad_pixel'
    # What is less than noise is background, whatever it is: the nine pixels, or the
    # one that has all.
    here = np.fmax(np.asarray(peaks['snr']), np.asarray(peaks['contrast']) / 3)
    lasting = np.asarray(measured['lasting'])
    sky = np.isin(labels, (UNLABELLED, 'cosmic_ray', 'bad_pixel'), invert=True)
    labels[(sky & (lasting < NOISE_LIMIT)) | (here < NOISE_LIMIT)] = UNLABELLED
    nothing = (np.fmax(lasting, charge) < _LESS) & (here < NOISE_LIMIT)
    nothing &= np.asarray(peaks['most_snr']) < NOISE_LIMIT
    nothing &= np.asarray(peaks['most_contrast']) / 3 < _LESS_HERE
    labels[nothing & (charged | (noise >= settings.noise))] = 'background'
    labels[~np.asarray(measured['covered'])] = UNLABELLED
    return labels


def label_table(peaks: Table, labels: np.ndarray, names: list[str]) -> Table:
    """
    Return labels as a table that files, `train` and the viewer understand.

    Parameters
    ----------
    peaks : `~astropy.table.Table`
        As from `~astrosieve_training.source.label.peaks.find_peaks`.
    labels : (N,) str `~numpy.ndarray`
        As from `carry_labels`.
    names : list of str
        File names of the exposures, by number.

    Returns
    -------
    table : `~astropy.table.Table`
        As from `~astrosieve.source.labels.make_labels`, without what is unlabelled, and
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
