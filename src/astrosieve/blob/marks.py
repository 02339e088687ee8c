"""
Marks: what a network says of cells of 4x4 pixels, and the blobs that are read off.

Of each cell the outputs are a logit that the centre of a blob is there and one for a
dip; where the centre is, along x and y, in cells from the middle of this one; the
logarithms of the radius in pixels and of the depth in units of the local noise; and
logarithms of the variances of position, radius and depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

__all__ = ['FEATURES', 'LEAST', 'MARGIN', 'OUTPUTS', 'STRIDE', 'Marks', 'read_marks']

STRIDE = 4
"""Pixels along a side of a cell."""

OUTPUTS = (
    'blob', 'dip', 'dx', 'dy', 'radius', 'depth',
    'var_position', 'var_radius', 'var_depth',
)  # fmt: skip
"""Outputs of a network, in order."""

FEATURES = ('logit', 'radius', 'depth', 'x_err', 'radius_err', 'depth_err')
"""What the probability of a candidate depends on."""

MARGIN = 16
"""Pixels about an image that are not there, as a network is shown it; cells, whole."""

LEAST = -2.0
"""Lowest logit of candidates that are weighed."""

_APART = 0.6  # of the stronger's radius: nearer ones are the same blob
_SAME = 4.0  # pixels: so are these


@dataclass(frozen=True)
class Marks:
    """
    Candidates of an image, the likeliest first.

    Parameters
    ----------
    logit : (N,) `~numpy.ndarray`
        Of a blob.
    x, y : (N,) `~numpy.ndarray`
        Pixels, 0-based.
    radius : (N,) `~numpy.ndarray`
        Pixels.
    depth : (N,) `~numpy.ndarray`
        In units of the noise.
    x_err : (N,) `~numpy.ndarray`
        Of x and of y, pixels.
    radius_err, depth_err : (N,) `~numpy.ndarray`
        Shares of radius and depth.
    """

    logit: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    depth: np.ndarray
    x_err: np.ndarray
    radius_err: np.ndarray
    depth_err: np.ndarray

    def __len__(self) -> int:
        return len(self.logit)

    def take(self, rows: np.ndarray) -> Marks:
        """Return some of them, by number or mask."""
        return Marks(**{name: each[rows] for name, each in vars(self).items()})

    @property
    def features(self) -> np.ndarray:
        """The logit, and the logarithms of the other `FEATURES`, (N, 6)."""
        others = [np.log(getattr(self, name)) for name in FEATURES[1:]]
        return np.column_stack([self.logit, *others])

    def weighed(self, weights: Mapping[str, float]) -> Marks:
        """
        Return candidates whose logit takes account of size, depth and errors.

        What is as sharp as a star is called a blob with less right than what is wide.

        Parameters
        ----------
        weights : mapping of str to float
            Of `FEATURES`, and ``offset``, which is added.
        """
        logit = self.features @ [weights[name] for name in FEATURES]
        marks = replace(self, logit=logit + weights['offset'])
        return marks.take(np.argsort(-marks.logit, kind='stable'))


def read_marks(outputs: np.ndarray, least: float) -> Marks:
    """
    Read candidates off the outputs of an image.

    Parameters
    ----------
    outputs : (9, ny, nx) `~numpy.ndarray`
        Of cells.
    least : float
        Lowest logit.

    Returns
    -------
    marks : `Marks`
        Cells whose logit is the largest of their neighbours'; of those that mean the
        same place the likeliest.
    """
    named = dict(zip(OUTPUTS, outputs, strict=True))
    logit = named['blob']
    wide = np.pad(logit, 1, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(wide, (3, 3)).max(axis=(2, 3))
    row, column = np.nonzero((logit >= around) & (logit >= least))
    order = np.argsort(-logit[row, column], kind='stable')
    row, column = row[order], column[order]
    found = {name: each[row, column].astype(np.float64) for name, each in named.items()}
    middle = (STRIDE - 1) / 2
    errors = {
        name: np.exp(np.clip(found[f'var_{name}'], -14, 6) / 2)
        for name in ('position', 'radius', 'depth')
    }
    marks = Marks(
        logit=found['blob'],
        x=STRIDE * (column + np.clip(found['dx'], -4, 4)) + middle,
        y=STRIDE * (row + np.clip(found['dy'], -4, 4)) + middle,
        radius=np.exp(np.clip(found['radius'], -2, 6)),
        depth=np.exp(np.clip(found['depth'], -6, 12)),
        x_err=STRIDE * errors['position'],
        radius_err=errors['radius'],
        depth_err=errors['depth'],
    )
    return marks.take(_apart(marks))


def _apart(marks: Marks) -> np.ndarray:
    """Return which marks do not mean the same place as a likelier one."""
    kept: list[int] = []
    for number in range(len(marks)):
        others = np.array(kept, dtype=int)
        away = np.hypot(
            marks.x[others] - marks.x[number], marks.y[others] - marks.y[number]
        )
        if (away > np.maximum(_SAME, _APART * marks.radius[others])).all():
            kept.append(number)
    return np.array(kept, dtype=int)
