"""What an image says of its own point-spread function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.stats import gaussian_sigma_to_fwhm

from astrosieve.images.background import (
    Background,
    BackgroundMesh,
    measure_background,
    measure_mesh,
)

__all__ = ['LikelyStars', 'PSFStars', 'estimate_fwhm', 'find_psf_stars']

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
# How far the axes' ratio (logarithm) and the cross term of a star may be from those
# of the others, and which part of the peaks must be alike before stars may be long.
_ALIKE = (0.3, 0.15)
_LONG_SHARE = 0.2
_LONG_RESIDUAL = 2.0  # times that of a round star: no Gaussian is like a comet
_MOST_SHAPES = 500  # peaks whose shapes are compared
_FITTED = 60  # stars to which the PSF is fitted, the brightest
_FLAT = 0.02  # error of a pixel of a star, of its brightest: what no model has
_HALO = 0.008  # of the brightest pixel: about the light that is no Moffat profile's
_STEPS = 12
# Error of the logarithm of a width that many stars tell, and that of one star: of
# those whose widths agree alone, and of those that a classifier calls stars too.
_ERROR = 0.03
_ERROR_OF_ONE = (1.0, 0.15)
_AGREE = 0.08  # of the logarithm: half of the range of widths that agree
_SMOOTHED = (0.04, 0.03)  # of the logarithm, for the commonest width of either
_ASKED = 200  # peaks that a classifier is asked about
_LIKELY = 0.3  # what counts at least
_WIDEST_KNOWN = 4.5  # pixels: about wider stars rules are asked after a classifier
_MANY = 10  # that agree: then they are believed
_ENOUGH = 1.2  # stars, by their probabilities, that make a mode
_LESSER = 0.35  # of the commonest width: a narrower one that is as common is the PSF
_OFFSETS = np.arange(-2.0, 3.0)
# Gauss and Legendre's three points on each axis of a pixel, and their weights.
_INSIDE = np.array([-0.3872983, 0.0, 0.3872983])
_SHARES = np.array([5.0, 8.0, 5.0]) / 18

LikelyStars = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""
Called with (N, 2) places, x and y; returns K widths of the PSF, pixels, ascending, and
(N, K) probabilities that a star is there, if the PSF has these widths.
"""


def find_psf_stars(
    sci: np.ndarray,
    *,
    spoilt: np.ndarray | None = None,
    background: Background | None = None,
    mesh: BackgroundMesh | None = None,
    likely: LikelyStars | None = None,
) -> PSFStars | None:
    """
    Find the stars that tell how wide the point-spread function of an image is.

    A Gaussian is fitted, linearly in the logarithm (Guo 2011, IEEE SPM 28,
    134), to the 3x3 pixels about each bright peak. Peaks that are narrower than a
    star can be, whose next ring of pixels does not fall off as a star's, or that
    leave a residual are left out, and so are those that are not round, unless a fifth
    of all is long in one direction: cosmic rays, hot pixels, galaxies. Stars are those
    whose widths agree.

    Where a classifier says what looks like a star, whatever the width of the PSF, it
    takes the place of these rules: of two widths that are about as common among its
    stars the narrower is the PSF's, since galaxies are wider. Where it finds none, ten
    that agree by the rules count if they are wider than stars that it may know.

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
    likely : callable, optional
        What says how likely places are stars, see `~astrosieve.images.psf.LikelyStars`.

    Returns
    -------
    stars : `PSFStars` or None
        None where too few peaks look like stars.
    """
    background = background or measure_background(sci, spoilt=spoilt)
    if not background.noise > 0 or min(sci.shape) < 7:
        return None
    mesh = mesh or measure_mesh(sci, spoilt=spoilt, background=background)
    peaks = _Peaks.of(*_bright_peaks(sci, spoilt, background, mesh))
    chosen = None if likely is None else peaks.chosen(likely)
    if chosen is not None:
        return PSFStars(chosen, _ERROR_OF_ONE[1])
    stars = peaks.alike()
    if stars is None or (likely is not None and not stars.beyond()):
        return None
    return PSFStars(stars, _ERROR_OF_ONE[0])


def estimate_fwhm(sci: np.ndarray, *, spoilt: np.ndarray | None = None) -> float | None:
    """
    Estimate the FWHM of the point-spread function from the image itself.

    By rules alone; `~astrosieve.classify_sources` asks its network which the stars are.
    To the stars that `~astrosieve.images.psf.find_psf_stars` finds one Moffat profile,
    integrated over the pixels, is fitted: their many sub-pixel phases tell how wide an
    undersampled PSF is.

    Parameters
    ----------
    sci, spoilt
        As for `~astrosieve.images.psf.find_psf_stars`.

    Returns
    -------
    fwhm : float or None
        Pixels, as `~astrosieve.images.psf.PSFStars.fwhm`. None where too few peaks look
        like stars.
    """
    stars = find_psf_stars(sci, spoilt=spoilt)
    return None if stars is None else stars.fwhm


@dataclass(frozen=True, eq=False)
class PSFStars:
    """
    Stars of an image that agree on its point-spread function.

    Made by `find_psf_stars`.
    """

    _peaks: _Peaks
    _error_of_one: float

    def __len__(self) -> int:
        return len(self._peaks)

    @cached_property
    def fwhm(self) -> float:
        """
        FWHM, pixels, of the PSF as the pixels see it, their own width included.

        The diameter of a circle as large as the area in which a pixel holds more than
        half of what it holds at the centre.
        """
        return _fitted_fwhm(self._peaks)

    @cached_property
    def apparent_fwhm(self) -> float:
        """
        Median of the widths of the Gaussians of 3x3 pixels, pixels.

        Where a PSF is undersampled up to a fifth more than `fwhm`.
        """
        return float(np.median(self._peaks.fwhm))

    @property
    def fwhm_error(self) -> float:
        """Error of the logarithm of the width, by the number of stars."""
        return float(np.hypot(_ERROR, self._error_of_one / len(self)))

    @property
    def places(self) -> np.ndarray:
        """Brightest pixels, (N, 2) int x and y, 0-based, the brightest star first."""
        return self._peaks.brightest().places


def _bright_peaks(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    background: Background,
    mesh: BackgroundMesh,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return (N, 5, 5) boxes about bright, unsaturated, local maxima, without sky.

    And the noise of the sky there, and (N, 2) x and y of their middles.
    """
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
    return boxes[good], noise[good], np.column_stack([x, y])[good] + 2


@dataclass(frozen=True)
class _Peaks:
    """
    Peaks with the Gaussians of their 3x3 pixels.

    ``ratio`` is the logarithm of the ratio of the widths along x and y, ``cross`` the
    coefficient of xy, times the square of ``sigma``; ``slope`` (N, 2) the first
    derivatives of the logarithm, (x, y). ``places`` are the middle pixels, (x, y).
    """

    boxes: np.ndarray
    noise: np.ndarray
    places: np.ndarray
    sigma: np.ndarray
    ratio: np.ndarray
    cross: np.ndarray
    slope: np.ndarray

    @classmethod
    def of(cls, boxes: np.ndarray, noise: np.ndarray, places: np.ndarray) -> _Peaks:
        """Fit Gaussians; what is none, or too narrow or wide, is left out."""
        core = boxes[:, 1:4, 1:4]
        positive = (core > 0.002 * boxes[:, 2:3, 2:3]).all(axis=(1, 2))
        boxes, noise, places = boxes[positive], noise[positive], places[positive]
        log = np.log(boxes[:, 1:4, 1:4])
        curve_x = (log[:, :, 0] + log[:, :, 2] - 2 * log[:, :, 1]).mean(axis=1)
        curve_y = (log[:, 0] + log[:, 2] - 2 * log[:, 1]).mean(axis=1)
        cross = (log[:, 2, 2] + log[:, 0, 0] - log[:, 0, 2] - log[:, 2, 0]) / 4
        with np.errstate(invalid='ignore', divide='ignore'):
            sigma_x, sigma_y = np.sqrt(-1 / curve_x), np.sqrt(-1 / curve_y)
            sigma = np.sqrt(sigma_x * sigma_y)
            ratio = np.log(sigma_x / sigma_y)
            good = (sigma * gaussian_sigma_to_fwhm > _NARROWEST) & (sigma < 4)
        slope_x = (log[:, :, 2] - log[:, :, 0]).mean(axis=1) / 2
        slope_y = (log[:, 2] - log[:, 0]).mean(axis=1) / 2
        peaks = cls(
            boxes, noise, places, sigma, ratio, cross * sigma**2,
            np.stack([slope_x, slope_y], axis=1),
        )  # fmt: skip
        return peaks[good]

    def __getitem__(self, rows: np.ndarray) -> _Peaks:
        return _Peaks(*(getattr(self, name)[rows] for name in self.__annotations__))

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def fwhm(self) -> np.ndarray:
        """Widths of the Gaussians, pixels."""
        return self.sigma * gaussian_sigma_to_fwhm

    def brightest(self) -> _Peaks:
        """Return those to which the PSF is fitted, the brightest first."""
        order = np.argsort(-self.boxes[:, 2, 2] / self.noise, kind='stable')
        return self[order[:_FITTED]]

    def common_shape(self) -> tuple[float, float] | None:
        """Return the ratio and cross term of most peaks, None where few are alike."""
        if len(self) < _MIN_AGREEING:
            return None
        shapes = np.stack([self.ratio, self.cross], axis=1) / _ALIKE
        shapes = shapes[:: -(-len(shapes) // _MOST_SHAPES)]
        distance2 = ((shapes[:, None] - shapes) ** 2).sum(axis=2)
        counts = (distance2 < 0.25).sum(axis=1)
        best = int(counts.argmax())
        if counts[best] < max(_LONG_SHARE * len(shapes), 2 * _MIN_AGREEING):
            return None
        near = np.median(shapes[distance2[best] < 0.25], axis=0) * _ALIKE
        return float(near[0]), float(near[1])

    def alike(self) -> _Peaks | None:
        """Return the peaks that look like round stars of one width, else like long."""
        stars = self._stars((0.0, 0.0))
        if stars is not None:
            return stars
        shape = self.common_shape()
        return None if shape is None else self._stars(shape)

    def beyond(self) -> bool:
        """Return whether these are many, and wider than a classifier may know."""
        return len(self) >= _MANY and float(np.median(self.fwhm)) > _WIDEST_KNOWN

    def _stars(self, shape: tuple[float, float]) -> _Peaks | None:
        """Return the peaks that look like stars of one shape and width."""
        found = self[self._starlike(shape)]
        if len(found) < _MIN_AGREEING:
            return None
        grid, counts = found._commonness(np.ones(len(found)), _SMOOTHED[0])
        best = int(counts.argmax())
        return found._agreeing(grid[best]) if counts[best] >= _MIN_AGREEING else None

    def chosen(self, likely: LikelyStars) -> _Peaks | None:
        """Return the peaks that a classifier calls stars and whose widths agree."""
        # Those that look like round stars are asked about first, then the brightest.
        order = np.lexsort((-self.boxes[:, 2, 2] / self.noise, ~self._starlike((0, 0))))
        asked = self[order[:_ASKED]]
        if not len(asked):
            return None
        widths, star = likely(asked.places)
        own = [
            np.interp(width, widths, each)
            for width, each in zip(asked.fwhm, star, strict=True)
        ]
        weight = star.mean(axis=1) * own
        weight[weight < _LIKELY] = 0
        grid, counts = asked._commonness(weight, _SMOOTHED[1])
        modes = (counts[1:-1] >= counts[:-2]) & (counts[1:-1] > counts[2:])
        modes &= counts[1:-1] >= max(_ENOUGH, _LESSER * counts.max())
        if not modes.any():
            return None
        return asked[weight > 0]._agreeing(grid[1 + int(modes.argmax())])

    def _starlike(self, shape: tuple[float, float]) -> np.ndarray:
        """Return which peaks have a shape, fall off and leave as little as stars."""
        boxes, core = self.boxes, self.boxes[:, 1:4, 1:4]
        gaussian = self._gaussians(shape, centred=False)
        # The ring beyond the 3x3 box: a Gaussian's share, plus wings, but no track.
        inner = gaussian[:, 1:4, 1:4].sum(axis=(1, 2))
        expected = gaussian.sum(axis=(1, 2)) / inner - 1
        share = boxes.sum(axis=(1, 2)) / core.sum(axis=(1, 2)) - 1
        corners = boxes[:, ::4, ::4].max(axis=(1, 2)) / boxes[:, 2, 2]
        like = np.abs(self.ratio - shape[0]) < _ALIKE[0]
        like &= np.abs(self.cross - shape[1]) < _ALIKE[1]
        like &= (share > 0.5 * expected) & (share < 1.5 * expected + 0.3)
        like &= corners < 0.25 + gaussian[:, ::4, ::4].max(axis=(1, 2))
        limit = np.where(self.fwhm < _SAMPLED, *_RESIDUALS)
        if shape != (0.0, 0.0):
            limit *= _LONG_RESIDUAL
        star = self._gaussians(shape, centred=True)
        amplitude = (boxes * star).sum(axis=(1, 2)) / (star * star).sum(axis=(1, 2))
        left = boxes / amplitude[:, None, None] - star
        return like & (np.sqrt((left * left).mean(axis=(1, 2))) < limit)

    def _gaussians(self, shape: tuple[float, float], *, centred: bool) -> np.ndarray:
        """Return (N, 5, 5) Gaussians, at the peaks' own centres or their pixels'."""
        # The inverse of the covariance, of which the slope is the product with x.
        a, c = np.exp(-shape[0]), np.exp(shape[0])
        b = -shape[1]
        scale = self.sigma**2
        x, y = np.zeros((2, len(self)))
        if centred:
            rise = self.slope * scale[:, None] / (a * c - b * b)
            x = c * rise[:, 0] - b * rise[:, 1]
            y = a * rise[:, 1] - b * rise[:, 0]
        dx, dy = _OFFSETS - x[:, None], _OFFSETS - y[:, None]
        form = a * dx[:, None] ** 2 + c * dy[:, :, None] ** 2
        form = form + 2 * b * dx[:, None] * dy[:, :, None]
        return np.asarray(np.exp(-form / (2 * scale[:, None, None])))

    def _commonness(
        self, weight: np.ndarray, smoothed: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logarithms of widths, and how many peaks have about each of them."""
        logs = np.log(self.fwhm)
        grid = np.arange(logs.min() - 0.2, logs.max() + 0.2, 0.01)
        near = np.exp(-(((grid[:, None] - logs) / smoothed) ** 2) / 2)
        return grid, near @ weight

    def _agreeing(self, log_width: float) -> _Peaks:
        """Return the peaks of about a width."""
        return self[np.abs(np.log(self.fwhm) - log_width) < _AGREE]


def _moffat(form: np.ndarray, wing: float) -> np.ndarray:
    """Return the profile of exponent 1 / wing: a Gaussian's where that is 0."""
    return np.asarray((1 + wing * form) ** (-1 / wing))


def _on_pixels(
    x: np.ndarray, y: np.ndarray, shape: tuple[float, float, float], wing: float
) -> np.ndarray:
    """Return a profile's means over pixels at offsets from its centre."""
    a, b, c = shape
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for dy, share_y in zip(_INSIDE, _SHARES, strict=True):
        v = y + dy
        for dx, share_x in zip(_INSIDE, _SHARES, strict=True):
            u = x + dx
            form = a * u * u + c * v * v + 2 * b * u * v
            total += share_x * share_y * _moffat(form, wing)
    return total


def _shape_of(parameters: np.ndarray) -> tuple[tuple[float, float, float], float]:
    """
    Return the quadratic form and the wing of a profile.

    From the logarithm of its size, those of its axes, the cross term, and the wing.
    """
    size, ratio, cross, wing = parameters
    rate = np.exp(-2 * size)
    form = rate * np.exp(-ratio), rate * cross, rate * np.exp(ratio)
    return form, float(np.clip(wing, 0.02, 0.8))


def _fitted_fwhm(stars: _Peaks) -> float:
    """Fit one profile to all stars, each at its own place; return its FWHM."""
    stars = stars.brightest()
    boxes = stars.boxes.reshape(len(stars), 25)
    peak = boxes[:, 12]
    weight = 1 / (stars.noise**2 + (_FLAT * peak) ** 2)
    weight = np.sqrt(weight)[:, None] * peak[:, None]
    data = boxes / peak[:, None]
    width = np.log(max(float(np.median(stars.sigma)) ** 2 - 1 / 12, 0.2)) / 2
    width += np.log(2) / 2
    shape = np.array([width, np.median(stars.ratio), -np.median(stars.cross), 0.25])
    places = stars.slope * (stars.sigma**2)[:, None]
    places = np.clip(places, -0.7, 0.7)
    for _ in range(_STEPS):
        model, slopes = _derivatives(places, shape)
        amplitude = (weight * data * weight * model).sum(axis=1)
        amplitude /= ((weight * model) ** 2).sum(axis=1)
        left = weight * (data - amplitude[:, None] * model)
        slopes = slopes * (weight * amplitude[:, None])[:, None]
        halo = np.broadcast_to(weight, model.shape)
        own = np.stack([slopes[:, 0], slopes[:, 1], weight * model, halo], axis=1)
        common = slopes[:, 2:]
        # What places, amplitudes and halos can do is taken from residuals and slopes.
        gram = own @ own.transpose(0, 2, 1) + np.diag([1e-9, 1e-9, 1e-9, _HALO**-2])
        inverse = np.linalg.inv(gram)
        free = common - (common @ own.transpose(0, 2, 1)) @ inverse @ own
        rest = left - ((left[:, None] @ own.transpose(0, 2, 1)) @ inverse @ own)[:, 0]
        # Stars that are worse than most count less.
        misfit = np.sqrt((rest**2).mean(axis=1))
        trust = 1 / (1 + (misfit / (1.5 * np.median(misfit) + 1e-9)) ** 4)
        normal = np.einsum('n,nik,njk->ij', trust, free, free)
        normal += np.diag([1e-6, 1e-6, 1e-6, 1e-2 * normal[3, 3] + 1e-6])
        step = np.linalg.solve(normal, np.einsum('n,nik,nk->i', trust, free, rest))
        step = np.clip(step, -0.15, 0.15)
        left = left - np.einsum('i,nik->nk', step, common)
        move = (left[:, None] @ own.transpose(0, 2, 1)) @ inverse
        places = np.clip(places + np.clip(move[:, 0, :2], -0.2, 0.2), -1, 1)
        shape = shape + step
        shape[3] = np.clip(shape[3], 0.02, 0.8)
        if np.abs(step).max() < 1e-3:
            break
    return _half_maximum(shape)


def _derivatives(
    places: np.ndarray, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 25) profiles, and (N, 6, 25) slopes by x, y and the shape."""

    def model(dx: float, dy: float, at: np.ndarray) -> np.ndarray:
        x = _OFFSETS - places[:, 0, None] - dx
        y = _OFFSETS - places[:, 1, None] - dy
        return _on_pixels(x[:, None], y[:, :, None], *_shape_of(at)).reshape(-1, 25)

    step = 0.01
    first = model(0, 0, shape)
    ahead = [model(step, 0, shape), model(0, step, shape)]
    ahead += [model(0, 0, shape + step * unit) for unit in np.eye(4)]
    return first, (np.stack(ahead, axis=1) - first[:, None]) / step


def _half_maximum(shape: np.ndarray) -> float:
    """Return the diameter of the circle as large as the area above half maximum."""
    reach = 3 * np.exp(shape[0]) + 1
    grid = np.linspace(-reach, reach, 121)
    values = _on_pixels(grid[None], grid[:, None], *_shape_of(shape))
    # Sharing by how far a cell is above counts its border in parts.
    peak = values.max()
    slope = np.hypot(*np.gradient(values))
    inside = np.clip((values - peak / 2) / np.maximum(slope, 1e-9) + 0.5, 0, 1)
    area = inside.sum() * (grid[1] - grid[0]) ** 2
    return float(2 * np.sqrt(area / np.pi))
