"""What a network is measured against: what observers use, and thresholds."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np

from astrosieve_training.contaminant.scores import squashed

__all__ = [
    'Finder',
    'baselines',
    'cosmic_rays',
    'filled',
    'tuned_settings',
]

Maps = Mapping[str, np.ndarray]

_READ_NOISE = 6.5  # electrons, astroscrappy's own, where it is not known
_GRID = {'sigclip': (3.5, 4.5, 6.0), 'sigfrac': (0.2, 0.3, 0.5), 'objlim': (2.0, 5.0)}
_CLIP = 4.5  # standard deviations, astroscrappy's own sigclip
_CLIPS = (0.6, 1.0, 2.0, 5.0)  # times sigclip, for a score in steps
_TRAIL = 3.0  # standard deviations of pixels that a Hough transform takes
_SHORTEST = 60  # pixels of a trail
_FINDSAT = 512  # pixels along the side that findsat_mrt is given at most
_WIDE = 2  # pixels on either side of a line of the Hough transform


@dataclass(frozen=True)
class Finder:
    """
    Who makes maps of some classes.

    Parameters
    ----------
    name : str
        What tables call it.
    classes : tuple of str
        What it tells.
    maps : callable
        Takes pixels, which of them are masked, and what is known of the image; returns
        scores within 0 and 1 by class.
    slow : bool
        Whether only some images of a simulated sample are given to it.
    """

    name: str
    classes: tuple[str, ...]
    maps: Callable[[np.ndarray, np.ndarray | None, Mapping[str, Any]], Maps]
    slow: bool = False


def filled(sci: np.ndarray, masked: np.ndarray | None) -> np.ndarray:
    """Return pixels, those that are not usable at the median of the others."""
    lost = ~np.isfinite(sci)
    if masked is not None:
        lost |= masked
    return np.where(lost, np.median(sci[~lost]), sci).astype(np.float32)


def _noise(sci: np.ndarray) -> float:
    """Return the noise of a pixel, of differences of neighbours."""
    return max(1.4826 * float(np.median(np.abs(np.diff(sci)))) / np.sqrt(2), 1e-12)


def cosmic_rays(
    sci: np.ndarray,
    masked: np.ndarray | None,
    known: Mapping[str, Any],
    *,
    told: bool = False,
    settings: Mapping[str, float] | None = None,
    clips: Sequence[float] = (1.0,),
) -> Maps:
    """
    Return what astroscrappy finds (van Dokkum 2001, PASP 113, 1420).

    Parameters
    ----------
    sci, masked, known
        See `Finder`.
    told : bool, optional
        Whether it is told gain, read noise, saturation and the detector's defects,
        where they are known, and given the image without its pedestal.
    settings : mapping of str to float, optional
        As it takes them.
    clips : sequence of float, optional
        Times its limit of detection; the score is the share of those at which a pixel
        is found.
    """
    from astroscrappy import detect_cosmics

    image, settings = filled(sci, masked), dict(settings or {})
    if told and known.get('gain'):
        gain, read_noise = known['gain'], known['read_noise']
        sky = (known['noise'] ** 2 - read_noise**2) / gain
        image = image - np.float32(np.median(image) - sky)  # without a pedestal
        told_too = {'gain': gain, 'readnoise': read_noise}
        settings = {**told_too, 'satlevel': known['ceiling'], **settings}
    elif told:
        scale = _READ_NOISE / _noise(image)  # a sky without a level has that noise
        image = (image - np.median(image)) * np.float32(scale)
        settings = {'satlevel': np.inf, **settings}
    if told and (defects := known.get('defects')) is not None:
        masked = defects if masked is None else masked | defects
    clip = settings.pop('sigclip', _CLIP)
    found = [
        detect_cosmics(image, inmask=masked, sigclip=clip * each, **settings)[0]
        for each in clips
    ]
    return {'cosmic_ray': np.asarray(np.mean(found, axis=0), np.float32)}


def tuned_settings(
    cases: Iterable[tuple[np.ndarray, np.ndarray | None, Mapping[str, Any], Maps]],
) -> dict[str, float]:
    """
    Return the settings of astroscrappy that have the highest F1 on images.

    Parameters
    ----------
    cases : iterable of tuple
        Pixels, masked ones, what is known, and the truth by class, of each image.
    """
    names = tuple(_GRID)
    tried = [dict(zip(names, each, strict=True)) for each in product(*_GRID.values())]
    counts = np.zeros((len(tried), 2))
    for sci, masked, known, truth in cases:
        hit = truth['cosmic_ray']
        for number, settings in enumerate(tried):
            found = cosmic_rays(sci, masked, known, told=True, settings=settings)
            kept = found['cosmic_ray'] > 0
            counts[number] += 2 * (kept & hit).sum(), kept.sum() + hit.sum()
    f1 = counts[:, 0] / np.maximum(counts[:, 1], 1)
    return tried[int(np.argmax(f1))]


def _lacosmic(
    sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
) -> Maps:
    """Return what lacosmic finds, with the noise of the image as its error."""
    from lacosmic import remove_cosmics

    logging.getLogger('astropy').setLevel(logging.WARNING)
    image = filled(sci, masked)
    _, found = remove_cosmics(
        image - np.median(image),
        contrast=5.0,
        cr_threshold=5.0,
        neighbor_threshold=0.3,
        error=np.full(image.shape, _noise(image)),
        mask=masked,
    )
    return {'cosmic_ray': found.astype(np.float32)}


def _hough(
    sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
) -> Maps:
    """Return lines of a probabilistic Hough transform, two pixels to either side."""
    from scipy.ndimage import binary_dilation, gaussian_filter, median_filter
    from skimage.draw import line
    from skimage.transform import probabilistic_hough_line

    image = filled(sci, masked)
    image = (
        image
        - median_filter(image[::8, ::8], 9)
        .repeat(8, 0)
        .repeat(8, 1)[: image.shape[0], : image.shape[1]]
    )
    smooth = gaussian_filter(image, 1.5)
    bright = smooth > _TRAIL * _noise(smooth) * 3
    found = np.zeros(image.shape, bool)
    for (x, y), (x_end, y_end) in probabilistic_hough_line(
        bright, threshold=40, line_length=_SHORTEST, line_gap=5, rng=1
    ):
        found[line(y, x, y_end, x_end)] = True
    if found.any():
        found = binary_dilation(found, iterations=_WIDE)
    return {'satellite_trail': found.astype(np.float32)}


def _findsat(
    sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
) -> Maps:
    """Return what acstools.findsat_mrt finds (Stark et al. 2022, ACS ISR 2022-08)."""
    from acstools.findsat_mrt import TrailFinder
    from skimage.measure import block_reduce

    for name in ('findsat_mrt', 'utils_findsat_mrt'):
        logging.getLogger(name).setLevel(logging.ERROR)
    image = filled(sci, masked)
    factor = -(-max(image.shape) // _FINDSAT)  # its guide bins full frames too
    binned = block_reduce(image - np.median(image), factor, func=np.mean)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        finder = TrailFinder(binned, processes=1)
        finder.run_mrt()
        finder.find_mrt_sources()
        if len(finder.source_list or ()):
            finder.filter_sources()
        finder.make_mask()
    mask = np.asarray(finder.mask, np.float32)
    ny, nx = image.shape
    whole = mask.repeat(factor, 0).repeat(factor, 1)[:ny, :nx]
    return {'satellite_trail': whole}


def _saturation(
    sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
) -> Maps:
    """Return the pixel as a fraction of the brightest."""
    image = filled(sci, masked)
    above = np.maximum(image - np.median(image), 0)
    return {'saturation': above / max(float(above.max()), 1e-12) * 0.999}


def _hot(sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]) -> Maps:
    """Return how far a pixel exceeds the median of those about it."""
    from scipy.ndimage import median_filter

    image = filled(sci, masked)
    about = image - median_filter(image, 3)
    return {'hot_pixel': squashed(about / _noise(image), 10.0)}


def baselines(settings: Mapping[str, float]) -> Sequence[Finder]:
    """
    Return those whose packages are there.

    Parameters
    ----------
    settings : mapping of str to float
        Tuned settings of astroscrappy.
    """
    hits, trails = ('cosmic_ray',), ('satellite_trail',)
    told = partial(cosmic_rays, told=True)
    tuned = partial(cosmic_rays, told=True, settings=settings, clips=_CLIPS)
    finders = [
        ('astroscrappy', Finder('astroscrappy, default', hits, cosmic_rays)),
        ('astroscrappy', Finder('astroscrappy, told', hits, told)),
        ('astroscrappy', Finder('astroscrappy, tuned', hits, tuned)),
        ('lacosmic', Finder('lacosmic', hits, _lacosmic, slow=True)),
        ('skimage', Finder('Hough', trails, _hough)),
        ('acstools', Finder('findsat_mrt', trails, _findsat, slow=True)),
        ('scipy', Finder('threshold', ('saturation',), _saturation)),
        ('scipy', Finder('3x3 median', ('hot_pixel',), _hot)),
    ]
    return [finder for package, finder in finders if find_spec(package)]
