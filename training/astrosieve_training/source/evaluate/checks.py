"""
Checks of a model besides its leaks: positions, every pixel of an image, and images
that it should doubt.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.stats import ks_2samp

from astrosieve.exceptions import AstrosieveWarning, OutOfDomainWarning
from astrosieve.images.exposures import Chip
from astrosieve.images.units import PixelUnit
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve.source.classify import classify_sources
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.source.widths import averaged
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.simulate import label_positions
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import FinderConfig
from astrosieve_training.source.datasets.detections import (
    simulated_exposures,
    simulated_set,
)
from astrosieve_training.source.evaluate.figures import draw_phases, draw_scan
from astrosieve_training.source.evaluate.limits import STAR_SNR

__all__ = [
    'check_domain',
    'check_phases',
    'check_scan',
    'scan',
]

_PHASE_LIMIT = 0.02
_RECOGNISED = 0.9
_FALSE_ALARMS = 0.05
_SKY_RIGHT = 0.95
_NEBULA_SPIKES = 0.01
_SCANNED = 200  # pixels along a side of the part that is scanned
_MARGIN = 6  # pixels from the edge within which a true star is not counted
_POSITIONS = 50


def _largest_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the statistic of Kolmogorov and Smirnov; NaN without a sample."""
    if not len(first) or not len(second):
        return float('nan')
    return float(ks_2samp(first, second, method='asymp').statistic)


def _phase(positions: np.ndarray) -> np.ndarray:
    """Return where in their pixels positions lie, -0.5 to 0.5."""
    return positions - np.floor(positions + 0.5)


def check_phases(
    model: Model, exposures: ExposureSet, cache: Path, folder: Path
) -> tuple[list[str], list[Limit]]:
    """
    Compare the true sub-pixel phases of kept stars with those of all stars.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model; kept is what reaches its operating point 'complete'.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        With many stars.
    cache : `~pathlib.Path`
        Folder of cached exposures.
    folder : `~pathlib.Path`
        Gets the figure.

    Returns
    -------
    lines : list of str
        Markdown.
    limits : list of `~astrosieve_training.judge.limits.Limit`
    """
    finder = FinderConfig('peaks', 4.0)
    detections = simulated_set(
        exposures,
        finders=(finder,),
        preprocessing=model.card.preprocessing,
        folder=cache,
        model=model,
        progress=False,
    )
    star = model.card.classes.index('star')
    threshold = model.card.threshold('complete', 'p_star')
    kept = averaged(model.predict, detections.inputs)[:, star] >= threshold
    rows = detections.rows
    good = np.asarray(rows['valid'] & ~rows['contested'])
    good &= np.asarray(rows['label'], dtype=str) == 'star'
    good &= np.asarray(rows['snr'], dtype=float) >= STAR_SNR
    phases: dict[str, list[np.ndarray]] = {'kept': [], 'detected': [], 'true': []}
    for plan, _, truth in simulated_exposures(exposures, cache):
        stars = truth.stars
        places = np.column_stack([stars['x'], stars['y']]).astype(float)
        inside = np.asarray(stars['snr']) >= STAR_SNR
        size = np.array(truth.shape[::-1])
        inside &= ((places > _MARGIN) & (places < size - _MARGIN)).all(axis=1)
        phases['true'].append(_phase(places[inside]))
        mine = good & (np.asarray(rows['exposure'], dtype=str) == plan.label)
        index = np.asarray(rows['star_index'])
        for name, chosen in (('detected', mine), ('kept', mine & kept)):
            found = np.unique(index[chosen])
            phases[name].append(_phase(places[found[found >= 0]]))
    samples = {name: np.concatenate(parts) for name, parts in phases.items()}
    draw_phases(samples, folder / f'{model.card.name}-judge-phases.png')
    numbers = ', '.join(f'{len(each)} {name}' for name, each in samples.items())
    lines = [
        f'Stars of S/N {STAR_SNR:g} and more in {exposures.origin}; {numbers}. Largest '
        "distance between the distributions of the true positions' sub-pixel phases:",
        '',
    ]
    rows, limits = [], []
    for name, text in (
        ('detected', 'detected stars'),
        ('true', 'all true stars'),
    ):
        distances = [
            _largest_distance(samples['kept'][:, axis], samples[name][:, axis])
            for axis in (0, 1)
        ]
        rows.append([text, *(f'{distance:.4f}' for distance in distances)])
        entry = Number(max(distances), len(samples['kept']))
        what = f'largest distance between the phases of kept stars and of {text}'
        limits.append(Limit(what, entry, _PHASE_LIMIT))
    return lines + markdown_table(('kept stars against', 'x', 'y'), rows), limits


def scan(
    model: Model, sci: np.ndarray, box: tuple[slice, slice], *, fwhm: float | None
) -> np.ndarray:
    """
    Ask a model at each pixel of a part of an image.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    sci : 2D `~numpy.ndarray`
        The whole image.
    box : tuple of slice
        The part, rows and columns.
    fwhm : float or None
        Of the PSF, pixels, for models that need it.

    Returns
    -------
    probabilities : (ny, nx, C) `~numpy.ndarray`
    """
    y, x = np.mgrid[box]
    fitted = get_preprocessing(model.card.preprocessing).fit(
        np.asarray(sci, dtype=np.float32), fwhm=fwhm
    )
    xy = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    return averaged(model.predict, fitted(xy).inputs).reshape(*x.shape, -1)


def check_scan(
    model: Model, exposures: ExposureSet, cache: Path, folder: Path
) -> tuple[list[str], list[Limit]]:
    """
    Ask the model at each pixel, as in Figures 11 and 12 of WFC3 ISR 2024-14.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model, which must know the class 'background'.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures; the middle of each is scanned.
    cache : `~pathlib.Path`
        Folder of cached exposures.
    folder : `~pathlib.Path`
        Gets the figure.

    Returns
    -------
    lines : list of str
        Markdown: what the pixels are, and what they are called.
    limits : list of `~astrosieve_training.judge.limits.Limit`
    """
    classes = model.card.classes
    panels, truths, called = [], [], []
    for plan, chip, truth in simulated_exposures(exposures, cache):
        box = tuple(
            slice(max(0, n // 2 - _SCANNED // 2), n // 2 + _SCANNED // 2)
            for n in truth.shape
        )
        p = scan(model, chip.sci, (box[0], box[1]), fwhm=truth.fwhm)
        y, x = np.mgrid[box]
        labels = label_positions(truth, np.column_stack([x.ravel(), y.ravel()]))
        usable = ~np.asarray(labels['contested'])
        truths.append(np.asarray(labels['label'], dtype=str)[usable])
        called.append(p.reshape(-1, len(classes)).argmax(axis=1)[usable])
        panels.append((plan.label, np.asarray(chip.sci[box]), p))
    draw_scan(panels, classes, folder / f'{model.card.name}-judge-scan.png')
    true, found = np.concatenate(truths), np.concatenate(called)
    lines = [
        f'Asked at each of the middle {_SCANNED}x{_SCANNED} pixels of '
        f'{exposures.origin}; what the pixels are, uncontested, and what they are '
        'called:',
        '',
    ]
    rows = []
    for name in classes:
        counts = np.bincount(found[true == name], minlength=len(classes))
        if n := counts.sum():
            rows.append([f'{name} ({n})', *(f'{k / n:.2%}' for k in counts)])
    limits = []
    for name, other, limit, least in (
        ('background', 'background', _SKY_RIGHT, True),
        ('extended', 'spike', _NEBULA_SPIKES, False),
    ):
        mine = found[true == name]
        k = int((mine == classes.index(other)).sum())
        what = f'pixels of {name} called {other}'
        limits.append(Limit(what, Share(k, len(mine)), limit, least=least))
    return lines + markdown_table(('truth', *classes), rows), limits


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _without_pixels(sci: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image with 40 % of its pixels NaN, in patches."""
    coarse = rng.random((-(-sci.shape[0] // 16), -(-sci.shape[1] // 16))) < 0.4
    lost = np.kron(coarse, np.ones((16, 16), dtype=bool))
    return np.where(lost[: sci.shape[0], : sci.shape[1]], np.nan, sci)


def _out_of_focus(sci: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image blurred to a width beyond all cameras, with fresh noise."""
    level = np.median(sci)
    noise = 1.4826 * np.median(np.abs(sci - level))
    blurred = ndimage.gaussian_filter(sci, 3.5) - level
    return 30 * blurred + rng.normal(level, noise, sci.shape)


_USUAL: dict[str, Change] = {
    'as simulated': lambda sci, rng: sci,
    'sky subtracted': lambda sci, rng: sci - np.median(sci),
    'pedestal added': lambda sci, rng: sci + 1000,
}
_UNUSUAL: dict[str, Change] = {
    'smoothed (Gaussian of 0.7 pixels)': lambda sci, rng: ndimage.gaussian_filter(
        sci, 0.7
    ),
    'resampled (half a pixel, bilinear)': lambda sci, rng: ndimage.shift(
        sci, (0.5, 0.5), order=1, mode='nearest'
    ),
    'enlarged twice (cubic)': lambda sci, rng: ndimage.zoom(sci, 2, order=3),
    'out of focus (FWHM over 8 pixels)': _out_of_focus,
    '40 % of the pixels NaN': _without_pixels,
}
_NO_UNIT = 'unit not known'  # changes no probability


def _recognised(
    model: Model, sci: np.ndarray, chip: Chip, xy: np.ndarray, *, unit: PixelUnit | None
) -> bool:
    """Return whether a classification warns that the image is unusual."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstrosieveWarning)
        classify_sources(
            np.asarray(sci, dtype=np.float32),
            xy,
            unit=unit,
            gain=chip.gain,
            exptime=chip.exptime,
            model=model,
        )
    return any(issubclass(each.category, OutOfDomainWarning) for each in caught)


def check_domain(
    model: Model, exposures: ExposureSet, cache: Path
) -> tuple[list[str], list[Limit]]:
    """
    See which images the model recognises as unlike those of its training.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures, which are changed in several ways.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown.
    limits : list of `~astrosieve_training.judge.limits.Limit`
    """
    counts = dict.fromkeys([*_USUAL, *_UNUSUAL, _NO_UNIT], 0)
    for plan, chip, truth in simulated_exposures(exposures, cache):
        rng = np.random.default_rng(plan.seed)
        xy = rng.uniform(0, truth.shape[::-1], (_POSITIONS, 2))
        for name, change in (_USUAL | _UNUSUAL).items():
            sci = change(np.asarray(chip.sci, dtype=float), rng)
            counts[name] += _recognised(model, sci, chip, xy, unit=chip.unit)
        counts[_NO_UNIT] += _recognised(model, chip.sci, chip, xy, unit=None)
    lines = [
        f'{exposures.origin}, changed in these ways; the PSF is estimated from the '
        'image. Warned and flagged as unlike the training:',
        '',
    ]
    rows, limits = [], []
    for name, k in counts.items():
        entry = Share(k, exposures.n)
        usual = name not in _UNUSUAL
        rows.append([name, entry, 'no' if usual else 'yes'])
        if usual:
            limits.append(Limit(f'called unusual: {name}', entry, _FALSE_ALARMS))
        else:
            what = f'recognised as unusual: {name}'
            limits.append(Limit(what, entry, _RECOGNISED, least=True))
    return lines + markdown_table(('image', 'recognised', 'meant to be'), rows), limits
