"""Positions of stars by the image's own PSF."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from astrosieve.images.effective_psf import fit_positions
from astrosieve.images.measured import MeasuredImage


def _field(
    n: int = 225, fwhm: float = 1.7, seed: int = 1, flux: float = 3e4
) -> tuple[np.ndarray, np.ndarray]:
    """Return stars on a grid, at any phase, as pixels see a Moffat PSF; positions."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    size = 24 * side + 16
    at = np.indices((side, side)).reshape(2, -1).T[:n, ::-1] * 24.0 + 20
    xy = at + rng.uniform(-0.5, 0.5, at.shape)
    image = np.full((size, size), 40.0)
    steps = np.arange(-10, 11)
    fine = (np.arange(9) - 4) / 9  # parts of a pixel that its light is the mean of
    core = fwhm / (2 * np.sqrt(2 ** (1 / 2.5) - 1))
    for (x, y), light in zip(xy, flux * 10 ** rng.uniform(-0.5, 0.5, n), strict=True):
        ix, iy = round(x), round(y)
        u = (steps + ix - x)[:, None] + fine
        v = (steps + iy - y)[:, None] + fine
        square = v[:, None, :, None] ** 2 + 1.15 * u[None, :, None] ** 2
        psf = (1 + square / core**2) ** -2.5
        psf = psf.mean(axis=(2, 3))
        image[iy - 10 : iy + 11, ix - 10 : ix + 11] += light * psf / psf.sum()
    return rng.poisson(image).astype(np.float32) + rng.normal(0, 3, image.shape), xy


def _rough(xy: np.ndarray) -> np.ndarray:
    """Return what a finder would say: off by up to 0.2 pixels towards the middles."""
    return np.rint(xy) + 0.6 * (xy - np.rint(xy))


def _fit(image: np.ndarray, xy: np.ndarray, **known: Any) -> Any:
    measured = MeasuredImage.of(image, unit='electron', **known)
    return fit_positions(measured, xy, np.ones(len(xy), bool))


@pytest.mark.parametrize('fwhm', [1.4, 1.7, 2.5, 4.5])
def test_photon_noise_and_phase(fwhm: float) -> None:
    """Errors are those stated, and no phase of the pixels is favoured."""
    image, xy = _field(fwhm=fwhm)
    fitted = _fit(image, _rough(xy), fwhm=1.1 * fwhm)
    assert fitted.n_stars > 200
    off = fitted.xy - xy
    off -= np.median(off, axis=0)
    pull = off / fitted.error
    assert 0.7 < 1.4826 * np.median(np.abs(pull)) < 1.3
    assert np.median(fitted.error) < 0.015 * fwhm
    phase = (xy + 0.5) % 1 - 0.5
    for axis in (0, 1):
        # A finder's centroid would follow the phase by a tenth of it and more.
        slope = np.polyfit(phase[:, axis], off[:, axis], 1)[0]
        assert abs(slope) < 0.015
        third = np.mean(off[:, axis] * np.sin(2 * np.pi * phase[:, axis]))
        assert abs(third) < 0.003


def test_unit_and_pedestal() -> None:
    """Neither changes a position."""
    image, xy = _field(100)
    plain = _fit(image, xy, fwhm=1.8)
    other = MeasuredImage.of(image / 2 + 500, unit='DN', gain=2, fwhm=1.8)
    again = fit_positions(other, xy, np.ones(len(xy), bool))
    assert np.allclose(again.xy, plain.xy, atol=1e-3)
    assert np.allclose(again.error, plain.error, rtol=0.02)


@pytest.mark.parametrize('n', [5, 15, 60])
def test_few_stars(n: int) -> None:
    """A simpler PSF does for few."""
    image, xy = _field(n)
    fitted = _fit(image, _rough(xy), fwhm=1.8)
    off = fitted.xy - xy
    assert np.abs(off - np.median(off, axis=0)).max() < 0.08


def test_too_few_stars() -> None:
    """Three make no PSF: nothing is fitted, nothing said."""
    image, xy = _field(3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fitted = _fit(image, xy, fwhm=1.8)
    assert fitted.n_stars == 0
    assert np.isnan(fitted.xy).all()
    assert np.isnan(fitted.error).all()
    nothing = _fit(image, np.empty((0, 2)), fwhm=1.8)
    assert nothing.xy.shape == (0, 2)
    unknown = _fit(np.zeros((40, 40)), np.array([[20.0, 20.0]]))
    assert np.isnan(unknown.xy).all()


def test_what_cannot_be_fitted() -> None:
    """No stars, positions off the image, lost boxes, what is elsewhere: NaN."""
    image, xy = _field(100)
    given = _rough(xy)
    given[0] = -50, 20
    given[1] = np.nan
    given[2] += 4.0
    image[np.rint(xy[3, 1]).astype(int)] = np.nan
    x, y = np.rint(xy[50]).astype(int)
    mask = np.zeros(image.shape, bool)
    mask[y - 2 : y + 1, x - 2 : x + 3] = True
    stars = np.ones(len(xy), bool)
    stars[99] = False
    measured = MeasuredImage.of(image, mask=mask, unit='electron', fwhm=1.8)
    fitted = fit_positions(measured, given, stars)
    lost = np.isnan(fitted.xy).any(axis=1)
    assert lost[[0, 1, 2, 50, 99]].all()
    assert not lost[15:50].any()
    assert np.array_equal(lost, np.isnan(fitted.error).any(axis=1))


def test_lost_pixels_count_nothing() -> None:
    """A masked pixel beside the middle, whatever its value, costs little."""
    image, xy = _field(100)
    clean = _fit(image, xy, fwhm=1.8)
    x, y = np.rint(xy[40]).astype(int)
    image[y + 1, x + 2] = 1e6
    mask = np.zeros(image.shape, bool)
    mask[y + 1, x + 2] = True
    fitted = _fit(image, xy, fwhm=1.8, mask=mask)
    assert np.abs(fitted.xy[40] - clean.xy[40]).max() < 0.02


def test_hits_and_neighbours_make_no_psf() -> None:
    """What is unlike the others, and what is not alone, is left out of the PSF."""
    image, xy = _field(144)
    for number in range(0, 144, 9):
        x, y = np.rint(xy[number]).astype(int)
        image[y, x : x + 3] += 8e4
    near = np.vstack([xy, xy[:40] + 3])
    fitted = _fit(image, near, fwhm=1.8)
    assert fitted.n_stars == 104
    clean = np.ones(144, bool)
    clean[::9] = False
    off = (fitted.xy[:144] - xy)[clean]
    off -= np.median(off, axis=0)
    assert 1.4826 * np.median(np.abs(off)) < 0.015


def test_saturated_stars() -> None:
    """A star with some full pixels is fitted by the others; one that is full is not."""
    image, xy = _field(100)
    for number, peak in ((30, 0.7), (40, 0.5)):
        x, y = np.rint(xy[number]).astype(int)
        box = image[y - 2 : y + 3, x - 2 : x + 3]
        np.minimum(box, peak * box.max(), out=box)
    x, y = np.rint(xy[50]).astype(int)
    image[y - 2 : y + 3, x - 2 : x + 3] = 9e4
    dq = np.zeros(image.shape, np.int16)
    for number in (30, 40, 50):
        x, y = np.rint(xy[number]).astype(int)
        box = image[y - 2 : y + 3, x - 2 : x + 3]
        dq[y - 2 : y + 3, x - 2 : x + 3][box == box.max()] = 256
    fitted = _fit(image, _rough(xy), fwhm=1.8, dq=dq)
    off = fitted.xy - xy
    off -= np.nanmedian(off, axis=0)
    assert np.abs(off[[30, 40]] / fitted.error[[30, 40]]).max() < 4
    assert fitted.error[[30, 40]].max() < 0.1
    assert np.isnan(fitted.xy[50]).all()
