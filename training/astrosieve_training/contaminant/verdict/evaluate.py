"""The judgement of a network that judges whole images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.contaminant.classes import FAILURES
from astrosieve.contaminant.segment import segment_image
from astrosieve.contaminant.verdict.judge import (
    OPERATING_POINT,
    VERDICTS,
    Verdict,
    verdict_of,
)
from astrosieve.images.measured import MeasuredImage
from astrosieve.markdown import markdown_table
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model, load_model
from astrosieve_training.contaminant import simulate
from astrosieve_training.contaminant.verdict.baselines import (
    Forest,
    cut_scores,
    moments,
)
from astrosieve_training.contaminant.verdict.config import VerdictConfig
from astrosieve_training.contaminant.verdict.datasets import (
    ENOUGH,
    Judgeable,
    simulated_sources,
)
from astrosieve_training.contaminant.verdict.real import RealImage, real_images
from astrosieve_training.contaminant.verdict.train import clearly, measured_at
from astrosieve_training.judge.figures import draw_reliability, figure_file
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.judge.scores import roc
from astrosieve_training.stages import Stages
from astrosieve_training.steps import say

__all__ = ['LEAST', 'judge']

LEAST = 0.98
"""Area under the ROC curve to reach."""

_SAMPLE = 'other instruments'
_ANY = 'any of the three'
_BINS = 8  # of the figure of probabilities
_TIMED = 2048  # pixels of the image that takes its time
_SLOWEST = 0.1  # of the time of the map of pixels
_LEARNT = 2000  # images of the training's families that the forest learns from
_STARS = (1, 3, 5, 10, 30, np.inf)


@dataclass(frozen=True, eq=False)
class _Scores:
    """What one judge says of all images: (N, failures or verdicts), higher is surer."""

    by: str
    values: np.ndarray

    @property
    def any(self) -> np.ndarray:
        """Score of whether anything failed."""
        return np.asarray(self.values[:, : len(FAILURES)].max(axis=1))


def _area(score: np.ndarray, truth: np.ndarray, known: np.ndarray) -> Number:
    """Return the area under a ROC curve, where both kinds are there."""
    truth, score = truth[known], score[known]
    if not 0 < truth.sum() < len(truth):
        return Number(float('nan'), 0)
    return Number(roc(score, truth).area, len(truth))


def _areas(each: _Scores, images: Judgeable, known: np.ndarray) -> dict[str, Number]:
    """Return the areas of all failures, among images of which they are known."""
    found = {
        name: _area(each.values[:, n], images.failed[:, n], known)
        for n, name in enumerate(FAILURES)
    }
    found[_ANY] = _area(each.any, np.asarray(images.failed.any(axis=1)), known)
    return found


def _all_areas(each: _Scores, images: Judgeable) -> dict[str, Number]:
    """Return the areas of all verdicts, of the images that can be told."""
    found = _areas(each, images, images.enough)
    if each.values.shape[1] > len(FAILURES):
        clear = images.enough | images.starless
        found[VERDICTS[-1]] = _area(each.values[:, -1], images.starless, clear)
    return found


def judge(model: Model, config: VerdictConfig, folder: Path) -> Report:
    """
    Judge a model on images of instruments that it has not seen, and on real ones.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        Says what is simulated.
    folder : `~pathlib.Path`
        Gets figures, and keeps what was simulated.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    stages = Stages(folder / 'images', tidy=False)
    say(_SAMPLE)
    judged = simulated_sources(
        config, {'judged': config.judged}, stages, judged=True, measure=moments
    )
    p = model.predict(judged.inputs(np.arange(len(judged))), chunk_size=64)
    say('images of the forest')
    some = replace(config.calibrating, images=min(_LEARNT, config.calibrating.images))
    learnt = simulated_sources(config, {'forest': some}, stages, measure=moments)
    assert judged.measured is not None
    assert learnt.measured is not None
    forest = Forest(learnt.measured, learnt.target, clearly(learnt), config.seed)
    everyone = [
        _Scores(model.card.name, p),
        _Scores('forest on moments', forest(judged.measured)),
        _Scores('cut on moments', cut_scores(judged.measured)),
    ]
    say('real images')
    real = [(each, verdict_of(each.image, model)) for each in real_images()]
    seconds = _seconds(model, config.seed)
    limits_at = model.card.operating_point(OPERATING_POINT).threshold
    assert isinstance(limits_at, dict)
    measured = measured_at(limits_at, p, judged)
    areas = {each.by: _all_areas(each, judged) for each in everyone}
    own = areas[model.card.name]
    figure = folder / f'{model.card.name}-reliability.png'
    _draw(everyone, judged, config.shares, figure)
    number, signal = ENOUGH
    return Report(
        model,
        _summary(areas, measured),
        [
            *((_SAMPLE, Limit(f'AUC of {name}', own[name], LEAST, least=True))
              for name in (*FAILURES, _ANY)),
            *_real_limits(real),
            (f'{_TIMED}x{_TIMED}', Limit('time over that of the map of pixels',
                                         Number(seconds[0] / seconds[1], 1), _SLOWEST)),
        ],
        [
            Section('By family of instruments', _by_family(everyone, judged)),
            Section(f'By stars of S/N {signal:g}', _by_stars(everyone, judged)),
            Section('At the thresholds', _points(limits_at, measured)),
            Section('Real images', _real(real)),
        ],
        {'areas': areas, 'seconds': seconds},
        scope=(
            f'{len(judged)} simulated images, seeds from {config.judged.seed}, of '
            'families of instruments that no training image had; of failures those '
            f'with {number} stars of S/N {signal:g} or more'
        ),
        measured=areas,
        operating_points={
            OPERATING_POINT: OperatingPoint(
                limits_at, 'p', measured, f'{len(judged)} images, {_SAMPLE}'
            )
        },
        figures=[figure],
    )  # fmt: skip


def _seconds(model: Model, seed: int) -> tuple[float, float]:
    """Return the times of a verdict and of a map of pixels, of one image."""
    side = (_TIMED, _TIMED)
    made = simulate.make_image(seed, simulate.SimulationSettings(side))
    maps = load_model('contaminant', task='contaminant')
    best = []
    for work in (partial(verdict_of, model=model), partial(segment_image, model=maps)):
        times = []
        for _ in range(2):
            image = MeasuredImage.of(made.sci, mask=made.masked)
            began = time.perf_counter()
            work(image)
            times.append(time.perf_counter() - began)
        best.append(min(times))
    return best[0], best[1]


def _cell(value: Number) -> str:
    return f'{value.value:.3f}' if value.n else '-'


def _summary(
    areas: dict[str, dict[str, Number]], measured: dict[str, Share]
) -> list[str]:
    rows = []
    nothing = Number(float('nan'), 0)
    for name in (*VERDICTS, _ANY):
        shares = [
            str(measured.get(f'{name} {what}', '-')) for what in ('found', 'false')
        ]
        cells = [_cell(each.get(name, nothing)) for each in areas.values()]
        rows.append((name, *cells, *shares))
    return markdown_table(
        ('AUC', *areas, 'found at the threshold', 'falsely said'), rows
    )


def _grouped(
    everyone: Sequence[_Scores], images: Judgeable, groups: dict[str, np.ndarray]
) -> list[str]:
    rows = [
        (name, int(known.sum()), each.by,
         *map(_cell, _areas(each, images, known).values()))
        for name, known in groups.items()
        for each in everyone
    ]  # fmt: skip
    return markdown_table(('', 'images', 'AUC by', *FAILURES, _ANY), rows)


def _by_family(everyone: Sequence[_Scores], images: Judgeable) -> list[str]:
    families = np.unique(images.family)
    groups = {name: (images.family == name) & images.enough for name in families}
    return _grouped(everyone, images, groups)


def _by_stars(everyone: Sequence[_Scores], images: Judgeable) -> list[str]:
    groups = {}
    for low, high in pairwise(_STARS):
        name = f'{low:g} to {high - 1:g}' if np.isfinite(high) else f'{low:g} or more'
        groups[name] = (images.stars >= low) & (images.stars < high)
    return _grouped(everyone, images, groups)


def _points(limits: dict[str, float], measured: dict[str, Share]) -> list[str]:
    rows = [
        (name, f'{limit:.3f}', measured[f'{name} found'], measured[f'{name} false'])
        for name, limit in limits.items()
    ]
    return markdown_table(('verdict', 'threshold', 'found', 'falsely said'), rows)


Judged = Sequence[tuple[RealImage, Verdict]]


def _right(real: RealImage, verdict: Verdict) -> bool:
    """Return whether what is said holds; of a good image nothing need be said."""
    return verdict.failures == real.failures if real.failures else not verdict.failures


def _by_sample(real: Judged) -> dict[str, list[tuple[RealImage, Verdict]]]:
    samples: dict[str, list[tuple[RealImage, Verdict]]] = {}
    for each, verdict in real:
        samples.setdefault(each.sample, []).append((each, verdict))
    return samples


def _real_limits(real: Judged) -> list[tuple[str, Limit]]:
    return [
        (sample, Limit('real images, right', Share(right, len(known)), 1.0, least=True))
        for sample, pairs in _by_sample(real).items()
        if (known := [pair for pair in pairs if pair[0].failures is not None])
        for right in [sum(_right(*pair) for pair in known)]
    ]


def _real(real: Judged) -> list[str]:
    def said(each: Any) -> str:
        return f'{each:.2f}' if np.isfinite(each) else '-'

    rows = [
        (each.sample, each.name,
         'not known' if each.failures is None else ', '.join(each.failures) or 'good',
         *(said(verdict.probabilities[name]) for name in VERDICTS), str(verdict))
        for each, verdict in real
        if not each.name.startswith('ZTF') or verdict.failures
    ]  # fmt: skip
    return markdown_table(('sample', 'image', 'truth', *VERDICTS, 'said'), rows)


def _draw(
    everyone: Sequence[_Scores], images: Judgeable, share: float, path: Path
) -> None:
    """Draw the ROC curves of failures, and how far probabilities hold."""
    clear, target = clearly(images), images.target > 0
    n = len(FAILURES)
    with figure_file(path, rows=2, columns=n, size=(3.6, 3.3)) as (_, axes):
        for number, name in enumerate(FAILURES):
            known = clear[:, number]
            truth = target[known, number]
            axes[0, number].set(title=name, xlabel='false', ylabel='found')
            axes[1, number].set(
                xlabel='probability', ylabel=f'share, of {share:.0%} failed'
            )
            if not 0 < truth.sum() < len(truth):
                continue
            for each in everyone:
                curve = roc(each.values[known, number], truth)
                axes[0, number].plot(curve.leak, curve.completeness, label=each.by)
            axes[0, number].set_xscale('symlog', linthresh=0.01)
            p = everyone[0].values[known, number]
            # The probabilities hold for a share of failed images, the sample has more.
            had = truth.mean()
            weight = np.where(truth, share / had, (1 - share) / (1 - had))
            draw_reliability(
                axes[1, number], p, truth, weights=weight, bins=_BINS, linestyle='none'
            )
            axes[0, number].legend(fontsize=7)
