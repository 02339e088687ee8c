"""What goes wrong with a whole image: tracking, guiding, focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve

from astrosieve_training.simulate.fields import log_uniform

__all__ = ['OVERSAMPLING', 'Blur', 'draw_failure', 'draw_harmless', 'pupil_image']

OVERSAMPLING = 5
_SHORTEST = 0.43  # FWHM: spread of a trail of 1.5 FWHM along itself
_ROUND = 0.5  # variance of short trails across, over that along, stars' own included
_SAMPLES = 2000  # of a track
_BOTH = 0.08  # share of failures that come with another


@dataclass(frozen=True, eq=False)
class Blur:
    """
    What happens to the light of every source of an image alike.

    Parameters
    ----------
    names : tuple of str
        Of `~astrosieve.contaminant.classes.FAILURES`; none where it is harmless.
    kernel : 2D `~numpy.ndarray`
        Where the light of a point goes, `OVERSAMPLING` samples a pixel, of odd sides;
        it sums to 1.
    """

    names: tuple[str, ...]
    kernel: np.ndarray

    @property
    def reach(self) -> int:
        """Samples from the middle to the edge."""
        return self.kernel.shape[0] // 2

    def of(self, core: np.ndarray) -> np.ndarray:
        """Return a profile, as finely sampled and of odd sides, blurred and larger."""
        core = np.pad(core.astype(float), self.reach)
        return np.maximum(fftconvolve(core, self.kernel, 'same'), 0)

    def over(self, image: np.ndarray) -> np.ndarray:
        """Return an image of pixels, blurred."""
        half = -(-self.reach // OVERSAMPLING)
        size = (2 * half + 1) * OVERSAMPLING
        kernel = np.pad(self.kernel, (size - self.kernel.shape[0]) // 2)
        bins = (2 * half + 1, OVERSAMPLING) * 2
        pixels = kernel.reshape(bins).sum(axis=(1, 3))
        light = fftconvolve(image.astype(float), pixels, 'same')
        return np.maximum(light, 0).astype(np.float32)


def _deposited(places: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return light at places (2, N), pixels from the middle, on a grid of samples."""
    x, y = places * OVERSAMPLING
    reach = int(np.ceil(np.abs([x, y]).max())) + 2
    edges = np.arange(-reach, reach + 2) - 0.5
    kernel, _, _ = np.histogram2d(y, x, bins=(edges, edges), weights=light)
    return np.asarray(kernel / kernel.sum())


def _ways(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a track, (2, N) along and across, and how long it stays everywhere."""
    t = np.linspace(-0.5, 0.5, _SAMPLES)
    kind = rng.choice(['straight', 'arc', 'wobble', 'walk'], p=[0.4, 0.2, 0.2, 0.2])
    along, across = t.copy(), np.zeros_like(t)
    if kind == 'arc':
        turn = rng.uniform(0.3, 2.5)
        along, across = np.sin(turn * t) / turn, (1 - np.cos(turn * t)) / turn
    elif kind == 'wobble':
        for axis, most in ((along, 0.25), (across, 0.25)):
            rate = log_uniform(rng, 1, 12)
            axis += rng.uniform(0, most) * np.sin(2 * np.pi * (rate * t + rng.random()))
    elif kind == 'walk':
        steps = gaussian_filter1d(
            rng.standard_normal((2, _SAMPLES)), log_uniform(rng, 5, 200), axis=1
        )
        along, across = np.cumsum(steps, axis=1)
    times = np.ones(_SAMPLES)
    fate = rng.random()
    if fate < 0.25:  # at rest for a while, at one end mostly
        at = 0 if rng.random() < 0.7 else int(rng.integers(_SAMPLES))
        rest = rng.uniform(0.1, 0.75)
        times[at] += _SAMPLES * rest / (1 - rest)
    elif fate < 0.4:  # faster here than there, or a cloud went by
        times = np.exp(rng.normal(0, 1) * t) * (1 + 0.8 * np.sin(9 * t + rng.random()))
    elif fate < 0.5:  # broken
        first, last = np.sort(rng.uniform(0.1, 0.9, 2)) * _SAMPLES
        times[int(first) : int(last)] *= rng.uniform(0, 0.3)
    return np.stack([along, across]), times / times.sum()


def _turned(rng: np.random.Generator, way: np.ndarray) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(np.array([[cos, -sin], [sin, cos]]) @ way)


def _tracking(rng: np.random.Generator, fwhm: float, longest: float) -> np.ndarray:
    """
    Return the kernel of a trail: straight, bent, wobbling or wandering.

    So long that it shows: as one of 1.5 FWHM at least; short ones are drawn out.
    """
    while True:
        way, times = _ways(rng)
        way -= (way * times).sum(axis=1, keepdims=True)
        least, most = np.linalg.eigvalsh((way * times) @ way.T)
        shortest = _SHORTEST * fwhm
        spread = log_uniform(rng, shortest, max(longest / 3.5, 1.5 * shortest))
        scale = spread / np.sqrt(most)
        own = (fwhm / 2.355) ** 2
        clear = (own + least * scale**2) / (own + spread**2) < _ROUND
        reach = np.abs(way).max() * scale
        if reach < longest / 2 and (clear or spread > 1.5 * fwhm):
            return _deposited(_turned(rng, way * scale), times)


def _doubled(rng: np.random.Generator, fwhm: float, longest: float) -> np.ndarray:
    """Return the kernel of a jump: two places or more, of any ratio and distance."""
    number = int(rng.choice([2, 3, 4], p=[0.8, 0.15, 0.05]))
    times = np.array([log_uniform(rng, 0.2, 1) for _ in range(number)])
    times[rng.integers(number)] = 1.0
    least = fwhm * (1.3 - 0.5 * np.log(np.sort(times)[-2]))  # faint ones farther away
    apart = log_uniform(rng, least, max(0.5 * longest, 1.5 * least))
    along = np.linspace(-0.5, 0.5, number) * apart
    along[1:-1] += rng.uniform(-0.2, 0.2, number - 2) * apart
    across = rng.normal(0, 0.2, number) * apart * (number > 2)
    way = np.stack([along, across])
    if rng.random() < 0.15:  # the light on the way between them
        share, t = rng.uniform(0.01, 0.1), np.linspace(0, number - 1, _SAMPLES)
        between = [np.interp(t, np.arange(number), each) for each in way]
        way = np.concatenate([way, between], axis=1)
        slow = np.full(_SAMPLES, share / (1 - share) / _SAMPLES)
        times = np.concatenate([times / times.sum(), slow])
    return _deposited(_turned(rng, way), times)


def pupil_image(rng: np.random.Generator, radius: float) -> np.ndarray:
    """
    Return the image of a point out of focus, by rays: the pupil, with aberrations.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws obstruction, struts, uneven light, coma and astigmatism.
    radius : float
        Pixels.

    Returns
    -------
    kernel : 2D `~numpy.ndarray`
        As in `Blur`.
    """
    n = int(2.2 * radius * OVERSAMPLING) + 20
    at = np.linspace(-1, 1, 2 * n + 1)
    v, u = (each.ravel() for each in np.meshgrid(at, at, indexing='ij'))
    away = np.hypot(u, v)
    hole = rng.uniform(0.15, 0.5) if rng.random() < 0.85 else 0.0
    light = ((away <= 1) & (away >= hole)).astype(float)
    if rng.random() < 0.5:
        half, start = rng.uniform(0.01, 0.05), rng.uniform(0, np.pi)
        number = int(rng.choice([3, 4]))
        for turn in start + 2 * np.pi * np.arange(number) / number:
            beside = np.abs(v * np.cos(turn) - u * np.sin(turn)) < half
            light[beside & (u * np.cos(turn) + v * np.sin(turn) > 0)] = 0
    light *= np.clip(1 + rng.normal(0, 0.2) * u + rng.normal(0, 0.2) * v, 0, 2)
    coma, turn = abs(rng.normal(0, 0.12)), rng.uniform(0, 2 * np.pi)
    a, b = rng.normal(0, 0.06, 2)
    x = u + a * u + b * v + coma * (np.cos(turn) * (3 * u**2 + v**2 - 2)
                                    + np.sin(turn) * 2 * u * v)  # fmt: skip
    y = v - a * v + b * u + coma * (np.sin(turn) * (u**2 + 3 * v**2 - 2)
                                    + np.cos(turn) * 2 * u * v)  # fmt: skip
    seen = light > 0
    return _deposited(np.stack([x, y])[:, seen] * radius, light[seen])


def _out_of_focus(rng: np.random.Generator, fwhm: float, longest: float) -> np.ndarray:
    least = fwhm + 0.8
    return pupil_image(rng, log_uniform(rng, least, max(longest / 4, 2 * least)))


_DRAWN = {
    'out_of_focus': _out_of_focus,
    'tracking_lost': _tracking,
    'doubled': _doubled,
}


def draw_failure(rng: np.random.Generator, width: float, longest: float) -> Blur:
    """
    Draw what went wrong with an image.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    width : float
        Of its stars, pixels; what fails is so large that it shows.
    longest : float
        Pixels that a trail has at most; that of wide stars may have six times their
        width in any case.

    Returns
    -------
    blur : `Blur`
        Of one name mostly, of two now and then.
    """
    chosen = rng.permutation([*_DRAWN])[: 2 if rng.random() < _BOTH else 1]
    names = tuple(name for name in _DRAWN if name in chosen)
    kernel = np.ones((1, 1))
    for name in names:
        each = _DRAWN[name](rng, width, max(longest / len(names), 6 * width))
        reach = each.shape[0] // 2
        at = np.arange(-reach, reach + 1) / OVERSAMPLING
        spread = np.sqrt((each * (at**2 + at[:, None] ** 2)).sum())
        width = float(np.hypot(width, 1.5 * spread))
        kernel = fftconvolve(kernel, each)
    kernel = np.maximum(kernel, 0)
    return Blur(names, kernel / kernel.sum())


def draw_harmless(rng: np.random.Generator, fwhm: float) -> Blur:
    """
    Draw what widens the stars of a good image: bad air, a little unround.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    fwhm : float
        Of its stars, pixels.

    Returns
    -------
    blur : `Blur`
        Without a name; no more than doubles the width.
    """
    width = fwhm / 2.355 * OVERSAMPLING * rng.uniform(0.1, 1.7)
    reach = int(4 * width) + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.8, 1)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / ratio
    kernel = np.exp(-0.5 * (along**2 + across**2) / width**2)
    return Blur((), kernel / kernel.sum())
