"""Where slits, orders and fibres lie, drawn at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astrosieve_training.simulate.spectra.chance import log_uniform
from astrosieve_training.simulate.spectra.spectrographs import Slit

__all__ = ['band', 'barred', 'echelle', 'fibres', 'long_slit', 'multi_slit']


def long_slit(
    rng: np.random.Generator, n: int, nd: int, wave: tuple[float, ...]
) -> tuple[Slit, ...]:
    """Return a long slit, or the parts of one with bars."""
    half = 0.7 * n if rng.random() < 0.45 else rng.uniform(0.25, 0.49) * n
    if rng.random() < 0.2:  # a short decker
        half = max(log_uniform(rng, 0.02, 0.25) * n, 6.0)
    room = max(0.5 * n - half, 0)
    tilt, curve = rng.normal(0, 0.012), rng.normal(0, 5.0 / n**2)
    bend = (rng.normal(0, 0.003 * nd), rng.normal(0, 0.0012 * nd))
    straight = rng.random()
    if straight < 0.3:
        tilt, curve, bend = tilt / 6, 0.0, (bend[0] / 4, 0.0)
    elif straight > 0.9:
        tilt, bend = 6 * tilt, (6 * bend[0], 3 * bend[1])
    centre = 0.5 * n + rng.uniform(-room, room)
    slit = Slit(centre, half, bend, wave, tilt, curve)
    return barred(rng, slit, n) if rng.random() < 0.12 else (slit,)


def barred(rng: np.random.Generator, slit: Slit, n: int) -> tuple[Slit, ...]:
    """Return what bars across a slit leave of it, two parts or three."""
    parts, half = int(rng.choice([2, 2, 3])), min(slit.half, 0.5 * n)
    pitch = 2 * half / parts
    left = max(pitch - rng.uniform(4, 24), 0.6 * pitch) / 2
    away = (np.arange(parts) - (parts - 1) / 2) * pitch
    return tuple(
        replace(
            slit, centre=slit.centre + d, half=left,
            tilt=slit.tilt + 2 * slit.curve * d,
            shift=slit.tilt * d + slit.curve * d**2,
        )
        for d in away.tolist()
    )  # fmt: skip


def multi_slit(
    rng: np.random.Generator, n: int, nd: int, wave: tuple[float, ...]
) -> tuple[Slit, ...]:
    """Return the slits of a mask, each with its spectrum at its own place."""
    slits = []
    typical = log_uniform(rng, 0.015, 0.1) * n
    row = rng.uniform(0, 0.1) * n
    bend2, curve = rng.normal(0, 0.006 * nd), rng.normal(0, 4.0 / n**2)
    spread = rng.uniform(0.02, 0.22) * nd
    while row < 0.97 * n:
        half = max(typical * rng.uniform(0.4, 1.5) / 2, 4)
        v = (row + half) / n - 0.5
        slits.append(
            Slit(
                row + half, half, (rng.normal(0, 1), 2 * v * bend2), wave,
                rng.normal(0, 0.01) if rng.random() < 0.8 else rng.uniform(-0.5, 0.5),
                0.0, float(rng.uniform(-1, 1) * spread + curve * (v * n) ** 2),
                float(rng.uniform(0.85, 1.1)),
            )
        )  # fmt: skip
        row += 2 * half + rng.uniform(1, 8) + (rng.random() < 0.1) * typical
    return tuple(slits)


def echelle(
    rng: np.random.Generator, n: int, ends: tuple[float, float]
) -> tuple[Slit, ...]:
    """Return orders across n rows, as many as the wavelengths ask for."""
    low, high = ends
    first = int(rng.integers(3, 12) if rng.random() < 0.3 else rng.integers(25, 70))
    constant = high * first
    orders = np.arange(first, min(int(constant / low) + 1, first + 70))
    place = (1 / orders) ** rng.uniform(-0.5, 1.5) if rng.random() < 0.5 else 1 / orders
    place = (place - place.min()) / max(np.ptp(place), 1e-9)
    if rng.random() < 0.5:
        place = 1 - place
    row = n * (rng.uniform(0.03, 0.12) + rng.uniform(0.75, 0.9) * place)
    if len(row) == 1:
        row = np.array([0.5 * n])
    gap = np.abs(np.gradient(row)) if len(row) > 1 else np.array([0.5 * n])
    fill = rng.uniform(0.1, 0.42)
    # The detector in free ranges.
    wide = rng.uniform(0.75, 1.7) if rng.random() < 0.7 else rng.uniform(1.7, 2.6)
    arched = 0.06 if rng.random() < 0.7 else 0.2
    bend = rng.normal(0, 0.02) * n, rng.uniform(-arched, arched) * n
    half = max(min(fill * float(np.median(gap)), 0.47 * gap.min()), 2.0)
    slant, tilt = rng.normal(0, 0.03) * n, rng.normal(0, 0.12)
    slits = []
    for m, y in zip(orders, row, strict=True):
        centre = constant / m
        free = centre / m
        s = wide * free / 2
        wave = (centre, s, -0.02 * s)
        arch = bend[1] * (0.8 + 0.4 * (y / n))
        slits.append(
            Slit(y, half, (bend[0] + slant * (y / n - 0.5), arch), wave, tilt,
                 blaze=(centre, free))
        )  # fmt: skip
    return tuple(slits)


def fibres(
    rng: np.random.Generator, n: int, nd: int, wave: tuple[float, ...]
) -> tuple[Slit, ...]:
    """Return a row of fibres, some of them broken."""
    pitch = rng.uniform(3.2, 11) if rng.random() < 0.7 else rng.uniform(11, 40)
    pitch = max(pitch, n / 500)
    group = int(rng.integers(8, 50))
    gap = rng.uniform(0, 3 if rng.random() < 0.7 else 12) * pitch
    bow, curve = rng.normal(0, 0.006) * nd, rng.normal(0, 10.0) / n**2
    if rng.random() < 0.3:  # lines that smile
        curve = rng.normal(0, 0.15) * nd / n**2
    half = min(rng.uniform(1.0, 1.9), pitch / 3.0)
    row, slits, k = rng.uniform(0.01, 0.06) * n, [], 0
    while row < n * 0.98:
        v = row / n - 0.5
        if rng.random() > 0.015:
            slits.append(
                Slit(row, half, (0.0, 2 * v * bow), wave, 0.0, 0.0,
                     float(curve * (v * n) ** 2 + rng.normal(0, 0.4)),
                     float(np.clip(rng.normal(0.85, 0.12), 0.2, 1.2)))
            )  # fmt: skip
        k += 1
        row += pitch + (gap if k % group == 0 else 0)
    return tuple(slits)


def band(
    rng: np.random.Generator, family: str, infrared: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the filters' band, and the wavelengths at the ends of the detector."""
    if family == 'echelle':
        low = rng.uniform(9500, 14000) if infrared else rng.uniform(3300, 6000)
        high = rng.uniform(16000, 24500) if infrared else rng.uniform(low + 900, 10300)
        return (low, high), (low, high)
    if infrared:
        low = rng.choice([9700, 11500, 14800, 19700, 9700])
        high = low * rng.choice([1.15, 1.25, 1.8])
        high = min(high, 24500)
        return (low, high), (low - 150, high + 150)
    span = log_uniform(rng, 450, 7000)
    share = rng.uniform(0.3, 0.5) * span  # detectors go on where there is no light
    middle = rng.uniform(3500 + share, max(10400 - share, 3600 + share))
    start, end = middle - span / 2, middle + span / 2
    low, high = start - 200, end + 400
    if rng.random() < 0.4:
        low = start + rng.uniform(0, 0.35) * span
    if rng.random() < 0.25:
        high = end - rng.uniform(0, 0.3) * span
    return (low, high), (start, end)
