"""Fit what the surroundings of a pixel say of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from astrosieve.contaminant.surroundings import Fitted
from astrosieve.contaminant.surroundings.cells import clipped_logits
from astrosieve.models.calibration import sigmoid
from astrosieve_training.contaminant.datasets import Images, unpacked
from astrosieve_training.learn.loop import predict_logits

__all__ = ['Settled', 'fit_surroundings']

_PIXELS = 3000  # of each image
_WEIGHT = 1e-4  # of the squares of what is fitted, beside the mean loss


@dataclass(frozen=True)
class Settled:
    """
    What was fitted, and what it makes of the pixels it was fitted to.

    Parameters
    ----------
    fitted : `~astrosieve.contaminant.surroundings.Fitted`
        Of the classes that could be fitted.
    samples : dict of int to (`~numpy.ndarray`, `~numpy.ndarray`)
        Probabilities of pixels, and whether they have the class, by its number.
    """

    fitted: Fitted
    samples: dict[int, tuple[np.ndarray, np.ndarray]]


def fit_surroundings(
    network: nn.Module,
    temperatures: np.ndarray,
    images: Images,
    kind: type[Fitted],
    numbers: tuple[int, ...],
    seed: int,
) -> Settled:
    """
    Fit a logistic regression of each class on its logits and on the cells about.

    Parameters
    ----------
    network : `torch.nn.Module`
        Calibrated but for the temperatures.
    temperatures : (C,) `~numpy.ndarray`
        Divide the logits of each class.
    images : `~astrosieve_training.contaminant.datasets.Images`
        That the network has not seen.
    kind : type of `~astrosieve.contaminant.surroundings.Fitted`
        What counts as the surroundings.
    numbers : tuple of int
        Of the classes.
    seed : int
        Draws pixels of the images.

    Returns
    -------
    settled : `Settled`
    """
    rng = np.random.default_rng([seed, 6])
    chosen = list(numbers)
    known: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    true: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    for row in range(len(images)):
        planes = images.planes[row : row + 1].astype(np.float32)
        logits = predict_logits(network, {'image': planes})
        p = sigmoid(logits, tuple(temperatures))[0, chosen]
        cells = kind(np.array(chosen)).cells((p.shape[1], p.shape[2]))
        cells.add(0, p)
        about = kind.features(cells.means(), slice(0, cells.rows))
        truth, ignore = (
            unpacked(each[row : row + 1])[0] for each in (images.truth, images.ignore)
        )
        for number, plane, far in zip(numbers, clipped_logits(p), about, strict=True):
            y, x = np.nonzero(~ignore[number])
            some = rng.permutation(len(y))[:_PIXELS]
            y, x = y[some], x[some]
            beside = far[y // kind.cell, x // kind.cell]
            known[number].append(np.column_stack([plane[y, x], beside]))
            true[number].append(truth[number][y, x])
    found, samples = [], {}
    for number in numbers:
        x, y = np.concatenate(known[number]), np.concatenate(true[number])
        if 0 < y.sum() < len(y):
            scale, weights, samples[number] = _fitted(x, y)
            found.append((number, scale, weights))
    if not found:
        return Settled(kind(), {})
    which, scales, weights = (np.array(each) for each in zip(*found, strict=True))
    return Settled(kind(which, scales, weights), samples)


def _fitted(
    x: np.ndarray, y: np.ndarray
) -> tuple[float, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return a scale, weights, and what they make of what they were fitted to."""
    usual = StandardScaler().fit(x)
    cost = 1 / (2 * _WEIGHT * len(y))
    model = LogisticRegression(C=cost, max_iter=1000).fit(usual.transform(x), y)
    slopes = model.coef_[0] / usual.scale_
    offset = model.intercept_[0] - slopes @ usual.mean_
    p = 1 / (1 + np.exp(-(x @ slopes + offset)))
    return float(slopes[0]), np.array([offset, *slopes[1:]]), (p, y)
