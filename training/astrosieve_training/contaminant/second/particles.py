"""Charge that particles leave in a detector."""

from __future__ import annotations

import numpy as np

from astrosieve_training.contaminant.second.fields import coordinates
from astrosieve_training.contaminant.second.instruments import Chip

__all__ = ['draw_particles', 'draw_snowball']

_BEYOND = 15.0  # pixels around the image in which particles arrive, too
_LONGEST = 500.0  # pixels
_PAIR = 3.65  # eV: energy of an electron-hole pair in silicon
_PER_KEV = 274.0  # electrons
_CLOUDS = 12  # into which each deposit is divided
_DENSER = 5.0  # of HgCdTe: more matter in a pixel, less energy for a pair

Deposits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Columns, rows, electrons, and depths in shares of the thickness from the far side."""


def _stopping_electron(
    rng: np.random.Generator,
    chip: Chip,
    x: float,
    y: float,
    energy: float,
    turn: float | None = None,
) -> Deposits:
    """
    Return the worm of an electron of so many keV.

    Its range goes with the power 1.68 of the energy; it is scattered as Highland's
    formula says, more and more towards the end, where it ionises more, too. What has
    left the detector does not return.
    """
    length = 0.0327 * energy**1.68  # micrometres
    number = int(np.clip(length / (0.2 * chip.pixel), 3, 500))
    stride = length / number
    left = energy * (1 - np.arange(number) / number) ** (1 / 1.68)
    # momentum times velocity is about twice the energy; 93.7 mm: radiation length
    bend = np.minimum(0.9, 1.1 * 13.6e3 / (2 * left + 1e-3) * np.sqrt(stride / 93.7e3))
    start = rng.uniform(0, 2 * np.pi) if turn is None else turn
    heading = start + np.cumsum(rng.normal(0, 1, number) * bend)
    slope = np.cumsum(0.7 * rng.normal(0, 1, number) * bend) + rng.normal(0, 0.6)
    depth = rng.uniform(0, chip.thickness) + np.cumsum(stride * np.sin(slope))
    within = np.cumprod((depth > 0) & (depth < chip.thickness)).astype(bool)
    flat = stride / chip.pixel * np.cos(slope)
    lost = -np.diff(np.append(left, 0)) * 1000 / _PAIR
    charge = lost * rng.gamma(6, 1 / 6, number)
    return (
        (x + np.cumsum(flat * np.cos(heading)))[within],
        (y + np.cumsum(flat * np.sin(heading)))[within],
        charge[within],
        depth[within] / chip.thickness,
    )


def _track(rng: np.random.Generator, chip: Chip, x: float, y: float) -> list[Deposits]:
    """
    Return the straight track of a particle that passes through.

    It leaves some 62 electrons a micrometre; in orbit slower and heavier ones leave
    more. On the ground most come from above, in orbit from everywhere. Electrons that
    it knocks out, of 2 to 300 keV, have worms of their own.
    """
    cosine = max(rng.uniform() ** (1 / 2 if chip.orbit else 1 / 3.5), 0.01)
    tangent = np.sqrt(1 - cosine**2) / cosine
    length = min(chip.thickness * tangent / chip.pixel, _LONGEST)  # pixels
    turn = rng.uniform(0, 2 * np.pi)
    number = max(4, int(length / 0.2))
    stride = np.hypot(length * chip.pixel, chip.thickness) / number  # micrometres
    depth = (np.arange(number) + 0.5) / number
    columns = x + length * depth * np.cos(turn)
    rows = y + length * depth * np.sin(turn)
    density = rng.normal(62, 14 / np.sqrt(max(stride, 0.3)), number).clip(15)
    slowness = np.exp(rng.exponential(0.45)) if chip.orbit else 1.0
    deposits = [(columns, rows, slowness * stride * density, depth)]
    knocked = rng.poisson(17.8 / 2000 * stride * number)
    for at in rng.integers(0, number, knocked):
        energy = min(2 / (1 - rng.uniform()), 300)
        side = turn + rng.normal(0, 1)
        deposits.append(
            _stopping_electron(rng, chip, columns[at], rows[at], energy, side)
        )
    return deposits


def _worm(rng: np.random.Generator, chip: Chip, x: float, y: float) -> list[Deposits]:
    """Return an electron of radioactivity, 60 keV and more."""
    energy = rng.uniform(60, 200) * np.exp(rng.exponential(0.5))
    return [_stopping_electron(rng, chip, x, y, energy)]


def _x_ray(rng: np.random.Generator, chip: Chip, x: float, y: float) -> list[Deposits]:
    """Return a photon of 1 to 9 keV, taken near the far side of a thick detector."""
    charge = rng.uniform(1, 9) * _PER_KEV
    depth = rng.uniform(0, 0.3) if chip.thickness > 20 else 0.5
    return [(np.array([x]), np.array([y]), np.array([charge]), np.array([depth]))]


def _alpha(rng: np.random.Generator, chip: Chip, x: float, y: float) -> list[Deposits]:
    """Return a blob of some MeV that its own charge drives apart."""
    number = 250
    radius = rng.uniform(0.6, 1.6)
    charge = rng.uniform(1, 5) * 1000 * _PER_KEV / number
    return [
        (
            x + radius * rng.normal(size=number),
            y + radius * rng.normal(size=number),
            np.full(number, charge),
            np.full(number, 0.6),
        )
    ]


_KINDS = (_track, _worm, _x_ray, _alpha)


def _gather(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, charge: np.ndarray
) -> None:
    """Add charges to the pixels that they are in."""
    ny, nx = image.shape
    column, row = np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)
    within = (column >= 0) & (row >= 0) & (column < nx) & (row < ny)
    at = row[within] * nx + column[within]
    image += np.bincount(at, charge[within], image.size).reshape(image.shape)


def draw_particles(
    rng: np.random.Generator, chip: Chip, shape: tuple[int, int], number: int
) -> np.ndarray:
    """
    Draw tracks, worms of electrons, X-rays and alpha particles.

    Charge spreads with the root of the way to the near side, where it is collected.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    chip : `~astrosieve_training.contaminant.second.instruments.Chip`
        Its thickness, its pixels, and what arrives.
    shape : (int, int)
        Of the image.
    number : int
        Of particles that arrive in the image and 15 pixels around.

    Returns
    -------
    charge : 2D `~numpy.ndarray`
        Electrons.
    """
    image = np.zeros(shape)
    if not number:
        return image
    ny, nx = shape
    deposits: list[Deposits] = []
    for kind in rng.choice(len(_KINDS), number, p=np.array(chip.mix) / sum(chip.mix)):
        x = rng.uniform(-_BEYOND, nx + _BEYOND)
        y = rng.uniform(-_BEYOND, ny + _BEYOND)
        deposits += _KINDS[kind](rng, chip, x, y)
    columns, rows, charge, depth = map(np.concatenate, zip(*deposits, strict=True))
    spread = chip.diffusion * np.sqrt(np.clip(1 - depth, 0.03, 1))
    for _ in range(_CLOUDS):
        x = columns + spread * rng.normal(size=columns.size)
        y = rows + spread * rng.normal(size=rows.size)
        _gather(image, x, y, charge / _CLOUDS)
    return image * _DENSER if chip.coupling else image


def draw_snowball(
    rng: np.random.Generator, shape: tuple[int, int], full_well: float
) -> np.ndarray:
    """Draw the disc of a heavy nucleus in an IR array: full, with a halo; electrons."""
    ny, nx = shape
    y, x = coordinates(shape)
    away = np.hypot(x - rng.uniform(0, nx), y - rng.uniform(0, ny))
    radius = rng.uniform(2, 6)
    halo = 0.35 * np.exp(-np.maximum(away - radius, 0) / (0.5 * radius))
    return full_well * np.where(away < radius, 1.5, halo)
