"""Charge of the detector's own, and what becomes of charge before it is read."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve, gaussian_filter1d, label
from scipy.signal import lfilter

from astrosieve_training.contaminant.second.fields import coordinates
from astrosieve_training.contaminant.second.instruments import Chip, Scene

__all__ = ['bleed', 'coupled', 'draw_hot_charge', 'trailed']

_RELEASE = 5.0  # rows: in which trapped charge is let go
_TAIL = 25  # rows


def draw_hot_charge(
    rng: np.random.Generator, chip: Chip, scene: Scene, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw hot pixels, and hot columns, half of which begin at a very hot pixel.

    Numbers of hot pixels fall with the inverse of their charge, from 2.5 noises of the
    sky up to 1.2 full wells. A column is hot from a row on: its charge passes there on
    its way out.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    chip : `~astrosieve_training.contaminant.second.instruments.Chip`
        Its full well, and whether pixels flicker.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Numbers of pixels and columns.
    noise : float
        Of the empty sky, electrons.

    Returns
    -------
    pixels, columns : 2D `~numpy.ndarray`
        Electrons.
    """
    ny, nx = scene.shape
    seeing = nx - scene.overscan
    pixels, columns = np.zeros(scene.shape), np.zeros(scene.shape)
    number = int(scene.hot * np.exp(rng.normal(0, 0.15)))
    at = rng.integers(0, ny, number), rng.integers(0, seeing, number)
    strength = 2.5 * noise / (1 - rng.random(number))
    np.add.at(pixels, at, np.minimum(strength, 1.2 * chip.full_well))
    if chip.telegraph:
        low = rng.random(scene.shape) < 0.5
        pixels[low] *= rng.uniform(0.2, 1, low.sum())
    for _ in range(scene.hot_columns):
        column, width = rng.integers(3, seeing - 3), rng.choice([1, 1, 1, 2])
        first = 0 if rng.random() < 0.4 else rng.integers(0, int(0.8 * ny))
        level = noise * np.exp(rng.uniform(np.log(0.8), np.log(14)))
        rough = gaussian_filter1d(rng.normal(size=(ny - first, width)), 5, axis=0)
        columns[first:, column : column + width] += level * (1 + 0.15 * rough)
        if first > 0 and rng.random() < 0.5:
            pixels[first, column] += level * rng.uniform(10, 60)
    return pixels, columns


def coupled(charge: np.ndarray, share: float) -> np.ndarray:
    """Return what is read when neighbours read a share of each pixel of an IR array."""
    corner = 0.08 * share
    kernel = np.array(
        [
            [corner, share, corner],
            [share, 1 - 4 * (share + corner), share],
            [corner, share, corner],
        ]
    )
    return convolve(charge, kernel, mode='constant')


def trailed(charge: np.ndarray, share: float) -> np.ndarray:
    """
    Return charge as traps of a CCD in orbit leave it: some of it lags behind.

    The first row is read first, so that lost charge follows in the rows after it. More
    is lost the farther the way, and of large packets a smaller share.
    """
    y, _ = coordinates(charge.shape)
    way = np.clip(y / charge.shape[0], 0.2, 1)
    small = np.minimum(1, (200 / np.maximum(charge, 1)) ** 0.25)
    lost = charge * share * way * small
    release = np.exp(-np.arange(_TAIL) / _RELEASE)
    late = lfilter(release / release.sum(), [1], lost, axis=0)
    kept = charge - lost
    kept[1:] += late[:-1]
    return kept


def _spill(
    column: np.ndarray,
    start: int,
    stride: int,
    charge: float,
    limit: float,
    well: float,
) -> None:
    """Fill a column from a pixel on, in one direction, until the charge is used up."""
    row = start
    while charge > 0 and 0 <= row < len(column):
        taken = min(charge, max(limit - column[row], 0))
        if charge < 3 * well:  # the end is tapered
            taken = min(taken, 0.4 * charge + 0.003 * well)
        column[row] += taken
        charge -= taken
        row += stride


def bleed(
    rng: np.random.Generator, charge: np.ndarray, well: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Let charge beyond the full well run along the columns, about half to each side.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws how it is divided, and how full the pixels of a bleed are: 93 to 98.5 %.
    charge : 2D `~numpy.ndarray`
        Electrons.
    well : float
        Full well, electrons.

    Returns
    -------
    charge, bled : 2D `~numpy.ndarray`
        None above the full well, and what of it came from elsewhere.
    """
    settled = np.minimum(charge, well)
    bled = np.zeros_like(charge)
    over = charge > well
    for x in np.flatnonzero(over.any(axis=0)):
        runs, number = label(over[:, x])
        column = settled[:, x].copy()
        for k in range(1, number + 1):
            rows = np.flatnonzero(runs == k)
            excess = float((charge[rows, x] - well).sum())
            share = rng.uniform(0.42, 0.58)
            for part, start, stride in (
                (share, rows[-1] + 1, 1),
                (1 - share, rows[0] - 1, -1),
            ):
                limit = well * rng.uniform(0.93, 0.985)
                _spill(column, start, stride, excess * part, limit, well)
        bled[:, x] = column - settled[:, x]
        settled[:, x] = column
    return settled, bled
