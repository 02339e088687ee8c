"""What must hold besides: cores of stars, faint trails, units, lost pixels, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from astrosieve.contaminant.segment import segment_contaminants
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.contaminant.baselines import cosmic_rays

__all__ = [
    'CORE_WIDTHS',
    'SIGNALS',
    'Trails',
    'core_shares',
    'lost_pixel',
    'seconds_of',
    'star_field',
    'trail_shares',
    'unit_difference',
]

CORE_WIDTHS = (1.2, 1.5, 1.9, 2.5, 3.5, 5.0)
"""FWHM of stars, pixels."""

SIGNALS = (5.0, 10.0, 30.0, 100.0, 1000.0)
"""Ratios of signal and noise of stars, in 3x3 pixels."""

_SIDE = 512  # pixels
_APART = 32  # pixels between stars
_FIELDS = 2  # images of each width and ratio
_SKY, _READ = 120.0, 5.0  # electrons of a pixel: level of the sky, read noise
_FULL = 6e4  # electrons that a pixel holds
_FINE = 7  # samples along a pixel's side
_WING = 3.0  # exponent of the Moffat profile
_TRAILS = 60  # images with one, and as many without
_FOUND = 0.3  # of a trail's middle line
_LONG = 40.0  # pixels: the extent of what counts as a trail
_UNITS = (0.4, 0.0), (1 / 900, 0.0), (1.0, 1000.0), (5.0, -80.0)  # scale, pedestal
_RUNS = 3  # of which the fastest counts

Mask = Callable[[np.ndarray], np.ndarray]


def _star(fwhm: float, x: float, y: float, reach: int) -> np.ndarray:
    """Return a star of one electron, about (x, y) from the middle of a pixel."""
    along = (np.arange((2 * reach + 1) * _FINE) + 0.5) / _FINE - reach - 0.5
    radius = np.hypot(along[:, None] - y, along - x)
    scale = fwhm / (2 * np.sqrt(2 ** (1 / _WING) - 1))
    profile = (1 + (radius / scale) ** 2) ** -_WING
    side = 2 * reach + 1
    pixels = profile.reshape(side, _FINE, side, _FINE).sum((1, 3))
    return np.asarray(pixels / pixels.sum())


def star_field(
    rng: np.random.Generator, fwhm: float, signal: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return an image of stars on a grid, each somewhere in its pixel.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws places and noise.
    fwhm : float
        Of the Moffat profile, pixels.
    signal : float
        Electrons over noise in 3x3 pixels.

    Returns
    -------
    image : (ny, nx) float32 `~numpy.ndarray`
        Electrons.
    places : (N, 2) int `~numpy.ndarray`
        Rows and columns of the pixels that stars are in.
    """
    ideal = np.full((_SIDE, _SIDE), _SKY)
    reach = _APART // 2 - 1
    rows = np.arange(_APART // 2, _SIDE, _APART)
    places = np.array([(row, column) for row in rows for column in rows])
    places += rng.integers(-3, 4, places.shape)
    for row, column in places:
        x, y = rng.uniform(-0.5, 0.5, 2)
        one = _star(fwhm, x, y, reach)
        core = one[reach - 1 : reach + 2, reach - 1 : reach + 2].sum()
        variance = 9 * (_SKY + _READ**2)
        electrons = (signal**2 + signal * np.sqrt(signal**2 + 4 * variance)) / 2
        ideal[
            max(row - reach, 0) : row + reach + 1,
            max(column - reach, 0) : column + reach + 1,
        ] += (electrons / core) * one[
            max(reach - row, 0) : reach + _SIDE - row,
            max(reach - column, 0) : reach + _SIDE - column,
        ]
    image = rng.poisson(ideal) + rng.normal(0, _READ, ideal.shape)
    return np.minimum(image, _FULL).astype(np.float32), places


def _network_mask(model: Model, name: str) -> Mask:
    return lambda image: segment_contaminants(image, model=model).where(name)


def _astroscrappy_mask(image: np.ndarray) -> np.ndarray:
    return np.asarray(cosmic_rays(image, None, {})['cosmic_ray'] > 0)


def core_shares(model: Model, seed: int) -> dict[str, dict[tuple[float, float], Share]]:
    """
    Return how many cores of stars are flagged as cosmic rays.

    A core is the 3x3 pixels about a star's own; one that is flagged flags the star.

    Returns
    -------
    shares : dict of str to dict of (float, float) to Share
        By finder; by FWHM and ratio of signal and noise.
    """
    rng = np.random.default_rng([seed, 11])
    finders = {
        model.card.name: _network_mask(model, 'cosmic_ray'),
        'astroscrappy, default': _astroscrappy_mask,
    }
    shares: dict[str, dict[tuple[float, float], Share]] = {n: {} for n in finders}
    for fwhm in CORE_WIDTHS:
        for signal in SIGNALS:
            fields = [star_field(rng, fwhm, signal) for _ in range(_FIELDS)]
            for name, mask in finders.items():
                flagged = np.concatenate(
                    [_cores(mask(image), places) for image, places in fields]
                )
                shares[name][fwhm, signal] = Share(int(flagged.sum()), len(flagged))
    return shares


def _cores(mask: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return of which stars a pixel of the core is flagged."""
    from scipy.ndimage import maximum_filter

    near: np.ndarray = maximum_filter(mask, 3)[places[:, 0], places[:, 1]]
    return near


@dataclass(frozen=True)
class Trails:
    """
    Faint trails.

    Parameters
    ----------
    found : `~astrosieve.models.metrics.Share`
        Of the trails.
    false : int
        Trails reported where there is none.
    images : int
        On so many images.
    """

    found: Share
    false: int
    images: int


def _trail(
    rng: np.random.Generator, signal: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a field, the same with a trail, and the trail's middle line."""
    field, _ = star_field(rng, rng.uniform(1.5, 4), 10 ** rng.uniform(0.8, 2.5))
    angle, width = rng.uniform(0, np.pi), rng.uniform(2, 8)
    y, x = np.ogrid[:_SIDE, :_SIDE]
    away = (x - _SIDE * rng.uniform(0.3, 0.7)) * np.sin(angle)
    away = away - (y - _SIDE * rng.uniform(0.3, 0.7)) * np.cos(angle)
    noise = np.sqrt(_SKY + _READ**2)
    light = signal * noise * np.exp(-4 * np.log(2) * (away / width) ** 2)
    return field, field + rng.poisson(light).astype(np.float32), np.abs(away) < 1


def _objects(mask: np.ndarray, line: np.ndarray | None) -> int:
    """Return how many long pieces a mask has, apart from a trail."""
    from scipy.ndimage import binary_dilation, find_objects, label

    pieces, _ = label(binary_dilation(mask, iterations=2))
    trail = set() if line is None else {*np.unique(pieces[line]).tolist()}
    return sum(
        number not in trail
        and float(np.hypot(*(s.stop - s.start for s in box))) >= _LONG
        for number, box in enumerate(find_objects(pieces), start=1)
    )


def trail_shares(
    model: Model, seed: int, others: Sequence[tuple[str, Mask]] = ()
) -> dict[str, Trails]:
    """
    Return how many trails of S/N 1 per pixel are found, and how many are false.

    A trail is found where `_FOUND` of its middle line are flagged. What is flagged and
    at least 40 pixels long is a false one where there is none.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The model.
    seed : int
        Decides everything random.
    others : sequence of (str, callable)
        Names and masks of other finders.
    """
    rng = np.random.default_rng([seed, 12])
    finders = dict(
        [(model.card.name, _network_mask(model, 'satellite_trail')), *others]
    )
    found = dict.fromkeys(finders, 0)
    false = dict.fromkeys(finders, 0)
    for _ in range(_TRAILS):
        without, with_one, line = _trail(rng, 1.0)
        for name, mask in finders.items():
            flagged = mask(with_one)
            found[name] += bool(flagged[line].mean() >= _FOUND)
            false[name] += _objects(flagged, line) + _objects(mask(without), None)
    return {
        name: Trails(Share(found[name], _TRAILS), false[name], 2 * _TRAILS)
        for name in finders
    }


def unit_difference(model: Model, images: Sequence[np.ndarray]) -> float:
    """Return the largest change of a probability by a unit, a gain or a pedestal."""
    largest = 0.0
    for image in images:
        own = segment_contaminants(image, model=model).probabilities
        for scale, pedestal in _UNITS:
            changed = image.astype(float) * scale + pedestal
            other = segment_contaminants(changed, model=model).probabilities
            gap = np.abs(own.astype(np.float32) - other.astype(np.float32))
            largest = max(largest, float(np.nanmax(gap)))
    return largest


def lost_pixel(model: Model, images: Sequence[np.ndarray], seed: int) -> Share:
    """Return of how many other pixels the mask changes where one is NaN."""
    rng = np.random.default_rng([seed, 13])
    changed = total = 0
    for image in images:
        at = tuple(rng.integers(40, n - 40) for n in image.shape)
        spoilt = image.astype(np.float32, copy=True)
        spoilt[at] = np.nan
        own, other = (
            segment_contaminants(i, model=model).mask for i in (image, spoilt)
        )
        differs = own != other
        differs[at] = False
        changed += int(differs.sum())
        total += differs.size - 1
    return Share(changed, total)


def seconds_of(model: Model, seed: int, side: int) -> tuple[float, float]:
    """Return the time of an image by the model, and by astroscrappy's default."""
    rng = np.random.default_rng([seed, 14])
    tile, _ = star_field(rng, 2.5, 30.0)
    image = np.tile(tile, (side // _SIDE, side // _SIDE))
    image += rng.normal(0, 1, image.shape).astype(np.float32)
    at = rng.integers(0, side, (2, side))
    image[at[0], at[1]] += rng.uniform(100, 5000, side).astype(np.float32)

    def fastest(work: Callable[[], object]) -> float:
        times = []
        for _ in range(_RUNS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return min(times)

    return (
        fastest(lambda: segment_contaminants(image, model=model)),
        fastest(lambda: cosmic_rays(image, None, {})),
    )
