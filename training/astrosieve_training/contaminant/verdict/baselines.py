"""What moments of detected sources say of a whole image, without a network."""

from __future__ import annotations

import warnings

import numpy as np

from astrosieve.contaminant.classes import FAILURES
from astrosieve.images.background import measure_mesh
from astrosieve.images.measured import MeasuredImage

__all__ = ['CUTS', 'FEATURES', 'Forest', 'cut_scores', 'moments']

_THRESHOLD = 5.0  # standard deviations above the local level
_PIXELS = 5  # of a source, at least
_PAIRED = 150  # brightest sources whose distances are looked at
_FARTHEST = 80  # pixels between two that may be one
_TREES = 300

FEATURES = (
    'number', 'ellipticity', 'ellipticity, lower', 'ellipticity, upper',
    'aligned', 'long', 'long, lower', 'long, upper', 'wide', 'wide, lower',
    'wide, upper', 'peaked', 'pairs', 'pairs, distance',
)  # fmt: skip
"""What `moments` returns."""

CUTS = {
    'tracking_lost': ('aligned', 'ellipticity'),
    'doubled': ('pairs',),
    'out_of_focus': ('wide',),
}
"""Features of which a cut on the product tells each failure."""


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return by how much the most frequent distance of two stands out; and its size."""
    dx, dy = (np.subtract.outer(each, each) for each in (x, y))
    half = (dy > 0) | ((dy == 0) & (dx > 0))
    near = half & (np.hypot(dx, dy) < _FARTHEST)
    if near.sum() < 2:
        return 0.0, 0.0
    edges = np.arange(-_FARTHEST, _FARTHEST + 1, 2.0)
    counts, _, _ = np.histogram2d(dy[near], dx[near], bins=(edges, edges))
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    most = counts[row, column]
    expected = max(near.sum() / (counts.size / 2 * np.pi / 4), 1 / len(x))
    away = float(np.hypot(edges[row] + 1, edges[column] + 1))
    return float((most - expected) / np.sqrt(expected) / np.sqrt(len(x))), away


def moments(image: MeasuredImage) -> np.ndarray:
    """
    Measure the sources of an image.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.

    Returns
    -------
    features : (F,) float `~numpy.ndarray`
        `FEATURES`; zero where there is no source.
    """
    from photutils.segmentation import SourceCatalog, detect_sources

    sci = image.sci
    level, noise = (
        measure_mesh(sci, spoilt=image.spoilt)
        .smoothed()
        .over(slice(0, sci.shape[0]), slice(0, sci.shape[1]))
    )
    with np.errstate(all='ignore'):
        contrast = (sci - level) / noise
    contrast = np.nan_to_num(contrast, posinf=0, neginf=0)
    if image.spoilt is not None:
        contrast[image.spoilt != 0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of images without sources
        found = detect_sources(contrast, _THRESHOLD, _PIXELS)
        if found is None:
            return np.zeros(len(FEATURES))
        catalog = SourceCatalog(contrast, found)
        long, wide, turn, total, peak, x, y = (
            np.atleast_1d(np.asarray(getattr(each, 'value', each), dtype=float))
            for each in (
                catalog.semimajor_sigma, catalog.semiminor_sigma, catalog.orientation,
                catalog.segment_flux, catalog.max_value, catalog.xcentroid,
                catalog.ycentroid,
            )
        )  # fmt: skip
    good = np.isfinite(long) & np.isfinite(wide) & np.isfinite(turn) & (long > 0)
    if not good.any():
        return np.zeros(len(FEATURES))
    long, wide, turn, total, peak, x, y = (
        each[good] for each in (long, wide, turn, total, peak, x, y)
    )
    unround = 1 - wide / long
    angle = np.deg2rad(turn)
    weight = unround / max(unround.sum(), 1e-9)
    aligned = np.abs((weight * np.exp(2j * angle)).sum())
    bright = np.argsort(-total)[:_PAIRED]
    quartiles = [np.percentile(each, (50, 25, 75)) for each in (unround, long, wide)]
    return np.array(
        [
            np.log10(1 + len(long)), *quartiles[0], aligned, *quartiles[1],
            *quartiles[2], np.median(peak / np.maximum(total, 1e-9)),
            *_pairs(x[bright], y[bright]),
        ]
    )  # fmt: skip


class Forest:
    """
    A random forest on moments, for each verdict.

    Parameters
    ----------
    features : (N, F) `~numpy.ndarray`
        To learn from.
    target, known : (N, C) `~numpy.ndarray`
        Truth, and where it counts.
    seed : int
        Of the trees.
    """

    def __init__(
        self, features: np.ndarray, target: np.ndarray, known: np.ndarray, seed: int
    ) -> None:
        from sklearn.ensemble import RandomForestClassifier

        self._trees = []
        for truth, counts in zip(target.T > 0, known.T > 0, strict=True):
            trees = RandomForestClassifier(
                _TREES, min_samples_leaf=2, class_weight='balanced', random_state=seed
            )
            self._trees.append(trees.fit(features[counts], truth[counts]))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the share of trees that say so, (N, C)."""
        return np.column_stack(
            [each.predict_proba(features)[:, -1] for each in self._trees]
        )


def cut_scores(features: np.ndarray) -> np.ndarray:
    """Return the ranks in what cuts are made on, (N, failures), 0 to 1."""
    from scipy.stats import rankdata

    columns = [
        np.prod([features[:, FEATURES.index(n)] for n in CUTS[name]], axis=0)
        for name in FAILURES
    ]
    return np.asarray(rankdata(columns, axis=1).T / len(features))
