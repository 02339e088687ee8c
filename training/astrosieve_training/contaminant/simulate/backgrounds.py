"""What lies over whole regions: sky, nebulae, fringes, persistence."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.simulate.fields import log_uniform, smooth_field

__all__ = ['add_fringes', 'add_nebulosity', 'add_persistence', 'add_sky']

_TRAPPED = 4.0  # of what fills the traps: a fainter star leaves what looks like one


def add_sky(draft: Draft) -> None:
    """Add the sky, even or with a gradient, a vignette, the glow of a corner."""
    rng, level = draft.rng, draft.instrument.sky
    ny, nx = draft.shape
    rows, columns = draft.grid()
    x, y = columns / nx - 0.5, rows / ny - 0.5
    shape = np.ones(draft.shape, np.float32)
    if rng.random() < 0.35:
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
    # What the flat field leaves: dust, and a fine grain.
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 4))):
            size = rng.uniform(6, 25)
            away = np.hypot(columns - rng.uniform(0, nx), rows - rng.uniform(0, ny))
            ring = np.clip((size - away) / 2, 0, 1) * np.clip(
                (away - 0.5 * size) / 2, 0, 1
            )
            shape *= 1 - np.float32(log_uniform(rng, 0.002, 0.03)) * ring
    draft.add_light('sky', np.float32(level) * np.maximum(shape, 0.1))


def _cloud(
    rng: np.random.Generator, shape: tuple[int, int], slope: float
) -> np.ndarray:
    """Return a random field whose power falls with a power of the frequency."""
    ny, nx = (fft.next_fast_len(n, real=True) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal((ny, nx), dtype=np.float32))
    rate = np.hypot(fft.fftfreq(ny)[:, None], fft.rfftfreq(nx)[None]).astype(np.float32)
    rate[0, 0] = np.inf
    rate = np.maximum(rate, np.float32(0.6 / max(shape)))
    image = fft.irfft2(spectrum * rate ** np.float32(-slope / 2), (ny, nx))
    image = image[: shape[0], : shape[1]]
    return np.asarray((image - image.mean()) / image.std(), dtype=np.float32)


def add_nebulosity(draft: Draft) -> None:
    """
    Add a nebula: clouds of a power law, filaments, smooth glow, cut out of the sky.

    It is true where it exceeds 0.8 times the noise, above its own faintest; from 0.25
    times on nobody can tell.
    """
    rng, shape = draft.rng, draft.shape
    kind = rng.choice(
        ['cloud', 'filaments', 'glow', 'both'], p=[0.35, 0.25, 0.15, 0.25]
    )
    cloud = _cloud(rng, shape, rng.uniform(2.6, 3.8))
    nebula = np.exp(np.float32(rng.uniform(0.3, 1.0)) * cloud)
    if kind == 'glow':
        nebula = np.exp(1.2 * smooth_field(rng, shape, rng.uniform(50, 150)))
    elif kind in ('filaments', 'both'):
        ridges = np.exp(
            -np.abs(_cloud(rng, shape, rng.uniform(2.8, 4))) / rng.uniform(0.05, 0.3)
        )
        where = np.exp(_cloud(rng, shape, 3.5) * rng.uniform(0.4, 1.0))
        nebula = (
            ridges * where
            + (0 if kind == 'filaments' else rng.uniform(0.2, 1)) * nebula
        )
    if rng.random() < 0.5:  # only on a part of the image
        nebula = nebula * expit(3 * (_cloud(rng, shape, 4) + rng.normal(0, 0.6)))
    nebula = gaussian_filter(nebula, draft.profile.fwhm / 2.355)
    nebula = np.maximum(nebula - np.percentile(nebula, rng.uniform(2, 40)), 0)
    nebula *= log_uniform(rng, 2.5, 40) / max(float(np.percentile(nebula, 98)), 1e-6)
    plane = nebula.astype(np.float32)
    draft.add_light('nebulosity', plane * np.float32(draft.noise))


def _fringe_pattern(draft: Draft) -> np.ndarray:
    """Return a pattern of fringes between about -1 and 1."""
    rng, shape = draft.rng, draft.shape
    rows, columns = draft.grid()
    kind = rng.choice(['film', 'parallel', 'rings', 'mixed'], p=[0.4, 0.25, 0.15, 0.2])
    period = log_uniform(rng, 7, 70)
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
    if kind == 'mixed' or rng.random() < 0.3:  # a second line of the night sky
        ratio = rng.uniform(0.75, 0.97)
        pattern = 0.6 * pattern + 0.4 * np.cos(2 * np.pi * ratio * height / period + 1)
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


def add_persistence(draft: Draft) -> None:
    """
    Add what remains of an earlier exposure's stars, and of what lay across it.

    Traps remember what came near the full well: a Fermi function of the light, with a
    slow rise above (Long, Baggett & MacKenty 2012, WFC3 ISR 2012-15). So stars leave
    discs of sharp edges and flat tops, displaced by one step; smears of the telescope's
    way between two fields, and plateaus, are among them. None is of a star that would
    leave no more than its own width, which nobody can tell from a star. True above 0.9
    times the noise; from 0.3 times on nobody can tell.
    """
    rng, profile = draft.rng, draft.profile
    ny, nx = draft.shape
    latent = np.zeros(draft.shape, np.float32)
    stars = sorted(draft.stars, key=lambda star: -star.flux)[:6]
    if stars and rng.random() < 0.6:
        step = rng.uniform(-40, 40, 2)
        places = [(star.x + step[0], star.y + step[1]) for star in stars]
    else:
        places = [
            (rng.uniform(0, nx), rng.uniform(0, ny))
            for _ in range(int(rng.choice([1, 2, 3, 4, 6, 9])))
        ]
    # How many times over the brightest pixel had filled the traps.
    sharp, rise = log_uniform(rng, 6, 1000), rng.uniform(0, 0.3)
    edge = rng.uniform(0.1, 0.35)
    rows, columns = draft.grid()
    for x, y in places:
        full = max(sharp * log_uniform(rng, 0.15, 1), _TRAPPED)
        one = np.zeros_like(latent)
        profile.add(one, x, y, full / profile.peak, 0.01)
        if rng.random() < 0.15:
            half = log_uniform(rng, 3, 16)
            away = np.hypot(columns - np.float32(x), rows - np.float32(y))
            one += np.float32(full) * expit((half - away) / 0.8)
        if rng.random() < 0.12 and 'bleed' not in draft.instrument.kind.without:
            reach, half = log_uniform(rng, 5, 60), rng.uniform(0.5, 2.5)
            near = (np.abs(columns - np.float32(x)) < half) & (
                np.abs(rows - np.float32(y)) < reach
            )
            one += np.float32(full) * near
        if rng.random() < 0.08:
            turn, reach = rng.uniform(0, np.pi), log_uniform(rng, 20, 200)
            u = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
            v = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
            way = np.exp(-0.5 * (v / (profile.fwhm / 2)) ** 2) * (u > 0) * (u < reach)
            one += np.float32(rng.uniform(1, 5)) * way.astype(np.float32)
        one = np.clip(one, 0, 1e4)
        held = expit((one - 1) / np.float32(edge)) - expit(-1 / edge)
        latent += log_uniform(rng, 0.4, 1) * held * one ** np.float32(rise)
    latent /= max(float(latent.max()), 1e-3)
    if rng.random() < 0.2:  # the exposure before that one, too
        move = tuple(int(v) for v in rng.integers(-30, 31, 2))
        latent = latent + rng.uniform(0.2, 0.7) * np.roll(latent, move, (0, 1))
    plane = latent * np.float32(draft.noise * log_uniform(rng, 2.5, 60))
    draft.add_charge('persistence', plane)
