"""
Scenes: what the sky holds before any detector sees it.

A scene lives on a canvas of pixels that may be larger than a chip, so that several
chips and dithered exposures can look at the same sky.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from astrosieve_training.settings import (
    ConfigError,
    NotNegative,
    Positive,
    Settings,
    not_known,
)

if TYPE_CHECKING:
    from astrosieve_training.simulate.psf import PSF

__all__ = [
    'NEBULA_STEP',
    'PRESETS',
    'Scene',
    'SceneConfig',
    'make_scene',
    'nebula_field',
    'scene_config',
    'vary_scene',
]


@dataclass(frozen=True)
class SceneConfig(Settings):
    """
    What a scene is drawn from. Densities are numbers in a million pixels.

    Attributes
    ----------
    name : str
        Of the preset.
    star_density : float
        Stars above ``faint_snr``.
    faint_snr : float
        S/N in 3x3 pixels of the faintest star.
    saturation : float
        Flux of the brightest star, times that which fills the full well.
    slope : float
        N(>F) falls as F to this power's negative.
    bright_stars : float
        Extra stars between 1 and ``saturation`` times the saturating flux.
    core_radius : float
        Of a cluster with a Plummer profile, times the canvas width; 0 for a uniform
        density.
    galaxy_density : float
        Sersic galaxies.
    galaxy_size : float
        Median half-light radius, times the PSF's FWHM.
    nebula : float
        Mean brightness of nebulosity, times the noise of a pixel of sky.
    trail_density : float
        Sources trailed by a telescope that follows something else.
    trail_length, trail_angle : (float, float)
        Limits, pixels and degrees from +x; the same trail for all sources of a scene.
    sky_factor : float
        Times the camera's sky.
    """

    name: str = 'field'
    star_density: NotNegative = 500.0
    faint_snr: Positive = 1.0
    saturation: Positive = 20.0
    slope: Positive = 0.5
    bright_stars: NotNegative = 1.0
    core_radius: NotNegative = 0.0
    galaxy_density: NotNegative = 40.0
    galaxy_size: Positive = 1.3
    nebula: NotNegative = 0.0
    trail_density: NotNegative = 0.0
    trail_length: tuple[float, float] = (6.0, 40.0)
    trail_angle: tuple[float, float] = (0.0, 180.0)
    sky_factor: NotNegative = 1.0


PRESETS = {
    c.name: c
    for c in (
        SceneConfig(
            'empty', star_density=8, bright_stars=0, galaxy_density=10, saturation=0.5
        ),
        SceneConfig('sparse', star_density=80, bright_stars=0.5, galaxy_density=30),
        SceneConfig('field'),
        SceneConfig(
            'outskirts', star_density=900, slope=0.45, bright_stars=3, saturation=40,
            galaxy_density=3,
        ),
        SceneConfig(
            'globular', star_density=24000, slope=0.62, bright_stars=15, saturation=30,
            core_radius=0.5, galaxy_density=0,
        ),
        SceneConfig(
            'galaxies', star_density=100, galaxy_density=500, galaxy_size=1.6
        ),
        SceneConfig(
            'deep', star_density=400, bright_stars=0.5, galaxy_density=700,
            galaxy_size=0.8,
        ),
        SceneConfig('nebula', star_density=900, nebula=8.0, galaxy_density=0),
        SceneConfig(
            'trailed', star_density=4, bright_stars=4, trail_density=400,
            galaxy_density=5,
        ),
        SceneConfig(
            'resolved', star_density=3000, slope=0.55, bright_stars=2,
            galaxy_density=150, galaxy_size=6.0,
        ),
    )
}  # fmt: skip


def scene_config(scene: str | SceneConfig) -> SceneConfig:
    """
    Return a scene's configuration.

    Parameters
    ----------
    scene : str or `SceneConfig`
        Name of one of `PRESETS`, or a configuration, which is returned.

    Returns
    -------
    config : `SceneConfig`
        What `make_scene` takes.
    """
    if isinstance(scene, SceneConfig):
        return scene
    if scene not in PRESETS:
        msg = not_known('no scene', scene, PRESETS)
        raise ConfigError(msg)
    return PRESETS[scene]


def vary_scene(scene: str | SceneConfig, rng: np.random.Generator) -> SceneConfig:
    """
    Return a scene like a given one, but of other densities and brightness.

    Parameters
    ----------
    scene : str or `SceneConfig`
        Preset or configuration.
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    config : `SceneConfig`
        Bright stars, and galaxies, are added to about half of the scenes, whatever
        they are: what is rare in one kind of field is common in another.
    """
    base = scene_config(scene)
    bright = rng.uniform(0, 25) if rng.random() < 0.6 else 0.0
    galaxies = rng.uniform(0, 150) if rng.random() < 0.5 else 0.0
    return replace(
        base,
        star_density=base.star_density * 10 ** rng.uniform(-0.5, 0.3),
        bright_stars=base.bright_stars + bright,
        saturation=max(base.saturation, 10 ** rng.uniform(0.3, 2.2)),
        galaxy_density=base.galaxy_density * 10 ** rng.uniform(-0.3, 0.5) + galaxies,
        nebula=base.nebula * 10 ** rng.uniform(-0.5, 0.5),
        sky_factor=base.sky_factor * 10 ** rng.uniform(-0.5, 0.5),
    )


@dataclass(frozen=True)
class Scene:
    """
    A piece of sky.

    Attributes
    ----------
    config : `SceneConfig`
        What it was drawn from.
    shape : (int, int)
        Of the canvas, (ny, nx).
    x, y, flux : (N,) `~numpy.ndarray`
        Stars: canvas position, electrons.
    galaxies : dict of `~numpy.ndarray`
        ``x``, ``y``, ``flux``, ``radius`` (half-light, pixels), ``n``, ``axis_ratio``,
        ``angle``, ``arms`` (strength of spiral arms), ``seed``.
    trails : dict of `~numpy.ndarray`
        ``x``, ``y`` (middle), ``flux``, ``length`` (pixels), ``angle`` (degrees).
    nebula : 2D `~numpy.ndarray` or `None`
        Electrons per pixel on a grid four times coarser than the canvas.
    """

    config: SceneConfig
    shape: tuple[int, int]
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    galaxies: dict[str, np.ndarray]
    trails: dict[str, np.ndarray]
    nebula: np.ndarray | None

    def moved(self, dx: float, dy: float) -> Scene:
        """
        Return the scene as another pointing or chip sees it.

        Parameters
        ----------
        dx, dy : float
            Added to each position.

        Returns
        -------
        scene : `Scene`
            Its nebula is that of the canvas still.
        """
        galaxies, trails = dict(self.galaxies), dict(self.trails)
        for table in (galaxies, trails):
            table['x'] = table['x'] + dx
            table['y'] = table['y'] + dy
        return replace(
            self, x=self.x + dx, y=self.y + dy, galaxies=galaxies, trails=trails
        )


NEBULA_STEP = 4
_MARGIN = 40


def _power_law(
    n: int, low: float, high: float, slope: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw fluxes between two limits with N(>F) ~ F^-slope."""
    a, b = low**-slope, high**-slope
    return (a + (b - a) * rng.random(n)) ** (-1 / slope)


def make_scene(
    config: str | SceneConfig,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    noise: float,
    full_well: float,
    psf: PSF,
) -> Scene:
    """
    Draw a scene.

    Parameters
    ----------
    config : str or `SceneConfig`
        Preset or configuration.
    shape : (int, int)
        Canvas, (ny, nx).
    rng : `~numpy.random.Generator`
        Source of chance.
    noise : float
        Standard deviation of an empty pixel, electrons.
    full_well : float
        Electrons.
    psf : `~astrosieve_training.simulate.psf.PSF`
        Sets the S/N and the saturation of a flux.

    Returns
    -------
    scene : `Scene`
        Fluxes are electrons in the exposure.
    """
    config = scene_config(config)
    ny, nx = shape
    million = (ny + 2 * _MARGIN) * (nx + 2 * _MARGIN) / 1e6
    share, peak = psf.box_share(np.zeros(1), np.zeros(1))
    # The flux at which electrons over noise is faint_snr.
    snr = config.faint_snr
    variance = 9 * noise**2
    faint = (snr**2 + np.sqrt(snr**4 + 4 * snr**2 * variance)) / 2 / share[0]
    full = full_well / peak[0]
    bright = max(full * config.saturation, 10 * faint)

    def place(n: int) -> tuple[np.ndarray, np.ndarray]:
        if config.core_radius > 0:
            return _plummer(n, shape, config.core_radius * nx, rng)
        x = rng.uniform(-_MARGIN, nx + _MARGIN, n)
        return x, rng.uniform(-_MARGIN, ny + _MARGIN, n)

    n = rng.poisson(config.star_density * million)
    x, y = place(n)
    flux = _power_law(n, faint, bright, config.slope, rng)
    extra = rng.poisson(config.bright_stars * million) if config.saturation > 1 else 0
    if extra:
        more = place(extra)
        x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
        flux = np.concatenate([flux, _power_law(extra, full, bright, 0.8, rng)])
    galaxies = _draw_galaxies(config, million, shape, noise, psf, rng)
    n = rng.poisson(config.trail_density * million)
    length = rng.uniform(*config.trail_length)
    angle = rng.uniform(*config.trail_angle)
    trails = {
        'x': rng.uniform(-_MARGIN, nx + _MARGIN, n),
        'y': rng.uniform(-_MARGIN, ny + _MARGIN, n),
        'flux': _power_law(
            n, faint * np.sqrt(1 + length / psf.fwhm), bright, config.slope, rng
        ),
        'length': np.full(n, length),
        'angle': np.full(n, angle),
    }
    nebula = None
    if config.nebula > 0:
        coarse = (ny // NEBULA_STEP + 40, nx // NEBULA_STEP + 40)
        nebula = nebula_field(coarse, rng) * config.nebula * noise
    return Scene(config, shape, x, y, flux, galaxies, trails, nebula)


def _plummer(
    n: int, shape: tuple[int, int], radius: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n positions on the canvas from a Plummer profile about a centre near it."""
    ny, nx = shape
    cx = nx * rng.uniform(0.1, 0.9)
    cy = ny * rng.uniform(0.1, 0.9)
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    found = 0
    while found < n:
        u = rng.random(4 * n)
        r = radius * np.sqrt(u / (1 - u))
        phi = rng.uniform(0, 2 * np.pi, len(r))
        x, y = cx + r * np.cos(phi), cy + r * np.sin(phi)
        ok = (x > -_MARGIN) & (x < nx + _MARGIN)
        ok &= (y > -_MARGIN) & (y < ny + _MARGIN)
        xs.append(x[ok])
        ys.append(y[ok])
        found += int(ok.sum())
    if not xs:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(xs)[:n], np.concatenate(ys)[:n]


def _draw_galaxies(
    config: SceneConfig,
    million: float,
    shape: tuple[int, int],
    noise: float,
    psf: PSF,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    n = rng.poisson(config.galaxy_density * million)
    radius = psf.fwhm * config.galaxy_size * np.exp(rng.normal(0, 0.75, n))
    radius = np.clip(radius, 0.3, 60.0)
    # S/N inside the half-light radius (and the PSF), a power law from 3 upwards.
    snr = np.minimum(3 * np.maximum(rng.random(n), 1e-9) ** (-1 / 0.75), 600)
    area = np.pi * (radius**2 + psf.fwhm**2)
    background = noise * np.sqrt(area)
    inside = (snr**2 + np.sqrt(snr**4 + 4 * snr**2 * background**2)) / 2
    disc = rng.random(n) < 0.65
    return {
        'x': rng.uniform(-_MARGIN, shape[1] + _MARGIN, n),
        'y': rng.uniform(-_MARGIN, shape[0] + _MARGIN, n),
        'flux': 2 * inside,
        'radius': radius,
        'n': np.where(disc, rng.uniform(0.6, 1.8, n), rng.uniform(2.0, 4.5, n)),
        'axis_ratio': np.where(
            disc, np.maximum(rng.random(n), 0.15), rng.uniform(0.5, 1, n)
        ),
        'angle': rng.uniform(0, np.pi, n),
        'arms': np.where(disc & (rng.random(n) < 0.7), rng.uniform(0.2, 0.9, n), 0.0),
        'seed': rng.integers(2**31, size=n),
    }


def nebula_field(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """
    Return nebulosity with filaments.

    Parameters
    ----------
    shape : (int, int)
        Any size.
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    field : 2D float32 `~numpy.ndarray`
        0 or more, mean 1: ridges of warped power-law noise on a smooth glow.
    """
    ny, nx = shape

    def noise(index: float, smallest: float) -> np.ndarray:
        fy = np.fft.fftfreq(ny)[:, None]
        fx = np.fft.rfftfreq(nx)[None, :]
        f = np.hypot(fy, fx)
        f[0, 0] = 1.0
        amplitude = f ** (-index / 2) * np.exp(-((f * smallest) ** 2))
        amplitude[0, 0] = 0
        spectrum = np.fft.rfft2(rng.standard_normal(shape)) * amplitude
        out = np.fft.irfft2(spectrum, shape)
        return out / out.std()

    def warped(image: np.ndarray) -> np.ndarray:
        scale = 0.03 * max(shape)
        gy, gx = np.indices(shape, dtype=np.float32)
        at = [gy + scale * noise(4.0, 6.0), gx + scale * noise(4.0, 6.0)]
        return ndimage.map_coordinates(image, at, order=1, mode='wrap')

    glow = np.exp(0.7 * noise(3.4, 3.0))
    ridge = np.zeros(shape)
    for index, weight in ((3.2, 1.0), (2.8, 0.5)):
        ridges = np.exp(-np.abs(warped(noise(index, 1.0))) * rng.uniform(6, 14))
        ridge += weight * ridges * np.exp(0.8 * noise(3.5, 4.0))
    field = glow * (0.35 + 0.15 * np.abs(noise(2.8, 1.0))) + 1.2 * ridge * glow
    return np.maximum(field / field.mean(), 0).astype(np.float32)
