"""What lies over whole regions: sky, nebulae, fringes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.contaminant.simulate.fields import power_law_field
from astrosieve_training.simulate.fields import log_uniform, smooth_field

__all__ = ['add_fringes', 'add_nebulosity', 'add_sky']


def _flat_residual(draft: Draft) -> np.ndarray:
    """Return what the flat field leaves: dust, rings of the crystal, cross-hatch."""
    rng, detector = draft.rng, draft.instrument.kind.detector
    ny, nx = draft.shape
    rows, columns = draft.grid()
    left = np.ones(draft.shape, np.float32)
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 4))):
            size = rng.uniform(6, 25)
            away = np.hypot(columns - rng.uniform(0, nx), rows - rng.uniform(0, ny))
            ring = np.clip((size - away) / 2, 0, 1) * np.clip(
                (away - 0.5 * size) / 2, 0, 1
            )
            left *= 1 - np.float32(log_uniform(rng, 0.002, 0.03)) * ring
    if detector == 'thick' and rng.random() < 0.3:  # about the middle of the wafer
        far = rng.uniform(1.5, 6) * max(ny, nx)
        turn = rng.uniform(0, 2 * np.pi)
        away = np.hypot(columns - far * np.cos(turn), rows - far * np.sin(turn))
        radius = away.astype(np.int64)
        at = np.arange(radius.min(), radius.max() + 1)
        rings = np.sin(np.cumsum(2 * np.pi / np.exp(rng.normal(2.8, 0.5, len(at)))))
        left *= 1 + np.float32(log_uniform(rng, 3e-4, 6e-3)) * rings[
            radius - radius.min()
        ].astype(np.float32)
    if detector == 'ir' and rng.random() < 0.15:
        where = expit(3 * smooth_field(rng, draft.shape, rng.uniform(40, 150)))
        for turn in rng.uniform(0, np.pi) + np.deg2rad([0, 22.5, 67.5]):
            wave = np.cos(2 * np.pi * (columns * np.cos(turn) + rows * np.sin(turn))
                          / np.float32(rng.uniform(2.2, 6)))  # fmt: skip
            left *= 1 + np.float32(log_uniform(rng, 5e-4, 8e-3)) * wave * where
    return left


def add_sky(draft: Draft) -> None:
    """
    Add the sky, even or with a gradient, a vignette, the glow of a corner, an edge.
    """
    rng, level = draft.rng, draft.instrument.sky
    ny, nx = draft.shape
    rows, columns = draft.grid()
    x, y = columns / nx - 0.5, rows / ny - 0.5
    shape = np.ones(draft.shape, np.float32)
    if rng.random() < 0.5:  # scattered light, and what flats lack at large scales
        uneven = smooth_field(rng, draft.shape, rng.uniform(0.15, 1.2) * max(nx, ny))
        shape += np.float32(log_uniform(rng, 5e-4, 0.05)) * uneven
    if rng.random() < 0.5:
        shape += (
            np.float32(rng.normal(0, 0.06)) * x + np.float32(rng.normal(0, 0.06)) * y
        )
    if rng.random() < 0.15:
        shape *= 1 - np.float32(log_uniform(rng, 0.01, 0.3)) * (
            (x - rng.normal(0, 0.3)) ** 2 + (y - rng.normal(0, 0.3)) ** 2
        )
    if rng.random() < 0.08:
        corner = (x - rng.choice([-0.5, 0.5])) ** 2 + (y - rng.choice([-0.5, 0.5])) ** 2
        shape += np.float32(log_uniform(rng, 0.01, 0.3)) * np.exp(
            -corner / log_uniform(rng, 0.02, 0.3)
        )
    if rng.random() < 0.06:  # an edge that glows
        at = (x, -x, y, -y)[rng.integers(4)]
        far = np.exp(-(at + 0.5) / np.float32(log_uniform(rng, 0.03, 0.5)))
        shape += np.float32(log_uniform(rng, 0.01, 0.3)) * far
    if rng.random() < 0.05:  # the dome, or the edge of the field
        away = np.hypot(x - rng.normal(0, 0.3), y - rng.normal(0, 0.3))
        inside = expit((rng.uniform(0.35, 0.8) - away) / log_uniform(rng, 0.003, 0.08))
        dim = np.float32(rng.uniform(0.02, 0.7))
        shape *= dim + (1 - dim) * inside.astype(np.float32)
    if rng.random() < 0.04:  # the edge of a mirror, or of a mask, along a side
        at = (x, -x, y, -y)[rng.integers(4)] + 0.5
        edge = expit((at - rng.uniform(0.02, 0.15)) / log_uniform(rng, 0.002, 0.02))
        shape *= edge.astype(np.float32)
    shape *= _flat_residual(draft)
    draft.add_light('sky', np.float32(level) * np.maximum(shape, 0.02))


def _shell(draft: Draft) -> np.ndarray:
    """Return a hollow sphere of gas, irregular, brightest at its limb."""
    rng, shape = draft.rng, draft.shape
    size = log_uniform(rng, 0.1, 0.6) * max(shape)
    y, x = (rng.uniform(-0.1, 1.1) * n for n in shape)
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.6, 1)
    rough = rng.uniform(0.02, 0.2) * smooth_field(rng, shape, max(0.4 * size, 15))
    away = np.hypot(*draft.turned(x, y, turn, ratio)) / size * (1 + rough)
    inner = rng.uniform(0.3, 0.95)
    outside, hollow = (
        np.sqrt(np.maximum(1 - (away / edge) ** 2, 0)) for edge in (1, inner)
    )
    return np.asarray(outside - inner * hollow + rng.uniform(0, 0.1) * (away < 1))


def _front(draft: Draft) -> np.ndarray:
    """Return the edge of a cloud that a star lights: sharp before, fading behind."""
    rng, shape = draft.rng, draft.shape
    rows, columns = draft.grid()
    turn, n = rng.uniform(0, 2 * np.pi), max(shape)
    behind = (columns - rng.uniform(0.2, 0.8) * shape[1]) * np.cos(turn)
    behind = behind + (rows - rng.uniform(0.2, 0.8) * shape[0]) * np.sin(turn)
    for scale in (0.3 * n, 0.08 * n):
        behind = behind + rng.uniform(0, 0.4) * scale * smooth_field(rng, shape, scale)
    sharp = expit(behind / log_uniform(rng, 0.7, 6))
    far = np.exp(-np.maximum(behind, 0) / log_uniform(rng, 0.02 * n, 0.4 * n))
    return np.asarray(sharp * (far + rng.uniform(0, 0.3)))


def _lit_by_star(draft: Draft) -> np.ndarray:
    """Return dust about a star."""
    rng = draft.rng
    rows, columns = draft.grid()
    y, x = (rng.uniform(0, 1) * n for n in draft.shape)
    if draft.stars:
        star = draft.stars[-1]
        x, y = star.x, star.y
    size = log_uniform(rng, 0.03, 0.3) * max(draft.shape)
    away = np.hypot(columns - x, rows - y) / size
    return np.asarray((1 + away**2) ** -rng.uniform(0.6, 2))


def _ribbons(draft: Draft) -> np.ndarray:
    """Return sheets of shocked gas seen nearly edge-on: bands side by side, warped."""
    rng, shape = draft.rng, draft.shape
    rows, columns = draft.grid()
    turn, n = rng.uniform(0, np.pi), max(shape)
    ribbons = np.zeros(shape, np.float32)
    scale = rng.uniform(0.2, 0.7) * n
    shared = rng.uniform(0.04, 0.25) * scale * smooth_field(rng, shape, scale)
    for _ in range(int(rng.integers(1, 8))):
        own = turn + rng.normal(0, 0.12)
        at = (columns - rng.uniform(0, shape[1])) * np.cos(own)
        at = at + (rows - rng.uniform(0, shape[0])) * np.sin(own) + shared
        for finer in (0.15 * n, 0.04 * n):
            at = at + log_uniform(rng, 0.03, 0.3) * finer * smooth_field(
                rng, shape, max(finer, 6)
            )
        width = log_uniform(rng, 1, 0.08 * n)
        behind = width * rng.choice([1.0, log_uniform(rng, 1, 8)])
        across = np.where(at < 0, at / width, at / behind)
        light = np.exp(-0.5 * across**2 if rng.random() < 0.6 else -np.abs(across))
        ribbons += np.float32(log_uniform(rng, 0.2, 1)) * light.astype(np.float32)
    return ribbons


_SHAPED = {
    'shell': _shell, 'front': _front, 'ribbons': _ribbons, 'star': _lit_by_star,
}  # fmt: skip


def add_nebulosity(draft: Draft) -> None:
    """
    Add a nebula: clouds of a power law, filaments, smooth glow, cut out of the sky,
    shells, fronts, ribbons, dust about a star.

    It is true where it exceeds half of the noise, above its own faintest; from 0.15
    times on nobody can tell.
    """
    rng, shape = draft.rng, draft.shape
    kind = str(
        rng.choice(
            ['cloud', 'filaments', 'glow', 'both', *_SHAPED],
            p=[0.2, 0.12, 0.1, 0.15, 0.18, 0.08, 0.12, 0.05],
        )
    )
    cloud = power_law_field(rng, shape, rng.uniform(2.6, 3.8))
    nebula = np.exp(np.float32(rng.uniform(0.3, 1.0)) * cloud)
    if kind in _SHAPED:
        nebula = _SHAPED[kind](draft) * nebula ** np.float32(rng.uniform(0.2, 1))
    elif kind == 'glow':
        nebula = np.exp(1.2 * smooth_field(rng, shape, rng.uniform(50, 150)))
        nebula = nebula * np.exp(np.float32(rng.uniform(0.08, 0.4)) * cloud)
    elif kind in ('filaments', 'both'):
        ridges = np.exp(
            -np.abs(power_law_field(rng, shape, rng.uniform(2.8, 4)))
            / rng.uniform(0.05, 0.3)
        )
        where = np.exp(power_law_field(rng, shape, 3.5) * rng.uniform(0.4, 1.0))
        nebula = (
            ridges * where
            + (0 if kind == 'filaments' else rng.uniform(0.2, 1)) * nebula
        )
    if kind not in _SHAPED and rng.random() < 0.5:  # only on a part of the image
        nebula = nebula * expit(
            3 * (power_law_field(rng, shape, 4) + rng.normal(0, 0.6))
        )
    nebula = gaussian_filter(nebula, draft.profile.fwhm / 2.355)
    nebula = np.maximum(nebula - np.percentile(nebula, rng.uniform(2, 40)), 0)
    nebula *= log_uniform(rng, 1, 40) / max(float(np.percentile(nebula, 98)), 1e-6)
    plane = nebula.astype(np.float32)
    draft.add_light('nebulosity', plane * np.float32(draft.noise))


def _fringe_pattern(draft: Draft) -> np.ndarray:
    """Return a pattern of fringes between about -1 and 1."""
    rng, shape = draft.rng, draft.shape
    rows, columns = draft.grid()
    kind = rng.choice(['film', 'parallel', 'rings', 'mixed'], p=[0.4, 0.25, 0.15, 0.2])
    period = log_uniform(rng, *((60, 220) if rng.random() < 0.3 else (6, 130)))
    if kind == 'film':  # contours of the thickness of a film
        scale = log_uniform(rng, 1.5, 8) * period
        height = smooth_field(rng, shape, max(scale, 20)) * scale / 2
    elif kind == 'rings':
        ny, nx = shape
        x, y = rng.uniform(-1, 2) * nx, rng.uniform(-1, 2) * ny
        height = np.hypot(columns - x, (rows - y) * rng.uniform(0.6, 1.6))
        height = height + 0.4 * period * smooth_field(rng, shape, max(3 * period, 30))
    else:
        turn = rng.uniform(0, np.pi)
        height = columns * np.cos(turn) + rows * np.sin(turn)
        height = height + rng.uniform(0.2, 1.2) * period * smooth_field(
            rng, shape, max(2.5 * period, 30)
        )
    pattern = np.cos(2 * np.pi * height / period)
    if kind == 'mixed' or rng.random() < 0.3:  # other lines of the night sky
        for _ in range(int(rng.choice([1, 1, 2]))):
            wave = rng.uniform(0.7, 0.97) * height / period + rng.uniform(0, 1)
            pattern = 0.6 * pattern + 0.4 * np.cos(2 * np.pi * wave)
    if rng.random() < 0.3:  # sharper than a cosine: more than two beams
        pattern = pattern + rng.uniform(-0.35, 0.35) * (2 * pattern**2 - 1)
    return np.asarray(pattern, dtype=np.float32)


def add_fringes(draft: Draft) -> None:
    """
    Add fringes: thin-film contours, warped parallels, rings, some in patches.

    They are true where the pattern is above or below its mean by 0.35 of its strength
    there, if that is 0.35 times the noise of the empty sky at least; what lies between
    the fringes nobody can tell.
    """
    rng, shape = draft.rng, draft.shape
    pattern = _fringe_pattern(draft)
    most = 0.3 * draft.instrument.sky / draft.noise
    strength = np.full(shape, log_uniform(rng, 0.5, 7), np.float32)
    if rng.random() < 0.5:
        strength = strength * np.exp(
            0.7 * smooth_field(rng, shape, rng.uniform(50, 200))
        )
    if rng.random() < 0.3:
        patches = smooth_field(rng, shape, rng.uniform(40, 120)) + rng.uniform(
            -0.3, 0.7
        )
        strength = strength * expit(6 * patches)
    strength = np.minimum(strength, max(most, 0.8))
    draft.add_light('fringe', strength * pattern * np.float32(draft.noise))
    clear = (np.abs(pattern) > 0.35) & (strength > 0.35)
    draft.mark('fringe', clear, (strength > 0.1) & ~clear)
