"""What electronics and archives add to a readout, and a night's instrument keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from astrosieve_training.simulate.spectra.chance import log_uniform

__all__ = ['UNITS', 'Quirks', 'draw_quirks']

UNITS = ('adu', 'electron', 'electron/s')
_CHIPS = ((1, 2), (2, 1), (1, 3), (3, 1), (2, 2))


@dataclass(frozen=True)
class Quirks:
    """
    Traits of a readout that many detectors have and none has all of.

    Attributes
    ----------
    line_start, frame_start : (float, float)
        ADU by which the first pixel of each line, and the first line, lies off, and
        over how many pixels that decays.
    ramp : (float, float)
        ADU by which the bias rises over an amplifier, along y and x.
    trail : (float, float)
        Share of the charge that comes late, and over how many rows.
    crosstalk : float
        Share of an amplifier's signal that the others show, mirrored.
    dead_amplifier : bool
        Whether the last amplifier shows nothing.
    border : (int, float)
        Pixels around the frame that hold no data, at most a twelfth of its side, and
        what stands there.
    gap : (int, float)
        Pixels between chips pasted side by side, at most a twelfth of a side, and
        what stands there.
    chips : (int, int)
        How many of them along y and x.
    unit : str
        One of ``UNITS``: what archives make of ADU.
    """

    line_start: tuple[float, float] = (0.0, 1.0)
    frame_start: tuple[float, float] = (0.0, 1.0)
    ramp: tuple[float, float] = (0.0, 0.0)
    trail: tuple[float, float] = (0.0, 1.0)
    crosstalk: float = 0.0
    dead_amplifier: bool = False
    border: tuple[int, float] = (0, 0.0)
    gap: tuple[int, float] = (0, 0.0)
    chips: tuple[int, int] = (1, 2)
    unit: str = 'adu'

    def pattern(self, shape: tuple[int, int]) -> np.ndarray:
        """Return transients and ramps, ADU; the readout starts at [0, 0]."""
        y, x = (np.arange(n, dtype=np.float32) for n in shape)
        row = self.frame_start[0] * np.exp(-y / self.frame_start[1])
        row += self.ramp[0] * y / shape[0]
        column = self.line_start[0] * np.exp(-x / self.line_start[1])
        column += self.ramp[1] * x / shape[1]
        return (row[:, None] + column[None, :]).astype(np.float32)

    def late(self, electrons: np.ndarray) -> np.ndarray:
        """Return charge, some of it moved to the rows that are read afterwards."""
        share, length = self.trail
        if not share:
            return electrons
        keep = np.exp(-1 / length)
        moved = lfilter([1 - keep], [1, -keep], electrons, axis=0)
        return ((1 - share) * electrons + share * moved).astype(np.float32)

    def mixed(self, electrons: np.ndarray, amplifiers: tuple[int, int]) -> np.ndarray:
        """Return charge with what crosses over from the other amplifiers."""
        if not self.crosstalk:
            return electrons
        out = electrons.copy()
        for axis in (0, 1):
            if amplifiers[axis] == 2:
                out += np.float32(self.crosstalk) * np.flip(electrons, axis)
        return out

    def archived(self, data: np.ndarray) -> np.ndarray:
        """Return data with border and gap; NaN stands only in real numbers."""
        width, value = self.border
        width = min(width, min(data.shape) // 12)
        if width:
            for edge in (
                np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:],
            ):  # fmt: skip
                data[edge] = value
        width, value = self.gap
        width = min(width, min(data.shape) // 12)
        for lines, number in zip((data, data.T), self.chips, strict=True):
            for chip in range(1, number):
                first = len(lines) * chip // number - width // 2
                lines[first : first + width] = value
        return data


def _transient(rng: np.random.Generator, noise: float) -> tuple[float, float]:
    height = noise * log_uniform(rng, 1, 300) * (1 if rng.random() < 0.75 else -0.3)
    return height, log_uniform(rng, 1.5, 60)


def draw_quirks(
    rng: np.random.Generator, noise: float, *, real_numbers: bool, subtracted: bool
) -> Quirks:
    """
    Draw the traits of a detector.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws them.
    noise : float
        Read noise, ADU.
    real_numbers : bool
        Whether files hold real numbers.
    subtracted : bool
        Whether the pedestal is taken off; then units other than ADU occur.
    """
    empty = [0.0, 0.0, 65535.0] + 3 * [float('nan')] * real_numbers
    unit = 'adu'
    if subtracted and rng.random() < 0.5:
        unit = str(rng.choice(UNITS[1:]))
    none = Quirks()
    return Quirks(
        line_start=_transient(rng, noise) if rng.random() < 0.3 else none.line_start,
        frame_start=_transient(rng, noise) if rng.random() < 0.15 else none.frame_start,
        ramp=(
            noise * rng.normal(0, 1) * log_uniform(rng, 0.05, 12),
            noise * rng.normal(0, 1) * log_uniform(rng, 0.05, 12),
        )
        if rng.random() < 0.4
        else none.ramp,
        trail=(log_uniform(rng, 1e-3, 0.05), log_uniform(rng, 2, 30))
        if rng.random() < 0.12
        else none.trail,
        crosstalk=log_uniform(rng, 1e-4, 3e-3) if rng.random() < 0.2 else 0.0,
        dead_amplifier=bool(rng.random() < 0.05),
        border=(int(rng.integers(1, 25)), float(rng.choice(empty)))
        if rng.random() < 0.12
        else none.border,
        gap=(int(rng.integers(3, 60)), float(rng.choice(empty)))
        if rng.random() < 0.12
        else none.gap,
        chips=_CHIPS[rng.integers(len(_CHIPS))],
        unit=unit,
    )
