"""A network and its rivals on one set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.models.calibration import reweight
from astrosieve.models.metrics import Share, expected_calibration_error
from astrosieve.models.registry import Model
from astrosieve.source.classes import CLASSES
from astrosieve.source.widths import averaged
from astrosieve_training.judge.scores import binned, rates_at, roc, shares
from astrosieve_training.learn.sampling import label_numbers
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.evaluate.baselines import FOREST, Forest, cut_decisions
from astrosieve_training.source.evaluate.limits import (
    COMPLETENESS,
    faint_leak,
    leaks,
    members,
    stars_on_extended,
)

__all__ = ['BINS', 'Judged', 'judge', 'judge_set']

BINS: dict[str, tuple[str, tuple[float, ...]]] = {
    'snr': ('S/N in 3x3 pixels', (0, 5, 10, 20, 50, 100, 1000, np.inf)),
    'fwhm': ('PSF FWHM, pixels', (0, 1.4, 1.6, 1.8, 2.0, 2.5, 3, 4, np.inf)),
    'crowding': ('stars of S/N 10 within 10 pixels', (0, 1, 2, 4, 8, np.inf)),
    'distance_to_bright': (
        'distance to a bright star, pixels',
        (0, 5, 10, 20, 40, 80, np.inf),
    ),
    'saturated': ('saturated', (0, 1, 2)),
}
"""Columns by which results are split: what they are called, and edges of the bins."""

_COMPLETENESS = (0.95, 0.99, 0.995)


def _by_class(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {name: labels == name for name in CLASSES}


def _purity(called_star: np.ndarray, labels: np.ndarray) -> dict[str, Share]:
    """Return the purity of the star list, where it says something."""
    star = labels == 'star'
    mixed = star.any() and not star.all()
    return {'purity': Share.of(star, called_star)} if mixed else {}


def _decision_table(called_star: np.ndarray, labels: np.ndarray) -> dict[str, Share]:
    """Return completeness and leak per true class, and purity of the star list."""
    return shares(called_star, _by_class(labels)) | _purity(called_star, labels)


@dataclass(frozen=True)
class Judged:
    """
    Detections with what each method makes of them.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        The truth.
    probabilities : (N, C) `~numpy.ndarray`
        The model's.
    classes : tuple of str
        The model's.
    decisions : dict of str to (N,) bool `~numpy.ndarray`
        Called a star, by method; the model's own first.
    scores : dict of str to (N,) `~numpy.ndarray`
        Continuous scores of the methods that have one; the model's own first.
    """

    rows: Table
    probabilities: np.ndarray
    classes: tuple[str, ...]
    decisions: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]


@dataclass(frozen=True)
class Rival:
    """
    Another network that is asked about the same detections.

    Parameters
    ----------
    name : str
        What tables call it.
    preprocessing : str
        Of its inputs.
    classes : tuple of str
        Its classes.
    predict : callable
        Takes inputs, returns (N, C) probabilities.
    """

    name: str
    preprocessing: str
    classes: tuple[str, ...]
    predict: Callable[[dict[str, np.ndarray]], np.ndarray]


def _rates(
    scores: np.ndarray, labels: np.ndarray, completeness: Sequence[float]
) -> dict[str, Any]:
    """Return the leak at thresholds that keep given shares of the stars."""
    found = {}
    for wanted in completeness:
        threshold, table = rates_at(scores, labels == 'star', wanted, _by_class(labels))
        purity = _purity(scores >= threshold, labels)
        found[f'{wanted:.1%}'] = {'threshold': threshold, **table, **purity}
    return found


def _binned(
    rows: Table, labels: np.ndarray, called_star: np.ndarray
) -> dict[str, list[dict[str, Any]]]:
    """Return completeness and leak of the model in bins."""
    return {
        column: [
            {'from': low, 'to': high}
            | _decision_table(called_star[inside], labels[inside])
            for low, high, inside in binned(np.asarray(rows[column], float), edges)
        ]
        for column, (_, edges) in BINS.items()
        if column in rows.colnames
    }


def _calibration(
    judged: Judged, labels: np.ndarray, prior: dict[str, float]
) -> dict[str, Any]:
    """Return the calibration error for the mix of classes of the set."""
    numbers = label_numbers(Table({'label': labels}), judged.classes)
    known = numbers >= 0
    if len(np.unique(numbers[known])) < 2:
        return {}
    counts = np.bincount(numbers[known], minlength=len(judged.classes))
    factors = {
        name: max(count, 0.5) / counts.sum() / prior[name]
        for name, count in zip(judged.classes, counts, strict=True)
    }
    carried = reweight(judged.probabilities[known], judged.classes, factors=factors)
    return {
        'n': int(known.sum()),
        'error': expected_calibration_error(carried, numbers[known]),
        'error_for_mix_of_card': expected_calibration_error(
            judged.probabilities[known], numbers[known]
        ),
    }


def judge_set(judged: Judged, prior: dict[str, float]) -> dict[str, Any]:
    """
    Measure one set of detections.

    Parameters
    ----------
    judged : `Judged`
        The detections.
    prior : dict of str to float
        Mix of classes for which the model's probabilities hold.

    Returns
    -------
    results : dict
        ``counts``, ``unscored``, ``decisions`` (by method: completeness or leak of
        each true class, and purity), ``confusion``, ``leak_at_completeness``,
        ``roc_area``, ``calibration``, ``bins``, ``contested``, and ``leaks``,
        ``faint`` (by method) and ``on_extended``, see
        `astrosieve_training.source.evaluate.limits`.
    """
    valid = np.asarray(judged.rows['valid'], dtype=bool)
    contested = np.asarray(judged.rows['contested'], dtype=bool)
    every = np.asarray(judged.rows['label'], dtype=str)
    use = valid & ~contested
    labels = every[use]
    star = labels == 'star'
    predicted = judged.probabilities[use].argmax(axis=1)
    first = next(iter(judged.decisions))
    part = Judged(
        judged.rows[use], judged.probabilities[use], judged.classes,
        {k: v[use] for k, v in judged.decisions.items()},
        {k: v[use] for k, v in judged.scores.items()},
    )  # fmt: skip
    aside = valid & contested
    results: dict[str, Any] = {
        'counts': {n: int((labels == n).sum()) for n in CLASSES if (labels == n).any()},
        'unscored': int((~valid).sum()),
        'decisions': {
            method: _decision_table(called, labels)
            for method, called in part.decisions.items()
        },
        'confusion': {
            name: {
                other: int((predicted[labels == name] == i).sum())
                for i, other in enumerate(judged.classes)
            }
            for name in CLASSES
            if (labels == name).any()
        },
        'bins': _binned(part.rows, labels, part.decisions[first]),
        'calibration': _calibration(part, labels, prior),
        'contested': shares(judged.decisions[first][aside], _by_class(every[aside])),
    }
    results.update(_at_the_limits(judged))
    if star.any() and not star.all():
        results['leak_at_completeness'] = {
            method: _rates(scores, labels, _COMPLETENESS)
            for method, scores in part.scores.items()
        }
        results['roc_area'] = {
            method: roc(scores, star).area for method, scores in part.scores.items()
        }
    return results


def _at_the_limits(judged: Judged) -> dict[str, Any]:
    """Return leaks at the completeness for which there are limits."""
    if 'psf_fwhm' not in judged.rows.colnames:
        return {}
    rows = judged.rows
    groups = members(rows)
    found: dict[str, Any] = {
        'leaks': {name: leaks(each, rows) for name, each in judged.scores.items()},
        'faint': {name: faint_leak(each, rows) for name, each in judged.scores.items()},
        'faint_sharp': {
            name: faint_leak(each, rows, without='extended')
            for name, each in judged.scores.items()
        },
        'decided': {
            name: shares(called, groups) for name, called in judged.decisions.items()
        },
    }
    scores = next(iter(judged.scores.values()))
    if groups['star'].any() and 'extended_snr' in rows.colnames:
        threshold, _ = rates_at(scores, groups['star'], COMPLETENESS, {})
        found['on_extended'] = stars_on_extended(scores, rows, threshold)
    return found


def judge(
    model: Model,
    detections: DetectionSet,
    forest: Forest | None = None,
    rivals: Sequence[tuple[Rival, dict[str, np.ndarray]]] = (),
) -> Judged:
    """
    Ask the model and its baselines about detections.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        With the columns of
        `~astrosieve_training.source.evaluate.baselines.measure_all`.
    forest : `~astrosieve_training.source.evaluate.baselines.Forest`, optional
        A trained forest.
    rivals : sequence of (`Rival`, dict), optional
        Other networks, each with its inputs for the same detections.

    Returns
    -------
    judged : `Judged`
    """
    classes = model.card.classes
    star = classes.index('star')
    probabilities = averaged(model.predict, detections.inputs)
    decisions = {model.card.name: probabilities.argmax(axis=1) == star}
    for name in model.card.operating_points:
        threshold = model.card.threshold(name, 'p_star')
        decisions[f'{model.card.name}, {name}'] = probabilities[:, star] >= threshold
    scores = {model.card.name: probabilities[:, star]}
    if forest is not None:
        guesses = forest.predict(detections.rows)
        number = forest.classes.index('star')
        decisions[FOREST] = guesses.argmax(axis=1) == number
        scores[FOREST] = guesses[:, number]
    for rival, inputs in rivals:
        guesses = rival.predict(inputs)
        number = rival.classes.index('star')
        decisions[rival.name] = guesses.argmax(axis=1) == number
        scores[rival.name] = guesses[:, number]
    decisions.update(cut_decisions(detections.rows))
    return Judged(detections.rows, probabilities, classes, decisions, scores)
