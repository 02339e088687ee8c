"""Pixels over their local level, in units of the noise of a pixel."""

from __future__ import annotations

import numpy as np

from astrosieve.contaminant.preprocessing._base import Box, Levels
from astrosieve.images.background import BackgroundMesh, measure_mesh, measure_noise
from astrosieve.images.measured import MeasuredImage

__all__ = ['Contrast']

_LARGEST = 1e6  # standard deviations; more are all alike
_BRIGHT = 32.0  # standard deviations, up to which the second plane is linear
_COMPRESSED = 3.0  # what arcsinhs are divided by
_LOWEST = 100.0  # standard deviations above the sky: no ceiling is below
_ABOVE = 3, 1e-6  # pixels above the ceiling: that many, and a share of all
_ROWS = 256  # of the image that are ranked at once


class Contrast:
    """
    An image's contrast, at the noise and at the brightest, and its level.

    A network sees five planes:

    0. arcsinh of the pixel over the local level, in units of the local noise, over 3;
    1. the same of a 32nd, so that bright pixels keep their differences;
    2. arcsinh of the local level over the sky of the image, in units of its noise,
       over 3;
    3. the pixel over the sky, as a fraction of the image's ceiling: 0 at the sky, 1
       where the histogram ends, which is a hundred times the noise or more; clipped
       at -0.5 and 1.5;
    4. whether the pixel is usable.

    The level is the median of 3x3 cells of 32 pixels, the noise that of differences of
    neighbours, so that sources raise it little. What is not usable is filled with the
    local level. Neither an offset nor a scale of the image changes what the network
    sees, and of unit, gain and camera it is told nothing.
    """

    name = 'contrast-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'image': (5, 256, 256)}
        self.meanings = {
            'image': 'arcsinh of the pixel over the local level in units of the local '
            'noise, over 3; the same of a 32nd; arcsinh of the local level over the '
            'sky in units of the noise, over 3; fraction of the level of the brightest '
            'pixels; whether the pixel is usable. Rows and columns may be any multiple '
            'of 32'
        }

    def levels(self, image: MeasuredImage) -> Levels:
        """
        Measure level, noise and ceiling of an image.

        Parameters
        ----------
        image : `~astrosieve.images.measured.MeasuredImage`
            In any linear unit, with or without its sky, of any size.

        Returns
        -------
        levels : `~astrosieve.contaminant.preprocessing.Levels`
            Finite, even where no pixel is usable.
        """
        sci, spoilt = image.sci, image.spoilt
        rough = measure_mesh(sci, spoilt=spoilt)
        noise = measure_noise(sci, spoilt=spoilt)
        mesh = BackgroundMesh(
            rough.x, rough.y, np.nan_to_num(rough.level), noise
        ).smoothed()
        sky, whole = float(np.median(mesh.level)), float(np.median(mesh.noise))
        ceiling = max(_ceiling(sci, spoilt), sky + _LOWEST * whole)
        return Levels(sci, spoilt, mesh, sky, whole, ceiling)

    def planes(self, levels: Levels, box: Box) -> np.ndarray:
        """
        Return the planes of a box.

        Parameters
        ----------
        levels : `~astrosieve.contaminant.preprocessing.Levels`
            The image, measured.
        box : (slice, slice)
            Rows and columns; what lies beyond the image is zero in all planes, as
            networks pad.

        Returns
        -------
        planes : (5, ny, nx) float32 `~numpy.ndarray`
        """
        shape = tuple(each.stop - each.start for each in box)
        sides = list(zip(box, levels.sci.shape, strict=True))
        rows, columns = (slice(max(s.start, 0), min(s.stop, n)) for s, n in sides)
        planes = np.zeros((5, *shape), np.float32)
        inner = planes[
            :,
            rows.start - box[0].start : rows.stop - box[0].start,
            columns.start - box[1].start : columns.stop - box[1].start,
        ]
        sci = levels.sci[rows, columns]
        level, noise = levels.mesh.over(rows, columns)
        if levels.spoilt is None:
            inner[4] = 1
        else:
            inner[4] = levels.spoilt[rows, columns] == 0
            sci = np.where(inner[4] != 0, sci, level)
        with np.errstate(over='ignore'):  # what is too large is clipped
            for plane, above, unit in (
                (inner[0], sci - level, noise),
                (inner[1], sci - level, noise * np.float32(_BRIGHT)),
                (inner[2], level - levels.sky, levels.noise),
            ):
                above /= unit
                np.clip(above, -_LARGEST, _LARGEST, out=above)
                np.arcsinh(above, out=plane)
                plane /= _COMPRESSED
            np.subtract(sci, levels.sky, out=inner[3])
            inner[3] /= levels.ceiling - levels.sky
        np.clip(inner[3], -0.5, 1.5, out=inner[3])
        return planes


def _ceiling(sci: np.ndarray, spoilt: np.ndarray | None) -> float:
    """Return the level that a few pixels exceed; minus infinity where none is left."""
    n = int(_ABOVE[0] + _ABOVE[1] * sci.size)
    top = np.empty(0, np.float32)
    for start in range(0, len(sci), _ROWS):
        rows = slice(start, start + _ROWS)
        block = sci[rows].ravel()
        if spoilt is not None:
            block = block[spoilt[rows].ravel() == 0]
        block = np.concatenate([top, block])
        top = np.partition(block, -n)[-n:] if len(block) > n else block
    return float(top.min()) if top.size else -np.inf
