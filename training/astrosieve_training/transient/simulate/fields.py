"""Search and template of one field, as planes of what they are made of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage
from scipy.special import gammaincinv

from astrosieve_training.simulate.detector import bleed
from astrosieve_training.transient.simulate.faults import (
    cut_off,
    spoil_search,
    spoil_template,
)
from astrosieve_training.transient.simulate.psf import SeeingPSF, spikes
from astrosieve_training.transient.simulate.surveys import Conditions

__all__ = ['Changes', 'Exposure', 'Field', 'Sky', 'draw_sky', 'expose']

_BRIGHTEST = 3e4  # of the stars, over the faintest
_HOSTS = 30  # galaxies in 512x512 pixels, median


@dataclass
class Exposure:
    """
    An image, and what it is made of.

    Parameters
    ----------
    planes : dict of str to 2D float32 `~numpy.ndarray`
        Electrons by component; they sum to ``image``.
    image : 2D float32 `~numpy.ndarray`
        Electrons over the sky.
    masked : 2D bool `~numpy.ndarray`
        What the pipeline gives as NaN.
    saturated : 2D bool `~numpy.ndarray`
        Pixels that were full, or bled into.
    psf : `SeeingPSF`
        Of its stars.
    noise : float
        Of its sky, electrons.
    """

    planes: dict[str, np.ndarray]
    image: np.ndarray
    masked: np.ndarray
    saturated: np.ndarray
    psf: SeeingPSF
    noise: float


@dataclass
class Changes:
    """
    What is new, gone, brighter or fainter in the search.

    Parameters
    ----------
    x, y, flux : (N,) `~numpy.ndarray`
        Pixels of the search; electrons, of either sign.
    kind : (N,) str `~numpy.ndarray`
        'transient', 'variable' or 'moving'.
    host : (N,) float `~numpy.ndarray`
        Of a transient: its host's flux, electrons; else 0.
    length, angle : (N,) `~numpy.ndarray`
        Of a trail, pixels and radians.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    kind: np.ndarray
    host: np.ndarray
    length: np.ndarray
    angle: np.ndarray


@dataclass
class Sky:
    """
    What a field holds whatever it is observed with.

    Parameters
    ----------
    x, y, flux, colour : (N,) `~numpy.ndarray`
        Stars.
    galaxies : dict of str to (M,) `~numpy.ndarray`
        ``x``, ``y``, ``flux``, ``radius``, ``n``, ``ratio``, ``angle``.
    changes : `Changes`
        Between template and search.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    colour: np.ndarray
    galaxies: dict[str, np.ndarray]
    changes: Changes


@dataclass
class Field:
    """
    A search and its template, on the same pixels.

    Parameters
    ----------
    search, template : `Exposure`
        The two.
    sky : `Sky`
        What is there.
    conditions : `~.surveys.Conditions`
        Under which.
    edge : 2D bool `~numpy.ndarray`
        Where the search has no pixels.
    """

    search: Exposure
    template: Exposure
    sky: Sky
    conditions: Conditions
    edge: np.ndarray


def draw_sky(c: Conditions, shape: tuple[int, int], rng: np.random.Generator) -> Sky:
    """Draw stars, galaxies and what changes."""
    ny, nx = shape
    n = c.n_stars
    steep = rng.uniform(0.55, 0.85)
    ratio = np.minimum((1 - rng.random(n)) ** (-1 / steep), _BRIGHTEST)
    x, y = rng.uniform(-10, nx + 10, n), rng.uniform(-10, ny + 10, n)
    flux = 0.6 * c.faintest * ratio
    m = rng.poisson(_HOSTS * np.exp(rng.normal(0, 0.5)))
    radius = np.clip(np.exp(rng.normal(np.log(0.9 * c.fwhm), 0.55, m)), 0.7, 14)
    galaxies = {
        'x': rng.uniform(0, nx, m),
        'y': rng.uniform(0, ny, m),
        'flux': c.faintest * (1 - rng.random(m)) ** -1.0 * (1 + radius / c.fwhm) ** 2,
        'radius': radius,
        'n': rng.choice([0.7, 1.0, 1.0, 2.0, 4.0], m),
        'ratio': rng.uniform(0.25, 1, m),
        'angle': rng.uniform(0, np.pi, m),
    }
    np.minimum(galaxies['flux'], 3e3 * c.faintest, out=galaxies['flux'])
    sky = Sky(x, y, flux, rng.normal(0, 1, n), galaxies, Changes(*[np.empty(0)] * 7))
    sky.changes = _changes(c, sky, shape, rng)
    return sky


def _changes(
    c: Conditions, sky: Sky, shape: tuple[int, int], rng: np.random.Generator
) -> Changes:
    ny, nx = shape
    parts: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(
        kind: str,
        x: np.ndarray,
        y: np.ndarray,
        flux: np.ndarray,
        **more: np.ndarray,
    ) -> None:
        zero = np.zeros(len(x))
        values = {'host': zero, 'length': zero, 'angle': zero} | more
        for name, each in ({'x': x, 'y': y, 'flux': flux} | values).items():
            parts[name].append(each)
        parts['kind'].append(np.full(len(x), kind))

    g = sky.galaxies
    share = g['flux'] / g['flux'].sum() if len(g['x']) else g['flux']
    if len(share):
        hosts = rng.choice(len(share), 12, p=0.5 * share + 0.5 / len(share))
        away = g['radius'][hosts] * rng.gamma(1.6, 0.7, 12)
        turn = rng.uniform(0, 2 * np.pi, 12)
        flux = c.fluxes(12, rng)
        x = g['x'][hosts] + away * np.cos(turn)
        y = g['y'][hosts] + away * np.sin(turn)
        add('transient', x, y, flux, host=g['flux'][hosts])
        active = rng.choice(len(share), 4, p=0.5 * share + 0.5 / len(share))
        x, y = g['x'][active], g['y'][active]
        flux = rng.choice([-1, 1], 4) * c.fluxes(4, rng)
        add('variable', x, y, flux)
        nuclei = np.abs(flux) * rng.uniform(1.1, 3, 4)
        sky.x, sky.y = np.append(sky.x, x), np.append(sky.y, y)
        sky.flux = np.append(sky.flux, nuclei)
        sky.colour = np.append(sky.colour, np.zeros(4))
    alone = 5
    add('transient', rng.uniform(0, nx, alone), rng.uniform(0, ny, alone),
        c.fluxes(alone, rng))  # fmt: skip
    amplitude = np.exp(rng.normal(np.log(0.25), 1.0, c.n_stars))
    change = sky.flux[: c.n_stars] * amplitude
    likely = (change > 0.8 * c.faintest) & (change < 2e3 * c.faintest)
    able = np.flatnonzero(likely)
    some = rng.choice(able, min(24, c.n_stars // 10, len(able)), replace=False)
    sign = rng.choice([-1, 1], len(some))
    loss = np.minimum(change[some], 0.9 * sky.flux[some])
    add('variable', sky.x[some], sky.y[some], np.where(sign > 0, change[some], -loss))
    n = 10
    trailed = rng.random(n) < 0.35
    length = np.where(trailed, rng.uniform(1, 7, n), rng.uniform(0, 0.5, n)) * c.fwhm
    add('moving', rng.uniform(0, nx, n), rng.uniform(0, ny, n),
        c.fluxes(n, rng) * (1 + 0.5 * length / c.fwhm), length=length,
        angle=rng.uniform(0, np.pi, n))  # fmt: skip
    return Changes(**{name: np.concatenate(each) for name, each in parts.items()})


def _galaxies(
    shape: tuple[int, int], g: dict[str, np.ndarray], dx: float, dy: float
) -> np.ndarray:
    """Return galaxies before the PSF."""
    image = np.zeros(shape, np.float32)
    fine = 3
    for x, y, flux, radius, n, ratio, angle in zip(*g.values(), strict=True):
        reach = int(np.clip(5 * radius, 5, 60))
        column, row = round(x + dx), round(y + dy)
        inner = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - 0.5 - reach
        gx = (inner - (x + dx - column)).astype('f4')[None]
        gy = (inner - (y + dy - row)).astype('f4')[:, None]
        u = gx * np.cos(angle) + gy * np.sin(angle)
        v = (gy * np.cos(angle) - gx * np.sin(angle)) / ratio
        b = gammaincinv(2 * n, 0.5)
        r = np.hypot(np.hypot(u, v), 0.15) / radius
        light = np.exp(-b * r ** (1 / n))
        side = 2 * reach + 1
        cell = light.reshape(side, fine, side, fine).sum((1, 3))
        cell *= flux / cell.sum()
        left, low = max(reach - column, 0), max(reach - row, 0)
        right = min(shape[1] - column + reach, side)
        high = min(shape[0] - row + reach, side)
        if left < right and low < high:
            image[row - reach + low : row - reach + high,
                  column - reach + left : column - reach + right] += cell[
                      low:high, left:right]  # fmt: skip
    return image


def _light(
    sky: Sky,
    psf: SeeingPSF,
    shape: tuple[int, int],
    level: float,
    place: tuple[np.ndarray, np.ndarray],
    shift: tuple[float, float],
) -> np.ndarray:
    """Return stars and galaxies as an exposure shows them."""
    image = np.zeros(shape, np.float32)
    psf.add(image, *place, sky.flux, level)
    smooth = fft.rfft2(_galaxies(shape, sky.galaxies, *shift))
    kernel = fft.rfft2(psf.image(shape))
    return image + fft.irfft2(smooth * kernel, shape).astype(np.float32)


def expose(
    sky: Sky, c: Conditions, rng: np.random.Generator, edge: np.ndarray
) -> Field:
    """Observe a field, with all that goes wrong."""
    s = c.survey
    shape = edge.shape
    level = 0.1 * c.noise
    psfs = [
        SeeingPSF.drawn(width, s.elongation * scale, s.quality, rng)
        for width, scale in ((c.fwhm, 1.0), (c.template_fwhm, 0.5))
    ]
    optics = {
        'angle': rng.choice([0, rng.uniform(0, np.pi)]),
        'arms': int(rng.choice([2, 4, 4, 6])),
        'share': s.spikes * rng.uniform(0.3, 2), 'level': level,
    }  # fmt: skip
    place = (sky.x + sky.colour * c.refraction[0], sky.y + sky.colour * c.refraction[1])
    search = {'static': _light(sky, psfs[0], shape, level, place, (0.0, 0.0))}
    search['real'] = _changed(sky.changes, psfs[0], shape, level)
    bright = sky.flux > 60 * c.faintest
    far = optics['angle'] + (rng.normal(0, 0.3) if rng.random() < 0.3 else 0.0)
    search['spike'] = spikes(
        shape, sky.x[bright], sky.y[bright], sky.flux[bright], **optics
    )
    spoil_search(search, c, shape, rng)
    turn = rng.normal(0, 0.1 * s.shift / 256, 2)
    cx, cy = sky.x - shape[1] / 2, sky.y - shape[0] / 2
    dx, dy = c.shift
    apart = s.shift * np.exp(rng.normal(-1.2, 0.7))  # of each star's own
    wander = rng.normal(0, apart, (2, len(sky.x)))
    place = (sky.x + dx + turn[0] * cx - turn[1] * cy + wander[0],
             sky.y + dy + turn[0] * cy + turn[1] * cx + wander[1])  # fmt: skip
    phase = rng.uniform(-0.5, 0.5, 2) if rng.random() < 0.7 else np.zeros(2)
    grid = (place[0] - phase[0], place[1] - phase[1])
    own = (dx - phase[0], dy - phase[1])
    deep = level / np.sqrt(c.depth)
    template = {'static': _light(sky, psfs[1], shape, deep, grid, own)}
    template['spike'] = spikes(
        shape, grid[0][bright], grid[1][bright], sky.flux[bright],
        **{**optics, 'angle': far, 'level': deep},
    )  # fmt: skip
    spoil_template(template, c, psfs[1], shape, rng)
    before = _detected(search, c, 1.0, psfs[0], edge, rng)
    after = _detected(template, c, c.depth, psfs[1], np.zeros(shape, bool), rng)
    if phase.any():
        _resample(after, phase)
    if rng.random() < 0.3:
        after.masked |= cut_off(shape, rng)
    return Field(before, after, sky, c, edge)


def _changed(
    changes: Changes, psf: SeeingPSF, shape: tuple[int, int], level: float
) -> np.ndarray:
    count = np.maximum(np.ceil(changes.length / 0.4).astype(int), 1)
    owner = np.repeat(np.arange(len(count)), count)
    step = np.arange(count.sum()) - (np.cumsum(count) - count)[owner]
    along = ((step + 0.5) / count[owner] - 0.5) * changes.length[owner]
    image = np.zeros(shape, np.float32)
    psf.add(
        image,
        changes.x[owner] + along * np.cos(changes.angle[owner]),
        changes.y[owner] + along * np.sin(changes.angle[owner]),
        (changes.flux / count)[owner],
        level / 3,
    )
    return image


def _detected(
    planes: dict[str, np.ndarray],
    c: Conditions,
    depth: float,
    psf: SeeingPSF,
    edge: np.ndarray,
    rng: np.random.Generator,
) -> Exposure:
    """Let a detector see the planes: noise, full wells, what is cut off."""
    s = c.survey
    light = np.add.reduce(list(planes.values()))
    flat = 1 + rng.normal(0, 0.002 * s.quality, light.shape).astype(np.float32)
    variance = (np.maximum(light, 0) + c.sky + s.read_noise**2) / depth
    noise = np.sqrt(variance) * rng.standard_normal(light.shape, np.float32)
    well = s.full_well - c.sky
    seen = light * flat + noise
    if s.rows:
        clipped, moved = (each.T for each in bleed(seen.T, well))
    else:
        clipped, moved = bleed(seen, well)
    full = (seen > 0.97 * well) | (moved > 0.02 * well)
    image = (clipped + moved).astype(np.float32)
    masked = edge.copy()
    if rng.random() < s.masks:
        masked |= _grown(full, int(c.fwhm * rng.choice([1, 2, 6])), rng)
    planes['noise'] = image - light
    planes['saturated'] = np.where(full, planes['noise'], 0).astype(np.float32)
    planes['noise'] = planes['noise'] - planes['saturated']
    sky_noise = np.sqrt((c.sky + s.read_noise**2) / depth)
    return Exposure(planes, image, masked, full, psf, float(sky_noise))


def _grown(full: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return saturated pixels with what is near them, rounded or in squares."""
    if rng.random() < 0.5:
        return ndimage.binary_dilation(full, iterations=max(size // 2, 1))
    return ndimage.maximum_filter(full, size)


def _resample(exposure: Exposure, phase: np.ndarray) -> None:
    """Bring an exposure to the search's pixels, as pipelines do, by splines."""
    move = (phase[1], phase[0])
    planes = exposure.planes
    for name, plane in planes.items():
        if plane.any():
            planes[name] = ndimage.shift(plane, move, order=3, mode='mirror')
    exposure.image = np.add.reduce(list(planes.values()), dtype=np.float32)
    exposure.saturated = ndimage.binary_dilation(exposure.saturated)
