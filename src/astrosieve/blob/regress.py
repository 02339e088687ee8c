"""The regression test of an archive: what is found of blobs that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table

from astrosieve.blob.exposures import Examined
from astrosieve.models.metrics import Share

__all__ = ['LIMITS', 'Regression']

LIMITS = {'completeness': 0.98, 'faint': 0.85, 'false': 0.05}
"""
Completeness from a depth of 5 % on, completeness at 3 to 5 %, false blobs an image.

The limits of the flagship on simulated images, of which the page of the task tells.
"""
_FAINT, _FAINTEST = 0.05, 0.03  # depth
_SAME = 3.0  # pixels within which a blob is one of the table, at least


@dataclass
class Regression:
    """
    Blobs of a table, and whether each image showed them.

    A blob is expected in an image if it came after the middle one of its references,
    so that the median lacks it, and not after the image; without dates in every image.
    Finding another one of the table, which the references have too, is no mistake.

    Parameters
    ----------
    truth : `~astropy.table.Table`
        ``x``, ``y`` and perhaps ``radius``, ``depth`` and ``since``, as from
        `~astrosieve.blob.exposures.read_known`.
    """

    truth: Table
    n_images: int = 0
    false: list[tuple[str, float, float, float]] = field(default_factory=list)
    _expected: np.ndarray = field(init=False)
    _found: np.ndarray = field(init=False)
    _off: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.truth)
        self._expected, self._found = np.zeros(n, int), np.zeros(n, int)
        self._off = [[] for _ in range(n)]

    def _column(self, name: str, otherwise: float) -> np.ndarray:
        n = len(self.truth)
        if name not in self.truth.colnames:
            return np.full(n, otherwise)
        return np.asarray(self.truth[name], dtype=float)

    def add(self, examined: Examined) -> None:
        """
        Count what was found in an image.

        Parameters
        ----------
        examined : `~astrosieve.blob.exposures.Examined`
            The image, of which no blob was left out as known.
        """
        self.n_images += 1
        since = self._column('since', math.nan)
        expected = np.ones(len(self.truth), dtype=bool)
        dated = np.isfinite(since)
        if np.isfinite(examined.frame.date):
            expected &= ~(dated & (since > examined.frame.date))
        if np.isfinite(examined.reference_date):
            expected &= ~(dated & (since <= examined.reference_date))
        radius = np.nan_to_num(self._column('radius', 0))
        blobs = examined.blobs
        away = np.hypot(
            np.asarray(blobs['x'])[:, None] - np.asarray(self.truth['x']),
            np.asarray(blobs['y'])[:, None] - np.asarray(self.truth['y']),
        )
        near = away <= np.maximum(radius, _SAME)
        self._expected += expected
        for number in np.flatnonzero(expected):
            if near[:, number].any():
                self._found[number] += 1
                self._off[number].append(float(away[:, number].min()))
        for row in np.flatnonzero(~near.any(axis=1)):
            x, y, p = (float(blobs[name][row]) for name in ('x', 'y', 'p_blob'))
            self.false.append((examined.frame.path.name, x, y, p))

    def join(self, other: Regression) -> None:
        """Count what was found in other images, held against the same table."""
        self.n_images += other.n_images
        self.false += other.false
        self._expected += other._expected
        self._found += other._found
        for mine, theirs in zip(self._off, other._off, strict=True):
            mine += theirs

    def completeness(self, low: float = -math.inf, high: float = math.inf) -> Share:
        """Return the share of expected blobs that were found, from depth to depth."""
        depth = self._column('depth', 0)
        held = (depth >= low) & (depth < high)
        return Share(int(self._found[held].sum()), int(self._expected[held].sum()))

    @property
    def table(self) -> Table:
        """The known blobs with ``n_images``, ``n_found`` and ``offset``, pixels."""
        table = self.truth.copy()
        table['n_images'] = self._expected
        table['n_found'] = self._found
        table['offset'] = [np.median(each) if each else np.nan for each in self._off]
        return table

    def checks(self) -> list[tuple[str, bool]]:
        """
        Return what was measured, in words, and whether it holds.

        A limit holds unless the 95 % interval of what was measured excludes it; what
        was measured on nothing is left out.
        """
        rules = [('found', self.completeness(), LIMITS['completeness'])]
        if 'depth' in self.truth.colnames:
            deep, faint = (
                self.completeness(_FAINT),
                self.completeness(_FAINTEST, _FAINT),
            )
            rules = [
                (f'found at {_FAINT:.0%} and deeper', deep, LIMITS['completeness']),
                (f'found at {_FAINTEST:.0%} to {_FAINT:.0%}', faint, LIMITS['faint']),
            ]
        said = [
            (f'{what}: {share}; at least {limit:.0%}', share.high >= limit)
            for what, share, limit in rules
            if share.n
        ]
        number, limit = len(self.false), LIMITS['false']
        # The root of a Poisson variable has a standard deviation of a half.
        low = max(math.sqrt(number) - 0.98, 0) ** 2 / max(self.n_images, 1)
        text = (
            f'false blobs: {number} in {self.n_images} images; at most {limit:g} each'
        )
        return [*said, (text, low <= limit)]
