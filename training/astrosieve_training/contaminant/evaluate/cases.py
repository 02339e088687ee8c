"""Images to be judged on, with what is known of them: simulated and real ones."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.contaminant import simulate
from astrosieve_training.contaminant.config import ImageSet
from astrosieve_training.contaminant.second import (
    INSTRUMENTS,
    SecondImage,
    second_image,
)
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.settings import SeededImages

__all__ = [
    'HITS',
    'REAL',
    'SECOND',
    'SIMULATED',
    'WIDTHS',
    'Case',
    'real_cases',
    'second_cases',
    'simulated_cases',
    'width_sample',
    'width_samples',
]

SIMULATED = 'other instruments'
"""Sample of simulated images of families of instruments not learnt from."""

SECOND = 'second generator'
"""Sample of images of the generator that nothing learns from."""

HITS = 'other instruments, defects left out'
"""The same without the detector's defects and what lies within two pixels of them."""

WIDTHS = (1.5, 2.0, 2.5, 3.0, 4.0)
"""Ends of the bins of FWHM, pixels."""

REAL = {
    'SPRAT': 'five spectra of SPRAT, hits that are in one of five exposures',
    'WFPC2': 'NGC 1261, hits that the median of three exposures lacks',
    'ST-7': 'darks, pixels that are hot in the others of the same length too',
    'DECam': 'cut-outs with the saturated and bled pixels of the community pipeline',
    'WFC3 trails': 'a rendering of an FLC, trails drawn by hand',
}
"""Real samples."""

_DEFECTS = [
    CLASSES.names.index(name)
    for name in ('hot_pixel', 'bad_pixel', 'hot_column', 'bad_column', 'bad_row')
]
_SIDE = 1024  # pixels of a cut of the frame with trails
_EDGE = 64  # pixels of the pyramid's edge in WFPC2 frames
_HIT = 8.0  # standard deviations of a hit that the median lacks
_HOT = 10.0  # standard deviations of a hot pixel


@dataclass(frozen=True)
class Case:
    """
    An image and its truth.

    Parameters
    ----------
    samples : tuple of str
        What it belongs to.
    sci : (ny, nx) float32 `~numpy.ndarray`
        Pixels.
    truth, known : dict of str to bool `~numpy.ndarray`
        By class: which pixels have it, and which count. Other classes are not known.
    masked : (ny, nx) bool `~numpy.ndarray` or None
        Pixels that are not usable.
    meta : dict
        Of simulated images: what they are.
    """

    samples: tuple[str, ...]
    sci: np.ndarray
    truth: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    masked: np.ndarray | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def width_samples() -> list[str]:
    """Return the samples of all widths."""
    return [f'FWHM {low:g} to {high:g}' for low, high in pairwise(WIDTHS)]


def width_sample(fwhm: float) -> str | None:
    """Return the sample of a width, where there is one."""
    number = bisect_right(WIDTHS, fwhm) - 1
    return width_samples()[number] if 0 <= number < len(WIDTHS) - 1 else None


def simulated_cases(which: ImageSet, *, judged: bool = True) -> Iterator[Case]:
    """Yield simulated images; ``judged`` says of which families of instruments."""
    for seed in which.seeds:
        made = simulate.simulated_image(seed, which.side, judged=judged)
        width = width_sample(made.meta['fwhm'])
        ignore = np.zeros_like(made.truth) if made.ignore is None else made.ignore
        yield Case(
            (SIMULATED, made.meta['family'], *([width] if width else [])),
            made.sci,
            dict(zip(CLASSES.names, made.truth, strict=True)),
            dict(zip(CLASSES.names, ~ignore, strict=True)),
            made.masked,
            {**made.meta, 'defects': made.truth[_DEFECTS].any(axis=0)},
        )


def second_cases(which: SeededImages) -> Iterator[Case]:
    """Yield images of the second generator, of its instruments in turns."""
    for turn, seed in enumerate(which.seeds):
        number, instrument = divmod(turn, len(INSTRUMENTS))
        made = second_image(seed, INSTRUMENTS[instrument], number)
        yield Case(
            (SECOND,),
            made.sci,
            dict(zip(CLASSES.names, made.truth, strict=True)),
            dict.fromkeys(CLASSES.names, ~made.ignore),
            None,
            _told_of(made),
        )


def _told_of(made: SecondImage) -> dict[str, Any]:
    """Return what is known of an image of the second generator, as of the first."""
    meta, truth = made.meta, made.truth
    gain = {'DN': meta['gain'], 'electron': 1.0}[meta['unit'].removesuffix('/s')]
    if meta['unit'].endswith('/s'):
        gain *= meta['exptime']
    ceiling = (meta['saturation'] - meta['pedestal']) * gain
    defects = truth[_DEFECTS].any(axis=0)
    return {**meta, 'gain': gain, 'ceiling': ceiling, 'defects': defects}


def real_cases() -> Iterator[Case]:
    """Yield the real images that are there."""
    hst = data_folder()
    if hst is None:
        return
    masks = hst.parent / 'others' / 'masks'
    for folder, cases in (
        (masks / 'cosmic_rays', _sprat),
        (hst, _wfpc2),
        (masks / 'darks', _darks),
        (masks / 'dq', _decam),
        (masks / 'hst_trails', _trails),
    ):
        if folder.is_dir():
            yield from cases(folder)


def _case(
    sample: str,
    sci: np.ndarray,
    truth: dict[str, np.ndarray],
    ignore: np.ndarray | None = None,
) -> Case:
    known = np.ones(sci.shape, bool) if ignore is None else ~ignore
    return Case((sample,), sci.astype(np.float32), truth, dict.fromkeys(truth, known))


def _sprat(folder: Path) -> Iterator[Case]:
    path = folder / 'crtruth_sprat.npz'
    if path.is_file():
        with np.load(path) as kept:
            images, hits, ignore = (kept[each] for each in ('img', 'cr', 'ignore'))
        for image, hit, unsure in zip(images, hits, ignore, strict=True):
            yield _case('SPRAT', image, {'cosmic_ray': hit}, unsure)


def _wfpc2(folder: Path) -> Iterator[Case]:
    from scipy.ndimage import binary_dilation, maximum_filter

    names = ('single', 'median3')
    paths = [folder / f'wfpc2pc_ngc1261_f336w_{name}.fits' for name in names]
    if not all(path.is_file() for path in paths):
        return
    inner = slice(_EDGE, None), slice(_EDGE, None)
    single, median = (fits.getdata(path)[inner].astype(float) for path in paths)
    excess = single - median
    noise = 1.4826 * np.median(np.abs(np.diff(single))) / np.sqrt(2)
    # Stars vary between exposures by a share of their light, shifted and blurred.
    about = 0.3 * maximum_filter(np.maximum(median - np.median(median), 0), 3)
    hit = excess > _HIT * noise + about
    unsure = (excess > 3 * noise) & ~hit | (about > _HIT * noise) & ~hit
    unsure |= binary_dilation(hit) & ~hit
    yield _case('WFPC2', single, {'cosmic_ray': hit}, unsure)


def _darks(folder: Path) -> Iterator[Case]:
    for length in ('120s', '300s_', '900s'):
        paths = sorted(folder.glob(f'DarkBefore-*D{length}.fits'))
        frames = [fits.getdata(path).astype(float) for path in paths]
        for number, frame in enumerate(frames):
            others = np.min([f for n, f in enumerate(frames) if n != number], axis=0)
            levels = []
            for each in (frame, others):
                above = each - np.median(each)
                levels.append(above / (1.4826 * np.median(np.abs(above))))
            hot = np.minimum(*levels) > _HOT
            unsure = ~hot & (np.maximum(*levels) > _HOT / 2)
            yield _case('ST-7', frame, {'hot_pixel': hot}, unsure)


def _decam(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob('dq_c4d_*.npz')):
        with np.load(path) as kept:
            image, dq = kept['img'], kept['dq']
        if (dq == 3).any():
            yield _case('DECam', image, {'saturation': dq == 3, 'bleed': dq == 4})


def _trails(folder: Path) -> Iterator[Case]:
    from PIL import Image

    for path in sorted(folder.glob('*_flc.fits.jpg')):
        image = np.asarray(Image.open(path).convert('L'), dtype=np.float32)
        drawn = np.asarray(Image.open(f'{path.with_suffix("")}_all_objects.png'))
        trail = np.atleast_3d(drawn)[..., :3].max(-1) > 0
        ny, nx = image.shape
        for y in range(0, ny - _SIDE + 1, _SIDE):
            for x in range(0, nx - _SIDE + 1, _SIDE):
                box = slice(y, y + _SIDE), slice(x, x + _SIDE)
                if trail[box].any():
                    yield _case(
                        'WFC3 trails', image[box], {'satellite_trail': trail[box]}
                    )
