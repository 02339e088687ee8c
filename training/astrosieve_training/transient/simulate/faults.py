"""What goes wrong: ghosts, trails, hits, defects, edges, bad templates."""

from __future__ import annotations

import numpy as np

from astrosieve_training.simulate.cosmic_rays import cosmic_ray_image
from astrosieve_training.simulate.detector import Slab
from astrosieve_training.transient.simulate.psf import SeeingPSF
from astrosieve_training.transient.simulate.surveys import Conditions

__all__ = ['cut_off', 'draw_edge', 'spoil_search', 'spoil_template']


def spoil_search(
    planes: dict[str, np.ndarray],
    c: Conditions,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Add ghosts, trails, hits and defects to a search."""
    ny, nx = shape
    s = c.survey
    y, x = np.ogrid[:ny, :nx]
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 4)):
            planes['spike'] += _ghost(x, y, shape, c.noise, rng)
    if rng.random() < 0.25:
        angle, at = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8, 2) * (nx, ny)
        off = np.abs((x - at[0]) * np.sin(angle) - (y - at[1]) * np.cos(angle))
        width = c.fwhm * rng.uniform(0.8, 2) / 2
        height = c.noise * 10 ** rng.uniform(0.2, 1.8)
        along = (x - at[0]) * np.cos(angle) + (y - at[1]) * np.sin(angle)
        blinks = 1 + (rng.random() < 0.4) * np.sin(along / rng.uniform(5, 30))
        trail = height * blinks / (1 + (off / width) ** 2) ** 2.5
        planes['satellite_trail'] = trail.astype(np.float32)
    slab = Slab(thickness_um=rng.choice([20.0, 200.0]))
    area = nx * ny * (slab.pixel_um * 1e-4) ** 2
    hits = cosmic_ray_image(
        shape, slab, rng, rate=s.hits / area, exptime=1.0, site='ground'
    ).image
    planes['cosmic_ray'] = hits * np.float32(rng.uniform(0.3, 1.0))
    bad = np.zeros(shape, np.float32)
    n = rng.poisson(8)
    heights = c.noise * 10 ** rng.uniform(1, 2.5, n)
    bad[rng.integers(ny, size=n), rng.integers(nx, size=n)] += heights
    for row, left in rng.integers(0, (ny, nx), (5, 2)):
        high, wide = rng.integers(1, 4, 2)
        bad[row : row + high, left : left + wide] -= c.noise * 10 ** rng.uniform(
            0.6, 1.6
        )
    for _ in range(rng.poisson(0.7)):
        first, last = np.sort(rng.integers(0, ny, 2))
        column = c.noise * rng.choice([-1, 1]) * 10 ** rng.uniform(0, 1.2)
        bad[first:last, rng.integers(nx) :][:, :1] += column
    planes['bad_pixel'] = bad
    grade = rng.normal(0, 0.15 * s.quality, 2) * c.noise
    level = grade[0] * (x / nx - 0.5) + grade[1] * (y / ny - 0.5)
    planes['sky'] = level.astype(np.float32)


def _ghost(
    x: np.ndarray,
    y: np.ndarray,
    shape: tuple[int, int],
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a reflection: a disc with a hole, sharp or soft."""
    at = rng.uniform(0, 1, 2) * (shape[1], shape[0])
    outer = 10 ** rng.uniform(0.7, 1.7)
    hole = outer * rng.uniform(0.2, 0.6)
    soft = rng.uniform(0.3, 2.5)
    r = np.hypot(x - at[0], y - at[1])
    r_hole = np.hypot(x - at[0] - rng.normal(0, 0.1) * outer, y - at[1])
    disc = 1 / (1 + np.exp(((r - outer) / soft).clip(-30, 30)))
    inner = 1 / (1 + np.exp(((r_hole - hole) / soft).clip(-30, 30)))
    height = noise * 10 ** rng.uniform(-0.2, 1.2) * rng.choice([1, 1, 1, -1])
    return (height * (disc - rng.uniform(0.3, 1) * inner)).astype(np.float32)


def spoil_template(
    planes: dict[str, np.ndarray],
    c: Conditions,
    psf: SeeingPSF,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Add to a template what should not be there: holes, hits, columns, ghosts."""
    ny, nx = shape
    noise = c.noise
    bad = np.zeros(shape, np.float32)
    n = rng.poisson(2)
    flux = -c.fluxes(n, rng)
    psf.add(bad, rng.uniform(0, nx, n), rng.uniform(0, ny, n), flux, 0.05 * noise)
    n = rng.poisson(5)
    heights = rng.choice([1, -1], n) * noise * 10 ** rng.uniform(0.7, 2, n)
    bad[rng.integers(ny, size=n), rng.integers(nx, size=n)] += heights
    for _ in range(rng.poisson(0.5)):
        column = rng.integers(nx)
        bad[:, column] += noise * rng.choice([-1, 1]) * 10 ** rng.uniform(-0.2, 0.9)
    planes['bad_template'] = bad
    if rng.random() < 0.25:
        y, x = np.ogrid[:ny, :nx]
        planes['bad_template'] += _ghost(x, y, shape, noise / 2, rng)


def cut_off(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return what lies beyond an edge of the detector, or in a gap."""
    cut = np.zeros(shape, bool)
    turned = cut.T if rng.random() < 0.5 else cut
    side = turned.shape[1]
    if rng.random() < 0.5:
        turned[:, : rng.integers(10, side // 3)] = True
    else:
        first = rng.integers(0, side)
        turned[:, first : first + rng.integers(1, 30)] = True
    return cut


def draw_edge(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return where the search has no pixels: nowhere, or beyond an edge."""
    return cut_off(shape, rng) if rng.random() < 0.45 else np.zeros(shape, bool)
