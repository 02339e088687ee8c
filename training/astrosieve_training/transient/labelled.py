"""Candidates with labels: of one's own survey, and the published set's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from astrosieve.transient.candidates import Candidate, stacked
from astrosieve.transient.classes import SURVEY_CLASSES
from astrosieve.transient.preprocessing import Stamps
from astrosieve.transient.readers import read_candidates
from astrosieve_training.settings import ConfigError
from astrosieve_training.transient.config import TransientConfig
from astrosieve_training.transient.datasets import (
    Examples,
    Facts,
    class_numbers,
    joined_examples,
    prepared,
)

__all__ = ['labelled_examples', 'published_sets']

_KINDS = {
    'artifact': 'artefact', 'saturated star': 'saturated', 'SN other': 'transient',
    'SN bronze': 'transient', 'SN silver': 'transient', 'SN gold': 'transient',
}  # fmt: skip
_TEST, _VALIDATION = 0.25, 0.3  # of the whole, of the rest
_GALAXIES = [3461, 6997, 6292, 394, 1534, 17, 589, 1121, 906, 519]  # of Galaxy10 SDSS


def _facts(label: np.ndarray, by_eye: np.ndarray, survey: str) -> Facts:
    n = len(label)
    none, one = np.full(n, np.nan), np.ones(n)
    return Facts(
        label, by_eye, none, one, none, np.full(n, survey), np.arange(n)
    )  # fmt: skip


def labelled_examples(
    paths: Sequence[Path], labels: Mapping[str, str], config: TransientConfig
) -> Examples:
    """
    Return the candidates of files that have a label.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        As `astrosieve transients` reads them.
    labels : mapping of str to str
        By id; those that are 'unsure' are left out.
    config : `~astrosieve_training.transient.config.TransientConfig`
        Says classes and preprocessing.

    Raises
    ------
    ConfigError
        If none has a label.
    """
    alike: dict[tuple[object, ...], list[Candidate]] = {}
    for path in paths:
        for each in read_candidates(path):
            if each.planes is not None and labels.get(each.id, 'unsure') != 'unsure':
                form = (each.planes.shape, each.kind, each.white)
                alike.setdefault(form, []).append(each)
    if not alike:
        msg = 'no candidate has a label; the ids of stamps and labels must be the same'
        raise ConfigError(msg)
    parts = []
    for some in alike.values():
        inputs, valid = prepared(stacked(some), config.preprocessing)
        label = np.array([labels[each.id] for each in some])
        facts = _facts(label, np.full(len(some), ''), 'labelled')
        target = class_numbers(label, config.classes)
        parts.append(Examples(inputs, target, facts).take(valid))
    return joined_examples(parts)


def published_sets(path: Path, config: TransientConfig) -> dict[str, Examples]:
    """
    Return the labelled stamps of the SDSS-II Supernova Survey, split as published.

    Parameters
    ----------
    path : `~pathlib.Path`
        npz or HDF5: ``images`` (N, 69, 69, 3), bytes; ``ans`` (N,), numbers from 0 to 9
        in the order of `~astrosieve.transient.classes.SURVEY_CLASSES`, or their names.
    config : `~astrosieve_training.transient.config.TransientConfig`
        Says classes and preprocessing.

    Returns
    -------
    sets : dict of str to `~astrosieve_training.transient.datasets.Examples`
        A quarter, at random, is judged; 30 % of the rest are for validation and
        calibration.

    Raises
    ------
    ConfigError
        If the file has another form, or holds the galaxies of Galaxy10 SDSS.
    """
    images, answers = _read(path)
    names = np.array(list(SURVEY_CLASSES))
    if answers.dtype.kind in 'iu' and np.bincount(answers).tolist() == _GALAXIES:
        msg = (
            f'{path}: this is Galaxy10 SDSS, pictures of galaxies in ten forms, which '
            'has the size of the published set; no differences, and no candidates'
        )
        raise ConfigError(msg)
    if answers.dtype.kind in 'iu' and answers.max(initial=0) < len(names):
        by_eye = names[answers]
    else:
        by_eye = np.array([_text(each) for each in answers])
    if images.shape[1:] != (69, 69, 3) or len(images) != len(by_eye):
        msg = f'{path}: images are {images.shape}, ans {answers.shape}; not that set'
        raise ConfigError(msg)
    strange = set(by_eye.tolist()) - set(SURVEY_CLASSES)
    if strange:
        known = ', '.join(SURVEY_CLASSES)
        msg = f'{path}: classes {sorted(strange)} are none of {known}'
        raise ConfigError(msg)
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    inputs, valid = prepared(Stamps(planes, 'bands', white=255), config.preprocessing)
    label = np.array([_KINDS.get(str(each), str(each)) for each in by_eye])
    target = class_numbers(label, config.classes)
    whole = Examples(inputs, target, _facts(label, by_eye, 'bands')).take(valid)
    order = np.random.default_rng(config.seed).permutation(len(whole))
    test = round(_TEST * len(whole))
    rest = test + round(_VALIDATION * (len(whole) - test))
    validation = whole.take(order[test:rest])
    return {
        'judged': whole.take(order[:test]), 'validation': validation,
        'calibrating': validation, 'training': whole.take(order[rest:]),
    }  # fmt: skip


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        if path.suffix == '.npz':
            with np.load(path) as kept:
                return kept['images'], kept['ans']
        import h5py

        with h5py.File(path) as kept:
            return np.asarray(kept['images']), np.asarray(kept['ans'])
    except (OSError, KeyError, ValueError) as error:
        msg = f'{path}: no published stamps ({error}); needs images and ans'
        raise ConfigError(msg) from error


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
