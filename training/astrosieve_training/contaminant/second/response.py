"""What pixels make of the light that falls on them: the flat, and what is spoilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve_training.contaminant.second.fields import (
    coordinates,
    random_field,
    step,
)
from astrosieve_training.contaminant.second.instruments import (
    GroundOptics,
    Instrument,
    Scene,
)

__all__ = [
    'BadRows',
    'draw_bad_rows',
    'draw_column_response',
    'draw_flat',
    'draw_pixel_response',
]


def _vignetting(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return 1 in the middle of the optics, less by 12 to 30 % in the corners."""
    ny, nx = shape
    y, x = coordinates(shape)
    depth = 0.25 * rng.uniform(0.5, 1.2)
    dx, dy = x - nx * rng.uniform(0.4, 0.6), y - ny * rng.uniform(0.4, 0.6)
    return 1 - depth * (dx**2 + dy**2) / (nx**2 / 4 + ny**2 / 4)


def _dust(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return the shadow of a grain: the pupil, out of focus."""
    ny, nx = shape
    y, x = coordinates(shape)
    away = np.hypot(x - rng.uniform(0, nx), y - rng.uniform(0, ny))
    radius = rng.uniform(10, 28)
    ring = step(away - radius, 1.5) - step(away - 0.4 * radius, 1.5)
    return 1 - rng.uniform(0.02, 0.07) * ring


def _shade(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return the shadow of a dome's slit over one side, 22 % of the light within."""
    ny, nx = shape
    y, x = coordinates(shape)
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    across = (y - ny / 2) * cos - (x - nx / 2) * sin
    along = (x - nx / 2) * cos + (y - ny / 2) * sin + 8e-4 * across**2
    return 0.22 + 0.78 * step(along - 0.18 * nx, 0.055 * nx)


def draw_flat(
    rng: np.random.Generator, instrument: Instrument, scene: Scene
) -> np.ndarray:
    """
    Draw what the flat field leaves: how much of the light a pixel sees.

    None of it is marked: pixels differ by 0.4 %, and smoothly by as much.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    instrument : `~astrosieve_training.contaminant.second.instruments.Instrument`
        Says whether its corners are dark.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Says what else is before the detector.

    Returns
    -------
    flat : 2D `~numpy.ndarray`
        About 1; 0 in the overscan.
    """
    shape = scene.shape
    ny, nx = shape
    y, x = coordinates(shape)
    flat = 1 + 0.004 * random_field(rng, shape, 3) + rng.normal(0, 0.004, shape)
    if scene.hatching:
        for wave in (0.9 * x + 0.37 * y, 0.8 * y - 0.3 * x):
            where = np.clip(random_field(rng, shape, 4), 0, None)
            flat += 0.0018 * np.sin(wave) * where
    if scene.tree_rings:
        away = np.hypot(x + 90, y - 0.6 * ny)
        flat += 0.0025 * np.sin(away / 4) * np.exp(-(((away - 250) / 120) ** 2))
    for _ in range(scene.dust):
        flat *= _dust(rng, shape)
    if isinstance(instrument.optics, GroundOptics) and instrument.optics.vignetted:
        flat *= _vignetting(rng, shape)
    if scene.shade:
        flat *= _shade(rng, shape)
    if scene.pyramid:
        flat *= step(0.075 * nx + 0.02 * y - x, 4)
    flat[:, nx - scene.overscan :] = 0
    return flat


def draw_pixel_response(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """Draw what bad pixels, a fifth of them small groups, and clusters still see."""
    shape = scene.shape
    ny, nx = shape
    response = np.ones(shape)
    dead = rng.random(scene.bad) < 0.5
    weak = np.where(dead, 0, rng.uniform(0, 0.85, scene.bad))
    for share in weak:
        row, column = rng.integers(ny), rng.integers(nx)
        for _ in range(1 if rng.random() < 0.8 else rng.integers(2, 6)):
            response[row, column] = min(response[row, column], share)
            row = np.clip(row + rng.integers(-1, 2), 0, ny - 1)
            column = np.clip(column + rng.integers(-1, 2), 0, nx - 1)
    y, x = coordinates(shape)
    for _ in range(scene.clusters):
        away = np.hypot(x - rng.uniform(0, nx), y - rng.uniform(0, ny))
        radius = rng.uniform(3, 9)
        ragged = radius * (1 + 0.15 * rng.normal(size=shape))
        response[away < ragged] *= rng.uniform(0, 0.3)
        near = (away < 2.2 * radius) & (
            rng.random(shape) < 0.3 * np.exp(-away / radius)
        )
        response[near] *= rng.uniform(0, 0.6)
    return response


def _piece(rng: np.random.Generator, length: int) -> tuple[int, int]:
    """Draw where a piece of a column or a row begins and ends."""
    first, last = np.sort(rng.choice(length, 2, replace=False))
    return int(first), int(last)


def draw_column_response(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """
    Draw what bad columns still see: whole ones, from the first row on, or pieces.

    Half of them see nearly nothing, half see 30 to 93 % of the light.
    """
    ny, nx = scene.shape
    response = np.ones(scene.shape)
    number = scene.bad_columns
    for _ in range(number + bool(number and rng.random() < 0.3)):
        column = rng.integers(3, nx - scene.overscan - 3)
        width = rng.choice([1, 1, 1, 2, 3])
        first, last = 0, ny
        if rng.random() < 0.5:
            if rng.random() < 0.6:
                last = int(rng.integers(ny // 4, ny))
            else:
                first, last = _piece(rng, ny)
        share = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.3, 0.93)])
        response[first:last, column : column + width] *= share
    return response


@dataclass(frozen=True, eq=False)
class BadRows:
    """
    Rows that are off their neighbours.

    Parameters
    ----------
    response : 2D `~numpy.ndarray`
        Share of the light that they see.
    offset : 2D `~numpy.ndarray`
        What the electronics add, electrons.
    where : 2D bool `~numpy.ndarray`
        Their pixels.
    """

    response: np.ndarray
    offset: np.ndarray
    where: np.ndarray


def draw_bad_rows(
    rng: np.random.Generator, scene: Scene, sky: float, noise: float
) -> BadRows:
    """
    Draw rows, one or two pixels high, whole or in part.

    A quarter see 80 % of the light at most, if the sky is above 8 of its noises; all
    others are 0.9 to 8 noises above or below their neighbours.
    """
    ny, nx = scene.shape
    response, offset = np.ones(scene.shape), np.zeros(scene.shape)
    where = np.zeros(scene.shape, bool)
    number = scene.bad_rows
    for _ in range(number + bool(number and rng.random() < 0.4)):
        row, height = rng.integers(2, ny - 3), rng.choice([1, 1, 2])
        first, last = 0, nx
        if rng.random() >= 0.6:
            first, last = _piece(rng, nx)
        if last - first < 25:
            first, last = 0, nx
        here = np.s_[row : row + height, first:last]
        if rng.random() < 0.25 and sky > 8 * noise:
            response[here] = rng.uniform(0, 0.8)
        else:
            level = noise * np.exp(rng.uniform(np.log(0.9), np.log(8)))
            uneven = 1 + 0.25 * rng.normal(size=(height, 1))
            offset[here] += rng.choice([-1, 1]) * level * uneven
        where[here] = True
    return BadRows(response, offset, where)
