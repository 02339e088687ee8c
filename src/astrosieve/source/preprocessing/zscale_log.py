"""The published normalisation of WFC3 ISR 2024-14."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve.images.background import BackgroundMesh
from astrosieve.images.pixels import sample_pixels
from astrosieve.models.inputs import Batch
from astrosieve.source.preprocessing._base import FittedPreprocessing, cut_out

__all__ = ['ZScaleLog']


class ZScaleLog:
    """
    The published normalisation, made independent of the sky's level.

    The report (WFC3 ISR 2024-14) clamps an exposure to ``(z1, 100 z2)``, z1
    and z2 being its ZScale limits, takes the logarithm and scales to [0, 1].
    That needs z1 > 0, which a sky-subtracted or faint exposure does not give,
    and it depends on the level of the sky. Here the pixels are measured from
    z1 in units of the ZScale range:

        y = log(1 + clip((v - z1) / (z2 - z1), 0, 100)) / log(101)

    Adding a constant or multiplying by a factor changes nothing. The limits
    come from an even sample of the exposure's usable pixels. Pixels that are
    not usable take the value of the sky (the sample's median).

    Parameters
    ----------
    size : int, optional
        Side of the cutouts, pixels.
    n_samples : int, optional
        Pixels that ZScale looks at.
    max_spoilt : float, optional
        Largest share of the cutout's pixels that may be unusable.
    """

    name = 'zscale-log-1'
    needs_fwhm = False
    apparent = False

    def __init__(
        self, size: int = 11, *, n_samples: int = 20_000, max_spoilt: float = 0.25
    ) -> None:
        self.size = size
        self.shapes: dict[str, tuple[int, ...]] = {'cutouts': (1, size, size)}
        self.n_samples = n_samples
        self.max_spoilt = max_spoilt
        self.scales = {'cutouts': 1}
        self.meanings = {'cutouts': 'pixels about the detection, scaled to [0, 1]'}

    def fit(
        self,
        sci: np.ndarray,
        *,
        spoilt: np.ndarray | None = None,
        fwhm: float | None = None,
        mesh: BackgroundMesh | None = None,
    ) -> FittedPreprocessing:
        """
        Find the limits of an image.

        Parameters
        ----------
        sci : 2D `~numpy.ndarray`
            Image in any linear unit, with or without its sky.
        spoilt : 2D uint8 `~numpy.ndarray`, optional
            As from `~astrosieve.images.pixels.spoilt_pixels`.
        fwhm, mesh : optional
            Not used.

        Returns
        -------
        fitted : callable
            Takes (N, 2) positions, returns a `Batch` whose input 'cutouts' is
            (N, 1, size, size) float32 in [0, 1].
        """
        sample = sample_pixels(sci, self.n_samples, spoilt=spoilt)
        low, span = _zscale(sample)
        sky = float(np.median(sample)) if sample.size else 0.0
        return _FittedZScaleLog(self, sci, spoilt, low=low, span=span, sky=sky)


def _zscale(sample: np.ndarray) -> tuple[float, float]:
    """Return the lower ZScale limit and the range, 0 where there is no contrast."""
    from astropy.visualization.interval import ZScaleInterval

    if sample.size < 2:
        return 0.0, 0.0
    # About the median: a large pedestal would cost the line fit its precision.
    level = np.median(sample)
    rest = sample - level
    low, high = ZScaleInterval(n_samples=rest.size).get_limits(rest)
    if not high > low:  # most pixels share one value, as in an image without noise
        low, high = rest.min(), rest.min() + (rest.max() - rest.min()) / 100
    return float(level + low), float(high - low)


@dataclass(frozen=True)
class _FittedZScaleLog:
    """`ZScaleLog` with the limits of one image."""

    settings: ZScaleLog
    sci: np.ndarray
    spoilt: np.ndarray | None
    low: float
    span: float
    sky: float

    @property
    def fill(self) -> dict[str, float]:
        """Value of a pixel that shows nothing but sky, by name of the input."""
        sky = np.full((1, 1), self.sky, dtype=np.float32)
        return {'cutouts': float(self._scaled(sky)[0, 0])}

    def _scaled(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels on the network's scale; the array is changed."""
        pixels -= np.float32(self.low)
        pixels *= np.float32(1 / self.span if self.span > 0 else 0)
        np.clip(pixels, 0, 100, out=pixels)
        np.log1p(pixels, out=pixels)
        pixels *= np.float32(1 / np.log(101))
        return pixels

    def told(self, fwhm: float | None) -> _FittedZScaleLog:
        """Return the same: the width of the PSF is not looked at."""
        return self

    def __call__(self, xy: np.ndarray) -> Batch:
        settings = self.settings
        cut = cut_out(
            self.sci,
            self.spoilt,
            xy,
            settings.size,
            max_spoilt=settings.max_spoilt,
            contrast=self.span > 0,
        )
        pixels = cut.pixels
        pixels[np.isnan(pixels)] = self.sky
        return Batch({'cutouts': self._scaled(pixels)[:, None]}, cut.flags, cut.valid)
