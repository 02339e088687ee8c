"""From electrons to the numbers of a file."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.signal import lfilter

from astrosieve_training.contaminant.second.fields import coordinates
from astrosieve_training.contaminant.second.instruments import Chip, Scene

__all__ = ['ceiling', 'converted', 'draw_amplifiers', 'draw_noise', 'gain_of']

_SETTLING = 50  # rows before the image, so that the rows' noise has its memory


def gain_of(chip: Chip, scene: Scene) -> float:
    """Return the electrons per DN of an exposure."""
    return chip.gain if scene.gain is None else scene.gain


def draw_amplifiers(
    rng: np.random.Generator, chip: Chip, scene: Scene, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw what amplifiers side by side differ in; a single one is as it should be.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    chip : `~astrosieve_training.contaminant.second.instruments.Chip`
        Says whether there are quadrants, which decay from their first rows on.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Number of amplifiers.
    noise : float
        Of the empty sky, electrons; offsets are some tenths of it.

    Returns
    -------
    gain, offset : 2D `~numpy.ndarray`
        About 1 within 0.6 %, and electrons.
    """
    ny, nx = scene.shape
    gain, offset = np.ones(scene.shape), np.zeros(scene.shape)
    if scene.amplifiers == 1:
        return gain, offset
    typical = noise * rng.uniform(0.1, 0.9)
    edges = np.linspace(0, nx, scene.amplifiers + 1).astype(int)
    for first, last in pairwise(edges):
        offset[:, first:last] += rng.normal(0, 1) * typical
        gain[:, first:last] *= 1 + rng.normal(0, 0.006)
    if chip.quadrants:
        y, _ = coordinates(scene.shape)
        offset[ny // 2 :] += rng.normal(0, 1) * typical
        offset += 2 * typical * np.exp(-(y % (ny // 2)) / 20)
    return gain, offset


def draw_noise(
    rng: np.random.Generator, chip: Chip, scene: Scene, noise: float
) -> np.ndarray:
    """
    Draw the noise of the electronics, electrons; none of it is marked.

    White noise, rows with a memory, columns in raw images, a ripple, noisy pixels.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    chip : `~astrosieve_training.contaminant.second.instruments.Chip`
        Its read noise, and whether 4 of 1000 pixels are noisy, 4 times as much.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Strengths of rows and ripple.
    noise : float
        Of the empty sky, electrons: what the rows' is measured in, if less than the
        read noise.

    Returns
    -------
    noise : 2D `~numpy.ndarray`
        Of mean 0, about.
    """
    ny, nx = scene.shape
    read = chip.read_noise
    total = read * rng.normal(size=scene.shape)
    if scene.row_noise:
        white = rng.normal(size=(ny + _SETTLING, 1))
        rows = lfilter([0.5], [1, -0.85], white, axis=0)[_SETTLING:]
        total += scene.row_noise * min(read, noise) * rows
    if scene.unit == 'DN':
        total += 0.12 * read * rng.normal(size=(1, nx))
    if scene.pattern:
        y, x = coordinates(scene.shape)
        turn = x * rng.uniform(0.05, 0.3) + y * rng.uniform(0.01, 0.2)
        ripple = np.sin(2 * np.pi * turn + rng.uniform(0, 6))
        total += scene.pattern * read * ripple
    if chip.telegraph:
        noisy = rng.random(scene.shape) < 0.004
        total[noisy] += rng.normal(0, 4 * read, noisy.sum())
    return total


def _per_electron(chip: Chip, scene: Scene) -> float:
    """Return the numbers of an electron in the image's unit."""
    amount = 1 / gain_of(chip, scene) if scene.unit.startswith('DN') else 1.0
    return amount / scene.exptime if scene.unit.endswith('/s') else amount


def ceiling(chip: Chip, scene: Scene) -> float:
    """Return the number of a full pixel: of its well, or the converter's last one."""
    full = chip.full_well * _per_electron(chip, scene) + scene.pedestal
    return min(full, chip.converter) if scene.unit == 'DN' else full


def converted(
    electrons: np.ndarray, chip: Chip, scene: Scene
) -> tuple[np.ndarray, np.ndarray]:
    """
    Convert electrons to the numbers of an image.

    Parameters
    ----------
    electrons : 2D `~numpy.ndarray`
        With noise and offsets.
    chip : `~astrosieve_training.contaminant.second.instruments.Chip`
        Its converter.
    scene : `~astrosieve_training.contaminant.second.instruments.Scene`
        Unit and pedestal; images of DN are whole numbers, and with a pedestal none is
        below 0.

    Returns
    -------
    sci, ended : 2D float32, bool `~numpy.ndarray`
        The image, and where the converter has come to its end.
    """
    numbers = electrons * _per_electron(chip, scene) + scene.pedestal
    if scene.unit != 'DN':
        return numbers.astype(np.float32), np.zeros(scene.shape, bool)
    ended = numbers >= chip.converter
    lowest = 0 if scene.pedestal else -32768
    whole = np.clip(np.rint(numbers), lowest, chip.converter)
    return whole.astype(np.float32), ended
