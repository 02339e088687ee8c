"""A quick PSF of the ground: Moffat, elongated, with coma, changing over the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['SeeingPSF', 'spikes']

_RADII = (6, 12, 24, 56)  # pixels, half of a cutout's side


@dataclass(frozen=True)
class SeeingPSF:
    """
    What a star looks like.

    Parameters
    ----------
    fwhm, beta : float
        Of the Moffat profile, pixels.
    ellipticity : tuple of float
        Its two components.
    coma : tuple of float
        Pixels by which a sixth of the light is moved.
    gradient : tuple of float
        How much wider it gets, of its width, from one side of the field to the other.
    """

    fwhm: float
    beta: float
    ellipticity: tuple[float, float] = (0.0, 0.0)
    coma: tuple[float, float] = (0.0, 0.0)
    gradient: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def drawn(
        cls, fwhm: float, elongation: float, quality: float, rng: np.random.Generator
    ) -> SeeingPSF:
        """Draw the rest for a seeing."""
        return cls(
            fwhm,
            rng.uniform(2.6, 4.5),
            tuple(rng.normal(0, elongation, 2).clip(-0.4, 0.4)),
            tuple(rng.normal(0, 0.08 * fwhm, 2)),
            tuple(rng.normal(0, 0.03 * quality, 2)),
        )

    def values(
        self, dx: np.ndarray, dy: np.ndarray, scale: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Return the share of light per square pixel at offsets from the star."""
        e1, e2 = self.ellipticity
        det = 1 - e1**2 - e2**2
        alpha = self.fwhm * scale / (2 * np.sqrt(2 ** (1 / self.beta) - 1))
        norm = (self.beta - 1) / (np.pi * alpha**2)

        def moffat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            r2 = ((1 - e1) * x**2 + (1 + e1) * y**2 - 2 * e2 * x * y) / np.sqrt(det)
            return np.exp(np.float32(-self.beta) * np.log1p(r2 / alpha**2))

        if self.coma == (0.0, 0.0):
            return norm * moffat(dx, dy)
        main = moffat(dx, dy)
        return norm * (5 * main + moffat(dx - self.coma[0], dy - self.coma[1])) / 6

    def image(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the mean PSF around pixel (0, 0), as FFTs take kernels."""
        image = np.zeros(shape, np.float32)
        y, x = np.array([shape[0] // 2.0]), np.array([shape[1] // 2.0])
        self.add(image, x, y, np.ones(1), 1e-7, steady=True)
        image = np.roll(image, (-(shape[0] // 2), -(shape[1] // 2)), (0, 1))
        return image / image.sum()

    def add(
        self,
        image: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        flux: np.ndarray,
        level: float,
        *,
        steady: bool = False,
    ) -> None:
        """
        Add stars.

        Parameters
        ----------
        image : 2D float32 `~numpy.ndarray`
            Electrons; changed.
        x, y, flux : (N,) `~numpy.ndarray`
            Pixels, and electrons, of either sign.
        level : float
            Electrons per pixel below which wings are cut.
        steady : bool, optional
            Whether the PSF is that of the middle everywhere.
        """
        alpha = self.fwhm / (2 * np.sqrt(2 ** (1 / self.beta) - 1))
        peak = np.abs(flux) * (self.beta - 1) / (np.pi * alpha**2)
        reach = alpha * np.sqrt(np.maximum(peak / level, 1) ** (1 / self.beta) - 1)
        group = np.searchsorted(_RADII[:-1], reach)
        fine = 4 if self.fwhm < 2.2 else 3 if self.fwhm < 3.5 else 2
        for number, radius in enumerate(_RADII):
            rows = np.flatnonzero(group == number)
            step = max(1, 2_000_000 // ((2 * radius + 1) * fine) ** 2)
            for first in range(0, len(rows), step):
                some = rows[first : first + step]
                self._add(image, x[some], y[some], flux[some], radius, fine, steady)

    def _add(
        self,
        image: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        flux: np.ndarray,
        radius: int,
        fine: int,
        steady: bool,
    ) -> None:
        ny, nx = image.shape
        side = 2 * radius + 1
        column, row = np.rint(x).astype(int), np.rint(y).astype(int)
        inner = (np.arange(side * fine) + 0.5) / fine - 0.5 - radius
        dx = (inner - (x - column)[:, None]).astype(np.float32)[:, None, :]
        dy = (inner - (y - row)[:, None]).astype(np.float32)[:, :, None]
        across, along = self.gradient
        width = 1 + across * (x / nx - 0.5) + along * (y / ny - 0.5)
        scale = 1.0 if steady else width.astype(np.float32)[:, None, None]
        values = self.values(dx, dy, scale)
        cells = values.reshape(len(x), side, fine, side, fine).mean((2, 4))
        cells *= flux.astype(np.float32)[:, None, None]
        for cell, c, r in zip(cells, column - radius, row - radius, strict=True):
            left, low = max(-c, 0), max(-r, 0)
            right, high = min(nx - c, side), min(ny - r, side)
            if left < right and low < high:
                image[r + low : r + high, c + left : c + right] += cell[
                    low:high, left:right
                ]


def spikes(
    shape: tuple[int, int],
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    *,
    angle: float,
    arms: int,
    share: float,
    level: float,
) -> np.ndarray:
    """
    Return diffraction spikes and haloes of bright stars.

    Parameters
    ----------
    shape : tuple of int
        Of the image.
    x, y, flux : (N,) `~numpy.ndarray`
        The stars.
    angle : float
        Of the first spike, radians.
    arms : int
        How many spikes, 4 or 6.
    share : float
        Of the light in them; as much is in the halo.
    level : float
        Electrons per pixel at which they end.
    """
    image = np.zeros(shape, np.float32)
    for x0, y0, light in zip(x, y, flux, strict=True):
        radius = int(np.clip(share * light / (8 * level), 6, 150))
        low, left = max(int(y0) - radius, 0), max(int(x0) - radius, 0)
        high = min(int(y0) + radius + 1, shape[0])
        right = min(int(x0) + radius + 1, shape[1])
        if low >= high or left >= right:
            continue
        gy, gx = np.ogrid[low:high, left:right]
        dx, dy = (gx - x0).astype(np.float32), (gy - y0).astype(np.float32)
        r2 = dx**2 + dy**2 + 4
        found = 0.05 / r2**1.2
        for arm in range(arms // 2):
            turn = angle + np.pi * arm / (arms // 2)
            off = dx * np.sin(turn) - dy * np.cos(turn)
            found = found + np.exp(-(off**2) / 1.3) / (2 * arms * radius * np.sqrt(r2))
        found *= share * light * (r2 < radius**2)
        image[low:high, left:right] += found
    return image
