"""
What is at a place in the combined image, by its physics, and names for clusters.

The share of a peak's electrons that the combined image has there tells what is in one
exposure only: a cosmic ray leaves nothing. Whose the light is that lasts, is told by
the PSF, learnt from the image's own bright stars: what is as broad as it is a star;
what it spreads about brighter stars is a spike or halo; what is broader, or lies on
light as broad, and is not theirs, is extended; what is narrower is a defect. Of a
saturated star its middle tells.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from astrosieve_training.source.label.light import BROADER, CombinedImage
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.settings import LabelSettings, NamingSettings

__all__ = ['contested', 'name_clusters', 'name_places', 'split_mixed']

_SURE = ('spike', 'extended', 'bad_pixel')  # need no cluster
_LIKE, _LIKE_SNR, _LIKE_SPREAD = 60, 0.5, (0.75, 1.5)  # places, factor, errors
_RARE = 0.03  # share of places that are extended, up to which stars are not doubted
_ON_LIGHT = 0.5  # of a place's light that is in the ring about it, too


def name_places(
    image: CombinedImage,
    places: Table,
    saturated: np.ndarray,
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
        it), ``n_found``, ``n_covering``, ``saturated`` and ``off_core``.
    saturated : (M, 2) `~numpy.ndarray`
        Middles of saturated stars, pixels of the image.
    settings : `NamingSettings`
        Limits.
    min_snr : float
        S/N above what is around, from which a place can be a star.

    Returns
    -------
    named : `~astropy.table.Table`
        ``snr``, ``psf_likeness``, ``spread``, ``broad``, ``halo``, ``physics`` (name;
        'unlabelled' where contested).
    """
    xy = np.column_stack([places['x'], places['y']])
    compared = image.compare_psf(xy)
    likeness, spread, broad = (np.asarray(c) for c in compared.itercols())
    halo = image.halo(xy, saturated)
    measured = image.measure(xy)
    stands_out = np.asarray(measured['snr'] >= min_snr)
    name = np.full(len(xy), UNLABELLED, dtype='U12')
    on_light = ~stands_out & np.asarray(measured['on_light'] > _ON_LIGHT)
    extended = (broad | on_light) & (halo < settings.alone)
    name[extended] = np.where(image.beside_edge(xy[extended]), UNLABELLED, 'extended')
    name[halo > settings.halo] = 'spike'
    lone = stands_out & (halo < settings.alone) & (places['share'] > settings.present)
    log_snr = np.log(np.maximum(measured['snr'], 1.0)) / _LIKE_SNR
    alike = np.abs(spread) < settings.alike
    alike &= (spread <= 0) | (_mirrored(log_snr, spread, lone) > settings.stars)
    # Where nothing is extended, what is broader on one side has a neighbour.
    alike |= (spread > 0) & ~broad & (_near(log_snr, lone, broad) < _RARE)
    star = stands_out & alike & (likeness >= settings.psf_like)
    star &= np.asarray(2 * places['n_found'] >= places['n_covering'])
    name[star] = np.where(halo > settings.halo, UNLABELLED, 'star')[star]
    narrow = stands_out & (spread < -BROADER)
    name[narrow] = np.where(halo < settings.alone, 'bad_pixel', UNLABELLED)[narrow]
    # Charge that runs along a column peaks now here, now there.
    full = np.asarray(places['saturated'], dtype=bool)
    off_core = np.asarray(places['off_core']) / image.fwhm
    name[full] = np.where(off_core < settings.core, 'star', UNLABELLED)[full]
    name[full & (off_core >= 2 * settings.core)] = 'spike'
    share = np.asarray(places['share'])
    name[share < settings.present] = UNLABELLED
    name[share < settings.absent] = 'cosmic_ray'
    return Table({'snr': measured['snr'], **compared, 'halo': halo, 'physics': name})


def _mirrored(log_snr: np.ndarray, spread: np.ndarray, lone: np.ndarray) -> np.ndarray:
    """
    Return which share of places like each are stars.

    Noise makes these narrower as often as broader; small galaxies are broader only.
    """
    own = np.column_stack([log_snr, spread])
    share = np.ones(len(own))
    if not lone.any():
        return share
    tree = cKDTree(own[lone])
    radius, _ = tree.query(own, k=[min(_LIKE, int(lone.sum()))])
    radius = np.clip(radius[:, 0], *_LIKE_SPREAD)
    alike = tree.query_ball_point(own, radius, return_length=True)
    mirrored = tree.query_ball_point(own * (1, -1), radius, return_length=True)
    return (mirrored + 1) / (alike + 1)


def _near(log_snr: np.ndarray, lone: np.ndarray, broad: np.ndarray) -> np.ndarray:
    """Return which share of the places of like S/N are broad."""
    if not lone.any():
        return np.zeros(len(log_snr))
    k = range(1, min(_LIKE, int(lone.sum())) + 1)
    _, near = cKDTree(log_snr[lone, None]).query(log_snr[:, None], k=k)
    share: np.ndarray = broad[lone][near].mean(axis=1)
    return share


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
    Return the places whose physics contradicts their cluster, and what is sure of them.

    Where the physics is sure of spikes, extended light and defects, these need no
    cluster, and what lies in a cluster of theirs is none by that alone.

    Stars are left out where they are like the PSF among what is no star; and what is
    among stars and unlike them, more than a blend is, or does not stand out from what
    is around, or may be the charge of a saturated one. Peaks of spikes and halos move
    with each exposure's noise and phase: of the first, those that most of the exposures
    find at one place, or half of them if they are bright, and the cores of saturated
    ones, are stars.

    Returns
    -------
    doubtful : (N,) bool `~numpy.ndarray`
        Places that their cluster does not name.
    sure : (N,) str `~numpy.ndarray`
        Their names, where physics gives one; else empty.
    """
    names = np.array([named.get(number, '') for number in clusters.tolist()], dtype=str)
    physics = np.asarray(places['physics'], dtype='U12')
    among = names == 'star'
    alike = (physics == 'star') & ~among
    unlike = np.asarray(places['psf_likeness'] < settings.naming.blended)
    unlike |= np.asarray(places['snr'] < settings.peaks.min_snr)
    unlike |= np.abs(np.asarray(places['spread'])) > BROADER
    unlike |= np.asarray(places['halo'] > settings.naming.alone)
    unlike |= np.asarray(places['saturated'], dtype=bool)
    unlike &= physics != 'star'
    # A saturated core peaks now here, now there; what is bright need not be found so
    # often, as noise and halos make no such peak.
    often = np.asarray(2 * places['n_found'] >= np.maximum(places['n_covering'], 4))
    often &= np.asarray(places['snr'] >= 2 * settings.peaks.min_snr)
    often |= np.asarray(places['always'] | places['saturated'], dtype=bool)
    apart = np.isin(physics, _SURE) & (physics != names)
    other = np.isin(names, _SURE) & (physics != names)
    apart |= other & (physics == 'cosmic_ray')
    other |= (physics == UNLABELLED) & ~among
    sure = np.where(apart | (alike & often), physics, '')
    return alike | other | apart | (among & unlike), sure
