"""A small monitor: light, a flat, a mirror with blobs that moves a little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

Spot = tuple[float, float, float, float]
"""x, y, radius, depth."""


def transmission(shape: tuple[int, int], spot: Spot) -> np.ndarray:
    """Return what a spot lets through: a disc with a soft edge."""
    x, y, radius, depth = spot
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    off = np.hypot(columns - x, rows - y) - radius
    return 1 - depth / (1 + np.exp(off / (0.25 * radius)))


@dataclass
class Monitor:
    """
    Images of one detector.

    ``old`` are spots that move with the mirror; ``fixed`` are dark places of the
    flat, which do not.
    """

    shape: tuple[int, int]
    seed: int = 1
    n_old: int = 25
    fixed: Sequence[Spot] = ()
    old: list[Spot] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        ny, nx = self.shape
        self.old = [
            (
                rng.uniform(12, nx - 12),
                rng.uniform(12, ny - 12),
                rng.uniform(4, 10),
                rng.uniform(0.03, 0.15),
            )
            for _ in range(self.n_old)
        ]
        self.flat = 1 + 0.01 * rng.standard_normal(self.shape)
        self.flat *= 1 + 0.02 * np.sin(np.arange(ny) / 80)[:, None]
        for spot in self.fixed:
            self.flat *= transmission(self.shape, spot)

    def mirror(self, shift: tuple[float, float]) -> np.ndarray:
        """Return what the older blobs let through, shifted by (dy, dx)."""
        passed = np.ones(self.shape)
        for x, y, radius, depth in self.old:
            moved = (x + shift[1], y + shift[0], radius, depth)
            passed *= transmission(self.shape, moved)
        return passed

    def image(
        self,
        *,
        shift: tuple[float, float] = (0, 0),
        new: Sequence[Spot] = (),
        level: float = 3,
        slope: tuple[float, float] = (0.03, -0.05),
        noise: float = 0.01,
        seed: int = 0,
    ) -> np.ndarray:
        """Return an image; noise is a share of the level."""
        ny, nx = self.shape
        light = level * (
            1
            + slope[0] * np.linspace(-0.5, 0.5, ny)[:, None]
            + slope[1] * np.linspace(-0.5, 0.5, nx)
        )
        image = light * self.flat * self.mirror(shift)
        for spot in new:
            image = image * transmission(self.shape, spot)
        rng = np.random.default_rng([self.seed, seed])
        image = image + noise * level * rng.standard_normal(self.shape)
        return image.astype(np.float32)

    def references(self, n: int, *, noise: float = 0.01) -> list[np.ndarray]:
        """Return images of various levels and slopes."""
        rng = np.random.default_rng([self.seed, 99])
        return [
            self.image(
                level=rng.uniform(1, 4),
                slope=tuple(rng.normal(0, 0.05, 2)),
                noise=noise,
                seed=1000 + k,
            )
            for k in range(n)
        ]


def write_flt(
    path: Path, image: np.ndarray, *, dq: bool | np.ndarray = True, **cards: object
) -> Path:
    """Write an image as calwf3 does, with SCI and DQ; reads are further SCI."""
    header = {
        'TELESCOP': 'HST',
        'INSTRUME': 'WFC3',
        'DETECTOR': 'IR',
        'FILTER': 'F153M',
        'EXPSTART': 57000.0,
        **cards,
    }
    primary = fits.PrimaryHDU()
    primary.header.update({k: v for k, v in header.items() if v is not None})
    sci = fits.ImageHDU(image.astype(np.float32), name='SCI', ver=1)
    sci.header['BUNIT'] = 'ELECTRONS/S'
    hdus = fits.HDUList([primary, sci])
    if dq is not False:
        plane = np.zeros(image.shape, np.int16) if dq is True else dq
        hdus.append(fits.ImageHDU(plane.astype(np.int16), name='DQ', ver=1))
    hdus.writeto(path)
    return path


@pytest.fixture(scope='session')
def small() -> Monitor:
    """Monitor of 512x512 pixels with a dark place of the flat."""
    return Monitor((512, 512), fixed=[(100, 400, 8, 0.1)])


@pytest.fixture(scope='session')
def monitor() -> Monitor:
    """Monitor of the full frame."""
    return Monitor((1014, 1014), seed=2)


@pytest.fixture
def flt() -> Callable[..., Path]:
    """What writes an FLT."""
    return write_flt
