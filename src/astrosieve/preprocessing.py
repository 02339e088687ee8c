"""
From an image and positions to the inputs of a network.

Training and inference share what is here, so that a network never sees
pixels prepared in another way than those it was trained on. A preprocessing
has a versioned name, which the model card states.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from astrosieve._flags import CLASS_FLAGS
from astrosieve.cutouts import extract_cutouts, pixel_indices
from astrosieve.exceptions import ModelError

__all__ = [
    'Batch',
    'FittedPreprocessing',
    'Preprocessing',
    'ZScaleLog',
    'get_preprocessing',
    'sample_pixels',
    'spoilt_pixels',
]


@dataclass(frozen=True)
class Batch:
    """
    Inputs of a network for N positions.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, by the name of the network's input.
    flags : (N,) int32 `~numpy.ndarray`
        Bits of ``class_flags``.
    valid : (N,) bool `~numpy.ndarray`
        `False` where the row cannot be scored.
    """

    inputs: dict[str, np.ndarray]
    flags: np.ndarray
    valid: np.ndarray


class FittedPreprocessing(Protocol):
    """A preprocessing that has seen its image."""

    @property
    def fill(self) -> dict[str, float]:
        """Value of a pixel that shows nothing but sky, by name of the input."""

    def __call__(self, xy: np.ndarray) -> Batch:
        """Return the inputs for (N, 2) positions ``(x, y)``, pixels, 0-based."""


class Preprocessing(Protocol):
    """What turns images and positions into inputs."""

    name: str
    size: int

    def fit(
        self, sci: np.ndarray, *, spoilt: np.ndarray | None = None
    ) -> FittedPreprocessing:
        """Measure what the whole image says; ``spoilt`` as in `spoilt_pixels`."""


def spoilt_pixels(
    sci: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    no_signal: np.ndarray | None = None,
) -> np.ndarray | None:
    """
    Return which pixels of an image are not usable, and why.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image; NaN and infinite pixels are not usable.
    mask, no_signal : 2D bool `~numpy.ndarray`, optional
        Pixels that the user excludes, and pixels that carry no signal.

    Returns
    -------
    spoilt : 2D uint8 `~numpy.ndarray` or None
        Bits 'masked', 'non_finite' and 'no_signal' of ``class_flags``; None
        where every pixel is usable.
    """
    spoilt = None
    # A sum that is finite has finite terms, and costs less than a test of each.
    with np.errstate(invalid='ignore'):  # infinities of both signs
        total = sci.sum(dtype=np.float64)
    finite = None if np.isfinite(total) else np.isfinite(sci)
    for bad, bit in (
        (mask, CLASS_FLAGS.masked),
        (None if finite is None else ~finite, CLASS_FLAGS.non_finite),
        (no_signal, CLASS_FLAGS.no_signal),
    ):
        if bad is not None and bad.any():
            bits = np.where(bad, np.uint8(bit), np.uint8(0))
            spoilt = bits if spoilt is None else spoilt | bits
    return spoilt


def sample_pixels(
    sci: np.ndarray, n_samples: int, *, spoilt: np.ndarray | None = None
) -> np.ndarray:
    """
    Return an even sample of an image's usable pixels.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    n_samples : int
        How many pixels to aim at.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.

    Returns
    -------
    sample : 1D float64 `~numpy.ndarray`
        Values, from all over the image; the same for the same image.
    """
    usable = sci.size if spoilt is None else sci.size - int(np.count_nonzero(spoilt))
    step = max(1, usable // n_samples)
    while gcd(step, sci.shape[1] or 1) > 1:  # so that no column is preferred
        step += 1
    sample = sci.ravel()[::step]
    if spoilt is not None:
        sample = sample[spoilt.ravel()[::step] == 0]
    sample = sample.astype(np.float64)
    return sample[np.isfinite(sample)]


class ZScaleLog:
    """
    The published normalisation, made independent of the sky's level.

    The report (WFC3 ISR 2024-14) clamps an exposure to ``(z1, 100 z2)``, z1
    and z2 being its ZScale limits, takes the logarithm and scales to [0, 1].
    That needs z1 > 0, which a sky-subtracted or faint exposure does not give,
    and it depends on the level of the sky. Here the pixels are measured from
    z1 in units of the ZScale range:

        y = log(1 + clip((v - z1) / (z2 - z1), 0, 100)) / log(101)

    Adding a constant or multiplying by a factor changes nothing. The limits
    come from an even sample of the exposure's usable pixels. Pixels that are
    not usable take the value of the sky (the sample's median).

    Parameters
    ----------
    size : int, optional
        Side of the cutouts, pixels.
    n_samples : int, optional
        Pixels that ZScale looks at.
    max_spoilt : float, optional
        Largest share of the cutout's pixels that may be unusable.
    """

    name = 'zscale-log-1'

    def __init__(
        self, size: int = 11, *, n_samples: int = 20_000, max_spoilt: float = 0.25
    ) -> None:
        self.size = size
        self.n_samples = n_samples
        self.max_spoilt = max_spoilt

    def fit(
        self, sci: np.ndarray, *, spoilt: np.ndarray | None = None
    ) -> FittedPreprocessing:
        """
        Find the limits of an image.

        Parameters
        ----------
        sci : 2D `~numpy.ndarray`
            Image in any linear unit, with or without its sky.
        spoilt : 2D uint8 `~numpy.ndarray`, optional
            As from `spoilt_pixels`.

        Returns
        -------
        fitted : callable
            Takes (N, 2) positions, returns a `Batch` whose input 'cutouts' is
            (N, 1, size, size) float32 in [0, 1].
        """
        sample = sample_pixels(sci, self.n_samples, spoilt=spoilt)
        low, span = _zscale(sample)
        sky = float(np.median(sample)) if sample.size else 0.0
        return _FittedZScaleLog(self, sci, spoilt, low=low, span=span, sky=sky)


def _zscale(sample: np.ndarray) -> tuple[float, float]:
    """Return the lower ZScale limit and the range, 0 where there is no contrast."""
    from astropy.visualization.interval import ZScaleInterval

    if sample.size < 2:
        return 0.0, 0.0
    # About the median: a large pedestal would cost the line fit its precision.
    level = np.median(sample)
    rest = sample - level
    low, high = ZScaleInterval(n_samples=rest.size).get_limits(rest)
    if not high > low:  # most pixels share one value, as in an image without noise
        low, high = rest.min(), rest.min() + (rest.max() - rest.min()) / 100
    return float(level + low), float(high - low)


@dataclass(frozen=True)
class _FittedZScaleLog:
    """`ZScaleLog` with the limits of one image."""

    settings: ZScaleLog
    sci: np.ndarray
    spoilt: np.ndarray | None
    low: float
    span: float
    sky: float

    @property
    def fill(self) -> dict[str, float]:
        """Value of a pixel that shows nothing but sky, by name of the input."""
        sky = np.full((1, 1), self.sky, dtype=np.float32)
        return {'cutouts': float(self._scaled(sky)[0, 0])}

    def _scaled(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels on the network's scale; the array is changed."""
        pixels -= np.float32(self.low)
        pixels *= np.float32(1 / self.span if self.span > 0 else 0)
        np.clip(pixels, 0, 100, out=pixels)
        np.log1p(pixels, out=pixels)
        pixels *= np.float32(1 / np.log(101))
        return pixels

    def __call__(self, xy: np.ndarray) -> Batch:
        size = self.settings.size
        shape = (self.sci.shape[0], self.sci.shape[1])
        ix, iy, finite, inside = pixel_indices(xy, shape)
        flags = np.zeros(len(xy), dtype=np.int32)
        flags[~finite] |= CLASS_FLAGS.bad_position
        flags[finite & ~inside] |= CLASS_FLAGS.outside

        half = size // 2
        beyond = (ix < half) | (ix >= shape[1] - half)
        beyond |= (iy < half) | (iy >= shape[0] - half)
        flags[inside & beyond] |= CLASS_FLAGS.edge

        pixels = extract_cutouts(self.sci, ix, iy, size, fill=self.sky)
        pixels = pixels.astype(np.float32, copy=False)
        rows, bits = self._bits(ix, iy, beyond)
        if len(rows):
            bad = bits != 0
            pixels[rows] = np.where(bad, np.float32(self.sky), pixels[rows])
            known = np.bitwise_or.reduce(bits, axis=(1, 2)).astype(np.int32)
            flags[rows] |= known & ~CLASS_FLAGS.edge
            centre = inside[rows] & bad[:, half, half]
            flags[rows[centre]] |= CLASS_FLAGS.invalid_center
            few = inside[rows] & (bad.mean(axis=(1, 2)) > self.settings.max_spoilt)
            flags[rows[few]] |= CLASS_FLAGS.too_few_pixels
        if not self.span > 0:
            flags |= CLASS_FLAGS.no_contrast
        reasons = CLASS_FLAGS.value(
            'bad_position', 'outside', 'invalid_center', 'too_few_pixels', 'no_contrast'
        )
        valid = (flags & reasons) == 0
        flags[~valid] |= CLASS_FLAGS.unscored

        return Batch({'cutouts': self._scaled(pixels)[:, None]}, flags, valid)

    def _bits(
        self, ix: np.ndarray, iy: np.ndarray, beyond: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that hold unusable pixels, and their bits per pixel."""
        size = self.settings.size
        if self.spoilt is None:
            rows = np.flatnonzero(beyond)
            nothing = np.broadcast_to(np.uint8(0), self.sci.shape)
            return rows, extract_cutouts(
                nothing, ix[rows], iy[rows], size, fill=CLASS_FLAGS.edge
            )
        bits = extract_cutouts(self.spoilt, ix, iy, size, fill=CLASS_FLAGS.edge)
        rows = np.flatnonzero(bits.any(axis=(1, 2)))
        return rows, bits[rows]


_PREPROCESSINGS = {ZScaleLog.name: ZScaleLog}


def get_preprocessing(name: str) -> Preprocessing:
    """
    Return a preprocessing by the name that model cards state.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    if name not in _PREPROCESSINGS:
        known = ', '.join(_PREPROCESSINGS)
        msg = (
            f'preprocessing {name!r} is not known here (known: {known}); '
            'the model may need a newer astrosieve'
        )
        raise ModelError(msg)
    return _PREPROCESSINGS[name]()
