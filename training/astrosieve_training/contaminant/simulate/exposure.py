"""From electrons to numbers: chance, full wells, readout, units."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter1d, label

from astrosieve_training.contaminant.simulate.draft import LOST, Draft
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['RULES', 'expose']

RULES = {
    'cosmic_ray': (2.0, 0.5),
    'hot_pixel': (5.0, 0.7),
    'persistence': (0.9, 0.3),
    'nebulosity': (0.5, 0.15),
    'object': (2.0, 0.7),
    'reflection': (0.5, 0.15),
    'spike': (1.0, 0.3),
}
"""
Of classes that are told by strength: from how many times the noise of the pixel, that
of the class's own electrons left out, they are true, and from how many nobody can tell.
"""

_POINT = 2, 5.0  # pixels of a point at most; below so many noises chance makes some
_DROWNED = ('satellite_trail', 'fringe', 'hot_column')
_NEARLY = 0.8  # of the ceiling, from which on a bled pixel may be called saturated
_EVEN, _NEARLY_EVEN = 0.01, 0.95  # the same where full pixels are as even as this
_TRANSFERS = 40  # over which trapped charge is set free
_LEAST = 0.3  # of the noise of a pixel, below which nobody can tell what is drowned


def _total(draft: Draft) -> np.ndarray:
    """Return the mean electrons of each pixel, cosmic rays left out."""
    mean = sum(draft.light.values()) * draft.response
    mean = mean + sum(v for k, v in draft.charge.items() if k != 'cosmic_ray')
    return np.asarray(np.maximum(mean, 0), dtype=np.float32)


def _trail(draft: Draft) -> None:
    """
    Let hits and hot pixels leave charge behind on the way to readout.

    Some is set free within a few transfers, some after many (Massey et al. 2010,
    MNRAS 401, 371).
    """
    rng = draft.rng
    share, slow = (
        log_uniform(rng, 0.005, 0.25),
        rng.choice([0.0, rng.uniform(0.1, 0.8)]),
    )
    steps = np.arange(1, _TRANSFERS + 1)
    left = np.zeros(_TRANSFERS)
    for part, length in ((1 - slow, rng.uniform(0.8, 4)), (slow, rng.uniform(5, 20))):
        each = np.exp(-steps / length)
        left += part * each / each.sum()
    kernel = np.concatenate([np.zeros(_TRANSFERS), [1 - share], share * left])
    kernel = kernel if rng.random() < 0.5 else kernel[::-1]
    for name in ('cosmic_ray', 'hot_pixel'):
        if name in draft.charge:
            draft.charge[name] = correlate1d(
                draft.charge[name], kernel, axis=0, mode='constant'
            )


def _mark(draft: Draft, mean: np.ndarray, quiet: np.float32) -> None:
    """Say what is true of the classes that are told by strength."""
    floor = draft.noise**2 - draft.instrument.sky
    for name, (clear, faint) in RULES.items():
        own = draft.charge.get(name)
        if own is None and name in draft.light:
            own = draft.light[name] * np.minimum(draft.response, 1)
        if own is None:
            continue
        rest = mean if name == 'cosmic_ray' else np.maximum(mean - own, 0)
        noise = quiet * np.sqrt(rest + np.float32(floor))
        draft.mark_excess(name, own, noise, clear, faint)
        if name == 'spike':  # within the core of its star nobody can tell it
            core = draft.light['object'] > 8 * own
            draft.unsure[name] |= draft.truth[name] & core
            draft.truth[name] &= ~core
    noise = quiet * np.sqrt(mean + np.float32(floor))
    _mark_chance(draft, noise)
    for name, own in (*draft.light.items(), *draft.charge.items()):
        if name in _DROWNED and name in draft.truth:
            drowned = draft.truth[name] & (np.abs(own) < _LEAST * noise)
            draft.unsure[name] = draft.unsure.get(name, drowned) | drowned
            draft.truth[name] &= ~drowned


def _mark_chance(draft: Draft, noise: np.ndarray) -> None:
    """
    Say which hits may be chance: those of one or two pixels below 5 times the noise.

    Brighter ones look like hot pixels, but how many of either an image has, and how
    bright they are, tells which is the likelier.
    """
    most, clear = _POINT
    own = draft.charge.get('cosmic_ray')
    if own is None:
        return
    pieces, _ = label(own > noise, np.ones((3, 3)))
    point = (np.bincount(pieces.ravel()) <= most)[pieces] & (pieces > 0)
    chance = draft.truth['cosmic_ray'] & point & (own < clear * noise)
    draft.truth['cosmic_ray'] &= ~chance
    draft.unsure['cosmic_ray'] |= chance


def _spill(
    column: np.ndarray, moved: np.ndarray, excess: float, fill: np.ndarray
) -> int:
    """Let an excess run along a column to its end; return how far it comes."""
    room = np.maximum(fill[: len(column)] - column - moved, 0)
    filled = np.minimum(np.cumsum(room), excess)
    moved += np.diff(filled, prepend=0).astype(np.float32)
    return int(np.searchsorted(filled, filled[-1])) if len(filled) else 0


def _overflow(draft: Draft, charge: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """
    Clip at full well; in CCDs the excess runs along the columns, or along the rows.

    It runs both ways, unequally, fills the pixels up or nearly so, and tapers in some;
    in some the readout leaves a tail after it, above or below the sky. Bleed is where
    more than 3 times the noise arrived; in the pixels that overflowed nobody can tell
    it from saturation.
    """
    rng, well = draft.rng, np.float32(draft.instrument.well)
    over = charge > well
    clipped = np.minimum(charge, well)
    bleeds = 'bleed' not in draft.instrument.kind.without and rng.random() < 0.75
    if not (bleeds and over.any()):
        return np.asarray(clipped)
    turned = rng.random() < 0.25
    held, source, own = (a.T if turned else a for a in (clipped, charge, over))
    moved, after = np.zeros_like(held), np.zeros_like(held)
    at = np.arange(len(held))
    up = rng.uniform(0.35, 0.65)
    taper = log_uniform(rng, 20, 300) if rng.random() < 0.3 else np.inf
    level = rng.uniform(0.88, 1) if rng.random() < 0.5 else 1.0
    fill = level * well * np.exp(-at / taper)
    tail = rng.choice([0, 0, 0, 1, -1]) * log_uniform(rng, 2, 25) * draft.noise
    fading = (tail * np.exp(-at / log_uniform(rng, 6, 60))).astype(np.float32)
    for c in np.flatnonzero(own.any(axis=0)):
        edges = np.flatnonzero(np.diff(own[:, c], prepend=False, append=False))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            excess = float((source[start:stop, c] - well).sum())
            if excess < 0.5 * well:
                continue
            # Upwards, and downwards in views that are turned round.
            end = stop + _spill(held[stop:, c], moved[stop:, c], excess * up, fill)
            before = held[:start, c][::-1], moved[:start, c][::-1]
            _spill(*before, excess * (1 - up), fill)
            after[end:, c] += fading[: len(held) - end]
    if turned:
        moved, after = moved.T, after.T
    draft.offset += after
    arrived = np.abs(moved) + np.abs(after)
    clear = arrived > 3 * noise
    draft.mark('bleed', clear & ~over, ((arrived > 0.5 * noise) & ~clear) | over)
    return np.asarray(clipped + moved)


def _patterns(draft: Draft) -> np.ndarray:
    """Return what the readout adds: steps of amplifiers, bands of rows or columns."""
    rng, noise = draft.rng, draft.noise
    ny, nx = draft.shape
    out = np.zeros(draft.shape, np.float32)
    banded = 0.35 if draft.instrument.kind.detector in ('ir', 'cmos') else 0.08
    if rng.random() < 0.2 + 0.6 * banded:
        step = log_uniform(rng, 0.15, 5) * noise
        for view in (out, out.T)[: int(rng.choice([1, 1, 2]))]:
            edges = np.sort(rng.uniform(0.05, 0.95, int(rng.choice([1, 1, 1, 3, 7]))))
            for at in (edges * view.shape[1]).astype(int):
                view[:, at:] += np.float32(step * rng.choice([1, rng.normal()]))
    if rng.random() < 0.6 * banded:  # drifts of the level while rows are read
        drift = gaussian_filter1d(rng.standard_normal(ny), log_uniform(rng, 1, 30))
        drift *= log_uniform(rng, 0.05, 0.6) * noise / max(drift.std(), 1e-6)
        out += drift[:, None].astype(np.float32)
    if rng.random() < banded:
        out += np.float32(log_uniform(rng, 0.05, 0.4) * noise) * rng.standard_normal(
            (ny, 1), dtype=np.float32
        )
    if rng.random() < banded:
        out += np.float32(log_uniform(rng, 0.05, 0.3) * noise) * rng.standard_normal(
            (1, nx), dtype=np.float32
        )
    return out


def _blind(draft: Draft) -> np.ndarray | None:
    """Return the overscan, if this image shows one: pixels without light or charge."""
    rng = draft.rng
    if draft.instrument.unit not in ('raw', 'counts') or rng.random() > 0.08:
        return None
    blind = np.zeros(draft.shape, bool)
    width = int(rng.integers(6, 30))
    side = int(rng.integers(4))
    view = np.rot90(blind, side)
    view[:width] = True
    return blind


def _in_unit(draft: Draft, electrons: np.ndarray) -> np.ndarray:
    """Return the numbers of a file."""
    rng, made = draft.rng, draft.instrument
    top = 2.0**made.kind.bits - 1
    numbers = np.clip(np.round(electrons / made.gain + made.pedestal), 0, top)
    if made.unit == 'raw':
        return np.asarray(numbers)
    numbers = numbers - (made.pedestal + rng.normal(0, 0.2))
    if made.unit == 'counts':
        return np.asarray(np.round(numbers) if rng.random() < 0.4 else numbers)
    numbers = numbers * made.gain
    if made.unit == 'rate':
        return np.asarray(numbers / made.exptime)
    if made.unit == 'subtracted':
        sky = np.median(numbers[::4, ::4]) + rng.normal(0, 0.1) * made.noise
        return np.asarray((numbers - sky) / rng.choice([1.0, made.gain, made.exptime]))
    if made.unit == 'scaled':
        return np.asarray(numbers * log_uniform(rng, 1e-12, 1e3))
    return np.asarray(numbers)


def _picture(draft: Draft, image: np.ndarray) -> np.ndarray:
    """
    Return an image as a JPEG shows it: grey of 256 levels, compressed.

    What the stretch has made white nobody can tell from saturation.
    """
    from PIL import Image

    rng = draft.rng
    sample = image[::3, ::3]
    middle = float(np.median(sample))
    spread = 1.4826 * float(np.median(np.abs(sample - middle))) or 1.0
    low = middle - rng.uniform(1.5, 6) * spread
    grey = np.clip((image - low) / (log_uniform(rng, 8, 150) * spread), 0, 1)
    grey = np.round(255 * grey ** rng.choice([1.0, 1.0, 0.5])).astype(np.uint8)
    held = BytesIO()
    Image.fromarray(grey).save(held, 'JPEG', quality=int(rng.integers(70, 97)))
    white = grey == 255
    for name in ('saturation', 'bleed'):
        draft.mark(name, np.zeros_like(white), white)
    return np.asarray(Image.open(held), dtype=np.float32)


def expose(draft: Draft) -> tuple[np.ndarray, np.ndarray]:
    """
    Expose a draft and read it out; its truth is then complete.

    Saturation is where a pixel is within 2 % of what can be told: full well, or the end
    of the converter. What lies under it nobody can tell. A pixel that a bleed has
    nearly filled counts for nothing where full ones are uneven, since DQ arrays of HST
    call it saturated, too; where they are even it shows that it is not full.

    Parameters
    ----------
    draft : `Draft`
        With all its light, charge and response. Changed.

    Returns
    -------
    image : 2D float32 `~numpy.ndarray`
        In the instrument's unit; NaN where masked.
    masked : 2D bool `~numpy.ndarray`
        Pixels without a value.
    """
    rng, made = draft.rng, draft.instrument
    blind = _blind(draft)
    if blind is not None:
        for plane in (*draft.light.values(), *draft.charge.values(), draft.offset):
            plane[blind] = 0
    if made.kind.site == 'orbit' and made.kind.detector == 'ccd' and rng.random() < 0.6:
        _trail(draft)
    mean = _total(draft)
    resampled = made.unit not in ('raw', 'counts') and rng.random() < 0.15
    f = rng.uniform(0.15, 0.5) if resampled else 0.0
    quiet = np.float32(f**2 + (1 - f) ** 2)
    _mark(draft, mean, quiet)
    noise = np.asarray(quiet * np.sqrt(mean + np.float32(draft.noise**2 - made.sky)))
    chance = rng.poisson(np.minimum(mean, 1e8)).astype(np.float32) - mean
    reading = np.float32(made.read_noise) * rng.standard_normal(
        draft.shape, dtype=np.float32
    )
    if resampled:
        for axis in (0, 1):
            chance, reading = (
                correlate1d(a, [f, 1 - f, 0], axis, mode='nearest')
                for a in (chance, reading)
            )
    charge = np.maximum(mean + chance, 0) + draft.charge.get(
        'cosmic_ray', np.float32(0)
    )
    charge = _overflow(draft, charge, noise)
    ceiling = np.float32(made.ceiling)
    lost = draft.offset < LOST / 2
    full = (charge >= 0.98 * ceiling) & ~lost
    if full.any():
        rough = float(rng.choice([0.0, 0.0, 0.002, 0.01, 0.05, 0.1]))
        uneven = rng.normal(1, rough, int(full.sum()))
        charge[full] = charge[full] * np.minimum(uneven, 1.0).astype(np.float32)
        bled = draft.truth.get('bleed', np.zeros_like(full))
        nearly = (_NEARLY_EVEN if rough <= _EVEN else _NEARLY) * ceiling
        draft.mark('saturation', full, bled & ~full & (charge > nearly))
    hidden = full | lost
    for name in (*RULES, 'satellite_trail', 'fringe', 'bleed'):
        if name in draft.truth:
            under = lost if name in ('object', 'satellite_trail', 'bleed') else hidden
            draft.unsure[name] |= draft.truth[name] & under
            draft.truth[name] &= ~under
    electrons = charge + reading + draft.offset + _patterns(draft)
    if blind is not None:
        for marks in (*draft.truth.values(), *draft.unsure.values()):
            marks[blind] = False
        for name in ('bad_row', 'bad_column'):  # which dark edges may as well be
            draft.mark(name, np.zeros_like(blind), blind)
    image = _in_unit(draft, electrons)
    if made.unit == 'picture':
        image = _picture(draft, image)
    masked = _masked(draft, image)
    return np.where(masked, np.nan, image).astype(np.float32), masked


def _masked(draft: Draft, image: np.ndarray) -> np.ndarray:
    """
    Return pixels without a value: corners of mosaics, known defects.

    Some corners hold a number instead, which the image is given, and are not masked.
    """
    rng = draft.rng
    masked = np.zeros(draft.shape, bool)
    fate = rng.random()
    if fate < 0.02:  # the gap between two chips
        view = masked if rng.random() < 0.5 else masked.T
        at = int(rng.uniform(0.05, 0.95) * len(view))
        view[at : at + int(log_uniform(rng, 3, 50))] = True
    elif fate < 0.07:
        rows, columns = draft.grid()
        turn = rng.uniform(0, 2 * np.pi) if fate < 0.05 else rng.choice(4) * np.pi / 2
        away = (columns - draft.shape[1] / 2) * np.cos(turn)
        away = away + (rows - draft.shape[0] / 2) * np.sin(turn)
        masked = away > rng.uniform(0.2, 0.5) * min(draft.shape)
    elif fate < 0.1 and 'bad_pixel' in draft.truth:
        known = rng.random(draft.shape) < rng.uniform(0.3, 1)
        masked = draft.truth['bad_pixel'] & known
    for marks in (*draft.truth.values(), *draft.unsure.values()):
        marks &= ~masked
    if fate < 0.07 and rng.random() < 0.5:
        image[masked] = rng.choice([0.0, float(np.median(image))])
        return np.zeros(draft.shape, bool)
    return masked
