"""Defects of the detector: hot and bad pixels, columns and rows."""

from __future__ import annotations

import numpy as np

from astrosieve_training.contaminant.simulate import real
from astrosieve_training.contaminant.simulate.draft import LOST, Draft
from astrosieve_training.simulate.fields import log_uniform

__all__ = ['add_bad_pixels', 'add_hot_pixels', 'add_lines', 'add_real_defects']

_LINES = ('hot_column', 'bad_column', 'bad_row')
LEAST = 5.0  # of the noise: how far a single pixel is off


def _counts(draft: Draft, low: float, high: float) -> int:
    return int(log_uniform(draft.rng, low, high) * np.prod(draft.shape) / 65536) + 1


def _places(draft: Draft, number: int) -> tuple[np.ndarray, np.ndarray]:
    ny, nx = draft.shape
    return draft.rng.integers(ny, size=number), draft.rng.integers(nx, size=number)


def add_hot_pixels(draft: Draft) -> None:
    """
    Add hot pixels, single ones or pairs, of all strengths, or those of a real chip.

    A pixel is true where its own charge exceeds 5 times the noise, as chance makes one
    of some million; from 0.7 times on nobody can tell. In IR arrays some percent of it
    are seen by the neighbours, which are true by the same rule.
    """
    rng, noise = draft.rng, draft.noise
    excess = None
    if draft.real and not draft.judged and rng.random() < 0.25:
        excess = real.hot_pixels(rng, draft.shape)
        if excess is not None:
            excess = excess * log_uniform(rng, 0.2, 1.5)
    if excess is None:
        number = _counts(draft, 4, 400)
        rows, columns = _places(draft, number)
        excess = np.zeros(draft.shape, np.float32)
        slope = rng.uniform(0.3, 1.0)
        strengths = 4 * (1 - rng.random(number)) ** (-1 / slope)
        excess[rows, columns] = np.minimum(
            strengths, 1.5 * draft.instrument.well / noise
        )
        if rng.random() < 0.3:
            pair = rng.random(number) < 0.15
            beside = np.minimum(rows[pair] + 1, draft.shape[0] - 1), columns[pair]
            excess[beside] = strengths[pair] * rng.uniform(0.1, 1, int(pair.sum()))
    plane = excess.astype(np.float32) * np.float32(noise)
    draft.add_charge('hot_pixel', draft.coupled(plane))


def _spoil(draft: Draft, where: np.ndarray, *, wide: bool = False) -> np.ndarray:
    """
    Make pixels see too little, each by its own amount; return by how many noises.

    Where the sky is too faint to be missed, they lie below it by an offset.
    """
    rng, noise, sky = draft.rng, draft.noise, draft.instrument.sky
    number = int(where.sum())
    kind = rng.choice(['dead', 'weak', 'below', 'lost'], p=[0.35, 0.37, 0.18, 0.1])
    least = 1.2 if wide else LEAST
    if sky < 1.5 * least * noise and kind != 'lost':
        kind = 'below'
    if kind == 'lost':  # the lowest number that there is
        draft.response[where] = 0
        draft.offset[where] = LOST
    elif kind == 'below':
        depth = log_uniform(rng, least, 60) * rng.uniform(0.8, 1.2, number)
        draft.offset[where] -= (np.maximum(depth, least) * noise).astype(np.float32)
        draft.response[where] *= np.float32(rng.choice([0.0, 0.3, 1.0]))
    else:
        most = 1 - least * noise / sky
        low = rng.uniform(0, max(most, 0)) if wide or kind == 'weak' else 0.0
        high = most if kind == 'weak' and not wide else low
        response = rng.uniform(low, max(high, low), number)
        response = np.zeros(number) if kind == 'dead' else response
        draft.response[where] *= response.astype(np.float32)
    return where


def add_bad_pixels(draft: Draft) -> None:
    """
    Add pixels that see little light, none, or lie below the sky; single and in groups.

    They are below the sky by 5 times its noise at least, and all true.
    """
    rng = draft.rng
    number = _counts(draft, 3, 200)
    bad = np.zeros(draft.shape, bool)
    if draft.real and not draft.judged and draft.instrument.kind.detector == 'ir':
        dead = real.ir_defects(rng, draft.shape)
        if dead is not None and rng.random() < 0.4:
            bad |= dead
    rows, columns = _places(draft, number)
    bad[rows, columns] = True
    grid_y, grid_x = draft.grid()
    for y, x in zip(*_places(draft, int(rng.choice([0, 1, 2, 8]))), strict=True):
        h, w = rng.integers(1, 6, 2)
        bad[y : y + h, x : x + w] |= (
            rng.random((h, w))[: draft.shape[0] - y, : draft.shape[1] - x] < 0.8
        )
    if rng.random() < 0.06:
        (y,), (x,) = _places(draft, 1)
        bad |= np.hypot(grid_y - y, grid_x - x) < log_uniform(rng, 3, 15)
    kinds = rng.random(draft.shape) < rng.choice([0, 0.3, 1])
    for part in (bad & kinds, bad & ~kinds):
        if part.any():
            draft.mark('bad_pixel', _spoil(draft, part))


def _span(rng: np.random.Generator, n: int) -> slice:
    """Return how far a line runs: all of it, from an end, or a piece."""
    fate = rng.random()
    if fate < 0.45:
        return slice(0, n)
    at = int(rng.integers(int(0.05 * n), int(0.95 * n)))
    if fate < 0.65:
        return slice(at, n)
    if fate < 0.8:
        return slice(0, at)
    return slice(at, min(at + int(log_uniform(rng, 12, n)), n))


def add_lines(draft: Draft, name: str) -> None:
    """
    Add hot columns, bad columns or bad rows: whole ones, pieces, several wide.

    Hot columns lie above their neighbours, bad ones see little or nothing or lie below,
    bad rows either. They are off by the noise of the empty sky at least, and true all
    along; some fainter ones, of 0.3 times the noise on, nobody can tell.

    Parameters
    ----------
    draft : `Draft`
        Changed.
    name : str
        'hot_column', 'bad_column' or 'bad_row'.
    """
    rng, noise = draft.rng, draft.noise
    along, many = draft.shape if name != 'bad_row' else draft.shape[::-1]
    for _ in range(int(rng.choice([1, 1, 2, 3, 5, 8]))):
        first = int(rng.integers(many))
        width = int(rng.choice([1, 1, 1, 1, 2, 3, 5]))
        here = np.zeros(draft.shape, bool)
        view = here if name != 'bad_row' else here.T
        span = _span(rng, along)
        view[span, first : first + width] = True
        if name == 'hot_column' or (name == 'bad_row' and rng.random() < 0.35):
            _brighten(draft, name, here)
        elif rng.random() < 0.12:  # neither: each pixel as it likes
            number = int(here.sum())
            draft.offset[here] += (
                log_uniform(rng, 2.5, 30) * noise * rng.normal(0, 1, number)
            ).astype(np.float32)
            draft.mark(name, here)
        else:
            draft.mark(name, _spoil(draft, here, wide=True))


def _brighten(draft: Draft, name: str, here: np.ndarray) -> None:
    """Add charge along a line, even, fading or rough."""
    rng, noise = draft.rng, draft.noise
    number = int(here.sum())
    strength = log_uniform(rng, 0.4 if rng.random() < 0.2 else 1.0, 80)
    shape = np.ones(number)
    fate = rng.random()
    if fate < 0.2:
        shape = np.linspace(1, rng.uniform(0.2, 1), number)
    elif fate < 0.4:
        shape = np.clip(rng.normal(1, rng.uniform(0.05, 0.4), number), 0.3, None)
    draft.charge.setdefault(name, np.zeros(draft.shape, np.float32))
    draft.charge[name][here] += (strength * noise * shape).astype(np.float32)
    if strength >= 1:
        draft.mark(name, here)
    else:
        draft.mark(name, np.zeros_like(here), here)


def add_real_defects(draft: Draft, wanted: set[str]) -> None:
    """
    Add defects where a real detector has them; whether hot or dead is drawn.

    Boxes ten times as high as wide are columns, as wide as high rows, others pixels.

    Parameters
    ----------
    draft : `Draft`
        Changed.
    wanted : set of str
        Classes that the image may have.
    """
    rng = draft.rng
    boxes = real.defect_boxes(rng, draft.shape, judged=draft.judged)
    if boxes is None:
        return
    hot = rng.random()
    for x, y, w, h in boxes[:60]:
        here = np.zeros(draft.shape, bool)
        here[y : y + h, x : x + w] = True
        if min(w, h) > 8:  # a glowing edge, or a lost amplifier
            continue
        bright = rng.random() < hot
        if h >= 10 * w:
            name = 'hot_column' if bright else 'bad_column'
        elif w >= 10 * h:
            name = 'bad_row'
        else:
            name = 'hot_pixel' if bright and w * h < 3 else 'bad_pixel'
        if name not in wanted:
            continue
        if name == 'hot_column' or (name == 'bad_row' and bright):
            _brighten(draft, name, here)
        elif name == 'hot_pixel':
            draft.charge.setdefault(name, np.zeros(draft.shape, np.float32))
            draft.charge[name][here] += np.float32(
                log_uniform(rng, 4, 300) * draft.noise
            )
        else:
            draft.mark(name, _spoil(draft, here, wide=w * h > 12))
