"""
What is at a place in the combined image, by its physics, and names for clusters.

The share of a peak's electrons that the combined image has there tells what is in one
exposure only: a cosmic ray leaves nothing. The likeness to the PSF, learnt from the
image's own bright stars, and the light about the core tell stars; where pixels are
saturated, their middle does. The light that a brighter star nearby spreads tells its
spikes and halo from other extended light.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from astropy.table import Table

from astrosieve_training.source.label.light import CombinedImage
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.settings import LabelSettings, NamingSettings

__all__ = ['contested', 'name_clusters', 'name_places', 'split_mixed']

_MOST_BLED = 7.0  # saturated pixels, FWHM^2; with more the core is no longer a star's


def name_places(
    image: CombinedImage,
    places: Table,
    again: np.ndarray,
    settings: NamingSettings,
    *,
    min_snr: float,
) -> Table:
    """
    Name places by what they are in the combined image.

    Parameters
    ----------
    image : `~astrosieve_training.source.label.light.CombinedImage`
        The combined image, its PSF learnt.
    places : `~astropy.table.Table`
        ``x``, ``y`` (pixels of the image), ``share`` (of the peaks' electrons in
        it), ``saturated``, ``off_core`` and ``bled``.
    again : (N,) bool `~numpy.ndarray`
        Whether a second exposure has a peak there, or could not have one.
    settings : `NamingSettings`
        Limits.
    min_snr : float
        S/N above what is around, from which a place can be a star.

    Returns
    -------
    named : `~astropy.table.Table`
        ``snr``, ``psf_likeness``, ``broad``, ``halo``, ``physics`` (name;
        'unlabelled' where contested).
    """
    xy = np.column_stack([places['x'], places['y']])
    saturated = np.asarray(places['saturated'], dtype=bool)
    share = np.asarray(places['share'])
    likeness, broad = image.compare_psf(xy)
    halo = image.halo(xy)
    measured = image.measure(xy)
    # What is extended, and no part of a star, is found again.
    other = np.where(again, 'extended', UNLABELLED)
    name = np.where(halo > settings.halo, 'spike', other).astype('U12')
    star = (likeness >= settings.psf_like) & (measured['snr'] >= min_snr)
    # A star with a neighbour is broader than the PSF, and no part of a spike.
    name[star & broad & (halo > settings.halo)] = UNLABELLED
    name[star & ~broad] = 'star'
    # Charge that runs along a column peaks now here, now there.
    off_core = np.asarray(places['off_core']) / image.fwhm
    core = off_core < settings.core
    core &= np.asarray(places['bled']) < _MOST_BLED * image.fwhm**2
    name[saturated] = np.where(core, 'star', UNLABELLED)[saturated]
    name[saturated & (off_core >= 2 * settings.core)] = 'spike'
    name[share < settings.present] = UNLABELLED
    name[share < settings.absent] = 'cosmic_ray'
    return Table(
        {
            'snr': measured['snr'],
            'psf_likeness': likeness,
            'broad': broad,
            'halo': halo,
            'physics': name,
        }
    )


def split_mixed(
    embedding: np.ndarray,
    clusters: np.ndarray,
    names: np.ndarray,
    *,
    n_neighbors: int,
    min_size: int,
) -> np.ndarray:
    """
    Divide clusters whose parts are different things.

    Within a cluster each member takes the name that most of its neighbours in the
    embedding have. Names that hold a part of the cluster this way become clusters of
    their own.

    Parameters
    ----------
    embedding : (N, 2) `~numpy.ndarray`
        As from `~astrosieve_training.source.label.embedding.embed`.
    clusters : (N,) int `~numpy.ndarray`
        Number of each place's cluster; -1 for none.
    names : (N,) str `~numpy.ndarray`
        What each place is by its physics.
    n_neighbors : int
        Neighbours that vote.
    min_size : int
        Fewest members of a part.

    Returns
    -------
    clusters : (N,) int `~numpy.ndarray`
        The largest first; -1 for none.
    """
    from scipy.spatial import cKDTree

    parts: list[np.ndarray] = []
    for number in np.unique(clusters[clusters >= 0]):
        rows = np.flatnonzero(clusters == number)
        kinds, votes = np.unique(names[rows], return_inverse=True)
        votes = np.where(kinds[votes] == UNLABELLED, len(kinds), votes)
        k = min(n_neighbors, len(rows))
        _, near = cKDTree(embedding[rows]).query(embedding[rows], k=k)
        counts = np.zeros((len(rows), len(kinds) + 1), dtype=int)
        for column in near.reshape(len(rows), k).T:
            counts[np.arange(len(rows)), votes[column]] += 1
        counts = counts[:, :-1]
        counts[counts.max(axis=1) == 0] = counts.sum(axis=0)  # no neighbour votes
        sizes = np.bincount(counts.argmax(axis=1), minlength=len(kinds))
        large = sizes >= min(min_size, len(rows))
        if not large.any():
            large[sizes.argmax()] = True
        counts[:, ~large] = -1  # too small a part joins what is around it
        taken = counts.argmax(axis=1)
        parts += [rows[taken == i] for i in np.unique(taken)]
    parts.sort(key=len, reverse=True)
    divided = np.full(len(clusters), -1)
    for number, rows in enumerate(parts):
        divided[rows] = number
    return divided


def name_clusters(clusters: np.ndarray, names: np.ndarray) -> dict[int, str]:
    """
    Name clusters by what most of their members are.

    Parameters
    ----------
    clusters : (N,) int `~numpy.ndarray`
        Number of each place's cluster; -1 for none.
    names : (N,) str `~numpy.ndarray`
        What each place is by its physics.

    Returns
    -------
    named : dict of int to str
        By number.
    """
    named = {}
    for number in np.unique(clusters[clusters >= 0]).tolist():
        counts = Counter(names[clusters == number].tolist())
        contested = counts.pop(UNLABELLED, 0)
        most = counts.most_common(1) or [(UNLABELLED, contested)]
        named[number] = most[0][0]
    return named


def contested(
    clusters: np.ndarray, named: dict[int, str], places: Table, settings: LabelSettings
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the places whose physics contradicts their cluster, and which are stars.

    They are like the PSF among what is no star; or they are among stars and unlike
    them, more than a blend is, do not stand out from what is around, or may be the
    charge of a saturated one. Peaks of spikes and halos move with each exposure's noise
    and phase: of the first, those that most of the exposures find at one place, or
    half of them if they are bright, and the cores of saturated ones, are stars.
    """
    stars = [number for number, name in named.items() if name == 'star']
    among = np.isin(clusters, stars)
    physics = np.asarray(places['physics'], dtype=str)
    alike = np.isin(physics, ('star', UNLABELLED)) & ~among
    unlike = np.asarray(places['psf_likeness'] < settings.naming.blended)
    unlike |= np.asarray(places['snr'] < settings.peaks.min_snr)
    unlike |= np.asarray(places['broad'] | places['saturated'], dtype=bool)
    unlike &= physics != 'star'
    # A saturated core peaks now here, now there; what is bright need not be found so
    # often, as noise and halos make no such peak.
    often = np.asarray(2 * places['n_found'] >= np.maximum(places['n_covering'], 4))
    often &= np.asarray(places['snr'] >= 2 * settings.peaks.min_snr)
    often |= np.asarray(places['always'] | places['saturated'], dtype=bool)
    missed = alike & (physics == 'star') & often
    return alike | (among & unlike), missed
