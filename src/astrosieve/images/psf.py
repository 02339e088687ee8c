"""What an image says of its own point-spread function."""

from __future__ import annotations

import numpy as np
from astropy.stats import gaussian_sigma_to_fwhm

from astrosieve.images.background import (
    Background,
    BackgroundMesh,
    measure_background,
    measure_mesh,
)

__all__ = ['estimate_fwhm']

_MIN_SNR = 15.0  # of the brightest pixel of a star that is measured
_MIN_AGREEING = 4  # peaks of about one width that make a mode
_PIXELS = 2_000_000  # pixels that are searched for peaks, about
_BAND = 64  # rows
_MOST = 4_000  # peaks that are measured
# The 3x3 pixels of no star look narrower than this, of most hits they do.
_NARROWEST = 1.5
# Largest residual of a star in 5x5 pixels, of its amplitude: undersampled, and not.
_RESIDUALS = (0.06, 0.04)
_SAMPLED = 2.1


def estimate_fwhm(
    sci: np.ndarray,
    *,
    spoilt: np.ndarray | None = None,
    background: Background | None = None,
    mesh: BackgroundMesh | None = None,
) -> float | None:
    """
    Estimate the FWHM of the point-spread function from the image itself.

    A Gaussian is fitted, linearly in the logarithm (Guo 2011, IEEE SPM 28,
    134), to the 3x3 pixels about each bright peak. Peaks that are not round, that
    are narrower than a star can be, whose next ring of pixels does not fall off as
    a star's, or that leave a residual are left out: cosmic rays, hot pixels,
    galaxies. The answer is the width at which most of the rest agree. Below 1.6
    pixels the fit is too wide, by up to a third.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are left out.
    background : `~astrosieve.images.background.Background`, optional
        Of the whole image; measured where it is not given.
    mesh : `~astrosieve.images.background.BackgroundMesh`, optional
        Of the image; measured where it is not given.

    Returns
    -------
    fwhm : float or None
        Pixels; None where too few peaks look like stars.
    """
    background = background or measure_background(sci, spoilt=spoilt)
    if not background.noise > 0 or min(sci.shape) < 7:
        return None
    mesh = mesh or measure_mesh(sci, spoilt=spoilt, background=background)
    widths = _gaussian_widths(_bright_peaks(sci, spoilt, background, mesh))
    return _commonest(widths) if len(widths) >= _MIN_AGREEING else None


def _bright_peaks(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    background: Background,
    mesh: BackgroundMesh,
) -> np.ndarray:
    """Return (N, 5, 5) boxes about bright, unsaturated, local maxima, without sky."""
    threshold = background.level + _MIN_SNR * background.noise
    # Every other band of rows, or fewer: a large image has stars enough.
    bands = -(-sci.size // _PIXELS)
    rows = np.arange(2, sci.shape[0] - 2)
    rows = rows[rows // _BAND % bands == 0]
    y, x = np.nonzero(sci[rows, 2:-2] > threshold)
    y = rows[y] - 2
    # Most pixels have a brighter neighbour; a box is cut out about the others only.
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        higher = sci[y + 2, x + 2] >= sci[y + 2 + dy, x + 2 + dx]
        y, x = y[higher], x[higher]
    step = -(-len(x) // _MOST) or 1
    y, x = y[::step], x[::step]
    level, noise = mesh.at(x + 2, y + 2)
    view = np.lib.stride_tricks.sliding_window_view(sci, (5, 5))
    boxes = view[y, x].astype(np.float64) - level[:, None, None]
    peak = boxes[:, 2, 2]
    others = boxes.reshape(len(boxes), 25)
    with np.errstate(invalid='ignore'):
        good = (peak >= others.max(axis=1)) & np.isfinite(others).all(axis=1)
        good &= peak > _MIN_SNR * noise
        # A flat top is a saturated star, and no second peak belongs to it.
        good &= (others >= 0.98 * peak[:, None]).sum(axis=1) == 1
    if spoilt is not None:
        bad = np.lib.stride_tricks.sliding_window_view(spoilt, (5, 5))[y, x]
        good &= ~bad.reshape(len(bad), 25).any(axis=1)
    return boxes[good]


def _gaussian_widths(boxes: np.ndarray) -> np.ndarray:
    """Return the FWHM of the boxes that look like stars."""
    core = boxes[:, 1:4, 1:4]
    positive = (core > 0.002 * boxes[:, 2:3, 2:3]).all(axis=(1, 2))
    boxes, core = boxes[positive], core[positive]
    log = np.log(core)
    curve_x = (log[:, :, 0] + log[:, :, 2] - 2 * log[:, :, 1]).mean(axis=1)
    curve_y = (log[:, 0] + log[:, 2] - 2 * log[:, 1]).mean(axis=1)
    cross = (log[:, 2, 2] + log[:, 0, 0] - log[:, 0, 2] - log[:, 2, 0]) / 4
    with np.errstate(invalid='ignore', divide='ignore'):
        sigma_x, sigma_y = np.sqrt(-1 / curve_x), np.sqrt(-1 / curve_y)
        ratio = np.log(sigma_x / sigma_y)
        sigma = np.sqrt(sigma_x * sigma_y)
        good = (np.abs(ratio) < 0.3) & (np.abs(cross) * sigma**2 < 0.15)
        good &= (sigma * gaussian_sigma_to_fwhm > _NARROWEST) & (sigma < 4)
    boxes, core, log, sigma = boxes[good], core[good], log[good], sigma[good]
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
    fwhm = sigma * gaussian_sigma_to_fwhm
    limit = np.where(fwhm < _SAMPLED, *_RESIDUALS)
    like &= _residuals(boxes, log, sigma, offsets) < limit
    return fwhm[like]


def _residuals(
    boxes: np.ndarray, log: np.ndarray, sigma: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Return the root mean square that Gaussians leave, in units of amplitudes."""
    x = (log[:, :, 2] - log[:, :, 0]).mean(axis=1) / 2 * sigma**2
    y = (log[:, 2] - log[:, 0]).mean(axis=1) / 2 * sigma**2
    rate = -1 / (2 * sigma[:, None] ** 2)
    across = np.exp(rate * (offsets - x[:, None]) ** 2)
    along = np.exp(rate * (offsets - y[:, None]) ** 2)
    star = along[:, :, None] * across[:, None, :]
    amplitude = (boxes * star).sum(axis=(1, 2)) / (star * star).sum(axis=(1, 2))
    left = boxes / amplitude[:, None, None] - star
    return np.asarray(np.sqrt((left * left).mean(axis=(1, 2))))


def _commonest(widths: np.ndarray) -> float | None:
    """Return the width at which most peaks agree, None where too few do."""
    logs = np.log(widths)
    grid = np.arange(logs.min() - 0.1, logs.max() + 0.1, 0.01)
    counts = np.exp(-(((grid[:, None] - logs) / 0.04) ** 2) / 2).sum(axis=1)
    best = int(counts.argmax())
    if counts[best] < _MIN_AGREEING:
        return None
    near = np.abs(logs - grid[best]) < 0.08
    return float(np.median(widths[near]))
