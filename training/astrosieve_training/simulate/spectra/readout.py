"""From light to the numbers that a detector writes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from astrosieve_training.simulate.cosmic_rays import cosmic_ray_image
from astrosieve_training.simulate.detector import bleed
from astrosieve_training.simulate.spectra.spectrographs import CCD, Spectrograph

__all__ = ['dark_current', 'expose', 'layout', 'read_out']

_BLEED_SHARE = 0.02  # of saturated pixels above which charge has nowhere to go


def _smooth(rng: np.random.Generator, shape: tuple[int, int], knots: int) -> np.ndarray:
    """Return a smooth random field of unit size."""
    coarse = rng.standard_normal((knots, knots))
    y, x = (np.linspace(0, knots - 1, n) for n in shape)
    rows = ndimage.map_coordinates(coarse, np.meshgrid(y, x, indexing='ij'), order=1)
    return rows.astype(np.float32)


@lru_cache(maxsize=1)
def _response(spectrograph: Spectrograph) -> np.ndarray:
    """Return the relative response of the pixels, dust included; fixed by seed."""
    shape = spectrograph.shape
    rng = np.random.default_rng([spectrograph.seed, 2])
    out = rng.standard_normal(shape, dtype=np.float32)
    out *= spectrograph.ccd.response
    out += 1
    for _ in range(rng.poisson(3)):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        r, deep = rng.uniform(4, 25), rng.uniform(0.01, 0.12)
        box = tuple(
            slice(max(int(c - r - 3), 0), min(int(c + r + 3), n))
            for c, n in zip((y, x), shape, strict=True)
        )
        grid = np.ogrid[box]
        away = np.hypot(grid[0] - y, grid[1] - x)
        ring = np.exp(-0.5 * ((away - 0.6 * r) / (0.25 * r)) ** 2)
        out[box] *= 1 - deep * ring
    out.flags.writeable = False
    return out


@lru_cache(maxsize=1)
def dark_current(spectrograph: Spectrograph) -> np.ndarray:
    """Return the dark current, electrons per second; fixed by seed."""
    ccd, shape = spectrograph.ccd, spectrograph.shape
    rng = np.random.default_rng([spectrograph.seed, 3])
    out = np.full(shape, ccd.dark, np.float32)
    if ccd.infrared:
        out *= 1 + 0.4 * _smooth(rng, shape, 9) ** 2
    n = rng.poisson(ccd.hot_share * out.size)
    rate = ccd.hot_rate * rng.lognormal(0, 1.2, n)
    out.flat[rng.integers(out.size, size=n)] += rate.astype(np.float32)
    y = np.arange(shape[0], dtype=np.float32)[:, None] / shape[0]
    x = np.arange(shape[1], dtype=np.float32)[None, :] / shape[1]
    if rng.random() < 0.5:
        y, x = 1 - y, (x if rng.random() < 0.5 else 1 - x)
    out += ccd.glow * np.exp(-(y + x) / rng.uniform(0.02, 0.12))
    out.flags.writeable = False
    return out


def _bad_columns(image: np.ndarray, ccd: CCD, seed: int, exptime: float) -> None:
    rng = np.random.default_rng([seed, 4])
    ny, nx = image.shape
    for _ in range(ccd.bad_columns):
        x = int(rng.integers(nx))
        wide = slice(x, x + 1 + (rng.random() < 0.25))
        start = int(rng.integers(ny)) if rng.random() < 0.7 else 0
        part = (
            slice(start, None) if rng.random() < 0.5 else slice(None, start + 1),
            wide,
        )
        kind = rng.random()
        if kind < 0.4:
            image[part] *= rng.uniform(0, 0.9)
        elif kind < 0.7:
            image[part] += rng.lognormal(2.5, 1.2)
        else:
            image[part] += rng.lognormal(0.5, 1.5) * exptime / 60
            image[start, wide] += rng.lognormal(7, 1.5)


def expose(
    light: np.ndarray,
    spectrograph: Spectrograph,
    exptime: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """
    Collect charge.

    Parameters
    ----------
    light : 2D `~numpy.ndarray`
        Electrons per pixel, without noise, as the detector lies.
    spectrograph : `Spectrograph`
        Instrument.
    exptime : float
        Seconds: for dark current and cosmic rays.
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    electrons : 2D float32 `~numpy.ndarray`
        After saturation and bleeding.
    """
    ccd = spectrograph.ccd
    image = light.astype(np.float32)
    if light.any():
        image *= _response(spectrograph)
    if exptime > 0:
        image += dark_current(spectrograph) * np.float32(exptime)
    if image.any():
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        noise *= np.sqrt(np.maximum(image, 0))
        image += noise
    # Pixels are hit while they wait to be read, too: half of the readout, on average.
    collecting = exptime + ccd.read_time / 2
    if collecting > 0:
        image += cosmic_ray_image(
            image.shape, ccd.slab, rng, rate=ccd.cosmic_ray_rate, exptime=collecting,
            site='ground', tilt=float(rng.uniform(0, 70)),
        ).image  # fmt: skip
    full = image > ccd.full_well
    if full.any():
        if ccd.infrared or full.mean() > _BLEED_SHARE:
            np.minimum(image, ccd.full_well, out=image)
        else:
            kept, moved = bleed(image, ccd.full_well)
            image = kept + moved
    _bad_columns(image, ccd, spectrograph.seed, exptime)
    return image


def layout(ccd: CCD, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which lit row and column each row and column of the file shows.

    Parameters
    ----------
    ccd : `CCD`
        Detector.
    shape : (int, int)
        Lit pixels.

    Returns
    -------
    rows, columns : 1D int `~numpy.ndarray`
        -1 for overscan and prescan.
    """
    ny, nx = shape
    if ccd.trimmed:
        return np.arange(ny), np.arange(nx)
    dark, before = np.full(ccd.overscan, -1), np.full(ccd.prescan, -1)
    extra = np.full(ccd.overscan_rows, -1)
    columns = np.arange(nx)
    if ccd.amplifiers[1] == 1:
        columns = np.concatenate([before, columns, dark])
    else:
        left, right = columns[: nx // 2], columns[nx // 2 :]
        parts = [before, left, dark, dark, right, before]
        if not ccd.inner:
            parts = [before, before, left, right, dark, dark]
        columns = np.concatenate(parts)
    rows = np.arange(ny)
    if ccd.inner and ccd.amplifiers[0] == 2:
        rows = np.concatenate([rows[: ny // 2], extra, extra, rows[ny // 2 :]])
    else:
        rows = np.concatenate([rows, extra])
    return rows.astype(int), columns.astype(int)


def _structure(
    ccd: CCD, shape: tuple[int, int], seed: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the pattern of one amplifier's bias, ADU; its readout starts at [0, 0]."""
    fixed = np.random.default_rng([seed, 5])
    ny, nx = shape
    y, x = np.arange(ny, dtype=np.float32), np.arange(nx, dtype=np.float32)
    size = ccd.structure
    column = size * fixed.normal(0, 2) * np.exp(-x / (nx * fixed.uniform(0.01, 0.4)))
    column += 0.1 * size * fixed.standard_normal(nx)
    row = size * fixed.normal(0, 1.5) * np.exp(-y / (ny * fixed.uniform(0.01, 0.5)))
    row += size * fixed.normal(0, 0.4) * y / ny
    # Pick-up along the time of reading; drifts and jumps of the level.
    row += rng.normal(0, 0.1) * ccd.read_noise / ccd.gain * rng.standard_normal(ny)
    if fixed.random() < 0.4:
        period = np.exp(fixed.uniform(np.log(6), np.log(60)))
        row += size * 0.25 * np.sin(2 * np.pi * y / period + rng.uniform(0, 6))
    if rng.random() < 0.12:
        row[rng.integers(ny) :] += size * rng.normal(0, 1)
    out = row.astype(np.float32)[:, None] + column.astype(np.float32)[None, :]
    out += ccd.quirks.pattern(shape)
    if fixed.random() < 0.3:
        wave = fixed.uniform(0.02, 0.4)
        lag = fixed.uniform(-0.5, 0.5)
        phase = wave * x[None, :] + (lag * y + rng.uniform(0, 6))[:, None]
        out += np.float32(0.25 * min(size, 2 * ccd.read_noise / ccd.gain)) * np.sin(
            phase
        )
    if fixed.random() < 0.4:  # the first rows and columns read otherwise
        out[: fixed.integers(1, 8)] += size * fixed.normal(0, 8)
        out[:, : fixed.integers(1, 5)] += size * fixed.normal(0, 8)
    if ccd.infrared:
        channels = fixed.normal(0, size, 32) + rng.normal(0, 0.2 * size, 32)
        out += np.repeat(channels, -(-nx // 32))[:nx].astype(np.float32)
    return out


def read_out(
    electrons: np.ndarray,
    spectrograph: Spectrograph,
    exptime: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """
    Amplify, digitise, and lay out as the file has it.

    Parameters
    ----------
    electrons : 2D `~numpy.ndarray`
        Charge in the lit pixels.
    spectrograph : `Spectrograph`
        Instrument.
    exptime : float
        Seconds: for archives that divide by it.
    rng : `~numpy.random.Generator`
        Read noise, drift of the level.

    Returns
    -------
    data : 2D `~numpy.ndarray`
        With overscan unless it was trimmed, in the detector's type of number; ADU,
        unless the archive has another unit.
    """
    ccd, seed = spectrograph.ccd, spectrograph.seed
    electrons = ccd.quirks.mixed(ccd.quirks.late(electrons), ccd.amplifiers)
    rows, columns = layout(ccd, electrons.shape)
    if len(rows) == electrons.shape[0] and len(columns) == electrons.shape[1]:
        full = electrons
    else:
        full = electrons[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
        full[rows < 0] = 0
        # A little charge is left behind for the first columns without light.
        dark = np.flatnonzero(columns < 0)
        full[:, dark] = 0
        late = dark[(dark > 0) & (columns[dark - 1] >= 0)]
        full[:, late] = 2e-4 * full[:, late - 1]
    fixed = np.random.default_rng([seed, 6])
    ny, nx = full.shape
    drift = rng.normal(0, 0.3) * ccd.structure
    apart = 0.2 if fixed.random() < 0.3 else 0.04
    out = np.empty((ny, nx), np.float32)
    for j, ys in enumerate(np.array_split(np.arange(ny), ccd.amplifiers[0])):
        for i, xs in enumerate(np.array_split(np.arange(nx), ccd.amplifiers[1])):
            level = ccd.pedestal
            if i + j:
                level += fixed.normal(0, apart) * min(level, 1000)
            gain = ccd.gain * fixed.uniform(0.96, 1.04)
            noise = ccd.read_noise / gain * fixed.uniform(0.9, 1.2)
            box = np.s_[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
            shape = (len(ys), len(xs))
            pattern = _structure(ccd, shape, seed + 10 * (2 * j + i), rng)
            part = rng.standard_normal(shape, dtype=np.float32)
            part *= noise
            part += pattern[:: 1 - 2 * j, :: 1 - 2 * i]
            part += full[box] / gain
            # Subtracted frames keep their own pedestal out, amplifier by amplifier.
            base = level + drift
            part += base
            np.clip(np.rint(part, out=part), 0, ccd.ceiling, out=part)
            if ccd.subtracted:
                part -= level
                part *= gain if ccd.quirks.unit != 'adu' else 1
            if ccd.quirks.dead_amplifier and 0 < i + j == sum(ccd.amplifiers) - 2:
                part[:] = rng.normal(0, 1, shape) if ccd.subtracted else np.rint(level)
            out[box] = part
    if ccd.quirks.unit == 'electron/s' and exptime > 0:
        out /= exptime
    out = ccd.quirks.archived(out)
    if ccd.number == 'float32':
        return out
    if ccd.number == 'int16':
        return out.astype(np.uint16).view(np.int16)
    return out.astype(ccd.number)
