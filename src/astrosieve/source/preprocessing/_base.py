"""What all preprocessings have in common: their form, and the cutting out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from astrosieve.images.background import BackgroundMesh
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.models.inputs import Batch, Preprocessing
from astrosieve.source.flags import CLASS_FLAGS

_UNSCORABLE = CLASS_FLAGS.value(
    'bad_position', 'outside', 'invalid_center', 'too_few_pixels', 'no_contrast'
)


class FittedPreprocessing(Protocol):
    """A preprocessing that has seen its image."""

    @property
    def fill(self) -> dict[str, float]:
        """Value of a pixel that shows nothing but sky, by name of an image input."""

    def __call__(self, xy: np.ndarray) -> Batch:
        """Return the inputs for (N, 2) positions ``(x, y)``, pixels, 0-based."""

    def told(self, fwhm: float | None) -> FittedPreprocessing:
        """Return the same with a width of the PSF, pixels, None for not known."""


class SourcePreprocessing(Preprocessing, Protocol):
    """
    What turns images and positions into inputs.

    The input 'cutouts' is (N, 1, size, size), pixel for pixel about the positions;
    other inputs are the preprocessing's own. ``scales`` gives the image's pixels to
    one of a cutout's, along a side, by the name of those that are images.
    ``apparent`` says that the width of the PSF is the one that the 3x3 pixels of stars
    seem to have.
    """

    size: int
    needs_fwhm: bool
    apparent: bool
    scales: dict[str, int]

    def fit(
        self,
        sci: np.ndarray,
        *,
        spoilt: np.ndarray | None = None,
        fwhm: float | None = None,
        mesh: BackgroundMesh | None = None,
    ) -> FittedPreprocessing:
        """
        Measure what the whole image says.

        ``spoilt`` is as from `~astrosieve.images.pixels.spoilt_pixels`; ``fwhm``,
        pixels, is wanted where `needs_fwhm` is true; ``mesh`` saves its measurement.
        A ``fwhm`` of None is one that is not known.
        """


@dataclass(frozen=True)
class Cut:
    """
    Cutouts about positions, and what is to be said of them.

    Parameters
    ----------
    pixels : (N, size, size) float32 `~numpy.ndarray`
        Copies; NaN where a pixel is not usable or lies beyond the image.
    ix, iy : (N,) int64 `~numpy.ndarray`
        Pixels that the positions fall on, -1 where they fall on none.
    flags, valid
        As in `Batch`.
    """

    pixels: np.ndarray
    ix: np.ndarray
    iy: np.ndarray
    flags: np.ndarray
    valid: np.ndarray


def cut_out(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    xy: np.ndarray,
    size: int,
    *,
    max_spoilt: float,
    contrast: bool,
) -> Cut:
    """
    Cut squares out of an image and flag what is wrong with them.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D uint8 `~numpy.ndarray` or None
        As from `~astrosieve.images.pixels.spoilt_pixels`.
    xy : (N, 2) `~numpy.ndarray`
        Positions ``(x, y)``, pixels, 0-based.
    size : int
        Side, pixels, odd.
    max_spoilt : float
        Largest share of a cutout's pixels that may be unusable.
    contrast : bool
        Whether the image has more than one value.

    Returns
    -------
    cut : `Cut`
    """
    shape = (sci.shape[0], sci.shape[1])
    ix, iy, finite, inside = pixel_indices(xy, shape)
    flags = np.zeros(len(xy), dtype=np.int32)
    flags[~finite] |= CLASS_FLAGS.bad_position
    flags[finite & ~inside] |= CLASS_FLAGS.outside

    half = size // 2
    beyond = (ix < half) | (ix >= shape[1] - half)
    beyond |= (iy < half) | (iy >= shape[0] - half)
    flags[inside & beyond] |= CLASS_FLAGS.edge

    pixels = extract_cutouts(sci, ix, iy, size, fill=np.nan)
    pixels = pixels.astype(np.float32, copy=False)
    rows, bits = _bits(spoilt, shape, ix, iy, beyond, size)
    if len(rows):
        bad = bits != 0
        pixels[rows] = np.where(bad, np.float32(np.nan), pixels[rows])
        known = np.bitwise_or.reduce(bits, axis=(1, 2)).astype(np.int32)
        flags[rows] |= known & ~CLASS_FLAGS.edge
        centre = inside[rows] & bad[:, half, half]
        flags[rows[centre]] |= CLASS_FLAGS.invalid_center
        few = inside[rows] & (bad.mean(axis=(1, 2)) > max_spoilt)
        flags[rows[few]] |= CLASS_FLAGS.too_few_pixels
    if not contrast:
        flags |= CLASS_FLAGS.no_contrast
    valid = (flags & _UNSCORABLE) == 0
    flags[~valid] |= CLASS_FLAGS.unscored
    return Cut(pixels, ix, iy, flags, valid)


def _bits(
    spoilt: np.ndarray | None,
    shape: tuple[int, int],
    ix: np.ndarray,
    iy: np.ndarray,
    beyond: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that hold unusable pixels, and their bits per pixel."""
    if spoilt is None:
        rows = np.flatnonzero(beyond)
        nothing = np.broadcast_to(np.uint8(0), shape)
        return rows, extract_cutouts(
            nothing, ix[rows], iy[rows], size, fill=CLASS_FLAGS.edge
        )
    bits = extract_cutouts(spoilt, ix, iy, size, fill=CLASS_FLAGS.edge)
    rows = np.flatnonzero(bits.any(axis=(1, 2)))
    return rows, bits[rows]
