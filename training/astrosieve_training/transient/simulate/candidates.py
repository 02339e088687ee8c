"""Candidates: what a detector finds in a difference, and what each one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from astrosieve_training.transient.simulate.faults import draw_edge
from astrosieve_training.transient.simulate.fields import Field, draw_sky, expose
from astrosieve_training.transient.simulate.rows import Rows
from astrosieve_training.transient.simulate.subtraction import Difference, subtract
from astrosieve_training.transient.simulate.surveys import Conditions, survey_named
from astrosieve_training.transient.simulate.truth import Truth, what_they_are

__all__ = ['Candidates', 'find_peaks', 'make_candidates', 'windows']

_MOST = {'residual': 14, 'dipole': 10, 'saturated': 8, 'bad_pixel': 8}
_OTHERS = 8  # of another artefact in a field
_FIELD = (512, 512)


@dataclass(frozen=True)
class Candidates(Rows):
    """
    Stamps of candidates and the truth about them.

    Parameters
    ----------
    stamps : (N, 3, side, side) float32 `~numpy.ndarray`
        Science, template, difference, in counts of their own; NaN where masked. The
        candidate is in the middle.
    snr : (N,) float `~numpy.ndarray`
        Of the detection.
    share : (N,) float `~numpy.ndarray`
        Of the matched filter's light that is the label's; below .6 a candidate is
        contested.
    fwhm : (N,) float `~numpy.ndarray`
        Seeing of the search, pixels.
    survey : (N,) str `~numpy.ndarray`
        Which.
    field : (N,) int `~numpy.ndarray`
        Seed of the field.
    """

    stamps: np.ndarray
    snr: np.ndarray
    share: np.ndarray
    fwhm: np.ndarray
    survey: np.ndarray
    field: np.ndarray


def make_candidates(
    seed: int,
    surveys: Sequence[str],
    *,
    side: int = 63,
    shape: tuple[int, int] = _FIELD,
) -> Candidates:
    """
    Simulate one field of one of some surveys.

    Parameters
    ----------
    seed : int
        Of everything in it.
    surveys : sequence of str
        Names to choose from.
    side : int, optional
        Pixels along a side of a stamp, odd.
    shape : tuple of int, optional
        Pixels of the field.

    Returns
    -------
    candidates : `Candidates`
        Those of the commonest artefacts thinned out.
    """
    rng = np.random.default_rng([seed, 18])
    survey = survey_named(surveys[int(rng.integers(len(surveys)))])
    conditions = Conditions.drawn(survey, rng)
    sky = draw_sky(conditions, shape, rng)
    field = expose(sky, conditions, rng, draw_edge(shape, rng))
    made = subtract(field, rng)
    x, y, snr = find_peaks(field, made, rng)
    truth = what_they_are(field, made, x, y, np.sign(snr))
    rows = _thinned(truth, rng)
    away = rng.normal(0, 0.3, (2, len(rows)))
    return _cut_out(
        field, made, np.rint(x[rows] + away[0]).astype(int),
        np.rint(y[rows] + away[1]).astype(int), snr[rows],
        Truth(truth.label[rows], truth.share[rows]), side, seed, rng,
    )  # fmt: skip


def find_peaks(
    field: Field, made: Difference, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places and signal to noise, negative for what faded."""
    c = field.conditions
    image = made.image
    shape = image.shape
    masked = field.search.masked | field.template.masked
    filtered = made.matched(np.where(masked, 0, image))
    light = sum(np.maximum(each.image, 0) for each in (field.search, field.template))
    known = rng.uniform(0.1, 1.0)  # how much of the sources' noise the pipeline counts
    variance = c.noise**2 + known * light
    spread = made.variance(variance)
    ratio = filtered / np.sqrt(np.maximum(spread, 1e-3 * np.median(spread)))
    usable = ~ndimage.binary_erosion(masked, iterations=2)
    scale = 1.4826 * np.median(np.abs(ratio[~masked])) * rng.uniform(0.85, 1.05)
    ratio = np.where(usable, ratio / max(scale, 1e-6), 0)
    strength = np.abs(ratio)
    size = 2 * round(c.fwhm) + 1
    top = strength == ndimage.maximum_filter(strength, size)
    y, x = np.nonzero(top & (strength > rng.uniform(4.5, 5.5)))
    inside = (x > 4) & (y > 4) & (x < shape[1] - 5) & (y < shape[0] - 5)
    x, y = x[inside], y[inside]
    return x.astype(float), y.astype(float), ratio[y, x]


def _thinned(truth: Truth, rng: np.random.Generator) -> np.ndarray:
    """Return rows, not too many of one artefact."""
    rows = []
    for name in np.unique(truth.label):
        members = rng.permutation(np.flatnonzero(truth.label == name))
        real = name in ('transient', 'variable', 'moving')
        rows.append(members if real else members[: _MOST.get(name, _OTHERS)])
    return np.concatenate([*rows, np.empty(0, int)]).astype(int)


def _cut_out(
    field: Field,
    made: Difference,
    x: np.ndarray,
    y: np.ndarray,
    snr: np.ndarray,
    truth: Truth,
    side: int,
    seed: int,
    rng: np.random.Generator,
) -> Candidates:
    c = field.conditions
    survey = c.survey
    search, template = field.search, field.template
    gap = search.masked | template.masked
    ground = c.sky if rng.random() < 0.6 else 0.0
    scales = np.array([1, 10 ** rng.uniform(-0.5, 0.5), 1]) / survey.gain
    planes = [
        np.where(mask, np.nan, image)
        for image, mask in (
            (search.image + ground, search.masked),
            (template.image + ground, template.masked),
            (made.image, gap),
        )
    ]
    stamps = windows(
        [each * scale for each, scale in zip(planes, scales, strict=True)], x, y, side
    )
    if survey.turned:
        stamps[snr < 0, 2] *= -1
    n = len(x)
    return Candidates(
        truth.label, stamps, np.abs(snr), truth.share, np.full(n, c.fwhm),
        np.full(n, survey.name), np.full(n, seed),
    )  # fmt: skip


def windows(
    planes: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray, side: int
) -> np.ndarray:
    """
    Cut stamps.

    Parameters
    ----------
    planes : sequence of 2D `~numpy.ndarray`
        Images of one size.
    x, y : (N,) int `~numpy.ndarray`
        Pixels in the middle.
    side : int
        Pixels along a side.

    Returns
    -------
    stamps : (N, planes, side, side) float32 `~numpy.ndarray`
        NaN beyond the images.
    """
    padded = [np.pad(each, side // 2, constant_values=np.nan) for each in planes]
    stamps = np.empty((len(x), len(planes), side, side), np.float32)
    for number, (column, row) in enumerate(zip(x, y, strict=True)):
        box = (slice(row, row + side), slice(column, column + side))
        stamps[number] = [each[box] for each in padded]
    return stamps
