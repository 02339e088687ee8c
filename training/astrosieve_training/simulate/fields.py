"""Smooth random fields, places, and pieces of images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.interpolate import make_interp_spline

__all__ = ['add_at', 'log_uniform', 'ripples', 'smooth_field']


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _interpolation(n: int, nodes: int) -> np.ndarray:
    """Return the (n, nodes) weights of a cubic spline through evenly spaced nodes."""
    spline = make_interp_spline(np.arange(nodes), np.eye(nodes), k=3)
    return np.asarray(spline(np.linspace(1, nodes - 2, n))).astype(np.float32)


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> np.ndarray:
    """
    Return a Gaussian random field without structure below a scale.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws it.
    shape : (int, int)
        Of the image, (ny, nx).
    scale : float
        Pixels between its nodes.

    Returns
    -------
    field : 2D float32 `~numpy.ndarray`
        Of a standard deviation of about 0.8.
    """
    nodes = [int(np.ceil(n / scale)) + 4 for n in shape]
    mesh = rng.standard_normal(nodes, dtype=np.float32)
    rows, columns = (_interpolation(n, m) for n, m in zip(shape, nodes, strict=True))
    return np.asarray(rows @ mesh @ columns.T)


def ripples(rng: np.random.Generator, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """
    Yield what flats leave behind, from the largest scale to the smallest.

    The smaller the scale, the fainter: what has the size of a blob is fainter than
    one.
    """
    for scale, largest in ((500, 0.02), (180, 0.008), (70, 0.004), (25, 0.0015)):
        if rng.random() < 0.7:
            strength = np.float32(log_uniform(rng, 1e-4, largest))
            yield strength * smooth_field(rng, shape, scale)


def add_at(
    image: np.ndarray, piece: np.ndarray, x: int, y: int, *, times: float = 1.0
) -> None:
    """Add a piece of odd sides to an image, its middle at a pixel; edges cut it."""
    ny, nx = image.shape
    half_y, half_x = (n // 2 for n in piece.shape)
    top, left = max(y - half_y, 0), max(x - half_x, 0)
    bottom, right = min(y + half_y + 1, ny), min(x + half_x + 1, nx)
    if top < bottom and left < right:
        rows = slice(top - y + half_y, bottom - y + half_y)
        columns = slice(left - x + half_x, right - x + half_x)
        image[top:bottom, left:right] += np.float32(times) * piece[rows, columns]
