"""Objects that are seen several times, and what their stamps say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table
from joblib import Parallel, delayed

from astrosieve.markdown import markdown_table
from astrosieve.models.registry import Model
from astrosieve.transient.by_object import combined
from astrosieve.transient.candidates import Candidate
from astrosieve.transient.score import Scorer, score_table
from astrosieve_training.judge.limits import Number
from astrosieve_training.transient.config import FieldSet
from astrosieve_training.transient.datasets import truly_real
from astrosieve_training.transient.judged import Judged
from astrosieve_training.transient.simulate import joined
from astrosieve_training.transient.simulate.candidates import find_peaks, windows
from astrosieve_training.transient.simulate.faults import draw_edge
from astrosieve_training.transient.simulate.fields import draw_sky, expose
from astrosieve_training.transient.simulate.rows import Rows
from astrosieve_training.transient.simulate.subtraction import subtract
from astrosieve_training.transient.simulate.surveys import Conditions, survey_named
from astrosieve_training.transient.simulate.truth import what_they_are

__all__ = ['Detections', 'make_detections', 'table_of_objects']

_FIELDS = 12
_EPOCHS = 6
_MOST = 12  # bogus objects of a field
_SHAPE = (400, 400)
_SIDE = 63
_SURE = 0.6  # of a detection's light, as of other candidates
_CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Detections(Rows):
    """
    Stamps of objects that are seen at least twice.

    Parameters
    ----------
    stamps : (N, 3, 63, 63) float32 `~numpy.ndarray`
        Science, template, difference.
    object : (N,) str `~numpy.ndarray`
        Which object it is a detection of.
    """

    stamps: np.ndarray
    object: np.ndarray


def make_detections(seed: int, surveys: Sequence[str]) -> Detections:
    """
    Observe a field several times, against one template.

    Seeing, sky and what goes wrong are new in each search; stars, hosts and the
    template stay. Moving objects are left out, as they are elsewhere the next time.

    Parameters
    ----------
    seed : int
        Of everything in it.
    surveys : sequence of str
        Names to choose from.
    """
    rng = np.random.default_rng([seed, 6])
    survey = survey_named(surveys[int(rng.integers(len(surveys)))])
    first = Conditions.drawn(survey, rng)
    sky = draw_sky(first, _SHAPE, rng)
    places = np.empty((0, 2))
    parts, template = [], None
    for _ in range(_EPOCHS):
        conditions = replace(
            Conditions.drawn(survey, rng), n_stars=first.n_stars, shift=first.shift,
            template_fwhm=first.template_fwhm, depth=first.depth,
        )  # fmt: skip
        field = expose(sky, conditions, rng, draw_edge(_SHAPE, rng))
        template = template or field.template
        field = replace(field, template=template)
        made = subtract(field, rng)
        x, y, snr = find_peaks(field, made, rng)
        truth = what_they_are(field, made, x, y, np.sign(snr))
        kept = (truth.label != 'moving') & (truth.share >= _SURE)
        x, y, label = x[kept], y[kept], truth.label[kept]
        here = np.column_stack([x, y])
        away = np.hypot(*(here[:, None] - places[None]).transpose(2, 0, 1))
        near = away.min(axis=1, initial=np.inf) < max(first.fwhm, 2)
        number = np.where(near, away.argmin(axis=1) if len(places) else 0, 0)
        number[~near] = len(places) + np.arange((~near).sum())
        places = np.concatenate([places, here[~near]])
        planes = [
            np.where(field.search.masked, np.nan, field.search.image + conditions.sky),
            np.where(template.masked, np.nan, template.image + conditions.sky),
            np.where(field.search.masked | template.masked, np.nan, made.image),
        ]
        stamps = windows(planes, x.astype(int), y.astype(int), _SIDE)
        names = np.array([f'{seed}-{each}' for each in number], dtype='U24')
        parts.append(Detections(label, stamps, names))
    return _seen_again(joined(parts), rng)


def _seen_again(whole: Detections, rng: np.random.Generator) -> Detections:
    """Return objects seen twice at least whose detections agree, not too many bogus."""
    names, which, n = np.unique(whole.object, return_inverse=True, return_counts=True)
    real = np.bincount(which, truly_real(whole.label), minlength=len(names))
    again = n > 1
    bogus = rng.permutation(np.flatnonzero(again & (real == 0)))[:_MOST]
    good = np.flatnonzero(again & (real == n))
    return whole.take(np.isin(which, [*bogus, *good]))


def table_of_objects(
    model: Model, samples: dict[str, FieldSet], *, jobs: int = -1
) -> list[str]:
    """
    Return a table of what the stamps of objects say together, by their correlation.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        Scores the stamps.
    samples : dict of str to `~astrosieve_training.transient.config.FieldSet`
        What fields are called, whose seeds and surveys are used.
    jobs : int, optional
        Fields simulated side by side; -1 for as many as there are cores.
    """
    rows = []
    for sample, which in samples.items():
        seeds = which.seeds[:_FIELDS]
        made = joined(
            Parallel(n_jobs=jobs)(
                delayed(make_detections)(seed, which.surveys) for seed in seeds
            )
        )
        table, scorer = _scored(made, model)
        alone = _judged(table, made, sample, 'one stamp')
        rows.append((sample, *_measures(alone)))
        for c in _CORRELATIONS:
            each = combined(table, scorer, correlation=c)
            rows.append((sample, *_measures(_judged(each, made, sample, f'{c:g}'))))
    return markdown_table(
        ('objects of', 'correlation', 'cross-entropy', 'area under the ROC',
         'kept at 2 % false', 'calibration error'),
        rows,
    )  # fmt: skip


def _scored(made: Detections, model: Model) -> tuple[Table, Scorer]:
    scorer = Scorer(model)
    candidates = (
        Candidate(str(number), stamps, object=str(name))
        for number, (stamps, name) in enumerate(
            zip(made.stamps, made.object, strict=True)
        )
    )
    return score_table(list(scorer.chunks(candidates)), scorer), scorer


def _judged(table: Table, made: Detections, sample: str, by: str) -> Judged:
    """Return the first row of each object, with the truth about it."""
    names, first = np.unique(np.asarray(table['object']), return_index=True)
    score = np.asarray(table['p_real'], float)[first]
    _, of_truth = np.unique(made.object, return_index=True)
    real = truly_real(made.label)[of_truth]
    there = np.isfinite(score)
    assert len(names) == len(real)
    return Judged(sample, by, score[there], real[there], 0.5)


def _measures(judged: Judged) -> tuple[object, ...]:
    """Return measures in which real and bogus objects count the same."""
    p = judged.score.clip(1e-6, 1 - 1e-6)
    loss = -np.log(np.where(judged.real, p, 1 - p))
    entropy = (loss[judged.real].mean() + loss[~judged.real].mean()) / 2
    return (
        judged.by, Number(float(entropy), len(p)), judged.auc, judged.complete,
        judged.error,
    )  # fmt: skip
