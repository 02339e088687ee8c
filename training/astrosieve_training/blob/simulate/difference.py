"""
Difference images, made directly with the statistics of the monitor's.

Made so, a difference costs a fifth of a second. Where the images themselves are
wanted, `~astrosieve_training.blob.simulate.simulate_monitor` makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter, shift

from astrosieve_training.blob.profiles import (
    Profile,
    Stamps,
    draw_profile,
    real_stamps,
)
from astrosieve_training.blob.simulate import detector
from astrosieve_training.simulate.fields import (
    add_at,
    log_uniform,
    ripples,
    smooth_field,
)

__all__ = ['SimulatedDifference', 'blob_table', 'draw_depth', 'simulate_difference']

_SEEN = 0.008  # of the light: what an older blob leaves below this is no dip
_GROWN = 0.01  # of the light: how much deeper older blobs become at most
_DEEPER = 0.002  # of the light: less is no growth
_COLUMNS = ('x', 'y', 'radius', 'depth')


@dataclass(frozen=True, eq=False)
class SimulatedDifference:
    """
    A difference image, (reference - image) / reference, and its truth.

    Positions are centres of light, 0-based; ``depth`` is the largest loss of the
    profile smoothed by one pixel, ``radius`` that of a circle as large as the area
    which loses more than half of it.

    Parameters
    ----------
    data : (ny, nx) float32 `~numpy.ndarray`
        Fraction of the throughput that was lost; NaN where nothing is known.
    mask : (ny, nx) bool `~numpy.ndarray`
        `True` for bad pixels.
    blobs : `~astropy.table.Table`
        ``x``, ``y``, ``radius``, ``depth``, ``kind`` of new blobs.
    dips : `~astropy.table.Table`
        The same of what must not be called: what older blobs leave, bad pixels that
        are not flagged, persistence, stars, hits. Older blobs that became deeper, of
        kind 'grown', differ from new ones by their depth alone.
    known : `~astropy.table.Table`
        ``x``, ``y``, ``radius``, ``depth`` of older blobs.
    """

    data: np.ndarray
    mask: np.ndarray
    blobs: Table
    dips: Table
    known: Table


Row = tuple[float, float, float, float, str]


def blob_table(rows: list[Row]) -> Table:
    """Return rows of x, y, radius, depth and kind as a table, of none too."""
    numbers = np.array([row[:4] for row in rows], dtype=float).reshape(-1, 4)
    table = Table(numbers, names=_COLUMNS)
    table['kind'] = np.array([row[4] for row in rows], dtype='U16')
    return table


def draw_depth(rng: np.random.Generator) -> float:
    """Return a depth of 2 to 30 %: most of 5 to 20 %, many fainter."""
    faint, deep = rng.random(2)
    if faint < 0.3:
        return log_uniform(rng, 0.02, 0.05)
    return float(rng.uniform(0.2, 0.3) if deep < 0.15 else rng.uniform(0.05, 0.2))


@dataclass
class _Scene:
    """A difference on its way."""

    rng: np.random.Generator
    shape: tuple[int, int]
    stamps: Stamps | None
    noise: float
    loss: np.ndarray
    spoilt: np.ndarray
    blobs: list[Row] = field(default_factory=list)
    dips: list[Row] = field(default_factory=list)
    known: list[Row] = field(default_factory=list)

    def place(self) -> tuple[int, int]:
        """Return any pixel."""
        ny, nx = self.shape
        return int(self.rng.integers(nx)), int(self.rng.integers(ny))

    def inside(self, x: float, y: float) -> bool:
        """Return whether a position is on the image."""
        ny, nx = self.shape
        return -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5

    def visible(self, x: float, y: float, radius: float) -> bool:
        """Return whether more than half of what is near a position is usable."""
        if not self.inside(x, y):
            return False
        top, left = max(round(y - radius), 0), max(round(x - radius), 0)
        bottom, right = round(y + radius) + 1, round(x + radius) + 1
        return bool(self.spoilt[top:bottom, left:right].mean() < 0.5)

    def dip(self, piece: np.ndarray, size: float, radius: float, kind: str) -> None:
        """Put something that is no blob anywhere."""
        x, y = self.place()
        add_at(self.loss, piece, x, y, times=size)
        self.dips.append((x, y, radius, abs(size), kind))


def _older_blobs(scene: _Scene) -> None:
    """Leave of older blobs what a shift, a blur and their growth leave."""
    rng = scene.rng
    share = scene.loss.size / 1014**2
    common = rng.uniform(0, 0.2) if rng.random() < 0.5 else rng.uniform(0.2, 1.0)
    turn = rng.uniform(0, 2 * np.pi)
    moved = common * np.array([np.sin(turn), np.cos(turn)])
    blur = rng.uniform(0, 0.7) if rng.random() < 0.3 else 0.0
    grown = _GROWN if rng.random() < 0.3 else 0.0
    for _ in range(rng.poisson(share * rng.uniform(10, 60))):
        profile, depth = draw_profile(rng, scene.stamps), draw_depth(rng)
        x, y = scene.place()
        row = (x + profile.x, y + profile.y, profile.radius, depth)
        if not scene.inside(*row[:2]):
            continue
        scene.known.append((*row, profile.kind))
        own = moved + rng.normal(0, 0.05, 2)
        now = depth + rng.uniform(-0.3, 1) * grown
        if rng.random() < 0.01:
            now = 0.0  # a blob that has gone
        before, after = profile.image, profile.image
        if blur:
            soft = gaussian_filter(profile.image, blur)
            # The references are sharper, or the image is.
            before, after = (before, soft) if rng.random() < 0.5 else (soft, after)
        image = shift(after, own, order=1)
        left = (now * image - depth * before) / (1 - depth * before)
        add_at(scene.loss, left, x, y)
        largest = float(np.abs(gaussian_filter(left, 1.0)).max())
        if now - depth > _DEEPER:
            scene.dips.append((*row[:3], largest, 'grown'))
        elif largest > _SEEN:
            scene.dips.append((*row[:3], largest, 'dip'))


def _sharp(rng: np.random.Generator) -> np.ndarray:
    """Return something as sharp as a star, its largest 1."""
    y, x = np.indices((25, 25)) - 12
    u, v = x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5)
    radius = log_uniform(rng, 0.6, 1.4)
    piece = (1 + (u**2 + v**2) / (2.5 * radius**2)) ** -2.5
    return np.asarray(piece / piece.max(), dtype=np.float32)


def _persistence(scene: _Scene) -> None:
    """Leave the afterglow of stars, in the image or, seldom, in the references."""
    rng = scene.rng
    sign = -1 if rng.random() < 0.75 else 1
    for _ in range(rng.poisson(12)):
        size = log_uniform(rng, 0.5 * scene.noise, 0.4)
        scene.dip(_sharp(rng), sign * size, 1.5, 'persistence')


def _sources(scene: _Scene) -> None:
    """Leave what the mask of stars and galaxies missed, as on images of the sky."""
    rng = scene.rng
    y, x = np.indices((61, 61)) - 30
    for _ in range(rng.poisson(rng.uniform(5, 60))):
        turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.3, 1)
        u = np.cos(turn) * x + np.sin(turn) * y
        v = (np.cos(turn) * y - np.sin(turn) * x) / ratio
        scale = log_uniform(rng, 0.8, 5)
        q = np.hypot(u, v) / scale
        piece = np.exp(-(q ** rng.uniform(0.5, 1))).astype(np.float32)
        size = log_uniform(rng, 0.5 * scene.noise, 2)
        if rng.random() < 0.2:
            # The two images do not lie quite on each other.
            moved = shift(piece, rng.normal(0, 0.6, 2), order=1)
            piece = piece - np.asarray(moved)
            size = min(size, 0.5)
        at = scene.place()
        add_at(scene.loss, piece, *at, times=-size)
        if rng.random() < 0.5:
            rows, columns = np.nonzero(piece > 0.2)
            rows, columns = rows + at[1] - 30, columns + at[0] - 30
            ok = (rows >= 0) & (columns >= 0)
            ok &= (rows < scene.shape[0]) & (columns < scene.shape[1])
            scene.spoilt[rows[ok], columns[ok]] = True
        scene.dips.append((*at, scale, size, 'source'))


def _hits(scene: _Scene) -> None:
    """Leave cosmic rays of the image, seldom of the references, and snowballs."""
    rng = scene.rng
    for _ in range(rng.poisson(rng.uniform(0, 80))):
        sign = 0.3 if rng.random() < 0.1 else -1
        x, y = scene.place()
        size = log_uniform(rng, scene.noise, 3)
        add_at(scene.loss, detector.cosmic_ray(rng), x, y, times=sign * size)
    for _ in range(rng.poisson(0.5)):
        scene.dip(detector.snowball(rng), -log_uniform(rng, 0.02, 5), 5.0, 'snowball')


def _unflagged(scene: _Scene) -> None:
    """Leave hot and unstable pixels that DQ does not know, alone and in groups."""
    rng = scene.rng
    n = rng.poisson(scene.loss.size * log_uniform(rng, 1e-5, 2e-3))
    spots = rng.integers(scene.loss.size, size=n)
    sizes = rng.standard_t(2, n) * log_uniform(rng, 2, 15) * scene.noise
    scene.loss.flat[spots] += np.clip(sizes, -3, 1).astype(np.float32)
    for _ in range(rng.poisson(4)):
        sign = 1 if rng.random() < 0.6 else -1
        size = min(log_uniform(rng, 3, 30) * scene.noise, 0.8)
        scene.dip(detector.group(rng), sign * size, 1.5, 'bad_pixels')


def _flat(scene: _Scene) -> None:
    """Leave of the flat and the light what a plane does not take out."""
    rng = scene.rng
    for each in ripples(rng, scene.shape):
        scene.loss += each
    ny, nx = scene.shape
    y, x = np.linspace(-1, 1, ny)[:, None], np.linspace(-1, 1, nx)
    terms = rng.normal(0, log_uniform(rng, 1e-4, 0.01), 5)
    terms = terms.astype(np.float32)
    scene.loss += terms[0] * x.astype(np.float32) + terms[1] * y.astype(np.float32)
    if rng.random() < 0.4:
        curved = terms[2] * x**2 + terms[3] * y**2 + terms[4] * x * y
        scene.loss += curved.astype(np.float32)
    if rng.random() < 0.15:
        # The limb of the Earth.
        glow = np.exp(-(1 + rng.choice([-1, 1]) * (x if rng.random() < 0.5 else y)) * 4)
        scene.loss -= (log_uniform(rng, 0.002, 0.1) * glow).astype(np.float32)
    if rng.random() < 0.15:
        size = np.float32(rng.choice([-1, 1]) * log_uniform(rng, 0.003, 0.05))
        scene.loss += size * detector.scratch(rng, scene.shape)
    if rng.random() < 0.12:
        size = np.float32(rng.choice([-1, 0.3]) * log_uniform(rng, 0.002, 0.2))
        scene.loss += size * detector.trail(rng, scene.shape)


def _new_blobs(scene: _Scene, n: int) -> None:
    """Add new blobs: anywhere, some at the edge, some upon others."""
    rng = scene.rng
    ny, nx = scene.shape
    while len(scene.blobs) < n:
        profile, depth = draw_profile(rng, scene.stamps), draw_depth(rng)
        x, y = scene.place()
        others = scene.blobs + scene.known
        where = rng.random()
        if where < 0.1:
            x = int(rng.choice([0, nx - 1]) + rng.normal(0, profile.radius))
        elif where < 0.2:
            y = int(rng.choice([0, ny - 1]) + rng.normal(0, profile.radius))
        elif where < 0.3 and others:
            other = others[rng.integers(len(others))]
            away = (profile.radius + other[2]) * rng.uniform(0.7, 1.5)
            turn = rng.uniform(0, 2 * np.pi)
            x = round(other[0] + away * np.cos(turn))
            y = round(other[1] + away * np.sin(turn))
        centre = (x + profile.x, y + profile.y)
        if scene.visible(*centre, profile.radius) and _apart(
            centre, profile, scene.blobs
        ):
            add_at(scene.loss, profile.image, x, y, times=depth)
            scene.blobs.append((*centre, profile.radius, depth, profile.kind))


def _apart(centre: tuple[float, float], profile: Profile, others: list[Row]) -> bool:
    """Return whether a blob can be told from others: their middles are apart."""
    return all(
        np.hypot(centre[0] - x, centre[1] - y) > 0.7 * max(radius, profile.radius)
        for x, y, radius, *_ in others
    )


def _noise(scene: _Scene) -> np.ndarray:
    """Return noise of the image and of its references, resampled or not."""
    rng = scene.rng
    noise = rng.standard_normal(scene.shape, dtype=np.float32)
    kind = rng.random()
    if kind < 0.15:
        noise = gaussian_filter(noise, rng.uniform(0.35, 0.9), truncate=3)
        noise /= noise[: scene.shape[0] // 4].std()
    elif kind < 0.3:
        # Resampled by a part of a pixel, linearly.
        for axis in (0, 1):
            share = np.float32(rng.uniform(0, 0.5))
            noise = (1 - share) * noise + share * np.roll(noise, 1, axis)
        noise /= noise[: scene.shape[0] // 4].std()
    elif kind < 0.5:
        # Pixels whose gain and dark current differ.
        noise *= np.exp(
            np.float32(rng.uniform(0.05, 0.3))
            * rng.standard_normal(scene.shape, dtype=np.float32)
        )
    if rng.random() < 0.7:
        level = np.exp(rng.uniform(0.02, 0.25) * smooth_field(rng, scene.shape, 350))
        noise *= level
    if rng.random() < 0.3:
        noise += rng.uniform(0.02, 0.3) * detector.banding(rng, scene.shape)
    return np.asarray(noise * np.float32(scene.noise))


def _spoil(scene: _Scene) -> np.ndarray:
    """Return the mask of bad pixels, now and then of older blobs too."""
    rng = scene.rng
    dq = detector.bad_pixels(rng, scene.shape)
    mask = (dq & detector.excluded()) != 0
    n = rng.poisson(mask.size * log_uniform(rng, 1e-5, 2e-3))
    mask.flat[rng.integers(mask.size, size=n)] = True
    mask |= scene.spoilt
    if rng.random() < 0.1:
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        for x0, y0, radius, *_ in scene.known:
            top, left = max(round(y0 - 40), 0), max(round(x0 - 40), 0)
            part = np.s_[top : top + 81, left : left + 81]
            away = np.hypot(rows[part[0]] - y0, columns[:, part[1]] - x0)
            mask[part] |= away < rng.uniform(0.7, 1.5) * radius
    if rng.random() < 0.15:
        width = int(rng.integers(1, 12))
        border = np.ones_like(mask)
        border[width:-width, width:-width] = False
        mask |= border
    if rng.random() < 0.05:
        x, y = scene.place()
        height, width = rng.integers(5, 120, 2)
        mask[y : y + height, x : x + width] = True
    return mask


_EFFECTS: tuple[tuple[Callable[[_Scene], None], float], ...] = (
    (_flat, 1.0),
    (_older_blobs, 0.9),
    (_persistence, 0.2),
    (_sources, 0.12),
    (_hits, 0.6),
    (_unflagged, 0.8),
)


def simulate_difference(
    seed: int,
    *,
    shape: tuple[int, int] = (1014, 1014),
    n_blobs: int | None = None,
    stamps: Stamps | None = None,
) -> SimulatedDifference:
    """
    Simulate a difference image.

    Noise, what is left of the flat, of older blobs and of the mirror's shifts, and
    what else is in it, all differ from image to image.

    Parameters
    ----------
    seed : int
        Decides everything, with the data folder where there is one: its bad-pixel
        table and its blobs are taken.
    shape : (int, int), optional
        Of the image, (ny, nx).
    n_blobs : int, optional
        New blobs; by default none in one of six images, else up to a dozen.
    stamps : `~astrosieve_training.blob.profiles.Stamps`, optional
        Real blobs to take among others; those of the data folder that are not held
        back by default.

    Returns
    -------
    difference : `SimulatedDifference`
    """
    rng = np.random.default_rng(seed)
    loss = np.zeros(shape, np.float32)
    noise = log_uniform(rng, 0.0015, 0.03)
    stamps = stamps or real_stamps('training')
    scene = _Scene(rng, shape, stamps, noise, loss, np.zeros(shape, bool))
    for effect, share in _EFFECTS:
        if rng.random() < share:
            effect(scene)
    if n_blobs is None:
        n_blobs = 0 if rng.random() < 1 / 6 else min(1 + rng.poisson(2.5), 12)
    mask = scene.spoilt = _spoil(scene)
    _new_blobs(scene, n_blobs)
    data = scene.loss + _noise(scene)
    if rng.random() < 0.3:
        # The level was not measured well.
        data += np.float32(rng.normal(0, 0.01))
    strange = rng.standard_normal(int(mask.sum()), dtype=np.float32)
    data[mask] += np.float32(log_uniform(rng, 1, 100) * noise) * strange
    if rng.random() < 0.7:
        data[mask] = np.nan
    known = blob_table(scene.known)
    known.remove_column('kind')
    return SimulatedDifference(
        data, mask, blob_table(scene.blobs), blob_table(scene.dips), known
    )
