"""Extended light on pixels: galaxies, trailed sources, nebulosity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage
from scipy.special import gammaincinv

from astrosieve_training.simulate.scene import NEBULA_STEP

if TYPE_CHECKING:
    from astrosieve_training.simulate.psf import PSF
    from astrosieve_training.simulate.scene import Scene

__all__ = ['nebula_image', 'render_galaxies', 'render_trails']


def render_galaxies(
    shape: tuple[int, int],
    galaxies: dict[str, np.ndarray],
    psf: PSF,
    *,
    level: float = 0.05,
    origin: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """
    Render Sersic galaxies, with spiral arms and knots where they have them.

    Parameters
    ----------
    shape : (int, int)
        Image, (ny, nx).
    galaxies : dict of `~numpy.ndarray`
        As in `~astrosieve_training.simulate.scene.Scene`.
    psf : `~astrosieve_training.simulate.psf.PSF`
        Convolved with.
    level : float, optional
        Electrons per pixel below which a galaxy's outskirts are dropped.
    origin : (float, float), optional
        Detector position of the image's first pixel.

    Returns
    -------
    image : 2D float32 `~numpy.ndarray`
        Electrons.
    """
    image = np.zeros(shape, np.float32)
    for i in range(len(galaxies['x'])):
        g = {key: values[i] for key, values in galaxies.items()}
        _add_galaxy(image, g, psf, level, origin)
    return image


def _sersic_extent(g: dict[str, float], level: float) -> tuple[float, float]:
    """Return b_n and the radius at which the profile falls to a level."""
    n = g['n']
    bn = float(gammaincinv(2 * n, 0.5))
    area = 2 * np.pi * n * g['radius'] ** 2 * max(g['axis_ratio'], 0.1)
    effective = g['flux'] / area / 2
    ratio = max(np.log(max(effective * np.exp(bn) / level, 1.5)), 0.3)
    return bn, float(np.clip(g['radius'] * (ratio / bn) ** n, 4, 120))


def _add_galaxy(
    image: np.ndarray,
    g: dict[str, float],
    psf: PSF,
    level: float,
    origin: tuple[float, float],
) -> None:
    bn, extent = _sersic_extent(g, level)
    # A compact galaxy shows the PSF's wings as a star does.
    k = int(np.clip(psf.radius(np.array(0.5 * g['flux']), 4 * level), 6, 60))
    reach = int(min(extent + k, 160))
    xi, yi = int(np.floor(g['x'] + 0.5)), int(np.floor(g['y'] + 0.5))
    ny, nx = image.shape
    if not (-reach < xi < nx + reach and -reach < yi < ny + reach):
        return
    # Large galaxies are smooth enough for two samples per pixel.
    sampling = 4 if reach <= 24 else 2
    c = np.arange(-reach * sampling, reach * sampling + 1) / sampling
    dx = c[None, :] - (g['x'] - xi)
    dy = c[:, None] - (g['y'] - yi)
    cos, sin = np.cos(g['angle']), np.sin(g['angle'])
    u = dx * cos + dy * sin
    v = (dy * cos - dx * sin) / g['axis_ratio']
    # The centre is softened by the size of a sample.
    r = np.sqrt(u * u + v * v + (0.4 / sampling) ** 2)
    light = np.exp(-bn * ((r / g['radius']) ** (1 / g['n']) - 1))
    light *= np.clip((extent - r) / 3, 0, 1)
    if g['arms'] > 0:
        light *= _arms(u, v, r, g)
    light *= g['flux'] / light.sum()
    s = np.arange(-k * sampling, k * sampling + 1) / sampling
    kernel = psf.value(
        s[None, :], s[:, None], position=(g['x'] + origin[0], g['y'] + origin[1])
    )
    kernel *= np.clip(k + 1 - np.hypot(s[None, :], s[:, None]), 0, 1)
    size = fft.next_fast_len(len(c) + len(s) - 1, real=True)
    product = fft.rfft2(light, (size, size)) * fft.rfft2(kernel, (size, size))
    blurred = fft.irfft2(product, (size, size))
    # Each sample of light reaches a pixel with the effective PSF's value there.
    start = k * sampling
    blurred = blurred[start : start + len(c), start : start + len(c)]
    stamp = np.maximum(blurred[::sampling, ::sampling], 0)
    stamp *= g['flux'] / max(stamp.sum(), 1e-9)
    y0, x0 = max(0, yi - reach), max(0, xi - reach)
    y1, x1 = min(ny, yi + reach + 1), min(nx, xi + reach + 1)
    if y0 < y1 and x0 < x1:
        image[y0:y1, x0:x1] += stamp[
            y0 - yi + reach : y1 - yi + reach, x0 - xi + reach : x1 - xi + reach
        ]


def _arms(
    u: np.ndarray, v: np.ndarray, r: np.ndarray, g: dict[str, float]
) -> np.ndarray:
    """Return what spiral arms and star-forming knots multiply the light with."""
    rng = np.random.default_rng(int(g['seed']))
    pitch = np.tan(np.deg2rad(rng.uniform(12, 35)))
    m = int(rng.choice([2, 2, 2, 3, 4]))
    phase = rng.uniform(0, 2 * np.pi)
    angle = np.arctan2(v, u)
    winding = np.log(np.maximum(r / g['radius'], 0.05)) / pitch
    wave = np.cos(m * (angle - winding) + phase)
    inner = 1 - np.exp(-((r / (0.5 * g['radius'])) ** 2))
    out = 1 + g['arms'] * inner * wave
    for _ in range(rng.poisson(4 + g['radius'] / 3)):
        distance = g['radius'] * rng.uniform(0.4, 2.2)
        where = rng.uniform(0, 2 * np.pi)
        width = max(0.06 * g['radius'], 0.35)
        du = u - distance * np.cos(where)
        dv = v - distance * np.sin(where)
        near = np.exp(-(du**2 + (dv * g['axis_ratio']) ** 2) / (2 * width**2))
        out = out + rng.exponential(2.5) * near
    return out


def render_trails(
    shape: tuple[int, int],
    trails: dict[str, np.ndarray],
    psf: PSF,
    *,
    level: float = 0.05,
    origin: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """
    Render sources that the telescope did not follow.

    Parameters
    ----------
    shape : (int, int)
        Image, (ny, nx).
    trails : dict of `~numpy.ndarray`
        As in `~astrosieve_training.simulate.scene.Scene`.
    psf : `~astrosieve_training.simulate.psf.PSF`
        Drawn along the trail.
    level : float, optional
        Electrons per pixel below which wings are dropped.
    origin : (float, float), optional
        Detector position of the image's first pixel.

    Returns
    -------
    image : 2D float32 `~numpy.ndarray`
        Electrons.
    """
    if not len(trails['x']):
        return np.zeros(shape, np.float32)
    count = np.maximum(np.ceil(trails['length'] / 0.4).astype(int), 2)
    owner = np.repeat(np.arange(len(count)), count)
    k = np.arange(count.sum()) - (np.cumsum(count) - count)[owner]
    t = ((k + 0.5) / count[owner] - 0.5) * trails['length'][owner]
    angle = np.deg2rad(trails['angle'])[owner]
    core, rest = psf.render(
        shape,
        trails['x'][owner] + t * np.cos(angle),
        trails['y'][owner] + t * np.sin(angle),
        (trails['flux'] / count)[owner],
        level=level / 3,
        origin=origin,
    )
    return core + rest


def nebula_image(
    scene: Scene, shape: tuple[int, int], dx: float, dy: float
) -> np.ndarray:
    """
    Return a scene's nebulosity on a chip.

    Parameters
    ----------
    scene : `~astrosieve_training.simulate.scene.Scene`
        With a nebula.
    shape : (int, int)
        Of the chip.
    dx, dy : float
        Chip position minus canvas position.

    Returns
    -------
    image : 2D float32 `~numpy.ndarray`
        Electrons.
    """
    step = 1 / NEBULA_STEP
    offset = (20 - dy * step, 20 - dx * step)
    return np.maximum(
        ndimage.affine_transform(
            scene.nebula, (step, step), offset, output_shape=shape, order=3,
            mode='nearest', output=np.float32,
        ),
        0,
    )  # fmt: skip
