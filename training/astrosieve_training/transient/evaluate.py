"""The judge of networks for candidates."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve.transient.score import score_transients
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.judge.scores import binned
from astrosieve_training.stages import Stages
from astrosieve_training.transient.alerts import judge_alerts
from astrosieve_training.transient.baselines import learner_scores
from astrosieve_training.transient.config import TransientConfig
from astrosieve_training.transient.datasets import (
    Examples,
    Facts,
    p_real,
    simulated_sets,
    truly_real,
)
from astrosieve_training.transient.figures import draw_calibration, draw_rocs
from astrosieve_training.transient.gains import gains_of_labels
from astrosieve_training.transient.judged import Judged
from astrosieve_training.transient.labelled import published_sets
from astrosieve_training.transient.objects import table_of_objects
from astrosieve_training.transient.simulate import make_candidates
from astrosieve_training.transient.train import Run, probabilities

__all__ = ['also_in', 'judge']

_ROUNDS = 8  # of scoring; the fastest counts
_SNR = (5, 6, 8, 12, 20, 50, np.inf)
_PUBLISHED = {'accuracy': 0.924, 'recall': 0.965, 'precision': 0.949, 'F1': 0.957}
UNSEEN, BANDS = 'unseen surveys', 'three bands'


def judge(
    model: Model,
    config: TransientConfig,
    folder: Path,
    *,
    fields: Path | None = None,
    alerts: Path | None = None,
    others: Sequence[Run] = (),
    published: Path | None = None,
    curve: bool = True,
    jobs: int = -1,
) -> Report:
    """
    Judge a model on surveys it has not seen, and on real alerts.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    config : `~astrosieve_training.transient.config.TransientConfig`
        Says what is simulated.
    folder : `~pathlib.Path`
        Gets the figures.
    fields : `~pathlib.Path`, optional
        Keeps what is simulated; that of the training has some already.
    alerts : `~pathlib.Path`, optional
        Folder of real alerts.
    others : sequence of `~astrosieve_training.transient.train.Run`, optional
        Trainings judged on the same candidates.
    published : `~pathlib.Path`, optional
        Labelled stamps of the SDSS-II Supernova Survey, in place of simulated ones.
    curve : bool, optional
        Whether to measure what labels of a survey gain, and several stamps of an
        object.
    jobs : int, optional
        Fields simulated side by side; -1 for as many as there are cores.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    speed = Limit('stamps a second', _speed(model), 2000, least=True)
    stages = Stages(fields or folder / 'fields', tidy=False)
    if published is None:
        sets = simulated_sets(config, stages, ('training', 'judged'), jobs=jobs)
    else:
        sets = published_sets(published, config)
    judged = sets['judged']
    own = _scored(model, judged)
    everyone: list[Judged] = []
    for sample, rows in _samples(judged).items():
        everyone.append(own.of(rows, sample))
        for run in others:
            which = run.config.training
            if which.band_fields if sample == BANDS else which.fields:
                theirs = _same_fields(
                    run.config, config, stages, sample, jobs, published
                )
                shared = _samples(theirs)[sample] & also_in(judged.facts, theirs.facts)
                everyone.append(_by_run(run, theirs.take(shared), sample))
        everyone += _by_learners(sets['training'], judged.take(rows), sample)
    limits = _limits(everyone, model.card.name)
    sections = _sections(own, judged, everyone)
    summary = _summary(everyone)
    contested = _contested(own, judged)
    if contested:
        summary += ['', *contested]
    if alerts is not None:
        table, found = judge_alerts(model, alerts)
        sections.insert(0, Section('Real alerts of ZTF', table))
        limits += found
        summary += ['', *table]
    if curve and config.labelled and config.calibrating and config.judged:
        examples = simulated_sets(config, stages, ('labelled',), jobs=jobs)['labelled']
        gained = gains_of_labels(model, examples, folder)
        sections.insert(0, Section('What labels of a survey gain', gained))
        seen_again = {'known surveys': config.calibrating, UNSEEN: config.judged}
        together = table_of_objects(model, seen_again, jobs=jobs)
        sections.append(Section('Several stamps of an object', together))
        summary += ['', *gained, '', *together]
    limits.append((f'{os.cpu_count()} cores', speed))
    figures = [folder / f'{config.name}-{what}.png' for what in ('roc', 'reliability')]
    draw_rocs(everyone, figures[0])
    draw_calibration([each for each in everyone if each.probable], figures[1])
    return Report(
        model,
        summary,
        limits,
        sections,
        {'auc': {f'{each.sample}, {each.by}': each.auc for each in everyone}},
        measured={
            f'{each.sample}, {each.by}': {
                'auc': each.auc, 'complete': each.complete, 'error': each.error,
            }
            for each in everyone
        },
        figures=figures,
        short=_summary(everyone),
    )  # fmt: skip


def _samples(judged: Examples) -> dict[str, np.ndarray]:
    """Return rows of the samples: triplets and three bands, without the contested."""
    bands = judged.facts.survey == 'bands'
    sure = ~judged.contested
    found = {UNSEEN: ~bands & sure, BANDS: bands & sure}
    return {name: rows for name, rows in found.items() if rows.any()}


def _scored(model: Model, judged: Examples) -> Judged:
    inputs, _, _ = judged.batch(np.arange(len(judged)), None)
    card = model.card
    return Judged(
        'all',
        card.name,
        p_real(model.predict(inputs), card.classes),
        truly_real(judged.facts.label),
        card.threshold('balanced', 'p_real'),
    )


def _same_fields(
    theirs: TransientConfig,
    config: TransientConfig,
    stages: Stages,
    sample: str,
    jobs: int,
    published: Path | None,
) -> Examples:
    """Return what is judged, as another network sees it."""
    seen = replace(config, preprocessing=theirs.preprocessing, classes=theirs.classes)
    if published is not None:
        return published_sets(published, seen)['judged']
    if seen.judged is not None:
        which = (
            replace(seen.judged, fields=0)
            if sample == BANDS
            else replace(seen.judged, band_fields=0)
        )
        seen = replace(seen, judged=which)
    return simulated_sets(seen, stages, ('judged',), jobs=jobs)['judged']


def also_in(judged: Facts, theirs: Facts) -> np.ndarray:
    """
    Say which candidates of one network another can score too.

    Parameters
    ----------
    judged, theirs : `~astrosieve_training.transient.datasets.Facts`
        What is known of the candidates of each, of N the second ones.

    Returns
    -------
    shared : (N,) bool `~numpy.ndarray`
    """
    known, asked = (
        list(zip(each.field.tolist(), np.nan_to_num(each.snr).tolist(), strict=True))
        for each in (judged, theirs)
    )
    shared = set(known)
    return np.array([each in shared for each in asked], dtype=bool)


def _by_run(run: Run, judged: Examples, sample: str) -> Judged:
    """Return what another network says of candidates."""
    p = probabilities(run.network, run.temperature, judged)
    least = run.points['balanced'].threshold
    assert isinstance(least, float)
    return Judged(
        sample,
        run.config.name,
        p_real(p, run.config.classes),
        truly_real(judged.facts.label),
        least,
    )


def _by_learners(training: Examples, judged: Examples, sample: str) -> list[Judged]:
    """Return what the benchmark's learners say of candidates."""
    learnt = training.take((training.facts.survey == 'bands') == (sample == BANDS))
    real = truly_real(judged.facts.label)
    return [
        Judged(sample, name, score, real, least, False)
        for name, (score, least) in learner_scores(learnt, judged).items()
    ]


def _limits(everyone: list[Judged], name: str) -> list[tuple[str, Limit]]:
    limits = []
    for each in everyone:
        if each.by != name:
            continue
        limits += [
            (each.sample, Limit('area under the ROC', each.auc, 0.995, least=True)),
            (each.sample, Limit('kept at 2 % false', each.complete, 0.985, least=True)),
            (each.sample, Limit('calibration error', each.error, 0.03)),
        ]
        if each.sample == BANDS:
            found: dict[str, Share | Number] = {
                'accuracy': each.accuracy, 'recall': each.recall,
                'precision': each.precision, 'F1': each.f1,
            }  # fmt: skip
            limits += [
                (BANDS, Limit(f'{what}, beside the published', found[what], least,
                              least=True))
                for what, least in _PUBLISHED.items()
            ]  # fmt: skip
    return limits


def _summary(everyone: list[Judged]) -> list[str]:
    return markdown_table(
        ('candidates', 'by', 'area under the ROC', 'kept at 2 % false',
         'calibration error'),
        [(e.sample, e.by, e.auc, e.complete, e.error) for e in everyone],
    )  # fmt: skip


def _contested(own: Judged, judged: Examples) -> list[str]:
    """Return what is measured without the contested candidates, and with them."""
    bands, sure = judged.facts.survey == 'bands', ~judged.contested
    rows: list[tuple[object, ...]] = []
    for sample, members in ((UNSEEN, ~bands), (BANDS, bands)):
        for what, some in (('without', sure), ('with', np.ones_like(sure))):
            if (members & ~sure).any():
                each = own.of(members & some, sample)
                rows.append((sample, what, each.auc, each.complete))
    return (
        markdown_table(
            ('candidates', 'contested ones', 'area under the ROC', 'kept at 2 % false'),
            rows,
        )
        if rows
        else []
    )


def _sections(own: Judged, judged: Examples, everyone: list[Judged]) -> list[Section]:
    facts = judged.facts
    sections = [
        Section(
            'Called real or bogus',
            markdown_table(
                ('candidates', 'by', 'accuracy', 'recall', 'precision', 'F1',
                 'false positives'),
                [
                    (e.sample, e.by, e.accuracy, e.recall, e.precision, e.f1, e.false)
                    for e in everyone
                ],
            ),
        ),
        *(
            Section(f'{each.sample}: {each.by}', _matrix(each))
            for each in everyone
            if each.by == own.by
        ),
        Section('By survey', _by(own, facts.survey, judged.contested)),
        Section('By kind', _kept_by(own, facts.label)),
    ]  # fmt: skip
    if (facts.by_eye != '').any():
        rows = facts.by_eye != ''
        lines = _kept_by(own.of(rows, BANDS), facts.by_eye[rows])
        sections.append(Section('By the ten classes of the SDSS-II survey', lines))
    known = own.real & np.isfinite(facts.snr)
    kept = own.kept[known]
    steps = [
        (f'{low:g} to {high:g}', Share.of(kept, inside))
        for low, high, inside in binned(facts.snr[known], _SNR)
    ]
    if steps:
        lines = markdown_table(('signal to noise', 'real ones kept'), steps)
        sections.append(Section('By signal to noise', lines))
    return sections


def _by(own: Judged, survey: np.ndarray, contested: np.ndarray) -> list[str]:
    """Return a table by survey, and of contested candidates."""
    groups = {name: (survey == name) & ~contested for name in np.unique(survey)}
    groups['contested'] = contested
    rows = []
    for name, members in groups.items():
        each = own.of(members, str(name))
        if each.real.any() and not each.real.all():
            rows.append((name, each.auc, each.complete, each.recall, each.false))
    return markdown_table(
        ('survey', 'area under the ROC', 'kept at 2 % false', 'recall',
         'false positives'),
        rows,
    )  # fmt: skip


def _kept_by(own: Judged, label: np.ndarray) -> list[str]:
    names = sorted(set(label.tolist()))
    return markdown_table(
        ('', 'called real'),
        [(name, Share.of(own.kept, label == name)) for name in names],
    )


def _matrix(judged: Judged) -> list[str]:
    """Return the confusion matrix."""
    return markdown_table(
        ('truth', 'real', 'bogus'),
        [
            (name, int((rows & judged.kept).sum()), int((rows & ~judged.kept).sum()))
            for name, rows in (('real', judged.real), ('bogus', ~judged.real))
        ],
    )


def _speed(model: Model) -> Number:
    """Return stamps a second, from their pixels to a table."""
    stamps = make_candidates(1, ('ztf',)).stamps
    stamps = np.concatenate([stamps] * (2048 // len(stamps) + 1))[:2048]
    best = np.inf
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        score_transients(stamps, model=model)
        best = min(best, time.perf_counter() - began)
    return Number(round(len(stamps) / best), len(stamps))
