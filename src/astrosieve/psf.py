"""What an image says of its own point-spread function."""

from __future__ import annotations

import numpy as np
from astropy.stats import gaussian_sigma_to_fwhm

from astrosieve.background import Background, measure_background

__all__ = ['estimate_fwhm']

_MIN_AGREEING = 5  # peaks of about one width that make a mode


def estimate_fwhm(
    sci: np.ndarray,
    *,
    spoilt: np.ndarray | None = None,
    background: Background | None = None,
    min_stars: int = 10,
) -> float | None:
    """
    Estimate the FWHM of the point-spread function from the image itself.

    A Gaussian is fitted, linearly in the logarithm (Guo 2011, IEEE SPM 28,
    134), to the 3x3 pixels about each bright peak. Peaks that are not round,
    or whose next ring of pixels does not fall off as a star's, are left out:
    cosmic rays and hot pixels. The answer is the widest width at which many of
    the rest agree.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.
    background : `Background`, optional
        Measured where it is not given.
    min_stars : int, optional
        Fewest peaks that an estimate rests on.

    Returns
    -------
    fwhm : float or None
        Pixels; None where too few peaks look like stars.
    """
    background = background or measure_background(sci, spoilt=spoilt)
    if not background.noise > 0 or min(sci.shape) < 7:
        return None
    boxes = _bright_peaks(sci, spoilt, background)
    if len(boxes) < min_stars:
        return None
    widths = _gaussian_widths(boxes)
    return None if len(widths) < min_stars else _widest_mode(widths)


def _bright_peaks(
    sci: np.ndarray, spoilt: np.ndarray | None, background: Background
) -> np.ndarray:
    """Return (N, 5, 5) boxes about bright, unsaturated, local maxima."""
    threshold = background.level + 30 * background.noise
    inner = sci[2:-2, 2:-2]
    y, x = np.nonzero(inner > threshold)
    # Most pixels have a brighter neighbour; a box is cut out about the others only.
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        higher = sci[y + 2, x + 2] >= sci[y + 2 + dy, x + 2 + dx]
        y, x = y[higher], x[higher]
    if not len(x):
        return np.empty((0, 5, 5))
    view = np.lib.stride_tricks.sliding_window_view(sci, (5, 5))
    boxes = view[y, x].astype(np.float64) - background.level
    peak = boxes[:, 2, 2]
    others = boxes.reshape(len(boxes), 25)
    with np.errstate(invalid='ignore'):
        good = (peak >= others.max(axis=1)) & np.isfinite(others).all(axis=1)
        # A flat top is a saturated star, and no second peak belongs to it.
        good &= (others >= 0.98 * peak[:, None]).sum(axis=1) == 1
    if spoilt is not None:
        bad = np.lib.stride_tricks.sliding_window_view(spoilt, (5, 5))[y, x]
        good &= ~bad.reshape(len(bad), 25).any(axis=1)
    return boxes[good]


def _gaussian_widths(boxes: np.ndarray) -> np.ndarray:
    """Return the FWHM of the boxes that look like stars."""
    core = boxes[:, 1:4, 1:4]
    peak = boxes[:, 2, 2]
    positive = (core > 0.002 * peak[:, None, None]).all(axis=(1, 2))
    boxes, core, peak = boxes[positive], core[positive], peak[positive]
    log = np.log(core)
    curve_x = (log[:, :, 0] + log[:, :, 2] - 2 * log[:, :, 1]).mean(axis=1)
    curve_y = (log[:, 0] + log[:, 2] - 2 * log[:, 1]).mean(axis=1)
    cross = (log[:, 2, 2] + log[:, 0, 0] - log[:, 0, 2] - log[:, 2, 0]) / 4
    with np.errstate(invalid='ignore', divide='ignore'):
        sigma_x, sigma_y = np.sqrt(-1 / curve_x), np.sqrt(-1 / curve_y)
        ratio = np.log(sigma_x / sigma_y)
        sigma = np.sqrt(sigma_x * sigma_y)
        good = (np.abs(ratio) < 0.3) & (np.abs(cross) * sigma**2 < 0.15)
        good &= (sigma > 0.35) & (sigma < 4)
    boxes, core, sigma = boxes[good], core[good], sigma[good]
    # The ring beyond the 3x3 box: a Gaussian's share, plus wings, but no track.
    ring = boxes.sum(axis=(1, 2)) - core.sum(axis=(1, 2))
    offsets = np.arange(-2, 3)
    radius2 = offsets[:, None] ** 2 + offsets**2
    profile = np.exp(-radius2 / (2 * sigma[:, None, None] ** 2))
    expected = profile.sum(axis=(1, 2)) / profile[:, 1:4, 1:4].sum(axis=(1, 2)) - 1
    share = ring / core.sum(axis=(1, 2))
    corners = boxes[:, ::4, ::4].max(axis=(1, 2)) / boxes[:, 2, 2]
    like = (share > 0.5 * expected) & (share < 1.5 * expected + 0.3)
    like &= corners < 0.25 + profile[:, 0, 0]
    return sigma[like] * gaussian_sigma_to_fwhm


def _widest_mode(widths: np.ndarray) -> float | None:
    """
    Return the widest width at which many peaks agree, None where none do.

    Stars share one width, and no hit of a particle is wider than the optics;
    where hits outnumber stars the narrower mode is theirs.
    """
    logs = np.log(widths)
    grid = np.arange(logs.min() - 0.1, logs.max() + 0.1, 0.01)
    counts = np.exp(-(((grid[:, None] - logs) / 0.04) ** 2) / 2).sum(axis=1)
    peaks = 1 + np.flatnonzero(
        (counts[1:-1] >= counts[:-2]) & (counts[1:-1] > counts[2:])
    )
    peaks = peaks[counts[peaks] > max(0.15 * counts.max(), _MIN_AGREEING)]
    if not len(peaks):
        return None
    near = np.abs(logs - grid[peaks[-1]]) < 0.08
    return float(np.median(widths[near]))
