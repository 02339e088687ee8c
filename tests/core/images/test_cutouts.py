"""Cutouts and the pixels under positions."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.cutouts import extract_cutouts, pixel_indices


@pytest.mark.parametrize(
    ('x', 'pixel'),
    [(0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (-0.5, 0), (7.49, 7), (3.0, 3)],
)
def test_position_falls_on_the_nearest_pixel(x: float, pixel: int) -> None:
    """Pixel centres are whole numbers; halves go up, always."""
    ix, iy, finite, inside = pixel_indices(np.array([[x, 2.0]]), (5, 8))
    assert (ix[0], iy[0], finite[0], inside[0]) == (pixel, 2, True, True)


@pytest.mark.parametrize(
    ('x', 'y'), [(-0.51, 2), (7.5, 2), (3, -0.6), (3, 4.5), (1e300, 2), (3, -1e300)]
)
def test_position_outside(x: float, y: float) -> None:
    """Beyond the outer pixels' rims there is no pixel, however far."""
    ix, iy, finite, inside = pixel_indices(np.array([[x, y]]), (5, 8))
    assert (ix[0], iy[0], finite[0], inside[0]) == (-1, -1, True, False)


@pytest.mark.parametrize('x', [np.nan, np.inf, -np.inf])
def test_position_not_finite(x: float) -> None:
    """A position that is no number is told from one outside."""
    ix, iy, finite, inside = pixel_indices(np.array([[x, 2.0], [2.0, x]]), (5, 8))
    assert ix.tolist() == iy.tolist() == [-1, -1]
    assert not finite.any()
    assert not inside.any()


def brute_force(image: np.ndarray, x: int, y: int, size: int) -> np.ndarray:
    half = size // 2
    padded = np.pad(image, half + 3, constant_values=-7)
    y, x = y + 3, x + 3
    return padded[y : y + size, x : x + size]


@pytest.mark.parametrize('size', [1, 3, 11])
@pytest.mark.parametrize('shape', [(1, 1), (3, 3), (20, 31), (31, 5)])
def test_agrees_with_padding(size: int, shape: tuple[int, int]) -> None:
    """Everywhere, edges included, cutouts are those of a padded image."""
    rng = np.random.default_rng(1)
    image = rng.integers(0, 1000, shape).astype(np.float32)
    iy, ix = (a.ravel() for a in np.mgrid[: shape[0], : shape[1]])
    cutouts = extract_cutouts(image, ix, iy, size, fill=-7)
    expected = [brute_force(image, *xy, size) for xy in zip(ix, iy, strict=True)]
    assert np.array_equal(cutouts, expected)
    assert cutouts.dtype == image.dtype


def test_outside_is_all_fill() -> None:
    """A pixel that is nowhere near the image gives a cutout of fill."""
    image = np.ones((6, 6), dtype=np.int16)
    cutouts = extract_cutouts(image, np.array([-100, 50]), np.array([3, 3]), 3, fill=9)
    assert (cutouts == 9).all()


def test_are_copies() -> None:
    """Writing into cutouts leaves the image alone."""
    image = np.zeros((6, 6))
    extract_cutouts(image, np.array([3]), np.array([3]), 3, fill=0)[:] = 5
    assert not image.any()


def test_no_positions() -> None:
    """No positions give no cutouts, of the right shape."""
    none = np.empty(0, dtype=int)
    assert extract_cutouts(np.zeros((6, 6)), none, none, 5, fill=0).shape == (0, 5, 5)


@pytest.mark.parametrize('size', [0, -1, 4])
def test_size_must_be_odd(size: int) -> None:
    """A cutout has a central pixel."""
    with pytest.raises(ValueError, match=f'size must be odd and positive; got {size}'):
        extract_cutouts(np.zeros((6, 6)), np.array([3]), np.array([3]), size, fill=0)
