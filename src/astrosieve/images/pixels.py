"""Which pixels of an image are usable, and an even sample of them."""

from __future__ import annotations

from math import gcd

import numpy as np

from astrosieve.flags import Flag, FlagSet

__all__ = ['PIXEL_FLAGS', 'sample_pixels', 'spoilt_pixels']

PIXEL_FLAGS = FlagSet(
    [
        Flag(8, 'edge', 'the cutout reaches beyond the image; filled with sky'),
        Flag(16, 'masked', 'the cutout holds pixels that the mask excludes'),
        Flag(32, 'non_finite', 'the cutout holds NaN or infinite pixels'),
        Flag(64, 'no_signal', 'the cutout holds pixels that DQ calls without signal'),
    ]
)
"""Why pixels are not usable; flags of detections and frames build on these bits."""


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
        Bits 'masked', 'non_finite' and 'no_signal' of `PIXEL_FLAGS`; None where
        every pixel is usable.
    """
    spoilt = None
    # A sum that is finite has finite terms, and costs less than a test of each.
    with np.errstate(invalid='ignore'):  # infinities of both signs
        total = sci.sum(dtype=np.float64)
    finite = None if np.isfinite(total) else np.isfinite(sci)
    for bad, bit in (
        (mask, PIXEL_FLAGS.masked),
        (None if finite is None else ~finite, PIXEL_FLAGS.non_finite),
        (no_signal, PIXEL_FLAGS.no_signal),
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
