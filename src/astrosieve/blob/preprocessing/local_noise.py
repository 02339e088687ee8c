"""A difference image in units of its local noise."""

from __future__ import annotations

import numpy as np

from astrosieve.blob.preprocessing._base import Prepared
from astrosieve.images.background import measure_mesh

__all__ = ['LocalNoise']

_LARGEST = 1e6  # standard deviations


class LocalNoise:
    """
    Signal over noise, straight and as arcsinh, and which pixels are usable.

    Level and noise are medians of 3x3 cells of 32 pixels, so that a blob changes
    neither; between cells they are interpolated. Neither an offset nor a scale of the
    image changes what the network sees.
    """

    name = 'difference-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'image': (3, 256, 256)}
        self.meanings = {
            'image': 'difference without the local level over the local noise: clipped '
            'at 12 and over 4; arcsinh of a half, over 4; whether the pixel is usable. '
            'Rows and columns may be any multiple of 16'
        }

    def prepare(self, sci: np.ndarray, spoilt: np.ndarray | None) -> Prepared:
        """
        Return an image in units of its noise.

        Parameters
        ----------
        sci : (ny, nx) float32 `~numpy.ndarray`
            Difference.
        spoilt : (ny, nx) `~numpy.ndarray` or None
            Pixels that are not zero here are not usable.

        Returns
        -------
        prepared : `~astrosieve.blob.preprocessing.Prepared`
            The noise is zero where the image has none at all.
        """
        mesh = measure_mesh(sci, spoilt=spoilt).smoothed()
        level, noise = mesh.over(*(slice(0, n) for n in sci.shape))
        with np.errstate(all='ignore'):
            signal = sci - level
            signal /= noise
        np.clip(signal, -_LARGEST, _LARGEST, out=signal)
        if spoilt is not None:
            signal[spoilt != 0] = np.nan
        return Prepared(signal, mesh)

    def __call__(self, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Return the planes of windows, (n, 3, ny, nx)."""
        n, ny, nx = signal.shape
        image = np.empty((n, 3, ny, nx), dtype=np.float32)
        usable = np.isfinite(signal)
        known = signal if usable.all() else np.where(usable, signal, 0)
        np.clip(known, -12, 12, out=image[:, 0])
        image[:, 0] /= 4
        np.arcsinh(known / 2, out=image[:, 1])
        image[:, 1] /= 4
        image[:, 2] = usable
        return {'image': image}
