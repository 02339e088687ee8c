"""Probabilities and thresholds of a network, on images that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.flags import (
    CLUSTER_POINT,
    CORE_POINT,
    LOOKALIKES,
    OPERATING_POINT,
    around,
    either,
    hysteresis,
)
from astrosieve.contaminant.surroundings import Fitted, Lines
from astrosieve.models.calibration import sigmoid
from astrosieve.models.cards import OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve_training.contaminant import networks
from astrosieve_training.contaminant.datasets import Images, unpacked
from astrosieve_training.contaminant.surroundings import fit_surroundings
from astrosieve_training.learn import loop
from astrosieve_training.learn.calibrate import fit_sigmoids

__all__ = ['Calibration', 'best_matthews', 'calibrate']

_PIXELS = 40_000  # of a class, and as many without it, that are calibrated with
_CHUNK = 4  # images that a network is shown at a time
_SPREAD = 2.0  # expected of the calibration's parameters
_HIT, _OBJECT = (CLASSES.names.index(name) for name in ('cosmic_ray', 'object'))
_HOT = CLASSES.names.index(LOOKALIKES['cosmic_ray'])
_CORES = 0.01  # of stars' cores that may be flagged as cosmic rays, by each rule
_ABOUT = 7  # pixels along a side: of a core, and those within two of it
_BRIGHT = np.arcsinh(5) / 3  # in the first plane: stars of which cores are counted
_LOWER = np.arange(10, 2, -1) / 10  # of the threshold of hits without what is near
_ENOUGH = 0.97  # of the coefficient: a trail that is missed costs more than its edges
_KNOWN = 0.3  # Matthews coefficient: a class that is known less is flagged where likely


@dataclass(frozen=True)
class Calibration:
    """
    What makes probabilities and flags of logits.

    Parameters
    ----------
    temperatures : tuple of float
        Divide the logits of each class.
    shares : tuple of float
        Of the pixels that have a class, for which probabilities hold.
    points : dict of str to `~astrosieve.models.cards.OperatingPoint`
        The thresholds of the best Matthews coefficients, and what else is asked of
        flags, by their names in `astrosieve.contaminant.flags`.
    matthews : dict of str to float
        The coefficients.
    options : dict of str to Any
        Of a card: what the surroundings say.
    """

    temperatures: tuple[float, ...]
    shares: tuple[float, ...]
    points: dict[str, OperatingPoint]
    matthews: dict[str, float]
    options: dict[str, Any]


@dataclass(frozen=True)
class _Sample:
    """Pixels that have a class and others, drawn evenly of each, and the true share."""

    logit: np.ndarray
    has: np.ndarray
    share: float


def _cores(
    planes: np.ndarray, truth: np.ndarray, ignore: np.ndarray, logits: np.ndarray
) -> np.ndarray:
    """Return (N, 2, 7, 7) logits about the centres of stars: of hits, hot pixels."""
    from scipy.ndimage import maximum_filter

    bright = planes[:, 0].astype(np.float32)
    core = (bright == maximum_filter(bright, (1, 5, 5))) & (bright > _BRIGHT)
    others = [number for number in range(len(CLASSES)) if number != _OBJECT]
    spoilt = truth[:, others].any(1) | ignore[:, _HIT]
    core &= truth[:, _OBJECT] & ~maximum_filter(spoilt, (1, _ABOUT, _ABOUT))
    half = _ABOUT // 2
    edge = ((0, 0), (0, 0), (half, half), (half, half))
    wide = np.pad(logits[:, [_HIT, _HOT]], edge, constant_values=-np.inf)
    about = np.lib.stride_tricks.sliding_window_view(wide, (_ABOUT, _ABOUT), (2, 3))
    cores: np.ndarray = about.transpose(0, 2, 3, 1, 4, 5)[core]
    return cores


def _core_limits(p: np.ndarray, least: float) -> dict[str, tuple[float, Share]]:
    """
    Return what few cores of stars reach, in one pixel and in many, and how many do.

    Parameters
    ----------
    p : (N, 2, 7, 7) `~numpy.ndarray`
        Probabilities about the centres of stars, of hits and of hot pixels.
    least : float
        At which pixels are flagged.
    """
    inner = slice(_ABOUT // 2 - 1, _ABOUT // 2 + 2)
    core = np.s_[:, inner, inner]
    flagged = p[:, 0][core] >= least
    both = either(p[:, 0], p[:, 1])

    def limit(how: np.ufunc, most: float) -> tuple[float, Share]:
        reached = np.where(flagged, around(how, both)[core], 0).max(axis=(1, 2))
        sure = float(np.quantile(reached, 1 - _CORES)) if len(p) else 0.0
        sure = round(min(max(sure, least), most), 4)
        return sure, Share.of(reached >= sure, np.ones(len(p), bool))

    return {
        CORE_POINT: limit(np.maximum, 1 - 1e-4),
        CLUSTER_POINT: limit(np.add, np.inf),
    }


def _matthews(
    right: np.ndarray, false: np.ndarray, has: float, has_not: float
) -> np.ndarray:
    """Return Matthews coefficients of what is flagged, as numbers or as shares."""
    missed, spared = has - right, has_not - false
    spread = np.sqrt((right + false) * (right + missed)) * np.sqrt(
        (spared + false) * (spared + missed)
    )
    covariance = right * spared - false * missed
    return np.divide(
        covariance, spread, out=np.zeros_like(covariance), where=spread > 0
    )


def _counted(has: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Return (2, 2) counts: without the class and with it, left and flagged."""
    return np.bincount(2 * has + flagged, minlength=4).reshape(2, 2)


_Maps = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]


def _maps(network: nn.Module, images: Images, temperatures: np.ndarray) -> _Maps:
    """Yield probabilities, truth, and what is known, (C, ny, nx) of each image."""
    for first in range(0, len(images), _CHUNK):
        rows = slice(first, first + _CHUNK)
        inputs = {'image': images.planes[rows].astype(np.float32)}
        logits = loop.predict_logits(network, inputs)
        yield from zip(
            sigmoid(logits, tuple(temperatures)),
            unpacked(images.truth[rows]),
            ~unpacked(images.ignore[rows]),
            strict=True,
        )


@dataclass(frozen=True)
class _HitRule:
    """A threshold of hits, what must lie about them, and what both come to."""

    limit: float
    about: dict[str, tuple[float, Share]]
    counts: np.ndarray

    def flags(self, p: np.ndarray, both: np.ndarray) -> np.ndarray:
        core, cluster = (self.about[each][0] for each in (CORE_POINT, CLUSTER_POINT))
        return hysteresis(p, both, self.limit, core, cluster)

    @property
    def matthews(self) -> float:
        (spared, false), (missed, right) = self.counts.astype(float)
        return float(_matthews(right, false, right + missed, false + spared))

    @property
    def found(self) -> Share:
        return Share(int(self.counts[1, 1]), int(self.counts[1].sum()))

    def points(self, told: str) -> dict[str, OperatingPoint]:
        """Return the operating points of what must lie about a hit."""
        on = {
            CORE_POINT: 'p, of a hot pixel too',
            CLUSTER_POINT: 'expected pixels of 5x5, hot ones too',
        }
        name = CLASSES.names[_HIT]
        return {
            each: OperatingPoint(
                {name: sure}, on[each], {'cores of stars flagged': share}, told
            )
            for each, (sure, share) in self.about.items()
        }


def _hit_points(
    network: nn.Module,
    images: Images,
    temperatures: np.ndarray,
    cores: np.ndarray,
    limits: list[float],
) -> _HitRule:
    """
    Return the threshold of the best Matthews coefficient of what is flagged as hits.

    What must lie about a hit lets fewer of the stars pass than the threshold alone, so
    that it may be lower.
    """
    tried = [
        _HitRule(limit, _core_limits(cores, limit), np.zeros((2, 2), int))
        for limit in limits
    ]
    for each, truth, known in _maps(network, images, temperatures):
        p, has, told = each[_HIT], truth[_HIT], known[_HIT]
        both = either(p, each[_HOT])
        for one in tried:
            one.counts[:] += _counted(has[told], one.flags(p, both)[told])
    return max(tried, key=lambda one: one.matthews)


def _samples(
    network: nn.Module, images: Images, seed: int
) -> tuple[list[_Sample], np.ndarray]:
    """Return a sample of each class, and the logits of hits about stars' centres."""
    rng = np.random.default_rng([seed, 5])
    shares = images.shares[:-1]
    size = images.truth.size
    rates = [(_PIXELS / (size * (1 - s)), _PIXELS / (size * s)) for s in shares]
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in shares]
    cores = []
    for first in range(0, len(images), _CHUNK):
        rows = slice(first, first + _CHUNK)
        inputs = {'image': images.planes[rows].astype(np.float32)}
        logits = loop.predict_logits(network, inputs)
        truth, ignore = unpacked(images.truth[rows]), unpacked(images.ignore[rows])
        cores.append(_cores(images.planes[rows], truth, ignore, logits))
        for number, rate in enumerate(rates):
            has = truth[:, number]
            kept = rng.random(has.shape, np.float32) < np.where(has, rate[1], rate[0])
            kept &= ~ignore[:, number]
            found[number].append((logits[:, number][kept], has[kept]))
    pairs = [[np.concatenate(each) for each in zip(*f, strict=True)] for f in found]
    samples = [
        _Sample(logit, has, float(share))
        for (logit, has), share in zip(pairs, shares, strict=True)
    ]
    return samples, np.concatenate(cores)


def best_matthews(
    scores: np.ndarray, has: np.ndarray, share: float, *, enough: float = 1.0
) -> tuple[float, float]:
    """
    Return the threshold of the best Matthews coefficient, and the coefficient.

    Parameters
    ----------
    scores : (N,) `~numpy.ndarray`
        Kept is what has ``score >= threshold``.
    has : (N,) bool `~numpy.ndarray`
        Truth; some must be true, and some not.
    share : float
        Of what is true outside of the sample.
    enough : float, optional
        Part of the best coefficient that is enough: of the lowest threshold that has
        it.
    """
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # all of equal score are kept
    right = (np.cumsum(has[order]) / has.sum())[last]
    false = (np.cumsum(~has[order]) / (~has).sum())[last]
    matthews = _matthews(share * right, (1 - share) * false, share, 1 - share)
    best = int(np.flatnonzero(matthews >= enough * matthews.max())[-1])
    return float(ranked[last][best]), float(matthews[best])


def _limit(
    p: np.ndarray, has: np.ndarray, share: float, enough: float = 1.0
) -> tuple[float, float]:
    """Return a class's threshold, and the Matthews coefficient there."""
    threshold, coefficient = best_matthews(p, has, share, enough=enough)
    if coefficient < _KNOWN:
        threshold = max(threshold, 0.5)
    return round(min(max(threshold, 1e-4), 1 - 1e-4), 4), coefficient


def calibrate(
    network: nn.Module,
    images: Images,
    seed: int,
    about: Mapping[type[Fitted], Sequence[str]] | None = None,
) -> Calibration:
    """
    Set probabilities and thresholds right.

    Parameters
    ----------
    network : `torch.nn.Module`
        Whose logits are shifted.
    images : `~astrosieve_training.contaminant.datasets.Images`
        That it has not seen.
    seed : int
        Draws pixels of them.
    about : mapping of type to sequence of str, optional
        What counts as the surroundings, and of which classes.

    Returns
    -------
    calibration : `Calibration`
    """
    samples, cores = _samples(network, images, seed)
    temperatures, offsets = np.ones(len(samples)), np.zeros(len(samples))
    limits: dict[str, float] = {}
    measured: dict[str, Share] = {}
    coefficients: dict[str, float] = {}
    for number, (name, each) in enumerate(zip(CLASSES.names, samples, strict=True)):
        if not 0 < each.has.sum() < len(each.has):
            limits[name] = 0.5  # nothing to fit with
            continue
        scale, offset = fit_sigmoids(
            each.logit[:, None],
            each.has[:, None].astype(int),
            np.array([each.share]),
            spread=_SPREAD,
        )
        temperatures[number], offsets[number] = scale[0], offset[0]
        p = 1 / (1 + np.exp(-(each.logit.astype(float) + offset[0]) / scale[0]))
        limits[name], coefficients[name] = _limit(p, each.has, each.share)
        measured[name] = Share.of(p >= limits[name], each.has)
    networks.shift_logits(network, offsets)
    options: dict[str, Any] = {}
    for kind, names in (about or {}).items():
        numbers = tuple(CLASSES.names.index(name) for name in names)
        settled = fit_surroundings(network, temperatures, images, kind, numbers, seed)
        options |= settled.fitted.stated(CLASSES.names)
        for number, (p, has) in settled.samples.items():
            name = CLASSES.names[number]
            limits[name], coefficients[name] = _limit(
                p, has, samples[number].share, _ENOUGH if kind is Lines else 1.0
            )
            measured[name] = Share.of(p >= limits[name], has)
    two = [_HIT, _HOT]
    p = sigmoid(cores + offsets[two][:, None, None], tuple(temperatures[two]))
    name = CLASSES.names[_HIT]
    lower = _LOWER if coefficients.get(name, 0) >= _KNOWN else _LOWER[:1]
    tried = [round(limits[name] * each, 4) for each in lower]
    hits = _hit_points(network, images, temperatures, p, tried)
    if name in measured:
        limits[name], measured[name] = hits.limit, hits.found
        coefficients[name] = hits.matthews
    told = f'{len(images)} simulated images'
    return Calibration(
        tuple(round(float(each), 6) for each in temperatures),
        tuple(float(f'{each.share:.4g}') for each in samples),
        {
            OPERATING_POINT: OperatingPoint(
                limits, 'p', measured, f'{told}, found pixels'
            ),
            **hits.points(told),
        },
        coefficients,
        options,
    )
