"""
Differences: by a fitted kernel, or properly.

Both are linear once they are fitted, so that each component of the two exposures can
be followed into the difference.

References
----------
Alard & Lupton 1998, ApJ 503, 325; Zackay, Ofek & Gal-Yam 2016, ApJ 830, 27, of which
equations 13 to 16 are used, with the PSFs that a pipeline would have measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from astrosieve_training.transient.simulate.fields import Exposure, Field

__all__ = ['Difference', 'subtract']

_HALF = 15  # pixels, half of a cutout's side that the kernel is fitted on
_REACH = 9  # pixels, half of the kernel's side
_STARS = 40  # that the kernel is fitted on, at most
_ROUNDS = 4  # of the fit, the worst stars left out
_SCALE = 0.01  # how far from that of the zero points a kernel's sum may be
_WORST = 2.0  # of the median misfit, above which a star is left out: it varies


@dataclass
class Difference:
    """
    A difference, and how it was made.

    Parameters
    ----------
    image : 2D float32 `~numpy.ndarray`
        Electrons of the search, at the search's scale.
    search_filter, template_filter, psf : 2D complex64 `~numpy.ndarray`
        Half-plane transforms: what search and template are multiplied by before they
        are subtracted, and the difference's PSF.
    """

    image: np.ndarray
    search_filter: np.ndarray
    template_filter: np.ndarray
    psf: np.ndarray

    def matched(self, difference: np.ndarray) -> np.ndarray:
        """Return a difference, correlated with its PSF."""
        return self._back(fft.rfft2(difference) * np.conj(self.psf))

    def variance(self, of_pixels: np.ndarray) -> np.ndarray:
        """Return the variance of what `matched` returns, of independent pixels."""
        squared = fft.rfft2(self._back(self.psf) ** 2)
        return self._back(fft.rfft2(of_pixels) * np.conj(squared))

    def filtered(self, search: np.ndarray, template: np.ndarray) -> np.ndarray:
        """Return the matched difference of two planes."""
        return self._back(self._transform(search, template) * np.conj(self.psf))

    def plain(self, search: np.ndarray, template: np.ndarray) -> np.ndarray:
        """Return the difference of two planes."""
        return self._back(self._transform(search, template))

    def _transform(self, search: np.ndarray, template: np.ndarray) -> np.ndarray:
        found: np.ndarray = fft.rfft2(search) * self.search_filter
        return found - fft.rfft2(template) * self.template_filter

    def _back(self, transform: np.ndarray) -> np.ndarray:
        image: np.ndarray = fft.irfft2(transform, self.image.shape)
        return image


def subtract(field: Field, rng: np.random.Generator) -> Difference:
    """Subtract the template of a field from its search."""
    search, template = (
        np.where(each.masked, 0, each.image) for each in (field.search, field.template)
    )
    survey = field.conditions.survey
    shape = search.shape
    seen, known = (
        _measured(each, survey.quality, shape, rng)
        for each in (field.search, field.template)
    )
    ones = np.ones_like(seen)
    if rng.random() < survey.proper:
        a, b = field.search.noise**2, field.template.noise**2
        root = np.sqrt((a * np.abs(known) ** 2 + b * np.abs(seen) ** 2) / (a + b))
        root = np.maximum(root, 1e-4 * root.max())
        made = Difference(search, known / root, seen / root, seen * known / root)
    else:
        turned = field.conditions.fwhm < 0.95 * field.conditions.template_fwhm
        if turned and rng.random() < 0.8:
            kernel = _fit_kernel(template, search, field)
            made = Difference(search, kernel, ones, known)
        else:
            kernel = _fit_kernel(search, template, field)
            made = Difference(search, ones, kernel, seen)
    image = made.plain(search, template)
    masked = field.search.masked | field.template.masked
    image -= np.median(image[~masked]) if not masked.all() else 0
    return replace(made, image=image.astype(np.float32))


def _measured(
    exposure: Exposure, quality: float, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return the transform of a PSF as a pipeline measures it, a little wrong."""
    psf = exposure.psf
    wrong = rng.normal(0, 0.01 * quality, 4)
    near = replace(
        psf,
        fwhm=psf.fwhm * (1 + wrong[0]),
        beta=psf.beta * (1 + 3 * wrong[1]),
        ellipticity=(psf.ellipticity[0] + wrong[2], psf.ellipticity[1] + wrong[3]),
    )
    transform: np.ndarray = fft.rfft2(near.image(shape))
    return transform


def _basis(fwhm: float) -> np.ndarray:
    """Return kernels: Gaussians of three widths times polynomials."""
    y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
    found = []
    for width, degree in ((0.25, 4), (0.45, 2), (0.9, 0)):
        sigma = max(width * fwhm, 0.5)
        bell = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        for i in range(degree + 1):
            for j in range(degree + 1 - i):
                each = bell * (x / sigma) ** i * (y / sigma) ** j
                found.append(each / np.abs(each).sum())
    return np.array(found)


def _fit_kernel(target: np.ndarray, source: np.ndarray, field: Field) -> np.ndarray:
    """Return the transform of the kernel that makes the target of the source."""
    sky, c = field.sky, field.conditions
    shape = target.shape
    margin = _HALF + 1
    inside = (sky.x > margin) & (sky.x < shape[1] - margin)
    inside &= (sky.y > margin) & (sky.y < shape[0] - margin)
    inside[c.n_stars :] = False  # nuclei of galaxies
    spoilt = field.search.saturated | field.template.saturated
    spoilt |= field.search.masked | field.template.masked
    near = ndimage.maximum_filter(spoilt, 2 * _HALF + 1)
    good = np.flatnonzero(inside & (sky.flux > 2 * c.faintest))
    good = good[~near[sky.y[good].astype(int), sky.x[good].astype(int)]]
    good = good[np.argsort(-sky.flux[good])][:_STARS]
    basis = _basis(c.fwhm)
    if len(good) < 3:
        whole = basis[:1] / basis[:1].sum()
        return _kernel_transform(whole[0], shape)
    size = 2 * _HALF + 1
    boxes = [
        (slice(y - _HALF, y + _HALF + 1), slice(x - _HALF, x + _HALF + 1))
        for x, y in zip(np.rint(sky.x[good]).astype(int),
                        np.rint(sky.y[good]).astype(int), strict=True)
    ]  # fmt: skip
    wanted = np.array([target[box] for box in boxes])
    given = np.array([source[box] for box in boxes])
    pad = (size + 2 * _REACH,) * 2
    convolved = fft.irfft2(
        fft.rfft2(given, pad)[:, None] * fft.rfft2(basis, pad)[None], pad
    )
    keep = slice(2 * _REACH, size)  # of the full convolution, what knows no border
    inner = slice(_REACH, size - _REACH)
    design = convolved[:, :, keep, keep].reshape(len(good), len(basis), -1)
    design = np.concatenate([design, np.full_like(design[:, :1], c.noise)], axis=1)
    values = wanted[:, inner, inner].reshape(len(good), -1)
    weight = 1 / np.sqrt(np.maximum(values, 0) + c.noise**2 + (0.02 * values) ** 2)
    ratio = wanted.sum(axis=(1, 2)) / np.maximum(given.sum(axis=(1, 2)), c.noise)
    away = np.abs(ratio - np.median(ratio))
    used = away <= 2 * np.median(away)
    for _ in range(_ROUNDS):
        rows = (design * weight[:, None])[used].transpose(1, 0, 2)
        answer, *_ = np.linalg.lstsq(
            rows.reshape(len(rows), -1).T, (values * weight)[used].ravel(), rcond=1e-6
        )
        missed = (values - np.tensordot(answer, design, (0, 1))) * weight
        misfit = (missed**2).mean(axis=1)
        used = misfit <= _WORST * np.median(misfit[used])
    kernel = np.tensordot(answer[:-1], basis, 1)
    total = kernel.sum()
    kernel *= np.clip(total, 1 - _SCALE, 1 + _SCALE) / total
    return _kernel_transform(kernel, shape)


def _kernel_transform(kernel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    padded = np.zeros(shape, np.float32)
    side = 2 * _REACH + 1
    padded[:side, :side] = kernel
    transform: np.ndarray = fft.rfft2(np.roll(padded, (-_REACH, -_REACH), (0, 1)))
    return transform
