"""Light of bright stars that optics and filters reflect."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from astrosieve_training.contaminant.second.fields import coordinates, step

__all__ = ['draw_ghost']

Shape = tuple[int, int]
Point = tuple[float, float]


def _disc(
    shape: Shape,
    center: Point,
    radius: float,
    *,
    hole: float,
    soft: float,
    turn: float,
    ratio: float = 1.0,
    vanes: bool = False,
) -> np.ndarray:
    """Return an image of the pupil, with its hole and vanes, brighter to one side."""
    rows, columns = coordinates(shape)
    dx, dy = columns - center[0], rows - center[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / ratio
    v = dy * np.cos(turn) - dx * np.sin(turn)
    disc = step(np.hypot(u, v) - radius, soft)
    if hole:
        aside = 0.08 * radius * (ratio != 1)
        disc *= 1 - step(np.hypot(u - aside, v) - hole * radius, soft)
    for vane in (turn, turn + np.pi / 2) if vanes else ():
        away = dy * np.cos(vane) - dx * np.sin(vane)
        disc *= 1 - 0.55 * np.exp(-0.5 * (away / (0.035 * radius + 0.6)) ** 2)
    return disc * (1 + 0.25 * u / radius)


def _pupil(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return the pupil with its vanes, beside the star."""
    side = min(shape)
    dx, dy = rng.normal(0, 0.06 * side, 2)
    return _disc(
        shape, (star[0] + dx, star[1] + dy), side * rng.uniform(0.1, 0.22),
        hole=rng.uniform(0.3, 0.5), soft=1.5, turn=rng.uniform(0, np.pi), vanes=True,
    )  # fmt: skip


def _large(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return a pupil as large as half of the image, of any star."""
    ny, nx = shape
    return _disc(
        shape, (nx * rng.uniform(), ny * rng.uniform()),
        min(shape) * rng.uniform(0.35, 0.6), hole=0.38, soft=5,
        turn=rng.uniform(0, np.pi), ratio=rng.uniform(0.85, 1.0), vanes=True,
    )  # fmt: skip


def _plain(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return a small full disc beside the star."""
    side = min(shape)
    dx, dy = rng.normal(0, 0.06 * side, 2)
    return _disc(
        shape, (star[0] + dx, star[1] + dy), side * rng.uniform(0.04, 0.1),
        hole=0, soft=1.2, turn=rng.uniform(0, np.pi), ratio=rng.uniform(0.8, 1),
    )  # fmt: skip


def _ring(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return a ring nearly about the star."""
    side = min(shape)
    dx, dy = rng.normal(0, 0.012 * side, 2)
    return _disc(
        shape, (star[0] + dx, star[1] + dy), side * rng.uniform(0.07, 0.14),
        hole=rng.uniform(0.75, 0.88), soft=1, turn=rng.uniform(0, np.pi),
    )  # fmt: skip


def _arc(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return a part of a large circle, as edges of baffles make it."""
    ny, nx = shape
    side = min(shape)
    rows, columns = coordinates(shape)
    x, y = star[0] + rng.normal(0, 0.4) * side, star[1] + rng.normal(0, 0.4) * side
    radius, width = side * rng.uniform(0.25, 0.5), rng.uniform(2, 6)
    away = np.hypot(columns - x, rows - y) - radius
    middle = np.arctan2(ny / 2 - y, nx / 2 - x)  # the side that is in the image
    turn = np.angle(np.exp(1j * (np.arctan2(rows - y, columns - x) - middle)))
    ends = np.exp(-0.5 * (turn / rng.uniform(0.25, 0.5)) ** 4)
    return np.exp(-0.5 * (away / width) ** 2) * ends


def _chain(rng: np.random.Generator, shape: Shape, star: Point) -> np.ndarray:
    """Return three rings in a line from the star, each larger and fainter."""
    side = min(shape)
    turn = rng.uniform(0, 2 * np.pi)
    total = np.zeros(shape)
    for k in range(3):
        radius = side * (0.03 + 0.022 * k) * rng.uniform(0.9, 1.1)
        away = side * (0.09 + 0.1 * k)
        center = star[0] + away * np.cos(turn), star[1] + away * np.sin(turn)
        total += 0.75**k * _disc(
            shape, center, radius, hole=0.35, soft=1, turn=turn, ratio=0.8
        )
    return total


_KINDS: dict[str, Callable[[np.random.Generator, Shape, Point], np.ndarray]] = {
    'pupil': _pupil,
    'large': _large,
    'disc': _plain,
    'ring': _ring,
    'arc': _arc,
    'chain': _chain,
}


def draw_ghost(
    rng: np.random.Generator, shape: Shape, kind: str, star: Point
) -> np.ndarray:
    """
    Draw a reflection of a star.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Of the image.
    kind : str
        'pupil', 'large', 'disc', 'ring', 'arc' or 'chain'.
    star : (float, float)
        Where the star is, ``(x, y)``.

    Returns
    -------
    ghost : 2D `~numpy.ndarray`
        1 where it is bright.
    """
    ghost = np.clip(_KINDS[kind](rng, shape, star), 0, None)
    return ghost / max(float(np.percentile(ghost, 99.7)), 1e-6)
