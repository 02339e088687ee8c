"""
Calibration: from logits to probabilities that hold, and named thresholds.

A temperature and an offset for each class are fitted on exposures that were kept
from training (vector scaling with one common scale; Guo et al. 2017, ICML 70,
1321). Each class counts as much as the configuration says, whatever its share of
those exposures, and the probabilities hold for that mix; the export adds the
offsets to the biases of the last layer, and the card states the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from astrosieve.models.calibration import reweight, softmax
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import (
    Share,
    expected_calibration_error,
)
from astrosieve_training.learn.calibrate import Aim, fit_scaling, thresholds
from astrosieve_training.learn.sampling import label_numbers
from astrosieve_training.source.config import CalibrationConfig
from astrosieve_training.source.datasets.detections import DetectionSet

__all__ = ['Calibration', 'calibrate', 'measure_point']


@dataclass(frozen=True)
class Calibration:
    """
    What was measured on exposures kept from training.

    Parameters
    ----------
    temperature : float
        Divides the logits.
    offsets : tuple of float
        Added to the logits, one per class, before the division.
    class_prior : dict of str to float
        Mix of classes for which the probabilities hold.
    operating_points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        Named thresholds.
    calibration_error : tuple of float
        Expected calibration error on the other held-out exposures, without and
        with the calibration, each probability carried to the mix of classes there.
    """

    temperature: float
    offsets: tuple[float, ...]
    class_prior: dict[str, float]
    operating_points: dict[str, OperatingPoint]
    calibration_error: tuple[float, float]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Return a calibration from what `dataclasses.asdict` made of it."""
        points = {
            name: OperatingPoint.from_dict(point)
            for name, point in values['operating_points'].items()
        }
        return cls(
            temperature=values['temperature'],
            offsets=tuple(values['offsets']),
            class_prior=dict(values['class_prior']),
            operating_points=points,
            calibration_error=tuple(values['calibration_error']),
        )


def measure_point(
    threshold: float, p_star: np.ndarray, star: np.ndarray, sample: str
) -> OperatingPoint:
    """
    Measure completeness and purity at a threshold.

    Parameters
    ----------
    threshold : float
        Kept is what has ``p_star >= threshold``.
    p_star : (N,) `~numpy.ndarray`
        Probabilities.
    star : (N,) bool `~numpy.ndarray`
        Truth.
    sample : str
        What it is measured on.

    Returns
    -------
    point : `~astrosieve.models.cards.OperatingPoint`
    """
    kept = p_star >= threshold
    measured = {'completeness': Share.of(kept, star), 'purity': Share.of(star, kept)}
    return OperatingPoint(float(threshold), 'p_star', measured, sample)


def calibrate(
    logits: np.ndarray,
    detections: DetectionSet,
    other_logits: np.ndarray,
    other: DetectionSet,
    *,
    classes: Sequence[str],
    settings: CalibrationConfig,
    sample: str | None = None,
    spread: float = np.inf,
) -> Calibration:
    """
    Calibrate a network, and set its operating points.

    Parameters
    ----------
    logits, detections
        Outputs for the exposures on which scaling and thresholds are fitted.
    other_logits, other
        Outputs for further exposures, on which they are measured.
    classes : sequence of str
        Classes of the network.
    settings : `~astrosieve_training.source.config.CalibrationConfig`
        Aims of the operating points.
    sample : str, optional
        What the operating points are measured on; simulated exposures by default.
    spread : float, optional
        See `fit_scaling`.

    Returns
    -------
    calibration : `Calibration`
    """
    labels = label_numbers(detections.rows, classes)
    known = detections.usable & (labels >= 0)
    shares = np.array(settings.shares or [1.0] * len(classes))
    shares /= shares.sum()
    temperature, offsets = fit_scaling(
        logits[known], labels[known], shares, spread=spread
    )
    prior = dict(zip(classes, shares.tolist(), strict=True))

    def p_star(values: np.ndarray) -> np.ndarray:
        scaled = softmax(values + offsets, temperature)
        return scaled[:, list(classes).index('star')]

    def is_star(each: DetectionSet) -> np.ndarray:
        return np.asarray(each.rows['label'], dtype=str) == 'star'

    fit, measured = detections.usable, other.usable
    aims = {
        'balanced': Aim('f1'),
        'pure': Aim('purity', settings.pure),
        'complete': Aim('completeness', settings.complete),
    }
    found = thresholds(p_star(logits[fit]), is_star(detections)[fit], aims)
    if sample is None:
        n_exposures = len(np.unique(other.rows['exposure']))
        sample = f'uncontested detections of {n_exposures} simulated exposures'
    points = {
        name: measure_point(
            threshold, p_star(other_logits[measured]), is_star(other)[measured], sample
        )
        for name, threshold in found.items()
    }
    other_labels = label_numbers(other.rows, classes)
    rows = other.usable & (other_labels >= 0)
    there = np.bincount(other_labels[rows], minlength=len(classes)) / rows.sum()
    factors = {
        name: max(share, 1e-6) / prior[name]
        for name, share in zip(classes, there, strict=True)
    }
    errors = [
        expected_calibration_error(
            reweight(softmax(values[rows], t), classes, factors=factors),
            other_labels[rows],
        )
        for values, t in ((other_logits, 1.0), (other_logits + offsets, temperature))
    ]
    return Calibration(
        temperature, tuple(offsets.tolist()), prior, points, (errors[0], errors[1])
    )
