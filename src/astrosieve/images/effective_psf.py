"""Positions of stars, by the effective PSF that an image's own stars show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma

from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.measured import MeasuredImage

__all__ = ['FittedPositions', 'fit_positions']

_WINGS = 2.2, 2  # scale of the wings over that of the core, and their order
_ORDERS = ((40, 6), (12, 4), (4, 2))  # fewest stars for an order of the core
_MOST = 400  # stars that make a PSF
_BRIGHT = 25.0  # S/N in 3x3 pixels of those
_SIDE = 1.1  # half the side of a box, FWHM
_ROUNDS = 6
_MISFIT = 5.0  # median chi2: stars that are worse do not make the PSF
_WRONG = 0.02, 0.01  # share of a pixel's light that a first and the last PSF may miss
_STEP = 0.4  # pixels that an iteration moves a star at most
_AWAY = 1.0  # pixels from the given position: farther is another star
_FEWEST = 0.7  # share of the pixels of a box that must be usable


@dataclass(frozen=True, eq=False)
class FittedPositions:
    """
    Fitted positions; NaN where none could be fitted.

    Parameters
    ----------
    xy : (N, 2) `~numpy.ndarray`
        x and y of the PSF's peak, pixels, 0-based.
    error : (N, 2) `~numpy.ndarray`
        Standard deviations by the noise of the pixels, and by the misfit where that is
        larger; pixels.
    n_stars : int
        That made the PSF; 0 where they are too few, and nothing is fitted.
    """

    xy: np.ndarray
    error: np.ndarray
    n_stars: int


def fit_positions(
    image: MeasuredImage, xy: np.ndarray, stars: np.ndarray
) -> FittedPositions:
    """
    Fit the positions of stars.

    The effective PSF, that is the PSF as the pixels see it, is learnt from the bright,
    isolated stars, which lie at all phases of the pixels, in turns with their positions
    (Anderson & King 2000, PASP 112, 1360). It is a sum of Gauss-Hermite functions, one
    PSF for the whole image, and its peak is the position.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image, whose width is known.
    xy : (N, 2) `~numpy.ndarray`
        Positions of all detections, pixels, 0-based.
    stars : (N,) bool `~numpy.ndarray`
        Which of them are stars; the others are only neighbours.

    Returns
    -------
    positions : `FittedPositions`
        Of all detections; NaN for what is no star, whose box is not usable for more
        than 30 %, saturated pixels included, or that is more than a pixel from the
        given position.
    """
    at, error = np.full((2, len(xy), 2), np.nan)
    positions = FittedPositions(at, error, 0)
    if image.fwhm is None or not stars.any():
        return positions
    half = max(2, round(_SIDE * image.fwhm))
    boxes = _Boxes.of(image, xy[stars], half)
    chosen = _psf_stars(boxes, image.sci.shape, xy)
    order = next((o for n, o in _ORDERS if len(chosen) >= n), None)
    if order is None:
        return positions
    sigma = image.fwhm * gaussian_fwhm_to_sigma
    psf = _learnt(
        boxes.take(chosen),
        _PSF.gaussian((sigma, _WINGS[0] * sigma), (order, _WINGS[1])),
    )
    fitted = _fitted(psf, boxes, xy[stars], _WRONG[1], 4)
    away = np.hypot(*(fitted.xy - xy[stars]).T)
    good = (away < _AWAY) & (boxes.usable.mean(axis=(1, 2)) >= _FEWEST)
    good &= (fitted.flux > 0) & np.isfinite(fitted.error).all(axis=1)
    rows = np.flatnonzero(stars)[good]
    at[rows] = fitted.xy[good]
    error[rows] = (fitted.error * np.sqrt(fitted.misfit.clip(1))[:, None])[good]
    return FittedPositions(at, error, len(chosen))


@dataclass(frozen=True, eq=False)
class _Boxes:
    """
    Pixels about stars, above the local sky.

    Parameters
    ----------
    light : (N, s, s) `~numpy.ndarray`
        In the image's unit; 0 where a pixel is not usable.
    variance : (N, s, s) `~numpy.ndarray`
        Of the sky and of the light's own noise.
    usable : (N, s, s) bool `~numpy.ndarray`
        Which pixels are.
    middle : (N, 2) int `~numpy.ndarray`
        x and y of the middle pixels.
    """

    light: np.ndarray
    variance: np.ndarray
    usable: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, image: MeasuredImage, xy: np.ndarray, half: int) -> _Boxes:
        """Cut the boxes about positions out of an image."""
        ix, iy, _, _ = pixel_indices(xy, (image.sci.shape[0], image.sci.shape[1]))
        light = extract_cutouts(image.sci, ix, iy, 2 * half + 1, fill=np.nan)
        level, noise = image.mesh.at(ix, iy)
        light = light.astype(np.float64) - level[:, None, None]
        usable = np.isfinite(light)
        if image.spoilt is not None:
            usable &= extract_cutouts(image.spoilt, ix, iy, 2 * half + 1, fill=1) == 0
        if len(image.plateaus):
            full = np.zeros(image.sci.shape, dtype=np.uint8)
            full.ravel()[image.plateaus.pixels] = 1
            usable &= extract_cutouts(full, ix, iy, 2 * half + 1, fill=0) == 0
        light[~usable] = 0
        own = np.maximum(light, 0) / image.electrons_per_unit
        variance = np.square(noise)[:, None, None] + own
        return cls(light, variance, usable, np.column_stack([ix, iy]))

    def __len__(self) -> int:
        return len(self.light)

    def take(self, rows: np.ndarray) -> _Boxes:
        """Return some of them."""
        return _Boxes(**{name: each[rows] for name, each in vars(self).items()})

    def snr(self) -> np.ndarray:
        """Return S/N of the middle 3x3 pixels, 0 where one is not usable."""
        half = self.light.shape[1] // 2
        core = np.s_[:, half - 1 : half + 2, half - 1 : half + 2]
        snr = self.light[core].sum((1, 2)) / np.sqrt(self.variance[core].sum((1, 2)))
        return np.where(self.usable[core].all(axis=(1, 2)), snr, 0)

    def weight(self, wrong: float) -> np.ndarray:
        """Return weights of pixels, of whose light a PSF may miss a share."""
        return self.usable / (self.variance + np.square(wrong * self.light))

    def offsets(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far columns and rows of the boxes are from positions."""
        half = self.light.shape[1] // 2
        steps = np.arange(-half, half + 1)
        x, y = (self.middle - xy).T
        return steps + x[:, None], steps + y[:, None]


def _psf_stars(boxes: _Boxes, shape: tuple[int, ...], xy: np.ndarray) -> np.ndarray:
    """Return the rows of bright stars that are alone in their boxes, at most 400."""
    snr = boxes.snr()
    bright = np.flatnonzero((snr > _BRIGHT) & boxes.usable.all(axis=(1, 2)))
    bright = bright[np.argsort(-snr[bright], kind='stable')]
    ix, iy, _, inside = pixel_indices(xy, (shape[0], shape[1]))
    marks = np.zeros(shape, dtype=np.uint8)
    np.add.at(marks, (iy[inside], ix[inside]), 1)
    side = 2 * boxes.light.shape[1] - 1
    middle_x, middle_y = boxes.middle[bright].T
    near = extract_cutouts(marks, middle_x, middle_y, side, fill=0)
    return bright[near.sum(axis=(1, 2)) == 1][:_MOST]


def _hermite(u: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (..., order + 1) Gauss-Hermite functions, and their derivatives."""
    values = [np.exp(-np.square(u) / 2)]
    values.append(np.sqrt(2) * u * values[0])
    for k in range(2, order + 2):
        value = np.sqrt(2 / k) * u * values[-1] - np.sqrt((k - 1) / k) * values[-2]
        values.append(value)
    slopes = [-np.sqrt(1 / 2) * values[1]]
    for k in range(1, order + 1):
        slope = np.sqrt(k / 2) * values[k - 1] - np.sqrt((k + 1) / 2) * values[k + 1]
        slopes.append(slope)
    return np.stack(values[:-1], axis=-1), np.stack(slopes, axis=-1)


@dataclass(frozen=True, eq=False)
class _PSF:
    """
    Sum of products of Gauss-Hermite functions, of some scales.

    Parameters
    ----------
    sigmas : tuple of float
        Pixels.
    terms : tuple of (n, n) `~numpy.ndarray`
        Of each scale the factors of products of orders along y and x; of those whose
        orders are n and more together they are 0.
    """

    sigmas: tuple[float, ...]
    terms: tuple[np.ndarray, ...]

    @classmethod
    def gaussian(cls, sigmas: tuple[float, ...], orders: Sequence[int]) -> _PSF:
        """Return a Gaussian of the first scale."""
        terms = tuple(np.zeros((order + 1, order + 1)) for order in orders)
        terms[0][0, 0] = 1
        return cls(sigmas, terms)

    def __call__(
        self, dx: np.ndarray, dy: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (N, s, s) values and slopes along x and y at (N, s) offsets."""
        value, along_x, along_y = np.zeros((3, len(dx), dy.shape[1], dx.shape[1]))
        for sigma, terms in zip(self.sigmas, self.terms, strict=True):
            x, x_slope = _hermite(dx / sigma, len(terms) - 1)
            y, y_slope = _hermite(dy / sigma, len(terms) - 1)
            x, x_slope = np.swapaxes(x, 1, 2), np.swapaxes(x_slope, 1, 2) / sigma
            rows = y @ terms
            value += rows @ x
            along_x += rows @ x_slope
            along_y += (y_slope / sigma) @ terms @ x
        return value, along_x, along_y

    def products(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Return (N, s, s, T) values of the products of all scales."""
        parts = []
        for sigma, (j, i) in zip(self.sigmas, self._orders(), strict=True):
            x, _ = _hermite(dx / sigma, i.max())
            y, _ = _hermite(dy / sigma, j.max())
            parts.append(y[:, :, None, j] * x[:, None, :, i])
        return np.concatenate(parts, axis=-1)

    def with_factors(self, factors: np.ndarray) -> _PSF:
        """Return the PSF with these factors of its products."""
        terms, start = [], 0
        for old, (j, i) in zip(self.terms, self._orders(), strict=True):
            new = np.zeros_like(old)
            new[j, i] = factors[start : start + len(j)]
            start += len(j)
            terms.append(new)
        return _PSF(self.sigmas, tuple(terms))

    def _orders(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for each in self.terms:
            j, i = np.nonzero(np.indices(each.shape).sum(axis=0) < len(each))
            yield j, i

    def peak(self) -> np.ndarray:
        """Return x and y of the peak, by Newton's method from the origin."""
        at, step = np.zeros(2), 1e-3

        def slope(point: np.ndarray) -> np.ndarray:
            _, x, y = self(point[:1, None], point[1:, None])
            return np.array([x[0, 0, 0], y[0, 0, 0]])

        for _ in range(8):
            here = slope(at)
            columns = [(slope(at + each) - here) / step for each in step * np.eye(2)]
            move = np.linalg.lstsq(np.stack(columns, axis=1), -here, rcond=None)[0]
            at = at + np.clip(move, -0.2, 0.2)
        return at


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Positions, their errors, fluxes, and chi2 per pixel."""

    xy: np.ndarray
    error: np.ndarray
    flux: np.ndarray
    misfit: np.ndarray


def _fitted(
    psf: _PSF, boxes: _Boxes, xy: np.ndarray, wrong: float, rounds: int
) -> _Fitted:
    """Fit flux and position of each star by Gauss and Newton's method."""
    n = len(boxes)
    weight = boxes.weight(wrong).reshape(n, 1, -1)
    light = boxes.light.reshape(n, 1, -1)
    for _ in range(rounds):
        values = np.stack(psf(*boxes.offsets(xy)), axis=1).reshape(n, 3, -1)
        model = values[:, :1]
        norm = (model * model * weight).sum(axis=2)
        flux = (model * light * weight).sum(axis=2) / np.where(norm > 0, norm, 1)
        slopes = np.concatenate([model, -flux[:, :, None] * values[:, 1:]], axis=1)
        left = light - flux[:, :, None] * model
        weighted = slopes * weight
        normal = weighted @ np.swapaxes(slopes, 1, 2)
        normal += 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        normal += np.finfo(float).tiny * np.eye(3)
        step = np.linalg.solve(normal, weighted @ np.swapaxes(left, 1, 2))[:, 1:, 0]
        xy = xy + np.clip(step, -_STEP, _STEP)
    variances = np.diagonal(np.linalg.inv(normal), axis1=1, axis2=2)[:, 1:]
    freedom = np.maximum(boxes.usable.sum(axis=(1, 2)) - 3, 1)
    misfit = (left * left * weight).sum(axis=(1, 2)) / freedom
    return _Fitted(xy, np.sqrt(variances), flux[:, 0], misfit)


def _learnt(boxes: _Boxes, psf: _PSF) -> _PSF:
    """Return the PSF that stars show, in turns with their positions."""
    weight = boxes.weight(_WRONG[0])
    fitted = _fitted(psf, boxes, boxes.middle.astype(float), _WRONG[0], 4)
    alike = np.ones(len(boxes), dtype=bool)
    for _ in range(_ROUNDS):
        products = psf.products(*boxes.offsets(fitted.xy))[alike]
        products *= fitted.flux[alike, None, None, None]
        products = products.reshape(-1, products.shape[-1])
        weighted = products * weight[alike].reshape(-1, 1)
        normal = weighted.T @ products
        normal += 1e-8 * np.diag(np.diag(normal))
        normal += 1e-10 * np.trace(normal) / len(normal) * np.eye(len(normal))
        factors = np.linalg.solve(normal, weighted.T @ boxes.light[alike].ravel())
        psf = psf.with_factors(factors)
        fitted = _fitted(psf, boxes, fitted.xy + psf.peak(), _WRONG[0], 2)
        alike = fitted.misfit < _MISFIT * np.median(fitted.misfit)
    return psf
