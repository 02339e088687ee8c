"""What a network learns from: examples, and how they are split."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import OutputError
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.learn.sampling import balance, label_numbers
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.config import SourceConfig
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    detection_set,
    simulated_set,
)
from astrosieve_training.source.datasets.real.frames import ngc1261

if TYPE_CHECKING:
    from astrosieve_training.simulate.plans import ExposureSet

__all__ = [
    'Examples',
    'Origin',
    'TrainingData',
    'balance_examples',
    'count_labels',
    'domain_of',
    'make_examples',
    'prepare',
    'split_examples',
]

# How far an image may be from the training exposures before it counts as unlike them.
_RATIO_MARGIN = 0.05
_MAX_UNUSABLE = 0.25


@dataclass(frozen=True)
class Examples:
    """
    What a network learns from.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        float32 arrays of N rows, by the name of the network's input.
    labels : (N,) int64 `~numpy.ndarray`
        Numbers of the classes.
    fill : (N,) float32 `~numpy.ndarray`
        Value of a filled pixel in each cutout.
    fwhm : (N,) float32 `~numpy.ndarray`
        True width of the PSF, pixels; NaN where it is not known.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    fill: np.ndarray
    fwhm: np.ndarray

    @cached_property
    def key(self) -> str:
        """Hash of all arrays."""
        own = {'labels': self.labels, 'fill': self.fill, 'fwhm': self.fwhm}
        return arrays_key({**self.inputs, **own})

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: np.ndarray) -> Examples:
        return Examples(
            {name: value[index] for name, value in self.inputs.items()},
            self.labels[index],
            self.fill[index],
            self.fwhm[index],
        )


@dataclass(frozen=True)
class Origin:
    """
    Where labels come from that no simulator gave.

    Parameters
    ----------
    description, training_data, split : str
        For the card.
    sample : str
        What the operating points are measured on.
    limits : tuple of str
        For the card.
    start : dict of str to str
        Name, version and SHA-256 of the model that was trained on; empty for none.
    """

    description: str
    training_data: str
    split: str
    sample: str
    limits: tuple[str, ...] = ()
    start: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingData:
    """
    Everything a training needs.

    Parameters
    ----------
    training, validation : `Examples`
        To learn from, and to choose the best parameters by.
    calibrating, holdout :
    `~astrosieve_training.source.datasets.detections.DetectionSet`
        Whole exposures: to calibrate on, and to measure operating points on.
    counts : dict
        Number of cutouts by set and class.
    domain : dict of str to tuple of float
        Limits of the traits of the training exposures, see
        `~astrosieve.images.traits.ImageTraits`.
    origin : `Origin` or None
        Where the labels come from; None where they are the simulator's truth.
    rehearsal : `Examples` or None
        What a network that was trained before is shown again.
    """

    training: Examples
    validation: Examples
    calibrating: DetectionSet
    holdout: DetectionSet
    counts: dict[str, dict[str, int]]
    domain: dict[str, tuple[float, float]]
    origin: Origin | None = None
    rehearsal: Examples | None = None


def make_examples(detections: DetectionSet, config: SourceConfig) -> Examples:
    """
    Return the detections that the network can learn from.

    Parameters
    ----------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        Labelled detections.
    config : `~astrosieve_training.source.config.SourceConfig`
        Classes, and the smallest share of the largest component.

    Returns
    -------
    examples : `Examples`
        Scored and uncontested ones whose class the network has.
    """
    classes = config.network.classes
    labels = label_numbers(detections.rows, classes)
    good = detections.usable & (labels >= 0)
    good &= np.asarray(detections.rows['share']) >= config.train.min_share
    chosen = detections[good]
    return Examples(
        chosen.inputs,
        labels[good].astype(np.int64),
        np.asarray(chosen.rows['fill'], dtype=np.float32),
        np.asarray(chosen.rows['psf_fwhm'], dtype=np.float32),
    )


def _joined(parts: list[Examples]) -> Examples:
    return Examples(
        {
            name: np.concatenate([part.inputs[name] for part in parts])
            for name in parts[0].inputs
        },
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.fill for part in parts]),
        np.concatenate([part.fwhm for part in parts]),
    )


def balance_examples(
    training: Examples,
    validation: Examples,
    config: SourceConfig,
    rng: np.random.Generator,
) -> tuple[Examples, Examples]:
    """
    Thin out the classes that are too frequent, where whole exposures are split.

    Parameters
    ----------
    training, validation : `Examples`
        Of different exposures.
    config : `~astrosieve_training.source.config.SourceConfig`
        Limits.
    rng : `~numpy.random.Generator`
        Decides what stays.

    Returns
    -------
    training, validation : `Examples`
    """
    kept, _ = balance(
        training.labels,
        rng,
        ratio=config.train.balance,
        largest=config.train.max_per_class,
    )
    kept_validation, _ = balance(validation.labels, rng, ratio=config.train.balance)
    return training[kept], validation[kept_validation]


def split_examples(
    examples: Examples, config: SourceConfig, rng: np.random.Generator
) -> tuple[Examples, Examples]:
    """
    Split cutouts as published: dealt one by one, the excess goes to validation.

    Parameters
    ----------
    examples : `Examples`
        All cutouts.
    config : `~astrosieve_training.source.config.SourceConfig`
        Shares.
    rng : `~numpy.random.Generator`
        Deals.

    Returns
    -------
    training, validation : `Examples`
        Neighbours in the sky, even two detections of one star, may be on either
        side: what is measured on the validation half is too good.
    """
    order = rng.permutation(len(examples))
    n_validation = round(config.train.validation_share * len(order))
    validation, training = order[:n_validation], order[n_validation:]
    kept, excess = balance(
        examples.labels[training],
        rng,
        ratio=config.train.balance,
        largest=config.train.max_per_class,
    )
    validation = np.concatenate([validation, training[excess]])
    return examples[training[kept]], examples[validation]


def real_examples(config: SourceConfig) -> DetectionSet | None:
    """
    Return the labelled detections of the real frames that are for training.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        Whether, and by which finders.

    Returns
    -------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet` or None
        None where the configuration wants none.

    Raises
    ------
    OutputError
        If the frames are not there.
    """
    if not config.real.ngc1261:
        return None
    folder = data_folder()
    if folder is None:
        msg = (
            'the real frames were not found; set ASTROSIEVE_DATA to the folder that '
            'holds hst/, or set real.ngc1261 = false in the configuration'
        )
        raise OutputError(msg)
    frame = ngc1261(folder, 'left')
    detections = detection_set(
        frame.chip,
        frame.label,
        finders=config.finders,
        preprocessing=config.network.preprocessing,
        exposure=frame.name,
        camera='wfpc2-pc-f336w',
        scene='ngc1261',
        fwhm=frame.fwhm,
    )
    x, y = np.asarray(detections.rows['x']), np.asarray(detections.rows['y'])
    return detections[frame.within(x, y)]


def count_labels(labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    """Return the number of members of each class."""
    return {name: int((labels == i).sum()) for i, name in enumerate(classes)}


def domain_of(rows: Table) -> dict[str, tuple[float, float]]:
    """
    Return the limits within which an image is like those of a training.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With ``fwhm`` and ``noise_ratio`` of the image of each detection, NaN where
        they are not known.

    Returns
    -------
    domain : dict of str to tuple of float
        See `~astrosieve.images.traits.ImageTraits`; without what is known of none.
    """
    domain = {}
    widths, ratios = (np.asarray(rows[name]) for name in ('fwhm', 'noise_ratio'))
    if np.isfinite(widths).any():
        domain['fwhm'] = (float(np.nanmin(widths)), float(np.nanmax(widths)))
    if np.isfinite(ratios).any():
        low, high = np.nanquantile(ratios, [0.005, 0.995])
        margins = float(low) - _RATIO_MARGIN, float(high) + _RATIO_MARGIN
        domain['noise_ratio'] = margins
    return {**domain, 'unusable': (0.0, _MAX_UNUSABLE)}


def prepare(
    config: SourceConfig, cache: Path, *, progress: bool = True
) -> TrainingData:
    """
    Simulate, detect, label, and split.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        The configuration.
    cache : `~pathlib.Path`
        Folder for the detections of each exposure.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    data : `TrainingData`

    Raises
    ------
    ConfigError
        If the configuration has no exposures, which are then to come from datasets.
    """
    for exposures in (config.training, config.validation, config.calibrating):
        if not exposures.n:
            msg = (
                f'the configuration {config.name} simulates no exposures: it is for '
                'datasets of labels. Give --dataset, or another --config'
            )
            raise ConfigError(msg)

    def simulated(exposures: ExposureSet) -> DetectionSet:
        return simulated_set(
            exposures,
            finders=config.finders,
            preprocessing=config.network.preprocessing,
            folder=cache,
            progress=progress,
        )

    sky = simulated(config.training)
    holdout = simulated(config.validation)
    calibrating = simulated(config.calibrating)
    rng = np.random.default_rng([config.seed, 1])
    examples = make_examples(sky, config)
    real = real_examples(config)
    if real is not None:
        real_part = make_examples(real, config)
        repeated = [real_part] * config.real.repeat
    else:
        repeated = []
    if config.train.split == 'cutout':
        training, validation = split_examples(
            _joined([examples, *repeated]), config, rng
        )
    else:
        training, validation = balance_examples(
            examples, make_examples(holdout, config), config, rng
        )
        training = _joined([training, *repeated])
    classes = config.network.classes
    counts = {
        'training': count_labels(training.labels, classes),
        'validation': count_labels(validation.labels, classes),
    }
    if real is not None:
        counts['of these real'] = count_labels(real_part.labels, classes)
    return TrainingData(
        training,
        validation,
        calibrating,
        holdout,
        counts,
        domain_of(sky.rows),
    )
