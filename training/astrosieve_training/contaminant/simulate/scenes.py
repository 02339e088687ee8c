"""Stars and galaxies."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, gammaincinv

from astrosieve_training.contaminant.simulate.draft import Draft, Star
from astrosieve_training.simulate.fields import add_at, log_uniform, smooth_field

__all__ = ['add_bright_stars', 'add_galaxies', 'add_spectra', 'add_stars']

_FAINTEST = 0.05  # of the noise: less is left out
_NARROW = 2.0  # FWHM, pixels


def add_stars(draft: Draft) -> None:
    """
    Add stars, from none to a crowd, here and there a cluster of them.

    In some images all are bright, in most of those whose stars are narrow, the faintest
    far above the noise perhaps: these look like hits, and what tells them is that all
    are alike.
    """
    rng, profile, noise = draft.rng, draft.profile, draft.noise
    ny, nx = draft.shape
    narrow = profile.fwhm < _NARROW
    density = log_uniform(
        rng, 1.5 if narrow else 0.3, 25 if rng.random() < 0.8 else 140
    )
    number = min(int(rng.poisson(density * ny * nx / 1e4)), 1200)
    slope = rng.uniform(0.45, 1.1)
    if rng.random() < (0.4 if narrow else 0.7):
        least = 0.5
    else:
        least = log_uniform(rng, 4, 100) if narrow else 6.0
    ceiling = draft.instrument.ceiling / noise
    top = ceiling * (3.0 if rng.random() < 0.3 else rng.uniform(0.05, 0.8))
    peaks = np.minimum(least * (1 - rng.random(number)) ** (-1 / slope), top)
    x = rng.uniform(-8, nx + 8, number)
    y = rng.uniform(-8, ny + 8, number)
    if rng.random() < 0.06:
        size = log_uniform(rng, 10, 60)
        away = size / np.sqrt((1 - rng.random(number) ** 0.9) ** (-2 / 3) - 0.999)
        turn = rng.uniform(0, 2 * np.pi, number)
        x = rng.uniform(0, nx) + away * np.cos(turn)
        y = rng.uniform(0, ny) + away * np.sin(turn)
    image = np.zeros(draft.shape, np.float32)
    for star in zip(x, y, peaks * noise / profile.peak, strict=True):
        profile.add(image, *star, _FAINTEST * noise)
    draft.add_light('object', image)
    sown = [
        Star(*each) for each in zip(x, y, peaks * noise / profile.peak, strict=True)
    ]
    limit = 0.7 * draft.instrument.ceiling / profile.peak
    draft.stars += [star for star in sown if star.flux > limit]
    draft.sown += sown


def add_bright_stars(draft: Draft) -> None:
    """Add one to three stars that overflow the pixels, some far off the image."""
    rng, profile = draft.rng, draft.profile
    ny, nx = draft.shape
    image = np.zeros(draft.shape, np.float32)
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        peak = draft.instrument.ceiling * log_uniform(rng, 1.2, 250)
        edge = rng.choice([0.05, -0.05, -0.4], p=[0.65, 0.1, 0.25])
        star = Star(
            rng.uniform(edge, 1 - edge) * nx,
            rng.uniform(edge, 1 - edge) * ny,
            peak / profile.peak,
        )
        profile.add(image, star.x, star.y, star.flux, _FAINTEST * draft.noise)
        draft.stars.append(star)
        draft.sown.append(star)
    draft.add_light('object', image)


def _galaxy(draft: Draft, radius: float, surface: float) -> np.ndarray:
    """Return a Sersic galaxy in a box of odd sides."""
    rng = draft.rng
    index = log_uniform(rng, 0.5, 4.5)
    b = float(gammaincinv(2 * index, 0.5))
    reach = int(
        min(radius * (np.log(max(surface, 3) / _FAINTEST) / b) ** index + 6, 180)
    )
    at = np.arange(-reach, reach + 1, dtype=np.float32)
    y, x = at[:, None] - rng.uniform(-0.5, 0.5), at[None] - rng.uniform(-0.5, 0.5)
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.2, 1)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = (y * np.cos(angle) - x * np.sin(angle)) / ratio
    away = np.sqrt(u**2 + v**2 + 0.1) / radius
    light = np.exp(-b * (away ** (1 / index) - 1))
    # What a pixel in the middle holds is bounded by the light of all.
    whole = 2 * np.pi * index * np.exp(b) * b ** (-2 * index) * gamma(2 * index)
    np.minimum(light, whole * radius**2 * ratio / 4, out=light)
    if radius > 6 and rng.random() < 0.4:
        pitch = np.tan(np.deg2rad(rng.uniform(12, 35)))
        winding = np.log(np.maximum(away, 0.05)) / pitch
        arms = np.cos(int(rng.choice([2, 2, 3, 4])) * (np.arctan2(v, u) - winding))
        light *= 1 + rng.uniform(0.2, 0.9) * arms * np.clip(away, 0, 1)
    soft = gaussian_filter(light, max(draft.profile.fwhm, 1) / 2.355)
    edge = np.clip((reach + 0.5 - np.hypot(x, y)) / (0.2 * reach), 0, 1)
    return np.asarray(surface * soft * edge, dtype=np.float32)


def add_galaxies(draft: Draft) -> None:
    """Add galaxies, now and then one that fills much of the image."""
    rng = draft.rng
    ny, nx = draft.shape
    image = np.zeros(draft.shape, np.float32)
    number = min(int(rng.poisson(log_uniform(rng, 0.1, 12) * ny * nx / 1e4)), 200)
    least = 0.4 * draft.profile.fwhm
    sizes = [log_uniform(rng, least, least + 9) for _ in range(number)]
    if rng.random() < 0.12:
        sizes.append(log_uniform(rng, 12, 50))
    for radius in sizes:
        surface = log_uniform(rng, 0.15, 15)
        piece = _galaxy(draft, radius, surface)
        at = (int(rng.integers(-5, n + 5)) for n in (nx, ny))
        add_at(image, piece, *at, times=draft.noise)
    draft.add_light('object', draft.profile.blurred(image))


def add_moving(draft: Draft) -> None:
    """
    Add one to three bodies of the solar system.

    They are drawn out in an image whose stars are not, and are points, mostly, where
    the stars are drawn out or doubled: what the telescope followed.
    """
    rng, noise = draft.rng, draft.noise
    ny, nx = draft.shape
    profile = draft.profile.sharp or draft.profile
    image = np.zeros(draft.shape, np.float32)
    followed = draft.profile.sharp is not None and rng.random() < 0.8
    length, turn = log_uniform(rng, 2 * profile.fwhm, 60), rng.uniform(0, 2 * np.pi)
    steps = np.linspace(-0.5, 0.5, 1 if followed else int(length) + 2) * length
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        x, y = rng.uniform(0.05, 0.95) * nx, rng.uniform(0.05, 0.95) * ny
        peak = noise * log_uniform(rng, 8, 3000 if followed else 100)
        flux = peak / profile.peak if followed else peak / profile.core.max(1).sum()
        for step in steps - steps.mean():
            at = x + step * np.cos(turn), y + step * np.sin(turn)
            profile.add(image, *at, flux, _FAINTEST * noise)
    draft.add_light('object', image)


def add_spectra(draft: Draft) -> None:
    """Add spectra in a slit, objects, and lines of the night sky, which are nothing."""
    rng, noise = draft.rng, np.float32(draft.noise)
    turned = rng.random() < 0.3
    ny, nx = draft.shape[::-1] if turned else draft.shape
    rows, columns = np.arange(ny)[:, None], np.arange(nx)[None]
    traces = np.zeros((ny, nx), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        width = draft.profile.fwhm / 2.355 * rng.uniform(0.8, 1.6)
        middle = rng.uniform(0, ny) + rng.normal(0, 0.02) * columns
        colours = 1 + 0.5 * smooth_field(rng, (1, nx), rng.uniform(5, 80))
        across = np.exp(-0.5 * ((rows - middle) / width) ** 2)
        traces += log_uniform(rng, 2, 300) * np.maximum(colours, 0.05) * across
    sky = np.zeros((ny, nx), np.float32)
    for _ in range(int(rng.integers(0, 12))):
        width = max(draft.profile.fwhm, 2) / 2.355 * rng.uniform(0.9, 1.5)
        middle = rng.uniform(0, nx) + rng.normal(0, 0.02) * rows
        line = np.exp(-0.5 * ((columns - middle) / width) ** 2)
        sky += np.float32(log_uniform(rng, 1, 100)) * line
    first, last = sorted(rng.uniform(-0.3, 1.3, 2) * ny)
    if last - first > 0.4 * ny:
        sky *= (rows > first) & (rows < last)
    for name, plane in (('object', traces), ('sky', sky)):
        draft.add_light(name, (plane.T if turned else plane) * noise)
