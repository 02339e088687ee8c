"""The judgement of a network, in one report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.flags import OPERATING_POINT, thresholds_of
from astrosieve.markdown import markdown_table
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.contaminant.baselines import Finder, baselines, tuned_settings
from astrosieve_training.contaminant.config import ContaminantConfig, ImageSet
from astrosieve_training.contaminant.evaluate import checks, figures
from astrosieve_training.contaminant.evaluate.cases import (
    HITS,
    REAL,
    SECOND,
    SIMULATED,
    Case,
    real_cases,
    second_cases,
    simulated_cases,
    width_samples,
)
from astrosieve_training.contaminant.evaluate.judged import (
    Judged,
    judge_cases,
    network_finder,
    network_flags,
)
from astrosieve_training.contaminant.peers.finders import peer_finders
from astrosieve_training.contaminant.simulate import JUDGED_FAMILIES
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.steps import say

__all__ = ['FALSE', 'LEAST', 'TABLES', 'judge']

LEAST = {'persistence': 0.7, 'spike': 0.7, 'reflection': 0.6, 'cosmic_ray': 0.95}
"""Average precision to reach, of classes of which not 0.8 is asked."""

FALSE = 1e-3
"""Share of other pixels that may be flagged where hits are counted."""

_CORES = 'Cores of stars flagged as cosmic rays'
TABLES = {'contaminant-cores': _CORES}
"""Sections of the report that the page of the task has, by the name of the table."""

_USUAL = 0.8
_SHOWN = ('cosmic_ray', 'satellite_trail', 'object')  # of families
_THICK = 'hsc_thick'  # whose hits are worms, real ones in half of the images
_TUNING = 8  # images that astroscrappy is tuned on
_UNITS = 4  # images that are given in several units
_SPEED_SIDE = 2048  # pixels of the image that takes its time
_LIKELY = 0.05  # probability of pixels whose calibration is told apart

Everyone = dict[tuple[str, str], Judged]


def judge(
    model: Model,
    config: ContaminantConfig,
    folder: Path,
    *,
    others: Sequence[Model] = (),
    peers: Path | None = None,
) -> Report:
    """
    Judge a model on images of instruments that it has not seen.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        Says what is simulated.
    folder : `~pathlib.Path`
        Gets figures.
    others : sequence of `~astrosieve.models.registry.Model`, optional
        Other models, judged beside it.
    peers : `~pathlib.Path`, optional
        Environments of other networks.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    say('tuning astroscrappy')
    tuning = ImageSet(_TUNING, config.calibrating.seed, config.calibrating.side)
    settings = tuned_settings(
        (case.sci, case.masked, case.meta, case.truth)
        for case in simulated_cases(tuning, judged=False)
    )
    finders: list[Finder] = [
        *(network_finder(each) for each in (model, *others)),
        *baselines(settings),
        *peer_finders(peers),
    ]
    say(SIMULATED)
    everyone = judge_cases(simulated_cases(config.judged), finders)
    say(SECOND)
    everyone |= judge_cases(second_cases(config.second), finders)
    say('real images')
    everyone |= judge_cases(real_cases(), finders)
    say('stars, trails, units, time')
    first = ImageSet(_UNITS, config.judged.seed, config.judged.side)
    shown = list(simulated_cases(first))
    images = [case.sci for case in shown]
    cores = checks.core_shares(model, config.seed)
    trails = checks.trail_shares(
        model,
        config.seed,
        [
            (finder.name, _mask(finder))
            for finder in finders
            if finder.classes == ('satellite_trail',) and not finder.slow
        ],
    )
    units = Number(checks.unit_difference(model, images), len(images))
    lost = checks.lost_pixel(model, images, config.seed)
    seconds = checks.seconds_of(model, config.seed, _SPEED_SIDE)
    own = everyone[SIMULATED, model.card.name]
    flags = judge_cases(simulated_cases(config.judged), [network_flags(model)])
    kept = _kept(model, own, [each for (sample, _), each in flags.items()
                              if sample == SIMULATED])  # fmt: skip
    limits = [
        *_precision_limits(own),
        *_precision_limits(everyone[SECOND, model.card.name]),
        *_hit_limits(everyone, model.card.name),
        *_real_limits(everyone, model.card.name),
        *_core_limits(cores[model.card.name]),
        *_trail_limits(trails[model.card.name]),
        *_calibration_limits(own),
        ('units', Limit('largest change of a probability', units, 0.01)),
        (
            f'{_SPEED_SIDE}x{_SPEED_SIDE}',
            Limit("time over that of astroscrappy's default",
                  Number(seconds[0] / seconds[1], 1), 1.0),
        ),
    ]  # fmt: skip
    return Report(
        model,
        [
            *_summary(everyone, SIMULATED),
            '',
            f'The same on images of the {SECOND}:',
            '',
            *_summary(everyone, SECOND),
        ],
        limits,
        [
            Section('By family of instruments', _families(everyone)),
            Section('Areas under ROC curves', _areas(everyone)),
            Section('Real images', _real(everyone)),
            Section(
                f'Hits found at {FALSE:.1%} false pixels, without defects, and by FWHM',
                _hits(everyone),
            ),
            Section(_CORES, _cores(cores)),
            Section('Trails of S/N 1 per pixel', _trails(trails)),
            Section('Thresholds and calibration', _points(model, own, kept)),
            Section('Units, lost pixels, time', _checks(units, lost, seconds)),
            Section('Who was judged', _who(everyone, finders, settings)),
        ],
        {
            'precision': {
                f'{sample}, {by}': {n: each.precision(n) for n in each.tallies}
                for (sample, by), each in everyone.items()
            },
            'seconds': seconds,
            'astroscrappy': settings,
        },
        scope=(
            f'AP is the mean of precision over recall, of all pixels of '
            f'{config.judged.images} simulated images, seeds from '
            f'{config.judged.seed}, of families of instruments that no training '
            'image had; and of '
            f'{config.second.images} of the {SECOND}, seeds from {config.second.seed}, '
            'from which nothing learns'
        ),
        measured={
            by: {n: each.precision(n) for n in each.tallies}
            for (sample, by), each in everyone.items()
            if sample == SIMULATED
        },
        operating_points={OPERATING_POINT: _point(model, own, kept)},
        figures=_drawn(model, everyone, shown, cores, folder),
        short=_short(everyone, model.card.name),
    )


def _mask(finder: Finder) -> checks.Mask:
    return lambda image: finder.maps(image, None, {})['satellite_trail'] > 0


def _drawn(
    model: Model,
    everyone: Everyone,
    shown: Sequence[Case],
    cores: dict[str, dict[tuple[float, float], Share]],
    folder: Path,
) -> list[Path]:
    name = model.card.name
    paths = [
        folder / f'{name}-{each}.png'
        for each in ('precision', 'reliability', 'cores', 'sheet', 'roc')
    ]
    simulated = _of(everyone, SIMULATED)
    figures.draw_precision(simulated, name, paths[0])
    figures.draw_reliability(everyone[SIMULATED, name], paths[1])
    figures.draw_cores(cores, paths[2])
    figures.draw_sheet(model, shown, paths[3])
    figures.draw_rocs(simulated, paths[4])
    return paths


def _number(each: Judged, name: str) -> Number:
    """Return an average precision, and on how many pixels it rests."""
    return Number(each.precision(name), each.tallies[name].n)


def _least(name: str) -> float:
    return LEAST.get(name, _USUAL)


def _precision_limits(own: Judged) -> list[tuple[str, Limit]]:
    mean = Number(own.mean_precision(), own.images)
    return [
        (own.sample, Limit('mean AP of 14 classes', mean, 0.85, least=True)),
        *(
            (own.sample, Limit(f'AP of {n}', _number(own, n), _least(n), least=True))
            for n in CLASSES.names
        ),
    ]


def _hit_limits(everyone: Everyone, name: str) -> list[tuple[str, Limit]]:
    limits = []
    for sample in width_samples():
        if (sample, name) in everyone:
            found = everyone[sample, name].tallies['cosmic_ray'].found(FALSE)
            what = f'pixels of hits found at {FALSE:.1%} false'
            limits.append((sample, Limit(what, found, 0.98, least=True)))
    return limits


def _real_limits(everyone: Everyone, name: str) -> list[tuple[str, Limit]]:
    asked = {'SPRAT': 0.95, 'WFPC2': 0.95, 'WFC3 trails': 0.8, _THICK: 0.95}
    return [
        (sample, Limit(f'AP of {n}', _number(each, n), asked[sample], least=True))
        for (sample, by), each in everyone.items()
        if by == name and sample in asked
        for n in ({'cosmic_ray'} if sample == _THICK else each.tallies)
    ]


def _core_limits(
    shares: dict[tuple[float, float], Share],
) -> list[tuple[str, Limit]]:
    worst = max(shares, key=lambda key: shares[key].value)
    k, n = (sum(getattr(s, name) for s in shares.values()) for name in ('k', 'n'))
    what = 'cores flagged as cosmic rays'
    at = f'FWHM {worst[0]:g}, S/N {worst[1]:g}'
    return [
        ('stars', Limit(what, Share(k, n), 0.002)),
        ('stars', Limit(f'{what}, where it is worst ({at})', shares[worst], 0.002)),
    ]


def _trail_limits(trails: checks.Trails) -> list[tuple[str, Limit]]:
    per_image = Number(trails.false / trails.images, trails.images)
    sample = 'trails of S/N 1 per pixel'
    return [
        (sample, Limit('found', trails.found, 0.95, least=True)),
        (sample, Limit('false trails per image', per_image, 0.02)),
    ]


def _calibration_limits(own: Judged) -> list[tuple[str, Limit]]:
    errors = {name: own.tallies[name].calibration_error() for name in CLASSES.names}
    worst = max(errors, key=lambda name: errors[name])
    n = int(own.tallies[worst].counts.sum())
    what = f'calibration error of the worst class, {worst}'
    return [(SIMULATED, Limit(what, Number(errors[worst], n), 0.02))]


def _cell(value: float) -> str:
    return f'{value:.3f}' if np.isfinite(value) else '-'


def _of(everyone: Everyone, sample: str) -> list[Judged]:
    return [each for (name, _), each in everyone.items() if name == sample]


def _summary(everyone: Everyone, sample: str) -> list[str]:
    """Return the average precision of each class, a column for all who tell many."""
    judged = _of(everyone, sample)
    many = [each for each in judged if each.tells_many]
    rows = []
    for name in CLASSES.names:
        few = {
            each.by: each.precision(name)
            for each in judged
            if not each.tells_many and np.isfinite(each.precision(name))
        }
        best = max(few, key=lambda by: few[by], default=None)
        rows.append(
            (
                name,
                *(_cell(each.precision(name)) for each in many),
                f'{few[best]:.3f} ({best})' if best else '-',
            )
        )
    means = [_cell(each.mean_precision()) for each in many]
    rows.append(('mean of 14 classes, without reflection', *means, '-'))
    told = [each.by for each in many]
    return markdown_table(('class, AP', *told, 'best of the others'), rows)


def _areas(everyone: Everyone) -> list[str]:
    """Return the area under the ROC curve of each class, of all who tell many."""
    many = [each for each in _of(everyone, SIMULATED) if each.tells_many]
    rows = [
        (name, *(f'{each.tallies[name].roc_area():.4f}' if name in each.tallies else '-'
                 for each in many))
        for name in CLASSES.names
    ]  # fmt: skip
    return markdown_table(('class, area', *(each.by for each in many)), rows)


def _short(everyone: Everyone, name: str) -> list[str]:
    """Return what a README shows."""
    own = everyone[SIMULATED, name]
    rows = [
        (each.by, _cell(each.mean_precision()) if each.tells_many else '-',
         _cell(each.precision('cosmic_ray')), _cell(each.precision('satellite_trail')))
        for each in _of(everyone, SIMULATED)
        if each is own or {'cosmic_ray', 'satellite_trail'} & {*each.tallies}
    ]  # fmt: skip
    head = ('AP', 'mean of 14 classes', 'cosmic_ray', 'satellite_trail')
    return markdown_table(head, rows)


def _real(everyone: Everyone) -> list[str]:
    rows = [
        (sample, REAL[sample], name, each.by, _cell(each.precision(name)),
         each.tallies[name].found(FALSE))
        for (sample, _), each in everyone.items()
        if sample in REAL
        for name in each.tallies
    ]  # fmt: skip
    head = ('images', 'truth', 'class', 'by', 'AP', f'found at {FALSE:.1%} false')
    return markdown_table(head, sorted(rows, key=lambda row: (row[0], row[2])))


def _families(everyone: Everyone) -> list[str]:
    rows = [
        (sample, each.by, each.images, _cell(each.mean_precision()),
         *(_cell(each.precision(name)) for name in _SHOWN))
        for (sample, _), each in everyone.items()
        if sample in JUDGED_FAMILIES
        if any(np.isfinite(each.precision(name)) for name in _SHOWN)
    ]  # fmt: skip
    head = ('family', 'by', 'images', 'mean AP of what is told', *_SHOWN)
    rows.sort(key=lambda row: str(row[0]))
    return markdown_table(head, rows)


def _hits(everyone: Everyone) -> list[str]:
    rows = [
        (sample, each.by, each.tallies['cosmic_ray'].found(FALSE),
         _cell(each.precision('cosmic_ray')))
        for (sample, _), each in everyone.items()
        if sample in (HITS, *width_samples()) and 'cosmic_ray' in each.tallies
    ]  # fmt: skip
    rows.sort(key=lambda row: row[0])
    return markdown_table(('images', 'by', 'found', 'AP'), rows)


def _cores(shares: dict[str, dict[tuple[float, float], Share]]) -> list[str]:
    rows = [
        (
            by,
            f'{fwhm:g}',
            *(f'{each[fwhm, s].k} of {each[fwhm, s].n}' for s in checks.SIGNALS),
        )
        for by, each in shares.items()
        for fwhm in checks.CORE_WIDTHS
    ]
    signals = [f'S/N {signal:g}' for signal in checks.SIGNALS]
    return markdown_table(('by', 'FWHM, pixels', *signals), rows)


def _trails(trails: dict[str, checks.Trails]) -> list[str]:
    rows = [
        (by, each.found, f'{each.false / each.images:.3f} ({each.images} images)')
        for by, each in trails.items()
    ]
    return markdown_table(('by', 'found', 'false per image'), rows)


def _kept(
    model: Model, own: Judged, flags: Sequence[Judged]
) -> dict[str, tuple[Share, Share]]:
    """Return completeness and purity of what is flagged, by class."""
    limits = thresholds_of(model.card).items()
    kept = {name: own.tallies[name].at(limit) for name, limit in limits}
    for each in flags:
        kept |= {name: tally.at(0.5) for name, tally in each.tallies.items() if tally.n}
    return kept


def _points(
    model: Model, own: Judged, kept: dict[str, tuple[Share, Share]]
) -> list[str]:
    limits = thresholds_of(model.card)
    rows = []
    for name in CLASSES.names:
        tally = own.tallies[name]
        rows.append(
            (
                name,
                f'{limits[name]:.3f}',
                *kept[name],
                f'{tally.calibration_error():.4f}',
                f'{tally.calibration_error(_LIKELY):.4f}',
            )
        )
    head = (
        'class', 'threshold', 'completeness', 'purity', 'calibration error',
        f'of pixels of p >= {_LIKELY:g}',
    )  # fmt: skip
    return markdown_table(head, rows)


def _point(
    model: Model, own: Judged, kept: dict[str, tuple[Share, Share]]
) -> OperatingPoint:
    """Return what holds at the thresholds of a card."""
    limits = thresholds_of(model.card)
    measured: dict[str, Share] = {}
    for name in limits:
        completeness, purity = kept[name]
        measured |= {f'{name} completeness': completeness, f'{name} purity': purity}
    return OperatingPoint(limits, 'p', measured, f'{own.images} images, {SIMULATED}')


def _checks(units: Number, lost: Share, seconds: tuple[float, float]) -> list[str]:
    return markdown_table(
        ('what', 'measured'),
        [
            ('largest change of a probability by unit, gain or pedestal', units),
            ('other pixels whose mask changes where one is NaN', lost),
            (f'{_SPEED_SIDE}x{_SPEED_SIDE}, seconds', f'{seconds[0]:.2f}'),
            ("the same by astroscrappy's default, seconds", f'{seconds[1]:.2f}'),
        ],
    )


def _who(
    everyone: Everyone, finders: Sequence[Finder], settings: dict[str, float]
) -> list[str]:
    rows = []
    for finder in finders:
        each = everyone.get((SIMULATED, finder.name))
        if each is not None:
            rows.append((finder.name, each.images, f'{each.seconds / each.images:.2f}'))
    said = ', '.join(f'{name} {value:g}' for name, value in settings.items())
    return [
        *markdown_table(('who', 'simulated images', 'seconds an image'), rows),
        '',
        f'astroscrappy was tuned to {said}.',
    ]
