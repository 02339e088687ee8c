"""Bad pixels of WFC3/IR, and what else the detector leaves in an image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from astrosieve.images.instruments import instrument
from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate.fields import add_at, log_uniform

__all__ = [
    'bad_pixels',
    'banding',
    'cosmic_ray',
    'excluded',
    'group',
    'scratch',
    'snowball',
    'trail',
]

_SHARE = 0.012  # of single bad pixels, where there is no real table


@lru_cache(maxsize=1)
def _real() -> np.ndarray | None:
    """Return the real DQ plane without its blobs, if the data folder has it."""
    folder = data_folder()
    path = folder / 'wfc3ir_y711520di_bpx_unpacked_dq.fits.gz' if folder else None
    if path is None or not path.is_file():
        return None
    return np.asarray(fits.getdata(path, 'DQ1014')).astype(np.int16) & ~512


def bad_pixels(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """
    Return a DQ plane of bad pixels.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws the part of the real table, how it lies, or all of it where there is no
        data folder.
    shape : (int, int)
        Of the image.

    Returns
    -------
    dq : 2D int16 `~numpy.ndarray`
        Bits of WFC3/IR: 4 bad, 8 deviant zero, 16 hot, 32 unstable.
    """
    real = _real()
    if real is not None and min(shape) <= min(real.shape) >= max(shape):
        top, left = (
            int(rng.integers(n - m + 1)) for n, m in zip(real.shape, shape, strict=True)
        )
        dq = real[top : top + shape[0], left : left + shape[1]]
        return dq[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])].copy()
    dq = np.zeros(shape, np.int16)
    n = int(_SHARE * dq.size)
    dq.flat[rng.integers(dq.size, size=n)] = rng.choice(
        [4, 16, 32], n, p=[0.3, 0.1, 0.6]
    )
    y, x = np.ogrid[: shape[0], : shape[1]]
    x0, y0 = rng.uniform(0, shape[1]), rng.uniform(0, 0.1 * shape[0])
    # The 'death star', a disc of dead pixels.
    dq[(x - x0) ** 2 + (y - y0) ** 2 < (0.05 * shape[0]) ** 2] |= 4
    return dq


def excluded() -> int:
    """Return the DQ bits that exclude a pixel from a difference."""
    bits = instrument('WFC3', 'IR').dq
    return int(bits.no_signal | bits.saturated | bits.hot)


def banding(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return steps of quadrants, and bands of rows or columns; about one in size."""
    ny, nx = shape
    steps = np.repeat(
        np.repeat(rng.normal(size=(2, 2)), -(-ny // 2), 0), -(-nx // 2), 1
    )
    bands = rng.normal(size=(ny, 1)) * (rng.random() < 0.5)
    columns = rng.normal(size=(1, nx)) * (rng.random() < 0.3)
    return (steps[:ny, :nx] * (rng.random() < 0.5) + bands + columns).astype(np.float32)


def group(rng: np.random.Generator) -> np.ndarray:
    """Return a group of 2 to 12 bad pixels, the strongest 1."""
    piece = np.zeros((9, 9), np.float32)
    y = x = 4
    for _ in range(int(rng.integers(2, 13))):
        piece[y, x] = rng.uniform(0.3, 1)
        y, x = (int(np.clip(at + rng.integers(-1, 2), 0, 8)) for at in (y, x))
    return piece / piece.max()


def cosmic_ray(rng: np.random.Generator) -> np.ndarray:
    """Return a hit, the brightest pixel 1: a few pixels, seldom a track."""
    length = float(np.clip(rng.exponential(2.5), 0.5, 30))
    half = int(length / 2) + 3
    y, x = np.indices((2 * half + 1,) * 2) - half
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    over = np.maximum(np.abs(along) - length / 2, 0)
    piece = np.exp(-(across**2 + over**2) / rng.uniform(0.3, 0.9))
    return np.asarray(piece / piece.max(), dtype=np.float32)


def snowball(rng: np.random.Generator) -> np.ndarray:
    """Return a round hit with a saturated core, 1, and a halo."""
    radius = rng.uniform(2, 9)
    half = int(3 * radius)
    y, x = np.indices((2 * half + 1,) * 2) - half
    away = np.hypot(x, y) / radius
    return np.asarray(1 / (1 + away ** rng.uniform(4, 8)), dtype=np.float32)


def trail(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a satellite's trail right through the image, 1 in the middle."""
    angle = rng.uniform(0, np.pi)
    y, x = (np.arange(n, dtype=np.float32) - rng.uniform(0, n) for n in shape)
    away = np.float32(np.cos(angle)) * y[:, None] - np.float32(np.sin(angle)) * x
    width = np.float32(log_uniform(rng, 0.8, 6))
    return np.exp(-((away / width) ** 2))


def scratch(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a bent line of points, the strongest 1."""
    image = np.zeros(shape, np.float32)
    n = int(rng.integers(30, 300))
    turns = np.cumsum(rng.normal(0, 0.03, n)) + rng.uniform(0, 2 * np.pi)
    x = rng.uniform(0, shape[1]) + np.cumsum(np.cos(turns))
    y = rng.uniform(0, shape[0]) + np.cumsum(np.sin(turns))
    point = np.zeros((9, 9), np.float32)
    point[4, 4] = 1
    point = gaussian_filter(point, rng.uniform(0.5, 1.2))
    for at in zip(np.round(x).astype(int), np.round(y).astype(int), strict=True):
        add_at(image, point, *map(int, at))
    return image / max(float(image.max()), 1e-6)
