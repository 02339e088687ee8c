"""
Detectors: what happens to electrons between the light and the calibrated image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from astrosieve.images.instruments import instrument

if TYPE_CHECKING:
    from astrosieve_training.simulate.cameras import Camera

__all__ = [
    'Defects',
    'Slab',
    'bleed',
    'cte_fractions',
    'flat_field',
    'make_defects',
    'trail',
]


@dataclass(frozen=True)
class Slab:
    """
    The layer in which charge is collected.

    Attributes
    ----------
    pixel_um, thickness_um : float
        Pixel pitch and thickness, micrometres.
    diffusion_um : float
        Standard deviation of the lateral spread of charge set free at the surface
        farthest from the gates. It falls with the square root of the distance, to a
        floor of a quarter.
    tail_share : float
        Share of the charge that comes from a layer without field and spreads 2.6 times
        as far; 0 for a fully depleted slab.
    """

    pixel_um: float = 15.0
    thickness_um: float = 16.0
    diffusion_um: float = 4.5
    tail_share: float = 0.25


@dataclass(frozen=True)
class Defects:
    """
    The faults of one chip; they stay from exposure to exposure.

    Attributes
    ----------
    rate : 2D float32 `~numpy.ndarray`
        Dark current above the common one, electrons per second.
    response : 2D float32 `~numpy.ndarray`
        Relative response; 0 where dead.
    unstable : 2D bool `~numpy.ndarray`
        Pixels whose dark current changes from exposure to exposure.
    columns : 2D float32 `~numpy.ndarray`
        Offset of bad columns, electrons.
    dq : 2D int16 `~numpy.ndarray`
        What the pipeline knows of it, in the bits of the camera's instrument.
    """

    rate: np.ndarray
    response: np.ndarray
    unstable: np.ndarray
    columns: np.ndarray
    dq: np.ndarray


def make_defects(
    camera: Camera, shape: tuple[int, int], rng: np.random.Generator
) -> Defects:
    """
    Draw the faults of a chip.

    Parameters
    ----------
    camera : `~astrosieve_training.simulate.cameras.Camera`
        Says how many there are.
    shape : (int, int)
        Pixels, (ny, nx).
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    defects : `Defects`
        Not all of them are marked in ``dq``, and some marks are stale.
    """
    ny, nx = shape
    size = ny * nx
    rate = np.zeros(shape, np.float32)
    response = np.ones(shape, np.float32)
    unstable = np.zeros(shape, bool)
    columns = np.zeros(shape, np.float32)
    dq = np.zeros(shape, np.int16)
    known = camera.flag_completeness
    bits = instrument(camera.instrument, camera.detector).dq.written

    def draw(fraction: float) -> np.ndarray:
        return rng.integers(size, size=rng.poisson(fraction * size))

    def mark(index: np.ndarray, bit: int) -> None:
        chosen = index[rng.random(len(index)) < known]
        dq.flat[chosen] |= bit

    hot = draw(camera.hot_fraction)
    # An exponential with a shallow tail of very hot ones.
    scale = camera.hot_rate * np.where(rng.random(len(hot)) < 0.05, 8.0, 1.0)
    rate.flat[hot] = camera.hot_rate * 0.3 + scale * rng.exponential(size=len(hot))
    mark(hot, bits['hot'])
    warm = draw(camera.warm_fraction)
    rate.flat[warm] += camera.hot_rate * rng.uniform(0.03, 0.3, len(warm))
    mark(warm, bits['warm'])
    loose = draw(camera.unstable_fraction)
    unstable.flat[loose] = True
    rate.flat[loose] += camera.hot_rate * rng.exponential(size=len(loose))
    mark(loose, bits['unstable'])
    dead = draw(camera.dead_fraction)
    response.flat[dead] = rng.uniform(0, 0.5, len(dead)) * (rng.random(len(dead)) < 0.6)
    mark(dead, bits['bad'])
    stale = draw(0.05 * camera.hot_fraction)
    dq.flat[stale] |= bits['hot']
    # The density of bad columns is that of a chip 4,096 wide.
    for _ in range(rng.poisson(camera.bad_columns * nx / camera.shape[1])):
        column = int(rng.integers(nx))
        start = int(rng.integers(ny)) if rng.random() < 0.7 else 0
        if rng.random() < 0.7:
            level = camera.hot_rate * 30 * rng.exponential()
            level += rng.uniform(3, 12) * max(camera.read_noise, 1.0)
            columns[start:, column] += level * rng.uniform(0.7, 1.3, ny - start)
        else:
            response[start:, column] *= rng.uniform(0.0, 0.6)
        if rng.random() < known:
            dq[start:, column] |= bits['bad']
    return Defects(rate, response, unstable, columns, dq)


def flat_field(
    shape: tuple[int, int], noise: float, rng: np.random.Generator
) -> np.ndarray:
    """
    Return what is left of the response after flat-fielding.

    Parameters
    ----------
    shape : (int, int)
        Pixels.
    noise : float
        Standard deviation from pixel to pixel; the large-scale part has half of it.
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    flat : 2D float32 `~numpy.ndarray`
        Around 1.
    """
    flat = 1 + noise * rng.standard_normal(shape, dtype=np.float32)
    coarse = rng.standard_normal((6, 6))
    zoom = (shape[0] / 6, shape[1] / 6)
    large = ndimage.zoom(coarse, zoom, order=3)[: shape[0], : shape[1]]
    flat[: large.shape[0], : large.shape[1]] += (0.5 * noise * large).astype(np.float32)
    return flat


def bleed(image: np.ndarray, full_well: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Let charge above full well run along the columns.

    Parameters
    ----------
    image : 2D array_like
        Electrons.
    full_well : float
        Electrons that a pixel holds.

    Returns
    -------
    clipped : 2D `~numpy.ndarray`
        What stays where it was.
    moved : 2D `~numpy.ndarray`
        What arrives from other pixels: half of the excess runs up, half down, until
        there is room; what reaches an end of the column turns back, and only what then
        finds no room leaves the detector.
    """
    image = np.asarray(image)
    clipped = np.minimum(image, full_well)
    moved = np.zeros_like(clipped)
    columns = np.flatnonzero((image > full_well).any(axis=0))
    if not len(columns):
        return clipped, moved
    room = full_well - clipped[:, columns].astype(float)
    excess = image[:, columns].astype(float) - clipped[:, columns]
    arrived = np.zeros_like(room)

    def sweep(source: np.ndarray, rows: range) -> np.ndarray:
        carry = np.zeros(len(columns))
        for row in rows:
            carry += source[row]
            taken = np.minimum(carry, room[row])
            arrived[row] += taken
            room[row] -= taken
            carry -= taken
        return carry

    ny = image.shape[0]
    up, down = range(ny), range(ny - 1, -1, -1)
    # Alternate thin slices of the excess, so that both sides fill alike.
    for _ in range(2):
        top = sweep(excess / 4, up)
        bottom = sweep(excess / 4, down)
        back = np.zeros_like(room)
        back[-1] = top
        sweep(back, down)
        back[:] = 0
        back[0] = bottom
        sweep(back, up)
    moved[:, columns] = arrived
    return clipped, moved


def cte_fractions(image: np.ndarray, loss: float, transfers: np.ndarray) -> np.ndarray:
    """
    Return the share of each pixel's charge that is left behind in readout.

    Parameters
    ----------
    image : 2D array_like
        Electrons, sky included.
    loss : float
        Share that a packet of 1,000 electrons loses over the whole chip.
    transfers : (ny,) array_like
        Rows to the register as a share of the chip.

    Returns
    -------
    share : 2D float32 `~numpy.ndarray`
        Small packets lose more: the share goes as the charge to the power -0.45.
    """
    packet = np.maximum(np.asarray(image, np.float32), 10.0)
    share = loss * (packet / 1000.0) ** np.float32(-0.45)
    share *= np.asarray(transfers, np.float32)[:, None]
    return np.minimum(share, 0.6)


def trail(deferred: np.ndarray, direction: int) -> np.ndarray:
    """
    Spread deferred charge into trails.

    Parameters
    ----------
    deferred : 2D array_like
        Electrons that were left behind.
    direction : int
        1 where trails point to larger y, -1 to smaller.

    Returns
    -------
    trails : 2D `~numpy.ndarray`
        Two exponentials with scales of 1.5 and 12 pixels, away from the register.
    """
    out = np.zeros_like(deferred)
    source, target = deferred[::direction], out[::direction]
    for weight, scale in ((0.6, 1.5), (0.4, 12.0)):
        decay = np.exp(-1 / scale)
        gain = weight * (1 - decay)
        state = np.zeros(deferred.shape[1], np.float32)
        for row in range(1, len(source)):
            state = decay * state + source[row - 1]
            target[row] += gain * state
    return out
