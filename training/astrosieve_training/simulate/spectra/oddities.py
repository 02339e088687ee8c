"""Frames that are none of the types: images, focus runs, noise, broken files."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from astrosieve_training.simulate.spectra import scenes, sources
from astrosieve_training.simulate.spectra.chance import log_uniform
from astrosieve_training.simulate.spectra.optics import Beam
from astrosieve_training.simulate.spectra.scenes import Scene
from astrosieve_training.simulate.spectra.spectrographs import Spectrograph

__all__ = ['ODDITIES', 'altered', 'corrupt', 'draw_oddity', 'odd_scene']

ODDITIES = (
    'imaging', 'imaging flat', 'acquisition', 'slitless', 'focus', 'noise', 'corrupted',
    'half read',
)  # fmt: skip
# What is half read is not drawn: its blank rows say so, and the rest is a good frame.
_ODDS = (0.19, 0.09, 0.15, 0.17, 0.2, 0.06, 0.14, 0.0)
_CHANGED = 0.02  # share of the pixels by which a broken frame can be told
_TYPES = ('arc', 'flat', 'science', 'standard')


def draw_oddity(rng: np.random.Generator) -> str:
    """Return a kind of frame that is none of the types."""
    return str(rng.choice(ODDITIES, p=_ODDS))


def _stamp(
    image: np.ndarray, y: float, x: float, total: float, sigma: float, wide: float = 1.0
) -> None:
    r = int(6 * sigma * max(wide, 1)) + 3
    ys, xs = (
        slice(min(max(int(c) - r, 0), n), min(max(int(c) + r + 1, 0), n))
        for c, n in zip((y, x), image.shape, strict=True)
    )
    gy, gx = np.ogrid[ys, xs]
    away = ((gy - y) / sigma) ** 2 + ((gx - x) / (sigma * wide)) ** 2
    image[ys, xs] += total * (1 + away / 4) ** -2.5 / (4 * sigma**2 * wide)


def _stars(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    n: int,
    bright: float,
    inside: tuple[float, float, float] | None = None,
) -> np.ndarray:
    """Return stars, of a square if given: y and x of its middle, half its side."""
    image = np.zeros(spectrograph.optical_shape, np.float32)
    sigma = spectrograph.seeing / 2.35
    for _ in range(n):
        y, x = (rng.uniform(0, s) for s in image.shape)
        if inside is not None:
            y, x = (m + inside[2] * rng.uniform(-1, 1) for m in inside[:2])
        total = bright * rng.pareto(0.7)
        if rng.random() < 0.25:
            _stamp(image, y, x, total, sigma * rng.uniform(1.2, 5), rng.uniform(0.4, 2))
        else:
            _stamp(image, y, x, min(total, 3e6), sigma)
    return image


def _vignetting(
    spectrograph: Spectrograph, rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Return the light of an even field, and whether the field's edge is seen."""
    n, nd = spectrograph.optical_shape
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, nd)[None, :]
    fall = 1 - rng.uniform(0, 0.3) * (y**2 + x**2) + rng.normal(0, 0.05) * (x + y)
    edged = bool(rng.random() < 0.6)
    if edged:
        edge = np.hypot(y, x) - rng.uniform(0.7, 1.2)
        fall = fall * 0.5 * (1 - np.tanh(edge / 0.01))
    return np.maximum(fall, 0).astype(np.float32), edged


def _slitless(spectrograph: Spectrograph, rng: np.random.Generator) -> np.ndarray:
    """Spectra of all stars of a field, with zeroth orders."""
    beam = Beam(spectrograph)
    n, nd = spectrograph.optical_shape
    image = np.zeros((n, nd), np.float32)
    length = int(nd * rng.uniform(0.08, 0.5))
    wave = np.linspace(beam.wave[0], beam.wave[-1], length)
    rows = np.arange(n)
    for _ in range(int(log_uniform(rng, 8, 250))):
        light = sources.random_star(wave, rng, hot=0.3) * spectrograph.throughput(wave)
        light = ndimage.gaussian_filter1d(light, spectrograph.seeing / 2.35)
        light = light / max(light.max(), 1e-30) * 30 * rng.pareto(0.8)
        y, x = rng.uniform(0, n), int(rng.uniform(-length / 2, nd - length / 2))
        profile = np.exp(-0.5 * ((rows - y) / (spectrograph.seeing / 2.35)) ** 2)
        near = np.flatnonzero(profile > 1e-4)
        first, last = max(x, 0), min(x + length, nd)
        image[near[:, None], np.arange(first, last)] += (
            profile[near, None] * light[first - x : last - x]
        ).astype(np.float32)
        if rng.random() < 0.6:
            _stamp(
                image, y, x - 0.3 * length, 8 * light.max(), spectrograph.seeing / 2.35
            )
    return image


def _focus(spectrograph: Spectrograph, rng: np.random.Generator) -> Scene:
    """One scene several times, moved and more or less sharp."""
    along = spectrograph.family != 'long_slit' or rng.random() < 0.4
    lamp = along or rng.random() < 0.6
    scene = (scenes.arc if lamp else scenes.standard)(spectrograph, rng, None, None)
    n, nd = scene.rate.shape
    count = int(rng.integers(4, 10))
    step = (
        int(rng.uniform(0.006, 0.05) * nd if along else rng.uniform(0.02, 0.1) * n) + 4
    )
    one = scene.rate
    if lamp and not along:  # through a short slit
        middle = int(np.argmax(ndimage.gaussian_filter1d(one.sum(axis=1), 3)))
        height = max(int(step * rng.uniform(0.4, 0.95)), 3)
        one = np.zeros_like(one)
        rows = slice(max(middle - height // 2, 0), middle + height // 2 + 1)
        one[rows] = scene.rate[rows]
    out = np.zeros((n, nd), np.float32)
    best = rng.uniform(0, count - 1)
    blur = rng.uniform(0.5, 2.0)
    start = count / 2 if lamp or along else rng.uniform(0, count)
    for i in range(count):
        sigma = blur * abs(i - best)
        moved = np.roll(one, round((i - start) * step), axis=1 if along else 0)
        out += ndimage.gaussian_filter(moved, (0.5 * sigma, sigma))
    return Scene(out, scene.exptime, 'focus')


def odd_scene(spectrograph: Spectrograph, rng: np.random.Generator, kind: str) -> Scene:
    """
    Return the light of a frame that is none of the types.

    Parameters
    ----------
    spectrograph : `Spectrograph`
        Instrument.
    rng : `~numpy.random.Generator`
        Source of chance.
    kind : str
        One of ``ODDITIES``.
    """
    exptime = float(rng.choice([1, 5, 10, 20, 60, 120, 300]))
    shape = spectrograph.optical_shape
    if kind == 'focus':
        return _focus(spectrograph, rng)
    if kind == 'slitless':
        image = _slitless(spectrograph, rng) / exptime * 10
        return Scene(image + np.float32(20 / exptime), exptime, kind)
    if kind in ('imaging', 'acquisition'):
        n = int(log_uniform(rng, 15, 800))
        level = log_uniform(rng, 5, 5000)
        noise = np.hypot(np.sqrt(level), spectrograph.ccd.read_noise)
        bright = noise * spectrograph.seeing * rng.uniform(6, 60)
        window = None
        if kind == 'acquisition':  # through the slit, or beside it
            row = shape[0] / 2 + rng.normal(0, 0.1) * shape[0]
            window = (row, shape[1] / 2, rng.uniform(0.1, 0.4) * min(shape))
            n = int(log_uniform(rng, 4, 80))
        image = _stars(spectrograph, rng, n, bright, window) / exptime
        image += np.float32(level / exptime) * _vignetting(spectrograph, rng)[0]
        if window is not None:
            y, x = np.ogrid[: shape[0], : shape[1]]
            inside = np.abs(y - window[0]) < window[2]
            inside = inside & (np.abs(x - window[1]) < window[2])
            image *= np.where(inside, 1.0, rng.choice([0.0, 0.02])).astype(np.float32)
        return Scene(image, exptime, kind)
    if kind == 'imaging flat':
        level = 0.4 * spectrograph.ccd.full_well * rng.uniform(0.2, 1) / exptime
        field, edged = _vignetting(spectrograph, rng)
        # A lamp that lights the whole detector gives the same.
        return Scene(np.float32(level) * field, exptime, kind, '' if edged else 'flat')
    if kind == 'noise':
        rate = np.zeros(shape, np.float32)
        if rng.random() < 0.5:
            rate += rng.lognormal(0, 1.5, shape).astype(np.float32) * 50
        return Scene(rate, 1.0, kind)
    number = rng.integers(len(_TYPES))
    make = (scenes.arc, scenes.flat, scenes.science, scenes.standard)[number]
    scene = make(spectrograph, rng, None, None)
    return Scene(scene.rate, scene.exptime, kind, _TYPES[number])


def altered(whole: np.ndarray, broken: np.ndarray) -> bool:
    """Return whether a frame differs enough from the broken one, beyond its noise."""
    before, after = (each.astype(np.float32) for each in (whole, broken))
    steps = np.abs(np.diff(before[:, ::3], axis=1))
    noise = 1.05 * float(np.nanmedian(steps))  # in sigma, of differences
    return bool((np.abs(after - before) > 6 * noise + 1e-6).mean() > _CHANGED)


def corrupt(data: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return data as a broken readout or file leaves them."""
    data = data.copy()
    ny, nx = data.shape
    if kind == 'half read':
        data[int(rng.uniform(0.15, 0.6) * ny) :] = rng.choice([0, data.flat[0]])
        return data
    if kind == 'noise':
        top = float(np.percentile(data, 99.9)) + 100
        if rng.random() < 0.5:  # random bits
            return rng.integers(0, 32767, data.shape).astype(data.dtype)
        pattern = np.sin(np.arange(data.size) * rng.uniform(0.001, 2)).reshape(ny, nx)
        return (data + 0.2 * top * pattern).astype(data.dtype)
    choice = rng.integers(4)
    if choice == 0:  # bytes of each number in the wrong order
        # Frames without their pedestal have numbers below 0, and borders none at all.
        whole = np.rint(np.nan_to_num(data)).astype(np.int64).astype(np.uint16)
        return whole.byteswap().astype(data.dtype)
    if choice == 1:  # rows of another length
        return np.roll(data.ravel(), rng.integers(data.size)).reshape(ny, nx)[
            :, np.argsort(rng.random(nx) + np.arange(nx) // (nx // 6))
        ]
    if choice == 2:  # blocks lost
        for _ in range(rng.integers(5, 40)):
            start = rng.integers(data.size)
            data.reshape(-1)[start : start + rng.integers(data.size // 12)] = 0
        return data
    shift = np.arange(ny) * int(rng.integers(3, 200))  # columns lost in each row
    return data[np.arange(ny)[:, None], (np.arange(nx) + shift[:, None]) % nx]
