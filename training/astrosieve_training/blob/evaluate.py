"""The judge of networks for blobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.blob.find import OPERATING_POINT, find_blobs
from astrosieve.blob.preprocessing import Prepared, get_preprocessing
from astrosieve.blob.score import score_subframes
from astrosieve.markdown import markdown_table
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.blob.baselines import (
    Find,
    dao_blobs,
    fitted_profiles,
    matched_filter,
    tuned_thresholds,
)
from astrosieve_training.blob.config import BlobConfig, ImageSet
from astrosieve_training.blob.figures import (
    draw_calibration,
    draw_completeness,
    draw_sheet,
)
from astrosieve_training.blob.images import prepared_image, simulated_image
from astrosieve_training.blob.judged import (
    FAINT,
    USUAL,
    Finder,
    Judged,
    judged_images,
)
from astrosieve_training.blob.samples import HELD_BACK, SIMULATED, samples
from astrosieve_training.blob.simulate import SimulatedDifference
from astrosieve_training.judge.limits import Limit, Number, calibration_limit
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.judge.scores import binned
from astrosieve_training.steps import say

__all__ = ['DEPTHS', 'judge', 'measured', 'network_finder', 'subframe_finder']

DEPTHS = (0.0, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 1.0)
"""Ends of the bins of depth."""

_SIZES = (0.0, 3.0, 5.0, 8.0, 12.0, 100.0)  # pixels, of bins of radius
_CANDIDATE = 0.02  # lowest probability of what is calibrated
_NORMAL = 0.6745  # median of the absolute values of a normal distribution
_RUNS = 5  # of which the fastest is the time of an image


def network_finder(model: Model) -> Finder:
    """Return a model as a finder of blobs."""

    def find(made: SimulatedDifference, _: Any) -> Table:
        found = find_blobs(
            made.data, mask=made.mask, model=model, min_probability=_CANDIDATE
        )
        found.rename_column('p_blob', 'score')
        return found

    threshold = model.card.threshold(OPERATING_POINT, 'p_blob')
    return Finder(model.card.name, find, threshold)


def subframe_finder(model: Model) -> Finder:
    """Return a model that tells subframes apart."""

    def find(made: SimulatedDifference, _: Any) -> np.ndarray:
        scores = score_subframes(made.data, mask=made.mask, model=model)
        return np.asarray(scores['p_blob'])

    return Finder(model.card.name, find, 0.5)


def _images(config: BlobConfig, which: ImageSet) -> Iterator[SimulatedDifference]:
    for seed in which.seeds:
        yield simulated_image(config, seed)


def _baselines(config: BlobConfig) -> list[Finder]:
    """Return the other finders, with thresholds that calibrating images set."""
    prepare = get_preprocessing(config.preprocessing)
    finders = {'matched filter': matched_filter, 'DAOStarFinder': dao_blobs}
    images = (
        (made, prepared_image(made, prepare))
        for made in _images(config, config.calibrating)
    )
    limits = tuned_thresholds(finders, images)
    return [Finder(name, _prepared(finders[name]), limits[name]) for name in finders]


def _prepared(
    find: Find,
) -> Callable[[SimulatedDifference, Prepared], Table]:
    return lambda _, prepared: find(prepared)


def _fitted(own: Finder) -> Finder:
    """Return a finder whose blobs are measured by least squares."""

    def find(made: SimulatedDifference, prepared: Prepared) -> Table:
        found = own.find(made, prepared)
        assert isinstance(found, Table)
        return fitted_profiles(found, made, own.threshold)

    return Finder(f'{own.name}, profiles fitted', find, own.threshold)


def _cell(values: np.ndarray, form: str) -> str:
    """Return a median as a cell of a table."""
    found = _number(values)
    return f'{found.value:{form}}' if found.n else '-'


def _number(values: np.ndarray) -> Number:
    known = values[np.isfinite(values)]
    return Number(float(np.median(known)) if len(known) else float('nan'), len(known))


def measured(judged: Judged) -> dict[str, np.ndarray]:
    """Return errors of found blobs: pixels, and shares of radius and depth."""
    blobs = judged.blobs
    nothing = np.full(len(blobs), np.nan)
    said = {
        name: np.asarray(blobs[f'said_{name}'])
        if f'said_{name}' in blobs.colnames
        else nothing
        for name in ('x', 'y', 'radius', 'depth', 'x_err', 'radius_err', 'depth_err')
    }
    x, y, radius, depth = (np.asarray(blobs[n]) for n in ('x', 'y', 'radius', 'depth'))
    dx, dy = said['x'] - x, said['y'] - y
    return {
        'position': np.hypot(dx, dy),
        'radius': said['radius'] / radius - 1,
        'depth': said['depth'] / depth - 1,
        'pull of position': np.concatenate([dx, dy]) / np.tile(said['x_err'], 2),
        'pull of radius': (said['radius'] - radius) / said['radius_err'],
        'pull of depth': (said['depth'] - depth) / said['depth_err'],
    }


def _calibration(judged: Judged) -> Limit:
    """Return the limit on the calibration error of candidates."""
    score = np.asarray(judged.candidates['score'], dtype=float)
    real = np.asarray(judged.candidates['real'])
    likely = score >= _CANDIDATE
    p = np.column_stack([1 - score, score])[likely]
    return calibration_limit(p, real[likely].astype(int), 0.02)


def _limits(judged: Judged) -> list[tuple[str, Limit]]:
    """Return the limits on a sample; of sequences and real skies none is asked."""
    if judged.sample not in (SIMULATED, HELD_BACK):
        return []
    errors = measured(judged)
    dips = np.asarray(judged.dips['called'], dtype=bool)
    limits = [
        Limit('subframes with a blob of 5 to 20 %', judged.subframe_share(USUAL), 0.98,
              least=True),
        Limit('subframes without', judged.subframe_share(None), 0.98, least=True),
        Limit('blobs of 3 to 5 % found', judged.found(judged.within(FAINT)), 0.85,
              least=True),
        Limit('false blobs per image',
              Number(len(judged.others) / judged.n_images, judged.n_images), 0.05),
        Limit('position, median, pixels', _number(errors['position']), 0.5),
        Limit('radius, median', _number(np.abs(errors['radius'])), 0.15),
        Limit('depth, median', _number(np.abs(errors['depth'])), 0.15),
        Limit('dips rejected', Share.of(~dips, np.ones_like(dips)), 0.99, least=True),
        _calibration(judged),
    ]  # fmt: skip
    if judged.sample == HELD_BACK:
        real = judged.found(judged.within(USUAL) & judged.of_kind('real'))
        limits.append(Limit('stamps of 5 to 20 % found', real, 0.98, least=True))
    return [(judged.sample, limit) for limit in limits]


def _seconds(model: Model, config: BlobConfig) -> Number:
    """Return the processor time of an image, the fastest of a few."""
    made = simulated_image(config, config.judged.seed)
    times = []
    for _ in range(_RUNS):
        began = time.process_time()
        find_blobs(made.data, mask=made.mask, model=model)
        times.append(time.process_time() - began)
    return Number(min(times), _RUNS)


def judge(
    model: Model,
    config: BlobConfig,
    folder: Path,
    *,
    others: Sequence[Finder] = (),
) -> Report:
    """
    Judge a model on images that it has not seen.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    config : `~astrosieve_training.blob.config.BlobConfig`
        Says what is simulated.
    folder : `~pathlib.Path`
        Gets figures.
    others : sequence of `~astrosieve_training.blob.judged.Finder`, optional
        Who is judged beside matched filter and DAOStarFinder.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    own = network_finder(model)
    finders = [own, _fitted(own), *_baselines(config), *others]
    prepare = get_preprocessing(config.preprocessing)
    everyone: list[Judged] = []
    sets = samples(config)
    for name, images in sets.items():
        say(name)
        everyone += judged_images(name, images(), finders, prepare)
    mine = [each for each in everyone if each.by == own.name]
    limits = [limit for each in mine for limit in _limits(each)]
    seconds = _seconds(model, config)
    limits.append(('one image', Limit('seconds of processor time', seconds, 0.5)))
    sections = [
        Section('Completeness by depth', _by(everyone, 'depth', DEPTHS)),
        Section('Completeness by radius, pixels', _by(everyone, 'radius', _SIZES)),
        Section('Completeness by kind, of 5 to 20 %', _kinds(everyone)),
        Section('Completeness where it is hard', _hard(everyone)),
        Section('Errors', _errors(everyone)),
    ]
    figures = [
        folder / f'{config.name}-{each}.png'
        for each in ('completeness', 'reliability', 'sheet')
    ]
    draw_completeness(everyone, DEPTHS, figures[0])
    draw_calibration(mine, figures[1])
    draw_sheet(mine[0], sets[mine[0].sample](), figures[2])
    return Report(
        model,
        _summary(everyone),
        limits,
        sections,
        {'seconds': seconds, 'right': _plain_shares(everyone)},
        measured={f'{e.sample}, {e.by}': e.subframe_share(USUAL) for e in everyone},
        operating_points={OPERATING_POINT: _point(model, mine[0])},
        figures=figures,
        short=_summary(
            [e for e in everyone if e.sample == SIMULATED and 'fitted' not in e.by]
        ),
    )


def _point(model: Model, judged: Judged) -> OperatingPoint:
    """Return what holds at the operating point of a card."""
    found = int(np.asarray(judged.blobs['found']).sum())
    return OperatingPoint(
        model.card.threshold(OPERATING_POINT, 'p_blob'),
        'p_blob',
        {
            'completeness': Share(found, len(judged.blobs)),
            'purity': Share(found, found + len(judged.others)),
        },
        judged.sample,
    )


def _plain_shares(everyone: list[Judged]) -> dict[str, dict[str, Share]]:
    return {
        f'{each.sample}, {each.by}': {
            'with': each.subframe_share(USUAL),
            'faint': each.subframe_share(FAINT),
            'without': each.subframe_share(None),
        }
        for each in everyone
    }


def _summary(everyone: list[Judged]) -> list[str]:
    rows = []
    for each in everyone:
        row: list[Any] = [
            each.sample,
            each.by,
            each.subframe_share(USUAL),
            each.subframe_share(None),
        ]
        if not each.places:
            row += ['-'] * 3
        else:
            row += [
                each.found(each.within(FAINT)),
                f'{len(each.others) / each.n_images:.3f}',
                _cell(measured(each)['position'], '.2f'),
            ]
        rows.append(row)
    return markdown_table(
        (
            'images', 'by', 'subframes with a blob of 5 to 20 %', 'subframes without',
            'blobs of 3 to 5 %', 'false per image', 'position, pixels',
        ),
        rows,
    )  # fmt: skip


def _finding(everyone: list[Judged]) -> list[Judged]:
    return [each for each in everyone if each.places]


def _by(everyone: list[Judged], what: str, edges: Sequence[float]) -> list[str]:
    """Return completeness by bins of depth or radius."""
    rows = []
    for each in _finding(everyone):
        values = np.asarray(each.blobs[what])
        for low, high, inside in binned(values, edges):
            rows.append(
                (each.sample, each.by, f'{low:g} to {high:g}', each.found(inside))
            )
    return markdown_table(('images', 'by', what, 'found'), rows)


def _kinds(everyone: list[Judged]) -> list[str]:
    rows = []
    for each in _finding(everyone):
        for kind in sorted({*map(str, each.blobs['kind'])}):
            members = each.of_kind(kind) & each.within(USUAL)
            rows.append((each.sample, each.by, kind, each.found(members)))
    return markdown_table(('images', 'by', 'kind', 'found'), rows)


def _hard(everyone: list[Judged]) -> list[str]:
    rows = []
    for each in _finding(everyone):
        usual = each.within(USUAL)
        edge, close = (np.asarray(each.blobs[n], bool) for n in ('edge', 'close'))
        dips = np.asarray(each.dips['called'], dtype=bool)
        rows.append(
            (
                each.sample,
                each.by,
                each.found(usual & edge),
                each.found(usual & close),
                each.found(usual & ~edge & ~close),
                Share.of(~dips, np.ones_like(dips)),
            )
        )
    return markdown_table(
        ('images', 'by', 'at the edge', 'overlapping', 'others', 'dips rejected'), rows
    )


def _errors(everyone: list[Judged]) -> list[str]:
    """Return medians, biases, and widths of the pulls."""
    rows = []
    for each in _finding(everyone):
        errors = measured(each)
        cells = [_cell(errors['position'], '.2f')]
        for name in ('radius', 'depth'):
            values = errors[name]
            known = values[np.isfinite(values)]
            within = Share(int((np.abs(known) <= 0.15).sum()), len(known))
            cells += [
                _cell(np.abs(values), '.3f'),
                _cell(values, '+.3f'),
                str(within),
            ]
        for name in ('position', 'radius', 'depth'):
            cells.append(_cell(np.abs(errors[f'pull of {name}']) / _NORMAL, '.2f'))
        rows.append((each.sample, each.by, *cells))
    return markdown_table(
        (
            'images', 'by', 'position, pixels', 'radius', 'bias', 'within 15 %',
            'depth', 'bias', 'within 15 %', 'pull of position', 'of radius', 'of depth',
        ),
        rows,
    )  # fmt: skip
