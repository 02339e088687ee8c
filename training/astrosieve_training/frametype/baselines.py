"""What a network is measured against: header rules, and a forest."""

from __future__ import annotations

import numpy as np

from astrosieve.frametype.classes import UNKNOWN
from astrosieve_training.frametype.datasets import Frames

__all__ = ['LOOKED_AT', 'forest_types', 'header_types']

LOOKED_AT = ('numbers', 'axes', 'image')
"""Inputs whose statistics the forest learns, where frames have them."""


def header_types(frames: Frames) -> np.ndarray:
    """Return what the headers say; 'unknown' where they do not."""
    return np.where(frames.header == '', UNKNOWN, frames.header)


def _statistics(frames: Frames) -> np.ndarray:
    """Return numbers of each frame for the forest: moments and quantiles of inputs."""
    inputs = {
        name: each.astype(np.float32)
        for name, each in frames.inputs.items()
        if name in LOOKED_AT
    }
    if 'numbers' in inputs:
        axes = np.sort(inputs['axes'], axis=1).reshape(len(frames), -1)
        return np.concatenate([inputs['numbers'], axes], axis=1)
    image = inputs['image'].reshape(len(frames), -1)
    quantiles = np.quantile(image, [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99], axis=1).T
    return np.column_stack([quantiles, image.mean(axis=1), image.std(axis=1)])


def forest_types(
    learnt: Frames, judged: Frames, classes: tuple[str, ...], *, seed: int = 0
) -> np.ndarray:
    """
    Return the types that a random forest gives by statistics of the images.

    Parameters
    ----------
    learnt, judged : `~astrosieve_training.frametype.datasets.Frames`
        To learn from, and to be typed.
    classes : tuple of str
        Classes of the targets.
    seed : int, optional
        Of the forest.

    Returns
    -------
    types : (N,) str `~numpy.ndarray`
    """
    from sklearn.ensemble import RandomForestClassifier

    # On one thread: on several the trees are added in any order, and scikit-learn
    # leaves the process without its filters of warnings.
    forest = RandomForestClassifier(300, class_weight='balanced', random_state=seed)
    forest.fit(_statistics(learnt), learnt.target)
    return np.array(classes)[forest.predict(_statistics(judged))]
