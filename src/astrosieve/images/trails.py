"""Images of a telescope that did not follow the stars: sources are trailed alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve.images.background import Background
from astrosieve.images.saturation import group_pixels

__all__ = ['Trail', 'common_trail']

_BRIGHT = 5.0  # standard deviations above the sky: the pixels of a trail
_PIXELS = 2_000_000  # beyond which an image is looked at in part
_FEWEST_PIXELS = 10
_LONG = 2.5  # length over width of a trail
_TURN, _STRETCH = 8.0, 0.25  # by how many degrees, and which part, trails differ
_FEWEST = 6  # trails alike
_SHARE = 0.35  # of all large groups


@dataclass(frozen=True)
class Trail:
    """
    What most bright sources of an image have in common.

    Parameters
    ----------
    length, angle : float
        Pixels, and degrees from +x towards +y.
    number, total : int
        Bright sources that are trailed so, and all of their size or larger.
    """

    length: float
    angle: float
    number: int
    total: int


def common_trail(
    sci: np.ndarray, *, background: Background, spoilt: np.ndarray | None = None
) -> Trail | None:
    """
    Look for bright sources that are long, as long as each other, and parallel.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image; of a large one the middle.
    background : `~astrosieve.images.background.Background`
        Its sky.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.

    Returns
    -------
    trail : `Trail` or None
        None where a third of them is not: round stars, hits in all directions.
    """
    ny, nx = sci.shape
    rows = min(ny, max(_PIXELS // max(nx, 1), 64))
    first = (ny - rows) // 2
    part = sci[first : first + rows]
    with np.errstate(invalid='ignore'):
        bright = part > background.level + _BRIGHT * background.noise
    if spoilt is not None:
        bright &= spoilt[first : first + rows] == 0
    pixels = np.flatnonzero(bright)
    if len(pixels) < _FEWEST * _FEWEST_PIXELS:
        return None
    group = group_pixels(pixels, (part.shape[0], nx))
    number = np.bincount(group)
    y, x = np.divmod(pixels, nx)
    dx = x - (np.bincount(group, x) / number)[group]
    dy = y - (np.bincount(group, y) / number)[group]
    xx, yy, xy = (
        np.bincount(group, each) / number for each in (dx * dx, dy * dy, dx * dy)
    )
    large = number >= _FEWEST_PIXELS
    xx, yy, xy = xx[large] + 1 / 12, yy[large] + 1 / 12, xy[large]
    half, turn = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    long, wide = half + turn, np.maximum(half - turn, 1e-3)
    length = np.sqrt(12 * long)  # of a bar
    angle = np.arctan2(2 * xy, xx - yy)  # twice the angle
    trailed = np.flatnonzero(np.sqrt(long / wide) > _LONG)
    if len(trailed) < _FEWEST:
        return None
    log, angle = np.log(length[trailed]), angle[trailed]
    turned = np.abs(np.angle(np.exp(1j * (angle[:, None] - angle))))
    alike = turned < 2 * np.deg2rad(_TURN)
    alike &= np.abs(log[:, None] - log) < _STRETCH
    best = int(alike.sum(axis=1).argmax())
    mine = alike[best]
    typical = float(np.exp(np.median(log[mine])))
    total = int((length > typical * (1 - _STRETCH)).sum())
    if mine.sum() < max(_FEWEST, _SHARE * total):
        return None
    mean = np.angle(np.exp(1j * angle[mine]).mean()) / 2
    return Trail(typical, float(np.rad2deg(mean) % 180), int(mine.sum()), total)
