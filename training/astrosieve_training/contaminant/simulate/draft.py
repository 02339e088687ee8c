"""An image in the making, and the rule by which its truth is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import convolve

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.contaminant.simulate.instruments import Instrument
from astrosieve_training.contaminant.simulate.profiles import StarProfile

__all__ = ['LOST', 'Draft', 'Star']

LOST = -1e6
"""Offset of pixels that hold the lowest number there is, whatever falls on them."""


@dataclass(frozen=True)
class Star:
    """A star: place of its centre, pixels, 0-based, and its electrons."""

    x: float
    y: float
    flux: float


@dataclass
class Draft:
    """
    An image in the making.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    shape : (int, int)
        Pixels, (ny, nx).
    instrument : `Instrument`
        That makes it.
    profile : `StarProfile`
        Of its stars.
    light : dict of str to 2D float32 `~numpy.ndarray`
        Electrons by class, 'sky' besides, that came through the optics.
    charge : dict of str to 2D float32 `~numpy.ndarray`
        Electrons by class that arose in the detector.
    response : 2D float32 `~numpy.ndarray`
        What the detector makes of the light.
    offset : 2D float32 `~numpy.ndarray`
        Electrons that the readout adds, without noise of their own.
    stars : list of `Star`
        The bright ones.
    sown : list of `Star`
        All of them.
    truth, unsure : dict of str to 2D bool `~numpy.ndarray`
        Pixels of a class, and pixels that nobody can tell.
    """

    rng: np.random.Generator
    shape: tuple[int, int]
    instrument: Instrument
    profile: StarProfile
    light: dict[str, np.ndarray] = field(default_factory=dict)
    charge: dict[str, np.ndarray] = field(default_factory=dict)
    stars: list[Star] = field(default_factory=list)
    sown: list[Star] = field(default_factory=list)
    truth: dict[str, np.ndarray] = field(default_factory=dict)
    unsure: dict[str, np.ndarray] = field(default_factory=dict)
    real: bool = True
    judged: bool = False

    def __post_init__(self) -> None:
        self.response = np.ones(self.shape, np.float32)
        self.offset = np.zeros(self.shape, np.float32)

    @property
    def noise(self) -> float:
        """Standard deviation of a pixel of empty sky, electrons."""
        return self.instrument.noise

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows (ny, 1) and columns (1, nx), float32."""
        ny, nx = self.shape
        return (
            np.arange(ny, dtype=np.float32)[:, None],
            np.arange(nx, dtype=np.float32)[None],
        )

    def turned(
        self, x: float, y: float, turn: float, ratio: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return places from a middle, along axes that are turned; one is shortened."""
        rows, columns = self.grid()
        dx, dy = columns - np.float32(x), rows - np.float32(y)
        u = dx * np.cos(turn) + dy * np.sin(turn)
        v = (dy * np.cos(turn) - dx * np.sin(turn)) / ratio
        return u, v

    def add_light(self, name: str, electrons: np.ndarray) -> None:
        """Add light of a class."""
        self.light[name] = self.light.get(name, np.float32(0)) + electrons

    def add_charge(self, name: str, electrons: np.ndarray) -> None:
        """Add charge of a class."""
        self.charge[name] = self.charge.get(name, np.float32(0)) + electrons

    def coupled(self, charge: np.ndarray) -> np.ndarray:
        """Return charge as it is read: of IR arrays a little by the neighbours."""
        share = self.instrument.coupling
        if not share:
            return charge
        cross = np.array([[0, share, 0], [share, 1 - 4 * share, share], [0, share, 0]])
        return np.asarray(convolve(charge, cross.astype(np.float32)))

    def mark(
        self, name: str, truth: np.ndarray, unsure: np.ndarray | None = None
    ) -> None:
        """Say which pixels are of a class, and which nobody can tell."""
        for marks, new in ((self.truth, truth), (self.unsure, unsure)):
            if new is not None:
                marks[name] = marks[name] | new if name in marks else new.copy()

    def mark_excess(
        self, name: str, excess: np.ndarray, noise: np.ndarray, clear: float,
        faint: float,
    ) -> None:  # fmt: skip
        """
        Mark by strength: true above ``clear`` times the noise, unsure above ``faint``.

        Parameters
        ----------
        name : str
            The class.
        excess : 2D `~numpy.ndarray`
            Electrons that it brought.
        noise : 2D `~numpy.ndarray`
            Standard deviation of each pixel, electrons.
        clear, faint : float
            In units of the noise.
        """
        ratio = excess / noise
        self.mark(name, ratio > clear, (ratio > faint) & (ratio <= clear))

    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the truth and what is unsure, (C, ny, nx), in the order of the classes.

        What is unsure is never true.
        """
        none = np.zeros(self.shape, bool)
        truth = np.stack([self.truth.get(name, none) for name in CLASSES.names])
        unsure = np.stack([self.unsure.get(name, none) for name in CLASSES.names])
        return truth, unsure & ~truth
