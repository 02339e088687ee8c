"""Training data from datasets of labels, for a new network or one to go on from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.source.config import SourceConfig
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    join,
    simulated_set,
)
from astrosieve_training.source.datasets.examples import (
    Examples,
    Origin,
    TrainingData,
    balance_examples,
    count_labels,
    domain_of,
    make_examples,
)
from astrosieve_training.source.label.dataset import Dataset, read_dataset
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.splitting import near_rows

if TYPE_CHECKING:
    from astrosieve_training.source.train.warm_start import Start

__all__ = ['prepare_datasets']


def _warn(msg: str) -> None:
    warnings.warn(msg, AstrosieveWarning, stacklevel=3)


def _listed(counts: dict[str, int]) -> str:
    return ', '.join(f'{n} {name}' for name, n in counts.items() if n)


def _configured(
    config: SourceConfig, datasets: Sequence[Dataset], start: Start | None
) -> SourceConfig:
    """Return the configuration with the classes that the network is to have."""
    there = {name for each in datasets for name in each.card['classes']}
    classes = config.network.classes if start is None else start.network.classes
    strange = sorted(there - set(classes))
    if strange:
        _warn(f'the network has no class {", ".join(strange)}; its labels are left out')
    learnt = tuple(name for name in classes if name in there)
    if len(learnt) < 2:
        msg = (
            f'the datasets have labels of {", ".join(sorted(there)) or "no class"}, '
            f'the network is for {", ".join(classes)}: a training needs two classes '
            'of both'
        )
        raise DatasetError(msg)
    missing = [name for name in classes if name not in there]
    calibration = config.calibration
    if start is not None:
        # The offsets of classes without labels are those of the old mix.
        shares = tuple(start.card.class_prior[name] for name in classes)
        if len(calibration.shares) != len(classes):
            calibration = replace(calibration, shares=shares)
        if missing:
            _warn(
                f'no labels of {", ".join(missing)}: what {start.label} knows of them '
                'is kept as well as rehearsal keeps it'
            )
        return replace(config, network=start.network, calibration=calibration)
    if missing:
        _warn(
            f'no labels of {", ".join(missing)}: the network will have the classes '
            f'{", ".join(learnt)} alone, and call everything one of them. With --from '
            'a trained network keeps the others'
        )
        if calibration.shares:
            kept = dict(zip(classes, calibration.shares, strict=True))
            shares = tuple(kept[name] for name in learnt)
            calibration = replace(calibration, shares=shares)
    network = replace(config.network, classes=learnt)
    return replace(config, network=network, calibration=calibration)


def _refuse_shared(datasets: Sequence[Dataset]) -> None:
    """Refuse datasets that have an exposure in common: its split may differ."""
    seen: dict[str, Path] = {}
    for each in datasets:
        for exposure in each.card['exposures']:
            other = seen.setdefault(exposure['sha256'], each.path)
            if other != each.path:
                msg = (
                    f'{other} and {each.path} both hold labels of {exposure["name"]}, '
                    'split in different ways; label all exposures into one dataset'
                )
                raise DatasetError(msg)


def _apart(
    rows: Any, some: np.ndarray, others: np.ndarray, gap: int, what: str
) -> np.ndarray:
    """Return those of some that share nothing with others; say how many do."""
    near = near_rows(rows, some, others, gap)
    if near.any():
        _warn(f'{near.sum()} {what} are left out')
    left: np.ndarray = some & ~near
    return left


def _rehearsal(
    config: SourceConfig, learnt: set[int], cache: Path, *, progress: bool
) -> Examples | None:
    """Return detections of the classes that have no labels."""
    exposures = config.tune.rehearsal
    if not exposures.n or not config.tune.rehearsal_weight:
        return None
    if len(learnt) == len(config.network.classes):
        return None
    # What is background is nothing's by 60 %.
    everything = replace(config, train=replace(config.train, min_share=0.0))
    seen = make_examples(
        simulated_set(
            exposures,
            finders=config.finders,
            preprocessing=config.network.preprocessing,
            folder=cache,
            progress=progress,
        ),
        everything,
    )
    seen = seen[~np.isin(seen.labels, list(learnt))]
    return seen if len(seen) else None


def _origin(
    config: SourceConfig,
    datasets: Sequence[Dataset],
    counts: dict[str, dict[str, int]],
    start: Start | None,
) -> Origin:
    """Say where the labels come from."""
    exposures = [e for each in datasets for e in each.card['exposures']]
    cameras = sorted({name for each in datasets for name in each.card['cameras']})
    seen = f'{len(exposures)} exposures of {", ".join(cameras)}'
    how = {str(each.card['created_by'].get('how', '')) for each in datasets} - {''}
    training = f'labels of {seen}'
    if how:
        training += f' ({"; ".join(sorted(how))})'
    training += f': {_listed(counts["training"])}'
    limits = [
        f'Trained for {", ".join(cameras)}; judge it before use on other cameras.'
    ]
    description = config.description
    began = {}
    if start is not None:
        began = {k: getattr(start.card, k) for k in ('name', 'version', 'sha256')}
        description = f'{start.label}, trained further on labels of {seen}.'
        training += f'; before that, as {start.label}: {start.card.training_data}'
        missing = [name for name, n in counts['training'].items() if not n]
        if missing:
            limits.append(
                f'No labels of {", ".join(missing)} were there: what is said of them '
                f'comes from {start.label} and is calibrated as there.'
            )
            if 'rehearsal' in counts:
                training += f'; rehearsed: {_listed(counts["rehearsal"])}'
    share = datasets[0].card['settings']['validation_share']
    return Origin(
        description=description,
        training_data=training,
        split=(
            f'by region of the sky, about {share:.0%} held back, no star or pixel in '
            'both; of the cells held back one half to choose the best epoch and run '
            'and to measure the thresholds, the other to calibrate and to set them'
        ),
        sample=f'labels of {seen}, region held back',
        limits=tuple(limits),
        start=began,
    )


def prepare_datasets(
    config: SourceConfig,
    folders: Sequence[str | Path],
    *,
    start: Start | None = None,
    cache: Path,
    progress: bool = True,
) -> tuple[SourceConfig, TrainingData]:
    """
    Make training data of datasets.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        Its sections network, train and tune are used; what it simulates is not, but
        for rehearsal. Where ``train.balance`` is 0, what the balancing of the datasets
        left out is learnt from too.
    folders : sequence of path-like
        As `~astrosieve_training.source.label.dataset.write_dataset` leaves them.
    start : `~astrosieve_training.source.train.warm_start.Start`, optional
        Model to go on from; its network takes the place of the configuration's.
    cache : `~pathlib.Path`
        Folder for what is simulated.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    config : `~astrosieve_training.source.config.SourceConfig`
        With the network's classes as they will be.
    data : `~astrosieve_training.source.datasets.examples.TrainingData`

    Raises
    ------
    DatasetError
        If a dataset cannot be used, or there are too few classes.

    Warns
    -----
    AstrosieveWarning
        If labels are left out, or classes of the network have none.
    """
    wanted = config.network if start is None else start.network
    datasets = [read_dataset(folder, wanted.preprocessing) for folder in folders]
    _refuse_shared(datasets)
    config = _configured(config, datasets, start)
    sets = join([each.detections for each in datasets])
    rows = sets.rows
    split = np.asarray(rows['split'], dtype=str)
    parts = ['training'] if config.train.balance else ['training', 'excess']
    held = split == 'validation'
    gap = max(each.card['gap'] for each in datasets)
    learnt = _apart(
        rows, np.isin(split, parts), held, gap,
        'training rows of one dataset that are near to the validation rows of another',
    )  # fmt: skip
    # Halves of cells: one to choose by, one to calibrate on.
    second = held & (np.asarray(rows['cell']) % 2 == 1)
    size = get_preprocessing(config.network.preprocessing).size
    first = held & ~second
    first &= ~near_rows(rows, first, second, size)
    for mask, what in ((first, 'first'), (second, 'second')):
        if not (mask & sets.usable).any():
            msg = f'the {what} half of the validation rows is empty; label more'
            raise DatasetError(msg)
    classes = config.network.classes
    holdout, calibrating = sets[first], sets[second]
    training, validation = balance_examples(
        make_examples(sets[learnt], config),
        make_examples(holdout, config),
        config,
        np.random.default_rng([config.seed, 1]),
    )
    counts = {
        'training': count_labels(training.labels, classes),
        'validation': count_labels(validation.labels, classes),
        'calibrating': count_labels(make_examples(calibrating, config).labels, classes),
    }
    _refuse_starless(counts)
    rehearsal = None
    if start is not None:
        seen = set(np.unique(training.labels).tolist())
        rehearsal = _rehearsal(config, seen, cache, progress=progress)
        if rehearsal is not None:
            counts['rehearsal'] = count_labels(rehearsal.labels, classes)
    return config, TrainingData(
        training, validation, calibrating, holdout, counts,
        _domain(sets[learnt], start), _origin(config, datasets, counts, start),
        rehearsal,
    )  # fmt: skip


def _refuse_starless(counts: dict[str, dict[str, int]]) -> None:
    for name, each in counts.items():
        if not each.get('star'):
            msg = (
                f'there is no star in the {name} part of the datasets; operating '
                'points are thresholds for stars and cannot be set. Label stars'
            )
            raise DatasetError(msg)


def _domain(
    detections: DetectionSet, start: Start | None
) -> dict[str, tuple[float, float]]:
    """Return the limits of all traits, those of the old model included."""
    domain = domain_of(detections.rows)
    if start is not None:
        for name, (low, high) in start.card.domain.items():
            own = domain.get(name, (low, high))
            domain[name] = (min(low, own[0]), max(high, own[1]))
    return domain
