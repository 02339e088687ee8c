"""Images of the monitor: airglow over the dark Earth through a mirror with blobs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy.ndimage import shift

from astrosieve_training.blob.profiles import (
    Profile,
    Stamps,
    draw_profile,
    real_stamps,
)
from astrosieve_training.blob.simulate import detector
from astrosieve_training.blob.simulate.difference import blob_table, draw_depth
from astrosieve_training.simulate.fields import add_at, log_uniform, ripples

__all__ = ['SimulatedImage', 'simulate_monitor']

_START = 58_000.0  # MJD of the first image
_READ_NOISE = 15.0  # of a ramp, electrons
_HIT = 8192  # DQ of cosmic rays that the ramp shows


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """
    An image of the monitor and its truth.

    Parameters
    ----------
    data, err : (ny, nx) float32 `~numpy.ndarray`
        Electrons per second.
    dq : (ny, nx) int16 `~numpy.ndarray`
        Bits of WFC3/IR.
    date : float
        Start of the exposure, MJD.
    exptime : float
        Seconds.
    shift : (float, float)
        Of the mirror, (dy, dx), pixels.
    blobs : `~astropy.table.Table`
        ``x``, ``y``, ``radius``, ``depth``, ``kind`` and ``since``, the MJD of the
        first image that has it, of blobs that appeared during the sequence and are in
        this image. Positions are where the mirror is when it has not moved.
    known : `~astropy.table.Table`
        The same, without ``since``, of blobs that all images have.
    """

    data: np.ndarray
    err: np.ndarray
    dq: np.ndarray
    date: float
    exptime: float
    shift: tuple[float, float]
    blobs: Table
    known: Table


@dataclass(frozen=True)
class _Blob:
    """A blob on the mirror: from which image on, where, how deep."""

    profile: Profile
    x: int
    y: int
    depth: float
    first: int

    @property
    def row(self) -> tuple[float, float, float, float, str]:
        """Return its truth."""
        each = self.profile
        return self.x + each.x, self.y + each.y, each.radius, self.depth, each.kind


def _blobs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    stamps: Stamps | None,
    firsts: list[int],
) -> list[_Blob]:
    ny, nx = shape
    return [
        _Blob(
            draw_profile(rng, stamps),
            int(rng.integers(8, nx - 8)),
            int(rng.integers(8, ny - 8)),
            draw_depth(rng),
            first,
        )
        for first in firsts
    ]


def _throughput(
    blobs: list[_Blob], shape: tuple[int, int], moved: np.ndarray
) -> np.ndarray:
    """Return the share of the light that comes through."""
    through = np.zeros(shape, np.float32)
    for blob in blobs:
        image = shift(blob.profile.image, moved, order=1)
        add_at(through, np.log1p(-np.minimum(blob.depth * image, 0.95)), blob.x, blob.y)
    return np.exp(through)


def _exposure(
    rng: np.random.Generator, rate: np.ndarray, exptime: float, dq: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a noisy image, its errors and DQ."""
    variance = np.maximum(rate * exptime, 0) + _READ_NOISE**2
    err = (np.sqrt(variance) / exptime).astype(np.float32)
    data = rate + err * rng.standard_normal(rate.shape, dtype=np.float32)
    ny, nx = data.shape
    for _ in range(rng.poisson(60 * data.size / 1014**2)):
        x, y = int(rng.integers(nx)), int(rng.integers(ny))
        piece = detector.cosmic_ray(rng)
        add_at(data, piece, x, y, times=log_uniform(rng, 0.3, 30))
    dq = dq.copy()
    lost = rng.integers(data.size, size=data.size // 400)
    dq.flat[lost] |= _HIT
    strange = dq & detector.excluded() != 0
    spread = rng.standard_normal(int(strange.sum()), dtype=np.float32)
    data[strange] += np.float32(3 * np.median(rate)) * spread
    return data.astype(np.float32), err, dq


def simulate_monitor(
    seed: int,
    n_images: int = 31,
    *,
    shape: tuple[int, int] = (1014, 1014),
    n_new: int | None = None,
    stamps: Stamps | None = None,
) -> list[SimulatedImage]:
    """
    Simulate a sequence of images of the monitor, of F153M.

    All have the detector, the flat and the older blobs in common. Level and slope of
    the airglow, the exposure time and the mirror's place differ, and new blobs come
    and stay. One at least comes with the last image.

    Parameters
    ----------
    seed : int
        Decides everything.
    n_images : int, optional
        How many, a few days apart.
    shape : (int, int), optional
        Of the images, (ny, nx).
    n_new : int, optional
        Blobs that come with the second image or later; by default 1 to 6.
    stamps : `~astrosieve_training.blob.profiles.Stamps`, optional
        As for `~astrosieve_training.blob.simulate.simulate_difference`.

    Returns
    -------
    images : list of `SimulatedImage`
        By date.
    """
    rng = np.random.default_rng([seed, 1])
    stamps = stamps or real_stamps('training')
    last = n_images - 1
    n_new = int(rng.integers(1, 7)) if n_new is None else n_new
    firsts = [int(rng.integers(min(1, last), n_images)) for _ in range(n_new)]
    firsts[:1] = [last] * bool(firsts)
    new = _blobs(rng, shape, stamps, firsts)
    n_old = rng.poisson(40 * shape[0] * shape[1] / 1014**2)
    old = _blobs(rng, shape, stamps, [0] * n_old)
    dq = detector.bad_pixels(rng, shape)
    flat = np.exp(0.01 * rng.standard_normal(shape, dtype=np.float32))
    for each in ripples(rng, shape):
        flat *= 1 + each
    dates = _START + np.cumsum(rng.uniform(0.5, 4, n_images))
    known = blob_table([blob.row for blob in old])
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    images = []
    for number, date in enumerate(dates.tolist()):
        exptime = float(rng.choice([299.2, 499.2, 599.2, 1002.9]))
        level = log_uniform(rng, 0.7, 5)
        slopes = rng.normal(0, 0.02, 2).astype(np.float32)
        glow = np.float32(level) * (1 + slopes[0] * y[:, None] + slopes[1] * x)
        moved = np.clip(rng.normal(0, 0.3, 2), -1, 1)
        seen = [blob for blob in new if blob.first <= number]
        rate = glow * flat * _throughput(old + seen, shape, moved)
        blobs = blob_table([blob.row for blob in seen])
        blobs['since'] = [dates[blob.first] for blob in seen] or np.zeros(0)
        images.append(
            SimulatedImage(
                *_exposure(rng, rate, exptime, dq),
                date,
                exptime,
                (float(moved[0]), float(moved[1])),
                blobs,
                known,
            )
        )
    return images
