"""
Checks of a model where users differ: the width of the PSF that they state, the
detector that was hit, and stars that saturate.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.measured import MeasuredImage
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_chip
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.widths import averaged, star_chooser
from astrosieve.tables.catalogs import positions
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.scores import binned, rates_at, shares
from astrosieve_training.simulate import Truth, label_positions
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import FinderConfig
from astrosieve_training.source.datasets.chips import network_inputs
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    simulated_exposures,
    simulated_set,
)
from astrosieve_training.source.evaluate.limits import (
    ABSOLUTE_LIMITS,
    COMPLETENESS,
    members,
)

__all__ = ['check_hits', 'check_measured', 'check_saturated', 'check_widths']

_FINDER = FinderConfig('peaks', 4.0)
_FACTORS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
_BELIEVED = (0.8, 1.25)  # stated over true width within which little may change
_CHANGE = 0.003
_OFF = (0.1, 0.2)  # of the logarithm of a width
_SOMEWHERE = np.full((1, 2), 20.0)
_WIDTHS = (1.4, 1.8, 2.4, 4.0)
_HIT_LEAK = 0.003
_ROWS = 0.95
_PLATEAUS = 0.01
_NEAR = 2.0  # pixels between a saturated star and its row
_MARGIN = 6


def _detections(model: Model, exposures: ExposureSet, cache: Path) -> DetectionSet:
    return simulated_set(
        exposures,
        finders=(_FINDER,),
        preprocessing=model.card.preprocessing,
        folder=cache,
        model=model,
        progress=False,
    )


def _scores(model: Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    probabilities = averaged(model.predict, inputs)
    star: np.ndarray = probabilities[:, model.card.classes.index('star')]
    return star


def _told(
    model: Model, exposures: ExposureSet, cache: Path
) -> tuple[dict[str, list[np.ndarray]], np.ndarray]:
    """
    Return what the network is told of an exposure when a width is stated.

    And how far, in its own errors, the width is off that the stars say.
    """
    told, errors = {}, []
    chooser = star_chooser(model)
    for plan, chip, truth in simulated_exposures(exposures, cache):
        images = [
            MeasuredImage.of_chip(chip, fwhm=truth.fwhm * f, likely_stars=chooser)
            for f in _FACTORS
        ]
        told[plan.label] = [
            network_inputs(each, _SOMEWHERE, model.card.preprocessing)['input_fwhm'][0]
            for each in images
        ]
        stars = images[0].psf_stars
        if stars is not None:
            errors.append(np.log(stars.fwhm / truth.fwhm) / stars.fwhm_error)
    return told, np.abs(errors)


def check_widths(
    model: Model, exposures: ExposureSet, cache: Path
) -> tuple[list[str], list[Limit]]:
    """
    See what a wrong width of the PSF does, at one threshold.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures with stars.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown.
    limits : list of `~astrosieve_training.judge.limits.Limit`
        The largest change of a share, in points, where what is stated is nearly right.
    """
    detections = _detections(model, exposures, cache)
    groups = members(detections.rows)
    estimated = detections.inputs['fwhm']
    told, errors = _told(model, exposures, cache)
    origins = list(map(str, detections.rows['exposure']))
    widths = {
        f'{factor:g}': np.array([told[each][number] for each in origins])
        for number, factor in enumerate(_FACTORS)
    }
    widths['estimated'] = estimated
    widths['none known'] = np.full_like(estimated, np.nan)
    scores = {
        name: _scores(model, {**detections.inputs, 'fwhm': each})
        for name, each in widths.items()
    }
    threshold, right = rates_at(scores['1'], groups['star'], COMPLETENESS, groups)
    found = {name: shares(each >= threshold, groups) for name, each in scores.items()}
    lines = [
        f'{exposures.origin}. The threshold keeps {COMPLETENESS:.1%} of the stars '
        'where the true width is stated, and stays. Exposures whose stars say a width: '
        f'{len(errors)}; half of these widths are off by less than '
        f'{np.median(errors) if len(errors) else np.nan:.2f} of their errors, '
        f'{np.count_nonzero(errors > 2)} by more than twice. Called stars, by stated '
        'over true width:',
        '',
        *markdown_table(
            ('width', 'stars kept', *map(CLASSES.plural, ABSOLUTE_LIMITS)),
            [
                (name, *(each.get(key, '-') for key in ('star', *ABSOLUTE_LIMITS)))
                for name, each in found.items()
            ],
        ),
    ]
    nearly = [f'{f:g}' for f in _FACTORS if _BELIEVED[0] <= f <= _BELIEVED[1]]
    limits = []
    for key in right:
        change = max(abs(found[name][key].value - right[key].value) for name in nearly)
        what = (
            f'{CLASSES.plural(key)} called stars, stated width {_BELIEVED[0]:g} to '
            f'{_BELIEVED[1]:g} times the true: largest change of the share'
        )
        limits.append(Limit(what, Number(change, right[key].n), _CHANGE))
    return lines, limits


def check_measured(model: Model, sets: Sequence[ExposureSet], cache: Path) -> list[str]:
    """
    See how well images say the width of their PSF, by rules and by chosen stars.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        What chooses the stars, see `~astrosieve.source.widths.star_chooser`.
    sets : sequence of `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown.
    """
    methods = {'rules': None, 'stars that the network chooses': star_chooser(model)}
    rows = []
    for exposures in sets:
        errors: dict[str, list[float]] = {name: [] for name in methods}
        for _, chip, truth in simulated_exposures(exposures, cache):
            # The camera's nominal width is not to help.
            unknown = replace(chip, instrument='', detector='')
            for name, chooser in methods.items():
                image = MeasuredImage.of_chip(unknown, likely_stars=chooser)
                width = np.nan if image.psf_stars is None else image.psf_stars.fwhm
                errors[name].append(abs(float(np.log(width / truth.fwhm))))
        for name, each in errors.items():
            off = np.array(each)
            known = np.isfinite(off)
            every = np.ones(len(off), dtype=bool)
            rows.append(
                (
                    exposures.name, name,
                    f'{np.median(off[known]) if known.any() else np.nan:.1%}',
                    *(Share.of(off > limit, every) for limit in _OFF),
                    Share.of(~known, every),
                )
            )  # fmt: skip
    off_by = (f'off by more than {limit:.0%}' for limit in _OFF)
    return [
        'The width that images alone say, beside that of the PSF simulated; errors of '
        'the logarithm. By rules Gaussians are fitted to peaks, and what looks round '
        'and is of the commonest width counts as a star.',
        '',
        *markdown_table(('sample', 'stars by', 'median error', *off_by, 'none'), rows),
    ]


def check_hits(
    models: Sequence[Model], exposures: ExposureSet, cache: Path
) -> tuple[list[str], list[Limit]]:
    """
    See which real hits are called stars, by detector and width of the PSF.

    Parameters
    ----------
    models : sequence of `~astrosieve.models.registry.Model`
        The model, and others to show beside it.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        Whose only hits are real ones that were kept for judging, of one detector each.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown.
    limits : list of `~astrosieve_training.judge.limits.Limit`
        The leak of each detector's hits, all widths together.
    """
    detector = {plan.label: plan.hits for plan in exposures.plans()}
    rows, limits = [], []
    for number, model in enumerate(models):
        detections = _detections(model, exposures, cache)
        groups = members(detections.rows)
        score = _scores(model, detections.inputs)
        threshold, _ = rates_at(score, groups['star'], COMPLETENESS, {})
        width = np.asarray(detections.rows['psf_fwhm'], dtype=float)
        labels = np.asarray(detections.rows['exposure'], dtype=str)
        of = np.array([detector[name] for name in labels.tolist()], dtype=str)
        hit = groups['cosmic_ray']
        label = f'{model.card.name} {model.card.version}'
        for name in dict.fromkeys(exposures.hits):
            mine = hit & (of == name)
            every = Share.of(score >= threshold, mine)
            parts = {
                low: Share.of(score >= threshold, mine & inside)
                for low, _, inside in binned(width, _WIDTHS)
                if (mine & inside).any()
            }
            cells = (parts.get(low, '-') for low in _WIDTHS[:-1])
            rows.append((name, label, every, *cells))
            if number == 0 and every.n:
                limits.append(Limit(f'hits of {name} called stars', every, _HIT_LEAK))
    head = [f'FWHM {low:g} to {high:g}' for low, high in pairwise(_WIDTHS)]
    lines = [
        f'{exposures.origin}; their cosmic rays are hits that no training saw, of one '
        "detector each; 'thick' is a simulated slab of 40 to 250 micrometres, 'heavy' "
        "are simulated alpha particles and nuclei, 'sprat' "
        f'a detector of which no hit is in any training. S/N of 20 and more, where '
        f'{COMPLETENESS:.1%} of the stars are kept. Called stars:',
        '',
        *markdown_table(('hits', 'method', 'all', *head), rows),
    ]
    return lines, limits


def check_saturated(
    model: Model, exposures: ExposureSet, cache: Path
) -> tuple[list[str], list[Limit]]:
    """
    See whether saturated stars have a row, and which other plateaus are called stars.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        Exposures with bright stars.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown.
    limits : list of `~astrosieve_training.judge.limits.Limit`
    """
    counts = {'row': [0, 0], 'star': [0, 0], 'plateau': [0, 0]}
    options = ClassifyOptions(model=model)
    for _, chip, truth in simulated_exposures(exposures, cache):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstrosieveWarning)
            table = classify_chip(chip, options)
        xy = positions(table)
        star = np.asarray(table['class_name'], dtype=str) == 'star'
        stars = truth.stars[np.asarray(truth.stars['saturated'])]
        places = np.column_stack([stars['x'], stars['y']]).astype(float)
        inside = places > _MARGIN
        inside &= places < np.array(truth.shape[::-1]) - _MARGIN
        places = places[inside.all(axis=1)]
        for name, found in (('row', xy), ('star', xy[star])):
            near = _has_one(found, places)
            counts[name][0] += int(near.sum())
            counts[name][1] += len(near)
        flat = CLASS_FLAGS.any_set(np.asarray(table['class_flags']), 'saturated')
        other = _others(truth, xy, flat)
        counts['plateau'][0] += int((star & other).sum())
        counts['plateau'][1] += int(other.sum())
    row, called, plateau = (Share(*counts[name]) for name in ('row', 'star', 'plateau'))
    lines = [
        f'{exposures.origin}, searched by `astrosieve classify`:',
        '',
        *markdown_table(
            ('what', 'share'),
            [
                (f'saturated stars with a row within {_NEAR:g} pixels', row),
                ('saturated stars with such a row called star', called),
                ('saturated hits, galaxies and defects called star', plateau),
            ],
        ),
    ]
    return lines, [
        Limit('saturated stars with a row called star', called, _ROWS, least=True),
        Limit('saturated hits, galaxies, defects called star', plateau, _PLATEAUS),
    ]


def _has_one(xy: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return which places have a position nearby."""
    if not len(xy) or not len(places):
        return np.zeros(len(places), dtype=bool)
    return np.asarray(cKDTree(xy).query(places)[0] <= _NEAR)


def _others(truth: Truth, xy: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return which saturated rows are certainly no star's."""
    finite = np.isfinite(xy).all(axis=1)
    labels: Table = label_positions(truth, np.where(finite[:, None], xy, 0.0))
    kind = np.isin(np.asarray(labels['label']), ('cosmic_ray', 'extended', 'bad_pixel'))
    return np.asarray(
        finite & flat & kind & ~labels['contested'] & (labels['star_index'] < 0)
    )
